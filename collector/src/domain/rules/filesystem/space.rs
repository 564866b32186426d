//! How much of a file system is left, in bytes or in files.

use super::{FREE_HYSTERESIS, Places, figure};
use crate::domain::{
    rules::{
        Inputs,
        words::{bytes, percent},
    },
    severity::Severity,
};

/// What is left of what there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    size: f64,
    avail: f64,
    pub(super) readonly: bool,
    is_files: bool,
}

impl Space {
    /// `None` where there are no figures, or none that mean anything (no blocks at all, more free than there is).
    pub(super) fn read(inputs: &Inputs<'_>, places: Places) -> Option<Self> {
        let readonly = places.readonly.is_some_and(|place| inputs.value(place) == 1.0);
        Self::new(inputs.value(places.size), inputs.value(places.avail), readonly, false)
    }

    /// The same of files; `None` where a file system makes them as it needs them (btrfs and vfat say 0).
    pub(super) fn files(inputs: &Inputs<'_>, places: Places) -> Option<Self> {
        let (files, free) = (places.files?, places.files_free?);
        Self::new(inputs.value(files), inputs.value(free), false, true)
    }

    fn new(size: f64, avail: f64, readonly: bool, is_files: bool) -> Option<Self> {
        let (size, avail) = (figure(size)?, figure(avail)?);
        (size > 0.0 && (0.0..=size).contains(&avail)).then_some(Self { size, avail, readonly, is_files })
    }

    pub(super) fn share(self) -> f64 {
        self.avail / self.size
    }

    /// How bad it is, when it was `previous` before: by share and by what is free, warning and critical of each.
    pub(super) fn level(
        self,
        shares: (f64, f64),
        frees: (f64, f64),
        hysteresis: f64,
        previous: Option<Severity>,
    ) -> Option<Severity> {
        let below = |limit: f64, free: f64, was: bool| {
            if was {
                self.share() <= limit + hysteresis && self.avail <= free * FREE_HYSTERESIS
            } else {
                self.share() < limit && self.avail < free
            }
        };
        if below(shares.1, frees.1, previous == Some(Severity::Critical)) {
            Some(Severity::Critical)
        } else if below(shares.0, frees.0, previous.is_some()) {
            Some(Severity::Warning)
        } else {
            None
        }
    }

    /// `/var: 3.1 GiB of 100 GiB free (3.1 %)`
    pub(super) fn figures(self, part: &str) -> String {
        let percent = percent(self.share());
        if self.is_files {
            return format!("{part}: {} of {} files free ({percent:.1} %)", self.avail, self.size);
        }
        format!("{part}: {} of {} free ({percent:.1} %)", bytes(self.avail), bytes(self.size))
    }
}

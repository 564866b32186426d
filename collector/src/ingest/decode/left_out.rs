//! Series whose names or labels cannot be shown are left out of a stream, and their values with them; the rest of the
//! host's readings stay. (Sizes and character sets: spec part c, Prometheus data model.)

use std::collections::HashSet;

use super::{DecodeError, LABELS, NAME_BYTES, STRING_BYTES, VALUES};
use crate::domain::host::{
    dictionary::{DictionaryUpdate, FamilyEntry, SeriesEntry},
    slot::ReadingsUpdate,
};

/// What one stream has left out so far.
#[derive(Debug, Default)]
pub struct LeftOut {
    families: HashSet<u32>,
    series: HashSet<u32>,
}

impl LeftOut {
    /// Removes what cannot be shown; returns how many entries that were.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] when a stream brings more than [`VALUES`] of them.
    pub fn from_dictionary(&mut self, update: &mut DictionaryUpdate) -> Result<usize, DecodeError> {
        let before = update.families.len() + update.series.len();
        update.families.retain(|family| {
            let fits = is_family(family);
            if fits {
                self.families.remove(&family.id);
            } else {
                self.families.insert(family.id);
            }
            fits
        });
        update.series.retain(|series| {
            let fits = !self.families.contains(&series.family) && is_series(series);
            if fits {
                self.series.remove(&series.id);
            } else {
                self.series.insert(series.id);
            }
            fits
        });
        update.retired.retain(|id| !self.series.remove(id));
        super::limit("series that cannot be shown", self.families.len() + self.series.len(), VALUES)?;
        Ok(before - update.families.len() - update.series.len())
    }

    /// Removes the values of series that were left out; the gaps around them grow together.
    pub fn from_readings(&self, update: &mut ReadingsUpdate) {
        if self.series.is_empty() {
            return;
        }
        self.thin(&mut update.whole_gaps, &mut update.whole_diffs);
        self.thin(&mut update.real_gaps, &mut update.reals);
    }

    fn thin<T: Copy>(&self, gaps: &mut Vec<u32>, values: &mut Vec<T>) {
        let (mut id, mut carried, mut kept) = (0u32, 0u32, 0);
        for at in 0..gaps.len().min(values.len()) {
            // Ids beyond 2^32 are nobody's; the slot refuses them.
            id = id.saturating_add(gaps[at]);
            carried = carried.saturating_add(gaps[at]);
            if !self.series.contains(&id) {
                (gaps[kept], values[kept]) = (carried, values[at]);
                carried = 0;
                kept += 1;
            }
        }
        gaps.truncate(kept);
        values.truncate(kept);
    }
}

fn is_family(family: &FamilyEntry) -> bool {
    family.name.len() <= NAME_BYTES && is_name(&family.name, true) && !family.help.contains('\0')
}

fn is_series(series: &SeriesEntry) -> bool {
    let suffix = series.suffix.len() <= NAME_BYTES && series.suffix.bytes().all(is_name_byte);
    suffix
        && series.labels.len() <= 2 * LABELS
        && series.labels.len() % 2 == 0
        && series.labels.chunks_exact(2).all(|pair| is_label(&pair[0]) && is_value(&pair[1]))
}

/// `host` and `instance` are the collector's words, `__` is Prometheus' own.
fn is_label(name: &str) -> bool {
    name.len() <= NAME_BYTES && is_name(name, false) && !name.starts_with("__") && name != "host" && name != "instance"
}

fn is_value(value: &str) -> bool {
    value.len() <= STRING_BYTES && !value.contains('\0')
}

fn is_name(name: &str, colon: bool) -> bool {
    let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && name.bytes().all(|byte| is_name_byte(byte) || (colon && byte == b':'))
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

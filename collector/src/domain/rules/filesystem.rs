//! A file system is nearly full.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Inputs, Standing, Thresholds};
use crate::domain::{
    event::{Judgement, Severity},
    host::dictionary::{Dictionary, is_absent},
};

/// The rule's name.
pub const RULE: &str = "filesystem_space";
/// The agent's source of these readings.
const SOURCE: &str = "filesystem";

const GIB: f64 = 1_073_741_824.0;
/// No warning while more than this is free. A share alone misjudges large disks (10 % of 20 TB are 2 TB); this is what
/// 10 % are of a disk of 500 GiB, and a day's growth at 600 KB/s. Checkmk's "magic factor" bends its levels for the
/// same reason; a bound can be read off the evidence.
const WARNING_FREE_BYTES: f64 = 50.0 * GIB;
/// Not critical while more than this is free: 5 % of 400 GiB, eight hours at the same rate.
const CRITICAL_FREE_BYTES: f64 = 20.0 * GIB;
/// A bound is left behind at this multiple: 12 % to 10 %, as the shares do.
const FREE_HYSTERESIS: f64 = 1.2;

/// Where one file system's readings are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    size: u32,
    avail: u32,
    readonly: Option<u32>,
}

/// The file systems that are judged: one mount point per device, the shortest, since bind mounts and subvolumes of one
/// device fill together; of two mounts on one mount point the later, which hides the other.
pub(super) fn places(dictionary: &Dictionary) -> Box<[Places]> {
    let sizes = by_labels(dictionary, "node_filesystem_size_bytes");
    let avails = by_labels(dictionary, "node_filesystem_avail_bytes");
    let readonlys = by_labels(dictionary, "node_filesystem_readonly");
    let mut by_mount_point: BTreeMap<&str, (u32, Places)> = BTreeMap::new();
    for (labels, size) in &sizes {
        let Some(avail) = avails.get(labels) else { continue };
        let found = Places { size: *size, avail: *avail, readonly: readonlys.get(labels).copied() };
        let known = by_mount_point.entry(dictionary.label(*size, "mountpoint")).or_insert((*size, found));
        if known.0 < *size {
            *known = (*size, found);
        }
    }
    let mut by_device: HashMap<&str, (&str, Places)> = HashMap::new();
    let mut judged = Vec::new();
    for (mount_point, (_, found)) in by_mount_point {
        let device = dictionary.label(found.size, "device");
        if !names_one_filesystem(device) {
            judged.push(found);
            continue;
        }
        let known = by_device.entry(device).or_insert((mount_point, found));
        if mount_point.len() < known.0.len() {
            *known = (mount_point, found);
        }
    }
    judged.extend(by_device.into_values().map(|(_, found)| found));
    judged.sort_unstable_by_key(|found| found.size);
    judged.into()
}

/// `tmpfs` and its like name many file systems, and so does the device node of all FUSE mounts.
fn names_one_filesystem(device: &str) -> bool {
    (device.starts_with("/dev/") && device != "/dev/fuse") || device.contains(":/") || device.starts_with("//")
}

fn by_labels<'a>(dictionary: &'a Dictionary, metric: &str) -> BTreeMap<[&'a str; 3], u32> {
    let mut found = Vec::new();
    dictionary.each(metric, &mut |place, _| found.push(place));
    let labels = |place| ["mountpoint", "device", "fstype"].map(|label| dictionary.label(place, label));
    found.into_iter().map(|place| (labels(place), place)).collect()
}

/// Where the readings are that say of a file system that it could not be asked.
pub(super) fn errors(dictionary: &Dictionary) -> Box<[u32]> {
    by_labels(dictionary, "node_filesystem_device_error").into_values().collect()
}

/// Judges all file systems of a host.
pub(super) fn judge(inputs: &Inputs<'_>, standing: &mut Standing, differences: &mut Vec<Judgement>) {
    if let Some(reason) = inputs.silence_of(SOURCE) {
        return standing.doubt_all(RULE, &reason, differences);
    }
    let mut judged = BTreeSet::new();
    let anything_open = !standing.is_empty();
    for places in &inputs.dictionary.rules().filesystems {
        let Some(space) = Space::read(inputs, *places) else { continue };
        let part = || inputs.dictionary.label(places.size, "mountpoint");
        let previous = if anything_open { standing.severity(part()) } else { None };
        if anything_open {
            judged.insert(part());
        }
        match space.level(inputs.thresholds, previous) {
            Some(severity) => {
                let evidence = || space.shortage(part(), severity, inputs.thresholds);
                standing.hold(RULE, part(), severity, evidence, differences);
            }
            None if previous.is_some() => standing.clear(RULE, part(), || space.relief(part()), differences),
            None => {}
        }
    }
    for part in standing.parts().into_iter().filter(|part| anything_open && !judged.contains(part.as_str())) {
        settle_unseen(inputs, &part, standing, differences);
    }
}

/// What of a finding whose file system has no figures now.
fn settle_unseen(inputs: &Inputs<'_>, part: &str, standing: &mut Standing, differences: &mut Vec<Judgement>) {
    let dictionary = inputs.dictionary;
    let unanswered = dictionary
        .rules()
        .filesystem_errors
        .iter()
        .any(|place| inputs.value(*place) == 1.0 && dictionary.label(*place, "mountpoint") == part);
    if unanswered {
        standing.doubt(RULE, part, &format!("{part}: the file system did not answer"), differences);
    } else {
        // Opened in this very pass it is not: those were seen.
        standing.clear(RULE, part, || format!("{part}: no such file system is mounted any more"), differences);
    }
}

/// The space of one file system.
#[derive(Debug, Clone, Copy)]
struct Space {
    size: f64,
    avail: f64,
    readonly: bool,
}

impl Space {
    /// `None` where there are no figures, or none that mean anything (no blocks at all, more free than there is).
    fn read(inputs: &Inputs<'_>, places: Places) -> Option<Self> {
        let (size, avail) = (inputs.value(places.size), inputs.value(places.avail));
        if is_absent(size) || is_absent(avail) || !(size > 0.0 && (0.0..=size).contains(&avail)) || size.is_infinite() {
            return None;
        }
        Some(Self { size, avail, readonly: places.readonly.is_some_and(|place| inputs.value(place) == 1.0) })
    }

    /// How bad it is, when it was `previous` before. A read-only file system (an image, say) cannot fill.
    fn level(self, thresholds: &Thresholds, previous: Option<Severity>) -> Option<Severity> {
        if self.readonly {
            return None;
        }
        let share = self.avail / self.size;
        let below = |limit: f64, free: f64, was: bool| {
            if was {
                share <= limit + thresholds.filesystem_hysteresis_ratio && self.avail <= free * FREE_HYSTERESIS
            } else {
                share < limit && self.avail < free
            }
        };
        let was_critical = previous == Some(Severity::Critical);
        if below(thresholds.filesystem_critical_ratio, CRITICAL_FREE_BYTES, was_critical) {
            Some(Severity::Critical)
        } else if below(thresholds.filesystem_warning_ratio, WARNING_FREE_BYTES, previous.is_some()) {
            Some(Severity::Warning)
        } else {
            None
        }
    }

    /// `/var: 3.1 GiB of 100 GiB free (3.1 %)`
    fn figures(self, part: &str) -> String {
        let percent = 100.0 * self.avail / self.size;
        format!("{part}: {} of {} free ({percent:.1} %)", bytes(self.avail), bytes(self.size))
    }

    fn shortage(self, part: &str, severity: Severity, thresholds: &Thresholds) -> String {
        let limit = match severity {
            Severity::Critical => thresholds.filesystem_critical_ratio,
            _ => thresholds.filesystem_warning_ratio,
        };
        let clear = limit + thresholds.filesystem_hysteresis_ratio;
        let (figures, limit, clear) = (self.figures(part), percent(limit), percent(clear));
        if self.avail / self.size < limit / 100.0 {
            format!("{figures}, below {limit} %")
        } else {
            format!("{figures}, was below {limit} % and is not above {clear} % yet")
        }
    }

    fn relief(self, part: &str) -> String {
        let figures = self.figures(part);
        if self.readonly { format!("{figures}, mounted read-only: it cannot fill") } else { figures }
    }
}

/// A share as a percentage without binary dust: 0.07 is 7, not 7.000000000000001.
fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// `3.1 GiB`, `100 GiB`, `512 B`: three figures at most.
fn bytes(amount: f64) -> String {
    let mut amount = amount;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if amount < 1023.5 {
            return if amount < 9.95 && unit != "B" {
                format!("{amount:.1} {unit}")
            } else {
                format!("{amount:.0} {unit}")
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} PiB")
}

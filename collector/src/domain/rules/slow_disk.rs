//! A disk that takes much longer than its siblings for the same work: what a failing drive does long before it says so.

use std::collections::BTreeMap;

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::Judging,
};
use crate::domain::{readings::dictionary::Dictionary, severity::Severity};

/// `disk_slow`
pub(super) static SLOW: Rule = Rule {
    name: "disk_slow",
    says: "A disk takes much longer for its reads and writes than others of its machine that do as much.",
    part: Some("device"),
    limits: &[
        Limit::new("warning", "times the median of its siblings", Unit::Number, (1.5, 100.0), 3.0),
        Limit::new(
            "least",
            "milliseconds for one operation, below which nothing is slow",
            Unit::Number,
            (0.1, 1e5),
            20.0,
        ),
        Limit::new("for", "how long it must hold", Unit::Time, (300.0, 86_400.0), 1_800.0),
    ],
    source: "fail-slow at scale (Gunawi 2018): slow drives are found by their peers and not by a limit; three times the \
             median, from the 1.5 to 3 of Backblaze's and Alibaba's (Lu 2023) reports, over half an hour",
    remedy: "look at its own counts (the view Hardware), cable and slot; take it out of its array if it goes on",
    evidence: None,
};

const WARNING: usize = 0;
const LEAST: usize = 1;
const FOR: usize = 2;
/// How long work is gathered before it is compared.
const WINDOW_MS: u64 = 300_000;
/// Siblings do at least so much of each other's work, and there are at least so many with the disk itself.
const ALIKE: f64 = 3.0;
const SIBLINGS: usize = 3;
/// Fewer operations a second say nothing of a disk.
const BUSY: f64 = 1.0;
/// Disks of one host that are compared.
const DISKS: usize = 128;

/// Where the readings of one disk are: time and number of reads and writes.
#[derive(Debug)]
pub(super) struct Disk {
    device: Box<str>,
    /// What it has in common with its siblings: the kind of its name.
    family: Box<str>,
    times: [u32; 2],
    counts: [u32; 2],
}

/// Where a host's disks are; fewer than three have no siblings.
pub(super) fn disks(dictionary: &Dictionary) -> Box<[Disk]> {
    let mut found: BTreeMap<String, [Option<u32>; 4]> = BTreeMap::new();
    let metrics = [
        "node_disk_read_time_seconds_total",
        "node_disk_write_time_seconds_total",
        "node_disk_reads_completed_total",
        "node_disk_writes_completed_total",
    ];
    for (n, metric) in metrics.into_iter().enumerate() {
        dictionary.each(metric, &mut |place, labels| {
            let device = labels.iter().find(|(name, _)| name == "device").map_or("", |(_, value)| value);
            if is_drive(device) {
                found.entry(device.to_owned()).or_default()[n] = Some(place);
            }
        });
    }
    let disk = |(device, places): (String, [Option<u32>; 4])| {
        let [Some(read), Some(write), Some(reads), Some(writes)] = places else { return None };
        let family = device.trim_end_matches(|c: char| c.is_ascii_digit()).get(..2)?.into();
        Some(Disk { device: device.into(), family, times: [read, write], counts: [reads, writes] })
    };
    let disks: Vec<Disk> = found.into_iter().filter_map(disk).take(DISKS).collect();
    if disks.len() < SIBLINGS { Box::default() } else { disks.into() }
}

/// A whole drive and no partition: `sda`, `nvme0n1`.
fn is_drive(device: &str) -> bool {
    let digits_after = |letters: &str| {
        let rest = device.strip_prefix(letters).unwrap_or_default();
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == 'n')
    };
    let is_sd = device.strip_prefix("sd").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_lowercase()));
    is_sd || digits_after("nvme")
}

/// What disks did since the window began, and what was made of the last one.
#[derive(Debug, Default)]
pub(super) struct Work {
    began_ms: Option<u64>,
    /// Seconds and operations when it began, by the disk's place in the index.
    then: Vec<(f64, f64)>,
    /// The slow ones: milliseconds of an operation, median of its siblings.
    slow: BTreeMap<Box<str>, (f64, f64)>,
    /// The last window was judged.
    is_judged: bool,
}

impl Work {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Compares when a window is over.
    fn compare(&mut self, disks: &[Disk], now: Vec<(f64, f64)>, now_ms: u64, (times, least): (f64, f64)) {
        let passed_ms = self.began_ms.map(|began| now_ms.saturating_sub(began));
        if self.then.len() != now.len() || passed_ms.is_none() {
            (self.began_ms, self.then) = (Some(now_ms), now);
            return;
        }
        let Some(passed_ms) = passed_ms.filter(|passed| *passed >= WINDOW_MS) else { return };
        #[expect(clippy::cast_precision_loss, reason = "a few hundred seconds")]
        let passed_s = passed_ms as f64 / 1_000.0;
        let done = |(is, was): (&(f64, f64), &(f64, f64))| (is.0 - was.0, is.1 - was.1);
        let done: Vec<(f64, f64)> = now.iter().zip(&self.then).map(done).collect();
        let each_ms = |(seconds, count): (f64, f64)| seconds * 1_000.0 / count;
        self.slow.clear();
        for (n, disk) in disks.iter().enumerate() {
            let own = done[n];
            let is_alike = |(other, (_, count)): (&Disk, &(f64, f64))| {
                other.family == disk.family && *count >= own.1 / ALIKE && *count <= own.1 * ALIKE
            };
            let alike = disks.iter().zip(&done).filter(|(other, did)| is_alike((other, did)));
            let mut siblings: Vec<f64> =
                alike.filter(|(other, _)| other.device != disk.device).map(|(_, did)| each_ms(*did)).collect();
            if own.1 / passed_s < BUSY || siblings.len() + 1 < SIBLINGS {
                continue;
            }
            siblings.sort_by(f64::total_cmp);
            let (is, median) = (each_ms(own), siblings[siblings.len() / 2]);
            if is > median * times && is >= least {
                self.slow.insert(disk.device.clone(), (is, median));
            }
        }
        self.is_judged = true;
        (self.began_ms, self.then) = (Some(now_ms), now);
    }
}

/// Judges all disks of a host.
pub(super) fn judge(judging: &mut Judging<'_>, work: &mut Work) {
    let inputs = judging.inputs;
    let disks = &inputs.index.disks;
    if disks.is_empty() {
        return;
    }
    let sum = |places: [u32; 2]| inputs.value(places[0]) + inputs.value(places[1]);
    let now = disks.iter().map(|disk| (sum(disk.times), sum(disk.counts))).collect();
    let applies = judging.applies(&SLOW);
    let limits = (applies.limits[WARNING], applies.limits[LEAST]);
    work.compare(disks, now, inputs.uptime_ms, limits);
    if !work.is_judged {
        return;
    }
    for disk in disks {
        let is_slow = work.slow.get(&disk.device);
        let level = is_slow.map(|_| Severity::Warning);
        let applies = inputs.thresholds.at(&SLOW, || &disk.device);
        let evidence = || match is_slow {
            Some((is, median)) => format!(
                "{}: {is:.0} ms for each read or write, its siblings {median:.0} ms with as much work; limit {:.1} times",
                disk.device, applies.limits[WARNING]
            ),
            None => format!("{}: no slower than its siblings", disk.device),
        };
        judging.settle(&SLOW, &disk.device, level, (&applies, applies.limits[FOR]), evidence);
    }
}

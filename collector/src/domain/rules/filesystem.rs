//! File systems that are full, will be, or take no more.

mod places;
mod space;

use std::collections::BTreeSet;

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    words::percent,
};
use crate::domain::{readings::dictionary::is_absent, severity::Severity};

pub(super) use self::places::{Places, errors, places};
use self::space::Space;

/// The agent's source of these readings.
const SOURCE: &str = "filesystem";
const GIB: f64 = 1_073_741_824.0;
const TIB: f64 = 1_024.0 * GIB;

/// `filesystem_space`
pub static SPACE: Rule = Rule {
    name: "filesystem_space",
    says: "Little space is left on a file system, by share and in bytes.",
    part: Some("mount"),
    limits: &[
        Limit::new("warning", "share free below which it warns", Unit::Share, (0.0, 1.0), 0.10),
        Limit::new("critical", "share free below which it is critical", Unit::Share, (0.0, 1.0), 0.05),
        Limit::new("hysteresis", "more than the limit that ends it", Unit::Share, (0.0, 0.5), 0.02),
        Limit::new("warning_free", "no warning while more is free", Unit::Bytes, (0.0, 1_024.0 * TIB), 50.0 * GIB),
        Limit::new("critical_free", "not critical while more is free", Unit::Bytes, (0.0, 1_024.0 * TIB), 20.0 * GIB),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 0.0),
    ],
    source: "shares are those of Checkmk's and Zabbix's defaults (20/10 and 20/10 % free) halved, as on node-mixin's \
             disks of 5 and 3 %; a share alone misjudges large disks (10 % of 20 TB are 2 TB), so bytes count too: 50 GiB \
             are 10 % of 500 GiB and a day's growth at 600 KB/s, 20 GiB eight hours of it",
    remedy: "du -xh MOUNT | sort -h | tail; journalctl --vacuum-size=200M; empty what may go or grow the file system",
    evidence: None,
};

/// `filesystem_inodes`
pub(super) static INODES: Rule = Rule {
    name: "filesystem_inodes",
    says: "A file system has room for few more files, however many bytes are free.",
    part: Some("mount"),
    limits: &[
        Limit::new("warning", "share free below which it warns", Unit::Share, (0.0, 1.0), 0.05),
        Limit::new("critical", "share free below which it is critical", Unit::Share, (0.0, 1.0), 0.03),
        Limit::new("hysteresis", "more than the limit that ends it", Unit::Share, (0.0, 0.5), 0.01),
        Limit::new("warning_free", "no warning while more are free", Unit::Number, (0.0, 1e12), 500_000.0),
        Limit::new("critical_free", "not critical while more are free", Unit::Number, (0.0, 1e12), 100_000.0),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 60.0),
    ],
    source: "node-mixin: 5 and 3 %; half a million files are a day of a busy mail or session store",
    remedy: "du --inodes -x MOUNT | sort -n | tail; delete what is stale; ext4 cannot get more without a new mkfs",
    evidence: None,
};

/// `filesystem_filling`
pub(super) static FILLING: Rule = Rule {
    name: "filesystem_filling",
    says: "A file system will be full soon if it goes on growing as its trend says.",
    part: Some("mount"),
    limits: &[
        Limit::new(
            "warning",
            "time to full, at the latest, that warns",
            Unit::Time,
            (3_600.0, 90.0 * 86_400.0),
            86_400.0,
        ),
        Limit::new("critical", "time to full that is critical", Unit::Time, (600.0, 30.0 * 86_400.0), 14_400.0),
        Limit::new("hysteresis", "more than the limit that ends it", Unit::Time, (0.0, 86_400.0), 3_600.0),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 1_800.0),
    ],
    source: "node-mixin: full within 24 h and 4 h, held; the slow end of the trend's range counts, so that a burst that a \
             trend cannot tell from growth stays quiet",
    remedy: "find what grows (du -xh MOUNT | sort -h | tail) before it is full",
    evidence: None,
};

/// `filesystem_read_only`
pub(super) static READ_ONLY: Rule = Rule {
    name: "filesystem_read_only",
    says: "A file system that was written to is mounted read-only: the kernel does that after an error.",
    part: Some("mount"),
    limits: &[Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 60.0)],
    source: "kernel: ext4 errors=remount-ro; one that was read-only when it was first seen (image, snap, /usr) is meant so",
    remedy: "dmesg for the error; save what is there, fsck, mount -o remount,rw MOUNT",
    evidence: None,
};

const WARNING: usize = 0;
const CRITICAL: usize = 1;
const HYSTERESIS: usize = 2;
const WARNING_FREE: usize = 3;
const CRITICAL_FREE: usize = 4;
const FOR: usize = 5;
const FILLING_FOR: usize = 3;
const READ_ONLY_FOR: usize = 0;
/// A bound is left behind at this multiple: 12 % to 10 %, as the shares do.
const FREE_HYSTERESIS: f64 = 1.2;
/// Mount points whose being written to is remembered; more are not judged for it.
const WRITABLE: usize = 256;

const HOUR_S: f64 = 3_600.0;
const HOUR_MS: f64 = 3_600_000.0;

/// Which file systems have been seen mounted for writing, by the hash of their mount point.
#[derive(Debug, Default)]
pub(super) struct Writable(Vec<u64>);

impl Writable {
    /// Whether it was ever seen writable; notes that it is now.
    fn was(&mut self, part: &str, writable_now: bool) -> bool {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        part.hash(&mut hasher);
        let hash = hasher.finish();
        let known = self.0.contains(&hash);
        if !known && writable_now && self.0.len() < WRITABLE {
            self.0.push(hash);
        }
        known
    }
}

const ALL: [&Rule; 4] = [&SPACE, &INODES, &FILLING, &READ_ONLY];

/// Judges all file systems of a host.
pub(super) fn judge(judging: &mut Judging<'_>, writable: &mut Writable) {
    if let Some(reason) = judging.inputs.silence_of(SOURCE) {
        for rule in [&SPACE, &INODES, &FILLING, &READ_ONLY] {
            judging.doubt_all(rule, &reason);
        }
        return;
    }
    let anything_open = ALL.iter().any(|rule| judging.standing.any(rule));
    let mut judged = BTreeSet::new();
    let (index, dictionary) = (judging.inputs.index, judging.inputs.dictionary);
    for places in &index.filesystems {
        let Some(space) = Space::read(judging.inputs, *places) else { continue };
        let part = dictionary.label(places.size, "mountpoint");
        if anything_open {
            judged.insert(part);
        }
        left(judging, part, &SPACE, space, !space.readonly);
        if let Some(files) = Space::files(judging.inputs, *places) {
            left(judging, part, &INODES, files, !space.readonly);
        }
        filling(judging, part);
        let was_writable = writable.was(part, !space.readonly) || judging.previous(&READ_ONLY, part).is_some();
        read_only(judging, part, space.readonly && was_writable);
    }
    if !anything_open {
        return;
    }
    for rule in [&SPACE, &INODES, &FILLING, &READ_ONLY] {
        for part in judging.open(rule).into_iter().filter(|part| !judged.contains(part.as_str())) {
            settle_unseen(judging, rule, &part);
        }
    }
}

/// Little is left, of space or of files. What cannot be written to cannot fill.
fn left(judging: &mut Judging<'_>, part: &str, rule: &'static Rule, space: Space, fills: bool) {
    let applies = judging.inputs.thresholds.at(rule, || part);
    let previous = judging.crossed(rule, part);
    let limits = &applies.limits;
    let level = space
        .level(
            (limits[WARNING], limits[CRITICAL]),
            (limits[WARNING_FREE], limits[CRITICAL_FREE]),
            limits[HYSTERESIS],
            previous,
        )
        .filter(|_| fills);
    let evidence = || match level {
        None if !fills => format!("{}, mounted read-only: it cannot fill", space.figures(part)),
        None => space.figures(part),
        Some(severity) => {
            let limit = limits[if severity == Severity::Critical { CRITICAL } else { WARNING }];
            let (figures, clear) = (space.figures(part), percent(limit + limits[HYSTERESIS]));
            let shown = percent(limit);
            if space.share() < limit {
                format!("{figures}, below {shown} %")
            } else {
                format!("{figures}, was below {shown} % and is not above {clear} % yet")
            }
        }
    };
    judging.settle(rule, part, level, (&applies, limits[FOR]), evidence);
}

fn filling(judging: &mut Judging<'_>, part: &str) {
    let Some(growth) = judging.inputs.growth else { return };
    let applies = judging.inputs.thresholds.at(&FILLING, || part);
    let found = growth.iter().find(|filling| &*filling.mount_point == part);
    // Hours from now: the forecast counts from its last figure.
    let forecast = found.map(|filling| {
        let gone = (judging.inputs.now.ms() - filling.at.ms()) as f64 / HOUR_MS;
        (filling.forecast.low - gone, filling.forecast.high - gone)
    });
    let previous = judging.crossed(&FILLING, part);
    let limits = &applies.limits;
    let latest = forecast.map_or(f64::INFINITY, |(_, latest)| latest * HOUR_S);
    let level = level(Bad::Below, latest, (limits[WARNING], limits[CRITICAL]), limits[HYSTERESIS], previous);
    let evidence = || match forecast.filter(|_| level.is_some()) {
        Some((soonest, latest)) => {
            format!("{part}: full in {:.1} to {:.1} h if it goes on growing", soonest.max(0.0), latest.max(0.0))
        }
        None => format!("{part}: no longer growing towards its end"),
    };
    judging.settle(&FILLING, part, level, (&applies, limits[FILLING_FOR]), evidence);
}

fn read_only(judging: &mut Judging<'_>, part: &str, turned: bool) {
    if !turned && judging.pending.is_empty() && !judging.standing.any(&READ_ONLY) {
        return;
    }
    let applies = judging.inputs.thresholds.at(&READ_ONLY, || part);
    let evidence = || {
        let how = if turned { "turned read-only; nothing can be written" } else { "can be written to again" };
        format!("{part}: {how}")
    };
    let level = turned.then_some(Severity::Critical);
    judging.settle(&READ_ONLY, part, level, (&applies, applies.limits[READ_ONLY_FOR]), evidence);
}

/// What of a finding whose file system has no figures now.
fn settle_unseen(judging: &mut Judging<'_>, rule: &'static Rule, part: &str) {
    let (inputs, dictionary) = (judging.inputs, judging.inputs.dictionary);
    let failed = |place: &u32| inputs.value(*place) == 1.0 && dictionary.label(*place, "mountpoint") == part;
    if inputs.index.filesystem_errors.iter().any(failed) {
        judging.doubt(rule, part, &format!("{part}: the file system did not answer"));
    } else {
        // Opened in this very pass it is not: those were seen.
        judging.clear(rule, part, || format!("{part}: no such file system is mounted any more"));
    }
}

/// A figure that may be missing or senseless.
fn figure(value: f64) -> Option<f64> {
    (!is_absent(value) && value.is_finite()).then_some(value)
}

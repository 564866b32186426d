//! Processors that slow themselves down for heat, by how much of their time.
//!
//! How often they do says little: laptops and desktops do tens of thousands of times, each for some milliseconds.

use super::{
    Inputs, Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    words::percent,
};
use crate::domain::readings::dictionary::Dictionary;

/// `cpu_throttled`
pub(super) static THROTTLED: Rule = Rule {
    name: "cpu_throttled",
    says: "A processor was slowed down for heat for much of an hour.",
    part: Some("package"),
    limits: &[
        Limit::new("warning", "share of an hour in which it was slowed down", Unit::Share, (0.0, 1.0), 0.1),
        Limit::new("hysteresis", "less than the limit that ends it", Unit::Share, (0.0, 1.0), 0.05),
    ],
    source: "kernel: arch/x86/kernel/cpu/mce/therm_throt.c (package_throttle_total_time_ms); a server that is cooled as it was \
             built to be is not slowed down at all; a tenth of an hour is Muster's own choice",
    remedy: "look at fans, dust, the heat sink's seat and the room's air",
    evidence: None,
};

const WARNING: usize = 0;
const HYSTERESIS: usize = 1;
/// Over so long, in milliseconds.
const WINDOW_MS: u64 = 3_600_000;
/// Packages of one host.
const PACKAGES: usize = 64;

/// Where a host's packages say for how many seconds they were slowed down.
pub(super) fn packages(dictionary: &Dictionary) -> Box<[(Box<str>, u32)]> {
    let mut found = Vec::new();
    dictionary.each("muster_cpu_package_throttled_seconds_total", &mut |place, labels| {
        let package = labels.iter().find(|(name, _)| name == "package").map_or("", |(_, value)| value);
        if found.len() < PACKAGES {
            found.push((format!("package {package}").into(), place));
        }
    });
    found.into()
}

/// What they said when the present hour began, and what came of the last.
#[derive(Debug, Default)]
pub(super) struct Hours {
    began_ms: u64,
    then: Vec<f64>,
    /// The share of each package; empty before an hour is over.
    shares: Vec<f64>,
}

impl Hours {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn feed(&mut self, inputs: &Inputs<'_>, packages: &[(Box<str>, u32)]) {
        let now: Vec<f64> = packages.iter().map(|(_, place)| inputs.value(*place)).collect();
        if self.then.len() != now.len() || inputs.uptime_ms < self.began_ms {
            *self = Self { began_ms: inputs.uptime_ms, then: now, shares: Vec::new() };
            return;
        }
        let passed_ms = inputs.uptime_ms - self.began_ms;
        if passed_ms >= WINDOW_MS {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of some hours")]
            let passed_s = passed_ms as f64 / 1_000.0;
            self.shares = now.iter().zip(&self.then).map(|(now, then)| (now - then) / passed_s).collect();
            (self.began_ms, self.then) = (inputs.uptime_ms, now);
        }
    }
}

/// Judges all packages of a host.
pub(super) fn judge(judging: &mut Judging<'_>, hours: &mut Hours) {
    let inputs = judging.inputs;
    let packages = &inputs.index.packages;
    if packages.is_empty() {
        return;
    }
    hours.feed(inputs, packages);
    for ((package, _), share) in packages.iter().zip(&hours.shares) {
        let previous = judging.crossed(&THROTTLED, package);
        if *share <= 0.0 && previous.is_none() && judging.previous(&THROTTLED, package).is_none() {
            continue;
        }
        let applies = inputs.thresholds.at(&THROTTLED, || package);
        let (warning, hysteresis) = (applies.limits[WARNING], applies.limits[HYSTERESIS]);
        let level = level(Bad::Above, *share, (warning, f64::NAN), hysteresis, previous);
        let evidence = || {
            let (share, limit) = (percent(*share), percent(warning));
            format!("{package}: slowed down for heat in {share} % of an hour; limit {limit} %")
        };
        judging.settle(&THROTTLED, package, level, (&applies, 0.0), evidence);
    }
}

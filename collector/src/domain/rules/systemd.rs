//! A systemd unit failed and stays so, or is started again and again.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::Judging,
};
use crate::domain::{readings::dictionary::Dictionary, severity::Severity};

/// `systemd_unit_failed`
pub(super) static FAILED: Rule = Rule {
    name: "systemd_unit_failed",
    says: "A systemd unit is in state failed and nothing starts it again.",
    part: Some("unit"),
    limits: &[Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 10.0)],
    source: "node-mixin waits 5 min; two reports in a row are enough, for systemd itself restarts what it is told to \
             without passing through failed (systemd.service(5), Restart=)",
    remedy: "systemctl status UNIT; journalctl -u UNIT -b; systemctl restart UNIT, or reset-failed if it is not wanted",
    evidence: None,
};

/// `systemd_unit_restarting`
pub(super) static RESTARTING: Rule = Rule {
    name: "systemd_unit_restarting",
    says: "systemd starts a unit again and again.",
    part: Some("unit"),
    limits: &[
        Limit::new("warning", "restarts within the window that warn", Unit::Number, (2.0, 20.0), 5.0),
        Limit::new("window", "the window; over when it has passed without", Unit::Time, (60.0, 86_400.0), 600.0),
    ],
    source: "systemd gives up after 5 starts in 10 s (systemd.unit(5), StartLimitBurst=); what restarts more slowly loops \
             for ever. node-mixin: more than 2 in 5 min, for 15 min",
    remedy: "journalctl -u UNIT -b: why does it end?",
    evidence: None,
};

/// The agent's source of these readings.
const SOURCE: &str = "systemd";
const FOR: usize = 0;
const WARNING: usize = 0;
const WINDOW: usize = 1;
/// Units whose restarts are remembered, and restarts of each: the most that [`RESTARTING`] may be set to.
const UNITS: usize = 256;
const RESTARTS: usize = 20;
/// Restarts told of one pass.
const NOTICED: usize = 8;

/// Where the readings are that say whether a unit is in state failed.
pub(super) fn failed_places(dictionary: &Dictionary) -> Box<[u32]> {
    let mut found = Vec::new();
    dictionary.each("node_systemd_unit_state", &mut |place, labels| {
        if labels.iter().any(|(name, value)| name == "state" && value == "failed") {
            found.push(place);
        }
    });
    found.into()
}

/// Where the readings are that count a unit's restarts.
pub(super) fn restart_places(dictionary: &Dictionary) -> Box<[u32]> {
    let mut found = Vec::new();
    dictionary.each("node_systemd_service_restart_total", &mut |place, _| found.push(place));
    found.into()
}

/// Which units were restarted, and when; units that never were take no room.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// Whether the counters of this session were seen before.
    begun: bool,
    units: BTreeMap<Box<str>, Restarted>,
    /// What was restarted in the last pass.
    noticed: Vec<String>,
}

#[derive(Debug, Default)]
struct Restarted {
    count: f64,
    /// Time since boot of the last restarts, oldest first.
    times_ms: Vec<u64>,
}

impl Restarts {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take_noticed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.noticed)
    }
}

/// Judges all units of a host.
pub(super) fn judge(judging: &mut Judging<'_>, restarts: &mut Restarts) {
    if let Some(reason) = judging.inputs.silence_of(SOURCE) {
        judging.doubt_all(&FAILED, &reason);
        judging.doubt_all(&RESTARTING, &reason);
        return;
    }
    failed(judging);
    restarting(judging, restarts);
}

fn failed(judging: &mut Judging<'_>) {
    let (inputs, dictionary) = (judging.inputs, judging.inputs.dictionary);
    let name = |place: &u32| dictionary.label(*place, "name");
    let units = &inputs.index.failed_units;
    let failed: BTreeSet<&str> = units.iter().filter(|place| inputs.value(**place) == 1.0).map(name).collect();
    for unit in &failed {
        let applies = inputs.thresholds.at(&FAILED, || unit);
        let evidence = || format!("{unit}: in state failed");
        judging.settle(&FAILED, unit, Some(Severity::Warning), (&applies, applies.limits[FOR]), evidence);
    }
    for part in judging.open(&FAILED).into_iter().filter(|part| !failed.contains(part.as_str())) {
        let known = units.iter().any(|place| inputs.value(*place) == 0.0 && name(place) == part);
        let how = if known { "no longer in state failed" } else { "not loaded any more" };
        judging.clear(&FAILED, &part, || format!("{part}: {how}"));
    }
}

fn restarting(judging: &mut Judging<'_>, restarts: &mut Restarts) {
    let (inputs, dictionary) = (judging.inputs, judging.inputs.dictionary);
    let begun = std::mem::replace(&mut restarts.begun, true);
    for place in &inputs.index.restarts {
        let count = inputs.value(*place);
        if count > 0.0 {
            let unit = dictionary.label(*place, "name");
            let more = note(&mut restarts.units, unit, count, begun, inputs.uptime_ms);
            if more > 0 && restarts.noticed.len() < NOTICED {
                restarts.noticed.push(format!("{unit} was restarted ({count:.0} times in all)"));
            }
        }
    }
    for (unit, restarted) in &mut restarts.units {
        let applies = inputs.thresholds.at(&RESTARTING, || unit);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a limit of 60 s to a day")]
        let window_ms = (applies.limits[WINDOW] * 1_000.0) as u64;
        restarted.times_ms.retain(|at| inputs.uptime_ms.saturating_sub(*at) < window_ms);
        #[expect(clippy::cast_precision_loss, reason = "at most 20")]
        let times = restarted.times_ms.len() as f64;
        let open = judging.previous(&RESTARTING, unit).is_some();
        let loops = times >= applies.limits[WARNING] || (open && times > 0.0);
        let evidence = || {
            let minutes = applies.limits[WINDOW] / 60.0;
            format!("{unit}: restarted {times:.0} times in {minutes:.0} min ({:.0} in all)", restarted.count)
        };
        judging.settle(&RESTARTING, unit, loops.then_some(Severity::Warning), (&applies, 0.0), evidence);
    }
    let gone = |unit: &String| !restarts.units.contains_key(unit.as_str());
    for unit in judging.open(&RESTARTING).into_iter().filter(gone) {
        judging.clear(&RESTARTING, &unit, || format!("{unit}: not loaded any more"));
    }
}

/// Notes the counter; answers by how much it grew while we watched.
fn note(units: &mut BTreeMap<Box<str>, Restarted>, unit: &str, count: f64, begun: bool, now_ms: u64) -> usize {
    let full = units.len() >= UNITS;
    let Some(known) = units.get_mut(unit) else {
        if !full {
            // Counted up from nothing while we watched, or before we did.
            let times_ms = if begun { vec![now_ms; grown(count)] } else { Vec::new() };
            let more = times_ms.len();
            units.insert(unit.into(), Restarted { count, times_ms });
            return more;
        }
        return 0;
    };
    let by = count - std::mem::replace(&mut known.count, count);
    let more = grown(by);
    known.times_ms.extend(std::iter::repeat_n(now_ms, more));
    let surplus = known.times_ms.len().saturating_sub(RESTARTS);
    known.times_ms.drain(..surplus);
    more
}

fn grown(by: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0-20")]
    let times = by.clamp(0.0, RESTARTS as f64) as usize;
    times
}

//! The host boots again and again.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::Judging,
};
use crate::domain::{severity::Severity, time::Timestamp};

/// `reboot_loop`
pub(super) static LOOP: Rule = Rule {
    name: "reboot_loop",
    says: "The host has booted several times within a short time.",
    part: None,
    limits: &[
        Limit::new("warning", "boots within the window that warn", Unit::Number, (2.0, 8.0), 3.0),
        Limit::new("window", "the window; over when fewer fall into it", Unit::Time, (600.0, 86_400.0), 3_600.0),
    ],
    source: "an upgrade boots once, with new firmware twice; three in an hour is a watchdog, a power supply or a panic",
    remedy: "journalctl --list-boots; last -x; the management controller's event log",
    evidence: None,
};

const WARNING: usize = 0;
const WINDOW: usize = 1;
/// Boots remembered: the most that [`LOOP`] may be set to.
const BOOTS: usize = 8;

/// The last boots that were seen. They outlive sessions, of which each boot has its own.
#[derive(Debug, Default)]
pub(super) struct Boots {
    last_uptime_ms: Option<u64>,
    at: Vec<Timestamp>,
}

/// Judges. Time since boot that is less than before means another boot; wall clocks are set in this very phase and
/// prove nothing.
pub(super) fn judge(judging: &mut Judging<'_>, boots: &mut Boots) {
    let (uptime_ms, now) = (judging.inputs.uptime_ms, judging.inputs.now);
    let applies = judging.applies(&LOOP);
    if boots.last_uptime_ms.replace(uptime_ms).is_some_and(|last| uptime_ms < last) {
        boots.at.push(now.plus_ms(-i64::try_from(uptime_ms).unwrap_or(i64::MAX)));
        let surplus = boots.at.len().saturating_sub(BOOTS);
        boots.at.drain(..surplus);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a limit of ten minutes to a day")]
    let window_ms = (applies.limits[WINDOW] * 1_000.0) as i64;
    boots.at.retain(|at| now.since_ms(*at) < window_ms);
    #[expect(clippy::cast_precision_loss, reason = "at most eight")]
    let times = boots.at.len() as f64;
    let open = judging.previous(&LOOP, "boot").is_some();
    let loops = times >= applies.limits[WARNING] || (open && times >= 2.0);
    let evidence = || format!("boot: {times:.0} boots within {:.0} min", applies.limits[WINDOW] / 60.0);
    judging.settle(&LOOP, "boot", loops.then_some(Severity::Warning), (&applies, 0.0), evidence);
}

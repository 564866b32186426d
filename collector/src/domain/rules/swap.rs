//! Memory is pushed to swap and fetched back at once: the machine works for its memory, not for its users.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::Judging,
    minutes::{Counter, LONGEST_S, Minutes},
    words::percent,
};
use crate::domain::{rules::PROCESSES, severity::Severity};

/// `swap_storm`
pub(super) static STORM: Rule = Rule {
    name: "swap_storm",
    says: "Memory is written to swap and read back all the time.",
    part: None,
    limits: &[
        Limit::new("warning", "pages a second, both in and out", Unit::Number, (1.0, 1e9), 500.0),
        Limit::new("stalled", "and all tasks waited for memory this share of the time", Unit::Share, (0.0, 1.0), 0.05),
        Limit::new("for", "over this time", Unit::Time, (60.0, LONGEST_S), 300.0),
    ],
    source: "node-mixin tells of 500 major faults a second; swapping out alone is housekeeping, and swap in memory \
             (zram) costs no waiting, hence both ways and the kernel's own measure of it (accounting/psi.rst)",
    remedy: "see top for what grew; stop it or give the machine memory",
    evidence: Some(PROCESSES),
};

const WARNING: usize = 0;
const STALLED: usize = 1;
const FOR: usize = 2;
/// It ends below this share of its limits.
const HYSTERESIS: f64 = 0.5;

/// Judges.
pub(super) fn judge(judging: &mut Judging<'_>, minutes: &Minutes) {
    let applies = judging.applies(&STORM);
    let rate = |counter| minutes.rate(counter, applies.limits[FOR]);
    let (Some(read), Some(written)) = (rate(Counter::SwapIn), rate(Counter::SwapOut)) else { return };
    // A kernel without this measure says nothing of waiting; then the pages alone count.
    let stalled = rate(Counter::MemoryStalled);
    let before = judging.previous(&STORM, "swap").is_some();
    let share = if before { HYSTERESIS } else { 1.0 };
    let storms = read.min(written) > applies.limits[WARNING] * share
        && stalled.is_none_or(|stalled| stalled > applies.limits[STALLED] * share);
    let evidence = || {
        let waited = stalled.map_or_else(String::new, |share| format!(", all tasks waited {} %", percent(share)));
        format!(
            "swap: {read:.0} pages a second in and {written:.0} out over {:.0} min{waited}; limit {:.0} both ways",
            applies.limits[FOR] / 60.0,
            applies.limits[WARNING]
        )
    };
    judging.settle(&STORM, "swap", storms.then_some(Severity::Warning), (&applies, 0.0), evidence);
}

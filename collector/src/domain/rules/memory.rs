//! Memory has run out: tasks wait for it, or the kernel kills them.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    minutes::{Counter, LONGEST_S, Minutes},
    single::Single,
    words::{bytes, percent},
};
use crate::domain::{rules::PROCESSES, severity::Severity};

/// `memory_exhausted`
pub(super) static EXHAUSTED: Rule = Rule {
    name: "memory_exhausted",
    says: "Hardly any memory is available, and tasks stand still for want of it.",
    part: None,
    limits: &[
        Limit::new("warning", "share available below which it warns", Unit::Share, (0.0, 1.0), 0.10),
        Limit::new("critical", "share available below which it is critical", Unit::Share, (0.0, 1.0), 0.05),
        Limit::new("hysteresis", "more than the limit that ends it", Unit::Share, (0.0, 0.5), 0.02),
        Limit::new("stalled", "and all tasks waited for memory this share of the time", Unit::Share, (0.0, 1.0), 0.10),
        Limit::new("for", "over this time", Unit::Time, (60.0, LONGEST_S), 120.0),
    ],
    source: "node-mixin warns below 10 % available for 15 min; memory in use is not memory missing, so tasks must wait \
             for it too (accounting/psi.rst; systemd-oomd kills at 60 % for 30 s, and we want to be earlier)",
    remedy: "see top for what grew; stop it, limit it (MemoryMax=) or give the machine memory",
    evidence: Some(PROCESSES),
};

/// `oom_kill`
pub(super) static KILLED: Rule = Rule {
    name: "oom_kill",
    says: "The kernel killed a process for want of memory, on the machine or within a limit of its own.",
    part: None,
    limits: &[
        Limit::new("warning", "kills that are worth a warning", Unit::Number, (1.0, 1e6), 1.0),
        Limit::new("critical", "kills in one episode that are critical", Unit::Number, (1.0, 1e6), f64::NAN),
        Limit::new("quiet", "it is over after this time without a kill", Unit::Time, (60.0, 86_400.0), 900.0),
    ],
    source: "kernel: oom_kill in /proc/vmstat counts control groups' kills too (mm/oom_kill.c); one is one too many",
    remedy: "journalctl -k names the process and whose limit it met (oom-kill:)",
    evidence: Some(PROCESSES),
};

const WARNING: usize = 0;
const CRITICAL: usize = 1;
const HYSTERESIS: usize = 2;
const STALLED: usize = 3;
const FOR: usize = 4;
const QUIET: usize = 2;
/// Waiting that ends it, as a share of its limit.
const STALLED_HYSTERESIS: f64 = 0.5;

/// What is known of the kernel's kills.
#[derive(Debug, Default)]
pub(super) struct Kills {
    /// The counter, once seen in this boot.
    seen: Option<f64>,
    /// When it last grew, and by how much since the episode began.
    last_ms: u64,
    episode: f64,
}

/// Judges both.
pub(super) fn judge(judging: &mut Judging<'_>, minutes: &Minutes, kills: &mut Kills) {
    exhausted(judging, minutes);
    killed(judging, kills);
}

fn exhausted(judging: &mut Judging<'_>, minutes: &Minutes) {
    let (total, available) =
        (judging.inputs.single(Single::MemoryTotal), judging.inputs.single(Single::MemoryAvailable));
    let share = available / total;
    if !(0.0..=1.0).contains(&share) {
        return;
    }
    let applies = judging.applies(&EXHAUSTED);
    let limits = &applies.limits;
    let previous = judging.crossed(&EXHAUSTED, "memory");
    let measured = !judging.inputs.single(Single::MemoryStalled).is_nan();
    let stalled = minutes.rate(Counter::MemoryStalled, limits[FOR]);
    if measured && stalled.is_none() {
        return;
    }
    let waits = limits[STALLED] * if previous.is_some() { STALLED_HYSTERESIS } else { 1.0 };
    let (level, for_s) = match stalled {
        Some(stalled) => {
            let level = level(Bad::Below, share, (limits[WARNING], limits[CRITICAL]), limits[HYSTERESIS], previous);
            (level.filter(|_| stalled > waits), 0.0)
        }
        // Without the kernel's measure (old kernels, psi=0) little memory may be no trouble at all: only the lower
        // limit counts, and as a warning.
        None => (level(Bad::Below, share, (limits[CRITICAL], f64::NAN), limits[HYSTERESIS], previous), limits[FOR]),
    };
    let evidence = || {
        let waited = stalled.map_or_else(String::new, |share| {
            format!(", all tasks waited {} % of the last {:.0} min", percent(share), limits[FOR] / 60.0)
        });
        format!("memory: {} of {} available ({} %){waited}", bytes(available), bytes(total), percent(share))
    };
    judging.settle(&EXHAUSTED, "memory", level, (&applies, for_s), evidence);
}

fn killed(judging: &mut Judging<'_>, kills: &mut Kills) {
    let (count, now_ms) = (judging.inputs.single(Single::OomKill), judging.inputs.uptime_ms);
    if count.is_nan() {
        return;
    }
    let applies = judging.applies(&KILLED);
    let open = judging.previous(&KILLED, "memory").is_some();
    let before = kills.seen.replace(count);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since boot are far below 2^52")]
    let quiet = now_ms.saturating_sub(kills.last_ms) as f64 / 1_000.0 >= applies.limits[QUIET];
    match before {
        // The first look, or another boot: what happened before is not news. An open finding waits its time from now.
        None => kills.last_ms = now_ms,
        Some(before) if count < before => (kills.last_ms, kills.episode) = (now_ms, 0.0),
        Some(before) if count > before => (kills.last_ms, kills.episode) = (now_ms, kills.episode + count - before),
        Some(_) if quiet => kills.episode = 0.0,
        Some(_) => {}
    }
    let (episode, limits) = (kills.episode, &applies.limits);
    let level = if episode >= limits[CRITICAL] {
        Some(Severity::Critical)
    } else if episode >= limits[WARNING] || (open && !quiet && episode == 0.0) {
        Some(Severity::Warning)
    } else {
        None
    };
    let evidence = || match level {
        Some(_) => format!("memory: the kernel killed {episode:.0} for want of it, {count:.0} since boot (oom_kill)"),
        None => format!("memory: no process killed for {:.0} min", limits[QUIET] / 60.0),
    };
    judging.settle(&KILLED, "memory", level, (&applies, 0.0), evidence);
}

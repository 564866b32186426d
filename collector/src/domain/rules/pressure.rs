//! Tasks wait for processors or disks, and have for a while.
//!
//! The kernel's own measure (Documentation/accounting/psi.rst): the share of time in which some task, or all of them,
//! waited. One task too many makes "some" 100 %, so a busy machine is in trouble only when the queue is long as well.

use super::{
    Inputs, Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    minutes::{COUNTERS, Counter, LONGEST_S, Minutes},
    single::Single,
    words::percent,
};
use crate::domain::{readings::dictionary::Dictionary, rules::PROCESSES};

/// `cpu_pressure`
pub(super) static CPU: Rule = Rule {
    name: "cpu_pressure",
    says: "Tasks have waited for a processor for a long time, and many of them.",
    part: None,
    limits: &[
        Limit::new("warning", "share of time in which some task waited", Unit::Share, (0.0, 1.0), 0.8),
        Limit::new("hysteresis", "less waiting than the limit that ends it", Unit::Share, (0.0, 1.0), 0.2),
        Limit::new("load", "and the 5-minute load of each processor is above this", Unit::Number, (0.0, 1e6), 10.0),
        Limit::new("for", "over this time", Unit::Time, (60.0, LONGEST_S), 900.0),
    ],
    source: "kernel: accounting/psi.rst; node-mixin warns at a load of 2 for each processor for 15 min and Checkmk at 5 \
             and 10, which builds reach every day: 10, and only while tasks do wait",
    remedy: "top; move work elsewhere, or give it nice 19 if it may take its time and raise this limit for its host",
    evidence: Some(PROCESSES),
};

/// `io_pressure`
pub(super) static IO: Rule = Rule {
    name: "io_pressure",
    says: "All tasks have stood still for want of disks for a long time.",
    part: None,
    limits: &[
        Limit::new("warning", "share of time in which all tasks waited", Unit::Share, (0.0, 1.0), 0.5),
        Limit::new("hysteresis", "less waiting than the limit that ends it", Unit::Share, (0.0, 1.0), 0.15),
        Limit::new("for", "over this time", Unit::Time, (60.0, LONGEST_S), 600.0),
    ],
    source: "kernel: accounting/psi.rst; half of all work lost for ten minutes is slower than any backup or build we have \
             recorded, and a dying disk is above 90 %",
    remedy: "iotop; dmesg for a disk that fails; the node dashboards' disk panels show which",
    evidence: Some(PROCESSES),
};

const WARNING: usize = 0;
const HYSTERESIS: usize = 1;
const LOAD: usize = 2;
const CPU_FOR: usize = 3;
const IO_FOR: usize = 2;
/// The load that ends it, as a share of its limit.
const LOAD_HYSTERESIS: f64 = 0.8;

/// The counters whose growth is kept, in their order.
pub(super) fn counters(inputs: &Inputs<'_>) -> [f64; COUNTERS] {
    let mut values = [0.0; COUNTERS];
    for (counter, single) in [
        (Counter::CpuWaiting, Single::CpuWaiting),
        (Counter::IoStalled, Single::IoStalled),
        (Counter::MemoryStalled, Single::MemoryStalled),
        (Counter::SwapIn, Single::SwapIn),
        (Counter::SwapOut, Single::SwapOut),
    ] {
        values[counter as usize] = inputs.single(single);
    }
    values
}

/// How many processors the machine has.
pub(super) fn processors(dictionary: &Dictionary) -> u32 {
    let mut count = 0;
    dictionary.each("node_cpu_seconds_total", &mut |_, labels| {
        count += u32::from(labels.iter().any(|(name, value)| name == "mode" && value == "idle"));
    });
    count
}

/// Judges both.
pub(super) fn judge(judging: &mut Judging<'_>, minutes: &Minutes) {
    processors_wanted(judging, minutes);
    disks_wanted(judging, minutes);
}

fn processors_wanted(judging: &mut Judging<'_>, minutes: &Minutes) {
    let applies = judging.applies(&CPU);
    let Some(waited) = minutes.rate(Counter::CpuWaiting, applies.limits[CPU_FOR]) else { return };
    let count = f64::from(judging.inputs.index.processors.max(1));
    let load = judging.inputs.single(Single::Load5) / count;
    let previous = judging.crossed(&CPU, "processors");
    let (warning, hysteresis) = (applies.limits[WARNING], applies.limits[HYSTERESIS]);
    let queue = applies.limits[LOAD] * if previous.is_some() { LOAD_HYSTERESIS } else { 1.0 };
    let level = level(Bad::Above, waited, (warning, f64::NAN), hysteresis, previous).filter(|_| load > queue);
    let evidence = || {
        let (waited, minutes) = (percent(waited), applies.limits[CPU_FOR] / 60.0);
        format!(
            "processors: tasks waited {waited} % of the last {minutes:.0} min, load {load:.1} for each of {count}; \
             limits {} % and {:.0}",
            percent(warning),
            applies.limits[LOAD]
        )
    };
    judging.settle(&CPU, "processors", level, (&applies, 0.0), evidence);
}

fn disks_wanted(judging: &mut Judging<'_>, minutes: &Minutes) {
    let applies = judging.applies(&IO);
    let Some(waited) = minutes.rate(Counter::IoStalled, applies.limits[IO_FOR]) else { return };
    let previous = judging.crossed(&IO, "disks");
    let (warning, hysteresis) = (applies.limits[WARNING], applies.limits[HYSTERESIS]);
    let level = level(Bad::Above, waited, (warning, f64::NAN), hysteresis, previous);
    let evidence = || {
        let (waited, minutes) = (percent(waited), applies.limits[IO_FOR] / 60.0);
        format!("disks: all tasks waited {waited} % of the last {minutes:.0} min; limit {} %", percent(warning))
    };
    judging.settle(&IO, "disks", level, (&applies, 0.0), evidence);
}

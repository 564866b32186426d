//! Processor time, per CPU and mode, from `/proc/stat`. Throttling and isolation are in `cpu_topology`.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Ticks per second of `/proc` (`USER_HZ`): 100 on every architecture that Rust's std supports on Linux.
pub(super) const USER_HZ: f64 = 100.0;
/// Idle and waiting time of a CPU may fall back a little (proc_pid_stat(5)), which would look like a reset. From this
/// many seconds on it is one: the CPU was unplugged and plugged in again. `node_exporter`'s `jumpBackSeconds`.
const SLACK_SECONDS: f64 = 3.0;
/// Columns of `/proc/stat`, proc(5).
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/stat";
    sink.read_shared(host, PATH, |sink, text| {
        let mut count = 0;
        for line in text.lines() {
            let Some((cpu, fields)) = line.strip_prefix("cpu").and_then(|rest| rest.split_once(' ')) else { continue };
            if cpu.is_empty() {
                continue;
            }
            say(sink, cpu, fields);
            count += 1;
        }
        if count == 0 { Err(strange(PATH, "names no CPU")) } else { Ok(()) }
    })
}

fn say(sink: &mut Sink<'_>, cpu: &str, fields: &str) {
    let mut seconds = fields.split_ascii_whitespace().map(|field| parse_number(field).unwrap_or(0.0) / USER_HZ);
    sink.family("node_cpu_seconds_total", Kind::Counter, "Seconds the CPUs spent in each mode.");
    for (mode, seconds) in MODES.iter().zip(seconds.by_ref()) {
        sink.rising(&[("cpu", cpu), ("mode", mode)], seconds, SLACK_SECONDS);
    }
    sink.family("node_cpu_guest_seconds_total", Kind::Counter, "Seconds the CPUs spent in guests (VMs) for each mode.");
    for (mode, seconds) in ["user", "nice"].iter().zip(seconds) {
        sink.rising(&[("cpu", cpu), ("mode", mode)], seconds, SLACK_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::table::Section;
    use super::super::testing::{ask, machine};
    use super::*;

    #[test]
    fn a_counter_that_falls_back_a_little_stays_and_one_that_falls_far_was_reset() {
        let (root, host) = machine(&[("proc/stat", "cpu0 100 0 0 5000 400 0 0 0 0 0\n")]);
        let mut section = Section::new("cpu", Arc::default());
        let mut now = |text: &str| {
            std::fs::write(root.path().join("proc/stat"), text).unwrap();
            ask(read, &host, &mut section).1.unwrap();
            let values = section.values();
            [values[0], values[3], values[4]]
        };
        assert_eq!(now("cpu0 100 0 0 5000 400 0 0 0 0 0\n"), [1.0, 50.0, 4.0]);
        assert_eq!(now("cpu0 101 0 0 4999 350 0 0 0 0 0\n"), [1.01, 50.0, 4.0]);
        assert_eq!(now("cpu0 102 0 0 4600 99 0 0 0 0 0\n"), [1.02, 46.0, 0.99]);
    }
}

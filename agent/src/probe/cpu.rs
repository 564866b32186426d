//! Processor time, per CPU and mode, from `/proc/stat`.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Ticks per second of `/proc` (`USER_HZ`): 100 on every architecture that Rust's std supports on Linux.
pub(super) const USER_HZ: f64 = 100.0;
/// Columns of `/proc/stat`, proc(5).
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/stat";
    sink.read(host, PATH, |sink, text| {
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
        sink.sample(&[("cpu", cpu), ("mode", mode)], seconds);
    }
    sink.family("node_cpu_guest_seconds_total", Kind::Counter, "Seconds the CPUs spent in guests (VMs) for each mode.");
    for (mode, seconds) in ["user", "nice"].iter().zip(seconds) {
        sink.sample(&[("cpu", cpu), ("mode", mode)], seconds);
    }
}

//! Stalls for want of CPU, memory and I/O, from `/proc/pressure` (kernel 4.20 and later, where switched on).

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;

/// File, name and help of `some`, name and help of `full`. `full` of the CPU means nothing system-wide (kernel
/// Documentation/accounting/psi.rst), so it is not said.
#[expect(clippy::type_complexity, reason = "one table read top to bottom is plainer than a struct for it")]
const RESOURCES: [(&str, (&str, &str), Option<(&str, &str)>); 3] = [
    (
        "/proc/pressure/cpu",
        ("node_pressure_cpu_waiting_seconds_total", "Total time in seconds that processes have waited for CPU time"),
        None,
    ),
    (
        "/proc/pressure/io",
        (
            "node_pressure_io_waiting_seconds_total",
            "Total time in seconds that processes have waited due to IO congestion",
        ),
        Some((
            "node_pressure_io_stalled_seconds_total",
            "Total time in seconds no process could make progress due to IO congestion",
        )),
    ),
    (
        "/proc/pressure/memory",
        ("node_pressure_memory_waiting_seconds_total", "Total time in seconds that processes have waited for memory"),
        Some((
            "node_pressure_memory_stalled_seconds_total",
            "Total time in seconds no process could make progress due to memory congestion",
        )),
    ),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    for (path, waiting, stalled) in RESOURCES {
        sink.read(host, path, |sink, text| {
            for line in text.lines() {
                let said = match line.split(' ').next() {
                    Some("some") => Some(waiting),
                    Some("full") => stalled,
                    _ => None,
                };
                let total = line.rsplit_once("total=").and_then(|(_, total)| parse_number(total));
                if let (Some((name, help)), Some(microseconds)) = (said, total) {
                    sink.single(name, Kind::Counter, help, microseconds / 1000.0 / 1000.0);
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

//! Stalls for want of CPU, memory, I/O and for interrupts, from `/proc/pressure` (kernel 4.20 and later, where switched
//! on; interrupts from 6.1).

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;

/// What a resource's file says: one line, name and help for each.
struct Resource {
    path: &'static str,
    /// Some tasks waited, all tasks waited.
    lines: [Option<(&'static str, &'static str)>; 2],
    /// Not every kernel has it.
    optional: bool,
}

/// `full` of the CPU means nothing system-wide (kernel Documentation/accounting/psi.rst), so it is not said.
const RESOURCES: [Resource; 4] = [
    Resource {
        path: "/proc/pressure/cpu",
        lines: [
            Some((
                "node_pressure_cpu_waiting_seconds_total",
                "Total time in seconds that processes have waited for CPU time",
            )),
            None,
        ],
        optional: false,
    },
    Resource {
        path: "/proc/pressure/io",
        lines: [
            Some((
                "node_pressure_io_waiting_seconds_total",
                "Total time in seconds that processes have waited due to IO congestion",
            )),
            Some((
                "node_pressure_io_stalled_seconds_total",
                "Total time in seconds no process could make progress due to IO congestion",
            )),
        ],
        optional: false,
    },
    Resource {
        path: "/proc/pressure/memory",
        lines: [
            Some((
                "node_pressure_memory_waiting_seconds_total",
                "Total time in seconds that processes have waited for memory",
            )),
            Some((
                "node_pressure_memory_stalled_seconds_total",
                "Total time in seconds no process could make progress due to memory congestion",
            )),
        ],
        optional: false,
    },
    Resource {
        path: "/proc/pressure/irq",
        lines: [
            None,
            Some((
                "node_pressure_irq_stalled_seconds_total",
                "Total time in seconds no process could make progress due to IRQ congestion",
            )),
        ],
        optional: true,
    },
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    for resource in &RESOURCES {
        // A kernel that lacks it would be asked in vain at each report.
        if resource.optional && host.fact(resource.path).is_none() {
            continue;
        }
        sink.read_record(host, resource.path, |sink, text| {
            for line in text.lines() {
                let [waiting, stalled] = resource.lines;
                let said = match line.split(' ').next() {
                    Some("some") => waiting,
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

#[cfg(test)]
mod tests {
    use super::super::testing::said;
    use super::*;

    #[test]
    fn interrupts_are_said_by_kernels_that_count_them() {
        let file = |resource: &str| format!("proc/pressure/{resource}");
        let both =
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        let (cpu, io, memory, irq) = (file("cpu"), file("io"), file("memory"), file("irq"));
        let old = [(cpu.as_str(), both), (&io, both), (&memory, both)];
        let new = [(cpu.as_str(), both), (&io, both), (&memory, both), (&irq, "full avg10=0.00 total=2500000\n")];
        assert_eq!(said(read, &old).len(), 5);
        assert_eq!(said(read, &new)[5], "node_pressure_irq_stalled_seconds_total 2.5");
    }
}

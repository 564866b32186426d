//! How long tasks ran and waited on each CPU, from `/proc/schedstat`.

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;

/// Numbers of a line after the CPU's name (kernel Documentation/scheduler/sched-stats.rst); the last three count here.
const COLUMNS: usize = 9;
const NANOSECONDS: f64 = 1e9;

const FAMILIES: [(&str, f64, &str); 3] = [
    ("node_schedstat_running_seconds_total", NANOSECONDS, "Number of seconds CPU spent running a process."),
    (
        "node_schedstat_waiting_seconds_total",
        NANOSECONDS,
        "Number of seconds spent by processing waiting for this CPU.",
    ),
    ("node_schedstat_timeslices_total", 1.0, "Number of timeslices executed by CPU."),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/schedstat", |sink, text| {
        for line in text.lines() {
            let Some((cpu, columns)) = parse(line) else { continue };
            for ((name, unit, help), value) in FAMILIES.iter().zip(&columns[COLUMNS - FAMILIES.len()..]) {
                sink.family(name, Kind::Counter, help);
                sink.sample(&[("cpu", cpu)], value / unit);
            }
        }
        Ok(())
    })
}

/// A line of a CPU; others (version, domains) and broken ones are passed over, as `node_exporter` does.
fn parse(line: &str) -> Option<(&str, [f64; COLUMNS])> {
    let (cpu, rest) = line.strip_prefix("cpu")?.split_once(' ')?;
    let mut columns = [0.0; COLUMNS];
    let mut fields = rest.split(' ');
    for column in &mut columns {
        *column = fields.next().and_then(parse_number)?;
    }
    cpu.bytes().all(|byte| byte.is_ascii_digit()).then_some((cpu, columns))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_absent, said};
    use super::*;

    #[test]
    fn times_and_slices_are_the_last_three_of_nine() {
        let text = "version 15\ntimestamp 4295000000\ncpu0 1 2 3 4 5 6 2500000000 500000000 42\n\
                    domain0 00000003 1 2 3\ncpu11 0 0 0 0 0 0 1 2 3\ncpu2 1 2 3\ncpux 0 0 0 0 0 0 1 2 3\n";
        assert_eq!(
            said(read, &[("proc/schedstat", text)]),
            [
                "node_schedstat_running_seconds_total{cpu=\"0\"} 2.5",
                "node_schedstat_waiting_seconds_total{cpu=\"0\"} 0.5",
                "node_schedstat_timeslices_total{cpu=\"0\"} 42",
                "node_schedstat_running_seconds_total{cpu=\"11\"} 0.000000001",
                "node_schedstat_waiting_seconds_total{cpu=\"11\"} 0.000000002",
                "node_schedstat_timeslices_total{cpu=\"11\"} 3",
            ]
        );
        assert!(is_absent(read, &[]), "most kernels are built without it");
    }
}

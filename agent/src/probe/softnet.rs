//! Packets that each CPU took off the network, from `/proc/net/softnet_stat`.

use super::decimal::Decimal;
use super::{Kind, ProbeError, Sink, strange};
use crate::host::Host;

const PATH: &str = "/proc/net/softnet_stat";
/// Columns that every kernel since 2.6.23 has, and the one with the number of the CPU (Linux 5.10).
const WIDTH_MIN: usize = 9;
const CPU: usize = 12;

/// Columns (`softnet_seq_show`, net/core/net-procfs.c): place, name, type, help. The last four are said by
/// `node_exporter` 1.6 and later.
const COLUMNS: [(usize, &str, Kind, &str); 7] = [
    (0, "node_softnet_processed_total", Kind::Counter, "Number of processed packets"),
    (1, "node_softnet_dropped_total", Kind::Counter, "Number of dropped packets"),
    (2, "node_softnet_times_squeezed_total", Kind::Counter, "Number of times processing packets ran out of quota"),
    (
        8,
        "node_softnet_cpu_collision_total",
        Kind::Counter,
        "Number of collision occur while obtaining device lock while transmitting",
    ),
    (9, "node_softnet_received_rps_total", Kind::Counter, "Number of times cpu woken up received_rps"),
    (10, "node_softnet_flow_limit_count_total", Kind::Counter, "Number of times flow limit has been reached"),
    (11, "node_softnet_backlog_len", Kind::Gauge, "Softnet backlog status"),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, PATH, |sink, text| {
        for (line, at) in text.lines().zip(0_u32..) {
            let mut fields = [0_u32; CPU + 1];
            let mut width = 0;
            for (field, text) in fields.iter_mut().zip(line.split_ascii_whitespace()) {
                *field = u32::from_str_radix(text, 16).map_err(|_| strange(PATH, "not a hexadecimal number"))?;
                width += 1;
            }
            if width < WIDTH_MIN {
                return Err(strange(PATH, "fewer than 9 columns"));
            }
            let cpu = Decimal::of(if width > CPU { fields[CPU] } else { at });
            for (column, name, kind, help) in COLUMNS.iter().filter(|(column, ..)| *column < width) {
                sink.family(name, *kind, help);
                sink.sample(&[("cpu", cpu.text())], f64::from(fields[*column]));
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, said};
    use super::*;

    fn of(text: &str) -> Vec<String> {
        said(read, &[("proc/net/softnet_stat", text)])
    }

    #[test]
    fn a_cpu_is_known_by_its_number_and_not_by_its_line() {
        let lines = of("0000000a 00000001 00000002 0 0 0 0 0 00000003 00000004 00000005 00000006 00000007 0 0\n");
        assert_eq!(
            lines,
            [
                "node_softnet_processed_total{cpu=\"7\"} 10",
                "node_softnet_dropped_total{cpu=\"7\"} 1",
                "node_softnet_times_squeezed_total{cpu=\"7\"} 2",
                "node_softnet_cpu_collision_total{cpu=\"7\"} 3",
                "node_softnet_received_rps_total{cpu=\"7\"} 4",
                "node_softnet_flow_limit_count_total{cpu=\"7\"} 5",
                "node_softnet_backlog_len{cpu=\"7\"} 6",
            ]
        );
    }

    #[test]
    fn old_kernels_count_lines_and_say_fewer_columns() {
        let lines = of("1 0 0 0 0 0 0 0 0\nff 0 0 0 0 0 0 0 0\n");
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[4], "node_softnet_processed_total{cpu=\"1\"} 255");
    }

    #[test]
    fn a_broken_line_fails_the_source() {
        let of = |text| failure(read, &[("proc/net/softnet_stat", text)]);
        assert_eq!(of("1 2 3\n"), "/proc/net/softnet_stat: fewer than 9 columns");
        assert_eq!(of("1 0 0 0 0 0 0 0 zero\n"), "/proc/net/softnet_stat: not a hexadecimal number");
    }
}

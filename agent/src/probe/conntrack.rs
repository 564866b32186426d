//! Connection tracking: how full the table is, and what became of packets, from `/proc`.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Columns of `/proc/net/stat/nf_conntrack` (`ct_cpu_seq_show`, net/netfilter/nf_conntrack_standalone.c): place, name
/// and help. `node_exporter` says these counters as gauges.
const COLUMNS: [(usize, &str, &str); 8] = [
    (2, "node_nf_conntrack_stat_found", "Number of searched entries which were successful."),
    (4, "node_nf_conntrack_stat_invalid", "Number of packets seen which can not be tracked."),
    (5, "node_nf_conntrack_stat_ignore", "Number of packets seen which are already connected to a conntrack entry."),
    (8, "node_nf_conntrack_stat_insert", "Number of entries inserted into the list."),
    (9, "node_nf_conntrack_stat_insert_failed", "Number of entries for which list insertion was attempted but failed."),
    (10, "node_nf_conntrack_stat_drop", "Number of packets dropped due to conntrack failure."),
    (
        11,
        "node_nf_conntrack_stat_early_drop",
        "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.",
    ),
    (
        16,
        "node_nf_conntrack_stat_search_restart",
        "Number of conntrack table lookups which had to be restarted due to hashtable resizes.",
    ),
];
/// Columns of a kernel that does not say `search_restart` yet (before 2.6.35), and of all others.
const WIDTHS: std::ops::RangeInclusive<usize> = 16..=17;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
    const LIMIT: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
    const STATISTICS: &str = "/proc/net/stat/nf_conntrack";
    let number = |path: &str, text: &str| parse_number(text.trim()).ok_or_else(|| strange(path, "not a number"));
    let entries = sink.read_record(host, COUNT, |_, text| number(COUNT, text))?;
    let help = "Number of currently allocated flow entries for connection tracking.";
    sink.single("node_nf_conntrack_entries", Kind::Gauge, help, entries);
    let limit = sink.read_record(host, LIMIT, |_, text| number(LIMIT, text))?;
    sink.single("node_nf_conntrack_entries_limit", Kind::Gauge, "Maximum size of connection tracking table.", limit);
    sink.read(host, STATISTICS, |sink, text| {
        let sums = sums(text).ok_or_else(|| strange(STATISTICS, "not 16 or 17 hexadecimal numbers per CPU"))?;
        for ((_, name, help), sum) in COLUMNS.iter().zip(sums) {
            #[expect(clippy::cast_precision_loss, reason = "kernel counters are shown as doubles, as Prometheus does")]
            sink.single(name, Kind::Gauge, help, sum as f64);
        }
        Ok(())
    })
}

/// The sums over all CPUs, in the order of [`COLUMNS`]; `None` where a line is not of this shape.
fn sums(text: &str) -> Option<[u64; COLUMNS.len()]> {
    let mut sums = [0_u64; COLUMNS.len()];
    for line in text.lines().skip(1) {
        let mut fields = [0_u64; 17];
        let mut width = 0;
        for field in line.split_ascii_whitespace() {
            *fields.get_mut(width)? = u64::from_str_radix(field, 16).ok()?;
            width += 1;
        }
        if !WIDTHS.contains(&width) {
            return None;
        }
        for (sum, (column, ..)) in sums.iter_mut().zip(&COLUMNS) {
            *sum = sum.wrapping_add(fields[*column]);
        }
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop \
                           early_drop icmp_error  expect_new expect_create expect_delete search_restart\n";

    #[test]
    fn statistics_are_added_up_over_all_cpus() {
        let text = format!(
            "{HEADING}\
             00000021  00000000 00000001 00000000 00000002 0000000a 00000000 00000000 00000003 00000004 00000005 \
             00000006 00000000  00000000 00000000 00000000 00000007\n\
             00000021  00000000 00000010 00000000 00000020 000000a0 00000000 00000000 00000030 00000040 00000050 \
             00000060 00000000  00000000 00000000 00000000 00000070\n"
        );
        assert_eq!(sums(&text), Some([0x11, 0x22, 0xaa, 0x33, 0x44, 0x55, 0x66, 0x77]));
    }

    #[test]
    fn an_old_kernel_says_no_restarts_and_a_broken_line_is_no_answer() {
        let sixteen = " 1".repeat(16);
        assert_eq!(sums(&format!("{HEADING}{sixteen}\n")), Some([1, 1, 1, 1, 1, 1, 1, 0]));
        for broken in
            ["1 2 3\n".to_owned(), " 1".repeat(18) + "\n", format!("{} x\n", " 1".repeat(15)), "\n".to_owned()]
        {
            assert_eq!(sums(&format!("{HEADING}{broken}")), None, "{broken:?}");
        }
    }
}

//! Caches in front of slow disks, from `/sys/fs/bcache` (Documentation/admin-guide/bcache.rst). Once a minute: some of
//! the files walk the cache's tree under a lock. `priority_stats`, the dearest, is not read.

mod number;

use super::folder::{Folder, numbered};
use super::{Kind, ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/fs/bcache";
/// Seconds in the unit that `node_exporter` takes `btree_read_average_duration_us` for.
const NANOSECOND: f64 = 1e-9;

/// File, end of the name, type, factor, help.
type Figure = (&'static str, &'static str, Kind, f64, &'static str);

/// Of the whole set.
const OF_SET: [Figure; 10] = [
    ("average_key_size", "average_key_size_sectors", Kind::Gauge, 1.0, "Average data per key in the btree (sectors)."),
    (
        "btree_cache_size",
        "btree_cache_size_bytes",
        Kind::Gauge,
        1.0,
        "Amount of memory currently used by the btree cache.",
    ),
    (
        "cache_available_percent",
        "cache_available_percent",
        Kind::Gauge,
        1.0,
        "Percentage of cache device without dirty data, usable for writeback (may contain clean cached data).",
    ),
    ("congested", "congested", Kind::Gauge, 1.0, "Congestion."),
    (
        "root_usage_percent",
        "root_usage_percent",
        Kind::Gauge,
        1.0,
        "Percentage of the root btree node in use (tree depth increases if too high).",
    ),
    ("tree_depth", "tree_depth", Kind::Gauge, 1.0, "Depth of the btree."),
    (
        "internal/active_journal_entries",
        "active_journal_entries",
        Kind::Gauge,
        1.0,
        "Number of journal entries that are newer than the index.",
    ),
    ("internal/btree_nodes", "btree_nodes", Kind::Gauge, 1.0, "Total nodes in the btree."),
    (
        "internal/btree_read_average_duration_us",
        "btree_read_average_duration_seconds",
        Kind::Gauge,
        NANOSECOND,
        "Average btree read duration.",
    ),
    (
        "internal/cache_read_races",
        "cache_read_races_total",
        Kind::Counter,
        1.0,
        "Counts instances where while data was being read from the cache, the bucket was reused and invalidated - i.e. \
         where the pointer was stale after the read completed.",
    ),
];

/// Of each disk that is cached.
const OF_BACKING: [Figure; 8] = [
    ("dirty_data", "dirty_data_bytes", Kind::Gauge, 1.0, "Amount of dirty data for this backing device in the cache."),
    (
        "stats_total/bypassed",
        "bypassed_bytes_total",
        Kind::Counter,
        1.0,
        "Amount of IO (both reads and writes) that has bypassed the cache.",
    ),
    (
        "stats_total/cache_hits",
        "cache_hits_total",
        Kind::Counter,
        1.0,
        "Hits counted per individual IO as bcache sees them.",
    ),
    (
        "stats_total/cache_misses",
        "cache_misses_total",
        Kind::Counter,
        1.0,
        "Misses counted per individual IO as bcache sees them.",
    ),
    (
        "stats_total/cache_bypass_hits",
        "cache_bypass_hits_total",
        Kind::Counter,
        1.0,
        "Hits for IO intended to skip the cache.",
    ),
    (
        "stats_total/cache_bypass_misses",
        "cache_bypass_misses_total",
        Kind::Counter,
        1.0,
        "Misses for IO intended to skip the cache.",
    ),
    (
        "stats_total/cache_miss_collisions",
        "cache_miss_collisions_total",
        Kind::Counter,
        1.0,
        "Instances where data insertion from cache miss raced with write (data already present).",
    ),
    (
        "stats_total/cache_readaheads",
        "cache_readaheads_total",
        Kind::Counter,
        1.0,
        "Count of times readahead occurred.",
    ),
];

/// Of each disk that is a cache.
const OF_CACHE: [Figure; 3] = [
    ("io_errors", "io_errors", Kind::Gauge, 1.0, "Number of errors that have occurred, decayed by io_error_halflife."),
    (
        "metadata_written",
        "metadata_written_bytes_total",
        Kind::Counter,
        1.0,
        "Sum of all non data writes (btree writes and all other metadata).",
    ),
    ("written", "written_bytes_total", Kind::Counter, 1.0, "Sum of all data that has been written to the cache."),
];

/// Key in `writeback_rate_debug`, end of the name, help.
const WRITEBACK: [(&str, &str, &str); 5] = [
    ("target", "dirty_target_bytes", "Current dirty data target threshold for this backing device in bytes."),
    ("rate", "writeback_rate", "Current writeback rate for this backing device in bytes."),
    (
        "proportional",
        "writeback_rate_proportional_term",
        "Current result of proportional controller, part of writeback rate",
    ),
    ("integral", "writeback_rate_integral_term", "Current result of integral controller, part of writeback rate"),
    ("change", "writeback_change", "Last writeback rate change step for this backing device."),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let sets = host.list(DIRECTORY)?;
    let mut folder = Folder::new(host, "bcache", DIRECTORY);
    let mut found = false;
    for uuid in sets.iter().filter(|name| name.contains('-')) {
        found = true;
        let path = format!("{DIRECTORY}/{uuid}");
        folder.go(&path);
        say(sink, &mut folder, &OF_SET, &[("uuid", uuid)]);
        let names = folder.names();
        for disk in numbered(&names, "bdev") {
            folder.go(&format!("{path}/{disk}"));
            let labels = [("uuid", uuid.as_str()), ("backing_device", disk)];
            say(sink, &mut folder, &OF_BACKING, &labels);
            say_writeback(sink, &mut folder, &labels);
        }
        for disk in numbered(&names, "cache") {
            folder.go(&format!("{path}/{disk}"));
            say(sink, &mut folder, &OF_CACHE, &[("uuid", uuid), ("cache_device", disk)]);
        }
    }
    if found { Ok(()) } else { Err(ProbeError::Absent("no disk is cached by another".to_owned())) }
}

fn say(sink: &mut Sink<'_>, folder: &mut Folder<'_>, figures: &[Figure], labels: &[(&str, &str)]) {
    for (file, name, kind, factor, help) in figures {
        // What this kernel does not count is 0 in `node_exporter`.
        let value = folder.word(sink, file).map_or(Some(0.0), |text| number::parse(&text));
        if let Some(value) = value {
            sink.family(&format!("node_bcache_{name}"), *kind, help);
            sink.sample(labels, value * factor);
        }
    }
}

/// Lines of a key with a colon, tabs, a number; rates end in `/sec`.
fn say_writeback(sink: &mut Sink<'_>, folder: &mut Folder<'_>, labels: &[(&str, &str)]) {
    let Some(text) = folder.word(sink, "writeback_rate_debug") else { return };
    for (key, name, help) in WRITEBACK {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let value = line.and_then(|line| number::parse(line.trim().trim_end_matches("/sec")));
        if let Some(value) = value {
            sink.family(&format!("node_bcache_{name}"), Kind::Gauge, help);
            sink.sample(labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_broken_figure_is_left_out_and_the_others_are_said() {
        let machine = Machine::new(&[
            ("sys/fs/bcache/register", ""),
            ("sys/fs/bcache/aa-bb/tree_depth", "2\n"),
            ("sys/fs/bcache/aa-bb/congested", "perhaps\n"),
            ("sys/fs/bcache/aa-bb/bdev0/stats_total/bypassed", "1.5k\n"),
            (
                "sys/fs/bcache/aa-bb/bdev0/writeback_rate_debug",
                "rate:\t\t1.0k/sec\nchange:\t\t-2.0k/sec\ntarget:\t\tx\n",
            ),
            ("sys/fs/bcache/aa-bb/cache0/written", "3.0M\n"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.value(r#"node_bcache_tree_depth{uuid="aa-bb"}"#), 2.0);
        assert_eq!(said.value(r#"node_bcache_bypassed_bytes_total{backing_device="bdev0",uuid="aa-bb"}"#), 1524.0);
        assert_eq!(said.value(r#"node_bcache_writeback_rate{backing_device="bdev0",uuid="aa-bb"}"#), 1024.0);
        assert_eq!(said.value(r#"node_bcache_writeback_change{backing_device="bdev0",uuid="aa-bb"}"#), -2048.0);
        assert_eq!(said.value(r#"node_bcache_written_bytes_total{cache_device="cache0",uuid="aa-bb"}"#), 3_145_728.0);
        assert!(
            said.family("node_bcache_congested").is_empty() && said.family("node_bcache_dirty_target_bytes").is_empty()
        );
    }
}

//! SELinux: whether it is on, what it enforces, and its cache of decisions, from `/sys/fs/selinux`.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

const ENFORCE: &str = "/sys/fs/selinux/enforce";
/// Columns of `avc/cache_stats` (`sel_avc_stats_seq_show`, security/selinux/selinuxfs.c).
const CACHE: [(&str, &str); 6] = [
    ("node_selinux_avc_lookups_total", "SELinux AVC lookups"),
    ("node_selinux_avc_hits_total", "SELinux AVC hits"),
    ("node_selinux_avc_misses_total", "SELinux AVC misses"),
    ("node_selinux_avc_allocations_total", "SELinux AVC allocations"),
    ("node_selinux_avc_reclaims_total", "SELinux AVC reclaims"),
    ("node_selinux_avc_frees_total", "SELinux AVC frees"),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let enabled = host.fact(ENFORCE).is_some();
    if !enabled && !host.is_live() && !host.exists("/sys/fs") {
        return Err(ProbeError::Absent("/sys/fs is not present".to_owned()));
    }
    let help = "SELinux is enabled, 1 is true, 0 is false";
    sink.single("node_selinux_enabled", Kind::Gauge, help, if enabled { 1.0 } else { 0.0 });
    if !enabled {
        return Ok(());
    }
    let configured = host.fact("/etc/selinux/config").map_or(-1.0, |text| configured_mode(&text));
    sink.single("node_selinux_config_mode", Kind::Gauge, "Configured SELinux enforcement mode", configured);
    let current = sink.number(host, ENFORCE).unwrap_or(-1.0);
    sink.single("node_selinux_current_mode", Kind::Gauge, "Current SELinux enforcement mode", current);
    say_cache(host, sink)?;
    say_hash(host, sink)?;
    const THRESHOLD: &str = "/sys/fs/selinux/avc/cache_threshold";
    let threshold = sink.number(host, THRESHOLD).ok_or_else(|| strange(THRESHOLD, "not a number"))?;
    sink.single("node_selinux_avc_threshold", Kind::Gauge, "SELinux AVC threshold", threshold);
    Ok(())
}

/// 1 enforcing, 0 permissive, -1 disabled.
fn configured_mode(config: &str) -> f64 {
    let mode = config.lines().find_map(|line| line.trim().strip_prefix("SELINUX=")).unwrap_or_default();
    match mode.trim_matches('"') {
        "enforcing" => 1.0,
        "permissive" => 0.0,
        _ => -1.0,
    }
}

/// A heading, then a line per CPU.
fn say_cache(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/sys/fs/selinux/avc/cache_stats";
    sink.read(host, PATH, |sink, text| {
        let mut sums = [0.0; CACHE.len()];
        for line in text.lines().skip(1) {
            let mut fields = line.split_ascii_whitespace().map(parse_number);
            for sum in &mut sums {
                *sum += fields.next().flatten().ok_or_else(|| strange(PATH, "not 6 numbers in a line"))?;
            }
        }
        for ((name, help), sum) in CACHE.iter().zip(sums) {
            sink.single(name, Kind::Counter, help, sum);
        }
        Ok(())
    })
}

/// `entries: 503`, `buckets used: 289/512`, `longest chain: 7`.
fn say_hash(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/sys/fs/selinux/avc/hash_stats";
    sink.read(host, PATH, |sink, text| {
        let after = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let number = |text: Option<&str>| {
            text.and_then(|text| parse_number(text.trim())).ok_or_else(|| strange(PATH, "a number is missing"))
        };
        let (used, available) = after("buckets used: ").and_then(|buckets| buckets.split_once('/')).unzip();
        let mut gauge = |name: &str, help: &str, value: f64| sink.single(name, Kind::Gauge, help, value);
        gauge("node_selinux_avc_hash_entries", "SELinux AVC hash entries", number(after("entries: "))?);
        let help = "SELinux AVC hash buckets available";
        gauge("node_selinux_avc_hash_buckets_available", help, number(available)?);
        gauge("node_selinux_avc_hash_buckets_used", "SELinux AVC hash buckets used", number(used)?);
        let help = "SELinux AVC hash longest chain";
        gauge("node_selinux_avc_hash_longest_chain", help, number(after("longest chain: "))?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    const FILES: [(&str, &str); 5] = [
        ("sys/fs/selinux/enforce", "0"),
        ("etc/selinux/config", "# comment\nSELINUXTYPE=targeted\nSELINUX=enforcing\n"),
        (
            "sys/fs/selinux/avc/cache_stats",
            "lookups hits misses allocations reclaims frees\n10 7 3 3 1 2\n1 1 0 0 0 0\n",
        ),
        ("sys/fs/selinux/avc/hash_stats", "entries: 503\nbuckets used: 289/512\nlongest chain: 7\n"),
        ("sys/fs/selinux/avc/cache_threshold", "512\n"),
    ];

    #[test]
    fn what_selinux_does_is_said_where_it_is_on() {
        assert_eq!(
            said(read, &FILES),
            [
                "node_selinux_enabled 1",
                "node_selinux_config_mode 1",
                "node_selinux_current_mode 0",
                "node_selinux_avc_lookups_total 11",
                "node_selinux_avc_hits_total 8",
                "node_selinux_avc_misses_total 3",
                "node_selinux_avc_allocations_total 3",
                "node_selinux_avc_reclaims_total 1",
                "node_selinux_avc_frees_total 2",
                "node_selinux_avc_hash_entries 503",
                "node_selinux_avc_hash_buckets_available 512",
                "node_selinux_avc_hash_buckets_used 289",
                "node_selinux_avc_hash_longest_chain 7",
                "node_selinux_avc_threshold 512",
            ]
        );
    }

    #[test]
    fn modes_are_numbers() {
        for (config, mode) in
            [("SELINUX=enforcing", 1.0), ("SELINUX=\"permissive\"", 0.0), ("SELINUX=disabled", -1.0), ("#", -1.0)]
        {
            assert_eq!(configured_mode(config), mode, "{config}");
        }
    }

    #[test]
    fn where_it_is_off_that_is_all() {
        assert_eq!(said(read, &[("sys/fs/cgroup/x", "")]), ["node_selinux_enabled 0"]);
        assert!(is_absent(read, &[]), "a capture without /sys says nothing of it");
    }

    #[test]
    fn broken_statistics_fail_the_source() {
        for (broken, text) in [(2, "lookups\n1 2 3\n"), (3, "entries: 1\n"), (4, "many\n")] {
            let mut files = FILES;
            files[broken].1 = text;
            assert!(failure(read, &files).starts_with(&format!("/{}: ", files[broken].0)));
        }
    }
}

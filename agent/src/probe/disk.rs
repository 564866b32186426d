//! Disk traffic from `/proc/diskstats`, and what udev knows of each disk.

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;
use crate::withheld::Family;

/// Bytes of a sector in `/proc/diskstats`, whatever the device uses (kernel Documentation/admin-guide/iostats.rst).
const SECTOR_BYTES: f64 = 512.0;
/// Seconds in a millisecond, multiplied like `node_exporter` does, so that the last digit is the same.
const MILLISECOND: f64 = 1.0 / 1000.0;

/// Columns after the name (iostats.rst): family, type, factor, help.
const COLUMNS: [(&str, Kind, f64, &str); 17] = [
    ("node_disk_reads_completed_total", Kind::Counter, 1.0, "The total number of reads completed successfully."),
    ("node_disk_reads_merged_total", Kind::Counter, 1.0, "The total number of reads merged."),
    ("node_disk_read_bytes_total", Kind::Counter, SECTOR_BYTES, "The total number of bytes read successfully."),
    (
        "node_disk_read_time_seconds_total",
        Kind::Counter,
        MILLISECOND,
        "The total number of seconds spent by all reads.",
    ),
    ("node_disk_writes_completed_total", Kind::Counter, 1.0, "The total number of writes completed successfully."),
    ("node_disk_writes_merged_total", Kind::Counter, 1.0, "The number of writes merged."),
    ("node_disk_written_bytes_total", Kind::Counter, SECTOR_BYTES, "The total number of bytes written successfully."),
    (
        "node_disk_write_time_seconds_total",
        Kind::Counter,
        MILLISECOND,
        "This is the total number of seconds spent by all writes.",
    ),
    ("node_disk_io_now", Kind::Gauge, 1.0, "The number of I/Os currently in progress."),
    ("node_disk_io_time_seconds_total", Kind::Counter, MILLISECOND, "Total seconds spent doing I/Os."),
    (
        "node_disk_io_time_weighted_seconds_total",
        Kind::Counter,
        MILLISECOND,
        "The weighted # of seconds spent doing I/Os.",
    ),
    ("node_disk_discards_completed_total", Kind::Counter, 1.0, "The total number of discards completed successfully."),
    ("node_disk_discards_merged_total", Kind::Counter, 1.0, "The total number of discards merged."),
    ("node_disk_discarded_sectors_total", Kind::Counter, 1.0, "The total number of sectors discarded successfully."),
    (
        "node_disk_discard_time_seconds_total",
        Kind::Counter,
        MILLISECOND,
        "This is the total number of seconds spent by all discards.",
    ),
    ("node_disk_flush_requests_total", Kind::Counter, 1.0, "The total number of flush requests completed successfully"),
    (
        "node_disk_flush_requests_time_seconds_total",
        Kind::Counter,
        MILLISECOND,
        "This is the total number of seconds spent by all flush requests.",
    ),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/diskstats", |sink, text| {
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(major), Some(minor), Some(device)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            if excluded(device) {
                continue;
            }
            say_info(host, sink, device, major, minor);
            for ((name, kind, factor, help), field) in COLUMNS.iter().zip(fields) {
                sink.family(name, *kind, help);
                sink.sample(&[("device", device)], parse_number(field).unwrap_or(0.0) * factor);
            }
        }
        Ok(())
    })
}

fn say_info(host: &Host, sink: &mut Sink<'_>, device: &str, major: &str, minor: &str) {
    let udev = host.fact(&format!("/run/udev/data/b{major}:{minor}")).unwrap_or_default();
    let scsi_serial = property(&udev, "SCSI_IDENT_SERIAL");
    let serial = if scsi_serial.is_empty() { property(&udev, "ID_SERIAL_SHORT") } else { scsi_serial };
    sink.family("node_disk_info", Kind::Gauge, "Info of /sys/block/<block_device>.");
    let withheld = host.withheld();
    let labels = [
        ("device", device),
        ("major", major),
        ("minor", minor),
        ("path", property(&udev, "ID_PATH")),
        ("wwn", withheld.shown(Family::Serials, property(&udev, "ID_WWN"))),
        ("model", property(&udev, "ID_MODEL")),
        ("serial", withheld.shown(Family::Serials, serial)),
        ("revision", property(&udev, "ID_REVISION")),
    ];
    sink.sample(&labels, 1.0);
}

/// A line `E:KEY=VALUE` of udev's database.
fn property<'a>(udev: &'a str, key: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('=');
    udev.lines().find_map(value).unwrap_or_default()
}

/// `node_exporter`'s default `--collector.diskstats.device-exclude`:
/// `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`.
fn excluded(device: &str) -> bool {
    let stem = device.trim_end_matches(|last: char| last.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    matches!(stem, "ram" | "loop" | "fd") || is_partitioned(stem) || is_nvme_partition(stem)
}

/// `(h|s|v|xv)d[a-z]`
fn is_partitioned(stem: &str) -> bool {
    let letter = ["hd", "sd", "vd", "xvd"].iter().find_map(|prefix| stem.strip_prefix(prefix));
    letter.is_some_and(|letter| letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// `nvme\d+n\d+p`
fn is_nvme_partition(stem: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((controller, rest)) = stem.strip_prefix("nvme").and_then(|rest| rest.split_once('n')) else {
        return false;
    };
    digits(controller) && rest.strip_suffix('p').is_some_and(digits)
}

#[cfg(test)]
mod tests {
    #[test]
    fn partitions_and_loops_are_left_out_and_disks_are_not() {
        for device in ["ram0", "loop12", "fd0", "sda1", "hdb12", "xvda3", "vdz9", "nvme0n1p1", "nvme12n34p56"] {
            assert!(super::excluded(device), "{device}");
        }
        for device in ["sda", "sdaa1", "vda", "nvme0n1", "nvmen1p1", "dm-0", "md127", "zram0", "mmcblk0", "sr0", "loop"]
        {
            assert!(!super::excluded(device), "{device}");
        }
    }
}

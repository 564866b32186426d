//! What a host last said, picked from its slot for people. The only file of this door that knows the slot's inside.

use super::words;
use crate::domain::{host::slot::Slot, time::Timestamp};

/// The families that views draw.
const SHOWN: [&str; 11] = [
    "node_load1",
    "node_load5",
    "node_load15",
    "node_cpu_seconds_total",
    "node_boot_time_seconds",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
    "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes",
    "node_filesystem_size_bytes",
    "node_filesystem_avail_bytes",
];

/// One series with its latest value.
pub(super) struct Sample {
    /// Name of its family, such as `node_load1`.
    pub(super) name: &'static str,
    /// Label names and values.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// A share of something, drawn as a bar.
#[derive(Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) detail: String,
    /// 0-100, used.
    pub(super) used_percent: u8,
    pub(super) words: String,
    /// `good`, `warning`, `critical`.
    pub(super) class: &'static str,
}

/// What the host view shows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HostReadings {
    pub(super) figures: Vec<(&'static str, String)>,
    pub(super) bars: Vec<Bar>,
    pub(super) series: String,
}

/// The latest readings of a host.
pub(super) fn readings(slot: &Slot, now: Timestamp) -> HostReadings {
    let mut samples = Vec::new();
    for name in SHOWN {
        slot.for_each(name, &mut |labels, value| samples.push(Sample { name, labels: labels.to_vec(), value }));
    }
    HostReadings { series: words::count(slot.series()), ..pick(&samples, now) }
}

/// Interfaces and file systems that are the kernel's own affair.
const QUIET_DEVICES: [&str; 4] = ["lo", "veth", "docker", "br-"];
const QUIET_FILE_SYSTEMS: [&str; 10] =
    ["tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs", "proc", "sysfs", "cgroup2", "autofs", "efivarfs"];
/// Bars drawn; a machine with more has them in its metrics.
const MAX_BARS: usize = 24;
/// Share used above which a bar is told in another colour and word.
const WARNING_PERCENT: u8 = 90;
const CRITICAL_PERCENT: u8 = 95;

/// Picks and words the figures.
pub(super) fn pick(samples: &[Sample], now: Timestamp) -> HostReadings {
    let one = |name: &str| samples.iter().find(|sample| sample.name == name).map(|sample| sample.value);
    let mut figures = Vec::new();
    if let (Some(a), Some(b), Some(c)) = (one("node_load1"), one("node_load5"), one("node_load15")) {
        figures.push(("load 1, 5, 15 min", format!("{a:.2}  {b:.2}  {c:.2}")));
    }
    let cpus: std::collections::BTreeSet<&str> = samples
        .iter()
        .filter(|sample| sample.name == "node_cpu_seconds_total")
        .map(|sample| sample.label("cpu"))
        .collect();
    if !cpus.is_empty() {
        figures.push(("processors", cpus.len().to_string()));
    }
    if let Some(boot) = one("node_boot_time_seconds") {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "float to integer saturates; a senseless boot time shows as such"
        )]
        let booted = Timestamp::from_ms((boot * 1000.0) as i64);
        figures.push(("running for", words::duration(now.since_ms(booted).max(0))));
    }
    let network = |name: &str| {
        let real = samples.iter().filter(|sample| sample.name == name && !is_quiet_device(sample.label("device")));
        real.map(|sample| sample.value).fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    };
    if let (Some(received), Some(sent)) =
        (network("node_network_receive_bytes_total"), network("node_network_transmit_bytes_total"))
    {
        let total = format!("{} received, {} sent", words::bytes(received), words::bytes(sent));
        figures.push(("network since boot", total));
    }
    HostReadings { figures, bars: bars(samples), series: String::new() }
}

fn is_quiet_device(device: &str) -> bool {
    QUIET_DEVICES.iter().any(|quiet| device.starts_with(quiet))
}

fn bars(samples: &[Sample]) -> Vec<Bar> {
    let one = |name: &str| samples.iter().find(|sample| sample.name == name).map(|sample| sample.value);
    let mut bars = Vec::new();
    if let (Some(total), Some(available)) = (one("node_memory_MemTotal_bytes"), one("node_memory_MemAvailable_bytes")) {
        bars.extend(bar("memory".into(), String::new(), total, available));
    }
    let sizes = samples.iter().filter(|sample| sample.name == "node_filesystem_size_bytes");
    for size in sizes.filter(|size| !QUIET_FILE_SYSTEMS.contains(&size.label("fstype"))) {
        let twin = |sample: &&Sample| {
            sample.name == "node_filesystem_avail_bytes"
                && sample.label("mountpoint") == size.label("mountpoint")
                && sample.label("device") == size.label("device")
        };
        if let Some(available) = samples.iter().find(twin).map(|sample| sample.value) {
            let detail = format!("{} {}", size.label("device"), size.label("fstype"));
            bars.extend(bar(size.label("mountpoint").to_owned(), detail, size.value, available));
        }
        if bars.len() >= MAX_BARS {
            break;
        }
    }
    bars
}

fn bar(name: String, detail: String, total: f64, available: f64) -> Option<Bar> {
    if total.is_nan() || total <= 0.0 || available.is_nan() {
        return None;
    }
    let used = (1.0 - available / total).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0-100 just before")]
    let used_percent = (used * 100.0).round() as u8;
    let class = match used_percent {
        CRITICAL_PERCENT.. => "critical",
        WARNING_PERCENT.. => "warning",
        _ => "good",
    };
    let words = format!("{} of {} free", words::bytes(available), words::bytes(total));
    Some(Bar { name, detail, used_percent, words, class })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &'static str, value: f64) -> Sample {
        let labels = [("device", "/dev/sda1"), ("fstype", "ext4"), ("mountpoint", "/")];
        Sample { name, labels: labels.map(|(name, value)| (name.into(), value.into())).to_vec(), value }
    }

    #[test]
    fn a_file_system_shows_its_share_in_words_and_class() {
        let gib = 1024.0_f64.powi(3);
        let samples =
            [sample("node_filesystem_size_bytes", 100.0 * gib), sample("node_filesystem_avail_bytes", 4.0 * gib)];
        let shown = pick(&samples, Timestamp::from_ms(0));
        assert_eq!(shown.bars.len(), 1);
        assert_eq!((shown.bars[0].used_percent, shown.bars[0].class), (96, "critical"));
        assert_eq!(shown.bars[0].words, "4.0 GiB of 100 GiB free");
    }

    #[test]
    fn figures_that_are_senseless_draw_nothing() {
        for total in [0.0, -1.0, f64::NAN] {
            let samples = [sample("node_filesystem_size_bytes", total), sample("node_filesystem_avail_bytes", 1.0)];
            assert_eq!(pick(&samples, Timestamp::from_ms(0)).bars, []);
        }
    }
}

//! What a host last said, picked from its slot for people. The only file of this door that knows the slot's inside.

use super::words;
use crate::domain::{
    host::slot::Slot,
    readings::source::SourceState,
    rules::{FILESYSTEM_SPACE, Thresholds},
    time::Timestamp,
};

/// The families that views draw.
const SHOWN: [&str; 12] = [
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
    "node_filesystem_free_bytes",
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
    /// 0-100, free but not for everybody.
    pub(super) reserved_percent: u8,
    /// How much is free, as a share in words.
    pub(super) share: String,
    pub(super) words: String,
    /// `good`, `warning`, `critical`.
    pub(super) class: &'static str,
}

/// What the host view shows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HostReadings {
    pub(super) figures: Vec<(&'static str, String)>,
    pub(super) bars: Vec<Bar>,
    /// What does not answer, and why.
    pub(super) silent: Vec<(String, String)>,
    pub(super) series: String,
}

/// The latest readings of a host.
pub(super) fn readings(slot: &Slot, now: Timestamp) -> HostReadings {
    let mut samples = Vec::new();
    for name in SHOWN {
        slot.for_each(name, &mut |labels, value| samples.push(Sample { name, labels: labels.to_vec(), value }));
    }
    let mut shown = HostReadings { series: words::count(slot.series()), ..pick(&samples, &slot.thresholds(), now) };
    shown.figures.extend(slot.agent_clock_ahead_ms().and_then(clock));
    let sources =
        slot.sources().into_iter().filter(|source| !matches!(source.state, SourceState::Ok | SourceState::Absent));
    let said = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    shown.silent = sources
        .map(|source| (source.name.to_string(), source.state.word().to_owned() + &said(&source.reason)))
        .collect();
    shown
}

/// Clocks that differ by more than this many milliseconds are worth a word.
const SKEW_WORTH_SAYING_MS: i64 = 30_000;

/// How wrong the host's clock is, if it is.
fn clock(ahead_ms: i64) -> Option<(&'static str, String)> {
    let direction = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let wrong = ahead_ms.saturating_abs() > SKEW_WORTH_SAYING_MS;
    wrong.then(|| {
        ("clock", format!("{} {direction} the collector's: timedatectl", words::duration(ahead_ms.saturating_abs())))
    })
}

/// Interfaces and file systems that are the kernel's own affair.
const QUIET_DEVICES: [&str; 4] = ["lo", "veth", "docker", "br-"];
const QUIET_FILE_SYSTEMS: [&str; 10] =
    ["tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs", "proc", "sysfs", "cgroup2", "autofs", "efivarfs"];
/// Bars drawn; a machine with more has them in its metrics.
const MAX_BARS: usize = 24;
/// Shares of memory left below which its bar is told in another colour; file systems have those of their rule.
const MEMORY_LOW: (f64, f64) = (0.10, 0.05);
/// What ext4 keeps for root by default (mke2fs(8), 5 %) goes without saying; more explains a disk that fills early.
const RESERVED_WORTH_SAYING: f64 = 0.055;

/// Picks and words the figures.
pub(super) fn pick(samples: &[Sample], thresholds: &Thresholds, now: Timestamp) -> HostReadings {
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
    HostReadings { figures, bars: bars(samples, thresholds), silent: Vec::new(), series: String::new() }
}

fn is_quiet_device(device: &str) -> bool {
    QUIET_DEVICES.iter().any(|quiet| device.starts_with(quiet))
}

fn bars(samples: &[Sample], thresholds: &Thresholds) -> Vec<Bar> {
    let one = |name: &str| samples.iter().find(|sample| sample.name == name).map(|sample| sample.value);
    let mut bars = Vec::new();
    if let (Some(total), Some(available)) = (one("node_memory_MemTotal_bytes"), one("node_memory_MemAvailable_bytes")) {
        let space = Space { total, free: available, available };
        bars.extend(bar("memory".into(), String::new(), space, MEMORY_LOW));
    }
    for size in file_systems(samples) {
        let twin = |name: &str| {
            let same = |sample: &&Sample| {
                sample.name == name
                    && ["mountpoint", "device"].iter().all(|label| sample.label(label) == size.label(label))
            };
            samples.iter().find(same).map(|sample| sample.value)
        };
        if let Some(available) = twin("node_filesystem_avail_bytes") {
            let free = twin("node_filesystem_free_bytes").unwrap_or(available);
            let detail = format!("{} {}", size.label("device"), size.label("fstype"));
            let space = Space { total: size.value, free, available };
            let limits = thresholds.at(&FILESYSTEM_SPACE, || size.label("mountpoint")).limits;
            bars.extend(bar(size.label("mountpoint").to_owned(), detail, space, (limits[0], limits[1])));
        }
        if bars.len() >= MAX_BARS {
            break;
        }
    }
    bars
}

/// The sizes of file systems with blocks of their own, each device once: under the shortest path where it is mounted.
fn file_systems(samples: &[Sample]) -> Vec<&Sample> {
    let sizes = samples.iter().filter(|sample| sample.name == "node_filesystem_size_bytes");
    let mut sizes: Vec<&Sample> = sizes.filter(|size| !QUIET_FILE_SYSTEMS.contains(&size.label("fstype"))).collect();
    sizes.sort_by_key(|size| (size.label("mountpoint").len(), size.label("mountpoint").to_owned()));
    let mut seen = std::collections::BTreeSet::new();
    sizes.retain(|size| !size.label("device").starts_with("/dev/") || seen.insert(size.label("device")));
    sizes
}

/// Bytes; `available` is what of `free` everybody may use.
struct Space {
    total: f64,
    free: f64,
    available: f64,
}

/// `low`: shares available below which it is a warning, and critical.
fn bar(name: String, detail: String, space: Space, low: (f64, f64)) -> Option<Bar> {
    let Space { total, free, available } = space;
    if total.is_nan() || total <= 0.0 || available.is_nan() || free.is_nan() {
        return None;
    }
    let (used, left) = ((1.0 - free / total).clamp(0.0, 1.0), (available / total).clamp(0.0, 1.0));
    let reserved = (1.0 - used - left).clamp(0.0, 1.0);
    let class = match left {
        _ if left < low.1 => "critical",
        _ if left < low.0 => "warning",
        _ => "good",
    };
    let decimals = usize::from(left < 0.1);
    let share = format!("{:.decimals$} % free", left * 100.0);
    let mut words = format!("{} of {} free", words::bytes(available), words::bytes(total));
    if reserved > RESERVED_WORTH_SAYING {
        words.push_str(&format!(", {} used, {} reserved", words::bytes(total - free), words::bytes(free - available)));
    }
    Some(Bar { name, detail, used_percent: percent(used), reserved_percent: percent(reserved), share, words, class })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers clamp to 0-1")]
fn percent(share: f64) -> u8 {
    (share * 100.0).round() as u8
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
        let shown = pick(&samples, &Thresholds::default(), Timestamp::from_ms(0));
        assert_eq!(shown.bars.len(), 1);
        assert_eq!((shown.bars[0].share.as_str(), shown.bars[0].class), ("4.0 % free", "critical"));
        assert_eq!((shown.bars[0].used_percent, shown.bars[0].reserved_percent), (96, 0));
        assert_eq!(shown.bars[0].words, "4.0 GiB of 100 GiB free");
    }

    #[test]
    fn figures_that_are_senseless_draw_nothing() {
        for total in [0.0, -1.0, f64::NAN] {
            let samples = [sample("node_filesystem_size_bytes", total), sample("node_filesystem_avail_bytes", 1.0)];
            assert_eq!(pick(&samples, &Thresholds::default(), Timestamp::from_ms(0)).bars, []);
        }
    }

    #[test]
    fn what_is_reserved_is_neither_used_nor_free() {
        let gib = 1024.0_f64.powi(3);
        let samples = [
            sample("node_filesystem_size_bytes", 100.0 * gib),
            sample("node_filesystem_free_bytes", 80.0 * gib),
            sample("node_filesystem_avail_bytes", 50.0 * gib),
        ];
        let bar = pick(&samples, &Thresholds::default(), Timestamp::from_ms(0)).bars.remove(0);
        assert_eq!((bar.used_percent, bar.reserved_percent, bar.share.as_str()), (20, 30, "50 % free"));
        assert_eq!(bar.words, "50.0 GiB of 100 GiB free, 20.0 GiB used, 30.0 GiB reserved");
    }

    #[test]
    fn a_device_mounted_twice_is_shown_once_where_its_path_is_shortest() {
        let mut samples = Vec::new();
        for path in ["/run/netns", "/"] {
            for name in ["node_filesystem_size_bytes", "node_filesystem_avail_bytes"] {
                let mut sample = sample(name, 1024.0);
                sample.labels[2].1 = path.into();
                samples.push(sample);
            }
        }
        let shown = pick(&samples, &Thresholds::default(), Timestamp::from_ms(0));
        assert_eq!(shown.bars.iter().map(|bar| bar.name.as_str()).collect::<Vec<_>>(), ["/"]);
    }
}

//! Where the trends' readings are in a dictionary; made once when it is sealed.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use super::reading::Series;
use crate::domain::readings::dictionary::{Dictionary, is_absent};

/// File systems that are the kernel's own affair, or fill with memory.
const QUIET_FILE_SYSTEMS: [&str; 10] =
    ["tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs", "proc", "sysfs", "cgroup2", "autofs", "efivarfs"];
/// Interfaces whose bytes are no network's, or are counted at another interface too.
const QUIET_INTERFACES: [&str; 6] = ["lo", "veth", "docker", "br-", "virbr", "tap"];
/// Block devices that are no disks of their own.
const QUIET_DISKS: [&str; 6] = ["loop", "ram", "zram", "sr", "fd", "dm-"];

/// Places of series.
type Places = Box<[u32]>;

/// How a value is made of the latest readings.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    /// As it is, times this.
    Gauge(u32, f64),
    /// The highest of several.
    Highest(Places),
    /// The growth of the sum, per second.
    Rate(Places, Growth),
    /// The share of processor time that was not idle: what counts as busy, and the idle time of each processor.
    Busy(Places, Places, Growth),
    /// The growth of one sum for each unit that another grows: time waited per operation.
    Each(Places, Places, Growth),
}

/// Tells whether a counter's series are those of before: if one joined or left, its growth is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth(pub(super) u64);

/// The trends' index into a dictionary.
#[derive(Debug)]
pub struct Index {
    /// In order.
    pub(super) series: Arc<[Series]>,
    /// Beside them.
    pub(super) sources: Box<[Source]>,
}

impl Default for Index {
    fn default() -> Self {
        Self { series: Arc::new([]), sources: Box::default() }
    }
}

impl Index {
    /// The index into `dictionary`.
    #[must_use]
    pub fn of(dictionary: &Dictionary) -> Self {
        let mut found = Found { dictionary, sources: BTreeMap::new() };
        for (name, family) in [
            ("load1", "node_load1"),
            ("memory_available_bytes", "node_memory_MemAvailable_bytes"),
            ("swap_free_bytes", "node_memory_SwapFree_bytes"),
            ("processes_blocked", "node_procs_blocked"),
        ] {
            if let Some(place) = found.places(family, |_| true).first() {
                found.put(name, "", Source::Gauge(*place, 1.0));
            }
        }
        found.processors();
        found.file_systems();
        found.disks();
        found.network();
        found.sensors();
        found.batteries();
        found.finish()
    }
}

/// What was found until now.
struct Found<'a> {
    dictionary: &'a Dictionary,
    sources: BTreeMap<Series, Source>,
}

impl Found<'_> {
    fn put(&mut self, name: &str, part: &str, source: Source) {
        let Some(series) = Series::new(name, part) else { return };
        let parts = self.sources.keys().filter(|known| known.reading().name == name).count();
        if parts < series.reading().parts {
            self.sources.entry(series).or_insert(source);
        }
    }

    fn finish(self) -> Index {
        let (series, sources): (Vec<_>, Vec<_>) = self.sources.into_iter().unzip();
        Index { series: series.into(), sources: sources.into() }
    }

    /// Places of a family's series that `wanted` accepts.
    fn places(&self, family: &str, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut places = Vec::new();
        self.dictionary.each(family, &mut |place, _| places.push(place));
        places.retain(|place| wanted(*place));
        places
    }

    /// Places of a family's series by the value of a label, in its order.
    fn by_label(&self, family: &str, label: &str) -> BTreeMap<&str, Vec<u32>> {
        let mut places: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for place in self.places(family, |_| true) {
            places.entry(self.dictionary.label(place, label)).or_default().push(place);
        }
        places
    }

    fn growth(&self, places: &[u32]) -> Growth {
        let mut hasher = DefaultHasher::new();
        for place in places {
            let (name, suffix, labels) = self.dictionary.series(*place);
            (name, suffix).hash(&mut hasher);
            labels.iter().for_each(|label| label.hash(&mut hasher));
        }
        Growth(hasher.finish())
    }

    fn processors(&mut self) {
        const FAMILY: &str = "node_cpu_seconds_total";
        let mode = |place| self.dictionary.label(place, "mode");
        let idle = self.places(FAMILY, |place| mode(place) == "idle");
        // Waiting for a disk is idling, and guests' time is in user's already.
        let busy = self.places(FAMILY, |place| !["idle", "iowait"].contains(&mode(place)));
        if !idle.is_empty() {
            let growth = self.growth(&[&idle[..], &busy].concat());
            self.put("cpu_busy_ratio", "", Source::Busy(busy.into(), idle.into(), growth));
        }
    }

    /// Each device once, under the shortest path where it is mounted; shortest paths first.
    fn file_systems(&mut self) {
        let dictionary = self.dictionary;
        let label = |place, name| dictionary.label(place, name);
        let mut places =
            self.places("node_filesystem_avail_bytes", |place| !QUIET_FILE_SYSTEMS.contains(&label(place, "fstype")));
        places.sort_by_key(|place| (label(*place, "mountpoint").len(), label(*place, "mountpoint")));
        let mut devices = std::collections::BTreeSet::new();
        places.retain(|place| {
            let device = label(*place, "device");
            !device.starts_with("/dev/") || device == "/dev/fuse" || devices.insert(device)
        });
        for place in places {
            self.put("filesystem_avail_bytes", label(place, "mountpoint"), Source::Gauge(place, 1.0));
        }
    }

    fn disks(&mut self) {
        let mut kinds: [BTreeMap<&str, Vec<u32>>; 5] = [
            "node_disk_io_time_seconds_total",
            "node_disk_read_time_seconds_total",
            "node_disk_write_time_seconds_total",
            "node_disk_reads_completed_total",
            "node_disk_writes_completed_total",
        ]
        .map(|family| self.by_label(family, "device"));
        let mut sources = Vec::new();
        let [busy, read_time, write_time, reads, writes] = &mut kinds;
        for (device, busy) in busy {
            if QUIET_DISKS.iter().any(|quiet| device.starts_with(quiet)) {
                continue;
            }
            sources.push(("disk_busy_ratio", *device, Source::Rate(busy.as_slice().into(), self.growth(busy))));
            let both = |a: &BTreeMap<&str, Vec<u32>>, b: &BTreeMap<&str, Vec<u32>>| -> Vec<u32> {
                a.get(device).into_iter().chain(b.get(device)).flatten().copied().collect()
            };
            let (time, operations) = (both(read_time, write_time), both(reads, writes));
            if !time.is_empty() && !operations.is_empty() {
                let growth = self.growth(&[&time[..], &operations].concat());
                sources.push(("disk_await_seconds", *device, Source::Each(time.into(), operations.into(), growth)));
            }
        }
        let sources: Vec<_> =
            sources.into_iter().map(|(name, device, source)| (name, device.to_owned(), source)).collect();
        sources.into_iter().for_each(|(name, device, source)| self.put(name, &device, source));
    }

    fn network(&mut self) {
        for (name, family) in [
            ("network_receive_bytes_per_second", "node_network_receive_bytes_total"),
            ("network_transmit_bytes_per_second", "node_network_transmit_bytes_total"),
        ] {
            let quiet = |place| {
                let device = self.dictionary.label(place, "device");
                QUIET_INTERFACES.iter().any(|quiet| device.starts_with(quiet))
            };
            let places = self.places(family, |place| !quiet(place));
            if !places.is_empty() {
                let growth = self.growth(&places);
                self.put(name, "", Source::Rate(places.into(), growth));
            }
        }
    }

    fn sensors(&mut self) {
        let chips = self.by_label("node_hwmon_temp_celsius", "chip");
        let chips: Vec<_> = chips.into_iter().map(|(chip, places)| (chip.to_owned(), places)).collect();
        for (chip, places) in chips {
            self.put("temperature_celsius", &chip, Source::Highest(places.into()));
        }
    }

    fn batteries(&mut self) {
        let supplies = self.by_label("node_power_supply_capacity", "power_supply");
        let supplies: Vec<_> = supplies.into_iter().map(|(name, places)| (name.to_owned(), places)).collect();
        for (name, places) in supplies {
            // The kernel says percents (Documentation/ABI/testing/sysfs-class-power, capacity).
            places
                .first()
                .into_iter()
                .for_each(|place| self.put("battery_charge_ratio", &name, Source::Gauge(*place, 0.01)));
        }
    }
}

/// The sum of those that have values; how many is not asked, since what comes or goes is another sum.
pub(super) fn sum(values: &[f64], places: &[u32]) -> Option<f64> {
    let present = places.iter().map(|place| values[*place as usize]).filter(|value| !is_absent(*value));
    present.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

//! One minute of readings folded into the few that are worth keeping while nobody listens.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Moment;
use crate::gather::Gathered;
use crate::probe::{Series, Table};

/// Parts (mounts, disks, sensors) kept per reading: those of the collector's trends, under the same names.
const MOUNTS_MAX: usize = 8;
const DISKS_MAX: usize = 4;
const CHIPS_MAX: usize = 4;
const BATTERIES_MAX: usize = 2;
/// What is left out, so that an absence is told in the readings that the collector takes while it listens: file systems
/// in memory, interfaces whose bytes are counted at another too, block devices that are no disks.
const QUIET_FILE_SYSTEMS: [&str; 5] = ["tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs"];
const QUIET_INTERFACES: [&str; 6] = ["lo", "veth", "docker", "br-", "virbr", "tap"];
const QUIET_DISKS: [&str; 6] = ["loop", "ram", "zram", "sr", "fd", "dm-"];

/// One reading over one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its name: unit last.
    pub name: &'static str,
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// Values folded.
    pub count: u32,
    /// The smallest.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
}

/// One minute, ready to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Minute {
    /// The first collection in it.
    pub from: Moment,
    /// The last collection in it.
    pub to: Moment,
    /// Sorted by name and part.
    pub readings: Vec<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Figure {
    count: u32,
    min: f64,
    sum: f64,
    max: f64,
}

/// A reading's name, its label's name (empty without one) and value.
type Key = (&'static str, &'static str, String);

/// Folds collections; one for as long as nobody listens, so that rates reach over the end of a minute.
#[derive(Debug, Default)]
pub struct RollupMinute {
    span: Option<(Moment, Moment)>,
    figures: BTreeMap<Key, Figure>,
    /// Last totals of counters by series id, and when (boot time, milliseconds). Ids are never used twice, so what comes
    /// anew (an interface made again, a CPU switched on) has no past and makes no spike.
    totals: HashMap<u32, (f64, u64)>,
}

impl RollupMinute {
    /// Nothing folded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first collection of the open minute.
    #[must_use]
    pub fn from(&self) -> Option<Moment> {
        self.span.map(|(from, _)| from)
    }

    /// Adds one collection.
    pub fn fold(&mut self, gathered: &Gathered) {
        let at = gathered.at;
        self.span = Some((self.span.map_or(at, |(from, _)| from), at));
        let table = &gathered.table;
        for (name, family) in [
            ("memory_available_bytes", "node_memory_MemAvailable_bytes"),
            ("swap_free_bytes", "node_memory_SwapFree_bytes"),
            ("load1", "node_load1"),
            ("processes_blocked", "node_procs_blocked"),
        ] {
            if let Some(value) = single(table, family) {
                self.add((name, "", String::new()), value);
            }
        }
        let is_quiet = |series: &Series| QUIET_FILE_SYSTEMS.contains(&series.label("fstype").unwrap_or_default());
        let real = table.family("node_filesystem_avail_bytes").filter(|(series, _)| !is_quiet(series));
        for (series, value) in real.take(MOUNTS_MAX) {
            let mountpoint = series.label("mountpoint").unwrap_or_default().to_owned();
            self.add(("filesystem_avail_bytes", "mountpoint", mountpoint), value);
        }
        for (chip, value) in by_label(table, "node_hwmon_temp_celsius", "chip", f64::max).into_iter().take(CHIPS_MAX) {
            self.add(("temperature_celsius", "chip", chip), value);
        }
        let charges = by_label(table, "node_power_supply_capacity", "power_supply", |first, _| first);
        for (supply, percent) in charges.into_iter().take(BATTERIES_MAX) {
            self.add(("battery_charge_ratio", "power_supply", supply), percent / 100.0);
        }
        self.fold_rates(table, at.boottime_ms);
    }

    /// Ends the minute; `None` when nothing was folded since the last end.
    pub fn finish(&mut self) -> Option<Minute> {
        let (from, to) = self.span.take()?;
        let reading = |((name, label, value), figure): (Key, Figure)| Reading {
            name,
            labels: if label.is_empty() { Vec::new() } else { vec![(label, value)] },
            count: figure.count,
            min: figure.min,
            mean: figure.sum / f64::from(figure.count),
            max: figure.max,
        };
        Some(Minute { from, to, readings: std::mem::take(&mut self.figures).into_iter().map(reading).collect() })
    }

    /// Counters whose last total is remembered.
    #[cfg(test)]
    pub(crate) fn totals_kept(&self) -> usize {
        self.totals.len()
    }

    fn fold_rates(&mut self, table: &Table, now_ms: u64) {
        let (mut busy, mut cpus) = (0.0, 0.0);
        for (series, seconds) in table.family("node_cpu_seconds_total") {
            let Some(rate) = self.rate(series, seconds, now_ms) else { continue };
            match series.label("mode") {
                Some("idle") => cpus += 1.0,
                Some("iowait") => {}
                _ => busy += rate,
            }
        }
        if cpus > 0.0 {
            self.add(("cpu_busy_ratio", "", String::new()), (busy / cpus).clamp(0.0, 1.0));
        }
        for (name, family) in [
            ("network_receive_bytes_per_second", "node_network_receive_bytes_total"),
            ("network_transmit_bytes_per_second", "node_network_transmit_bytes_total"),
        ] {
            let real = table.family(family).filter(|(series, _)| !begins_with_any(series, &QUIET_INTERFACES));
            let rates = real.filter_map(|(series, total)| self.rate(series, total, now_ms));
            if let Some(sum) = rates.reduce(|sum, rate| sum + rate) {
                self.add((name, "", String::new()), sum);
            }
        }
        let disks = table.family("node_disk_io_time_seconds_total");
        let disks: Vec<_> =
            disks.filter(|(series, _)| !begins_with_any(series, &QUIET_DISKS)).take(DISKS_MAX).collect();
        for (series, seconds) in disks {
            self.fold_wait(table, series.label("device").unwrap_or_default(), now_ms);
            if let Some(busy) = self.rate(series, seconds, now_ms) {
                let device = series.label("device").unwrap_or_default().to_owned();
                self.add(("disk_busy_ratio", "device", device), busy.min(1.0));
            }
        }
        self.totals.retain(|_, (_, seen_ms)| *seen_ms == now_ms);
    }

    /// Time that a disk's operations took, each.
    fn fold_wait(&mut self, table: &Table, device: &str, now_ms: u64) {
        let mut grown = |families: [&str; 2]| {
            let rates = families.map(|family| {
                let (series, total) =
                    table.family(family).find(|(series, _)| series.label("device") == Some(device))?;
                self.rate(series, total, now_ms)
            });
            Some(rates[0]? + rates[1]?)
        };
        let time = grown(["node_disk_read_time_seconds_total", "node_disk_write_time_seconds_total"]);
        let operations = grown(["node_disk_reads_completed_total", "node_disk_writes_completed_total"]);
        if let (Some(time), Some(operations)) = (time, operations) {
            // Nothing was asked, so nothing waited.
            let wait = if operations > 0.0 { time / operations } else { 0.0 };
            self.add(("disk_await_seconds", "device", device.to_owned()), wait);
        }
    }

    /// Growth per second since the last collection; `None` at the first and when the counter fell.
    fn rate(&mut self, series: &Series, total: f64, now_ms: u64) -> Option<f64> {
        let (before, before_ms) = self.totals.insert(series.id, (total, now_ms))?;
        let elapsed_ms = u32::try_from(now_ms.checked_sub(before_ms)?).ok().filter(|elapsed| *elapsed > 0)?;
        (total >= before).then(|| (total - before) * 1000.0 / f64::from(elapsed_ms))
    }

    fn add(&mut self, key: Key, value: f64) {
        let figure = self.figures.entry(key).or_insert(Figure { count: 0, min: value, sum: 0.0, max: value });
        figure.count += 1;
        figure.min = figure.min.min(value);
        figure.sum += value;
        figure.max = figure.max.max(value);
    }
}

fn single(table: &Table, family: &str) -> Option<f64> {
    table.family(family).next().map(|(_, value)| value)
}

/// The values of a family by a label, several of one joined.
fn by_label(table: &Table, family: &str, label: &str, join: fn(f64, f64) -> f64) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for (series, value) in table.family(family).filter(|(_, value)| value.is_finite()) {
        let part = series.label(label).unwrap_or_default().to_owned();
        values.entry(part).and_modify(|known| *known = join(*known, value)).or_insert(value);
    }
    values
}

fn begins_with_any(series: &Series, names: &[&str]) -> bool {
    let device = series.label("device").unwrap_or_default();
    names.iter().any(|name| device.starts_with(name))
}

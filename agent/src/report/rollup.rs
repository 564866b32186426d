//! One minute of readings folded into the few that are worth keeping while nobody listens.

use std::collections::BTreeMap;

use crate::clock::Moment;
use crate::gather::Gathered;
use crate::probe::Table;

/// Parts (mounts, disks) kept per reading; with 8 mounts and 4 disks a minute has at most about 20 readings.
const MOUNTS_MAX: usize = 8;
const DISKS_MAX: usize = 4;

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

/// Folds collections; one per agent, so that rates reach over the end of a minute.
#[derive(Debug, Default)]
pub struct RollupMinute {
    span: Option<(Moment, Moment)>,
    figures: BTreeMap<Key, Figure>,
    /// Last totals of counters, and when (boot time, milliseconds).
    totals: BTreeMap<Key, (f64, u64)>,
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
        for (series, value) in table.family("node_filesystem_avail_bytes").take(MOUNTS_MAX) {
            let mountpoint = series.label("mountpoint").unwrap_or_default().to_owned();
            self.add(("filesystem_avail_bytes", "mountpoint", mountpoint), value);
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

    fn fold_rates(&mut self, table: &Table, now_ms: u64) {
        let (mut all, mut idle, mut cpus) = (0.0, 0.0, 0.0);
        for (series, seconds) in table.family("node_cpu_seconds_total") {
            all += seconds;
            match series.label("mode") {
                Some("idle") => (idle, cpus) = (idle + seconds, cpus + 1.0),
                Some("iowait") => idle += seconds,
                _ => {}
            }
        }
        if cpus > 0.0 {
            let busy = self.rate(("cpu_busy_ratio", "", String::new()), all - idle, now_ms);
            busy.into_iter().for_each(|(key, cores)| self.add(key, (cores / cpus).clamp(0.0, 1.0)));
        }
        for (name, family) in [
            ("network_receive_bytes_per_second", "node_network_receive_bytes_total"),
            ("network_transmit_bytes_per_second", "node_network_transmit_bytes_total"),
        ] {
            let real = |device: Option<&str>| device != Some("lo");
            let samples = table.family(family).filter(|(series, _)| real(series.label("device")));
            let Some(total) = samples.map(|(_, value)| value).reduce(|sum, value| sum + value) else { continue };
            let rate = self.rate((name, "", String::new()), total, now_ms);
            rate.into_iter().for_each(|(key, value)| self.add(key, value));
        }
        for (series, seconds) in table.family("node_disk_io_time_seconds_total").take(DISKS_MAX) {
            let device = series.label("device").unwrap_or_default().to_owned();
            let busy = self.rate(("disk_busy_ratio", "device", device), seconds, now_ms);
            busy.into_iter().for_each(|(key, value)| self.add(key, value.min(1.0)));
        }
    }

    /// Growth per second since the last collection; `None` at the first and when the counter fell.
    fn rate(&mut self, key: Key, total: f64, now_ms: u64) -> Option<(Key, f64)> {
        let (before, before_ms) = self.totals.insert(key.clone(), (total, now_ms))?;
        let elapsed_ms = u32::try_from(now_ms.checked_sub(before_ms)?).ok().filter(|elapsed| *elapsed > 0)?;
        (total >= before).then(|| (key, (total - before) * 1000.0 / f64::from(elapsed_ms)))
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

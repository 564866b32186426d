//! A few readings of the last two days, one value for each hour: enough for a picture the size of a word, and small enough
//! to be kept of each host that is looked at.

use std::collections::BTreeMap;

use super::{
    hours::Hour,
    minutes::{Minutes, ROW, row_of},
    reading::Series,
};

/// Hours of a sketch, the present one included.
pub const HOURS: usize = 48;
/// What is sketched; of file systems the one that has least left.
const READINGS: [&str; 3] = ["cpu_busy_ratio", "memory_available_bytes", "filesystem_avail_bytes"];

/// The hours of one host; each is a row's, so that hours of different hosts begin at different minutes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch(BTreeMap<i64, Vec<(Series, f64)>>);

/// The past of one reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which.
    pub series: Series,
    /// Each hour's mean, the oldest first; `None` where nothing is known.
    pub hours: [Option<f64>; HOURS],
}

impl Sketch {
    /// Whether a series is sketched; the others need not be unpacked.
    #[must_use]
    pub fn wants(series: &Series) -> bool {
        READINGS.contains(&series.reading().name)
    }

    /// Takes over a row; of two about one hour the later counts.
    pub fn add(&mut self, row: &Minutes) {
        let wanted = row.columns.iter().filter(|(series, _)| Self::wants(series));
        let mean = |(series, column): (&Series, &[f64; ROW])| {
            Hour::of(column.iter().copied()).map(|hour| (series.clone(), hour.mean))
        };
        self.0.insert(row.from, wanted.filter_map(mean).collect());
    }

    /// The lines of the two days that end with the hour of `minute`, in the order of [`READINGS`]; what nothing is known of
    /// is left out.
    #[must_use]
    pub fn lines(&self, phase: u8, minute: i64) -> Vec<Line> {
        let first = row_of(minute, phase) - (HOURS as i64 - 1) * ROW as i64;
        let mut lines: BTreeMap<&Series, [Option<f64>; HOURS]> = BTreeMap::new();
        for (from, means) in self.0.range(first..) {
            let place = usize::try_from((from - first) / ROW as i64).ok().filter(|place| *place < HOURS);
            let Some(place) = place else { continue };
            for (series, mean) in means {
                lines.entry(series).or_insert([None; HOURS])[place] = Some(*mean);
            }
        }
        let last = |hours: &[Option<f64>; HOURS]| hours.iter().rev().copied().flatten().next();
        let of = |name: &str| {
            let found = lines.iter().filter(|(series, _)| series.reading().name == name);
            // Those of one host with the least at last; a reading without parts is there once.
            found.min_by(|a, b| last(a.1).unwrap_or(f64::INFINITY).total_cmp(&last(b.1).unwrap_or(f64::INFINITY)))
        };
        let line =
            |(series, hours): (&&Series, &[Option<f64>; HOURS])| Line { series: (*series).clone(), hours: *hours };
        READINGS.into_iter().filter_map(|name| of(name).map(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: i64, values: &[(&str, &str, i64, f64)]) -> Minutes {
        let mut row = Minutes::new(from);
        for (name, part, minute, value) in values {
            row.set(from + minute, &Series::new(name, part).unwrap(), *value);
        }
        row
    }

    #[test]
    fn each_hour_is_its_mean_in_its_place_and_what_is_not_known_is_a_gap() {
        let (phase, now) = (7, 1_000 * 60 + 7 + 30);
        let mut sketch = Sketch::default();
        // The present hour, two hours ago, the oldest that is drawn, and one too old.
        for (ago, value) in [(0, 0.5), (2, 0.25), (47, 1.0), (48, 0.75)] {
            let values = [("cpu_busy_ratio", "", 0, value), ("cpu_busy_ratio", "", 59, 0.0), ("load1", "", 0, 9.0)];
            sketch.add(&row((1_000 - ago) * 60 + 7, &values));
        }
        let lines = sketch.lines(phase, now);
        assert_eq!(lines.len(), 1, "the load is not sketched: {lines:?}");
        let known: Vec<(usize, f64)> =
            lines[0].hours.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?))).collect();
        assert_eq!(known, [(0, 0.5), (45, 0.125), (47, 0.25)]);
        // An hour later all have moved on by one.
        assert_eq!(sketch.lines(phase, now + 60)[0].hours[46], Some(0.25));
        assert_eq!(sketch.lines(phase, now + 48 * 60), []);
    }

    #[test]
    fn of_file_systems_the_one_that_has_least_left_at_last_is_drawn() {
        let mut sketch = Sketch::default();
        let free = |part, value| ("filesystem_avail_bytes", part, 0, value);
        sketch.add(&row(0, &[free("/", 1e9), free("/var", 5e9)]));
        sketch.add(&row(60, &[free("/", 8e9), free("/var", 4e9), ("memory_available_bytes", "", 0, 3e9)]));
        let lines = sketch.lines(0, 60);
        let drawn: Vec<String> = lines.iter().map(|line| line.series.to_string()).collect();
        assert_eq!(drawn, ["memory_available_bytes", "filesystem_avail_bytes{mountpoint=\"/var\"}"]);
    }
}

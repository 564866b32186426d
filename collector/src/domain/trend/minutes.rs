//! An hour of minutes of one host, and how it is packed.

use std::collections::BTreeMap;

use super::{
    coder::{Model, Packer, Unpacker},
    reading::Series,
};

/// Minutes of a row.
pub const ROW: usize = 60;
/// How rows are packed; rows of other formats say nothing.
const FORMAT: u8 = 1;

/// The minute of a row; a gap is not a number.
pub type Column = [f64; ROW];

/// A row: one hour of one host. Hours of different hosts begin at different minutes, so that their ends are spread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minutes {
    /// The first minute, counted from the Unix epoch.
    pub from: i64,
    /// A value for each minute.
    pub columns: BTreeMap<Series, Column>,
}

/// The first minute of the row that `minute` is in, for a host whose rows begin at `phase` past the hour.
#[must_use]
pub const fn row_of(minute: i64, phase: u8) -> i64 {
    (minute - phase as i64).div_euclid(ROW as i64) * ROW as i64 + phase as i64
}

/// The minute past the hour at which rows of a host begin: neighbours are far from each other.
#[must_use]
pub const fn phase_of(host: i64) -> u8 {
    // 37 and 60 have no common factor: all minutes are used.
    (host.rem_euclid(ROW as i64) * 37 % ROW as i64) as u8
}

impl Minutes {
    /// A row without values.
    #[must_use]
    pub const fn new(from: i64) -> Self {
        Self { from, columns: BTreeMap::new() }
    }

    /// Notes a value; what is no number, or not of this hour, is not noted.
    pub fn set(&mut self, minute: i64, series: &Series, value: f64) {
        let place = usize::try_from(minute - self.from).ok().filter(|place| *place < ROW && value.is_finite());
        let Some(place) = place else { return };
        if let Some(column) = self.columns.get_mut(series) {
            column[place] = value;
        } else {
            let mut column = [f64::NAN; ROW];
            column[place] = value;
            self.columns.insert(series.clone(), column);
        }
    }

    /// Adds what `newer` has; where both say something, the newer counts.
    pub fn merge(&mut self, newer: &Self) {
        for (series, column) in &newer.columns {
            for (minute, value) in (newer.from..).zip(column) {
                self.set(minute, series, *value);
            }
        }
    }

    /// Adds what `other` has where nothing is known here.
    pub fn fill(&mut self, other: &Self) {
        let known = std::mem::replace(self, Self::new(self.from));
        self.merge(other);
        self.merge(&known);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The series that are in it, in order.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        self.columns.keys().cloned().collect()
    }

    /// The values, in the order of [`Minutes::series`].
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let (mut packer, mut model) = (Packer::new(vec![FORMAT]), Model::new());
        for (series, column) in &self.columns {
            let scale = series.reading().minutes;
            model.column(&mut packer, &mut column.map(|value| scale.code(value)));
        }
        packer.finish()
    }

    /// The row that was packed with these series; places without a series are read over.
    #[must_use]
    pub fn unpack(from: i64, series: &[Option<Series>], packed: &[u8]) -> Self {
        Self::unpack_only(from, series, packed, |_| true)
    }

    /// The same with the wanted series alone: what is packed behind the last of them is not read.
    #[must_use]
    pub fn unpack_only(from: i64, series: &[Option<Series>], packed: &[u8], wanted: impl Fn(&Series) -> bool) -> Self {
        let mut minutes = Self::new(from);
        let Some((&FORMAT, packed)) = packed.split_first() else { return minutes };
        let (mut unpacker, mut model) = (Unpacker::new(packed), Model::new());
        let is_wanted = |series: &Option<Series>| series.as_ref().is_some_and(&wanted);
        let needed = series.iter().rposition(is_wanted).map_or(0, |last| last + 1);
        for series in &series[..needed] {
            let mut codes = [None; ROW];
            model.column(&mut unpacker, &mut codes);
            if let Some(series) = series
                && wanted(series)
                && codes.iter().any(Option::is_some)
            {
                let scale = series.reading().minutes;
                let column = codes.map(|code| code.map_or(f64::NAN, |code| scale.value(code)));
                minutes.columns.insert(series.clone(), column);
            }
        }
        minutes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(n: usize) -> Series {
        let names = ["cpu_busy_ratio", "load1", "network_receive_bytes_per_second", "memory_available_bytes"];
        if n < names.len() {
            Series::new(names[n], "").unwrap()
        } else {
            Series::new("filesystem_avail_bytes", &format!("/mnt/{n}")).unwrap()
        }
    }

    fn row() -> impl Strategy<Value = Minutes> {
        let value = prop_oneof![Just(f64::NAN), 0.0..1.0_f64, 0.0..1e13_f64, Just(f64::INFINITY), Just(-5.0)];
        prop::collection::vec(prop::collection::vec(value, ROW), 0..7).prop_map(|columns| {
            let mut minutes = Minutes::new(29_000_037);
            for (n, column) in columns.iter().enumerate() {
                for (minute, value) in (minutes.from..).zip(column) {
                    minutes.set(minute, &series(n), *value);
                }
            }
            minutes
        })
    }

    proptest! {
        #[test]
        fn what_is_wanted_is_the_same_when_nothing_else_is_unpacked(minutes in row(), wanted in 0_usize..8) {
            let all: Vec<_> = minutes.series().into_iter().map(Some).collect();
            let packed = minutes.pack();
            let part = Minutes::unpack_only(minutes.from, &all, &packed, |known| *known == series(wanted));
            let mut expected = Minutes::unpack(minutes.from, &all, &packed);
            expected.columns.retain(|known, _| *known == series(wanted));
            prop_assert_eq!(format!("{part:?}"), format!("{expected:?}"));
        }

        #[test]
        fn a_row_comes_back_within_its_precision_and_gaps_stay_gaps(row in row()) {
            let series: Vec<_> = row.series().into_iter().map(Some).collect();
            let back = Minutes::unpack(row.from, &series, &row.pack());
            prop_assert_eq!(back.series(), row.series());
            for (series, column) in &row.columns {
                for (before, after) in column.iter().zip(&back.columns[series]) {
                    prop_assert_eq!(before.is_nan(), after.is_nan());
                    let near = (before - after).abs() <= series.reading().minutes.error(*before);
                    prop_assert!(before.is_nan() || near, "{series}: {before} came back as {after}");
                }
            }
        }

        #[test]
        fn any_bytes_unpack(packed in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut packed = packed;
            if let Some(first) = packed.first_mut() {
                *first = FORMAT;
            }
            let row = Minutes::unpack(0, &[Some(series(0)), None, Some(series(9))], &packed);
            prop_assert!(row.columns.values().flatten().all(|value| value.is_nan() || value.is_finite()));
        }

        #[test]
        fn each_minute_is_in_the_row_that_begins_at_its_hosts_phase(minute in any::<i32>(), host in 0..100_000_i64) {
            let (minute, phase) = (i64::from(minute), phase_of(host));
            let from = row_of(minute, phase);
            prop_assert!((from..from + 60).contains(&minute));
            prop_assert_eq!(from.rem_euclid(60), i64::from(phase));
        }
    }

    #[test]
    fn hosts_begin_their_hours_at_all_minutes() {
        let phases: std::collections::BTreeSet<u8> = (1..=60).map(phase_of).collect();
        assert_eq!(phases.len(), 60);
    }

    #[test]
    fn the_newer_counts_where_rows_meet_and_filling_changes_nothing_known() {
        let row = |values: &[(i64, f64)]| {
            let mut row = Minutes::new(60);
            values.iter().for_each(|(minute, value)| row.set(*minute, &series(1), *value));
            row
        };
        let mut merged = row(&[(60, 1.0), (61, 1.0)]);
        merged.merge(&row(&[(61, 2.0), (62, 2.0)]));
        assert_eq!(merged.columns[&series(1)][..3], [1.0, 2.0, 2.0]);
        let mut filled = row(&[(60, 1.0), (61, 1.0)]);
        filled.fill(&row(&[(61, 2.0), (62, 2.0)]));
        assert_eq!(filled.columns[&series(1)][..3], [1.0, 1.0, 2.0]);
        filled.set(120, &series(1), 3.0);
        filled.set(59, &series(1), 3.0);
        assert!(filled.columns[&series(1)][3..].iter().all(|value| value.is_nan()), "not of this hour");
    }

    #[test]
    fn rows_of_another_format_and_unknown_readings_say_nothing() {
        let mut row = Minutes::new(0);
        row.set(0, &series(1), 1.0);
        let mut packed = row.pack();
        assert!(Minutes::unpack(0, &[None], &packed).is_empty());
        packed[0] = FORMAT + 1;
        assert!(Minutes::unpack(0, &[Some(series(1))], &packed).is_empty());
        let list = Series::list_from_text(r#"[["load1",""],["from_the_future",""],["load1","x"]]"#);
        assert_eq!(list, [Some(series(1)), None, None]);
    }
}

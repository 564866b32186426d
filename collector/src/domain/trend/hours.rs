//! Days of hours of one host - the least, the mean and the most of each - and how they are packed.

use std::collections::BTreeMap;

use super::{
    coder::{Model, Packer, Unpacker},
    minutes::{Minutes, ROW},
    reading::Series,
    scale::Scale,
};

/// Hours of a day.
pub const DAY: usize = 24;
/// Days of a row at most; more would not be unpacked.
const MOST_DAYS: u8 = 32;
/// How rows are packed; rows of other formats say nothing.
const FORMAT: u8 = 1;

/// One hour of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// The least.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The most.
    pub max: f64,
}

impl Hour {
    /// What an hour's minutes come to; gaps count for nothing.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut hour, mut count) = (Self { min: f64::INFINITY, mean: 0.0, max: f64::NEG_INFINITY }, 0_u32);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            count += 1;
            hour.min = hour.min.min(value);
            hour.max = hour.max.max(value);
            hour.mean += (value - hour.mean) / f64::from(count);
        }
        (count > 0).then_some(hour)
    }
}

/// A row: one or more UTC days of one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// The first hour, counted from the Unix epoch.
    pub from: i64,
    days: u8,
    /// What is known of each hour.
    pub columns: BTreeMap<Series, Vec<Option<Hour>>>,
}

impl Hours {
    /// A row without values, of so many days.
    #[must_use]
    pub fn new(from: i64, days: u8) -> Self {
        Self { from, days: days.min(MOST_DAYS), columns: BTreeMap::new() }
    }

    /// How many hours it is about.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.days as usize * DAY
    }

    /// Takes over what another row knows of these days.
    pub fn merge(&mut self, other: &Self) {
        for (series, column) in &other.columns {
            for (hour, value) in (other.from..).zip(column) {
                if let (Ok(place), Some(hour)) = (usize::try_from(hour - self.from), value) {
                    self.widen(series, place, *hour);
                }
            }
        }
    }

    /// Folds the minutes of these hours, counted from the Unix epoch, into them. An hour that is known already only gets
    /// wider.
    pub fn fold(&mut self, rows: &[Minutes], hours: std::ops::Range<i64>) {
        let length = self.length() * ROW;
        let mut days: BTreeMap<&Series, Vec<f64>> = BTreeMap::new();
        let first = self.from * ROW as i64;
        let folded = hours.start * ROW as i64..hours.end * ROW as i64;
        for row in rows {
            for (series, column) in &row.columns {
                let day = days.entry(series).or_insert_with(|| vec![f64::NAN; length]);
                for (minute, value) in (row.from..).zip(column) {
                    let place = usize::try_from(minute - first).ok().filter(|place| *place < length);
                    let place = place.filter(|_| folded.contains(&minute));
                    if let Some(place) = place.filter(|_| value.is_finite()) {
                        day[place] = *value;
                    }
                }
            }
        }
        for (series, day) in days {
            for (hour, minutes) in day.chunks(ROW).enumerate() {
                if let Some(known) = Hour::of(minutes.iter().copied()) {
                    self.widen(series, hour, known);
                }
            }
        }
    }

    fn widen(&mut self, series: &Series, hour: usize, new: Hour) {
        let length = self.length();
        let column = self.columns.entry(series.clone()).or_insert_with(|| vec![None; length]);
        let Some(known) = column.get_mut(hour) else { return };
        *known = Some(known.map_or(new, |known| Hour {
            // How many minutes the known mean stands for is not kept; it stands for most of them.
            mean: known.mean,
            min: known.min.min(new.min),
            max: known.max.max(new.max),
        }));
    }

    /// The series that are in it, in order.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        self.columns.keys().cloned().collect()
    }

    /// The values, in the order of [`Hours::series`].
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let (mut packer, mut models) = (Packer::new(vec![FORMAT, self.days]), [Model::new(), Model::new()]);
        for (series, column) in &self.columns {
            let scale = series.reading().hours;
            let codes: Vec<_> = column.iter().map(|hour| hour.and_then(|hour| coded(scale, hour))).collect();
            let mut part = |model: usize, pick: fn((i32, i32, i32)) -> i32| {
                let mut part: Vec<_> = codes.iter().map(|code| code.map(pick)).collect();
                models[model].column(&mut packer, &mut part);
            };
            part(0, |(mean, ..)| mean);
            part(1, |(_, down, _)| down);
            part(1, |(_, _, up)| up);
        }
        packer.finish()
    }

    /// The row that was packed with these series; places without a series are read over.
    #[must_use]
    pub fn unpack(from: i64, series: &[Option<Series>], packed: &[u8]) -> Self {
        let mut hours = Self::new(from, packed.get(1).copied().unwrap_or(0));
        let [FORMAT, _, packed @ ..] = packed else { return hours };
        let (mut unpacker, mut models) = (Unpacker::new(packed), [Model::new(), Model::new()]);
        for series in series {
            let mut part = |model: usize| {
                let mut part = vec![None; hours.length()];
                models[model].column(&mut unpacker, &mut part);
                part
            };
            let (means, downs, ups) = (part(0), part(1), part(1));
            if let Some(series) = series
                && means.iter().any(Option::is_some)
            {
                let scale = series.reading().hours;
                let hours_of = means.iter().zip(&downs).zip(&ups);
                let column = hours_of.map(|((mean, down), up)| Some(decoded(scale, (*mean)?, (*down)?, (*up)?)));
                hours.columns.insert(series.clone(), column.collect());
            }
        }
        hours
    }
}

/// Distances from the mean in steps of the scale, two to each doubling: an edge of a band need not be exact, only outside.
const DISTANCES_EXACT: u32 = 4;

/// The least distance number whose distance is not smaller.
fn distance_up(steps: u32) -> i32 {
    let exact = i32::try_from(steps.min(DISTANCES_EXACT)).unwrap_or(i32::MAX);
    if steps <= DISTANCES_EXACT {
        return exact;
    }
    (exact..).find(|number| distance(*number) >= steps).unwrap_or(i32::MAX)
}

/// 0 1 2 3 4 6 8 12 16 24 32 ...
fn distance(number: i32) -> u32 {
    let number = number.unsigned_abs();
    if number <= DISTANCES_EXACT {
        return number;
    }
    let (doublings, half) = ((number - DISTANCES_EXACT) / 2, (number - DISTANCES_EXACT) % 2);
    if doublings > 28 {
        return u32::MAX;
    }
    (DISTANCES_EXACT << doublings).saturating_add((DISTANCES_EXACT << doublings) / 2 * half)
}

/// Mean, and how far the least and the most are from it.
fn coded(scale: Scale, hour: Hour) -> Option<(i32, i32, i32)> {
    let mean = scale.code(hour.mean)?;
    let (least, most) = (scale.code(hour.min)?.min(mean), scale.code(hour.max)?.max(mean));
    Some((mean, distance_up(mean.abs_diff(least)), distance_up(most.abs_diff(mean))))
}

fn decoded(scale: Scale, mean: i32, down: i32, up: i32) -> Hour {
    let min = scale.value(mean.saturating_sub_unsigned(distance(down)));
    let mean_value = scale.value(mean);
    // What cannot be below zero is not drawn below it.
    let min = if mean_value >= 0.0 { min.max(0.0) } else { min };
    Hour { min, mean: mean_value, max: scale.value(mean.saturating_add_unsigned(distance(up))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load() -> Series {
        Series::new("load1", "").unwrap()
    }

    fn hour() -> impl Strategy<Value = Option<Hour>> {
        let hour = (0.0..1e9_f64, 0.0..1.0_f64, 1.0..3.0_f64);
        let hour = hour.prop_map(|(mean, down, up)| Hour { min: mean * down, mean, max: mean * up });
        prop::option::weighted(0.8, hour)
    }

    proptest! {
        #[test]
        fn a_day_comes_back_with_its_gaps_and_a_band_that_holds_all_values(day in prop::collection::vec(hour(), DAY)) {
            let mut row = Hours::new(24, 1);
            row.columns.insert(load(), day.clone());
            let back = Hours::unpack(24, &[Some(load())], &row.pack());
            let scale = load().reading().hours;
            for (n, before) in day.iter().enumerate() {
                let after = back.columns.get(&load()).and_then(|column| column[n]);
                prop_assert_eq!(before.is_some(), after.is_some());
                let (Some(before), Some(after)) = (before, after) else { continue };
                prop_assert!((before.mean - after.mean).abs() <= scale.error(before.mean));
                prop_assert!(after.min <= before.min + scale.error(before.min));
                prop_assert!(after.max >= before.max - scale.error(before.max));
                // An edge is off by a third of its distance from the mean at most, and steps.
                let slack = scale.error(before.max) * 4.0 + before.max / 2.0;
                prop_assert!(after.max <= before.max + slack, "{before:?} {after:?}");
            }
        }

        #[test]
        fn any_bytes_unpack(packed in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut packed = packed;
            if let Some(first) = packed.first_mut() {
                *first = FORMAT;
            }
            let row = Hours::unpack(0, &[Some(load()), None], &packed);
            prop_assert!(row.columns.values().flatten().flatten().all(|hour| hour.mean.is_finite()));
        }

        #[test]
        fn a_distance_is_never_understated(steps in 0..1_u32 << 30) {
            let known = distance(distance_up(steps));
            prop_assert!(known >= steps && f64::from(known) <= f64::from(steps) * 1.5);
        }
    }

    #[test]
    fn days_are_joined_to_one_row() {
        let value = |value| Some(Hour { min: value, mean: value, max: value });
        let day = |from: i64, known: f64| {
            let mut day = Hours::new(from, 1);
            day.columns.insert(load(), vec![value(known); DAY]);
            day
        };
        let mut block = Hours::new(48, 3);
        [day(24, 9.0), day(48, 0.0), day(96, 2.0)].iter().for_each(|day| block.merge(day));
        let back = Hours::unpack(48, &[Some(load())], &block.pack());
        assert_eq!(back.length(), 72);
        assert_eq!(
            [0, 23, 24, 47, 48, 71].map(|hour| back.columns[&load()][hour]),
            [value(0.0), value(0.0), None, None, value(2.0), value(2.0)]
        );
    }

    #[test]
    fn minutes_of_two_rows_become_the_hours_of_a_day() {
        let mut rows = [Minutes::new(24 * 60 - 23), Minutes::new(25 * 60 - 23)];
        for (minute, value) in [(24 * 60 - 1, 9.0), (24 * 60, 1.0), (24 * 60 + 36, 2.0)] {
            rows[0].set(minute, &load(), value);
        }
        for (minute, value) in [(24 * 60 + 37, 6.0), (25 * 60, 4.0)] {
            rows[1].set(minute, &load(), value);
        }
        let mut day = Hours::new(24, 1);
        day.fold(&rows, 24..48);
        let found = day.columns[&load()].clone();
        assert_eq!(
            found[0],
            Some(Hour { min: 1.0, mean: 3.0, max: 6.0 }),
            "the minute before belongs to the day before"
        );
        assert_eq!(found[1], Some(Hour { min: 4.0, mean: 4.0, max: 4.0 }));
        assert!(found[2..].iter().all(Option::is_none));
        // Minutes that arrive after all widen what is known.
        day.fold(
            &[{
                let mut late = Minutes::new(24 * 60);
                late.set(24 * 60 + 5, &load(), 12.0);
                late
            }],
            24..48,
        );
        assert_eq!(day.columns[&load()][0], Some(Hour { min: 1.0, mean: 3.0, max: 12.0 }));
    }
}

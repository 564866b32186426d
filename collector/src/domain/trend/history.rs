//! What is known of a host's past, put together from rows and from what is not written yet.

use std::collections::BTreeSet;

use super::{
    hours::{Hour, Hours},
    minutes::{Minutes, ROW},
    reading::Series,
};
use crate::domain::time::Timestamp;

const MINUTE_MS: i64 = 60_000;

/// Rows of a host, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Hours of minutes; of two about one minute the later counts.
    pub minutes: Vec<Minutes>,
    /// Days of hours.
    pub hours: Vec<Hours>,
}

impl History {
    /// The series that anything is known of, in the order in which they are shown.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        let minutes = self.minutes.iter().flat_map(|row| row.columns.keys());
        let hours = self.hours.iter().flat_map(|row| row.columns.keys());
        minutes.chain(hours).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A series' minutes from `from` to before `to`, counted from the Unix epoch; gaps are not numbers.
    #[must_use]
    pub fn minutes(&self, series: &Series, from: i64, to: i64) -> Vec<f64> {
        let mut values = vec![f64::NAN; usize::try_from(to - from).unwrap_or(0)];
        for row in &self.minutes {
            let Some(column) = row.columns.get(series) else { continue };
            for (minute, value) in (row.from..).zip(column).filter(|(_, value)| value.is_finite()) {
                if let Some(place) = usize::try_from(minute - from).ok().and_then(|place| values.get_mut(place)) {
                    *place = *value;
                }
            }
        }
        values
    }

    /// A series' hours from `from` to before `to`, counted from the Unix epoch: as folded, and of minutes where not yet.
    #[must_use]
    pub fn hours(&self, series: &Series, from: i64, to: i64) -> Vec<Option<Hour>> {
        let minutes = self.minutes(series, from * ROW as i64, to * ROW as i64);
        let mut values: Vec<_> = minutes.chunks(ROW).map(|hour| Hour::of(hour.iter().copied())).collect();
        for row in &self.hours {
            let Some(column) = row.columns.get(series) else { continue };
            for (hour, value) in (row.from..).zip(column).filter(|(_, value)| value.is_some()) {
                if let Some(place) = usize::try_from(hour - from).ok().and_then(|place| values.get_mut(place)) {
                    *place = *value;
                }
            }
        }
        values
    }

    /// The least of a series between two instants: by the minute, and by the hour where minutes are not kept any more.
    #[must_use]
    pub fn least(&self, series: &Series, from: Timestamp, to: Timestamp) -> Option<f64> {
        let (first, last) = (from.ms().div_euclid(MINUTE_MS), to.ms().div_euclid(MINUTE_MS));
        let minutes = self.minutes(series, first, last + 1).into_iter().filter(|value| value.is_finite());
        let hours = || {
            let hours = self.hours(series, first.div_euclid(ROW as i64), last.div_euclid(ROW as i64) + 1);
            hours.into_iter().flatten().map(|hour| hour.min).min_by(f64::total_cmp)
        };
        minutes.min_by(f64::total_cmp).or_else(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_folded_and_of_minutes_where_not_yet() {
        let load = Series::new("load1", "").unwrap();
        let mut minutes = Minutes::new(24 * 60 + 30);
        for (minute, value) in [(24 * 60 + 30, 9.0), (25 * 60, 1.0), (25 * 60 + 1, 3.0)] {
            minutes.set(minute, &load, value);
        }
        let folded = Hour { min: 1.0, mean: 2.0, max: 3.0 };
        let mut hours = Hours::new(24, 1);
        let mut column = vec![None; 24];
        column[0] = Some(folded);
        hours.columns.insert(load.clone(), column);
        let history = History { minutes: vec![minutes], hours: vec![hours] };
        assert_eq!(history.series(), std::slice::from_ref(&load));
        let found = history.hours(&load, 23, 27);
        assert_eq!(found, [None, Some(folded), Some(Hour { min: 1.0, mean: 2.0, max: 3.0 }), None]);
        let minutes = history.minutes(&load, 25 * 60 - 1, 25 * 60 + 3);
        assert!(minutes[0].is_nan() && minutes[3].is_nan());
        assert_eq!(minutes[1..3], [1.0, 3.0]);
    }

    #[test]
    fn the_least_is_by_the_minute_while_those_are_kept_and_by_the_hour_before() {
        let load = Series::new("load1", "").unwrap();
        let mut minutes = Minutes::new(60);
        for (minute, value) in [(60, 1.0), (61, 5.0), (62, 4.0), (63, 2.0)] {
            minutes.set(minute, &load, value);
        }
        let mut hours = Hours::new(0, 1);
        let mut column = vec![None; 24];
        column[0] = Some(Hour { min: 3.0, mean: 6.0, max: 9.0 });
        hours.columns.insert(load.clone(), column);
        let history = History { minutes: vec![minutes], hours: vec![hours] };
        let least = |from: i64, to: i64| {
            history.least(&load, Timestamp::from_ms(from * MINUTE_MS), Timestamp::from_ms(to * MINUTE_MS))
        };
        assert_eq!(
            [least(61, 62), least(61, 63), least(10, 10), least(200, 201)],
            [Some(4.0), Some(2.0), Some(3.0), None]
        );
    }
}

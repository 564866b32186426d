//! When a file system will be full, from the last two days of its free space.
//!
//! Each hour counts with its median, so that a large file that comes and goes within an hour does not. The slope is the
//! median of the slopes between all pairs of hours (Theil 1950, Sen 1968): up to 29 % of the hours may say anything at
//! all. Its uncertainty is Sen's: the slopes whose rank is as far from the middle as chance alone puts Kendall's tau.

use std::collections::BTreeMap;

use super::{
    minutes::{Minutes, ROW},
    reading::Series,
};
use crate::domain::time::Timestamp;

/// Hours looked at.
pub const WINDOW_HOURS: usize = 48;
/// Fewer hours with figures than this say nothing about days.
const LEAST_HOURS: usize = 6;
/// Nobody plans further.
const FAR_HOURS: f64 = 24.0 * 365.0;
/// Chance that the true slope lies within the interval: 95 % of the normal distribution.
const Z: f64 = 1.96;
/// Free space above this share of what was free at its lowest afterwards was given back by a cleanup.
const CLEANUP: f64 = 1.05;

/// When a file system will be full, if it goes on as it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Hours from the last figure until nothing is free.
    pub hours: f64,
    /// The soonest that the figures allow.
    pub low: f64,
    /// The latest; infinite when they allow that it never fills.
    pub high: f64,
    /// Growth, bytes per hour.
    pub bytes_per_hour: f64,
    /// Hours with figures that it rests on.
    pub of_hours: usize,
}

/// A file system that fills, as of an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Filling {
    /// Where it is mounted.
    pub mount_point: Box<str>,
    /// When the last figure was taken.
    pub at: Timestamp,
    /// When it will be full.
    pub forecast: Forecast,
}

/// Whether a file system lost so much in this hour that it would be full within a year: else two days need not be looked
/// at.
#[must_use]
pub fn may_fill(hour: &Minutes) -> bool {
    hour.columns.iter().filter(|(series, _)| series.reading().name == "filesystem_avail_bytes").any(|(_, column)| {
        let mut known = column.iter().copied().filter(|value| value.is_finite());
        let first = known.next().unwrap_or(0.0);
        known.next_back().is_some_and(|last| last < first * (1.0 - 1.0 / FAR_HOURS))
    })
}

/// The file systems that fill, soonest full first, from a host's rows of minutes, oldest first.
#[must_use]
pub fn filling(rows: &[Minutes]) -> Vec<Filling> {
    let Some(end) = rows.last().map(|row| row.from + ROW as i64) else { return Vec::new() };
    let length = WINDOW_HOURS * ROW;
    let first = end - length as i64;
    let mut found: BTreeMap<&Series, Vec<f64>> = BTreeMap::new();
    for row in rows {
        let free = row.columns.iter().filter(|(series, _)| series.reading().name == "filesystem_avail_bytes");
        for (series, column) in free {
            let window = found.entry(series).or_insert_with(|| vec![f64::NAN; length]);
            for (minute, value) in (row.from..).zip(column) {
                if let Some(place) = usize::try_from(minute - first).ok().and_then(|place| window.get_mut(place)) {
                    *place = *value;
                }
            }
        }
    }
    let filling = found.into_iter().filter_map(|(series, window)| {
        let last = window.iter().rposition(|value| value.is_finite())?;
        let at = Timestamp::from_ms((first + last as i64) * 60_000);
        Some(Filling { mount_point: series.part.clone(), at, forecast: forecast(&window).ok()? })
    });
    let mut filling: Vec<_> = filling.collect();
    filling.sort_by(|a, b| a.forecast.hours.total_cmp(&b.forecast.hours));
    filling
}

/// Why there is no forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoForecast {
    /// Not known for long enough.
    TooShort,
    /// It does not fill: what grows is within the noise, or it shrinks.
    NotFilling,
    /// It fills and is cleaned up again and again.
    Sawtooth,
    /// It would be full in more than a year.
    Far,
}

impl NoForecast {
    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TooShort => "not known for long enough",
            Self::NotFilling => "does not fill",
            Self::Sawtooth => "fills and is cleaned up again",
            Self::Far => "not within a year",
        }
    }
}

/// The forecast from free bytes by minute, oldest first; gaps are not numbers.
///
/// # Errors
/// Why there is none.
pub fn forecast(minutes: &[f64]) -> Result<Forecast, NoForecast> {
    let hours = medians(minutes);
    if hours.len() < LEAST_HOURS {
        return Err(NoForecast::TooShort);
    }
    let recent = after_cleanup(&hours);
    if recent.len() < LEAST_HOURS {
        return Err(NoForecast::Sawtooth);
    }
    let (slow, slope, fast) = slopes(recent);
    if slope >= 0.0 || slow >= 0.0 && fast >= 0.0 {
        return Err(NoForecast::NotFilling);
    }
    if slow >= 0.0 {
        // That nothing fills is as likely as chance: no figure may pretend to know a day.
        return Err(NoForecast::NotFilling);
    }
    let left = minutes.iter().rev().copied().find(|value| value.is_finite()).unwrap_or(0.0).max(0.0);
    let until = |slope: f64| left / -slope;
    if until(slope) > FAR_HOURS {
        return Err(NoForecast::Far);
    }
    Ok(Forecast {
        hours: until(slope),
        low: until(fast),
        high: until(slow),
        bytes_per_hour: -slope,
        of_hours: recent.len(),
    })
}

/// The median of each hour that has figures, with its number.
fn medians(minutes: &[f64]) -> Vec<(f64, f64)> {
    let median = |(hour, values): (usize, &[f64])| {
        let mut known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).map(|median| (hour as f64, *median))
    };
    minutes.chunks(ROW).enumerate().filter_map(median).collect()
}

/// The hours after the last time that space was given back at once. What fills between such steps tells how fast, but
/// what is cleaned up regularly does not fill: then little is left to look at.
fn after_cleanup(hours: &[(f64, f64)]) -> &[(f64, f64)] {
    let steps = hours.windows(2).rposition(|pair| pair[1].1 > pair[0].1 * CLEANUP);
    steps.map_or(hours, |step| &hours[step + 1..])
}

/// Slopes per hour: the upper end of the interval (it fills slowest), the median, the lower end.
fn slopes(hours: &[(f64, f64)]) -> (f64, f64, f64) {
    let mut slopes = Vec::with_capacity(hours.len() * (hours.len() - 1) / 2);
    for (n, (hour, free)) in hours.iter().enumerate() {
        slopes.extend(hours[n + 1..].iter().map(|(later, then)| (then - free) / (later - hour)));
    }
    slopes.sort_by(f64::total_cmp);
    let (n, pairs) = (hours.len() as f64, slopes.len() as f64);
    // The variance of Kendall's score without ties (Kendall 1938): n (n-1) (2n+5) / 18.
    let away = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() / 2.0;
    let at = |rank: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the list")]
        let rank = rank.clamp(0.0, pairs - 1.0) as usize;
        slopes[rank]
    };
    let middle = (pairs - 1.0) / 2.0;
    let median = f64::midpoint(at(middle.floor()), at(middle.ceil()));
    (at((middle + away).ceil()), median, at((middle - away).floor()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    /// Noise of -1 to 1 that is the same in every run.
    fn noise(n: usize, seed: u64) -> f64 {
        let mut x =
            (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed.wrapping_mul(0xd134_2543_de82_ef95));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn two_days(value: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..WINDOW_HOURS * ROW).map(value).collect()
    }

    proptest! {
        #[test]
        fn a_steady_fill_is_found_within_its_uncertainty(
            rate in 0.05..2.0_f64, left in 10.0..200.0_f64, jitter in 0.0..0.3_f64, seed in any::<u64>(),
        ) {
            let minutes = WINDOW_HOURS * ROW;
            let free = |n: usize| (left + rate * (minutes - 1 - n) as f64 / 60.0 + jitter * noise(n, seed)) * GIB;
            let found = forecast(&two_days(free)).unwrap();
            let truth = left / rate;
            prop_assert!((found.hours - truth).abs() <= truth * 0.2 + 1.0, "{found:?}, truly {truth}");
            prop_assert!(found.low <= found.hours && found.hours <= found.high);
            // Half an hour each way: hours are known by their median.
            prop_assert!(found.low - 1.0 - truth * 0.05 <= truth && truth <= found.high + 1.0 + truth * 0.05, "{found:?}, truly {truth}");
        }

        #[test]
        fn what_only_jitters_has_no_forecast(level in 1.0..100.0_f64, seed in any::<u64>()) {
            let found = forecast(&two_days(|n| (level + 0.01 * level * noise(n, seed)) * GIB));
            // One in forty looks like a fill by chance alone, and is then far away.
            prop_assert!(found.is_err_and(|why| why != NoForecast::TooShort) || found.is_ok_and(|found| found.hours > 24.0 * 30.0));
        }

        #[test]
        fn a_sawtooth_is_not_full_soon(period in 4..12_usize, depth in 0.1..0.5_f64) {
            // Rotated every few hours, from 100 GiB free down and up again.
            let free = |n: usize| 100.0 * GIB * (1.0 - depth * (n % (period * 60)) as f64 / (period * 60) as f64);
            let found = forecast(&two_days(free));
            prop_assert!(found.is_err() || found.is_ok_and(|found| found.hours > 2.0), "{found:?}");
        }

        #[test]
        fn any_figures_give_an_answer(values in prop::collection::vec(any::<f64>(), 0..800)) {
            let found = forecast(&values);
            prop_assert!(found.is_err() || found.is_ok_and(|found| !found.hours.is_nan()));
        }
    }

    #[test]
    fn too_little_and_shrinking_are_said() {
        assert_eq!(forecast(&[GIB; 300]), Err(NoForecast::TooShort));
        assert_eq!(forecast(&two_days(|n| GIB * (1.0 + n as f64 / 1000.0))), Err(NoForecast::NotFilling));
        assert_eq!(forecast(&two_days(|_| GIB)), Err(NoForecast::NotFilling));
        assert_eq!(forecast(&[]), Err(NoForecast::TooShort));
    }

    #[test]
    fn a_cleanup_once_does_not_hide_the_fill_after_it() {
        // 1 GiB an hour; 24 hours ago half of the disk was given back.
        let free = |n: usize| if n < 24 * 60 { 60.0 - n as f64 / 60.0 } else { 104.0 - n as f64 / 60.0 };
        let found = forecast(&two_days(|n| free(n) * GIB)).unwrap();
        assert!((found.hours - 56.0).abs() < 2.0, "{found:?}");
        assert_eq!(found.of_hours, 24);
    }

    #[test]
    fn two_days_are_looked_at_only_after_an_hour_that_would_fill_within_a_year() {
        let hour = |name: &str, part: &str, loss: f64| {
            let (series, mut row) = (Series::new(name, part).unwrap(), Minutes::new(0));
            (0..60_i32).for_each(|n| row.set(i64::from(n), &series, GIB * (1.0 - loss * f64::from(n) / 59.0)));
            row
        };
        assert!(may_fill(&hour("filesystem_avail_bytes", "/", 0.0002)));
        assert!(!may_fill(&hour("filesystem_avail_bytes", "/", 0.0001)));
        assert!(!may_fill(&hour("filesystem_avail_bytes", "/", -0.5)));
        assert!(!may_fill(&hour("memory_available_bytes", "", 0.5)));
        assert!(!may_fill(&Minutes::new(0)));
    }

    #[test]
    fn what_fills_is_told_by_mount_point_soonest_first() {
        let mut rows: Vec<Minutes> = (0..48).map(|hour| Minutes::new(hour * 60)).collect();
        for (part, left, rate) in [("/", 90.0, 0.0), ("/a", 200.0, 1.0), ("/b", 100.0, 1.0)] {
            let series = Series::new("filesystem_avail_bytes", part).unwrap();
            for minute in 0..48 * 60_i32 {
                let free = (left - rate * f64::from(minute) / 60.0) * GIB;
                rows[(minute / 60) as usize].set(i64::from(minute), &series, free);
            }
        }
        let found = filling(&rows);
        assert_eq!(found.iter().map(|filling| &*filling.mount_point).collect::<Vec<_>>(), ["/b", "/a"]);
        assert!((found[0].forecast.hours - 52.0).abs() < 1.0, "{found:?}");
        assert_eq!(found[0].at, Timestamp::from_ms((48 * 60 - 1) * 60_000));
    }

    #[test]
    fn gaps_do_not_hurt() {
        let free =
            |n: usize| if n % 7 < 5 || n > 1500 && n < 2000 { f64::NAN } else { (100.0 - n as f64 / 60.0) * GIB };
        let found = forecast(&two_days(free)).unwrap();
        assert!((found.hours - 52.0).abs() < 2.0, "{found:?}");
    }
}

//! When flash will be worn out, as a range: from how its own indicator moved in the days that are known.
//!
//! The indicator counts whole percents, so a few weeks of it say little: nothing is said of fewer than fourteen days, of one that
//! fell or jumped (another drive, a firmware's correction), or of one that hardly moves. Worn out is the end of what the
//! maker rates, and no failure: drives run on at 255 %.

use crate::domain::time::Timestamp;

/// Fewer days say nothing.
const LEAST_DAYS: f64 = 14.0;
/// A step of so many percent that is half of all that was worn is no wear.
const JUMP: f64 = 3.0;
/// Beyond so many years it is of no use to anybody.
const LONGEST_YEARS: f64 = 30.0;
const DAY_MS: f64 = 86_400_000.0;
const YEAR_DAYS: f64 = 365.25;
/// Points looked at; every two of them are a slope.
const POINTS: usize = 64;

/// Between which days the indicator reaches 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// With the fastest wear of nine in ten pairs of days.
    pub from: Timestamp,
    /// With the slowest of nine in ten; `None` where that is beyond thirty years.
    pub to: Option<Timestamp>,
}

/// Why nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Fewer than fourteen days are known.
    TooShort,
    /// It fell or jumped.
    Steps,
    /// It hardly moves, or would take longer than thirty years.
    TooSlow,
    /// It is worn out already.
    WornOut,
}

impl Refused {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TooShort => "fewer than 14 days are known",
            Self::Steps => "its indicator fell or jumped: nothing can be foretold from that",
            Self::TooSlow => "it hardly wears: not within 30 years at this rate",
            Self::WornOut => "its rated life is used up",
        }
    }
}

/// How worn flash is, and when it will be worn out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worn {
    /// How much of its rated life is used, in percent; may exceed 100.
    pub used_percent: f64,
    /// Between which days all of it will be, or why nobody can say.
    pub out: Result<Range, Refused>,
}

impl Worn {
    /// From how much was used when, in percent, in the order of time; nothing where nothing is known.
    #[must_use]
    pub fn of(used: &[(Timestamp, f64)]) -> Option<Self> {
        let (_, used_percent) = *used.last()?;
        Some(Self { used_percent, out: worn_out(used) })
    }

    /// When it will be worn out, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
        match self.out {
            Ok(Range { from, to: Some(to) }) => format!("between {} and {}", day(from), day(to)),
            Ok(Range { from, to: None }) => format!("not before {}", day(from)),
            Err(Refused::WornOut) => Refused::WornOut.words().to_owned(),
            Err(refused) => format!("nobody can say: {}", refused.words()),
        }
    }
}

/// When this drive will have used up its rated life: slopes between all pairs of points, of which the tenth and the ninetieth
/// percentile bound the range (Theil 1950, Sen 1968). `used` is in percent, in the order of time.
///
/// # Errors
/// [`Refused`], why not.
pub fn worn_out(used: &[(Timestamp, f64)]) -> Result<Range, Refused> {
    let used = &used[used.len().saturating_sub(POINTS)..];
    let (Some((first, begun)), Some((last, is))) = (used.first(), used.last()) else { return Err(Refused::TooShort) };
    if *is >= 100.0 {
        return Err(Refused::WornOut);
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some years")]
    let days = |from: Timestamp, to: Timestamp| to.since_ms(from) as f64 / DAY_MS;
    if days(*first, *last) < LEAST_DAYS {
        return Err(Refused::TooShort);
    }
    let steps = || used.windows(2).map(|pair| pair[1].1 - pair[0].1);
    let largest = steps().fold(0.0, f64::max);
    if steps().any(|step| step < 0.0) || largest >= JUMP && largest * 2.0 > is - begun {
        return Err(Refused::Steps);
    }
    let mut slopes: Vec<f64> = Vec::new();
    for (n, (from, before)) in used.iter().enumerate() {
        let later = used[n + 1..].iter().filter(|(to, _)| days(*from, *to) >= LEAST_DAYS / 2.0);
        slopes.extend(later.map(|(to, after)| (after - before) / days(*from, *to)));
    }
    slopes.sort_by(f64::total_cmp);
    let at = |tenths: usize| slopes.get((slopes.len() * tenths / 10).min(slopes.len().saturating_sub(1))).copied();
    let (Some(slow), Some(fast)) = (at(1), at(9)) else { return Err(Refused::TooShort) };
    let left = 100.0 - is;
    let end = |slope: f64| {
        let days = left / slope;
        #[expect(clippy::cast_possible_truncation, reason = "at most thirty years in milliseconds")]
        (slope > 0.0 && days <= LONGEST_YEARS * YEAR_DAYS).then(|| last.plus_ms((days * DAY_MS) as i64))
    };
    Ok(Range { from: end(fast).ok_or(Refused::TooSlow)?, to: end(slow) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_ms(days * DAY)
    }

    fn course(days: i64, used: impl Fn(i64) -> f64) -> Vec<(Timestamp, f64)> {
        (0..=days).map(|day| (at(day), used(day))).collect()
    }

    #[test]
    fn steady_wear_ends_when_it_will_and_little_is_known_of_little() {
        // Half a percent a day from 50 %: 80 more days after the twentieth.
        let steady = course(20, |day| 50.0 + 0.5 * day as f64);
        let range = worn_out(&steady).unwrap();
        assert_eq!((range.from, range.to), (at(100), Some(at(100))));
        assert_eq!(worn_out(&steady[..13]), Err(Refused::TooShort));
        assert_eq!(worn_out(&[]), Err(Refused::TooShort));
        assert_eq!(worn_out(&course(30, |_| 12.0)), Err(Refused::TooSlow));
        assert_eq!(worn_out(&course(30, |_| 255.0)), Err(Refused::WornOut));
        assert_eq!(worn_out(&course(30, |day| if day < 15 { 10.0 } else { 30.0 })), Err(Refused::Steps));
        assert_eq!(worn_out(&course(30, |day| 40.0 - day as f64)), Err(Refused::Steps));
        // Whole percents, one each ten days: the range is wide and holds the truth, 100 - 53 percents at 0.1 a day.
        let range = worn_out(&course(35, |day| (50.0 + 0.1 * day as f64).floor())).unwrap();
        let truth = at(35 + 470);
        assert!(range.from <= truth && range.to.is_none_or(|to| to >= truth), "{range:?}");
    }

    proptest! {
        #[test]
        fn whatever_was_read_the_range_is_in_order_and_ahead(
            points in prop::collection::vec((0..60_i64, 0.0..256.0_f64), 0..80),
        ) {
            let mut points: Vec<(Timestamp, f64)> = points.into_iter().map(|(day, used)| (at(day), used)).collect();
            points.sort_by_key(|(at, _)| *at);
            if let Ok(Range { from, to }) = worn_out(&points) {
                prop_assert!(from >= points.last().unwrap().0 && to.is_none_or(|to| to >= from));
            }
        }
    }
}

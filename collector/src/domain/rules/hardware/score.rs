//! How well rules foretold: what they flagged, against what became of the drives.

use super::series::{Limits, RULES, Series, fired};
use crate::domain::reliability::share::Share;

/// What a rule, or all of them, did to drives whose end is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Drives that failed.
    pub failed: u64,
    /// Those of them that were flagged before or on their last day.
    pub failed_flagged: u64,
    /// Drives that survived.
    pub survived: u64,
    /// Those of them that were flagged.
    pub survived_flagged: u64,
    /// Days from the first flag to the failure, for each that was flagged.
    pub leads: Vec<i64>,
}

impl Tally {
    /// Share of failures that were flagged.
    #[must_use]
    pub fn recall(&self) -> Share {
        share(self.failed_flagged, self.failed)
    }

    /// Share of flags that a failure followed.
    #[must_use]
    pub fn precision(&self) -> Share {
        share(self.failed_flagged, self.failed_flagged + self.survived_flagged)
    }

    /// Share of survivors that were flagged.
    #[must_use]
    pub fn alarmed(&self) -> Share {
        share(self.survived_flagged, self.survived)
    }

    /// Days of warning that half of the flagged failures had at least.
    #[must_use]
    pub fn median_lead(&self) -> Option<i64> {
        let mut leads = self.leads.clone();
        leads.sort_unstable();
        leads.get(leads.len() / 2).copied()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of drives")]
fn share(hits: u64, all: u64) -> Share {
    Share::of(hits as f64, all as f64)
}

/// Tallies over all drives: one for each rule in the order of [`RULES`], and one for any of them.
#[must_use]
pub fn tally<'a>(drives: impl IntoIterator<Item = &'a Series>, limits: Limits) -> [Tally; RULES.len() + 1] {
    let mut tallies: [Tally; RULES.len() + 1] = Default::default();
    for series in drives {
        let Some(last) = series.days.last() else { continue };
        let mut first = [None; RULES.len() + 1];
        for (number, day) in series.days.iter().enumerate() {
            let rules = fired(&series.days[..=number], limits);
            let any = rules.iter().any(|is| *is);
            for (first, is) in first.iter_mut().zip(rules.into_iter().chain([any])) {
                *first = first.or_else(|| is.then_some(day.date));
            }
        }
        for (tally, first) in tallies.iter_mut().zip(first) {
            let is_flagged = u64::from(first.is_some());
            if last.has_failed {
                tally.failed += 1;
                tally.failed_flagged += is_flagged;
                tally.leads.extend(first.map(|first| i64::from((last.date - first).get_days())));
            } else {
                tally.survived += 1;
                tally.survived_flagged += is_flagged;
            }
        }
    }
    tallies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilson() {
        // Worked by hand: 81 of 263 (Newcombe 1998, table I: 0.2553 to 0.3662), none of 20 (0 to 0.1611).
        let share = Share::of(81.0, 263.0);
        assert!((share.low - 0.2553).abs() < 5e-4 && (share.high - 0.3662).abs() < 5e-4, "{share:?}");
        let none = Share::of(0.0, 20.0);
        assert!(none.low.abs() < 1e-9 && (none.high - 0.1611).abs() < 5e-4, "{none:?}");
        assert_eq!(Share::of(0.0, 0.0), Share { ratio: 0.0, low: 0.0, high: 1.0 });
    }
}

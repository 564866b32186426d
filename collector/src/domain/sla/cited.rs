//! What reports cite that are kept: whatever was recorded within the times that they are about.
//!
//! Which incidents a report tells of depends on labels as they were then; their time is all that has to be known to keep them.

use jiff::tz::TimeZone;

use super::{handling::NOTICED_WITHIN_MS, period::Period};
use crate::domain::{calendar::Span, time::Timestamp};

/// Periods are of the zone of their agreement, which is up to 14 hours before UTC and 12 after it (tz database).
const ZONES_MS: i64 = 24 * 3_600_000;
/// A period whose name is understood no more lasted at most so long: a year, and a month to ask about it.
const LONGEST_MS: i64 = 400 * 24 * 3_600_000;

/// From when to when something may be cited by a report over the period of this name, reckoned at that time.
#[must_use]
pub fn span(period: &str, reckoned: Timestamp) -> Span {
    let unknown = Span { from: reckoned.plus_ms(-LONGEST_MS), until: reckoned };
    let span = Period::named(period, &TimeZone::UTC, reckoned).map_or(unknown, |period| period.span);
    Span { from: span.from.plus_ms(-ZONES_MS), until: span.until.plus_ms(ZONES_MS + NOTICED_WITHIN_MS) }
}

/// What lies before an instant and is cited by nobody, oldest first. What lies within one of these whole may go.
#[must_use]
pub fn free(mut cited: Vec<Span>, before: Timestamp) -> Vec<Span> {
    cited.sort_by_key(|span| span.from);
    let mut free = Vec::new();
    let mut from = Timestamp::from_ms(i64::MIN);
    for span in cited {
        let until = span.from.min(before);
        if from < until {
            free.push(Span { from, until });
        }
        from = from.max(span.until);
    }
    if from < before {
        free.push(Span { from, until: before });
    }
    free
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_period_is_wide_enough_for_every_zone_and_for_what_was_noticed_the_day_after() {
        for (period, from, until) in [
            ("2026-10", "2026-09-30T00:00:00Z", "2026-11-03T00:00:00Z"),
            ("2024", "2023-12-31T00:00:00Z", "2025-01-03T00:00:00Z"),
            ("2026-10-01..2026-10-15", "2026-09-30T00:00:00Z", "2026-10-18T00:00:00Z"),
            ("30d", "2026-10-31T12:00:00Z", "2026-12-03T12:00:00Z"),
            ("what is this", "2025-10-26T12:00:00Z", "2026-12-03T12:00:00Z"),
        ] {
            let found = span(period, at("2026-12-01T12:00:00Z"));
            assert_eq!(found, Span { from: at(from), until: at(until) }, "{period}");
        }
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let span = (0..400_i64, 1..40_i64).prop_map(|(day, days)| Span {
            from: Timestamp::from_ms(day * DAY_MS),
            until: Timestamp::from_ms((day + days) * DAY_MS),
        });
        proptest::collection::vec(span, 0..8)
    }

    proptest! {
        /// An incident goes if and only if it was over before, and was at no time of any report.
        #[test]
        fn what_is_free_is_all_that_is_old_and_cited_by_nobody(
            cited in spans(), before in 0..450_i64, opened in 0..450_i64, lasted in 0..60_i64,
        ) {
            let before = Timestamp::from_ms(before * DAY_MS);
            let (opened, resolved) = (opened * DAY_MS + 1, (opened + lasted) * DAY_MS + 2);
            let (opened, resolved) = (Timestamp::from_ms(opened), Timestamp::from_ms(resolved));
            let told = cited.iter().any(|span| opened < span.until && resolved > span.from);
            let goes = free(cited, before).iter().any(|free| opened >= free.from && resolved < free.until);
            prop_assert_eq!(goes, resolved < before && !told);
        }
    }
}

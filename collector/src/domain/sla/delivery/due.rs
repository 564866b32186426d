//! Which period of a schedule is to be told of at an instant.

use jiff::tz::TimeZone;

use super::Plan;
use crate::domain::{
    calendar::{Edge, at, date_at},
    sla::period::Period,
    time::Timestamp,
};

/// Most periods that are noted as left out at once; older ones are not told of.
const SKIPPED: usize = 100;

/// A period, and when its report is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The period.
    pub period: Period,
    /// At or after its end.
    pub due: Timestamp,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// Nothing was ever due before: the period that is over counts as told of.
    First(Closed),
    /// A report is to be issued.
    Now {
        /// Over this period.
        closed: Closed,
        /// Older ones that nobody issued in time, oldest first.
        skipped: Vec<Closed>,
    },
}

impl Plan {
    /// The newest period that is due.
    #[must_use]
    pub fn newest(&self, now: Timestamp, zone: &TimeZone) -> Closed {
        let mut closed = self.before(&self.every.at(now, zone), zone);
        while closed.due > now {
            closed = self.before(&closed.period, zone);
        }
        closed
    }

    /// The first that is not due yet.
    #[must_use]
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Closed {
        let after = self.newest(now, zone).period.span.until;
        self.closed(self.every.at(after, zone), zone)
    }

    /// What is to be done, where a report was due `last`.
    #[must_use]
    pub fn due(&self, last: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Due {
        let closed = self.newest(now, zone);
        let Some(last) = last else { return Due::First(closed) };
        if closed.due <= last {
            return Due::Nothing;
        }
        let older = std::iter::successors(Some(self.before(&closed.period, zone)), |closed| {
            Some(self.before(&closed.period, zone))
        });
        let mut skipped: Vec<Closed> = older.take_while(|closed| closed.due > last).take(SKIPPED).collect();
        skipped.reverse();
        Due::Now { closed, skipped }
    }

    fn before(&self, period: &Period, zone: &TimeZone) -> Closed {
        self.closed(self.every.at(period.span.from.plus_ms(-1), zone), zone)
    }

    fn closed(&self, period: Period, zone: &TimeZone) -> Closed {
        let day = date_at(period.span.until, zone);
        let due = at(day, self.at, zone, Edge::Start).max(period.span.until);
        Closed { period, due }
    }
}

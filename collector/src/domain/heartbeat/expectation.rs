//! When a job is expected to have run: each period, by a time of the day in a zone, or after each time at which a crontab or
//! a timer begins it.

use jiff::civil::{Date, Time};

use super::schedule::Schedule;
use crate::domain::{
    calendar::{self, Edge, weekday_word},
    rules::Unit,
    time::Timestamp,
};

/// Days that are looked at for the deadline before or after: a week and one that a change of the clock may take.
const DAYS: usize = 9;
/// A job's clock may be ahead of ours by so much: what it says as early belongs to the run that is due.
const AHEAD_MS: i64 = 2_000;

/// When a success is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// So long after the one before, in milliseconds.
    Every(i64),
    /// By a time of the day.
    By(Deadline),
    /// After each time at which it is begun.
    At(Box<Schedule>),
}

/// A time of the day on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// The zone whose clocks count.
    pub zone: String,
    /// 1 = Monday to 7 = Sunday; none: every day.
    pub weekdays: Vec<i8>,
    /// By when.
    pub time: Time,
}

/// What a success leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// When the next is due.
    pub next: Timestamp,
    /// How long before its deadline it came, where it met one.
    pub lead_ms: Option<i64>,
}

impl Expectation {
    /// When a success is due for a job that says something for the first time and has not succeeded yet.
    #[must_use]
    pub fn first_due(&self, now: Timestamp, grace_ms: i64) -> Timestamp {
        match self {
            Self::Every(period_ms) => now.plus_ms(*period_ms),
            Self::By(deadline) => deadline.after(now.plus_ms(-grace_ms - 1)),
            Self::At(schedule) => schedule.after(now.plus_ms(-grace_ms - 1)),
        }
    }

    /// The first time after `now` at which a run begins, where that is known.
    #[must_use]
    pub fn next_run(&self, now: Timestamp) -> Option<Timestamp> {
        if let Self::At(schedule) = self { Some(schedule.after(now)) } else { None }
    }

    /// The zone whose clocks count, where any does.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Every(_) => None,
            Self::By(deadline) => Some(&deadline.zone),
            Self::At(schedule) => Some(schedule.zone()),
        }
    }

    /// When a success may come that is due at `due`, and came so long before that the last time.
    #[must_use]
    pub fn earliest(&self, due: Timestamp, lead_ms: i64, grace_ms: i64) -> Timestamp {
        match self {
            // It cannot have run before it is begun.
            Self::At(_) => due.plus_ms(-AHEAD_MS),
            Self::Every(_) | Self::By(_) => due.plus_ms(-lead_ms - grace_ms),
        }
    }

    /// What a success does when one was due at `due`.
    ///
    /// One that comes when it is not late yet meets the deadline whose grace it comes in, or the next one. When it is
    /// late it is either the missing one or an early one for the next deadline: whichever is nearer.
    #[must_use]
    pub fn met(&self, due: Option<Timestamp>, now: Timestamp, grace_ms: i64) -> Met {
        let deadline = match self {
            Self::Every(period_ms) => return Met { next: now.plus_ms(*period_ms), lead_ms: Some(0) },
            Self::By(deadline) => deadline,
            // A run by hand in between is none of those that are begun.
            Self::At(schedule) => return Met { next: schedule.after(now.plus_ms(AHEAD_MS)), lead_ms: None },
        };
        let due = due.unwrap_or_else(|| deadline.after(now.plus_ms(-grace_ms - 1)));
        let met = if now <= due.plus_ms(grace_ms) {
            // Another run in the grace of the deadline before meets nothing new.
            if now <= deadline.before(due).plus_ms(grace_ms) {
                return Met { next: due, lead_ms: None };
            }
            due
        } else {
            let (last, next) = (deadline.before(now.plus_ms(1)), deadline.after(now));
            let is_early = now.since_ms(last) > grace_ms && next.since_ms(now) < now.since_ms(last);
            if is_early { next } else { last }
        };
        Met { next: deadline.after(met), lead_ms: Some(met.since_ms(now).max(0)) }
    }

    /// When a success is due when the one due at `due` may have come while nobody listened until `back`.
    #[must_use]
    pub fn due_after_absence(&self, due: Timestamp, back: Timestamp) -> Timestamp {
        match self {
            Self::Every(period_ms) => back.plus_ms(*period_ms),
            Self::By(deadline) => deadline.after(due.max(back)),
            Self::At(schedule) => schedule.after(due.max(back)),
        }
    }

    /// In words: `every 1 d`, `by 03:00 Europe/Berlin on mon, fri`, `at 0 3 * * * Europe/Berlin`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "at most a year in milliseconds")]
            Self::Every(period_ms) => format!("every {}", Unit::Time.show(*period_ms as f64 / 1_000.0)),
            Self::By(deadline) => deadline.words(),
            Self::At(schedule) => schedule.words(),
        }
    }
}

impl Deadline {
    /// The first one after an instant; a time that comes twice is over at its second.
    fn after(&self, now: Timestamp) -> Timestamp {
        let days = |date: &Date| date.tomorrow().ok();
        self.instants(now, -1, days).find(|at| *at > now).unwrap_or(Timestamp::from_ms(i64::MAX / 4))
    }

    /// The last one before an instant.
    fn before(&self, now: Timestamp) -> Timestamp {
        let days = |date: &Date| date.yesterday().ok();
        self.instants(now, 1, days).find(|at| *at < now).unwrap_or_default()
    }

    /// Deadlines day by day, from `first` days beside the date at an instant on.
    fn instants<'a>(
        &'a self,
        now: Timestamp,
        first: i64,
        step: impl Fn(&Date) -> Option<Date> + 'a,
    ) -> impl Iterator<Item = Timestamp> + 'a {
        let zone = calendar::zone(&self.zone);
        let today = zone.as_ref().map(|zone| calendar::date_at(now, zone));
        let begin = today.and_then(|today| today.checked_add(jiff::Span::new().days(first)).ok());
        let fits =
            |date: &Date| self.weekdays.is_empty() || self.weekdays.contains(&date.weekday().to_monday_one_offset());
        std::iter::successors(begin, move |date| step(date))
            .take(DAYS + 1)
            .filter(fits)
            .filter_map(move |date| Some(calendar::at(date, self.time, zone.as_ref()?, Edge::End)))
    }

    fn words(&self) -> String {
        let days: Vec<String> = self.weekdays.iter().map(|day| weekday_word(*day).to_owned()).collect();
        let days = if days.is_empty() { String::new() } else { format!(" on {}", days.join(", ")) };
        format!("by {} {}{days}", self.time.strftime("%H:%M"), self.zone)
    }
}

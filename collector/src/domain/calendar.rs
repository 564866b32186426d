//! Wall-clock times of named zones as instants, over changes of the clock too. Days are stepped as dates, never as hours.
//!
//! The rules (as `GoAlert` and `Alertmanager`'s users expect them): a time that comes twice begins something at its first
//! occurrence and ends it at its last; a time that does not come is the first instant after the gap.

use jiff::{
    civil::{Date, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// How far ahead the next occurrence is looked for, in days: one that comes only on 29 February is found.
const DAYS_AHEAD: usize = 8 * 366 + 1;

/// The night by the clock: from this hour on, and before that one.
pub const NIGHT: (i8, i8) = (22, 7);

/// A full hour by the clock.
#[must_use]
pub const fn hour(hour: i8) -> Time {
    Time::constant(hour, 0, 0, 0)
}

/// Whether it is night by the clocks of a zone.
#[must_use]
pub fn is_night(at: Timestamp, zone: &TimeZone) -> bool {
    let hour = instant(at).to_zoned(zone.clone()).hour();
    hour >= NIGHT.0 || hour < NIGHT.1
}

/// A half-open stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Span {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// Which edge of a stretch a wall-clock time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It begins there.
    Start,
    /// It ends there.
    End,
}

/// The zone of this name, such as `Europe/Berlin`, from the data that the program brings along.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The date that a zone's calendars show at an instant.
#[must_use]
pub fn date_at(at: Timestamp, zone: &TimeZone) -> Date {
    instant(at).to_zoned(zone.clone()).date()
}

/// The dates whose windows may reach into a stretch: its own, and the one before for what goes on over midnight.
pub fn dates(within: Span, zone: &TimeZone) -> impl Iterator<Item = Date> {
    let first = date_at(within.from, zone);
    let last = date_at(within.until, zone);
    let first = first.yesterday().unwrap_or(first);
    std::iter::successors(Some(first), |date| date.tomorrow().ok()).take_while(move |date| *date <= last)
}

/// An instant as jiff has it; out of its range, the end of the range.
#[must_use]
pub fn instant(at: Timestamp) -> jiff::Timestamp {
    let least = if at.ms() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.ms()).unwrap_or(least)
}

/// The instant at which the clocks of a zone show this.
#[must_use]
pub fn at(date: Date, time: Time, zone: &TimeZone, edge: Edge) -> Timestamp {
    let wall = date.to_datetime(time);
    let with = |offset: jiff::tz::Offset| offset.to_timestamp(wall).unwrap_or(jiff::Timestamp::MAX);
    let found = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => with(offset),
        AmbiguousOffset::Fold { before, after } => with(if edge == Edge::Start { before } else { after }),
        // Read with the offset that comes after it, the time lies before the gap: the gap is the next change.
        AmbiguousOffset::Gap { after, .. } => {
            let before = with(after);
            zone.following(before).next().map_or(before, |change| change.timestamp())
        }
    };
    Timestamp::from_ms(found.as_millisecond())
}

/// Days on which something recurs, and from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurring {
    /// The zone whose clocks count.
    pub zone: String,
    /// Days of the week, 1 = Monday to 7 = Sunday; none: every day.
    #[serde(default)]
    pub weekdays: Vec<i8>,
    /// Days of the month, -1 = the last one; none: every day.
    #[serde(default)]
    pub month_days: Vec<i8>,
    /// When it begins.
    pub start: Time,
    /// When it ends; not after `start`: on the day after.
    pub end: Time,
}

impl Recurring {
    /// Every day from midnight to midnight.
    #[must_use]
    pub fn all_day(zone: &str) -> Self {
        let (start, end) = (Time::midnight(), Time::midnight());
        Self { zone: zone.to_owned(), weekdays: Vec::new(), month_days: Vec::new(), start, end }
    }

    /// What is wrong with it, if anything.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if zone(&self.zone).is_none() {
            return Some(format!("zone {:?} is not known: give a name such as Europe/Berlin", self.zone));
        }
        if let Some(day) = self.weekdays.iter().find(|day| !(1..=7).contains(*day)) {
            return Some(format!("weekday {day} is not 1 (Monday) to 7 (Sunday)"));
        }
        let is_day = |day: &i8| (1..=31).contains(day) || (-31..=-1).contains(day);
        self.month_days
            .iter()
            .find(|day| !is_day(day))
            .map(|day| format!("day {day} of the month is not 1 to 31 or -1 (the last) to -31"))
    }

    /// The occurrence that an instant lies in.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Span> {
        let zone = zone(&self.zone)?;
        let today = date_at(now, &zone);
        let yesterday = today.yesterday().unwrap_or(today);
        [today, yesterday].into_iter().filter_map(|date| self.on(date, &zone)).find(|span| span.holds(now))
    }

    /// The occurrences that begin at or after an instant, in order.
    pub fn following(&self, now: Timestamp) -> impl Iterator<Item = Span> {
        let zone = zone(&self.zone);
        let first = zone.as_ref().map(|zone| date_at(now, zone));
        let dates = std::iter::successors(first, |date| date.tomorrow().ok()).take(DAYS_AHEAD);
        dates.filter_map(move |date| self.on(date, zone.as_ref()?)).filter(move |span| span.from >= now)
    }

    /// The occurrence that begins on a date. One that a change of the clock leaves nothing of is none.
    #[must_use]
    pub fn on(&self, date: Date, zone: &TimeZone) -> Option<Span> {
        let weekday = self.weekdays.is_empty() || self.weekdays.contains(&date.weekday().to_monday_one_offset());
        let from_end = date.day() - date.days_in_month() - 1;
        let is_month_day = |day: &i8| *day == date.day() || *day == from_end;
        let month_day = self.month_days.is_empty() || self.month_days.iter().any(is_month_day);
        let last = if self.end > self.start { date } else { date.tomorrow().ok()? };
        let from = at(date, self.start, zone, Edge::Start);
        let until = at(last, self.end, zone, Edge::End);
        (weekday && month_day && from < until).then_some(Span { from, until })
    }

    /// In words: `Mon, Fri 22:00-04:00 Europe/Berlin`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut days: Vec<String> = self.weekdays.iter().map(|day| weekday_word(*day).to_owned()).collect();
        days.extend(self.month_days.iter().map(|day| match day {
            -1 => "last of the month".to_owned(),
            ..-1 => format!("{} from the end of the month", -day),
            _ => format!("{day}. of the month"),
        }));
        let days = if days.is_empty() { "every day".to_owned() } else { days.join(", ") };
        format!("{days} {}-{} {}", self.start.strftime("%H:%M"), self.end.strftime("%H:%M"), self.zone)
    }
}

/// Short English names of the days, Monday first.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The day of the week in words, 1 = Monday.
#[must_use]
pub fn weekday_word(day: i8) -> &'static str {
    usize::try_from(day - 1).ok().and_then(|at| WEEKDAYS.get(at)).copied().unwrap_or("?")
}

/// The day of the week named by `word` (`mon`, `Monday`), 1 = Monday.
#[must_use]
pub fn weekday_of(word: &str) -> Option<i8> {
    let word = word.trim().to_lowercase();
    let place = (0_i8..).zip(WEEKDAYS).find(|(at, short)| {
        let long = Weekday::from_monday_zero_offset(*at).map(|day| format!("{day:?}").to_lowercase());
        word == **short || long.is_ok_and(|long| long == word)
    });
    place.map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn daily(zone: &str, start: &str, end: &str) -> Recurring {
        let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
        Recurring { zone: zone.into(), weekdays: vec![], month_days: vec![], start, end }
    }

    fn hours_on(window: &Recurring, after: &str) -> f64 {
        let span = window.following(ms(after)).next().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "some hours")]
        let hours = span.until.since_ms(span.from) as f64 / 3_600_000.0;
        hours
    }

    #[test]
    fn windows_on_days_of_a_clock_change_are_as_long_as_the_clocks_say() {
        // The worked examples of the specification, and both ways of the hour that is missing or doubled.
        let night = daily("Europe/Berlin", "01:00", "05:00");
        assert!((hours_on(&night, "2026-03-28T23:00:00Z") - 3.0).abs() < 1e-9);
        assert!((hours_on(&night, "2026-10-24T22:00:00Z") - 5.0).abs() < 1e-9);
        let hour = daily("Europe/Berlin", "02:00", "03:00");
        assert!((hours_on(&hour, "2026-10-24T22:00:00Z") - 2.0).abs() < 1e-9);
        let next = hour.following(ms("2026-03-28T23:00:00Z")).next().unwrap();
        assert_eq!(next.from, ms("2026-03-30T00:00:00Z"), "nothing is left of it on the day in spring");
    }

    #[test]
    fn a_time_that_does_not_come_is_the_first_instant_after_the_gap() {
        let window = daily("Europe/Berlin", "02:30", "04:00");
        let span = window.following(ms("2026-03-28T23:00:00Z")).next().unwrap();
        assert_eq!(span, Span { from: ms("2026-03-29T01:00:00Z"), until: ms("2026-03-29T02:00:00Z") });
        // Midnight itself is missing on the day that summer begins in Cairo.
        let day = daily("Africa/Cairo", "00:00", "00:00");
        let span = day.following(ms("2026-04-23T21:00:00Z")).next().unwrap();
        assert_eq!(span, Span { from: ms("2026-04-23T22:00:00Z"), until: ms("2026-04-24T21:00:00Z") });
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let friday = Recurring { weekdays: vec![5], ..daily("Europe/Berlin", "22:00", "06:00") };
        let night = Span { from: ms("2026-11-27T21:00:00Z"), until: ms("2026-11-28T05:00:00Z") };
        assert_eq!(friday.at(ms("2026-11-28T04:59:59.999Z")), Some(night));
        assert_eq!(friday.at(ms("2026-11-27T21:00:00Z")), Some(night));
        assert_eq!(friday.at(ms("2026-11-28T05:00:00Z")), None);
        assert_eq!(friday.at(ms("2026-11-27T04:00:00Z")), None, "that night began on a Thursday");
    }

    #[test]
    fn days_of_the_month_count_from_either_end() {
        let last = Recurring { month_days: vec![-1], ..daily("UTC", "20:00", "22:00") };
        let starts: Vec<Timestamp> = last.following(ms("2028-01-31T21:00:00Z")).take(2).map(|span| span.from).collect();
        assert_eq!(starts, [ms("2028-02-29T20:00:00Z"), ms("2028-03-31T20:00:00Z")]);
        let thirteenth = Recurring { month_days: vec![13], weekdays: vec![5], ..daily("UTC", "00:00", "01:00") };
        assert_eq!(thirteenth.following(ms("2026-01-01T00:00:00Z")).next().unwrap().from, ms("2026-02-13T00:00:00Z"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let day = daily("Europe/Berlin", "01:00", "02:00");
        assert_eq!(day.trouble(), None);
        assert!(Recurring { zone: "Berlin".into(), ..day.clone() }.trouble().unwrap().contains("Europe/Berlin"));
        assert!(Recurring { weekdays: vec![0], ..day.clone() }.trouble().unwrap().contains("1 (Monday)"));
        assert!(Recurring { month_days: vec![32], ..day }.trouble().unwrap().contains("1 to 31"));
        assert_eq!((weekday_of("Mon"), weekday_of("sunday"), weekday_of("someday")), (Some(1), Some(7), None));
    }
}

//! Periods of an agreement: months and years as its calendar has them, never a number of seconds.

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::domain::{
    calendar::{Edge, Span, at, date_at},
    time::Timestamp,
};

/// Longest rolling period, in days: what a year and a month need.
const ROLLING_DAYS: i32 = 400;

/// Over which time a promise is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// From midnight to midnight.
    Day,
    /// From Monday on.
    Week,
    /// A calendar month.
    Month,
    /// Three months, from January on.
    Quarter,
    /// A calendar year.
    Year,
    /// The last so many days, to the same time of the day.
    Rolling(i32),
}

/// A stretch of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// `2026`, `2026-Q4`, `2026-10`, `2026-W44`, `2026-10-25`, `30d`.
    pub name: String,
    /// From its first instant to the one after its last.
    pub span: Span,
}

impl Length {
    /// What a length has to look like.
    pub const EXPECTED: &str = "one of day, week, month, quarter, year, or the last days such as 30d (1d to 400d)";

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let fixed = match word {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            rolling => {
                let days: i32 = rolling.strip_suffix('d')?.parse().ok()?;
                return (1..=ROLLING_DAYS).contains(&days).then_some(Self::Rolling(days));
            }
        };
        Some(fixed)
    }

    /// As files write it.
    #[must_use]
    pub fn word(self) -> String {
        match self {
            Self::Day => "day".into(),
            Self::Week => "week".into(),
            Self::Month => "month".into(),
            Self::Quarter => "quarter".into(),
            Self::Year => "year".into(),
            Self::Rolling(days) => format!("{days}d"),
        }
    }

    /// The period in which an instant lies; a rolling one ends there.
    #[must_use]
    pub fn at(self, now: Timestamp, zone: &TimeZone) -> Period {
        let today = date_at(now, zone);
        let (first, next, name) = match self {
            Self::Day => (today, today.saturating_add(1.day()), today.to_string()),
            Self::Week => {
                let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
                let week = monday.iso_week_date();
                (monday, monday.saturating_add(7.days()), format!("{}-W{:02}", week.year(), week.week()))
            }
            Self::Month => {
                let first = today.first_of_month();
                (first, first.saturating_add(1.month()), format!("{}-{:02}", first.year(), first.month()))
            }
            Self::Quarter => {
                let quarter = (today.month() - 1) / 3;
                let into = i64::from(today.month() - 1 - quarter * 3);
                let first = today.first_of_month().saturating_sub(into.months());
                (first, first.saturating_add(3.months()), format!("{}-Q{}", first.year(), quarter + 1))
            }
            Self::Year => {
                let first = today.first_of_year();
                (first, first.saturating_add(1.year()), first.year().to_string())
            }
            Self::Rolling(days) => {
                let wall = zone.to_datetime(crate::domain::calendar::instant(now));
                let first = wall.date().saturating_sub(i64::from(days).days());
                let from = at(first, wall.time(), zone, Edge::Start);
                return Period { name: self.word(), span: Span { from, until: now } };
            }
        };
        Period { name, span: whole_days(first, next, zone) }
    }
}

impl Period {
    /// What the name of a period has to look like.
    pub const EXPECTED: &str = "a year 2026, a quarter 2026-Q4, a month 2026-10, a week 2026-W44, a day 2026-10-25, days 2026-10-01..2026-10-15 or \
         the last days 30d";

    /// The period of this name at an instant, up to which the last so many days (`30d`) reach.
    #[must_use]
    pub fn named(name: &str, zone: &TimeZone, now: Timestamp) -> Option<Self> {
        match Length::parse(name) {
            Some(length @ Length::Rolling(_)) => Some(length.at(now, zone)),
            _ => Self::parse(name, zone),
        }
    }

    /// The period of this name. Both dates of `A..B` belong to it.
    #[must_use]
    pub fn parse(name: &str, zone: &TimeZone) -> Option<Self> {
        if let Some((first, last)) = name.split_once("..") {
            let (first, last): (Date, Date) = (date(first)?, date(last)?);
            let span = (first <= last).then(|| whole_days(first, last.saturating_add(1.day()), zone))?;
            return Some(Self { name: name.to_owned(), span });
        }
        let (length, day) = match name.split_once('-') {
            None => (Length::Year, date(&format!("{name}-01-01"))?),
            Some((year, quarter)) if quarter.starts_with('Q') => {
                let quarter: u8 = quarter[1..].parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
                (Length::Quarter, date(&format!("{year}-{:02}-01", quarter * 3 - 2))?)
            }
            Some((year, week)) if week.starts_with('W') => {
                let (year, week): (i16, i8) = (year.parse().ok()?, week[1..].parse().ok()?);
                (Length::Week, jiff::civil::ISOWeekDate::new(year, week, jiff::civil::Weekday::Monday).ok()?.date())
            }
            Some(_) if name.len() == "2026-10".len() => (Length::Month, date(&format!("{name}-01"))?),
            Some(_) => (Length::Day, date(name)?),
        };
        let period = length.at(at(day, Time::midnight(), zone, Edge::Start), zone);
        // A date that a zone has left out has no instants; what lies there belongs to the next.
        (period.name == name).then_some(period)
    }

    /// What of it lies before an instant; none where nothing does.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Span> {
        let span = Span { until: self.span.until.min(now), ..self.span };
        (span.from < span.until).then_some(span)
    }
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok().filter(|_| text.len() == "2026-10-25".len())
}

fn whole_days(first: Date, next: Date, zone: &TimeZone) -> Span {
    let midnight = |date| at(date, Time::midnight(), zone, Edge::Start);
    Span { from: midnight(first), until: midnight(next) }
}

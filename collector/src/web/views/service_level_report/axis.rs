//! The axis of time under the pictures of a report: hours, days, weeks or months, as the calendar of the agreement has them.

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::domain::{
    calendar::{self, Edge, Span, date_at},
    time::Timestamp,
};

const DAY_MS: i64 = 86_400_000;

/// A mark, and the name of what begins there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    /// Where it stands.
    pub(super) x: i64,
    /// Where its name stands, in the middle of it.
    pub(super) middle: i64,
    pub(super) name: String,
    /// A Monday among days, a January among months.
    pub(super) strong: bool,
}

/// A stretch of time, laid over so many units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) span: Span,
    pub(super) left: i64,
    pub(super) width: i64,
}

impl Scale {
    /// Where an instant stands.
    pub(super) fn x(&self, at: Timestamp) -> i64 {
        let length = self.span.until.since_ms(self.span.from).max(1);
        let within = at.since_ms(self.span.from).clamp(0, length);
        let place = i128::from(within) * i128::from(self.width) / i128::from(length);
        self.left + i64::try_from(place).unwrap_or(0)
    }

    /// Its marks: as many as can be read.
    pub(super) fn ticks(&self, zone: &TimeZone) -> Vec<Tick> {
        let days = self.span.until.since_ms(self.span.from) / DAY_MS;
        let begins: Vec<(Timestamp, String, bool)> = match days {
            0..=2 => hours(self.span, zone),
            3..=45 => self.days(zone),
            46..=125 => weeks(self.span, zone),
            _ => months(self.span, zone),
        };
        let ends = begins.iter().skip(1).map(|(at, ..)| *at).chain([self.span.until]);
        let tick = |((at, name, strong), end): (&(Timestamp, String, bool), Timestamp)| Tick {
            x: self.x(*at),
            middle: i64::midpoint(self.x(*at), self.x(end)),
            name: name.clone(),
            strong: *strong,
        };
        let mut ticks: Vec<Tick> = begins.iter().zip(ends).map(tick).collect();
        // Where too little of the first or last one is left, its name would lie over the next.
        for at in [0, ticks.len().saturating_sub(1)] {
            let usual = self.width / i64::try_from(ticks.len().max(1)).unwrap_or(1);
            if let Some(tick) = ticks.get_mut(at).filter(|tick| (tick.middle - tick.x) * 4 < usual) {
                tick.name.clear();
            }
        }
        ticks
    }

    fn days(&self, zone: &TimeZone) -> Vec<(Timestamp, String, bool)> {
        let day = |date: Date| (date.day().to_string(), date.weekday() == jiff::civil::Weekday::Monday);
        beginning(self.span, zone, |date| date.tomorrow().ok(), date_at(self.span.from, zone), day)
    }
}

/// The beginnings of dates from `first` on.
fn beginning(
    span: Span,
    zone: &TimeZone,
    next: impl Fn(Date) -> Option<Date>,
    first: Date,
    name: impl Fn(Date) -> (String, bool),
) -> Vec<(Timestamp, String, bool)> {
    let dates = std::iter::successors(Some(first), |date| next(*date));
    let begins = dates.map(|date| (calendar::at(date, Time::midnight(), zone, Edge::Start), date));
    let within = begins.take_while(|(at, _)| *at < span.until);
    within
        .map(|(at, date)| {
            let (name, strong) = name(date);
            (at.max(span.from), name, strong)
        })
        .collect()
}

fn hours(span: Span, zone: &TimeZone) -> Vec<(Timestamp, String, bool)> {
    let dates = calendar::dates(span, zone);
    let hours = dates.flat_map(|date| [0_i8, 6, 12, 18].map(|hour| (date, calendar::hour(hour))));
    hours
        .map(|(date, time)| {
            let name = if time == Time::midnight() { date.strftime("%-d %b") } else { time.strftime("%H:%M") };
            (calendar::at(date, time, zone, Edge::Start), name.to_string(), time == Time::midnight())
        })
        .filter(|(at, ..)| span.holds(*at))
        .collect()
}

fn weeks(span: Span, zone: &TimeZone) -> Vec<(Timestamp, String, bool)> {
    let first = date_at(span.from, zone);
    let monday = first.saturating_sub(i64::from(first.weekday().to_monday_zero_offset()).days());
    let name = |date: Date| (format!("W{:02}", date.iso_week_date().week()), false);
    beginning(span, zone, |date| date.checked_add(7.days()).ok(), monday, name)
}

fn months(span: Span, zone: &TimeZone) -> Vec<(Timestamp, String, bool)> {
    let name = |date: Date| (date.strftime("%b").to_string(), date.month() == 1);
    beginning(span, zone, |date| date.checked_add(1.month()).ok(), date_at(span.from, zone).first_of_month(), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{calendar::zone, sla::period::Period};

    fn ticks(period: &str) -> Vec<Tick> {
        let berlin = zone("Europe/Berlin").unwrap();
        let span = Period::parse(period, &berlin).unwrap().span;
        Scale { span, left: 0, width: 745 }.ticks(&berlin)
    }

    fn names(period: &str) -> Vec<String> {
        ticks(period).into_iter().map(|tick| tick.name).collect()
    }

    #[test]
    fn a_month_has_its_days_and_the_longest_of_them_is_as_wide_as_it_was_long() {
        let october = ticks("2026-10");
        assert_eq!((october.len(), october[0].name.as_str(), october[30].name.as_str()), (31, "1", "31"));
        // One unit an hour: the 25th has 25 of them.
        assert_eq!((october[24].x, october[25].x), (24 * 24, 24 * 24 + 25));
        let mondays: Vec<&str> = october.iter().filter(|tick| tick.strong).map(|tick| tick.name.as_str()).collect();
        assert_eq!(mondays, ["5", "12", "19", "26"]);
    }

    #[test]
    fn a_day_has_hours_a_quarter_weeks_and_a_year_months() {
        assert_eq!(names("2026-10-25"), ["25 Oct", "06:00", "12:00", "18:00"]);
        let quarter = names("2026-Q4");
        assert_eq!((quarter[1].as_str(), quarter[13].as_str(), quarter.len()), ("W41", "W53", 14));
        assert_eq!(names("2026")[..3], ["Jan", "Feb", "Mar"]);
        assert_eq!(names("2026").len(), 12);
    }

    #[test]
    fn what_is_too_narrow_for_its_name_has_none() {
        // The first of these weeks is a Sunday.
        assert_eq!(names("2026-11-01..2027-01-31")[..2], ["", "W45"]);
    }
}

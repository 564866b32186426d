//! When a job is begun by a crontab or a systemd timer: fields of the clock and the calendar of a zone, over changes of the
//! clock too.
//!
//! As Debian's cron has it: what is begun at fixed times is begun once on each of its days, at the first occurrence of a time
//! that comes twice, and right after the gap where its time does not come. What is begun each so many minutes or hours (a
//! wildcard in either) goes by the time that passes.

mod cron;
mod on_calendar;
#[cfg(test)]
mod tests;

use jiff::{
    ToSpan as _,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::domain::{
    calendar::{self, Edge},
    time::Timestamp,
};

/// Days that are looked at: the 29th of February falls on each day of the week within 40 years, over a century too.
const DAYS: usize = 40 * 366;
/// Steps of a minute, an hour or a day that are looked at before a wildcard is given up; a day has 84 at most.
const STEPS: usize = DAYS + 200;

/// When runs begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// As it was written.
    text: String,
    zone: String,
    moments: Moments,
}

/// Fields that a moment has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moments {
    second: i8,
    minutes: Set,
    hours: Set,
    /// Days of the month.
    days: Set,
    /// The same, counted from its end: 1 is the last.
    last_days: Set,
    months: Set,
    /// 1 = Monday to 7 = Sunday.
    weekdays: Set,
    /// First, last and step; none: every year.
    years: Vec<(i16, i16, i16)>,
    /// Whether a day that fits either the month or the week is enough, as cron has it where both are given.
    either_day: bool,
    /// Whether minutes or hours are a wildcard.
    is_wild: bool,
}

/// Numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Set(u64);

impl Set {
    fn range(first: u8, last: u8, step: u8) -> Self {
        Self((first..=last).step_by(usize::from(step.max(1))).fold(0, |all, number| all | 1 << number))
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| number < 64 && self.0 >> number & 1 == 1)
    }

    fn numbers(self) -> impl Iterator<Item = i8> + Clone {
        (0..64).filter(move |number| self.has(*number))
    }
}

impl Schedule {
    /// The five fields of a crontab, or a word such as `@daily`.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn cron(text: &str, zone: &str) -> Result<Self, String> {
        Self::of(text, zone, cron::moments(text)?)
    }

    /// `OnCalendar` of a systemd timer, which may name its zone.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn on_calendar(text: &str, zone: Option<&str>) -> Result<Self, String> {
        let (moments, named) = on_calendar::moments(text)?;
        match (named, zone) {
            (Some(named), Some(zone)) if named != zone => {
                Err(format!("no zone here but that of the key zone, {zone}, not {named}"))
            }
            (None, None) => Err("a zone at its end such as Europe/Berlin, or the key zone".into()),
            (Some(zone), _) => Self::of(text, &zone, moments),
            (None, Some(zone)) => Self::of(text, zone, moments),
        }
    }

    fn of(text: &str, zone: &str, moments: Moments) -> Result<Self, String> {
        let from = Date::constant(2024, 1, 1);
        if !days_from(from).any(|date| moments.fit_day(date)) {
            return Err("days that come: no day from 2024 on fits".into());
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { text, zone: zone.to_owned(), moments })
    }

    /// When a run begins next, strictly after an instant; far in the future where none does.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Timestamp {
        let found = calendar::zone(&self.zone).and_then(|zone| {
            if self.moments.is_wild { self.wild_after(now, &zone) } else { self.fixed_after(now, &zone) }
        });
        found.unwrap_or(Timestamp::from_ms(i64::MAX / 4))
    }

    /// Day by day: each fixed time of a day that fits is one instant.
    fn fixed_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let moments = &self.moments;
        let times = || {
            let of_hour = |hour| moments.minutes.numbers().map(move |minute| (hour, minute));
            moments.hours.numbers().flat_map(of_hour)
        };
        let on = |date: Date| {
            let instant = |(hour, minute)| {
                let time = Time::new(hour, minute, moments.second, 0).ok()?;
                Some(calendar::at(date, time, zone, Edge::Start))
            };
            // Times within a gap are all the instant after it.
            times().filter_map(instant).filter(|at| *at > now).min()
        };
        let today = calendar::date_at(now, zone);
        days_from(today.yesterday().unwrap_or(today)).filter(|date| moments.fit_day(*date)).find_map(on)
    }

    /// Through the time that passes, leaping over days and hours that do not fit.
    fn wild_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let moments = &self.moments;
        let begin = calendar::instant(now).to_zoned(zone.clone());
        let mut at = begin.with().second(moments.second).subsec_nanosecond(0).build().ok()?;
        if at <= begin {
            at = at.checked_add(1.minute()).ok()?;
        }
        for _ in 0..STEPS {
            let (hour_fits, minute_fits) = (moments.hours.has(at.hour()), moments.minutes.has(at.minute()));
            if !moments.fit_day(at.date()) {
                let midnight = at.tomorrow().ok()?.start_of_day().ok()?;
                at = midnight.checked_add(i64::from(moments.second).seconds()).ok()?;
            } else if !hour_fits {
                at = at.checked_add((60 - i64::from(at.minute())).minutes()).ok()?;
            } else if !minute_fits {
                at = at.checked_add(1.minute()).ok()?;
            } else {
                return Some(Timestamp::from_ms(at.timestamp().as_millisecond()));
            }
        }
        None
    }

    /// The zone whose clocks count.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// In words: `at 0 3 * * 1-5 Europe/Berlin`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { text, zone, .. } = self;
        if text.ends_with(zone.as_str()) { format!("at {text}") } else { format!("at {text} {zone}") }
    }
}

impl Moments {
    fn fit_day(&self, date: Date) -> bool {
        let fits_year = |(first, last, step): &(i16, i16, i16)| {
            (*first..=*last).contains(&date.year()) && (date.year() - first) % step == 0
        };
        let from_end = date.days_in_month() - date.day() + 1;
        let month_day = self.days.has(date.day()) || self.last_days.has(from_end);
        let weekday = self.weekdays.has(date.weekday().to_monday_one_offset());
        let day = if self.either_day { month_day || weekday } else { month_day && weekday };
        day && self.months.has(date.month()) && (self.years.is_empty() || self.years.iter().any(fits_year))
    }
}

fn days_from(first: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |date| date.tomorrow().ok()).take(DAYS)
}

/// A whole number from `least` to `most`, of a field called `what`.
fn number(text: &str, what: &str, least: u8, most: u8) -> Result<u8, String> {
    let is_plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_plain && (least..=most).contains(number));
    number.ok_or_else(|| format!("{what} from {least} to {most}, not {text:?}"))
}

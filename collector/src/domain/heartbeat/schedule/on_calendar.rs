//! `OnCalendar` of systemd's timers: `[DAYS OF THE WEEK] [YEAR-MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]` (systemd.time(7)).

use super::{Moments, Set, number};
use crate::domain::calendar;

const EXPECTED: &str =
    "days of the week, a date and a time of which some may be left out, such as \"Mon..Fri *-*-* 03:00\"";
const WORDS: [(&str, &str); 9] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
];
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// The moments, and the zone if one is named.
pub(super) fn moments(text: &str) -> Result<(Moments, Option<String>), String> {
    let mut parts: Vec<&str> = text.split_whitespace().collect();
    let is_zone = |part: &&str| part.contains('/') && part.starts_with(char::is_alphabetic) || *part == "UTC";
    let zone = parts.pop_if(|part| is_zone(&&**part)).map(str::to_owned);
    if let Some(unknown) = zone.as_deref().filter(|zone| calendar::zone(zone).is_none()) {
        return Err(format!("the name of a zone such as Europe/Berlin, not {unknown:?}"));
    }
    if let [word] = parts.as_slice()
        && let Some((_, spelled)) = WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known))
    {
        parts = spelled.split_whitespace().collect();
    }
    if parts.is_empty() {
        return Err(EXPECTED.into());
    }
    let mut parts = parts.into_iter().peekable();
    let weekdays = match parts.next_if(|part| part.starts_with(char::is_alphabetic)) {
        Some(part) => weekdays(part)?,
        None => Set::range(1, 7, 1),
    };
    let date = parts.next_if(|part| !part.contains(':')).unwrap_or("*-*-*");
    let time = parts.next().unwrap_or("00:00:00");
    if let Some(more) = parts.next() {
        return Err(format!("{EXPECTED}, not {more:?} after them"));
    }
    let mut moments = Moments { weekdays, ..of_time(time)? };
    of_date(date, &mut moments)?;
    Ok((moments, zone))
}

fn of_time(text: &str) -> Result<Moments, String> {
    let fields: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match fields.as_slice() {
        [hour, minute] => (*hour, *minute, "0"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return Err(format!("a time such as 03:00 or *:0/15, not {text:?}")),
    };
    let second = number(second, "one second", 0, 59)?;
    Ok(Moments {
        second: i8::try_from(second).unwrap_or_default(),
        minutes: set(minute, "a minute", 0, 59)?,
        hours: set(hour, "an hour", 0, 23)?,
        days: Set::default(),
        last_days: Set::default(),
        months: Set::default(),
        weekdays: Set::default(),
        years: Vec::new(),
        either_day: false,
        is_wild: hour.contains(['*', '/']) || minute.contains('*'),
    })
}

/// `YEAR-MONTH-DAY` or `MONTH-DAY`; `~` instead of the last `-` counts the days from the end of the month.
fn of_date(text: &str, moments: &mut Moments) -> Result<(), String> {
    let expected = || format!("a date such as *-*-01 or 2026-12-24, not {text:?}");
    let (before, day, from_end) = match text.rsplit_once(['-', '~']) {
        Some((before, day)) => (before, day, text[before.len()..].starts_with('~')),
        None => return Err(expected()),
    };
    let (year, month) = before.split_once('-').unwrap_or(("*", before));
    if month.is_empty() || month.contains('-') {
        return Err(expected());
    }
    moments.months = set(month, "a month", 1, 12)?;
    moments.years = years(year)?;
    if from_end {
        moments.last_days = days_from_end(day)?;
    } else {
        moments.days = set(day, "a day of the month", 1, 31)?;
    }
    Ok(())
}

/// `Mon`, `Sat,Sun`, `Mon..Fri`.
fn weekdays(text: &str) -> Result<Set, String> {
    let day = |word: &str| {
        let day = calendar::weekday_of(word).and_then(|day| u8::try_from(day).ok());
        day.ok_or_else(|| format!("days of the week such as Mon..Fri,Sun, not {word:?}"))
    };
    text.split(',').filter(|part| !part.is_empty()).try_fold(Set::default(), |all, part| {
        let (first, last) = match part.split_once("..") {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        // A week has no end: Sat..Mon is three days.
        let days = if first <= last {
            Set::range(first, last, 1)
        } else {
            Set::range(first, 7, 1).with(Set::range(1, last, 1))
        };
        Ok(all.with(days))
    })
}

/// A list of `*`, numbers, `A..B` and steps `A/N`, `A..B/N`.
fn set(text: &str, what: &str, least: u8, most: u8) -> Result<Set, String> {
    text.split(',').try_fold(Set::default(), |all, part| {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, "a step", 1, most)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once("..") {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first, what, least, most)?, number(last, what, least, most)?),
            None => {
                let first = number(range, what, least, most)?;
                (first, if step.is_some() { most } else { first })
            }
        };
        if first > last {
            return Err(format!("a range upwards, not {range:?}"));
        }
        Ok(all.with(Set::range(first, last, step.unwrap_or(1))))
    })
}

/// `1` is the last day of the month; `7/1` are the last seven.
fn days_from_end(text: &str) -> Result<Set, String> {
    let what = "a day from the end of the month";
    text.split(',').try_fold(Set::default(), |all, part| {
        let (first, step) = match part.split_once('/') {
            Some((first, step)) => (number(first, what, 1, 31)?, Some(number(step, "a step", 1, 31)?)),
            None => (number(part, what, 1, 31)?, None),
        };
        let least = step.map_or(first, |step| (first - 1) % step + 1);
        Ok(all.with(Set::range(least, first, step.unwrap_or(1))))
    })
}

fn years(text: &str) -> Result<Vec<(i16, i16, i16)>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let year = |text: &str| {
        let year = text.parse().ok().filter(|year| YEARS.contains(year));
        year.ok_or_else(|| format!("a year from {} to {}, not {text:?}", YEARS.start(), YEARS.end()))
    };
    let one = |part: &str| -> Result<(i16, i16, i16), String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(i16::from(number(step, "a step", 1, 100)?))),
            None => (part, None),
        };
        let (first, last) = match range.split_once("..") {
            Some((first, last)) => (year(first)?, year(last)?),
            None => (year(range)?, if step.is_some() { *YEARS.end() } else { year(range)? }),
        };
        Ok((first, last, step.unwrap_or(1)))
    };
    text.split(',').map(one).collect()
}

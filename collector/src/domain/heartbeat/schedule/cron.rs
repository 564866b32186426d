//! The five fields of a crontab: minute, hour, day of the month, month, day of the week (crontab(5) of Debian's cron).

use super::{Moments, Set, number};

const EXPECTED: &str =
    "five fields: minute, hour, day of the month, month, day of the week, such as \"0 3 * * mon-fri\"";
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const WORDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// One of the fields.
struct Field {
    what: &'static str,
    least: u8,
    most: u8,
    /// Names of its numbers, from `least` on.
    names: &'static [&'static str],
}

pub(super) fn moments(text: &str) -> Result<Moments, String> {
    let text = text.trim();
    let text = WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map_or(text, |(_, fields)| *fields);
    if text.starts_with('@') {
        let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
        return Err(format!("one of {}, or {EXPECTED}", words.join(", ")));
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!("{EXPECTED}; there are {}", fields.len()));
    };
    let plain = |what, least, most| Field { what, least, most, names: &[] };
    let week = plain_week(Field { names: &WEEKDAYS, ..plain("a day of the week", 0, 7) }.read(weekday)?);
    let is_wild = |field: &str| field.starts_with('*');
    Ok(Moments {
        second: 0,
        minutes: plain("a minute", 0, 59).read(minute)?,
        hours: plain("an hour", 0, 23).read(hour)?,
        days: plain("a day of the month", 1, 31).read(day)?,
        last_days: Set::default(),
        months: Field { names: &MONTHS, ..plain("a month", 1, 12) }.read(month)?,
        weekdays: week,
        years: Vec::new(),
        either_day: !is_wild(day) && !is_wild(weekday),
        is_wild: is_wild(minute) || is_wild(hour),
    })
}

/// Sunday is 0 and 7 there, and 7 here.
const fn plain_week(week: Set) -> Set {
    if week.0 & 1 == 1 { Set(week.0 | 1 << 7) } else { week }
}

impl Field {
    /// A list of numbers, names, ranges and steps.
    fn read(&self, text: &str) -> Result<Set, String> {
        text.split(',').try_fold(Set::default(), |all, part| Ok(all.with(self.part(part)?)))
    }

    fn part(&self, text: &str) -> Result<Set, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step, "a step", 1, self.most)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => {
                let (first, last) = (self.value(first)?, self.value(last)?);
                // Sunday ends a week as well as it begins one.
                (first, if last == 0 && first > 0 { 7 } else { last })
            }
            None if step.is_some() => {
                return Err(format!(
                    "a step after * or a range, such as */{0} or 0-30/{0}, not {text:?}",
                    step.unwrap_or(5)
                ));
            }
            None => (self.value(range)?, self.value(range)?),
        };
        if first > last {
            return Err(format!("a range upwards, not {range:?}"));
        }
        Ok(Set::range(first, last, step.unwrap_or(1)))
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let named = (self.least..).zip(self.names).find(|(_, name)| text.eq_ignore_ascii_case(name));
        named.map_or_else(|| number(text, self.what, self.least, self.most), |(number, _)| Ok(number))
    }
}

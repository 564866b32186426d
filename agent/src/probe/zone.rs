//! Time zone files (RFC 9636): the name of the zone and its offset at one instant.

/// Bytes of a header, and where its six counts begin.
const HEADER: usize = 44;
const COUNTS: usize = 20;
const DAY_S: i64 = 86_400;

/// Name and seconds east of UTC at `at_s`, seconds since the epoch. `None` for what is no such file.
pub(crate) fn at(file: &[u8], at_s: i64) -> Option<(&str, i32)> {
    let first = Block::parse(file, 4)?;
    // Version 1 has times of 4 bytes only; later ones repeat all with 8 and add a rule for the time after them.
    let (block, footer) = match file.get(4)? {
        0 => (first, None),
        _ => {
            let rest = file.get(first.bytes..)?;
            let block = Block::parse(rest, 8)?;
            let footer = rest.get(block.bytes..)?.strip_prefix(b"\n")?.split(|byte| *byte == b'\n').next()?;
            (block, std::str::from_utf8(footer).ok().filter(|rule| !rule.is_empty()))
        }
    };
    let transitions = block.transitions_until(at_s)?;
    if transitions == block.counts.transitions
        && let Some(rule) = footer
    {
        return rule_at(rule, at_s);
    }
    // Before the first transition the first type holds.
    let kind = match transitions.checked_sub(1) {
        Some(last) => usize::from(*block.kinds.get(last)?),
        None => 0,
    };
    block.kind(kind)
}

#[derive(Default)]
struct Counts {
    transitions: usize,
    kinds: usize,
    characters: usize,
}

/// The data of one version.
struct Block<'a> {
    counts: Counts,
    width: usize,
    times: &'a [u8],
    kinds: &'a [u8],
    records: &'a [u8],
    names: &'a [u8],
    /// Header included.
    bytes: usize,
}

impl<'a> Block<'a> {
    fn parse(file: &'a [u8], width: usize) -> Option<Self> {
        let header = file.get(..HEADER).filter(|header| header.starts_with(b"TZif"))?;
        let count = |place: usize| {
            let bytes = header.get(COUNTS + place * 4..COUNTS + place * 4 + 4)?;
            usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
        };
        let (ut, standard, leaps) = (count(0)?, count(1)?, count(2)?);
        let counts = Counts { transitions: count(3)?, kinds: count(4)?, characters: count(5)? };
        let mut at = HEADER;
        let mut take = |length: Option<usize>| {
            let from = at;
            at = at.checked_add(length?)?;
            file.get(from..at)
        };
        let times = take(counts.transitions.checked_mul(width))?;
        let kinds = take(Some(counts.transitions))?;
        let records = take(counts.kinds.checked_mul(6))?;
        let names = take(Some(counts.characters))?;
        take(leaps.checked_mul(width + 4))?;
        take(standard.checked_add(ut))?;
        Some(Self { counts, width, times, kinds, records, names, bytes: at })
    }

    /// How many transitions there were until `at_s`.
    fn transitions_until(&self, at_s: i64) -> Option<usize> {
        let time = |bytes: &[u8]| match bytes.try_into() {
            Ok(eight) => i64::from_be_bytes(eight),
            Err(_) => bytes.try_into().map_or(i64::MAX, |four| i64::from(i32::from_be_bytes(four))),
        };
        let (mut low, mut high) = (0, self.counts.transitions);
        while low < high {
            let middle = low.midpoint(high);
            let bytes = self.times.get(middle * self.width..(middle + 1) * self.width)?;
            if time(bytes) <= at_s { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    fn kind(&self, kind: usize) -> Option<(&'a str, i32)> {
        let record = self.records.get(kind * 6..kind * 6 + 6)?;
        let offset_s = i32::from_be_bytes(record.get(..4)?.try_into().ok()?);
        let name = self.names.get(usize::from(record[5])..)?.split(|byte| *byte == 0).next()?;
        Some((std::str::from_utf8(name).ok()?, offset_s))
    }
}

/// A rule of POSIX.1 (`TZ` of its chapter 8), `CET-1CEST,M3.5.0,M10.5.0/3`.
fn rule_at(rule: &str, at_s: i64) -> Option<(&str, i32)> {
    let mut rest = rule;
    let standard = (take_name(&mut rest)?, -take_time(&mut rest)?);
    if rest.is_empty() {
        return Some(standard).and_then(whole);
    }
    let name = take_name(&mut rest)?;
    let offset_s = if rest.starts_with(',') { standard.1 + 3600 } else { -take_time(&mut rest)? };
    let (start, end) = rest.strip_prefix(',')?.split_once(',')?;
    let year = year_of(at_s.checked_add(standard.1)?.div_euclid(DAY_S));
    // Each change is told in the local time before it.
    let start_s = change_s(start, year)? - standard.1;
    let end_s = change_s(end, year)? - offset_s;
    let summer = if start_s < end_s {
        (start_s..end_s).contains(&at_s)
    } else {
        // South of the equator the year begins in summer.
        !(end_s..start_s).contains(&at_s)
    };
    Some(if summer { (name, offset_s) } else { standard }).and_then(whole)
}

fn whole((name, offset_s): (&str, i64)) -> Option<(&str, i32)> {
    Some((name, i32::try_from(offset_s).ok()?))
}

/// Letters, or anything between angle brackets.
fn take_name<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = *rest;
    let (name, after) = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())),
    };
    *rest = after;
    (!name.is_empty()).then_some(name)
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn take_time(rest: &mut &str) -> Option<i64> {
    let text = *rest;
    let (time, after) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && !"+-:".contains(c)).unwrap_or(text.len()));
    *rest = after;
    let (sign, digits) = match time.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut units = digits.split(':').map(|unit| unit.parse::<u16>().ok().map(i64::from));
    let hours = units.next()??;
    let minutes = units.next().unwrap_or(Some(0))?;
    let seconds = units.next().unwrap_or(Some(0))?;
    Some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// When a change happens in a year, in local seconds: `Mm.w.d`, `Jn` or `n`, and `/time`, by default 2 o'clock.
fn change_s(change: &str, year: i64) -> Option<i64> {
    let (day, time) = change.split_once('/').unwrap_or((change, "2"));
    let mut rest = time;
    let time_s = take_time(&mut rest).filter(|_| rest.is_empty())?;
    let day = if let Some(rule) = day.strip_prefix('M') {
        let mut numbers = rule.split('.').map(|number| number.parse::<u8>().ok().map(i64::from));
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        day_of_rule(year, month, week, weekday)?
    } else {
        let first = day_of(year, 1, 1);
        match day.strip_prefix('J') {
            // Counted from 1, without the 29th of February.
            Some(day) => {
                let day = i64::from(day.parse::<u16>().ok()?);
                first + day - 1 + i64::from(is_leap(year) && day > 59)
            }
            None => first + i64::from(day.parse::<u16>().ok()?),
        }
    };
    Some(day * DAY_S + time_s)
}

/// The `week`-th `weekday` (0 is Sunday) of a month; the 5th is the last.
fn day_of_rule(year: i64, month: i64, week: i64, weekday: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=5).contains(&week) || weekday > 6 {
        return None;
    }
    let first = day_of(year, month, 1);
    // The epoch was a Thursday.
    let ahead = (weekday - (first + 4)).rem_euclid(7);
    let day = first + ahead + (week - 1) * 7;
    let next_month = if month == 12 { day_of(year + 1, 1, 1) } else { day_of(year, month + 1, 1) };
    Some(if day >= next_month { day - 7 } else { day })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days since the epoch of a date of the Gregorian calendar. Years are counted from March, so that the day that only
/// some years have is their last.
pub(super) fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Days before the month: 0, 31, 61, 92, 122, 153, ...
    let before = (153 * month + 2) / 5;
    // The 1st of March of the year 0 was 719 468 days before the epoch.
    year * 365 + leap_days + before + day - 1 - 719_468
}

fn year_of(day: i64) -> i64 {
    // 146 097 days in 400 years.
    let mut year = 1970 + day * 400 / 146_097;
    while day < day_of(year, 1, 1) {
        year -= 1;
    }
    while day >= day_of(year + 1, 1, 1) {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-15, 2024-03-31 00:59:59 and 01:00:00, 2024-07-01, 2024-10-27 00:59:59 and 01:00:00, all UTC.
    const INSTANTS: [i64; 6] =
        [1_705_276_800, 1_711_846_799, 1_711_846_800, 1_719_792_000, 1_729_990_799, 1_729_990_800];

    #[test]
    fn a_rule_changes_at_its_second() {
        let berlin = INSTANTS.map(|at_s| rule_at("CET-1CEST,M3.5.0,M10.5.0/3", at_s).unwrap().0);
        assert_eq!(berlin, ["CET", "CET", "CEST", "CEST", "CEST", "CET"]);
        let sydney = INSTANTS.map(|at_s| rule_at("AEST-10AEDT,M10.1.0,M4.1.0/3", at_s).unwrap().1);
        assert_eq!(sydney, [39_600, 39_600, 39_600, 36_000, 39_600, 39_600]);
    }

    #[test]
    fn rules_may_have_no_summer_quoted_names_and_odd_offsets() {
        assert_eq!(rule_at("UTC0", 0), Some(("UTC", 0)));
        assert_eq!(rule_at("<+0545>-5:45", 0), Some(("+0545", 20_700)));
        assert_eq!(rule_at("NST3:30NDT,M3.2.0,M11.1.0", 1_719_792_000), Some(("NDT", -9000)));
        // Lord Howe moves by half an hour, Dublin's winter is the exception, Greenland changes before midnight.
        assert_eq!(rule_at("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1_705_276_800), Some(("+11", 39_600)));
        assert_eq!(rule_at("IST-1GMT0,M10.5.0,M3.5.0/1", 1_705_276_800), Some(("GMT", 0)));
        assert_eq!(rule_at("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_719_792_000), Some(("-01", -3600)));
        // Days of the year: J60 is the 1st of March, also in a leap year; 59 counts from 0 and is the 29th of February.
        assert_eq!(change_s("J60/0", 2024), Some(day_of(2024, 3, 1) * DAY_S));
        assert_eq!(change_s("59/0", 2024), Some(day_of(2024, 2, 29) * DAY_S));
    }

    #[test]
    fn dates_are_counted_from_the_epoch() {
        assert_eq!([day_of(1970, 1, 1), day_of(2000, 2, 29), day_of(2024, 12, 31)], [0, 11_016, 20_088]);
        assert_eq!(
            [year_of(-1), year_of(0), year_of(11_016), year_of(20_088), year_of(20_089)],
            [1969, 1970, 2000, 2024, 2025]
        );
    }

    /// A file with times of 4 and of 8 bytes: before 1000 s it is AA (+1 h), until 2000 s BB (+2 h), then AA.
    fn file(version: u8, footer: &str) -> Vec<u8> {
        let block = |width: usize| {
            let mut bytes = b"TZif".to_vec();
            bytes.push(version);
            bytes.extend([0; 15]);
            for count in [0_u32, 0, 0, 2, 2, 6] {
                bytes.extend(count.to_be_bytes());
            }
            for time in [1000_i64, 2000] {
                bytes.extend(&time.to_be_bytes()[8 - width..]);
            }
            bytes.extend([1, 0]);
            for (offset_s, name) in [(3600_i32, 0), (7200, 3)] {
                bytes.extend(offset_s.to_be_bytes());
                bytes.extend([0, name]);
            }
            bytes.extend(b"AA\0BB\0");
            bytes
        };
        let mut bytes = block(4);
        if version > 0 {
            bytes.extend(block(8));
            bytes.extend(format!("\n{footer}\n").into_bytes());
        }
        bytes
    }

    #[test]
    fn a_file_is_read_at_its_transitions_and_after_them_by_its_rule() {
        for (version, footer, after) in
            [(0, "", ("AA", 3600)), (b'2', "", ("AA", 3600)), (b'3', "CC-3", ("CC", 10_800))]
        {
            let file = file(version, footer);
            let zones = [999, 1000, 1999, 2000].map(|at_s| at(&file, at_s).unwrap());
            assert_eq!(zones, [("AA", 3600), ("BB", 7200), ("BB", 7200), after]);
        }
    }

    #[test]
    fn no_file_and_no_cut_of_one_is_fatal() {
        let whole = file(b'2', "CET-1CEST,M3.5.0,M10.5.0/3");
        for end in 0..whole.len() - 1 {
            let _ = at(&whole[..end], 5000);
        }
        assert_eq!(at(b"# no time zone at all, but long enough to hold a header of one", 0), None);
        for rule in [
            "",
            "1",
            "A",
            "CET-1CEST",
            "CET-1CEST,M13.1.0,M1.1.0",
            "CET-1CEST,M3.5.0",
            "CET-x",
            "<CET-1",
            "A1B,J1/x,J2",
        ] {
            assert_eq!(rule_at(rule, 0), None, "{rule}");
        }
    }
}

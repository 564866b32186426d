//! When something that happened once may be expected again: the day of the week and the half hours around it.

use jiff::{ToSpan, civil::Time, tz::TimeZone};

use crate::domain::{
    calendar::{Recurring, instant},
    time::Timestamp,
};

/// Ends and beginnings are at half hours.
const STEP_MIN: i32 = 30;
/// Least that is suggested, in milliseconds.
const LEAST_MS: i64 = 3_600_000;
/// Most that is suggested: what goes on for longer is no nightly job.
const MOST_MS: i64 = 12 * 3_600_000;

/// Each week at the time at which a trouble was there, by the clocks of a zone.
#[must_use]
pub fn around(from: Timestamp, until: Timestamp, zone_name: &str, zone: &TimeZone) -> Recurring {
    let until = Timestamp::from_ms(until.ms().clamp(from.plus_ms(LEAST_MS).ms(), from.plus_ms(MOST_MS).ms()));
    let begins = instant(from).to_zoned(zone.clone());
    let start = half_hour_before(begins.time());
    let last = instant(until).to_zoned(zone.clone()).time();
    let end = half_hour_before(last);
    let end = if end == last { end } else { end.wrapping_add(STEP_MIN.minutes()) };
    Recurring {
        zone: zone_name.to_owned(),
        weekdays: vec![begins.weekday().to_monday_one_offset()],
        month_days: Vec::new(),
        start,
        end,
    }
}

fn half_hour_before(time: Time) -> Time {
    let minute = if time.minute() < 30 { 0 } else { 30 };
    Time::new(time.hour(), minute, 0, 0).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::zone;

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn words(from: &str, until: &str) -> String {
        around(ms(from), ms(until), "Europe/Berlin", &zone("Europe/Berlin").unwrap()).words()
    }

    #[test]
    fn a_nightly_job_is_expected_on_its_day_around_its_time_by_the_clocks_of_the_zone() {
        // Sunday 02:10 to 03:40 in winter, and the same by the clock in summer.
        assert_eq!(words("2026-11-29T01:10:00Z", "2026-11-29T02:40:00Z"), "sun 02:00-04:00 Europe/Berlin");
        assert_eq!(words("2026-07-05T00:10:00Z", "2026-07-05T01:40:00Z"), "sun 02:00-04:00 Europe/Berlin");
        // On the half hour itself nothing is added.
        assert_eq!(words("2026-11-29T01:30:00Z", "2026-11-29T03:00:00Z"), "sun 02:30-04:00 Europe/Berlin");
    }

    #[test]
    fn a_short_one_gets_an_hour_and_one_without_end_half_a_day() {
        assert_eq!(words("2026-11-30T11:05:00Z", "2026-11-30T11:06:00Z"), "mon 12:00-13:30 Europe/Berlin");
        assert_eq!(words("2026-11-30T11:00:00Z", "2026-12-09T00:00:00Z"), "mon 12:00-00:00 Europe/Berlin");
        // It belongs to the day on which it begins.
        assert_eq!(words("2026-11-29T22:50:00Z", "2026-11-30T00:20:00Z"), "sun 23:30-01:30 Europe/Berlin");
    }
}

//! What crontab(5) and systemd.time(7) say, over the changes of the clock of several zones.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn cron(text: &str) -> Schedule {
    Schedule::cron(text, "Europe/Berlin").unwrap()
}

fn on_calendar(text: &str) -> Schedule {
    Schedule::on_calendar(text, Some("Europe/Berlin")).unwrap()
}

/// The next begins after an instant, as the clocks of the zone show them.
fn next(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let zone = calendar::zone(&schedule.zone).unwrap();
    let mut now = at(from);
    let mut found = Vec::new();
    for _ in 0..count {
        now = schedule.after(now);
        found.push(calendar::instant(now).to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string());
    }
    found
}

#[test]
fn fields_of_a_crontab_mean_what_its_manual_says() {
    let from = "2026-11-29T12:00:00Z"; // a Sunday
    assert_eq!(next(&cron("30 6 * * mon-fri"), from, 1), ["Mon 2026-11-30 06:30:00 +01:00"]);
    assert_eq!(
        next(&cron("*/20 13 * * *"), from, 3),
        ["Sun 2026-11-29 13:20:00 +01:00", "Sun 2026-11-29 13:40:00 +01:00", "Mon 2026-11-30 13:00:00 +01:00"]
    );
    // Where both kinds of day are given either is enough; with a wildcard in one both have to fit.
    assert_eq!(
        next(&cron("0 0 1,15 * 5"), from, 3),
        ["Tue 2026-12-01 00:00:00 +01:00", "Fri 2026-12-04 00:00:00 +01:00", "Fri 2026-12-11 00:00:00 +01:00"]
    );
    assert_eq!(next(&cron("0 0 */2 * 5"), from, 1), ["Fri 2026-12-11 00:00:00 +01:00"]);
    assert_eq!(next(&cron("0 4 * * 7"), from, 1), next(&cron("0 4 * * 0"), from, 1));
    assert_eq!(
        next(&cron("0 4 * * sat-sun"), from, 2),
        ["Sat 2026-12-05 04:00:00 +01:00", "Sun 2026-12-06 04:00:00 +01:00"]
    );
    assert_eq!(next(&cron("0 0 29 feb *"), from, 1), ["Tue 2028-02-29 00:00:00 +01:00"]);
    assert_eq!(
        next(&cron("10-40/15 8 3 jan,mar *"), from, 2),
        ["Sun 2027-01-03 08:10:00 +01:00", "Sun 2027-01-03 08:25:00 +01:00"]
    );
    assert_eq!(next(&cron("@weekly"), from, 1), ["Sun 2026-12-06 00:00:00 +01:00"]);
}

#[test]
fn calendar_events_mean_what_systemd_says() {
    let from = "2026-11-29T12:00:00Z";
    assert_eq!(next(&on_calendar("Mon..Fri 06:30"), from, 1), ["Mon 2026-11-30 06:30:00 +01:00"]);
    assert_eq!(
        next(&on_calendar("*-*-* 13:0/20:15"), from, 2),
        ["Sun 2026-11-29 13:00:15 +01:00", "Sun 2026-11-29 13:20:15 +01:00"]
    );
    assert_eq!(next(&on_calendar("Sat..Mon 04:00"), from, 3).len(), 3);
    assert_eq!(
        next(&on_calendar("Mon *-05~07/1 12:00"), from, 2),
        ["Mon 2027-05-31 12:00:00 +02:00", "Mon 2028-05-29 12:00:00 +02:00"]
    );
    assert_eq!(
        next(&on_calendar("*-02~01"), from, 2),
        ["Sun 2027-02-28 00:00:00 +01:00", "Tue 2028-02-29 00:00:00 +01:00"]
    );
    assert_eq!(
        next(&on_calendar("12-24..26 18:00"), from, 2),
        ["Thu 2026-12-24 18:00:00 +01:00", "Fri 2026-12-25 18:00:00 +01:00"]
    );
    assert_eq!(
        next(&on_calendar("2027..2030/2-01-01"), from, 2),
        ["Fri 2027-01-01 00:00:00 +01:00", "Mon 2029-01-01 00:00:00 +01:00"]
    );
    assert_eq!(next(&on_calendar("quarterly"), from, 1), ["Fri 2027-01-01 00:00:00 +01:00"]);
    let own = Schedule::on_calendar("daily America/New_York", None).unwrap();
    assert_eq!(
        (next(&own, from, 1), own.words()),
        (vec!["Mon 2026-11-30 00:00:00 -05:00".into()], "at daily America/New_York".into())
    );
    let over = on_calendar("2026-11-29 13:00");
    assert!(over.after(at(from)) > at("2200-01-01T00:00:00Z"), "there is no more of it");
}

#[test]
fn fixed_times_come_once_a_day_and_wildcards_go_by_the_time_that_passes() {
    // 2026-03-29 in Berlin: 02:00 to 03:00 is left out. 2026-10-25: it comes twice.
    let (spring, autumn) = ("2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z");
    let fixed = cron("30 2 * * *");
    assert_eq!(next(&fixed, spring, 2), ["Sun 2026-03-29 03:00:00 +02:00", "Mon 2026-03-30 02:30:00 +02:00"]);
    assert_eq!(next(&fixed, autumn, 2), ["Sun 2026-10-25 02:30:00 +02:00", "Mon 2026-10-26 02:30:00 +01:00"]);
    let hourly = cron("30 * * * *");
    assert_eq!(
        next(&hourly, "2026-03-29T00:00:00Z", 2),
        ["Sun 2026-03-29 01:30:00 +01:00", "Sun 2026-03-29 03:30:00 +02:00"]
    );
    assert_eq!(
        next(&hourly, "2026-10-25T00:00:00Z", 3),
        ["Sun 2026-10-25 02:30:00 +02:00", "Sun 2026-10-25 02:30:00 +01:00", "Sun 2026-10-25 03:30:00 +01:00"]
    );
    let in_the_gap = cron("*/30 2 * * *");
    assert_eq!(next(&in_the_gap, spring, 1), ["Mon 2026-03-30 02:00:00 +02:00"], "that hour does not pass on Sunday");
    assert_eq!(next(&in_the_gap, autumn, 4)[3], "Sun 2026-10-25 02:30:00 +01:00");
    // Half an hour: Lord Howe. Midnight itself: Cairo.
    let howe = Schedule::cron("*/30 * * * *", "Australia/Lord_Howe").unwrap();
    assert_eq!(
        next(&howe, "2026-10-03T15:00:00Z", 2),
        ["Sun 2026-10-04 02:30:00 +11:00", "Sun 2026-10-04 03:00:00 +11:00"]
    );
    let cairo = Schedule::cron("0 0 * * *", "Africa/Cairo").unwrap();
    assert_eq!(next(&cairo, "2026-04-23T12:00:00Z", 1), ["Fri 2026-04-24 01:00:00 +03:00"]);
}

const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "UTC"];

fn some_time() -> impl Strategy<Value = (usize, i8, i8, i64)> {
    // 2026 to 2030, to the millisecond.
    (0..ZONES.len(), 0..24_i8, 0..60_i8, 1_767_225_600_000..1_893_456_000_000_i64)
}

proptest! {
    #[test]
    fn a_daily_run_comes_once_on_every_date_and_always_strictly_later((zone, hour, minute, from) in some_time()) {
        let daily = Schedule::cron(&format!("{minute} {hour} * * *"), ZONES[zone]).unwrap();
        let clocks = calendar::zone(ZONES[zone]).unwrap();
        let mut now = Timestamp::from_ms(from);
        let mut date = calendar::date_at(daily.after(now), &clocks);
        for _ in 0..400 {
            let next = daily.after(now);
            prop_assert!(next > now);
            prop_assert_eq!(calendar::date_at(next, &clocks), date);
            prop_assert_eq!(daily.after(Timestamp::from_ms(next.ms() - 1)), next, "nothing lies between");
            (now, date) = (next, date.tomorrow().unwrap());
        }
    }

    #[test]
    fn an_hourly_run_comes_with_every_hour_that_passes((zone, _, minute, from) in some_time()) {
        // Where clocks are set by half an hour an hour is not what passes.
        prop_assume!(ZONES[zone] != "Australia/Lord_Howe");
        let hourly = Schedule::cron(&format!("{minute} * * * *"), ZONES[zone]).unwrap();
        let mut now = hourly.after(Timestamp::from_ms(from));
        prop_assert!(now.ms() > from && now.ms() - from <= 3_600_000);
        for _ in 0..200 {
            let next = hourly.after(now);
            prop_assert_eq!(next.since_ms(now), 3_600_000);
            now = next;
        }
    }

    #[test]
    fn no_text_takes_it_long_or_breaks_it(text in "[-*/,.~:@0-9a-zA-Z ]{0,40}") {
        for read in [Schedule::cron(&text, "Europe/Berlin"), Schedule::on_calendar(&text, Some("Europe/Berlin"))] {
            let now = Timestamp::from_ms(1_795_252_440_000);
            prop_assert!(read.is_err() || read.is_ok_and(|schedule| schedule.after(now) > now));
        }
    }
}

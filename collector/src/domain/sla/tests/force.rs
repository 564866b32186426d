//! Dates of agreements, and successive declarations under one name.

use super::*;
use crate::domain::sla::{
    force::{Chosen, Force, choose, named, present},
    report::Declared,
};

fn utc(text: &str) -> Timestamp {
    ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn force(from: &str, until: &str) -> Force {
    let date = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    Force { from: date(from), until: date(until) }
}

fn declared(percent: &str, from: &str, until: &str) -> Declared {
    let agreement = Agreement { zone: "Europe/Berlin".into(), force: force(from, until), ..agreement(percent) };
    Declared { agreement, ..report::declared("99") }
}

#[test]
fn time_before_and_after_it_is_in_force_is_outside_of_its_hours() {
    // Berlin: 15 November begins at 23:00 of the day before, in UTC.
    let year = declared("99", "2026-11-15", "2026-11-20").agreement;
    let month = Span { from: utc("2026-10-31T23:00:00Z"), until: utc("2026-11-30T23:00:00Z") };
    let up = [Stretch::new(month.from, month.until, Bucket::Up)];
    let reckoned = reckon(&year, &up, month);
    let (day, hour) = (86_400_000, 3_600_000);
    assert_eq!(reckoned.buckets.ms(Bucket::Up), 5 * day);
    assert_eq!(reckoned.buckets.ms(Bucket::OutsideHours), 25 * day);
    assert_eq!(reckoned.stretches[1].span.from, utc("2026-11-14T23:00:00Z"));
    // Hours of a day, on its days alone.
    let (start, end) = ("08:00".parse().unwrap(), "18:00".parse().unwrap());
    let hours = Recurring { zone: "Europe/Berlin".into(), weekdays: vec![], month_days: vec![], start, end };
    let office = Agreement { service_hours: vec![hours], ..year.clone() };
    assert_eq!(reckon(&office, &up, month).buckets.ms(Bucket::Up), 5 * 10 * hour);
    // Wholly before or after it.
    for (from, until) in [("2026-12-01", ""), ("", "2026-11-01"), ("", "2026-10-01"), ("2026-12-24", "2026-12-25")] {
        let other = Agreement { force: force(from, until), ..office.clone() };
        assert_eq!(reckon(&other, &up, month).buckets.ms(Bucket::OutsideHours), 30 * day, "{from} {until}");
    }
}

#[test]
fn dates_overlap_where_one_belongs_to_both() {
    let overlap = |one: (&str, &str), other: (&str, &str)| {
        let (one, other) = (force(one.0, one.1), force(other.0, other.1));
        assert_eq!(one.overlaps(&other), other.overlaps(&one));
        one.overlaps(&other)
    };
    assert!(overlap(("", ""), ("2026-01-01", "2026-01-02")));
    assert!(overlap(("2026-01-01", ""), ("", "2026-01-02")));
    assert!(!overlap(("2026-01-02", ""), ("", "2026-01-02")), "the first date after one is the first of the other");
    assert!(!overlap(("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")));
    assert!(overlap(("2026-01-01", "2026-02-02"), ("2026-02-01", "2026-03-01")));
}

#[test]
fn a_period_is_reckoned_by_what_is_first_in_force_in_it_and_names_the_others() {
    let all = [
        declared("99", "2026-01-01", "2026-11-15"),
        declared("99.9", "2026-11-15", "2027-01-01"),
        declared("99.99", "2027-03-01", ""),
    ];
    let by_name = named(&all, "test");
    let now = utc("2026-11-20T12:00:00Z");
    let target = |chosen: Option<Chosen<'_>>| chosen.unwrap().declared.agreement.target.percent();
    let of = |period: &str| target(choose(&by_name, Some(period), None, now));
    assert_eq!(
        [of("2026-10"), of("2026-11"), of("2026-12"), of("2027-02"), of("2027-Q1"), of("2025-01")],
        ["99", "99", "99.9", "99.9", "99.99", "99"]
    );
    let november = choose(&by_name, Some("2026-11"), None, now).unwrap();
    let others: Vec<String> = november.others.iter().map(|other| other.agreement.target.percent()).collect();
    assert_eq!(others, ["99.9"]);
    assert!(choose(&by_name, Some("2026-10"), None, now).unwrap().others.is_empty());
    // The present one is that of now, whatever was in force when the month began; another is asked for by a date.
    let present_month = choose(&by_name, None, None, now).unwrap();
    assert_eq!((present_month.period.name.as_str(), present_month.others.len()), ("2026-11", 1));
    assert_eq!(target(Some(present_month)), "99.9");
    let on = |date: &str| target(choose(&by_name, Some("2026-11"), Some(date.parse().unwrap()), now));
    assert_eq!([on("2026-11-14"), on("2026-11-15"), on("2027-02-28")], ["99", "99.9", "99.9"]);
    assert!(choose(&by_name, Some("last"), None, now).is_none());
}

#[test]
fn each_name_is_listed_once_as_it_is_now() {
    let other = |percent: &str| {
        let Declared { agreement, .. } = declared(percent, "", "");
        Declared { agreement: Agreement { name: "b".into(), ..agreement }, ..declared("99", "", "") }
    };
    let all = [declared("99", "2027-01-01", ""), other("95"), declared("98", "", "2026-12-01")];
    let at = |now: &str| {
        let found = present(&all, utc(now));
        found.iter().map(|declared| declared.agreement.target.percent()).collect::<Vec<_>>()
    };
    assert_eq!(at("2026-11-20T00:00:00Z"), ["98", "95"]);
    assert_eq!(at("2026-12-20T00:00:00Z"), ["98", "95"], "the last one, while none is in force");
    assert_eq!(at("2026-12-31T23:00:00Z"), ["99", "95"], "midnight in Berlin");
}

#[test]
fn the_last_days_are_a_period_of_any_agreement_and_reach_to_now() {
    let now = utc("2026-11-15T12:00:00Z");
    let of = |period: &str| {
        let declared = declared("99", "", "");
        choose(&[&declared], Some(period), None, now).map(|chosen| (chosen.period.name, chosen.period.span))
    };
    let span = Span { from: utc("2026-10-16T11:00:00Z"), until: now };
    assert_eq!(of("30d"), Some(("30d".to_owned(), span)), "at the same time of the day, of which October had another");
    assert_eq!(of("0d"), None);
    assert_eq!(of("month"), None, "which one is not said");
}

use super::*;
use crate::domain::{
    calendar::{Recurring, Span},
    hold::{Kind, Scope},
    ids::HoldNo,
    record::IncidentState,
    severity::Severity,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn ms(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn now() -> Timestamp {
    ms("2026-11-29T12:00:00Z")
}

/// An incident that began then, lasted so long and called once, at once.
fn past(no: i64, since: &str, lasted_ms: i64) -> Past {
    let since = ms(since);
    let row = IncidentRow {
        no: IncidentNo(no),
        id: no.to_string(),
        key: "finding/h/filesystem_space:/backup".into(),
        state: IncidentState::Resolved,
        severity: Severity::Warning,
        title: String::new(),
        host: None,
        component: "/backup".into(),
        since,
        opened: since,
        resolved: Some(since.plus_ms(lasted_ms)),
        closed: None,
        acknowledged_by: None,
        acknowledged_until: None,
        page_at: since,
        paged: true,
        part_of: None,
        followed: Vec::new(),
        escalations: Vec::new(),
        calls: Vec::new(),
        alert: None,
        changes: Vec::new(),
        swings: Default::default(),
        priority: None,
    };
    Past { row, handled: false, calls: vec![since] }
}

fn hold(when: When) -> Hold {
    let (scope, by, reason, change) = (Scope::default(), "ana".into(), "backups".into(), String::new());
    let (no, kind, made) = (HoldNo(1), Kind::Maintenance, now());
    Hold { no, version: 1, kind, scope, when, reason, change, by, made, ended: None, outcome: None, own: None }
}

fn sundays() -> Hold {
    let (start, end) = ("02:00".parse().unwrap(), "04:00".parse().unwrap());
    let zone = "Europe/Berlin".to_owned();
    hold(When::Recurring(Recurring { zone, weekdays: vec![7], month_days: Vec::new(), start, end }))
}

#[test]
fn real_is_what_somebody_took_or_what_lasted_for_more_than_an_hour() {
    let short = past(1, "2026-11-01T10:00:00Z", HOUR);
    let none = BTreeSet::new();
    assert!(!short.is_real(&none, now()), "an hour to the millisecond");
    assert!(past(1, "2026-11-01T10:00:00Z", HOUR + 1).is_real(&none, now()));
    let taken = Past { handled: true, ..short };
    assert!(taken.is_real(&none, now()));
    assert!(!taken.is_real(&[IncidentNo(1)].into(), now()), "it was said not to be");
    let mut open = past(2, "2026-11-29T10:59:59Z", 0);
    open.row.resolved = None;
    assert!(open.is_real(&none, now()), "it has lasted an hour and a second");
}

#[test]
fn a_window_spares_the_calls_within_it_on_its_day_and_by_its_clock_over_the_change_of_the_clock() {
    let window = sundays();
    let fate = |since: &str, lasted| {
        let past = past(1, since, lasted);
        under_hold(&window, &past, past.calls[0])
    };
    // 02:10 in Berlin: winter time on 29 November, summer time on 4 October.
    assert_eq!(fate("2026-11-29T01:10:00Z", 20 * MINUTE), Fate::Spared);
    assert_eq!(fate("2026-10-04T00:10:00Z", 20 * MINUTE), Fate::Spared);
    assert_eq!(fate("2026-10-04T02:10:00Z", 20 * MINUTE), Fate::Kept, "04:10 there");
    assert_eq!(fate("2026-11-28T01:10:00Z", 20 * MINUTE), Fate::Kept, "a Saturday");
    assert_eq!(fate("2026-11-29T01:10:00Z", 110 * MINUTE), Fate::Spared, "over with the window");
    assert_eq!(fate("2026-11-29T01:10:00Z", 110 * MINUTE + 1), Fate::Kept, "it pages when the window ends");
    let silence = hold(When::Once(Span { from: now(), until: now().plus_ms(HOUR) }));
    let old = past(1, "2026-10-04T02:10:00Z", HOUR);
    assert_eq!(under_hold(&silence, &old, old.calls[0]), Fate::Spared, "as if it had lasted then");
}

#[test]
fn spared_missed_and_unknown_calls_are_counted_apart() {
    let mut noisy = past(1, "2026-11-01T10:00:00Z", MINUTE);
    noisy.calls.push(noisy.calls[0].plus_ms(MINUTE));
    let mut real = past(2, "2026-11-02T10:00:00Z", MINUTE);
    real.handled = true;
    let half = past(3, "2026-11-03T10:00:00Z", 3 * HOUR);
    let half = Past { calls: vec![half.calls[0], half.calls[0].plus_ms(HOUR)], ..half };
    let unknown = past(4, "2026-11-04T10:00:00Z", MINUTE);
    let this = past(5, "2026-11-05T10:00:00Z", 5 * HOUR);
    let all = [noisy, real, half, unknown, this];
    let fate = |past: &Past, at: Timestamp| match past.row.no.0 {
        3 if at > past.row.since => Fate::Kept,
        4 => Fate::CannotTell,
        _ => Fate::Spared,
    };
    let found = tally(&all, &[IncidentNo(5)].into(), now(), fate);
    let expected = Tally {
        pages: 7,
        spared: 5,
        missed: 2,
        cannot_tell: 1,
        missed_incidents: 1,
        missed_numbers: vec![IncidentNo(2)],
    };
    assert_eq!(found, expected);
    assert_eq!(
        found.words(),
        "it would have spared 5 of 7 pages of the last 90 days; 2 of them were about something real, and nobody would \
         have heard of #2; of 1 page nobody can tell, their figures are not kept"
    );
}

#[test]
fn words_for_nothing_and_for_many() {
    assert_eq!(Tally::default().words(), "nobody was paged for this in the last 90 days");
    let none = Tally { pages: 1, ..Tally::default() };
    assert_eq!(none.words(), "it would have spared 0 of 1 page of the last 90 days");
    let all: Vec<Past> =
        (1..=12).map(|no| Past { handled: true, ..past(no, "2026-11-01T10:00:00Z", MINUTE) }).collect();
    let found = tally(&all, &BTreeSet::new(), now(), |_, _| Fate::Spared);
    assert_eq!((found.missed_incidents, found.missed_numbers.len()), (12, 10));
    assert!(found.words().contains("#12, #11") && found.words().ends_with("#3, 2 more"), "{}", found.words());
}

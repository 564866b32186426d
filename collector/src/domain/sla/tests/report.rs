//! Agreements over periods, from ledgers and maintenance windows.

use super::*;
use crate::domain::{
    event::Why,
    hold::{Hold, Kind, Labels, Scope, Subject, When},
    host::{Cause, ledger::OpenSpan},
    ids::{HoldNo, HostId, HostNo},
    record::{Observed, SpanRow},
    sla::{
        history::{maintenance, observations},
        outages::Means,
        period::{Length, Period},
        report::{Declared, Known, Report},
    },
};

const MINUTE: i64 = 60_000;

fn utc(text: &str) -> Timestamp {
    ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn row(n: i64, from: i64, to: i64, state: Observed, cause: Cause) -> SpanRow {
    let evidence = cause.words();
    SpanRow { host: HostNo(1), n, from: ms(from), to: ms(to), state, cause, evidence, learned: ms(to), replaces: None }
}

fn known(name: &str, rows: &[SpanRow], open_from: i64, window: Span, now: i64) -> Known {
    let open = OpenSpan { after: 0, from: ms(open_from), state: Observed::Up, cause: Cause::Reporting };
    let begun = rows.first().map_or(ms(open_from), |row| row.from);
    let id = HostId(uuid::Uuid::from_u128(1));
    let observed = observations(rows, &open, begun, window, ms(now));
    Known { host: HostNo(1), id, name: name.into(), observed, maintenance: vec![] }
}

fn declared(percent: &str) -> Declared {
    Declared { agreement: agreement(percent), period: Length::Month, scope: Scope::default() }
}

#[test]
fn a_period_is_named_as_its_calendar_does_and_found_by_its_name() {
    let berlin = zone("Europe/Berlin").unwrap();
    let now = utc("2026-10-31T23:30:00Z");
    for (length, name, from, until) in [
        (Length::Day, "2026-11-01", "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
        (Length::Week, "2026-W44", "2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z"),
        (Length::Month, "2026-11", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        (Length::Quarter, "2026-Q4", "2026-09-30T22:00:00Z", "2026-12-31T23:00:00Z"),
        (Length::Year, "2026", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
    ] {
        let period = length.at(now, &berlin);
        let span = Span { from: utc(from), until: utc(until) };
        assert_eq!(period, Period { name: name.into(), span });
        assert_eq!(Period::parse(name, &berlin), Some(period));
        assert_eq!(Length::parse(&length.word()), Some(length));
    }
    let rolling = Length::parse("7d").unwrap().at(utc("2026-10-30T11:00:00Z"), &berlin);
    assert_eq!(rolling.span.from, utc("2026-10-23T10:00:00Z"), "noon to noon, over the end of summer time");
    let free = Period::parse("2026-10-25..2026-10-26", &berlin).unwrap();
    assert_eq!(free.span.until.since_ms(free.span.from), 49 * 60 * MINUTE);
    for wrong in
        ["2026-13", "2026-Q5", "2026-W54", "2026-02-30", "26-10", "", "2026-10-05..2026-10-01", "last", "2026-1"]
    {
        assert_eq!(Period::parse(wrong, &berlin), None, "{wrong}");
    }
    for wrong in ["0d", "401d", "fortnight", "d"] {
        assert_eq!(Length::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Period::parse("2026-12", &berlin).unwrap().until(now), None, "nothing is known of the future");
}

#[test]
fn a_ledger_is_clipped_to_the_life_of_its_host_and_goes_on_to_now() {
    let rows = [
        row(1, 200, 300, Observed::Up, Cause::Reporting),
        row(2, 300, 350, Observed::Down, Cause::Silence),
        row(3, 350, 360, Observed::Down, Cause::Goodbye(Why::Reboot)),
        row(4, 360, 380, Observed::Unknown, Cause::NotAdmitted),
        row(5, 380, 400, Observed::CollectorDown, Cause::CollectorAway),
    ];
    let subject = known("web-1", &rows, 400, window(0, 1000), 500);
    let observed: Vec<Stretch> = subject.observed.iter().map(|entry| entry.stretch).collect();
    let buckets = reckon(&agreement("99"), &observed, window(0, 500)).buckets;
    let told = Bucket::ALL.map(|bucket| (bucket.word(), buckets.ms(bucket)));
    let expected = [
        ("outside_hours", 220),
        ("maintenance", 0),
        ("down", 50),
        ("clean_stop", 10),
        ("up", 200),
        ("unreachable", 0),
        ("collector_down", 20),
        ("unknown", 0),
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_entry_that_another_replaces_counts_no_more() {
    let mut corrected = row(2, 300, 350, Observed::Unreachable, Cause::AliveLog);
    corrected.replaces = Some(1);
    let rows = [row(1, 300, 350, Observed::Down, Cause::Silence), corrected];
    let subject = known("web-1", &rows, 350, window(300, 400), 400);
    let observed: Vec<Stretch> = subject.observed.iter().map(|entry| entry.stretch).collect();
    let buckets = reckon(&agreement("99"), &observed, window(300, 400)).buckets;
    assert_eq!((buckets.ms(Bucket::Down), buckets.ms(Bucket::Unreachable)), (0, 50));
}

#[test]
fn planned_work_counts_from_when_it_was_planned_and_to_where_it_was_ended() {
    let hold = |made: i64, ended: Option<i64>, what: Option<&str>| Hold {
        no: HoldNo(3),
        version: 1,
        kind: Kind::Maintenance,
        scope: Scope { hosts: vec!["web-*".into()], what: what.map(str::to_owned), ..Scope::default() },
        when: When::Once(window(100, 200)),
        reason: String::new(),
        change: "CHG1".into(),
        by: "ann".into(),
        made: ms(made),
        ended: ended.map(|at| (ms(at), "ann".into())),
        outcome: None,
        own: None,
    };
    let host = Subject { name: "web-1", site: None, class: None, labels: Labels(&[]) };
    let other = Subject { name: "db-1", ..host };
    let of = |hold: Hold, host: &Subject<'_>| maintenance(&[hold], host, window(0, 1000));
    assert_eq!(of(hold(50, None, None), &host), [(window(100, 200), "maintenance 3 (CHG1)".to_owned())]);
    assert_eq!(of(hold(50, Some(150), None), &host)[0].0, window(100, 150));
    assert_eq!(of(hold(150, None, None), &host)[0].0, window(150, 200), "what lay in the past was not planned");
    assert!(of(hold(50, None, None), &other).is_empty());
    assert!(of(hold(50, None, Some("check/*")), &host).is_empty(), "a window for a check leaves the host promised");
    let silence = Hold { kind: Kind::Silence, ..hold(50, None, None) };
    assert!(of(silence, &host).is_empty());
}

#[test]
fn each_subject_has_to_keep_it_and_the_budget_is_that_of_the_whole_period() {
    let month = Period { name: "x".into(), span: window(0, 100_000) };
    let over = window(0, 50_000);
    let good = known("web-1", &[], 0, over, 50_000);
    let bad_rows =
        [row(1, 0, 10_000, Observed::Up, Cause::Reporting), row(2, 10_000, 11_000, Observed::Down, Cause::Silence)];
    let bad = known("web-2", &bad_rows, 11_000, over, 50_000);
    let report = Report::of(&declared("99"), month, over, vec![good, bad], ms(50_000));
    let verdicts: Vec<Verdict> = report.lines.iter().map(|line| line.reckoning.figures.verdict).collect();
    assert_eq!(verdicts, [Verdict::Met, Verdict::Missed]);
    assert_eq!(report.figures.verdict, Verdict::Missed, "one of them did not");
    assert_eq!(report.figures.availability.unwrap().percent(2), "99.00");
    // To date 2 % are gone; by the end it would be 1 % of the host's time, which is what may be missing.
    assert_eq!(report.at_best.verdict, Verdict::Met);
    assert_eq!((report.budget_ms, report.budget_left_ms), (2_000, 1_000));
    let outages = &report.lines[1].outages;
    assert_eq!(outages.len(), 1);
    assert_eq!((outages[0].span, outages[0].open), (window(10_000, 11_000), false));
    assert_eq!(outages[0].cause, Cause::Silence.words());
}

#[test]
fn means_are_those_of_the_books() {
    let minutes =
        |from: i64, length: i64| row(0, from * MINUTE, (from + length) * MINUTE, Observed::Down, Cause::Silence);
    let up = |from: i64, until: i64| row(0, from * MINUTE, until * MINUTE, Observed::Up, Cause::Reporting);
    let rows = [up(0, 100), minutes(100, 10), up(110, 6000), minutes(6000, 20), up(6020, 9000), minutes(9000, 30)];
    let numbered: Vec<SpanRow> = (1..).zip(rows).map(|(n, row)| SpanRow { n, ..row }).collect();
    let whole = window(0, 720 * 60 * MINUTE);
    let subject = known("web-1", &numbered, 9030 * MINUTE, whole, 720 * 60 * MINUTE);
    let period = Period { name: "x".into(), span: whole };
    let report = Report::of(&declared("99"), period, whole, vec![subject], whole.until);
    let expected = Means {
        outages: 3,
        longest_ms: 30 * MINUTE,
        mtrs_ms: Some(20 * MINUTE),
        median_ms: Some(20 * MINUTE),
        p90_ms: Some(30 * MINUTE),
        mtbf_ms: Some(239 * 60 * MINUTE + 40 * MINUTE),
        mtbsi_ms: Some(240 * 60 * MINUTE),
    };
    assert_eq!(report.lines[0].means, expected);
    assert_eq!(report.figures.availability.unwrap().percent(6), "99.861111");
    assert_eq!(Means::of(&[], &report.figures).mtbf_ms, None, "no failure is no infinity");
}

//! Agreements over periods, from ledgers and maintenance windows.

use super::*;
use crate::domain::{
    dismissal::{Choice, Dismissal, past::Tally},
    event::Why,
    hold::{Hold, Kind, Labels, Scope, Subject, When},
    host::{Cause, ledger::OpenSpan},
    ids::{AmendmentNo, DismissalNo, HoldNo, HostId, HostNo, IncidentNo},
    record::{Observed, SpanRow},
    sla::{
        amendment::{Amended, Amendment, Category, Says, Was, Withdrawn},
        burn::BurnAlerts,
        history::{LIVENESS, maintenance, observations},
        inputs::{Basis, Position},
        outages::Means,
        period::{Length, Period},
        report::{Declared, Known, Report},
        subject,
    },
};

const MINUTE: i64 = 60_000;

fn utc(text: &str) -> Timestamp {
    ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

pub(super) fn row(n: i64, from: i64, to: i64, state: Observed, cause: Cause) -> SpanRow {
    let evidence = cause.words();
    SpanRow { host: HostNo(1), n, from: ms(from), to: ms(to), state, cause, evidence, learned: ms(to), replaces: None }
}

pub(super) fn known(name: &str, rows: &[SpanRow], open_from: i64, window: Span, now: i64) -> Known {
    let open = OpenSpan { after: 0, from: ms(open_from), state: Observed::Up, cause: Cause::Reporting };
    let begun = rows.first().map_or(ms(open_from), |row| row.from);
    let id = HostId(uuid::Uuid::from_u128(1));
    let observed = observations(rows, &open, begun, window, ms(now));
    let subject = subject::Subject::Host { no: HostNo(1), id, name: name.into() };
    let (maintenance, amended) = (vec![], Amended::default());
    Known { subject, observed, with_others: None, maintenance, amended, basis: basis(name), members: vec![] }
}

/// What a subject's history was taken from, where that does not matter.
pub(super) fn basis(name: &str) -> Basis {
    let open = OpenSpan { after: 0, from: ms(0), state: Observed::Up, cause: Cause::Reporting };
    Basis::new(name, Some(HostId(uuid::Uuid::from_u128(1))), Position::at(&open, ms(0)))
}

pub(super) fn declared(percent: &str) -> Declared {
    let (period, scope, burn_alerts) = (Length::Month, Scope::default(), BurnAlerts::Off);
    Declared { agreement: agreement(percent), period, scope, checks: vec![], services: vec![], burn_alerts }
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
    let of = |hold: Hold, host: &Subject<'_>| maintenance(&[hold], &[], host, LIVENESS, window(0, 1000));
    let spans = |hold: Hold| of(hold, &host).iter().map(|one| (one.span, one.late)).collect::<Vec<_>>();
    assert_eq!(of(hold(50, None, None), &host)[0].window, "maintenance 3 (CHG1)");
    assert_eq!(spans(hold(50, None, None)), [(window(100, 200), None)]);
    assert_eq!(spans(hold(50, Some(150), None)), [(window(100, 150), None)]);
    let late = [(window(100, 150), Some(ms(150))), (window(150, 200), None)];
    assert_eq!(spans(hold(150, None, None)), late, "what lay in the past was not planned");
    assert!(of(hold(50, None, None), &other).is_empty());
    assert!(of(hold(50, None, Some("check/*")), &host).is_empty(), "a window for a check leaves the host promised");
    let of_check =
        |what: &str| maintenance(&[hold(50, None, Some("check/*"))], &[], &host, what, window(0, 1000)).len();
    assert_eq!((of_check("check/http"), of_check(LIVENESS)), (1, 0), "and the check is in maintenance");
    let silence = Hold { kind: Kind::Silence, ..hold(50, None, None) };
    assert!(of(silence, &host).is_empty());
    let said = amendment(1, Says::Disregard { window: HoldNo(3) });
    let disregarded = |said: Amendment| {
        maintenance(&[hold(50, None, None)], &[said], &host, LIVENESS, window(0, 1000))[0].is_agreed()
    };
    assert!(!disregarded(said.clone()));
    assert!(disregarded(amendment(1, Says::Disregard { window: HoldNo(4) })), "another window");
    let withdrawn = Some(Withdrawn { at: ms(9), by: "bob".into(), reason: "it was".into() });
    assert!(disregarded(Amendment { version: 2, withdrawn, ..said }));
}

fn amendment(no: i64, says: Says) -> Amendment {
    let (reason, ticket, by) = ("users saw it".into(), "INC7".into(), "ann".into());
    Amendment { no: AmendmentNo(no), version: 1, says, reason, ticket, by, made: ms(900 + no), withdrawn: None }
}

fn was(no: i64, from: i64, until: i64, state: Was) -> Amendment {
    amendment(no, Says::Was { subjects: vec!["host/a".into()], span: window(from, until), state })
}

#[test]
fn what_people_say_afterwards_stands_beside_what_was_measured_and_the_later_word_wins() {
    let whole = window(0, 1000);
    let rows = [row(1, 0, 400, Observed::Up, Cause::Reporting), row(2, 400, 500, Observed::Down, Cause::Silence)];
    let said = [was(1, 450, 700, Was::Up), was(2, 600, 650, Was::Down)];
    let mut subject = known("web-1", &rows, 500, whole, 1000);
    subject.amended = Amended::of("host/a", &said, &[]);
    let period = Period { name: "x".into(), span: whole };
    let report = Report::of(&declared("93"), period.clone(), whole, vec![subject], ms(1000));
    let line = &report.lines[0];
    assert_eq!(line.reckoning.buckets.ms(Bucket::Down), 100, "what was measured is not touched");
    let agreed = line.agreed.as_ref().unwrap();
    let outages: Vec<Span> = agreed.outages.iter().map(|outage| outage.span).collect();
    assert_eq!(outages, [window(400, 450), window(600, 650)]);
    assert_eq!(agreed.outages[1].cause, "users saw it (ann, INC7)");
    assert_eq!(agreed.outages[1].evidence, "amendment 2");
    let verdicts = [report.total.figures.verdict, report.agreed.unwrap().figures.verdict];
    assert_eq!(verdicts, [Verdict::Missed, Verdict::Missed]);
    assert_eq!(report.agreed.unwrap().buckets.ms(Bucket::Down), 100);
    assert_eq!((report.total.budget_left_ms, report.agreed.unwrap().budget_left_ms), (-30, -30));

    let mut young = known("web-3", &[], 700, whole, 1000);
    young.amended = Amended::of("host/a", &[was(1, 600, 800, Was::Down)], &[]);
    let report = Report::of(&declared("93"), period.clone(), whole, vec![young], ms(1000));
    let agreed = report.lines[0].agreed.as_ref().unwrap().reckoning.buckets;
    let told = [agreed.ms(Bucket::OutsideHours), agreed.ms(Bucket::Down), agreed.ms(Bucket::Up)];
    assert_eq!(told, [700, 100, 200], "it was not in service before its ledger begins");

    let mut other = known("web-2", &rows, 500, whole, 1000);
    other.amended = Amended::of("host/b", &said, &[]);
    let report = Report::of(&declared("93"), period, whole, vec![other], ms(1000));
    assert_eq!((report.lines[0].agreed.is_none(), report.agreed), (true, None), "nothing is said of it");
}

#[test]
fn words_about_an_outage_go_with_it_and_the_last_one_counts() {
    let whole = window(0, 1000);
    let rows = [row(1, 0, 400, Observed::Up, Cause::Reporting), row(2, 400, 500, Observed::Down, Cause::Silence)];
    let note =
        |no, at, cause, disputed| amendment(no, Says::Note { subject: "host/a".into(), at: ms(at), cause, disputed });
    let said = [
        note(1, 400, Some(Category::Network), Some(true)),
        note(2, 499, None, Some(false)),
        note(3, 500, Some(Category::Power), Some(true)),
    ];
    let mut subject = known("web-1", &rows, 500, whole, 1000);
    subject.amended = Amended::of("host/a", &said, &[]);
    let period = Period { name: "x".into(), span: whole };
    let report = Report::of(&declared("93"), period, whole, vec![subject], ms(1000));
    let outage = &report.lines[0].outages[0];
    assert_eq!((outage.category, outage.disputed, outage.notes.len()), (Some(Category::Network), false, 2));
    assert!(report.agreed.is_none(), "a word changes no figure");
}

#[test]
fn a_false_alarm_about_a_host_is_time_in_which_it_was_up_as_long_as_that_holds() {
    let dismissal = |key: &str, withdrawn| Dismissal {
        no: DismissalNo(1),
        version: 1,
        incident: IncidentNo(7),
        key: key.into(),
        host: Some(HostNo(1)),
        from: ms(400),
        until: ms(450),
        choice: Choice::FalseAlarm,
        reason: "the probe was wrong".into(),
        by: "ann".into(),
        via: "web".into(),
        made: ms(800),
        tally: Tally::default(),
        withdrawn,
    };
    let of = |dismissal: Dismissal| Amended::of("host/a", &[], &[dismissal]).corrections;
    let corrected = of(dismissal("liveness/a/host", None));
    assert_eq!(corrected[0].stretch, Stretch::new(ms(400), ms(450), Bucket::Up));
    assert_eq!(corrected[0].source, "incident #7 was a false alarm");
    assert!(of(dismissal("liveness/b/host", None)).is_empty());
    assert!(of(dismissal("finding/a/disk:/var", None)).is_empty(), "it was not about its being there");
    assert!(of(dismissal("liveness/a/host", Some((ms(900), "bob".into())))).is_empty());
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
    assert_eq!(report.total.figures.verdict, Verdict::Missed, "one of them did not");
    assert_eq!(report.total.figures.availability.unwrap().percent(2), "99.00");
    // To date 2 % are gone; by the end it would be 1 % of the host's time, which is what may be missing.
    assert_eq!(report.total.at_best.verdict, Verdict::Met);
    assert_eq!((report.total.budget_ms, report.total.budget_left_ms), (2_000, 1_000));
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
    assert_eq!(report.total.figures.availability.unwrap().percent(6), "99.861111");
    assert_eq!(Means::of(&[], &report.total.figures).mtbf_ms, None, "no failure is no infinity");
}

//! What a report tells of a period: the account of a subject, how its outages were handled, how the budget was spent.

use super::{
    report::{declared, known, row},
    *,
};
use crate::domain::{
    event::Why,
    host::Cause,
    ids::{HoldNo, IncidentNo},
    record::{Observed, SpanRow},
    sla::{
        account::{Entry, Reason, entries},
        burn_down::burn_down,
        handling::{Delays, Incident, Reaction, of_span},
        history::Planned,
        outages::Outage,
        period::Period,
        report::{Known, Report},
    },
};

fn up(n: i64, from: i64, to: i64) -> SpanRow {
    row(n, from, to, Observed::Up, Cause::Reporting)
}

fn report(percent: &str, subjects: Vec<Known>, period: Span, window: Span) -> Report {
    Report::of(&declared(percent), Period { name: "x".into(), span: period }, window, subjects, window.until)
}

fn planned(from: i64, until: i64, name: &str) -> Planned {
    let span = window(from, until);
    Planned { span, hold: HoldNo(3), window: name.into(), reason: String::new(), late: None, disregarded: None }
}

/// Up but for an outage, a reboot, a time cut off, and a window of planned work over more of an outage.
fn eventful() -> Known {
    let rows = [
        up(1, 0, 1000),
        row(2, 1000, 1100, Observed::Down, Cause::Silence),
        row(3, 1100, 1150, Observed::Down, Cause::Goodbye(Why::Reboot)),
        up(4, 1150, 2000),
        row(5, 2000, 2300, Observed::Unreachable, Cause::AliveLog),
        up(6, 2300, 3000),
        row(7, 3000, 3400, Observed::Down, Cause::Silence),
    ];
    let mut known = known("web-1", &rows, 3400, window(0, 10_000), 10_000);
    known.maintenance = vec![planned(2900, 3200, "maintenance 3 (CHG1)"), planned(2900, 3200, "night")];
    known
}

#[test]
fn the_account_of_a_subject_adds_up_to_its_buckets_and_says_why() {
    let whole = window(0, 10_000);
    let report = report("99", vec![eventful()], whole, whole);
    let line = &report.lines[0];
    let told = entries(&agreement("99"), line, whole.until);
    let rows: Vec<_> = told.iter().map(|entry| (entry.bucket, entry.span, entry.counts)).collect();
    let expected = [
        (Bucket::Down, window(1000, 1100), Policy::AsDown),
        (Bucket::CleanStop, window(1100, 1150), Policy::AsDown),
        (Bucket::Unreachable, window(2000, 2300), Policy::Exclude),
        (Bucket::Maintenance, window(2900, 3200), Policy::Exclude),
        (Bucket::Down, window(3200, 3400), Policy::AsDown),
    ];
    assert_eq!(rows, expected);
    for bucket in [Bucket::Down, Bucket::CleanStop, Bucket::Unreachable, Bucket::Maintenance] {
        let listed: i64 = told.iter().filter(|entry| entry.bucket == bucket).map(Entry::length_ms).sum();
        assert_eq!(listed, line.reckoning.buckets.ms(bucket), "{bucket:?}");
    }
    let missing: i64 = told.iter().filter(|entry| entry.is_missing()).map(Entry::length_ms).sum();
    assert_eq!(missing, line.reckoning.figures.agreed_ms - line.reckoning.figures.served_ms);
    let silence = Reason { cause: Cause::Silence.words(), evidence: Cause::Silence.words() };
    assert_eq!((&told[0].reasons, told[0].windows.len()), (&vec![silence.clone()], 0));
    // The window hides 200 ms of the outage that goes on after it, and says so.
    assert_eq!((told[3].down_within_ms, &told[3].reasons), (200, &vec![silence]));
    assert_eq!(told[3].windows, ["maintenance 3 (CHG1)", "night"]);
    assert!(told.iter().all(|entry| !entry.open), "it is up now");
}

#[test]
fn reasons_of_what_flaps_are_told_once_each_and_not_without_end() {
    let causes = (0..9).map(|n| {
        let from = 1000 + n * 10;
        let mut row = row(n + 2, from, from + 10, Observed::Down, Cause::Silence);
        row.evidence = format!("proof {}", n / 2 * 2);
        row
    });
    let rows: Vec<SpanRow> = std::iter::once(up(1, 0, 1000)).chain(causes).collect();
    let whole = window(0, 10_000);
    let report = report("99", vec![known("web-1", &rows, 1090, whole, 10_000)], whole, whole);
    let told = entries(&agreement("99"), &report.lines[0], whole.until);
    assert_eq!((told.len(), told[0].span), (1, window(1000, 1090)));
    let proofs: Vec<&str> = told[0].reasons.iter().map(|reason| reason.evidence.as_str()).collect();
    assert_eq!((proofs, told[0].more), (vec!["proof 0", "proof 2", "proof 4", "proof 6", "proof 8"], 0));
}

#[test]
fn the_budget_is_spent_where_the_outages_are_and_ends_at_what_is_left() {
    // 10 000 ms, of which 5 000 are over; each of two hosts may miss 1 %.
    let rows = [up(1, 0, 1000), row(2, 1000, 1100, Observed::Down, Cause::Silence)];
    let over = window(0, 5_000);
    let subjects = vec![known("a", &rows, 1100, over, 5_000), known("b", &[], 0, over, 5_000)];
    let report = report("99", subjects, window(0, 10_000), over);
    let spent = burn_down(&agreement("99"), &report, 5);
    let expected = [(0, 200), (1000, 200), (2000, 100), (3000, 100), (4000, 100), (5000, 100)];
    assert_eq!(spent, expected.map(|(at, left)| (ms(at), left)));
    assert_eq!(spent.last().unwrap().1, report.total.budget_left_ms);
    // An edge within an outage has just its part of it.
    let fine = burn_down(&agreement("99"), &report, 100);
    let left = |at: i64| fine.iter().find(|(edge, _)| *edge == ms(at)).unwrap().1;
    assert_eq!((left(1000), left(1050), left(1100)), (200, 150, 100));
}

fn incident(no: i64, since: i64, opened: i64, resolved: Option<i64>) -> Incident {
    let resolved = resolved.map(ms);
    Incident { no: IncidentNo(no), since: ms(since), opened: ms(opened), resolved, paged: None, acknowledged: None }
}

fn outage(from: i64, until: i64) -> Outage {
    Outage {
        span: window(from, until),
        open: false,
        cause: String::new(),
        evidence: String::new(),
        notes: Vec::new(),
        category: None,
        disputed: false,
    }
}

#[test]
fn an_outage_is_told_of_by_the_incidents_that_lasted_in_it() {
    let incidents = [
        incident(1, 0, 10, Some(100)),
        incident(2, 100, 110, Some(205)),
        // Closed by hand, and opened again by the host that is still not there.
        incident(3, 100, 206, None),
        incident(4, 250, 260, None),
    ];
    let told = |from, until| of_span(window(from, until), &incidents).map(|one| one.no.0).collect::<Vec<_>>();
    assert_eq!(told(100, 250), [2, 3]);
    assert_eq!(told(0, 50), [1]);
    assert_eq!(told(300, 400), [3, 4]);
}

#[test]
fn the_time_to_detect_and_to_acknowledge_is_that_of_each_incident_once() {
    let incidents = [
        Incident {
            paged: Some(ms(130)),
            acknowledged: Some((ms(190), "ann".into())),
            ..incident(1, 100, 120, Some(300))
        },
        Incident {
            paged: Some(ms(1100)),
            acknowledged: Some((ms(1120), "bob".into())),
            ..incident(2, 1000, 1060, Some(1500))
        },
        // Taken before anybody was called, and one that called nobody by name.
        Incident {
            paged: Some(ms(2100)),
            acknowledged: Some((ms(2050), "ann".into())),
            ..incident(3, 2000, 2040, Some(2500))
        },
        Incident { acknowledged: Some((ms(3100), "ann".into())), ..incident(4, 3000, 3020, None) },
        // About no outage of the report.
        incident(5, 9000, 9900, Some(9950)),
    ];
    // The first one lasted over two outages.
    let outages = [outage(100, 150), outage(160, 300), outage(1000, 1500), outage(2000, 2500), outage(3000, 3500)];
    let reaction = Reaction::of(std::iter::once((outages.as_slice(), incidents.as_slice())));
    assert_eq!(reaction.incidents, 4);
    // 20, 60, 40, 20
    let detected = Delays { count: 4, mean_ms: Some(35), median_ms: Some(20), p90_ms: Some(60) };
    // 60, 20
    let acknowledged = Delays { count: 2, mean_ms: Some(40), median_ms: Some(20), p90_ms: Some(60) };
    assert_eq!((reaction.detected, reaction.acknowledged), (detected, acknowledged));
    assert_eq!(Reaction::of(std::iter::empty()).acknowledged.mean_ms, None);
}

proptest! {
    #[test]
    fn whatever_happened_the_account_is_complete(
        spans in proptest::collection::vec((0_i64..900, 1_i64..300, 0_usize..5), 0..12),
        windows in proptest::collection::vec((0_i64..900, 1_i64..300), 0..4),
    ) {
        let states = [Observed::Up, Observed::Down, Observed::Unreachable, Observed::CollectorDown, Observed::Unknown];
        let rows: Vec<SpanRow> = (1..).zip(&spans)
            .map(|(n, (from, length, state))| row(n, *from, from + length, states[*state], Cause::Silence))
            .collect();
        let whole = window(0, 1000);
        let mut subject = known("x", &rows, 900, whole, 1000);
        subject.maintenance =
            windows.iter().map(|(from, length)| planned(*from, from + length, "w")).collect();
        let report = report("90", vec![subject], whole, whole);
        let told = entries(&agreement("90"), &report.lines[0], whole.until);
        for bucket in Bucket::ALL {
            let listed: i64 = told.iter().filter(|entry| entry.bucket == bucket).map(Entry::length_ms).sum();
            let shown = !matches!(bucket, Bucket::Up | Bucket::OutsideHours);
            prop_assert_eq!(listed, if shown { report.total.buckets.ms(bucket) } else { 0 });
        }
        let spent = burn_down(&agreement("90"), &report, 7);
        prop_assert_eq!(spent.last().unwrap().1, report.total.budget_left_ms);
        prop_assert!(spent.windows(2).all(|pair| pair[0].1 >= pair[1].1 && pair[0].0 <= pair[1].0));
    }
}

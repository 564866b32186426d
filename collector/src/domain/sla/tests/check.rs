//! What a check said, and its host's ledger laid over it.

use super::*;
use crate::domain::{
    host::{
        Cause,
        check_ledger::{CheckSpanRow, Counted},
        checks::Status,
        ledger::OpenSpan,
    },
    ids::HostNo,
    record::{Observed, SpanRow},
    sla::{
        check::CheckHistory,
        history::{Observation, observations},
        outages::outages,
    },
};

fn entry(from: i64, to: i64, status: Status, gone: bool) -> CheckSpanRow {
    let said = format!("says {}", status.word());
    CheckSpanRow {
        host: HostNo(1),
        check: "http".into(),
        from: ms(from),
        to: ms(to),
        status,
        said,
        gone,
        learned: ms(to),
    }
}

fn open(from: i64, status: Status) -> Counted {
    Counted { status, from: ms(from), said: "says so".into() }
}

/// A host's ledger of these entries one after the other, from 0 on, reporting at the end.
fn host(entries: &[(i64, Observed, Cause)], now: i64) -> Vec<Observation> {
    let mut from = 0;
    let mut rows = Vec::new();
    for (n, (to, state, cause)) in (1..).zip(entries) {
        let (evidence, learned) = (cause.words(), ms(*to));
        let (host, cause, state) = (HostNo(1), cause.clone(), *state);
        rows.push(SpanRow { host, n, from: ms(from), to: learned, state, cause, evidence, learned, replaces: None });
        from = *to;
    }
    let open = OpenSpan { after: 0, from: ms(from), state: Observed::Up, cause: Cause::Reporting };
    observations(&rows, &open, ms(0), window(0, now), ms(now))
}

fn told(history: &CheckHistory<'_>, host: &[Observation], warning: Policy, until: i64) -> Vec<(&'static str, i64)> {
    let observed = history.observations(host, warning, window(0, until), ms(until));
    let stretches: Vec<Stretch> = observed.iter().map(|entry| entry.stretch).collect();
    let laid = lattice::lay(stretches.into_iter(), window(0, until));
    laid.iter().map(|stretch| (stretch.bucket.word(), stretch.span.until.ms())).collect()
}

#[test]
fn what_a_check_said_counts_by_what_the_agreement_says_of_warnings() {
    let rows = [
        entry(100, 200, Status::Ok, false),
        entry(200, 300, Status::Warning, false),
        entry(300, 400, Status::Critical, false),
        entry(400, 450, Status::Unknown, false),
    ];
    let (now_open, host) = (open(450, Status::Ok), host(&[], 500));
    let history = CheckHistory { from_its_beginning: true, rows: &rows, open: Some(&now_open) };
    let lenient = [("outside_hours", 100), ("up", 300), ("down", 400), ("unknown", 450), ("up", 500)];
    assert_eq!(told(&history, &host, Policy::AsUp, 500), lenient);
    let strict = [("outside_hours", 100), ("up", 200), ("down", 400), ("unknown", 450), ("up", 500)];
    assert_eq!(told(&history, &host, Policy::AsDown, 500), strict);
}

#[test]
fn where_its_host_was_not_there_a_check_is_what_its_host_is() {
    let now_open = open(0, Status::Ok);
    let history = CheckHistory { from_its_beginning: false, rows: &[], open: Some(&now_open) };
    let host = host(
        &[
            (100, Observed::Up, Cause::Reporting),
            (150, Observed::Down, Cause::Silence),
            (200, Observed::Up, Cause::Reporting),
            (250, Observed::Unreachable, Cause::Cut("berlin".into())),
            (300, Observed::CollectorDown, Cause::CollectorAway),
            (350, Observed::Up, Cause::Reporting),
            // The machine answers, its agent is lost: nobody ran the check.
            (400, Observed::Up, Cause::Looked(crate::domain::event::Look::Answers)),
        ],
        500,
    );
    let expected = [
        ("up", 100),
        ("down", 150),
        ("up", 200),
        ("unreachable", 250),
        ("collector_down", 300),
        ("up", 350),
        ("unknown", 400),
        ("up", 500),
    ];
    assert_eq!(told(&history, &host, Policy::AsUp, 500), expected);
    let observed = history.observations(&host, Policy::AsUp, window(0, 500), ms(500));
    let reckoned =
        reckon(&agreement("99"), &observed.iter().map(|entry| entry.stretch).collect::<Vec<_>>(), window(0, 500));
    let found = outages(&agreement("99"), &reckoned.stretches, &observed, ms(500));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].cause, "its host was down: silent");
    let unknown =
        observed.iter().find(|entry| entry.stretch.bucket == Bucket::Unknown).map(|entry| entry.cause.as_str());
    assert_eq!(unknown, Some("nobody ran it: its agent is silent, the machine answers"));
}

#[test]
fn a_failure_goes_on_while_nobody_can_say_otherwise_and_an_undefined_check_is_not_in_service() {
    let rows = [entry(50, 100, Status::Ok, false), entry(100, 200, Status::Critical, true)];
    let host = host(&[(120, Observed::Up, Cause::Reporting), (140, Observed::Unreachable, Cause::AliveLog)], 500);
    let history = CheckHistory { from_its_beginning: true, rows: &rows, open: None };
    let gone = [
        ("outside_hours", 50),
        ("up", 100),
        ("down", 120),
        ("unreachable", 140),
        ("down", 200),
        ("outside_hours", 500),
    ];
    assert_eq!(told(&history, &host, Policy::AsUp, 500), gone);
    let again = open(300, Status::Ok);
    let history = CheckHistory { open: Some(&again), ..history };
    assert_eq!(told(&history, &host, Policy::AsUp, 500)[4..], [("down", 200), ("outside_hours", 300), ("up", 500)]);
    // Entries that are missing are no absence of the check: nobody can say.
    let holed = [entry(50, 100, Status::Ok, false), entry(200, 300, Status::Ok, false)];
    let history = CheckHistory { from_its_beginning: false, rows: &holed, open: Some(&again) };
    let told = told(&history, &host, Policy::AsUp, 500);
    assert_eq!(
        told,
        [("unknown", 50), ("up", 100), ("unknown", 120), ("unreachable", 140), ("unknown", 200), ("up", 500)]
    );
}

#[test]
fn a_check_belongs_to_a_window_in_which_it_was() {
    let rows = [entry(100, 200, Status::Ok, true)];
    let (early, later) = (window(0, 100), window(100, 101));
    let past = CheckHistory { from_its_beginning: true, rows: &rows, open: None };
    assert_eq!((past.touches(early), past.touches(later), past.touches(window(200, 300))), (false, true, false));
    let now_open = open(150, Status::Ok);
    let present = CheckHistory { from_its_beginning: false, rows: &[], open: Some(&now_open) };
    assert_eq!((present.touches(window(0, 150)), present.touches(window(0, 151))), (false, true));
}

fn any_entries() -> impl Strategy<Value = Vec<CheckSpanRow>> {
    let statuses = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown];
    let one = (0_i64..60, 1_i64..80, 0_usize..4, any::<bool>());
    proptest::collection::vec(one, 0..12).prop_map(move |steps| {
        let mut at = 0;
        let rows = steps.into_iter().map(|(gap, length, status, gone)| {
            let from = at + gap;
            at = from + length;
            entry(from, at, statuses[status], gone)
        });
        rows.collect()
    })
}

proptest! {
    #[test]
    fn a_check_is_never_better_proven_than_its_host(
        rows in any_entries(),
        states in proptest::collection::vec((1_i64..120, 0_usize..5), 0..10),
        begins in any::<bool>(),
    ) {
        let kinds = [Observed::Up, Observed::Down, Observed::Unreachable, Observed::CollectorDown, Observed::Unknown];
        let mut at = 0;
        let entries: Vec<_> = states.iter().map(|(length, kind)| {
            at += length;
            let cause = if kinds[*kind] == Observed::Up { Cause::Reporting } else { Cause::Silence };
            (at, kinds[*kind], cause)
        }).collect();
        let host = host(&entries, 1000);
        let history = CheckHistory { from_its_beginning: begins, rows: &rows, open: None };
        let observed = history.observations(&host, Policy::AsUp, window(0, 1000), ms(1000));
        let lay = |entries: &[Observation]| lattice::lay(entries.iter().map(|entry| entry.stretch), window(0, 1000));
        let (of_check, of_host) = (lay(&observed), lay(&host));
        let buckets = Buckets::of(&of_check);
        prop_assert_eq!(buckets.window_ms(), 1000);
        prop_assert!(buckets.ms(Bucket::Up) <= Buckets::of(&of_host).ms(Bucket::Up));
        for stretch in of_check.iter().filter(|stretch| stretch.bucket == Bucket::Up) {
            let up = |at| of_host.iter().any(|host| host.span.holds(at) && host.bucket == Bucket::Up);
            prop_assert!(up(stretch.span.from) && up(stretch.span.until.plus_ms(-1)));
        }
    }
}

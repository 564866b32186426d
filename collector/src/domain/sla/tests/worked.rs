//! Worked examples from ledgers, and what holds of every ledger as the store gives it.

use super::{
    report::{declared, known, row},
    *,
};
use crate::domain::{
    host::{Cause, ledger::OpenSpan},
    ids::HoldNo,
    record::{Observed, SpanRow},
    sla::{
        history::{Planned, observations},
        period::Period,
        report::{Known, Report},
    },
};

const DAY_MS: i64 = 86_400_000;

fn report(percent: &str, rows: &[SpanRow], planned: &[Planned], window: Span, now: i64) -> Report {
    let open_from = rows.iter().map(|row| row.to.ms()).max().unwrap_or(0);
    let open = OpenSpan { after: 0, from: ms(open_from), state: Observed::Up, cause: Cause::Reporting };
    let observed = observations(rows, &open, ms(0), window, ms(now));
    let subject = Known { observed, maintenance: planned.to_vec(), ..known("web-1", rows, open_from, window, now) };
    Report::of(&declared(percent), Period { name: "x".into(), span: window }, window, vec![subject], ms(now))
}

#[test]
fn four_hours_of_the_first_of_april_2019_are_a_sixth_of_that_day() {
    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let (from, until) = (instant("2019-04-01T11:43:16Z"), instant("2019-04-01T15:43:16Z"));
    let day = days("UTC", "2019-04-01", "2019-04-02");
    let observed = with_problems(day.from.ms(), day.until.ms(), &[(from, until)]);
    let figures = reckon(&agreement("99"), &observed, day).figures;
    assert_eq!(figures.agreed_ms - figures.served_ms, 14_400_000);
    assert_eq!(figures.availability.unwrap().percent(4), "83.3333");
}

#[test]
fn of_30_days_at_99_9_percent_2592_seconds_leave_no_budget_and_keep_the_promise() {
    let month = window(0, 30 * DAY_MS);
    let of = |outage_ms: i64| {
        let rows = [
            row(1, 0, DAY_MS, Observed::Up, Cause::Reporting),
            row(2, DAY_MS, DAY_MS + outage_ms, Observed::Down, Cause::Silence),
        ];
        let report = report("99.9", &rows, &[], month, 30 * DAY_MS);
        (report.total.budget_ms, report.total.budget_left_ms, report.lines[0].reckoning.figures.verdict)
    };
    assert_eq!(of(2_592_000), (2_592_000, 0, Verdict::Met));
    assert_eq!(of(2_592_001), (2_592_000, -1, Verdict::Missed));
}

/// A ledger: entries without gap, some of which others replace: each by its length, what it was, and perhaps what it turned
/// out to have been in its first and its last half.
fn any_ledger() -> impl Strategy<Value = Vec<SpanRow>> {
    let state = || {
        prop_oneof![
            Just(Observed::Up),
            Just(Observed::Down),
            Just(Observed::Unreachable),
            Just(Observed::CollectorDown),
            Just(Observed::Unknown)
        ]
    };
    let correction = proptest::option::of((state(), state()));
    proptest::collection::vec((2_i64..90, state(), correction), 0..12).prop_map(|entries| {
        let (mut rows, mut at) = (Vec::new(), 0);
        let mut write = |from, to, state, replaces| {
            let n = i64::try_from(rows.len()).unwrap() + 1;
            rows.push(SpanRow { replaces, ..row(n, from, to, state, Cause::Silence) });
            n
        };
        let mut corrected = Vec::new();
        for (length, state, correction) in entries {
            let n = write(at, at + length, state, None);
            corrected.extend(correction.map(|halves| (n, at, length, halves)));
            at += length;
        }
        for (n, from, length, (first, last)) in corrected {
            write(from, from + length / 2, first, Some(n));
            write(from + length / 2, from + length, last, Some(n));
        }
        rows
    })
}

fn any_planned() -> impl Strategy<Value = Vec<Planned>> {
    let one = (0_i64..1000, 1_i64..200).prop_map(|(from, length)| Planned {
        span: window(from, from + length),
        hold: HoldNo(1),
        window: "maintenance 1".into(),
        reason: String::new(),
        late: None,
        disregarded: None,
    });
    proptest::collection::vec(one, 0..3)
}

proptest! {
    #[test]
    fn a_ledger_fills_its_window_and_its_availability_is_a_ratio(rows in any_ledger(), planned in any_planned()) {
        let report = report("99.9", &rows, &planned, window(0, 1000), 1000);
        prop_assert_eq!(report.total.buckets.window_ms(), 1000);
        let availability = report.total.figures.availability;
        prop_assert!(availability.is_none_or(|ratio| (0.0..=1.0).contains(&ratio.value())), "{:?}", availability);
        // What stands tells each instant once: nothing is hidden by what else is true of it.
        let counted = |state: Observed| {
            let stands = |row: &&SpanRow| rows.iter().all(|other| other.replaces != Some(row.n));
            let those = rows.iter().filter(stands).filter(|row| row.state == state);
            those.map(|row| row.to.since_ms(row.from)).sum::<i64>()
        };
        if planned.is_empty() && rows.iter().all(|row| row.to <= ms(1000)) {
            prop_assert_eq!(report.total.buckets.ms(Bucket::Down), counted(Observed::Down));
            prop_assert_eq!(report.total.buckets.ms(Bucket::Unreachable), counted(Observed::Unreachable));
        }
    }

    #[test]
    fn the_window_of_a_report_may_be_split_anywhere(rows in any_ledger(), planned in any_planned(), cut in 1_i64..999) {
        let part = |from, until| report("99.9", &rows, &planned, window(from, until), 1000).total.buckets;
        prop_assert_eq!(part(0, cut) + part(cut, 1000), part(0, 1000));
    }

    #[test]
    fn entries_may_be_read_in_any_order(rows in any_ledger(), turn in 0_usize..40) {
        // The rows of one ledger in another order: of the two halves of each correction, either may come first.
        let (mut turned, last) = (rows.clone(), rows.len().max(1));
        turned.rotate_left(turn % last);
        let mut mirrored = rows.clone();
        mirrored.reverse();
        let of = |rows: &[SpanRow]| report("99.9", rows, &[], window(0, 1000), 1000).lines.remove(0).reckoning;
        let expected = of(&rows);
        prop_assert_eq!(&of(&turned), &expected);
        prop_assert_eq!(&of(&mirrored), &expected);
    }

    #[test]
    fn an_entry_that_a_restart_has_cut_in_two_counts_as_the_whole(rows in any_ledger(), at in 1_i64..1000) {
        let mut cut = Vec::new();
        for row in &rows {
            // Entries that replace another are written in one go.
            if row.from < ms(at) && ms(at) < row.to && row.replaces.is_none() && rows.iter().all(|other| other.replaces != Some(row.n)) {
                cut.push(SpanRow { to: ms(at), ..row.clone() });
                cut.push(SpanRow { n: 1_000, from: ms(at), ..row.clone() });
            } else {
                cut.push(row.clone());
            }
        }
        let of = |rows: &[SpanRow]| report("99.9", rows, &[], window(0, 1000), 1000).lines.remove(0);
        let (whole, cut) = (of(&rows), of(&cut));
        prop_assert_eq!(&whole.reckoning, &cut.reckoning);
        prop_assert_eq!(whole.means, cut.means);
    }
}

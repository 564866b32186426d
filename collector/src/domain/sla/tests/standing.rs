//! What is kept at hand says what a report says.

use super::{
    report::{declared, known, row},
    *,
};
use crate::domain::{
    host::Cause,
    record::{Observed, SpanRow},
    sla::{
        budget::Budget,
        period::Period,
        report::{Known, Report},
        standing::Tally,
    },
};

/// A host that was down for so long at its beginning, and up since.
fn subject(name: &str, down_ms: i64, over: Span) -> Known {
    let rows: Vec<SpanRow> = match down_ms {
        0 => Vec::new(),
        _ => vec![row(1, 0, down_ms, Observed::Down, Cause::Silence)],
    };
    known(name, &rows, down_ms, over, over.until.ms())
}

fn period(until: i64) -> Period {
    Period { name: "x".into(), span: window(0, until) }
}

#[test]
fn the_worst_subject_is_told_beside_all_together() {
    let over = window(0, 50_000);
    let subjects = [("a", 0), ("b", 1_500), ("c", 250)].map(|(name, down)| subject(name, down, over));
    let report = Report::of(&declared("99"), period(100_000), over, subjects.to_vec(), ms(50_000));
    let mut tally = Tally::default();
    tally.add(target("99"), &report);
    let standing = tally.standing(&declared("99"), ms(50_000));
    assert_eq!((standing.subjects, standing.outages), (3, 2));
    assert_eq!(standing.agreed, standing.measured, "nobody has said anything");
    let measured = standing.measured;
    assert_eq!(measured.figures.verdict, Verdict::Missed);
    // Each may miss 1 s of 100 s.
    assert_eq!(measured.budget, Budget { whole_ms: 3_000, left_ms: 1_250 });
    assert_eq!(measured.worst, Some(Budget { whole_ms: 1_000, left_ms: -500 }));
    about(measured.worst.unwrap().left().unwrap(), -0.5);
    about(measured.budget.left().unwrap(), 1_250.0 / 3_000.0);
}

#[test]
fn where_nothing_was_agreed_nothing_is_left_to_tell() {
    let side = Tally::default().standing(&declared("99"), ms(5)).measured;
    assert_eq!((side.figures.availability, side.figures.coverage), (None, None));
    assert_eq!((side.worst, side.budget.left()), (None, None));
    assert_eq!(side.figures.verdict, Verdict::Undetermined);
    assert_eq!(Budget { whole_ms: 0, left_ms: -5 }.left(), None, "of 100 % nothing may be missing");
}

proptest! {
    #[test]
    fn some_subjects_at_a_time_come_to_the_report_of_all(
        downs in proptest::collection::vec(0_i64..50_000, 1..9),
        at_a_time in 1_usize..9,
        length in 50_000_i64..900_000,
    ) {
        let over = window(0, 50_000);
        let subjects: Vec<Known> = downs.iter().map(|down| subject("x", *down, over)).collect();
        let of = |some: &[Known]| Report::of(&declared("99.9"), period(length), over, some.to_vec(), ms(50_000));
        let mut tally = Tally::default();
        subjects.chunks(at_a_time).for_each(|some| tally.add(target("99.9"), &of(some)));
        let (standing, report) = (tally.standing(&declared("99.9"), ms(50_000)), of(&subjects));
        let (measured, total) = (&standing.measured, report.total);
        prop_assert_eq!(measured.buckets, total.buckets);
        prop_assert_eq!(measured.figures, total.figures);
        let budget = Budget { whole_ms: total.budget_ms, left_ms: total.budget_left_ms };
        prop_assert_eq!(measured.budget, budget);
        prop_assert_eq!(&standing.agreed, measured);
        prop_assert_eq!(standing.outages, report.lines.iter().map(|line| line.means.outages).sum::<i64>());
    }
}

//! The number of outages, and its bounds.

use super::*;
use crate::domain::{
    ids::{HostId, HostNo},
    sla::{
        amendment::Amended,
        history::Observation,
        outage_limit::OutageLimit,
        period::Period,
        report::{Declared, Known, Line, Report},
    },
};

/// Stretches of these buckets and lengths, one after another.
fn laid(parts: &[(Bucket, i64)]) -> Vec<Stretch> {
    let mut at = 0;
    let mut next = |length: i64| {
        at += length;
        (at - length, at)
    };
    parts
        .iter()
        .map(|(bucket, length)| {
            let (from, until) = next(*length);
            stretch(from, until, *bucket)
        })
        .collect()
}

fn bounds(shortest_ms: i64, parts: &[(Bucket, i64)]) -> (i64, i64) {
    let count = OutageLimit { most: 0, shortest_ms }.count(&agreement("99"), &laid(parts));
    (count.at_least, count.at_most)
}

#[test]
fn outages_are_counted_from_a_length_on_and_what_is_unproven_widens_the_count() {
    use Bucket::{CleanStop, CollectorDown, Down, Maintenance, Unknown, Unreachable, Up};
    assert_eq!(bounds(10, &[(Up, 5), (Down, 10), (Up, 5), (Down, 9), (Up, 5)]), (1, 1));
    assert_eq!(bounds(0, &[(Down, 10), (Maintenance, 5), (Down, 9)]), (2, 2), "planned work lies between");
    assert_eq!(bounds(10, &[(Down, 6), (CleanStop, 4)]), (1, 1));
    assert_eq!(bounds(10, &[(Up, 5), (Unknown, 30), (Up, 5), (Unreachable, 9)]), (0, 1));
    assert_eq!(bounds(10, &[(Down, 10), (Unknown, 1), (Down, 10)]), (1, 2), "one long outage, or two");
    assert_eq!(bounds(10, &[(Down, 6), (Unknown, 1), (Down, 6)]), (0, 1), "two short ones, or one");
    assert_eq!(bounds(10, &[(Down, 6), (Unknown, 1), (CollectorDown, 3), (Up, 1)]), (0, 1));
    let exclude = Agreement { clean_stop: Policy::Exclude, ..agreement("99") };
    let count = OutageLimit { most: 0, shortest_ms: 0 }.count(&exclude, &laid(&[(Down, 5), (CleanStop, 5), (Down, 5)]));
    assert_eq!((count.at_least, count.at_most), (2, 2));
}

/// All that may be: each unproven stretch up or down, one after another.
fn tried(shortest_ms: i64, parts: &[(Bucket, i64)]) -> (i64, i64) {
    let mut stretches: Vec<(Bucket, i64)> = Vec::new();
    for (bucket, length) in parts {
        match stretches.last_mut() {
            Some((last, sum)) if last == bucket => *sum += length,
            _ => stretches.push((*bucket, *length)),
        }
    }
    let open: Vec<usize> = (0..stretches.len()).filter(|at| stretches[*at].0 == Bucket::Unknown).collect();
    let counts = (0..1_u32 << open.len()).map(|choice| {
        let is_down = |at: usize| match open.iter().position(|place| *place == at) {
            Some(bit) => choice >> bit & 1 == 1,
            None => stretches[at].0 == Bucket::Down,
        };
        let (mut outages, mut down) = (0, 0);
        for (at, (_, length)) in stretches.iter().enumerate() {
            if is_down(at) {
                down += length;
            } else {
                outages += i64::from(down > 0 && down >= shortest_ms);
                down = 0;
            }
        }
        outages + i64::from(down > 0 && down >= shortest_ms)
    });
    let counts: Vec<i64> = counts.collect();
    (*counts.iter().min().unwrap(), *counts.iter().max().unwrap())
}

proptest! {
    #[test]
    fn the_bounds_are_those_of_everything_that_may_have_been(
        parts in proptest::collection::vec(
            (prop_oneof![Just(Bucket::Up), Just(Bucket::Down), Just(Bucket::Unknown)], 1_i64..12), 0..14),
        shortest in 0_i64..15,
    ) {
        prop_assert_eq!(bounds(shortest, &parts), tried(shortest, &parts));
    }
}

#[test]
fn both_requirements_have_to_be_kept_and_each_is_told() {
    let made = |most: i64, parts: &[(Bucket, i64)]| {
        let limit = OutageLimit { most, shortest_ms: 100 };
        let agreement = Agreement { outages: Some(limit), ..agreement("90") };
        let declared = Declared { agreement, ..report::declared("99") };
        let seen = |stretch: Stretch| {
            let (cause, evidence) = (String::new(), String::new());
            Observation { stretch, cause, evidence, learned: ms(0), unattended: false }
        };
        let stretches = laid(parts);
        let whole = window(0, stretches.last().unwrap().span.until.ms());
        let observed = stretches.into_iter().map(seen).collect();
        let id = HostId(uuid::Uuid::from_u128(1));
        let known = Known {
            subject: subject::Subject::Host { no: HostNo(1), id, name: "web-1".into() },
            with_others: None,
            observed,
            maintenance: vec![],
            amended: Amended::default(),
            basis: report::basis("web-1"),
            members: vec![],
        };
        Report::of(&declared, Period { name: "x".into(), span: whole }, whole, vec![known], whole.until)
    };
    use Bucket::{Down, Unknown, Up};
    let counted = |most: i64, line: &Line| {
        let limit = OutageLimit { most, shortest_ms: 100 };
        limit.count(&agreement("90"), &line.reckoning.stretches).verdict()
    };
    let (two, maybe) =
        ([(Up, 9000), (Down, 100), (Up, 100), (Down, 200)], [(Up, 9000), (Down, 100), (Up, 100), (Unknown, 200)]);
    for (most, parts, count, whole) in [
        (2, &two, Verdict::Met, Verdict::Met),
        (1, &two, Verdict::Missed, Verdict::Missed),
        (1, &maybe, Verdict::Undetermined, Verdict::Undetermined),
        (0, &maybe, Verdict::Missed, Verdict::Missed),
    ] {
        let report = made(most, parts);
        let line = &report.lines[0];
        assert_eq!(counted(most, line), count, "{most}");
        let (total, figures) = (&report.total, &line.reckoning.figures);
        assert_eq!((figures.verdict, total.figures.verdict, total.at_best.verdict), (whole, whole, whole));
        assert_eq!(line.reckoning.figures.of_the_target(target("90")), Verdict::Met, "the other one is kept");
    }
    let broken = made(9, &[(Up, 100), (Down, 1000)]);
    assert_eq!(counted(9, &broken.lines[0]), Verdict::Met);
    assert_eq!(broken.total.figures.verdict, Verdict::Missed);
}

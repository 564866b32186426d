//! The worked examples of contracts and other tools, and what holds of every ledger.

mod burn;
mod check;
mod check_basis;
mod force;
mod forecast;
mod outage_limit;
mod reading;
mod report;
mod service;
mod standing;
mod verification;
mod worked;

use proptest::prelude::*;

use super::{
    agreement::{Agreement, Policy},
    figures::Verdict,
    lattice::{Bucket, Stretch},
    target::Target,
    *,
};
use crate::domain::{
    calendar::{Edge, Recurring, at, zone},
    time::Timestamp,
};

fn target(percent: &str) -> Target {
    Target::parse(percent).unwrap()
}

fn agreement(percent: &str) -> Agreement {
    Agreement::new("test", target(percent))
}

fn ms(at: i64) -> Timestamp {
    Timestamp::from_ms(at)
}

fn window(from: i64, until: i64) -> Span {
    Span { from: ms(from), until: ms(until) }
}

fn stretch(from: i64, until: i64, bucket: Bucket) -> Stretch {
    Stretch::new(ms(from), ms(until), bucket)
}

/// Up throughout but for these problems.
fn with_problems(from: i64, until: i64, problems: &[(i64, i64)]) -> Vec<Stretch> {
    let problems = problems.iter().map(|(from, until)| stretch(*from, *until, Bucket::Down));
    std::iter::once(stretch(from, until, Bucket::Up)).chain(problems).collect()
}

fn availability(agreement: &Agreement, observed: &[Stretch], window: Span) -> f64 {
    reckon(agreement, observed, window).figures.availability.unwrap().value() * 100.0
}

fn about(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-4, "{actual} is not {expected}");
}

#[test]
fn problems_are_taken_off_by_time() {
    let of = |from, until, problems: &[(i64, i64)]| {
        availability(&agreement("99"), &with_problems(from, until, problems), window(from, until))
    };
    about(of(1000, 2000, &[]), 100.0);
    about(of(1000, 2000, &[(1000, 1100), (1300, 1400), (1600, 1700), (1900, 2000)]), 60.0);
    about(of(1000, 2000, &[(1023, 1046), (1100, 1242), (1300, 1307), (1500, 1766)]), 56.2);
    about(of(1000, 1300, &[(1000, 1100)]), 66.6667);
    about(of(1000, 1700, &[(1000, 1600)]), 14.2857);
    about(of(1000, 2000, &[(0, 5000)]), 0.0);
    about(of(1000, 2000, &[(0, 1200)]), 80.0);
    about(of(0, 8, &[(0, 2)]), 75.0);
    about(of(0, 24, &[(23, 24)]), 95.833_333_333);
    about(of(0, 31_536_000, &[(5, 31_303)]), 99.900_754_6);
    about(of(0, 15_768_000, &[(5, 31_303)]), 99.801_509_4);
    about(of(0, 720 * 60, &[(60, 70), (6000, 6020), (9000, 9030)]), 99.861_111);
}

#[test]
fn the_two_ways_to_count_maintenance_may_decide_differently() {
    let observed = [
        stretch(0, 2_592_000, Bucket::Up),
        stretch(100_000, 114_400, Bucket::Maintenance),
        stretch(500_000, 502_592, Bucket::Down),
    ];
    let month = window(0, 2_592_000);
    let excluded = reckon(&agreement("99.9"), &observed, month);
    about(excluded.figures.availability.unwrap().value() * 100.0, 99.899_441);
    assert_eq!(excluded.figures.verdict, Verdict::Missed);
    assert_eq!(excluded.figures.availability.unwrap().percent(4), "99.8994");
    let as_up = reckon(&Agreement { maintenance: Policy::AsUp, ..agreement("99.9") }, &observed, month);
    about(as_up.figures.availability.unwrap().value() * 100.0, 99.9);
    assert_eq!(as_up.figures.verdict, Verdict::Met);
    assert_eq!(target("99.9").allowance_ms(2_592_000), 2_592, "the budget is used up to the last");
}

#[test]
fn maintenance_forgives_a_problem_and_leaves_what_lies_outside() {
    let observed =
        [stretch(0, 800, Bucket::Up), stretch(800, 3000, Bucket::Down), stretch(600, 1800, Bucket::Maintenance)];
    let within = window(1000, 2000);
    about(availability(&agreement("99"), &observed, within), 0.0);
    about(availability(&Agreement { maintenance: Policy::AsUp, ..agreement("99") }, &observed, within), 80.0);
    about(availability(&Agreement { maintenance: Policy::AsDown, ..agreement("99") }, &observed, within), 0.0);
}

#[test]
fn what_nobody_can_prove_leaves_the_verdict_open() {
    let observed = [stretch(0, 950, Bucket::Up), stretch(950, 990, Bucket::Unreachable)];
    let reckoned = reckon(&agreement("96"), &observed, window(0, 1000));
    assert_eq!(reckoned.buckets.ms(Bucket::Unknown), 10, "what no row says anything of");
    assert_eq!(reckoned.figures.verdict, Verdict::Undetermined);
    assert_eq!(reckoned.figures.coverage.unwrap().percent(1), "95.0");
    assert_eq!(reckoned.figures.optimistic.unwrap().percent(1), "100.0");
    assert_eq!(reckoned.figures.pessimistic.unwrap().percent(1), "95.0");
    // Cut off is left out, silence is an outage.
    assert_eq!((reckoned.figures.agreed_ms, reckoned.figures.served_ms), (960, 950));
    assert_eq!(reckon(&agreement("95"), &observed, window(0, 1000)).figures.verdict, Verdict::Met);
    let nothing = reckon(&agreement("95"), &[stretch(0, 9, Bucket::Maintenance)], window(0, 9)).figures;
    assert_eq!((nothing.availability, nothing.verdict), (None, Verdict::Undetermined));
}

#[test]
fn a_figure_is_cut_off_and_never_rounded_up_to_the_target() {
    let observed = with_problems(0, 1_000_000_000, &[(0, 1_000_001)]);
    let figures = reckon(&agreement("99.9"), &observed, window(0, 1_000_000_000)).figures;
    assert_eq!(figures.availability.unwrap().percent(4), "99.8999");
    assert_eq!(figures.verdict, Verdict::Missed);
}

/// From local midnight to local midnight.
fn days(name: &str, from: &str, until: &str) -> Span {
    let midnight = |date: &str| {
        let zone = zone(name).unwrap();
        at(date.parse().unwrap(), jiff::civil::Time::midnight(), &zone, Edge::Start)
    };
    Span { from: midnight(from), until: midnight(until) }
}

fn length_s(name: &str, from: &str, until: &str) -> i64 {
    let span = days(name, from, until);
    span.until.since_ms(span.from) / 1000
}

#[test]
fn months_and_days_are_as_long_as_their_clocks_make_them() {
    assert_eq!(length_s("Europe/Berlin", "2026-03-01", "2026-04-01"), 2_674_800);
    assert_eq!(length_s("Europe/Berlin", "2026-10-01", "2026-11-01"), 2_682_000);
    assert_eq!(length_s("Europe/Berlin", "2026-03-29", "2026-03-30"), 82_800);
    assert_eq!(length_s("Europe/Berlin", "2026-10-25", "2026-10-26"), 90_000);
    assert_eq!(length_s("Europe/Berlin", "2026-01-01", "2027-01-01"), 31_536_000);
    assert_eq!(length_s("Europe/London", "2026-03-01", "2026-04-01"), 2_674_800);
    assert_eq!(length_s("America/New_York", "2026-11-01", "2026-12-01"), 2_595_600);
    assert_eq!(length_s("UTC", "2028-02-01", "2028-03-01"), 2_505_600);
    assert_eq!(length_s("Australia/Lord_Howe", "2026-04-05", "2026-04-06"), 88_200);
    assert_eq!(length_s("Pacific/Apia", "2011-12-30", "2011-12-31"), 0, "there was no such day");
}

fn hours(weekdays: &[i8], start: &str, end: &str) -> Recurring {
    let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
    Recurring { zone: "Europe/Berlin".into(), weekdays: weekdays.to_vec(), month_days: vec![], start, end }
}

fn open_s(service_hours: Vec<Recurring>, holidays: &[&str], from: &str, until: &str) -> i64 {
    let holidays = holidays.iter().map(|date| date.parse().unwrap()).collect();
    let agreement = Agreement { zone: "Europe/Berlin".into(), service_hours, holidays, ..agreement("99") };
    let buckets = reckon(&agreement, &[], days("Europe/Berlin", from, until)).buckets;
    (buckets.window_ms() - buckets.ms(Bucket::OutsideHours)) / 1000
}

#[test]
fn service_hours_follow_the_clocks_of_their_zone() {
    let night = || vec![hours(&[], "01:00", "05:00")];
    assert_eq!(open_s(night(), &[], "2026-03-29", "2026-03-30"), 3 * 3600);
    assert_eq!(open_s(night(), &[], "2026-10-25", "2026-10-26"), 5 * 3600);
    let office = || vec![hours(&[1, 2, 3, 4, 5], "08:00", "18:00")];
    assert_eq!(open_s(office(), &[], "2026-03-01", "2026-04-01"), 792_000);
    assert_eq!(open_s(office(), &[], "2026-10-01", "2026-11-01"), 792_000);
    assert_eq!(open_s(office(), &["2026-12-25", "2026-12-26"], "2026-12-21", "2026-12-28"), 4 * 36_000);
    assert_eq!(open_s(vec![], &["2026-10-25"], "2026-10-24", "2026-10-27"), 2 * 86_400);
    // The shift of Friday goes on into Saturday, also where Saturday is a holiday; that of a holiday does not begin.
    let shift = || vec![hours(&[5], "22:00", "06:00")];
    assert_eq!(open_s(shift(), &["2026-12-26"], "2026-12-21", "2026-12-28"), 8 * 3600);
    assert_eq!(open_s(shift(), &["2026-12-25"], "2026-12-21", "2026-12-28"), 0);
    assert_eq!(open_s(shift(), &[], "2026-12-26", "2026-12-27"), 6 * 3600, "what began on the day before the window");
}

#[test]
fn a_target_is_exact() {
    assert_eq!(target("99.9").percent(), "99.9");
    assert_eq!(target("100").percent(), "100");
    assert_eq!(target("99.99990").percent(), "99.9999");
    assert!(target("100.0").is_whole());
    for wrong in ["0", "0.0", "100.0000000001", "-1", "99,9", "1e2", "", ".5", "99.", "99.12345678901", "abc"] {
        assert_eq!(Target::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_table_of_another_tool_is_read_by_its_heading() {
    let text =
        "state;end;start;subject;note\nup;2000;1000;web;x\ndown;2026-10-01T00:00:03+02:00;2000;db;\nup;;5;web;\n";
    let subjects = import::spans(text.as_bytes()).unwrap();
    assert_eq!(subjects.iter().map(|subject| subject.name.as_str()).collect::<Vec<_>>(), ["web", "db"]);
    assert_eq!(subjects[0].rows, [stretch(1000, 2000, Bucket::Up), stretch(5, i64::MAX, Bucket::Up)]);
    assert_eq!(subjects[1].rows, [stretch(2000, 1_790_805_603_000, Bucket::Down)]);
    assert_eq!(import::spans(b"subject,start,end,state\n").unwrap(), []);
}

#[test]
fn each_mistake_of_a_table_is_told_with_its_place() {
    let text = "subject,start,end,state\nweb,1,2,fine\n,1,2,up\nweb,5,4,up\nweb,2026-10-01T00:00:00,4,up\n";
    let mistakes = import::spans(text.as_bytes()).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(|at| format!("{}:{}: {}", at.line, at.column, at.why)).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    for (line, part) in told.iter().zip([
        "2:4: state: \"fine\" is not one of up, down",
        "3:1: subject",
        "4:3: end: 4 lies before",
        "5:2: start: ",
    ]) {
        assert!(line.starts_with(part), "{line}");
    }
    let heading = import::spans(b"host,start,end\nweb,1,2\n").unwrap_err();
    assert!(heading[0].why.contains("lacks subject, state"), "{heading:?}");
}

fn any_stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let one = (0_i64..1000, 0_i64..300, 1_usize..Bucket::ALL.len());
    proptest::collection::vec(one.prop_map(|(from, length, at)| stretch(from, from + length, Bucket::ALL[at])), 0..40)
}

proptest! {
    #[test]
    fn buckets_fill_the_window_and_ratios_are_ratios(observed in any_stretches(), until in 1_i64..1000) {
        let reckoned = reckon(&agreement("99.9"), &observed, window(0, until));
        prop_assert_eq!(reckoned.buckets.window_ms(), until);
        let figures = reckoned.figures;
        for ratio in [figures.availability, figures.coverage, figures.optimistic, figures.pessimistic].into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&ratio.value()));
        }
        if let (Some(worst), Some(best)) = (figures.pessimistic, figures.optimistic) {
            prop_assert!(worst.value() <= best.value());
        }
    }

    #[test]
    fn a_window_may_be_split_anywhere(observed in any_stretches(), cut in 1_i64..999) {
        let part = |from, until| reckon(&agreement("99.9"), &observed, window(from, until)).buckets;
        prop_assert_eq!(part(0, cut) + part(cut, 1000), part(0, 1000));
    }

    #[test]
    fn the_order_in_which_proofs_arrive_does_not_matter(observed in any_stretches().prop_shuffle(), cut in 0_usize..40) {
        let mut turned = observed.clone();
        turned.rotate_left(cut.min(observed.len()));
        let of = |rows: &[Stretch]| reckon(&agreement("99.9"), rows, window(0, 1000));
        prop_assert_eq!(of(&observed), of(&turned));
    }

    #[test]
    fn without_maintenance_all_policies_for_it_agree(observed in any_stretches()) {
        let observed: Vec<Stretch> = observed.into_iter().filter(|row| row.bucket != Bucket::Maintenance).collect();
        let with = |maintenance| reckon(&Agreement { maintenance, ..agreement("99.9") }, &observed, window(0, 1000));
        prop_assert_eq!(with(Policy::Exclude), with(Policy::AsUp));
        prop_assert_eq!(with(Policy::Exclude), with(Policy::AsDown));
    }

    #[test]
    fn each_instant_counts_as_the_first_that_is_true_of_it(observed in any_stretches()) {
        let stretches = reckon(&agreement("99.9"), &observed, window(0, 1000)).stretches;
        let mut next = ms(0);
        for laid in &stretches {
            prop_assert_eq!(laid.span.from, next);
            next = laid.span.until;
            let true_of_it = observed.iter().filter(|row| row.span.holds(laid.span.from)).map(|row| row.bucket);
            prop_assert_eq!(true_of_it.min().unwrap_or(Bucket::Unknown), laid.bucket);
        }
        prop_assert_eq!(next, ms(1000));
    }
}

//! How fast budgets are spent: the factors of the books, each rule at its edge, and what holds of every rate.

use super::{
    report::{known, row},
    *,
};
use crate::domain::{
    host::Cause,
    ids::{HoldNo, HostNo},
    record::Observed,
    severity::Severity,
    sla::{
        burn::{Burn, BurnAlerts, LONGEST_MS, Lately, Pace, RULES, Rule, WINDOWS, bad_ms},
        history::Planned,
        period::Length,
    },
    watch::Watch,
};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// What is measured up to.
const NOW: i64 = 10 * DAY;

fn pace(percent: &str, days: i64) -> Pace {
    Pace::of(&agreement(percent), window(0, days * DAY))
}

fn factors(pace: &Pace) -> Vec<f64> {
    pace.rules().map(|rule| pace.factor(&rule)).collect()
}

/// Bad from so long ago until so long ago, each.
fn lately(bad: &[(i64, i64)]) -> Lately {
    let bad = bad.iter().map(|(from, until)| window(NOW - from, NOW - until)).collect();
    Lately::of_host(HostNo(1), "web-1".into(), 0, bad)
}

fn broken(pace: &Pace, bad: &[(i64, i64)]) -> Option<(i64, &'static str)> {
    pace.broken(BurnAlerts::Pages, &lately(bad), ms(NOW)).map(|rule| (rule.percent, rule.long.word))
}

#[test]
fn factors_are_those_of_the_books_and_follow_the_period() {
    for (days, expected) in [
        (30, [14.4, 6.0, 3.0, 1.0]),
        (28, [13.44, 5.6, 2.8, 0.933_333_333]),
        (7, [3.36, 1.4, 0.7, 0.233_333_333]),
        (90, [43.2, 18.0, 9.0, 3.0]),
    ] {
        let found = factors(&pace("99.9", days));
        assert_eq!(found.len(), 4);
        found.iter().zip(expected).for_each(|(found, expected)| about(*found, expected));
    }
    let words: Vec<String> = RULES.iter().map(Rule::words).collect();
    assert_eq!(words, ["2 % in 1h", "5 % in 6h", "10 % in 1d", "10 % in 3d"]);
    for rule in RULES {
        assert_eq!(rule.short.ms * 12, rule.long.ms, "{}", rule.words());
    }
}

#[test]
fn a_month_is_as_long_as_its_calendar_makes_it_and_a_budget_as_its_hours() {
    let berlin = Agreement { zone: "Europe/Berlin".into(), ..agreement("99.9") };
    let zone = zone("Europe/Berlin").unwrap();
    let in_month = |date: &str| {
        let noon = at(date.parse().unwrap(), jiff::civil::Time::constant(12, 0, 0, 0), &zone, Edge::Start);
        Length::Month.at(noon, &zone).span
    };
    // 743 h and 745 h: 2 % of them in one hour.
    about(factors(&Pace::of(&berlin, in_month("2026-03-15")))[0], 14.86);
    about(factors(&Pace::of(&berlin, in_month("2026-10-15")))[0], 14.9);
    assert_eq!(Pace::of(&berlin, in_month("2026-03-15")).budget_ms(), 2_674_800);
    // Office hours are 220 h of March: of the smaller budget the same part is gone sooner.
    let office = Agreement { service_hours: vec![hours(&[1, 2, 3, 4, 5], "08:00", "18:00")], ..berlin };
    let pace = Pace::of(&office, in_month("2026-03-15"));
    about(factors(&pace)[0], 4.4);
    assert_eq!(pace.budget_ms(), 792_000);
}

#[test]
fn what_looks_back_further_than_the_period_is_not_asked() {
    let asked = |days: i64| pace("99.9", days).rules().map(|rule| rule.long.word).collect::<Vec<_>>();
    assert_eq!(asked(1), ["1h", "6h", "1d"], "three days are three budgets of a day");
    assert_eq!(asked(3), ["1h", "6h", "1d", "3d"]);
    let spring = Pace::of(&agreement("99.9"), days("Europe/Berlin", "2026-03-29", "2026-03-30"));
    assert_eq!(spring.rules().count(), 3, "a day of 23 hours is a day");
    assert_eq!(pace("100", 30).rules().count(), 0, "of no budget nothing is a part");
    assert_eq!(pace("100", 30).rate(HOUR, WINDOWS[2]), None);
}

#[test]
fn a_total_outage_breaks_each_rule_just_after_its_part_of_the_budget_is_gone() {
    let pace = pace("99.9", 30);
    // 2 % of 2 592 s within an hour, 5 % within six.
    assert_eq!(broken(&pace, &[(51_840, 0)]), None);
    assert_eq!(broken(&pace, &[(51_841, 0)]), Some((2, "1h")));
    assert_eq!(broken(&pace, &[(2 * HOUR, 2 * HOUR - 129_600), (SECOND, 0)]), None, "all of it long ago but a second");
    let slow = |now: i64| [(2 * HOUR, 2 * HOUR - 118_799), (now, 0)];
    assert_eq!(broken(&pace, &slow(10_801)), None, "129 600 ms are as much as may be");
    assert_eq!(broken(&pace, &slow(10_802)), Some((5, "6h")));
    // 10 % within a day, of which a twelfth within two hours.
    assert_eq!(broken(&pace, &[(20 * HOUR, 20 * HOUR - 240_000), (HOUR, HOUR - 21_601)]), Some((10, "1d")));
    assert_eq!(broken(&pace, &[(20 * HOUR, 20 * HOUR - 240_000), (HOUR, HOUR - 21_600)]), None);
    assert_eq!(broken(&pace, &[(60 * HOUR, 60 * HOUR - 240_000), (5 * HOUR, 5 * HOUR - 21_601)]), Some((10, "3d")));
}

#[test]
fn it_is_over_when_the_short_window_is() {
    let pace = pace("99.9", 30);
    let outage = |ago: i64| [(ago + 2 * MINUTE, ago)];
    assert_eq!(broken(&pace, &outage(MINUTE)), Some((2, "1h")));
    assert_eq!(broken(&pace, &outage(5 * MINUTE - 4_321)), Some((2, "1h")));
    assert_eq!(broken(&pace, &outage(5 * MINUTE - 4_320)), None, "4.32 s in five minutes are as much as may be");
    assert_eq!(broken(&pace, &outage(10 * MINUTE)), None);
}

#[test]
fn one_lost_beat_breaks_nothing_however_small_the_budget() {
    let pace = pace("99.999", 30);
    let beat = lately(&[(5 * SECOND, 0)]);
    assert!(pace.broken(BurnAlerts::Pages, &beat, ms(NOW)).is_some(), "half a second would do");
    let normal = Lately { least_ms: Watch::Normal.timers().told_after_ms(), ..beat.clone() };
    assert_eq!(pace.broken(BurnAlerts::Pages, &normal, ms(NOW)), None);
    // Nine of them are longer than what is told of as an outage.
    let many: Vec<(i64, i64)> = (0..9).map(|n| (20 * SECOND * n + 5 * SECOND, 20 * SECOND * n)).collect();
    let many = Lately { least_ms: normal.least_ms, ..lately(&many) };
    assert_eq!(many.least_ms, 41_000);
    assert!(pace.broken(BurnAlerts::Pages, &many, ms(NOW)).is_some());
}

#[test]
fn tickets_wake_nobody_and_off_says_nothing() {
    let pace = pace("99.9", 30);
    let outage = lately(&[(10 * MINUTE, 0)]);
    let severity = |alerts| pace.broken(alerts, &outage, ms(NOW)).map(|rule| rule.severity);
    assert_eq!(severity(BurnAlerts::Pages), Some(Severity::Critical));
    assert_eq!(severity(BurnAlerts::Tickets), Some(Severity::Warning));
    assert_eq!(severity(BurnAlerts::Off), None);
    for word in ["off", "tickets", "pages"] {
        assert_eq!(BurnAlerts::parse(word).map(BurnAlerts::word), Some(word));
    }
    assert_eq!(BurnAlerts::parse("on"), None);
}

#[test]
fn a_low_target_keeps_some_rules_out_of_reach() {
    let reached = |percent: &str| {
        let pace = pace(percent, 30);
        RULES.iter().filter(|rule| pace.can_break(rule)).count()
    };
    for (percent, rules) in
        [("93.06", 4), ("93.05", 3), ("83.34", 3), ("83.33", 2), ("66.67", 2), ("66.66", 1), ("0.01", 1)]
    {
        assert_eq!(reached(percent), rules, "{percent}");
    }
}

#[test]
fn planned_work_closed_hours_and_policies_decide_what_is_bad() {
    let rows = [
        row(1, 0, 100, Observed::Up, Cause::Reporting),
        row(2, 100, 200, Observed::Down, Cause::Silence),
        row(3, 200, 250, Observed::Unreachable, Cause::Silence),
        row(4, 250, 300, Observed::Unknown, Cause::Silence),
        row(5, 300, 320, Observed::Down, Cause::Silence),
    ];
    let over = window(0, 400);
    let mut subject = known("web-1", &rows, 320, over, 400);
    let planned = |from: i64, until: i64| Planned {
        span: window(from, until),
        hold: HoldNo(1),
        window: "maintenance 1".into(),
        reason: String::new(),
        late: None,
        disregarded: None,
    };
    subject.maintenance.push(planned(150, 170));
    // What people said afterwards counts: it was not planned after all.
    subject.maintenance.push(Planned { disregarded: Some("nobody was told".into()), ..planned(100, 120) });
    let closed = [stretch(310, 330, Bucket::OutsideHours)];
    let bad = |agreement: &Agreement| {
        let lately = Lately::of(agreement, &subject, 0, over, &closed);
        lately.bad.iter().map(|span| (span.from.ms(), span.until.ms())).collect::<Vec<_>>()
    };
    assert_eq!(bad(&agreement("99")), [(100, 150), (170, 200), (250, 310)]);
    let strict = Agreement { unreachable: Policy::AsDown, maintenance: Policy::AsDown, ..agreement("99") };
    assert_eq!(bad(&strict), [(100, 310)], "what follows upon another is one outage");
    let lenient = Agreement { unknown: Policy::AsUp, ..agreement("99") };
    assert_eq!(bad(&lenient), [(100, 150), (170, 200), (300, 310)]);
}

#[test]
fn the_worst_subject_counts_and_not_all_together() {
    let subjects = vec![lately(&[(MINUTE, 0)]), lately(&[(3 * MINUTE, 2 * MINUTE), (30 * SECOND, 0)])];
    let burn = Burn {
        agreement: "web".into(),
        alerts: BurnAlerts::Pages,
        pace: pace("99.9", 30),
        at: ms(NOW),
        subjects,
        left: None,
    };
    about(burn.rate(WINDOWS[2]).unwrap(), 25.0);
    about(burn.rate(WINDOWS[0]).unwrap(), 300.0);
    assert!(burn.breaks(&RULES[0]) && !burn.breaks(&RULES[1]));
    let idle = Burn { subjects: Vec::new(), ..burn };
    about(idle.rate(WINDOWS[6]).unwrap(), 0.0);
    assert!(!idle.breaks(&RULES[3]));
}

/// A host that changed state at these times, in the last three days.
fn any_life() -> impl Strategy<Value = Vec<(i64, bool)>> {
    proptest::collection::vec((1_i64..4 * HOUR, any::<bool>()), 0..40)
}

/// Its bad time.
fn life(changes: &[(i64, bool)]) -> Vec<(i64, i64)> {
    let mut ago = LONGEST_MS;
    let mut bad = Vec::new();
    for (length, up) in changes {
        let until = (ago - length).max(0);
        if !up && until < ago {
            bad.push((ago, until));
        }
        ago = until;
    }
    bad
}

proptest! {
    #[test]
    fn no_rate_is_higher_than_one_by_what_may_be_missing(changes in any_life(), which in 0_usize..7) {
        let lately = lately(&life(&changes));
        let rate = pace("99.5", 30).rate(bad_ms(&lately.bad, WINDOWS[which], ms(NOW)), WINDOWS[which]).unwrap();
        prop_assert!((0.0..=200.000_001).contains(&rate), "{}", rate);
    }

    #[test]
    fn a_rule_is_broken_where_both_rates_are_beyond_its_factor(changes in any_life(), which in 0_usize..4, days in 4_i64..400) {
        let (lately, pace, rule) = (lately(&life(&changes)), pace("99.7", days), RULES[which]);
        let rate = |window| pace.rate(bad_ms(&lately.bad, window, ms(NOW)), window).unwrap();
        let both = [rate(rule.long), rate(rule.short)].map(|rate| rate - pace.factor(&rule));
        // Where the figures are equal but for rounding, the exact ones decide.
        prop_assume!(both.iter().all(|over| over.abs() > 1e-9));
        prop_assert_eq!(pace.breaks(&rule, &lately, ms(NOW)), both.iter().all(|over| *over > 0.0));
    }

    #[test]
    fn another_outage_never_burns_less(changes in any_life(), more in 1_i64..HOUR) {
        let pace = pace("99.9", 30);
        let before = lately(&life(&changes));
        let free: Vec<Span> = before.bad.iter().filter(|span| span.until <= ms(NOW - more)).copied().collect();
        let known = Lately { bad: free.clone(), ..before.clone() };
        let after = Lately { bad: free.into_iter().chain([window(NOW - more, NOW)]).collect(), ..before };
        for window in WINDOWS {
            prop_assert!(bad_ms(&after.bad, window, ms(NOW)) > bad_ms(&known.bad, window, ms(NOW)));
        }
        let broken = |lately: &Lately| RULES.iter().filter(|rule| pace.breaks(rule, lately, ms(NOW))).count();
        prop_assert!(broken(&after) >= broken(&known));
        prop_assert_eq!(broken(&lately(&[])), 0, "no outage burns nothing");
    }

    #[test]
    fn what_is_explained_is_taken_out_whole(changes in any_life(), from in 0_i64..LONGEST_MS) {
        let all = lately(&life(&changes));
        let explained = |span: &Span| span.from >= ms(NOW - from);
        let left = all.without(explained);
        prop_assert!(left.bad.iter().all(|span| !explained(span)));
        prop_assert_eq!(left.bad.len() + all.bad.iter().filter(|span| explained(span)).count(), all.bad.len());
    }
}

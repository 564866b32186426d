use super::*;
use crate::domain::{
    rules::{Change, Line, Selector, Settings},
    severity::Severity,
};

const GIB: f64 = 1_073_741_824.0;
const MINUTE: i64 = 60_000;

fn with(name: &str, change: Change) -> (&'static Rule, Effective, Effective) {
    let rule = Rule::named(name).unwrap();
    let (selector, origin) = (Selector::default(), String::new());
    let after = Settings::new(vec![Line { rule, selector, change, origin }]).for_anybody().of(rule);
    (rule, Settings::default().for_anybody().of(rule), after)
}

fn limit(name: &str, key: &str, amount: f64) -> (&'static Rule, Effective, Effective) {
    let place = Rule::named(name).unwrap().limit(key).unwrap();
    with(name, Change { limits: vec![(place, amount)], ..Change::default() })
}

#[test]
fn a_lower_share_spares_what_never_fell_below_it() {
    let (rule, before, after) = limit("filesystem_space", "warning", 0.03);
    let fate = |share, free| fate(rule, &before, &after, Some(Worst { share, free: Some(free) }), MINUTE);
    // Critical below 5 % stays as it was: lowering the warning alone spares nothing that was below that.
    assert_eq!(fate(0.06, GIB), Fate::Spared);
    assert_eq!(fate(0.04, GIB), Fate::Kept, "it was critical");
    assert_eq!(fate(0.04, 30.0 * GIB), Fate::Spared, "not critical with more than 20 GiB free");
    assert_eq!(fate(0.02, 30.0 * GIB), Fate::Kept);
}

#[test]
fn without_figures_nobody_can_tell_and_the_same_limits_spare_nothing() {
    let (rule, before, after) = limit("filesystem_space", "warning", 0.03);
    assert_eq!(fate(rule, &before, &after, None, MINUTE), Fate::CannotTell);
    assert_eq!(fate(rule, &before, &before, None, MINUTE), Fate::Kept);
    let quiet = Change { severity: Some(Severity::Info), ..Change::default() };
    let (rule, before, after) = with("filesystem_space", quiet);
    assert_eq!(fate(rule, &before, &after, None, MINUTE), Fate::Spared);
    let off = Change { enabled: Some(false), ..Change::default() };
    let (rule, before, after) = with("systemd_unit_failed", off);
    assert_eq!(fate(rule, &before, &after, None, MINUTE), Fate::Spared);
}

#[test]
fn a_longer_time_spares_what_was_over_before_it() {
    // Told after 10 s; one that lasted 4 min 50 s was there for five minutes.
    let (rule, before, after) = limit("systemd_unit_failed", "for", 300.0);
    let lasted = |ms| fate(rule, &before, &after, None, ms);
    assert_eq!(lasted(290_000 - 1), Fate::Spared);
    assert_eq!(lasted(290_000), Fate::Kept);
    // The time over which waiting is measured is no time that it has to hold.
    let (rule, before, after) = limit("cpu_pressure", "for", 1_200.0);
    assert_eq!(fate(rule, &before, &after, None, MINUTE), Fate::CannotTell);
}

#[test]
fn what_would_have_been_needed_is_said_as_it_is_written() {
    let rule = Rule::named("filesystem_space").unwrap();
    let present = Settings::default().for_anybody().of(rule);
    let needed = |share, free| needed(rule, &present, Some(Worst { share, free: Some(free) }), MINUTE);
    let pair = |key: &'static str, text: &str| (key, text.to_owned());
    assert_eq!(needed(0.0849, GIB), [pair("warning", "8.4 %")]);
    assert_eq!(needed(0.0312, GIB), [pair("warning", "3.1 %"), pair("critical", "3.1 %")]);
    let memory = Rule::named("memory_exhausted").unwrap();
    let memory_present = Settings::default().for_anybody().of(memory);
    let found = super::needed(memory, &memory_present, Some(Worst { share: 0.0, free: None }), MINUTE);
    assert_eq!(found, [pair("warning", "0 %"), pair("critical", "0 %")]);
}

#[test]
fn where_no_figure_is_kept_the_time_is_said() {
    let rule = Rule::named("systemd_unit_failed").unwrap();
    let present = Settings::default().for_anybody().of(rule);
    assert_eq!(needed(rule, &present, None, 170_000), [("for", "4 min".to_owned())]);
    assert_eq!(needed(rule, &present, None, 169_999), [("for", "3 min".to_owned())]);
    assert_eq!(needed(rule, &present, None, 200_000_000), [], "longer than the limit may be");
    let cpu = Rule::named("cpu_pressure").unwrap();
    assert_eq!(needed(cpu, &Settings::default().for_anybody().of(cpu), None, MINUTE), []);
}

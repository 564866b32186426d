//! What is kept of an agreement reads back as it was.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};

use super::*;
use crate::{
    config::{agreement_text, parse_agreements},
    domain::{
        calendar::Recurring,
        hold::Scope,
        labels::Class,
        sla::{
            agreement::{Agreement, Policy},
            burn::BurnAlerts,
            force::Force,
            outage_limit::OutageLimit,
            period::Length,
            report::Declared,
            service::{Needs, Service},
            target::Target,
        },
    },
};

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![any::<char>(), Just('"'), Just('\\'), Just('\''), Just('#')], 1..12)
        .prop_map(|chars| chars.into_iter().filter(|c| !c.is_control()).collect::<String>())
        .prop_filter("there is something", |text| !text.is_empty())
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Exclude), Just(Policy::AsUp), Just(Policy::AsDown)]
}

fn date() -> impl Strategy<Value = Date> {
    (1970_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

/// Hours that do not overlap: each on days of its own.
fn hours(zone: &'static str) -> impl Strategy<Value = Vec<Recurring>> {
    let clock = |second: i32| Time::midnight().wrapping_add(jiff::Span::new().seconds(second));
    let window = move |days: Vec<i8>, start: i32, lasts: i32| {
        let (start, end) = (clock(start), clock(start + lasts));
        Recurring { zone: zone.to_owned(), weekdays: days, month_days: vec![], start, end }
    };
    let times = || (0_i32..43_200, 1_i32..=43_200);
    prop_oneof![
        Just(vec![]),
        times().prop_map(move |(start, lasts)| vec![window(vec![], start, lasts)]),
        (times(), times()).prop_map(move |(one, other)| {
            vec![window(vec![7, 1, 3], one.0, one.1), window(vec![5], other.0, other.1)]
        }),
    ]
}

prop_compose! {
    fn agreements()(
        name in text(), percent in 1_u64..=1_000_000, policies in proptest::array::uniform5(policy()),
        hours in hours("Europe/Berlin"), holidays in proptest::collection::btree_set(date(), 0..4),
        dates in proptest::option::of((date(), date())), limit in proptest::option::of((0_i64..10_000, 0_i64..=86_400_000)),
        days in 1_i32..400,
    ) -> Agreement {
        let target = Target::parse(&format!("{}.{:04}", percent / 10_000, percent % 10_000)).unwrap();
        let [maintenance, unreachable, collector_down, unknown, clean_stop] = policies;
        let force = dates.map_or(Force::default(), |(from, span)| {
            let from = from.min(span);
            let until = from.checked_add(jiff::Span::new().days(days)).unwrap();
            Force { from: (days % 3 > 0).then_some(from), until: (days % 2 > 0).then_some(until) }
        });
        let outages = limit.map(|(most, shortest_ms)| OutageLimit { most, shortest_ms });
        let holidays: BTreeSet<Date> = holidays;
        Agreement {
            zone: "Europe/Berlin".into(), maintenance, unreachable, collector_down, unknown, clean_stop,
            service_hours: hours, holidays, force, outages, ..Agreement::new(&name, target)
        }
    }
}

prop_compose! {
    fn scopes()(
        hosts in proptest::collection::vec(text(), 1..4), sites in proptest::collection::vec(text(), 0..3),
        class in proptest::option::of(prop_oneof![Just(Class::Server), Just(Class::Workstation), Just(Class::Device)]),
        labels in proptest::collection::btree_map(text(), text(), 0..3),
    ) -> Scope {
        Scope { hosts, sites, class, labels: labels.into_iter().collect(), ..Scope::default() }
    }
}

proptest! {
    #[test]
    fn an_agreement_reads_back_as_it_was_written(
        agreement in agreements(), scope in scopes(),
        period in prop_oneof![Just(Length::Day), Just(Length::Week), Just(Length::Month), Just(Length::Quarter),
            Just(Length::Year), (1_i32..=400).prop_map(Length::Rolling)],
        checks in proptest::collection::vec(text(), 0..3), warned in proptest::bool::ANY,
    ) {
        let warning = if warned { Policy::AsDown } else { Policy::AsUp };
        let agreement = Agreement { warning, ..agreement };
        let declared = Declared { agreement, period, scope, checks, services: vec![], burn_alerts: BurnAlerts::Off };
        let text = agreement_text(&[&declared]);
        let read = parse_agreements(&text, Path::new("kept.toml")).map_err(|errors| TestCaseError::fail(format!("{errors}\n{text}")))?;
        prop_assert_eq!(agreement_text(&[&read[0]]), text, "one way of writing it");
        prop_assert_eq!(read, vec![declared]);
    }
}

fn needs() -> impl Strategy<Value = Needs> {
    prop_oneof![Just(Needs::All), Just(Needs::Any), (1_usize..9).prop_map(Needs::AtLeast)]
}

prop_compose! {
    /// A service of hosts, and perhaps of others that are made of hosts.
    fn services()(
        names in proptest::collection::btree_set("[a-zA-Z0-9_.-]{1,8}", 2..5), scope in scopes(),
        needs in proptest::collection::vec(needs(), 5), checks in proptest::collection::vec(text(), 0..3),
    ) -> Service {
        // No pattern, no count: what is named may be as many as are needed.
        let scope = Scope { hosts: vec!["*".into()], ..scope };
        let mut made = names.into_iter().zip(needs).map(|(name, needs)| Service {
            name, needs, scope: scope.clone(), checks: checks.clone(), services: vec![],
        });
        let whole = made.next().unwrap();
        Service { services: made.collect(), ..whole }
    }
}

proptest! {
    #[test]
    fn an_agreement_over_a_service_brings_it_along(service in services()) {
        let text = "[[service]]\nname = \"x\"\nneeds = 1\nhosts = [\"*\"]\n[[agreement]]\nname = \"a\"\ntarget = 99\nservices = [\"x\"]\n";
        let mut declared = parse_agreements(text, Path::new("a.toml")).unwrap().remove(0);
        declared.services = vec![service];
        let text = agreement_text(&[&declared]);
        let read = parse_agreements(&text, Path::new("kept.toml")).map_err(|errors| TestCaseError::fail(format!("{errors}\n{text}")))?;
        prop_assert_eq!(read, vec![declared]);
    }
}

#[test]
fn declarations_of_one_name_are_written_in_the_order_of_their_dates() {
    let one = |dates: &str, target: &str| {
        format!("[[agreement]]\nname = \"web\"\ntarget = {target}\nhosts = [\"*\"]\n{dates}\n")
    };
    let (old, new) = (one("until = \"2026-06-01\"", "99"), one("from = \"2026-06-01\"", "99.9"));
    let read = |text: &str| parse_agreements(text, Path::new("a.toml")).unwrap();
    let (forth, back) = (read(&format!("{old}{new}")), read(&format!("{new}{old}")));
    let text = |all: &[Declared]| agreement_text(&all.iter().collect::<Vec<_>>());
    assert_eq!(text(&forth), text(&back));
    assert_eq!(read(&text(&back)), forth);
    let said = parse_agreements("state = \"/x\"", Path::new("a.toml")).unwrap_err().to_string();
    assert!(said.contains("a.toml:1: state") && said.contains("known are: service, agreement"), "{said}");
}

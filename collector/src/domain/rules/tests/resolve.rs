//! Which limits apply to whom, and where each comes from.

use super::bench::{Bench, profile};
use crate::domain::{
    labels::Class,
    rules::{Change, Line, RULES, Rule, Selector, Settings, Thresholds},
    severity::Severity,
};

fn line(origin: &str, name: &str, selector: Selector, severity: Option<Severity>, limits: &[(&str, f64)]) -> Line {
    let limits = limits.iter().map(|(key, amount)| (rule(name).limit(key).unwrap(), *amount)).collect();
    let change = Change { enabled: None, severity, limits };
    Line { rule: rule(name), selector, change, origin: origin.into() }
}

fn settings() -> Settings {
    let databases = || Selector { host: Some("db-*".into()), ..Selector::default() };
    let backup = Selector { part: Some("/backup".into()), ..databases() };
    let play = Selector { label: Some(("environment".into(), "dev*".into())), ..Selector::default() };
    let desks = Selector { class: Some(Class::Workstation), ..Selector::default() };
    let certbot = Selector { part: Some("certbot.*".into()), ..Selector::default() };
    let mut quiet = line("quiet", "systemd_unit_failed", certbot, None, &[]);
    quiet.change.enabled = Some(false);
    Settings::new(vec![
        line("all", "filesystem_space", Selector::default(), None, &[("warning", 0.15)]),
        line("backup", "filesystem_space", backup, None, &[("warning", 0.03), ("critical", 0.01)]),
        line("databases", "filesystem_space", databases(), None, &[("warning", 0.20)]),
        line("play", "filesystem_space", play, Some(Severity::Warning), &[]),
        line("loud", "cpu_pressure", desks, Some(Severity::Warning), &[("for", 1_140.0)]),
        quiet,
    ])
}

fn rule(name: &str) -> &'static Rule {
    Rule::named(name).unwrap()
}

fn origin(thresholds: &Thresholds, name: &str, part: &str, key: &str) -> (f64, String) {
    let effective = thresholds.at(rule(name), || part);
    let place = rule(name).limit(key).unwrap();
    (effective.limits[place], thresholds.limit_from(&effective, place).to_owned())
}

#[test]
fn the_more_exactly_a_line_names_its_subject_the_later_it_counts() {
    let settings = settings();
    let all = settings.of(&profile("db-1", Class::Server, &[("environment", "development")]));
    let at = |part: &str, key: &str| origin(&all, "filesystem_space", part, key);
    assert_eq!(at("/backup", "warning"), (0.03, "backup".into()));
    assert_eq!(at("/backup", "critical"), (0.01, "backup".into()));
    assert_eq!(at("/", "warning"), (0.20, "databases".into()));
    assert_eq!(at("/", "critical"), (0.05, "built in".into()));
    let web = settings.of(&profile("web-1", Class::Server, &[]));
    let space = origin(&web, "filesystem_space", "/backup", "warning");
    assert_eq!(space, (0.15, "all".into()));
    let effective = all.of(rule("filesystem_space"));
    assert_eq!((effective.most, all.severity_from(&effective)), (Severity::Warning, "play"));
}

#[test]
fn workstations_tell_nothing_worse_than_info_unless_a_line_says_so() {
    let desk = settings().of(&profile("ws-1", Class::Workstation, &[]));
    for rule in RULES {
        let effective = desk.of(rule);
        let expected = if rule.name == "cpu_pressure" {
            (Severity::Warning, "loud")
        } else {
            (Severity::Info, "built in for workstations")
        };
        assert_eq!((effective.most, desk.severity_from(&effective)), expected, "{}", rule.name);
    }
}

#[test]
fn hosts_to_which_the_same_applies_share_it() {
    let settings = settings();
    let [a, b] = ["web-1", "web-2"].map(|name| settings.of(&profile(name, Class::Server, &[])));
    assert!(std::sync::Arc::ptr_eq(&a, &b));
    let other = settings.of(&profile("db-2", Class::Server, &[]));
    assert!(!std::sync::Arc::ptr_eq(&a, &other));
}

const UNITS: [&str; 2] = [
    "node_systemd_unit_state{name=certbot.service,state=failed}",
    "node_systemd_unit_state{name=app.service,state=failed}",
];

#[test]
fn a_part_that_is_switched_off_is_not_judged_and_what_stood_is_cleared() {
    let failed = UNITS.map(|unit| (unit, 1.0));
    let bench = Bench::new(&UNITS);
    let told = bench.hold(60, &failed);
    assert_eq!(told.len(), 2, "{told:?}");
    bench.slots.set_rules(settings(), std::iter::once(&profile("web-1", Class::Server, &[])));
    let told = bench.hold(60, &failed);
    assert_eq!(told, ["cleared systemd_unit_failed: certbot.service: this rule is switched off here"]);
}

#[test]
fn a_host_that_becomes_a_workstation_tells_the_same_trouble_as_info() {
    let bench = Bench::new(&UNITS);
    assert_eq!(bench.hold(60, &[(UNITS[1], 1.0)]), ["warning systemd_unit_failed: app.service: in state failed"]);
    bench.slots.know(&profile("web-1", Class::Workstation, &[]));
    assert_eq!(bench.hold(60, &[(UNITS[1], 1.0)]), ["info systemd_unit_failed: app.service: in state failed"]);
}

#[test]
fn what_other_limits_do_not_cross_is_over_at_once_and_limits_of_others_change_nothing() {
    let series = ["node_filesystem_size_bytes{mountpoint=/var}", "node_filesystem_avail_bytes{mountpoint=/var}"];
    let bench = Bench::new(&series);
    let web = profile("web-1", Class::Server, &[]);
    let free = |share: f64| [(series[0], 107_374_182_400.0), (series[1], share * 107_374_182_400.0)];
    assert_eq!(bench.report(&free(0.0476)).len(), 1, "critical below 5 %");
    let only = |host: &str, limit: f64| {
        let selector = Selector { host: Some(host.into()), ..Selector::default() };
        Settings::new(vec![line("x", "filesystem_space", selector, None, &[("warning", limit), ("critical", limit)])])
    };
    bench.slots.set_rules(only("db-1", 0.01), [&web].into_iter());
    assert!(bench.report(&free(0.06)).is_empty(), "critical until 7 %, whatever is said of another host");
    bench.slots.set_rules(only("web-1", 0.047), [&web].into_iter());
    let said = bench.report(&free(0.0476));
    assert!(
        said.len() == 1 && said[0].starts_with("cleared filesystem_space: /var: 4.8 GiB of 100 GiB free"),
        "{said:?}"
    );
    // From then on the new limits hold like any: left behind by 2 % more.
    assert_eq!(bench.report(&free(0.046)).len(), 1);
    assert!(bench.report(&free(0.066)).is_empty());
    assert_eq!(bench.report(&free(0.068)).len(), 1);
}

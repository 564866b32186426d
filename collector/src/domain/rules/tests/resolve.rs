//! Which limits apply to whom, and where each comes from.

use std::path::Path;

use super::bench::{Bench, profile};
use crate::{
    config,
    domain::{
        event::Severity,
        labels::Class,
        rules::{RULES, Rule, Settings, Thresholds},
    },
};

const CONFIGURATION: &str = r#"
[rules.filesystem_space]
warning = "15 %"
[overrides]
backup = { rule = "filesystem_space", host = "db-*", mount = "/backup", warning = "3 %", critical = "1 %" }
databases = { rule = "filesystem_space", host = "db-*", warning = "20 %" }
play = { rule = "filesystem_space", label = "environment=dev*", severity = "warning" }
loud = { rule = "cpu_pressure", class = "workstation", severity = "warning", for = "19 min" }
quiet = { rule = "systemd_unit_failed", unit = "certbot.*", enabled = false }
"#;

fn settings() -> Settings {
    config::parse(CONFIGURATION, Path::new("/etc/muster/collector.toml")).unwrap().rules
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
    assert_eq!(at("/backup", "warning"), (0.03, "override backup, collector.toml:5".into()));
    assert_eq!(at("/backup", "critical"), (0.01, "override backup, collector.toml:5".into()));
    assert_eq!(at("/", "warning"), (0.20, "override databases, collector.toml:6".into()));
    assert_eq!(at("/", "critical"), (0.05, "built in".into()));
    let web = settings.of(&profile("web-1", Class::Server, &[]));
    let space = origin(&web, "filesystem_space", "/backup", "warning");
    assert_eq!(space, (0.15, "[rules.filesystem_space], collector.toml:2".into()));
    let effective = all.of(rule("filesystem_space"));
    assert_eq!((effective.most, all.severity_from(&effective)), (Severity::Warning, "override play, collector.toml:7"));
}

#[test]
fn workstations_tell_nothing_worse_than_info_unless_a_line_says_so() {
    let desk = settings().of(&profile("ws-1", Class::Workstation, &[]));
    for rule in RULES {
        let effective = desk.of(rule);
        let expected = if rule.name == "cpu_pressure" {
            (Severity::Warning, "override loud, collector.toml:8")
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

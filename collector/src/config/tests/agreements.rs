//! Agreements: read whole, and refused by line and key.

use super::*;
use crate::{
    config::parse_agreement,
    domain::sla::{agreement::Policy, burn::BurnAlerts},
};

fn refused(text: &str) -> Vec<String> {
    let errors = parse_agreement(text, Path::new("web.toml")).unwrap_err();
    errors.mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let agreements = read(&example_switched_on(folder.path())).unwrap().agreements;
    let [shop, whole] = agreements.as_slice() else { panic!("{agreements:?}") };
    assert_eq!((shop.agreement.name.as_str(), shop.period.word().as_str()), ("web shop", "month"));
    assert_eq!(shop.scope.words(), "host web-*, site Berlin, class server, service=shop");
    assert_eq!((shop.checks.as_slice(), shop.agreement.warning), (["http*".to_owned()].as_slice(), Policy::AsUp));
    assert_eq!(shop.applies_to(), format!("checks http* of {}", shop.scope.words()));
    assert_eq!((shop.agreement.service_hours.len(), shop.agreement.holidays.len()), (1, 2));
    assert_eq!((whole.applies_to().as_str(), whole.services[0].services[0].name.as_str()), ("service shop", "payment"));
}

#[test]
fn a_name_and_a_target_are_enough() {
    let agreement = parse_agreement("name = \"web\"\ntarget = 99.90\n", Path::new("web.toml")).unwrap();
    assert_eq!((agreement.name.as_str(), agreement.target.percent().as_str()), ("web", "99.9"));
    assert_eq!((agreement.maintenance, agreement.unknown), (Policy::Exclude, Policy::AsDown));
}

#[test]
fn every_key_is_read() {
    let text = "name = \"office\"\ntarget = 99\nzone = \"Europe/Berlin\"\nmaintenance = \"as_up\"\n\
                unreachable = \"as_down\"\ncollector_down = \"as_up\"\nunknown = \"exclude\"\nclean_stop = \"exclude\"\n\
                service_hours = [{ days = [\"mon\", \"tue\"], from = \"08:00\", to = \"18:00\" },\n\
                \x20 { days = [\"Saturday\"], from = \"00:00\", to = \"24:00\" }]\nholidays = [\"2026-12-25\"]\nwarning = \"as_down\"\n";
    let agreement = parse_agreement(text, Path::new("office.toml")).unwrap();
    let words: Vec<String> = agreement.service_hours.iter().map(|hours| hours.words()).collect();
    assert_eq!(words, ["mon, tue 08:00-18:00 Europe/Berlin", "sat 00:00-00:00 Europe/Berlin"]);
    assert_eq!(
        (
            agreement.maintenance,
            agreement.unreachable,
            agreement.collector_down,
            agreement.unknown,
            agreement.clean_stop
        ),
        (Policy::AsUp, Policy::AsDown, Policy::AsUp, Policy::Exclude, Policy::Exclude)
    );
    assert_eq!((agreement.holidays.len(), agreement.warning), (1, Policy::AsDown));
}

#[test]
fn mistakes_are_all_told_by_line_and_key() {
    let text = "target = 100.5\nzone = \"Berlin\"\nmaintenance = \"ignore\"\nholidays = [\"2026-02-30\"]\nslo = 1\n\
                warning = \"exclude\"\n[[service_hours]]\ndays = [\"mon\"]\nfrom = \"22:00\"\nto = \"06:00\"\n\
                [[service_hours]]\ndays = [\"tue\"]\nfrom = \"05:00\"\nto = \"10:00\"\n\
                [[service_hours]]\nfrom = \"25:00\"\n\
                [[service_hours]]\ndays = [\"sun\"]\nfrom = \"09:00\"\nto = \"09:00\"\n";
    let said = refused(text);
    let expected = [
        "name: expected the name of the agreement; it is missing",
        "web.toml:1: target = 100.5: expected a percentage above 0",
        "web.toml:2: zone = \"Berlin\"",
        "web.toml:3: maintenance = \"ignore\": expected one of exclude, as_up, as_down",
        "web.toml:4: holidays = \"2026-02-30\": expected a date",
        "web.toml:5: slo = 1: expected no such key",
        "web.toml:6: warning = \"exclude\": expected one of as_up, as_down",
        "service_hours[2].from: expected hours that do not overlap: on tue they also lie in mon 22:00-06:00",
        "web.toml:16: service_hours[3].from = \"25:00\"",
        "service_hours[3].to: expected a time of the day",
        "web.toml:20: service_hours[4].to = \"09:00\": expected a time other than from",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

#[test]
fn hours_may_touch_and_may_reach_over_the_end_of_the_week() {
    let window = |days: &str, from: &str, to: &str| format!("{{ days = [{days}], from = \"{from}\", to = \"{to}\" }}");
    let agreement = |windows: &[String]| {
        let text = format!("name = \"a\"\ntarget = 99\nservice_hours = [{}]\n", windows.join(", "));
        parse_agreement(&text, Path::new("a.toml"))
    };
    assert!(agreement(&[window("\"mon\"", "08:00", "12:00"), window("\"mon\"", "12:00", "18:00")]).is_ok());
    assert!(agreement(&[window("\"sun\"", "22:00", "06:00"), window("\"mon\"", "05:00", "18:00")]).is_err());
    assert!(agreement(&[window("\"sun\"", "22:00", "06:00"), window("\"mon\"", "06:00", "18:00")]).is_ok());
}

#[test]
fn agreements_of_the_fleet_say_to_whom_they_apply() {
    let text = "[[agreement]]\nname = \"web\"\ntarget = 99.9\nhosts = [\"web-*\"]\nperiod = \"30d\"\n\
                [[agreement]]\nname = \"web\"\ntarget = 99\nclass = \"server\"\n\
                [[agreement]]\nname = \"all\"\ntarget = 99\nperiod = \"fortnight\"\n";
    let said = mistakes(text);
    let expected = [
        "collector.toml:7: agreement[2].name = \"web\": expected a name that no other has",
        "agreement[3].hosts: expected hosts, sites, class or labels",
        "collector.toml:13: agreement[3].period = \"fortnight\": expected one of day, week, month",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

fn burn_alerts(target: &str, period: &str, asked: &str) -> Result<Config, ConfigErrors> {
    let asked = if asked.is_empty() { String::new() } else { format!("burn_alerts = \"{asked}\"\n") };
    let text =
        format!("[[agreement]]\nname = \"web\"\ntarget = {target}\nhosts = [\"*\"]\nperiod = \"{period}\"\n{asked}");
    read(&text)
}

#[test]
fn a_budget_that_burns_is_a_ticket_unless_something_else_is_said() {
    for (target, asked, expected) in [
        ("99.9", "", BurnAlerts::Tickets),
        ("99.9", "pages", BurnAlerts::Pages),
        ("99.9", "off", BurnAlerts::Off),
        ("100", "", BurnAlerts::Off),
        ("100", "off", BurnAlerts::Off),
        ("10", "", BurnAlerts::Tickets),
    ] {
        let config = burn_alerts(target, "30d", asked).unwrap();
        assert_eq!((config.agreements[0].burn_alerts, config.warnings.len()), (expected, 0), "{target} {asked}");
    }
}

#[test]
fn an_alert_that_can_never_come_is_refused_and_a_rule_that_cannot_is_named() {
    let refused = |target, period, asked| burn_alerts(target, period, asked).unwrap_err().mistakes[0].to_string();
    let said = refused("100", "month", "tickets");
    let expected =
        "collector.toml:6: agreement[1].burn_alerts = \"tickets\": expected off where target = 100: nothing may be";
    assert!(said.starts_with(expected), "{said}");
    // A year's budget lasts so long that a tenth of it is not gone in three days at 90 %.
    let said = refused("90", "year", "tickets");
    let expected = "agreement[1].burn_alerts = \"tickets\": expected off or a higher target: with target = 90 and period = \"year\"";
    assert!(said.contains(expected) && said.ends_with("10 % in 1d, or 10 % in 3d"), "{said}");
    assert!(refused("99", "month", "on").ends_with("= \"on\": expected one of off, tickets, pages"));

    let warned = |target, period, asked| burn_alerts(target, period, asked).unwrap().warnings;
    // 14.4 times as fast as allowed cannot be below 93.06 %, six times not below 83.33 %.
    assert_eq!(warned("93.06", "30d", "pages"), Vec::<String>::new());
    let [warning] = &warned("93.05", "30d", "pages")[..] else { panic!("one warning") };
    assert!(warning.starts_with("collector.toml:6: agreement[1].burn_alerts: with target = 93.05"), "{warning}");
    assert!(warning.contains("no more than 2 % in 1h: nobody"), "{warning}");
    let [warning] = &warned("83.33", "30d", "pages")[..] else { panic!("one warning") };
    assert!(warning.contains("no more than 2 % in 1h, or 5 % in 6h: nobody"), "{warning}");
    assert_eq!(warned("83.33", "30d", "tickets"), Vec::<String>::new());
}

#[test]
fn dates_and_the_number_of_outages_are_read_and_refused_by_line_and_key() {
    let terms = "name = \"a\"\ntarget = 99\nfrom = \"2026-01-01\"\nuntil = \"2027-01-01\"\nmax_outages = 3\nmin_outage = \"2m\"\n";
    let agreement = parse_agreement(terms, Path::new("a.toml")).unwrap();
    assert_eq!(agreement.force.words(), "from 2026-01-01 until before 2027-01-01");
    let limit = agreement.outages.unwrap();
    assert_eq!((limit.most, limit.shortest_ms), (3, 120_000));
    let with = |line: &str| refused(&format!("name = \"a\"\ntarget = 99\n{line}\n"));
    for (line, part) in [
        ("from = \"1 Jan\"", "web.toml:3: from = \"1 Jan\": expected a date in quotes"),
        ("until = 2027-01-01", "web.toml:3: until = 2027-01-01: expected a date in quotes"),
        (
            "from = \"2026-02-01\"\nuntil = \"2026-02-01\"",
            "web.toml:4: until = \"2026-02-01\": expected a date after from",
        ),
        ("max_outages = -1", "web.toml:3: max_outages = -1: expected a number from 0"),
        ("max_outages = 1.5", "max_outages: expected a whole number"),
        ("max_outages = 1\nmin_outage = \"2 days\"", "web.toml:4: min_outage = \"2 days\": expected a time"),
        ("min_outage = \"2m\"", "web.toml:3: min_outage = \"2m\": expected max_outages too"),
    ] {
        let said = with(line);
        assert!(said.len() == 1 && said[0].contains(part), "{part} in {said:#?}");
    }
}

#[test]
fn one_name_may_be_promised_again_from_another_date_on() {
    let one = |dates: &str| format!("[[agreement]]\nname = \"web\"\ntarget = 99.9\nhosts = [\"*\"]\n{dates}\n");
    let all = |parts: &[&str]| parts.iter().map(|dates| one(dates)).collect::<String>();
    let fine =
        all(&["until = \"2026-06-01\"", "from = \"2026-06-01\"\nuntil = \"2027-01-01\"", "from = \"2027-01-01\""]);
    assert_eq!(read(&fine).unwrap().agreements.len(), 3);
    for (second, part) in [
        (
            "from = \"2026-05-31\"",
            "collector.toml:10: agreement[2].from = \"2026-05-31\": expected a name that no other",
        ),
        (
            "until = \"2026-06-02\"",
            "collector.toml:10: agreement[2].until = \"2026-06-02\": expected a name that no other",
        ),
        ("", "collector.toml:7: agreement[2].name = \"web\": expected a name that no other has, or dates"),
    ] {
        let said = mistakes(&all(&["until = \"2026-06-01\"", second]));
        assert!(said.len() == 1 && said[0].contains(part), "{part} in {said:#?}");
        assert!(said[0].contains("another \"web\" is in force until before 2026-06-01"), "{said:#?}");
    }
}

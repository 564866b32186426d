//! The dashboard of hardware, and what published dashboards of smartctl_exporter ask for, on a real Prometheus that scrapes
//! a collector whose one host has a failing drive.

use std::collections::BTreeSet;

use muster_tests::servers::Prometheus;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use super::super::readings::Rows;
use super::super::{board, list, word};
use crate::hardware_faces::{looks_again, nvme, sata, watched};
use crate::s;

/// Names and labels that published dashboards of smartctl_exporter use: numbers 20204 and 22604 of grafana.com and those of the
/// exporter's own mixin (read in November 2026).
const PUBLISHED: [(&str, &[&str]); 12] = [
    (
        "smartctl_device",
        &[
            "device",
            "interface",
            "protocol",
            "model_family",
            "model_name",
            "serial_number",
            "firmware_version",
            "form_factor",
        ],
    ),
    (
        "smartctl_device_attribute",
        &["device", "attribute_id", "attribute_name", "attribute_value_type", "attribute_flags_short"],
    ),
    ("smartctl_device_temperature", &["device", "temperature_type"]),
    ("smartctl_device_smart_status", &["device"]),
    ("smartctl_device_smartctl_exit_status", &["device"]),
    ("smartctl_device_power_on_seconds", &["device"]),
    ("smartctl_device_power_cycle_count", &["device"]),
    ("smartctl_device_capacity_bytes", &["device"]),
    ("smartctl_device_error_log_count", &["device", "error_log_type"]),
    ("smartctl_device_media_errors", &["device"]),
    ("smartctl_device_percentage_used", &["device"]),
    ("smartctl_device_bytes_written", &["device"]),
];
/// Joins as those dashboards make them.
const JOINS: [&str; 3] = [
    "smartctl_device_temperature * on (instance, device) group_left (interface, serial_number, model_name) smartctl_device",
    "count(smartctl_device_smart_status == 1)",
    "smartctl_device_available_spare > smartctl_device_available_spare_threshold",
];

/// A fleet of one host with a failing drive, its mirror that sleeps, and an NVMe drive.
async fn fleet() -> (Collector, Agent, Prometheus) {
    let collector = Collector::start("[[host_rule]]\nname = \"*\"\nsite = \"berlin\"\n").await;
    let (mut agent, machine) = watched(&collector).await;
    machine.drives(&[("sda", sata("sda", "MADE-UP-1", 12)), ("nvme0", nvme())], &["sdb"]);
    looks_again(&mut agent).await;
    let prometheus = Prometheus::start(&crate::prometheus::shipped(&collector).await).await;
    for query in [
        "muster_hardware_finding_info{rule=\"drive-pending-sectors\"}",
        "muster_hardware_parts{outcome=\"asleep\"}",
        "smartctl_device_attribute{device=\"sda\", attribute_id=\"197\", attribute_value_type=\"raw\"} == 12",
    ] {
        eventually(query, s(60), || async { prometheus.query(query).await.pop() }).await;
    }
    (collector, agent, prometheus)
}

/// What each panel must show of that machine: the labels of its rows, and the rows of each target.
fn expected(title: &str, host: &str, unread: Rows) -> Option<(&'static [&'static str], Vec<Rows>)> {
    let one = |value: f64| vec![Rows::between(value, value)];
    let rows = |rows: &[(&str, f64)]| Rows::of(rows.iter().map(|(key, value)| ((*key).to_owned(), *value)));
    let (hour, name) = (3_600.0, |device: &str| format!("{host} {device}"));
    Some(match title {
        // The array without redundancy and the failing drive are going; the mirror and the NVMe drive are well.
        "Parts failed" => (&[], one(1.0)),
        "Parts failing" => (&[], one(1.0)),
        "Parts doubtful" => (&[], one(0.0)),
        "Parts healthy" => (&[], one(2.0)),
        // Of three drives, the array, mdstat's and the layout's rows, one sleeps.
        "Parts read" => (&[], vec![Rows::between(0.5, 0.99)]),
        "Drives" => (&[], one(3.0)),
        "What fails" => (
            &["component", "model", "serial", "slot", "severity", "site"],
            vec![rows(&[
                ("drive MADE-UP-1 MADE UP 4000 MADE-UP-1 Slot 03 of enclosure 3:0:8:0 warning berlin", 1.0),
                ("array md0 raid1   critical berlin", 1.0),
            ])],
        ),
        "Findings by rule" => (&["rule"], vec![rows(&[("drive-pending-sectors", 1.0), ("array-degraded", 1.0)])]),
        "Not read, by reason" => (&["reason"], vec![unread]),
        "Temperature" => (&["device"], vec![rows(&[("sda", 34.0), ("sdb", 34.0), ("nvme0", 41.0)])]),
        "Bad sectors" => (&["device"], vec![rows(&[("sda", 3.0)]), rows(&[("sda", 12.0)])]),
        "Drives by age" => (
            &["device", "serial_number"],
            vec![rows(&[
                ("sda MADE-UP-1", 30_000.0 * hour),
                ("sdb MADE-UP-2", 30_000.0 * hour),
                ("nvme0 MADE-UP-3", 20_000.0 * hour),
            ])],
        ),
        "Endurance spent" => (&["device", "model_name"], vec![rows(&[("nvme0 MADE UP 980", 42.0)])]),
        "Oldest evidence" => {
            let row = |device: &str| Rows::between(0.0, 300.0).under(&name(device));
            (&["instance", "device"], vec![row("sda").and(row("sdb")).and(row("nvme0"))])
        }
        _ => return None,
    })
}

#[tokio::test]
async fn every_panel_of_hardware_shows_what_the_machine_has_and_published_dashboards_find_their_series() {
    let (collector, agent, prometheus) = fleet().await;
    // As the evidence itself says it: the word before the colon.
    let evidence = collector.get(&format!("/api/v1/hosts/{}/evidence", agent.host)).await.json();
    let unread = list(&evidence["items"]).filter(|item| word(item, "outcome") != "read");
    let reasons = unread.filter_map(|item| word(item, "reason").split_once(':'));
    let unread = Rows::of(reasons.map(|(why, _)| (why.to_owned(), 1.0)));
    let board = board("hardware");
    let mut wrong: Vec<String> = Vec::new();
    for panel in list(&board["panels"]) {
        let title = word(panel, "title");
        let Some((by, targets)) = expected(title, &agent.name, unread.clone()) else {
            wrong.push(format!("nobody says what {title} must show"));
            continue;
        };
        assert_eq!(targets.len(), list(&panel["targets"]).count(), "{title}");
        for (target, rows) in list(&panel["targets"]).zip(&targets) {
            let query = word(target, "expr").replace("$class", ".*").replace("$site", ".*");
            let found = prometheus.query(&query).await;
            wrong.extend(rows.compare(&found, by).into_iter().map(|why| format!("{title}: {why}\n    {query}")));
        }
    }
    for (name, labels) in PUBLISHED {
        let found = prometheus.query(name).await;
        let known: BTreeSet<&str> = found
            .iter()
            .filter_map(|(series, _)| series.as_object())
            .flat_map(|series| series.keys().map(String::as_str))
            .collect();
        let missing: Vec<_> = labels.iter().filter(|label| !known.contains(**label)).collect();
        if !missing.is_empty() {
            wrong.push(format!("{name} lacks {missing:?}: {known:?}"));
        }
    }
    for query in JOINS {
        if prometheus.query(query).await.is_empty() {
            wrong.push(format!("no data: {query}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_variables(&board, &prometheus).await;
}

async fn check_variables(board: &Value, prometheus: &Prometheus) {
    for variable in list(&board["templating"]["list"]).filter(|variable| word(variable, "type") == "query") {
        let query = word(&variable["query"], "query");
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (selector, label) = inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values(metric, label)");
        let values = prometheus.label_values(selector, label).await;
        assert!(!values.is_empty(), "{query}");
    }
}

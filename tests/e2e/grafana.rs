//! The shipped dashboards: every query of every panel and variable runs on a real Prometheus, returns data, and says what
//! the host's page, the collector's page or the API says at that time.
//!
//! Grafana itself is not started: its files are checked for what it needs to load them without a question.

mod expected;
mod readings;

use std::collections::BTreeSet;

use muster_tests::process::root;
use serde_json::Value;

/// Files below `deploy/grafana/dashboards` and the uids by which they link to each other.
const BOARDS: [(&str, &str); 5] = [
    ("fleet", "muster-fleet"),
    ("host", "muster-host"),
    ("collector", "muster-collector"),
    ("service-levels", "muster-service-levels"),
    (HARDWARE, "muster-hardware"),
];
/// The one whose panels are looked at in a story of their own: it needs a machine with drives.
const HARDWARE: &str = "hardware";
/// Panels that every Grafana brings.
const CORE: [&str; 6] = ["stat", "timeseries", "table", "bargauge", "state-timeline", "text"];

fn text(file: &str) -> String {
    let path = root().join("deploy/grafana").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn board(name: &str) -> Value {
    serde_json::from_str(&text(&format!("dashboards/{name}.json"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// All objects and texts at any depth below `value`, with the key they stand under.
fn each<'a>(key: &'a str, value: &'a Value, look: &mut dyn FnMut(&str, &'a Value)) {
    look(key, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(key, item, look)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| each(key, field, look)),
        _ => {}
    }
}

fn check_head(name: &str, uid: &str, board: &Value) {
    assert_eq!((&board["id"], word(board, "uid")), (&Value::Null, uid), "{name}");
    assert!(board.get("__inputs").is_none() && board.get("__requires").is_none(), "{name} asks at import");
    let version = board["schemaVersion"].as_u64().unwrap_or_default();
    assert!((39..=41).contains(&version), "{name}: Grafana 10 to 12 load versions 39 to 41, this is {version}");
    assert!(list(&board["tags"]).any(|tag| tag == "muster") && word(board, "timezone") == "browser", "{name}");
    let first = &board["templating"]["list"][0];
    assert_eq!((word(first, "type"), word(first, "query")), ("datasource", "prometheus"), "{name}");
    let linked: BTreeSet<&str> = list(&board["links"]).map(|link| word(link, "url")).collect();
    let others = BOARDS.iter().filter(|(_, other)| *other != uid);
    for (_, other) in others {
        assert!(linked.iter().any(|url| url.starts_with(&format!("/d/{other}/"))), "{name} does not link to {other}");
    }
}

fn check_panel(name: &str, panel: &Value) {
    let title = word(panel, "title");
    assert!(!title.is_empty() && word(panel, "description").len() > 10, "{name}: {title:?} says what it shows");
    assert!(CORE.contains(&word(panel, "type")), "{name}: {title} is of type {}", panel["type"]);
    let defaults = &panel["fieldConfig"]["defaults"];
    assert!(!word(defaults, "unit").is_empty(), "{name}: {title} has no unit");
    let first = &defaults["thresholds"]["steps"][0];
    assert!(
        first["value"].is_null() && first["color"].is_string(),
        "{name}: {title}: thresholds begin below all values"
    );
    let refs: Vec<&str> = list(&panel["targets"]).map(|target| word(target, "refId")).collect();
    let distinct: BTreeSet<&str> = refs.iter().copied().filter(|id| !id.is_empty()).collect();
    assert!(!refs.is_empty() && distinct.len() == refs.len(), "{name}: {title}: refIds {refs:?}");
    let place = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(99);
    assert!(place("x") + place("w") <= 24, "{name}: {title} leaves the grid");
}

#[test]
fn the_dashboards_load_without_a_question() {
    for (name, uid) in BOARDS {
        let board = board(name);
        check_head(name, uid, &board);
        list(&board["panels"]).for_each(|panel| check_panel(name, panel));
        let ids: BTreeSet<u64> = list(&board["panels"]).filter_map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(ids.len(), list(&board["panels"]).count(), "{name}: each panel has an id of its own");
        each("", &board, &mut |key, value| match key {
            "datasource" => {
                let is_chosen = word(value, "type") == "prometheus" && word(value, "uid") == "${datasource}";
                assert!(is_chosen, "{name}: a data source is {value}");
            }
            "expr" | "query" if value.is_string() => {
                let query = value.as_str().unwrap_or_default();
                assert!(!query.contains("vector(") && !query.contains("absent("), "{name} hides that there is no data");
                assert!(!query.contains("[1m]") && !query.contains("[5m]"), "{name}: use $__rate_interval: {query}");
            }
            "folderId" | "libraryPanel" | "orgId" | "dashboardId" => panic!("{name}: {key} is of one Grafana only"),
            _ => {}
        });
        let variables = list(&board["templating"]["list"]);
        assert!(variables.into_iter().all(|variable| variable["current"] == serde_json::json!({})), "{name}");
    }
}

#[test]
fn the_provisioning_files_name_what_is_shipped() {
    let sources = text("provisioning/datasources/muster.yaml");
    for line in ["apiVersion: 1", "    type: prometheus", "    access: proxy", "      timeInterval: 15s"] {
        assert!(sources.lines().any(|found| found == line), "{line:?} is missing");
    }
    // The same pace as Prometheus', or panels of a short time are empty.
    let jobs = std::fs::read_to_string(root().join("deploy/prometheus/prometheus.yml")).expect("a shipped file");
    assert!(jobs.contains("scrape_interval: 15s"), "{jobs}");
    let providers = text("provisioning/dashboards/muster.yaml");
    for line in ["apiVersion: 1", "    type: file", "    folderUid: muster"] {
        assert!(providers.lines().any(|found| found == line), "{line:?} is missing");
    }
    let path = providers.lines().find_map(|line| line.trim().strip_prefix("path: ")).expect("a path");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(path), "the README does not say that dashboards go to {path}");
}

mod prometheus {
    mod hardware;

    use super::{expected::Panel, readings::Readings, *};
    use muster_tests::servers::Prometheus;

    /// The query as Grafana would send it.
    fn filled(query: &str, readings: &Readings) -> String {
        let seconds = format!("{}s", readings.seconds);
        let collector = readings.target();
        [("$__rate_interval", &*seconds), ("$class", ".*"), ("$site", ".*"), ("$agreement", ".*")]
            .into_iter()
            .chain([("$host", &*readings.host), ("$collector", &*collector)])
            .fold(query.to_owned(), |query, (name, value)| query.replace(name, value))
    }

    async fn check_variables(name: &str, board: &Value, prometheus: &Prometheus, readings: &Readings) {
        let target = readings.target();
        for variable in list(&board["templating"]["list"]).filter(|variable| word(variable, "type") == "query") {
            let query = word(&variable["query"], "query");
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) =
                inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values(metric, label)");
            let values = prometheus.label_values(selector, label).await;
            let ours = match word(variable, "name") {
                "class" => "server",
                "site" => "berlin",
                "agreement" => "all hosts",
                "host" => &readings.host,
                _ => &target,
            };
            assert!(values.iter().any(|value| value == ours), "{name}: {query} is {values:?}, without {ours}");
        }
    }

    async fn check_panel(name: &str, panel: &Value, prometheus: &Prometheus, readings: &Readings) -> Vec<String> {
        let title = word(panel, "title");
        let Some(expected) = expected::of(name, title, readings) else {
            return vec![format!("{name}: nobody says what {title} must show")];
        };
        let Panel { by, targets } = expected;
        let mut wrong = Vec::new();
        if targets.len() != list(&panel["targets"]).count() {
            wrong.push(format!("{name}: {title} has other targets than expected"));
        }
        for (target, expected) in list(&panel["targets"]).zip(&targets) {
            let query = filled(word(target, "expr"), readings);
            let found = prometheus.query_at(&query, readings.at).await;
            let complaints = found.map_or_else(|error| vec![error], |found| expected.compare(&found, by));
            wrong.extend(complaints.into_iter().map(|why| format!("{name}: {title}: {why}\n    {query}")));
        }
        wrong
    }

    #[tokio::test]
    async fn every_panel_shows_what_the_pages_and_the_api_say() {
        let (readings, prometheus) = readings::taken().await;
        let (mut wrong, mut panels) = (Vec::new(), 0);
        for (name, _) in BOARDS.into_iter().filter(|(name, _)| *name != HARDWARE) {
            let board = board(name);
            check_variables(name, &board, &prometheus, &readings).await;
            for panel in list(&board["panels"]) {
                wrong.extend(check_panel(name, panel, &prometheus, &readings).await);
                panels += 1;
            }
        }
        assert!(wrong.is_empty(), "{} of {panels} panels\n{}", wrong.len(), wrong.join("\n"));
    }
}

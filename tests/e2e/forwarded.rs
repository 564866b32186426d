//! Alerts that a real Alertmanager groups, holds back, forgets in a crash and forwards, and those that Grafana's webhook posts:
//! each is one incident, opened once and resolved once.

use muster_tests::servers::Alertmanager;
use muster_tests::{Collector, Webhook, eventually, http};
use serde_json::{Value, json};

use crate::s;

const DOOR: &str = "/api/v1/alerts/webhook";

async fn token(collector: &Collector) -> String {
    collector.cli(&["api-token", "create", "--role", "alert", "--note", "story"]).await.trim().to_owned()
}

/// An Alertmanager that forwards to this collector; `routing` are its route and its inhibitions.
async fn forwarding(collector: &Collector, routing: &str) -> Alertmanager {
    let file = collector.home().join("alert.token");
    std::fs::write(&file, token(collector).await).expect("a file in a directory of our own");
    let (url, file) = (collector.url(DOOR), file.display());
    let config = format!(
        "{routing}\nreceivers:\n- name: muster\n  webhook_configs:\n  - url: {url}\n    send_resolved: true\n    http_config: \
         {{ authorization: {{ type: Bearer, credentials_file: {file} }} }}\n"
    );
    Alertmanager::with(&config).await
}

/// An alert as Prometheus posts it: over long ago, or until it is not said again for five minutes.
fn alert(labels: &Value, is_over: bool) -> Value {
    let summary = format!("{} of {}", labels["alertname"].as_str().unwrap_or_default(), labels["instance"]);
    let mut alert = json!({ "labels": labels, "annotations": { "summary": summary }, "startsAt": "2026-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph" });
    if is_over {
        alert["endsAt"] = "2026-01-01T00:00:01Z".into();
    }
    alert
}

/// The titles of the messages of this type, in alphabetical order, once there are so many.
async fn told(hook: &Webhook, kind: &str, count: usize) -> Vec<String> {
    let all = || async {
        let title = |message: &muster_tests::webhook::Message| {
            message.body["data"]["title"].as_str().unwrap_or_default().to_owned()
        };
        let mut titles: Vec<String> = hook.of(kind).iter().map(title).collect();
        titles.sort();
        (titles.len() >= count).then_some(titles)
    };
    eventually(&format!("{count} messages {kind}"), s(40), all).await
}

/// Waits until so many alerts that fire were taken in.
async fn heard(collector: &Collector, count: f64) {
    let series = "muster_alerts_received_total{outcome=\"firing\"}";
    let enough = || async { collector.metric(series).await.filter(|heard| *heard >= count) };
    eventually(&format!("{count} firing alerts were heard"), s(40), enough).await;
}

fn queue(instance: &str, is_over: bool) -> Value {
    alert(
        &json!({ "alertname": "QueueFull", "service": "mail", "instance": instance, "severity": "critical" }),
        is_over,
    )
}

#[tokio::test]
async fn alertmanager_groups_forgets_in_a_crash_and_says_again_and_each_alert_is_one_incident_told_to_its_end() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let routing = "route: { receiver: muster, group_by: [service], group_wait: 1s, group_interval: 1s }";
    let mut alertmanager = forwarding(&collector, routing).await;

    // One group in one post, then a third of the group with which the two are said again.
    alertmanager.post(&json!([queue("a", false), queue("b", false)])).await;
    assert_eq!(told(&hook, "incident.opened", 2).await, ["QueueFull of \"a\"", "QueueFull of \"b\""]);
    alertmanager.post(&json!([queue("c", false)])).await;
    assert_eq!(told(&hook, "incident.opened", 3).await[2], "QueueFull of \"c\"");
    heard(&collector, 5.0).await;

    // It has forgotten what it said, and says all of it again when Prometheus does.
    alertmanager.crash().await;
    alertmanager.post(&json!([queue("a", false), queue("b", false), queue("c", false)])).await;
    heard(&collector, 8.0).await;
    alertmanager.post(&json!([queue("b", true)])).await;
    assert_eq!(told(&hook, "incident.resolved", 1).await, ["QueueFull of \"b\""]);
    alertmanager.post(&json!([queue("a", true), queue("c", true)])).await;
    assert_eq!(told(&hook, "incident.resolved", 3).await.len(), 3);
    assert_eq!(told(&hook, "incident.opened", 3).await.len(), 3, "{:?}", hook.messages());
    let incidents = collector.incidents().await;
    assert!(incidents.len() == 3 && incidents.iter().all(|incident| incident["state"] == "resolved"), "{incidents:#?}");
    let opened = hook.of("incident.opened");
    assert!(opened.iter().all(|message| message.key().starts_with("alert/alertmanager/QueueFull:")), "{opened:?}");
}

#[tokio::test]
async fn alertmanager_inhibits_and_what_it_holds_back_is_no_incident_until_it_lets_it_go() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let routing = "route: { receiver: muster, group_by: ['...'], group_wait: 0s, group_interval: 1s }\n\
                   inhibit_rules:\n- source_matchers: [alertname=\"RackDown\"]\n  target_matchers: [severity=\"warning\"]\n  \
                   equal: [rack]";
    let alertmanager = forwarding(&collector, routing).await;
    let rack = |is_over| {
        alert(&json!({ "alertname": "RackDown", "instance": "r1", "rack": "r1", "severity": "critical" }), is_over)
    };
    let slow = |instance: &str, rack: &str| {
        alert(&json!({ "alertname": "Slow", "instance": instance, "rack": rack, "severity": "warning" }), false)
    };

    alertmanager.post(&json!([rack(false)])).await;
    assert_eq!(told(&hook, "incident.opened", 1).await, ["RackDown of \"r1\""]);
    // What is posted later and comes through shows that the other had its chance.
    alertmanager.post(&json!([slow("web-1", "r1")])).await;
    for (count, instance) in [(2, "web-2"), (3, "web-3")] {
        alertmanager.post(&json!([slow(instance, "r2")])).await;
        told(&hook, "incident.opened", count).await;
    }
    let expected = ["RackDown of \"r1\"", "Slow of \"web-2\"", "Slow of \"web-3\""];
    assert_eq!(told(&hook, "incident.opened", 3).await, expected);

    alertmanager.post(&json!([rack(true)])).await;
    assert_eq!(told(&hook, "incident.resolved", 1).await, ["RackDown of \"r1\""]);
    assert!(told(&hook, "incident.opened", 4).await.contains(&"Slow of \"web-1\"".to_owned()));
}

/// What Grafana's unified alerting posts: a group, and beside Alertmanager's fields its own, version 1 and an organisation.
fn grafana(alerts: &[(&str, &str)]) -> Value {
    let firing = alerts.iter().filter(|(_, status)| *status == "firing").count();
    let one = |(instance, status): &(&str, &str)| {
        let ends = if *status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-01-01T01:04:10+02:00" };
        json!({
            "status": status,
            "labels": { "alertname": "Disk latency", "grafana_folder": "Storage team", "instance": instance, "severity": "critical" },
            "annotations": { "summary": format!("disk of {instance} is slow"), "runbook_url": "https://wiki.example.org/disk" },
            "startsAt": "2026-01-01T00:51:03.157076+02:00", "endsAt": ends,
            "generatorURL": "https://grafana.example.org/alerting/grafana/bdg4/view?orgId=1",
            "fingerprint": "57c6d9296de2ad39",
            "silenceURL": "https://grafana.example.org/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DDisk",
            "dashboardURL": "https://grafana.example.org/d/storage?orgId=1", "panelURL": "",
            "values": { "A": 44.239_437_375_419_08, "B": 1 },
            "valueString": "[ var='A' labels={} value=44.2 ], [ var='B' labels={} value=1 ]",
        })
    };
    let (status, state) = if firing > 0 { ("firing", "alerting") } else { ("resolved", "ok") };
    json!({
        "receiver": "muster", "status": status, "orgId": 1, "alerts": alerts.iter().map(one).collect::<Vec<_>>(),
        "groupLabels": { "alertname": "Disk latency" }, "commonLabels": { "alertname": "Disk latency" },
        "commonAnnotations": {}, "externalURL": "https://grafana.example.org/", "version": "1",
        "groupKey": "{}/{__grafana_autogenerated__=\"true\"}:{alertname=\"Disk latency\"}", "truncatedAlerts": 0,
        "title": format!("[{}:{firing}] Disk latency", status.to_uppercase()), "state": state,
        "message": "**Firing**\n\nValue: A=44.2, B=1\nLabels:\n - alertname = Disk latency\n",
    })
}

#[tokio::test]
async fn grafana_says_a_group_again_and_again_and_each_alert_is_opened_and_resolved_once() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let token = token(&collector).await;
    let says = async |alerts: &[(&str, &str)]| {
        let post = http::client().post(collector.url(DOOR)).bearer_auth(&token);
        let post = post.header("content-type", "application/json").body(grafana(alerts).to_string());
        let answer = post.send().await.expect("the collector answers");
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    };
    says(&[("web-1", "firing"), ("web-2", "firing")]).await;
    assert_eq!(told(&hook, "incident.opened", 2).await, ["disk of web-1 is slow", "disk of web-2 is slow"]);
    let opened = hook.of("incident.opened");
    assert!(opened.iter().all(|message| message.key().starts_with("alert/grafana/Disk latency:")), "{opened:?}");
    let view = collector.get("/incidents/1").await.body;
    assert!(view.contains("https://grafana.example.org/d/storage?orgId=1"), "no way to its dashboard:\n{view}");
    assert!(view.contains("https://wiki.example.org/disk"), "no way to its runbook:\n{view}");

    says(&[("web-1", "firing"), ("web-2", "firing")]).await;
    says(&[("web-1", "resolved"), ("web-2", "firing")]).await;
    assert_eq!(told(&hook, "incident.resolved", 1).await, ["disk of web-1 is slow"]);
    says(&[("web-2", "resolved")]).await;
    says(&[("web-2", "resolved")]).await;
    assert_eq!(told(&hook, "incident.resolved", 2).await.len(), 2);
    assert_eq!(told(&hook, "incident.opened", 2).await.len(), 2, "{:?}", hook.messages());
}

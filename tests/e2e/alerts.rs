//! Alerts from elsewhere: a real Prometheus that takes the collector for its Alertmanager.

use muster_tests::servers::Prometheus;
use muster_tests::{Collector, Webhook, http};

use crate::s;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the rule is about the time that the real Prometheus reads")]
async fn an_alert_of_a_real_prometheus_pages_once_and_its_end_is_told() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let home = tempfile::TempDir::new().expect("a directory");
    let token = collector.cli(&["api-token", "create", "--role", "alert", "--note", "prometheus"]).await;
    let (credentials, rules) = (home.path().join("token"), home.path().join("rules.yml"));
    std::fs::write(&credentials, token.trim()).expect("a file in a directory of our own");
    // It fires for a while, as Prometheus' own clock says, but not before Prometheus has found where alerts go: it looks for
    // that each five seconds, and says what it could not say again only after a minute.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let (begins, ends) = (now.as_secs() + 12, now.as_secs() + 24);
    let rule = format!(
        "groups:\n- name: story\n  rules:\n  - alert: QueueFull\n    expr: (vector(time()) > {begins}) < {ends}\n    labels: \
         {{ severity: critical, queue: mail }}\n    annotations: {{ summary: the queue is full }}\n"
    );
    std::fs::write(&rules, rule).expect("a file in a directory of our own");
    let door = collector.url("").replace("http://", "");
    let config = format!(
        "global: {{ evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nalerting:\n  alertmanagers:\n  - static_configs: \
         [{{ targets: [\"{}\"] }}]\n    authorization: {{ type: Bearer, credentials_file: {} }}\n",
        rules.display(),
        door.trim_end_matches('/'),
        credentials.display()
    );
    let _prometheus = Prometheus::start(&config).await;

    let opened = hook.wait("incident.opened", s(40)).await;
    assert_eq!(opened.body["data"]["severity"], "critical");
    assert!(
        opened.body["data"]["title"].as_str().is_some_and(|title| title.contains("the queue is full")),
        "{opened:?}"
    );
    let resolved = hook.wait("incident.resolved", s(60)).await;
    assert_eq!(resolved.key(), opened.key());
    assert_eq!(hook.of("incident.opened").len(), 1, "{:?}", hook.messages());

    // Being on this machine is not enough to raise an alarm.
    let posted = http::client().post(collector.url("/api/v2/alerts")).header("content-type", "application/json");
    let answer = posted.body("[{\"labels\":{\"alertname\":\"X\"}}]").send().await.expect("an answer");
    assert_eq!(answer.status(), 401);
}

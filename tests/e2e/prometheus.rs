//! A real Prometheus that discovers the fleet.

use muster_tests::servers::Prometheus;
use muster_tests::{Agent, Collector, eventually};

use crate::s;

const COUNTER: &str = r#"node_cpu_seconds_total{job="node",mode="idle",cpu="0"}"#;

/// Port 9 (discard, RFC 863) in place of the shipped one: what this test breaks is nobody's alert.
const ALERTMANAGER: &str = "127.0.0.1:9";

#[tokio::test]
async fn a_real_prometheus_discovers_the_host_and_returns_its_series_under_job_node() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    let prometheus = Prometheus::start(&shipped(&collector).await).await;

    let look = || async { prometheus.query(r#"node_memory_MemTotal_bytes{job="node"}"#).await.pop() };
    let (labels, bytes) = eventually("the host's series in Prometheus", s(30), look).await;
    assert_eq!(labels["instance"], agent.name);
    assert!(bytes > 1e8, "{bytes}");
    // It asked for OpenMetrics and got it: only there a counter is called without its ending.
    assert_eq!(prometheus.type_of("node_cpu_seconds").await.as_deref(), Some("counter"));
    assert_eq!(prometheus.type_of("node_vmstat_pgfault").await.as_deref(), Some("unknown"));
    eventually("the counters have their names", s(30), || async { prometheus.query(COUNTER).await.pop() }).await;
    let up = format!("muster_host_up{{host=\"{}\"}} == 1", agent.name);
    eventually("the collector's own series", s(30), || async { prometheus.query(&up).await.pop() }).await;

    // Who is told what its rules find, as the shipped configuration says it.
    let told = || async { Some(prometheus.alertmanagers().await).filter(|all| !all.is_empty()) };
    let told = eventually("Prometheus knows an Alertmanager", s(30), told).await;
    assert_eq!(told, [format!("http://{ALERTMANAGER}/api/v2/alerts")]);

    agent.kill().await;
    let down = || async { prometheus.query(r#"up{job="node"} == 0"#).await.pop() };
    eventually("the target of a lost host is down", s(30), down).await;
}

/// The shipped configuration; only the port, the token's place and the pace are this test's.
pub(crate) async fn shipped(collector: &Collector) -> String {
    let folder = muster_tests::process::root().join("deploy/prometheus");
    let token = collector.cli(&["api-token", "create", "--role", "scrape", "--ttl", "1d"]).await;
    let file = collector.home().join("muster.token");
    std::fs::write(&file, token).expect("a file in a directory of our own");
    std::fs::read_to_string(folder.join("prometheus.yml"))
        .expect("the shipped configuration")
        .replace("127.0.0.1:7461", &format!("127.0.0.1:{}", collector.http))
        .replace("127.0.0.1:9093", ALERTMANAGER)
        .replace("muster.token\n", &format!("{}\n", file.display()))
        .replace("  - muster", &format!("  - {}/muster", folder.display()))
        .replace("15s", "1s")
        .replace("30s", "1s")
}

//! Figures beside those of a real node_exporter on the same machine.

use std::collections::BTreeMap;

use muster_tests::servers::NodeExporter;
use muster_tests::{Agent, Collector, eventually, http};

use crate::s;

/// Counters that only rise on a machine that is up.
const COUNTERS: &[&str] =
    &["node_cpu_seconds_total", "node_context_switches_total", "node_intr_total", "node_forks_total"];

async fn ours(collector: &Collector, agent: &Agent) -> BTreeMap<String, f64> {
    let path = format!("/hosts/{}/metrics", agent.host);
    let look = || async { Some(collector.get(&path).await).filter(|answer| answer.status == 200) };
    http::samples(&eventually("the host's own endpoint", s(20), look).await.body)
}

/// Waits for a report that was made after now, twice, so that what is read next is younger than what was read before.
async fn newer(collector: &Collector, agent: &Agent) -> BTreeMap<String, f64> {
    let time = "node_time_seconds";
    let first = ours(collector, agent).await[time];
    let look = || async { Some(ours(collector, agent).await).filter(|samples| samples[time] >= first + 1.5) };
    eventually("a newer report", s(20), look).await
}

#[tokio::test]
async fn with_the_agent_at_1_s_figures_lie_between_two_scrapes_of_a_real_node_exporter() {
    let collector = Collector::start("").await;
    let exporter = NodeExporter::start().await;
    let mut agent = Agent::enrolled(&collector, "normal", None).await;
    agent.configure("interval = \"1s\"");
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;

    let before = exporter.samples().await;
    let between = newer(&collector, &agent).await;
    let after = exporter.samples().await;
    let mut compared = 0;
    for (name, low) in &before {
        if !COUNTERS.contains(&name.split('{').next().unwrap_or_default()) {
            continue;
        }
        let (value, high) = (between.get(name), after[name]);
        let value = *value.unwrap_or_else(|| panic!("{name} is in node_exporter and not in Muster"));
        // The kernel's per-CPU idle time may step back by a tick (proc_pid_stat(5)).
        assert!(value >= low - 0.02 && value <= high + 0.02, "{name}: {low} <= {value} <= {high}");
        compared += 1;
    }
    assert!(compared >= 10, "only {compared} counters were compared");
    check_equal(&after, &between, "node_filesystem_size_bytes");
    check_equal(&after, &between, "node_memory_MemTotal_bytes");
}

fn check_equal(theirs: &BTreeMap<String, f64>, ours: &BTreeMap<String, f64>, family: &str) {
    let of_family = |name: &str| name.split('{').next() == Some(family);
    let mut compared = 0;
    for (name, value) in theirs.iter().filter(|(name, _)| of_family(name)) {
        // Mounts of other tests come and go.
        if name.contains("/tmp/") || name.contains("/run/netns") {
            continue;
        }
        assert_eq!(ours.get(name), Some(value), "{name}");
        compared += 1;
    }
    assert!(compared > 0, "node_exporter says no {family}");
}

#[tokio::test]
async fn memory_available_differs_by_at_most_5_percent_in_the_best_of_ten_tries() {
    let collector = Collector::start("").await;
    let exporter = NodeExporter::start().await;
    let mut agent = Agent::enrolled(&collector, "normal", None).await;
    agent.configure("interval = \"1s\"");
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;

    let name = "node_memory_MemAvailable_bytes";
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let mine = newer(&collector, &agent).await[name];
        let theirs = exporter.samples().await[name];
        best = best.min((mine - theirs).abs() / theirs);
        if best <= 0.05 {
            break;
        }
    }
    assert!(best <= 0.05, "MemAvailable differs by {:.1} % at best", best * 100.0);
}

//! The agent as this machine's own exporter.

use muster_tests::process::{free_port, run};
use muster_tests::{Agent, Collector, eventually, http};

use crate::{exposition, s};

/// An agent that listens on this address, up.
async fn exporting(collector: &Collector, address: &str) -> Agent {
    let mut agent = Agent::enrolled(collector, "normal", None).await;
    agent.configure(&format!("[exporter]\nlisten = \"{address}\""));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    agent
}

async fn doctor(agent: &Agent) -> String {
    let said = run(agent.command().arg("doctor")).await;
    said.out.lines().skip_while(|line| !line.contains(" exporter ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_agent_answers_as_node_exporter_does_while_it_reports_to_its_collector() {
    let collector = Collector::start("").await;
    let address = format!("127.0.0.1:{}", free_port());
    let mut agent = exporting(&collector, &address).await;
    let url = |path: &str| format!("http://{address}{path}");
    exposition::check_page(&url("/metrics"), "node_uname_info").await;
    let page = http::samples(&http::get(&url("/metrics")).await.expect("the exporter answers").body);
    for family in ["process_resident_memory_bytes", "node_exporter_build_info", "node_scrape_collector_success"] {
        assert!(page.keys().any(|name| name.starts_with(family)), "{family}");
    }
    // What it shows is what it reported, not a collection of its own each time.
    let time = || async { http::samples(&http::get(&url("/metrics")).await?.body).get("node_time_seconds").copied() };
    let twice = || async { (time().await? == time().await?).then_some(()) };
    eventually("two scrapes of one collection", s(10), twice).await;

    let landing = http::get(&url("/")).await.expect("the exporter answers");
    assert!(landing.status == 200 && landing.body.contains("/metrics"), "{}", landing.body);
    assert_eq!(http::get(&url("/etc/passwd")).await.map(|answer| answer.status), Some(404));
    let found = doctor(&agent).await;
    assert!(found.starts_with("ok ") && found.contains(&format!("the agent has {address}")), "{found}");
    let threads = std::fs::read_dir(format!("/proc/{}/task", agent.process().pid())).expect("it runs").count();
    assert!(threads <= 3, "{threads} threads");
    assert_eq!(agent.stop().await, 0);
    assert!(!agent.log().contains("plain HTTP"), "{}", agent.log());
}

#[tokio::test]
async fn an_address_that_others_reach_is_said_to_be_open() {
    let collector = Collector::start("").await;
    let port = free_port();
    let agent = exporting(&collector, &format!("0.0.0.0:{port}")).await;
    let log = agent.log();
    assert!(log.contains("WARN") && log.contains("plain HTTP") && log.contains("asks nobody who they are"), "{log}");
    let found = doctor(&agent).await;
    assert!(found.contains("in plain HTTP") && found.contains("firewall"), "{found}");
}

#[tokio::test]
async fn an_agent_whose_port_is_taken_goes_on_without_it_and_says_what_to_do() {
    let collector = Collector::start("").await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("a port");
    let agent = exporting(&collector, &address.to_string()).await;
    let told = format!("port {} is taken by another program", address.port());
    let log = agent.log();
    assert!(log.contains(&told) && log.contains("the agent goes on without it"), "{log}");
    assert!(log.contains("systemctl disable --now prometheus-node-exporter"), "{log}");
    // Whoever has the port answers nothing; doctor says the same as the log.
    let found = doctor(&agent).await;
    assert!(found.starts_with("limited") && found.contains(&told) && found.contains("-> `ss -ltnp"), "{found}");
    collector.host_is(&agent.host, "up", s(5)).await;
}

#[tokio::test]
async fn an_address_that_is_none_is_a_mistake_of_the_configuration() {
    let agent = Agent::new(None);
    agent.configure("[exporter]\nlisten = \"localhost:9100\"");
    for command in ["check-config", "run"] {
        let said = run(agent.command().arg(command)).await;
        assert_eq!(said.code, 64, "{}", said.all());
        assert!(said.err.contains("agent.toml:3: exporter.listen = \"localhost:9100\""), "{}", said.all());
    }
}

mod prometheus {
    use super::*;
    use muster_tests::servers::Prometheus;

    #[tokio::test]
    async fn a_real_prometheus_scrapes_the_agent_itself() {
        let collector = Collector::start("").await;
        let address = format!("127.0.0.1:{}", free_port());
        let agent = exporting(&collector, &address).await;
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: node, static_configs: [{{targets: ['{address}']}}]}}]\n"
        );
        let prometheus = Prometheus::start(&config).await;
        let look = || async { prometheus.query(r#"node_uname_info{job="node"}"#).await.pop() };
        let (labels, one) = eventually("the machine in Prometheus", s(30), look).await;
        assert_eq!((labels["instance"].as_str(), labels["sysname"].as_str()), (Some(&*address), Some("Linux")));
        assert!(labels["nodename"].as_str().is_some_and(|name| !name.is_empty()) && one == 1.0, "{labels}");
        assert_eq!(prometheus.type_of("node_cpu_seconds").await.as_deref(), Some("counter"), "OpenMetrics was spoken");
        let up = || async { prometheus.query(r#"up{job="node"} == 1"#).await.pop() };
        eventually("the target is up", s(10), up).await;
        drop(agent);
    }
}

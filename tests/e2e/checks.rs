//! Service checks from `agent.toml` to a page: soft, hard, told once, and well again.

use std::net::SocketAddr;

use muster_tests::process::{free_port, run};
use muster_tests::{Agent, Collector, Webhook, eventually, never};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::s;

/// A service on a port that can be stopped and started again.
struct Service {
    port: u16,
    tasks: JoinSet<()>,
}

impl Service {
    async fn start() -> Self {
        let mut service = Self { port: free_port(), tasks: JoinSet::new() };
        service.again().await;
        service
    }

    async fn again(&mut self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let listener = TcpListener::bind(address).await.expect("its port is free again");
        self.tasks.spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
    }

    async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A check as the API shows it.
async fn check(collector: &Collector, host: &str, name: &str) -> Option<Value> {
    let host = collector.get(&format!("/api/v1/hosts/{host}")).await.json();
    host["checks"].as_array()?.iter().find(|check| check["name"] == name).cloned()
}

/// Waits until a check has this status, and counts.
async fn check_is(collector: &Collector, host: &str, name: &str, status: &str) -> Value {
    let is = || async {
        check(collector, host, name).await.filter(|check| check["status"] == status && check["hard"] == true)
    };
    eventually(&format!("{name} is {status}"), s(30), is).await
}

/// Attempt and status of every record about a check, in the order in which they were made.
fn told(collector: &Collector, name: &str) -> Vec<(i64, i64)> {
    let records = collector.facts("checks");
    let results = records.iter().flat_map(|record| record["results"].as_array().cloned().unwrap_or_default());
    let of = results.filter(|result| result["check"] == name);
    of.map(|result| (result["status"].as_i64().unwrap_or(-1), result["attempt"].as_i64().unwrap_or(-1))).collect()
}

#[tokio::test]
async fn a_service_that_stops_is_paged_at_its_third_failure_and_resolved_once_over_restarts_of_both() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"shop\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"2s\"\n\
         timeout = \"2s\"\nattempts = 3\nretry_interval = \"1s\"\n",
        service.port
    ));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    check_is(&collector, &agent.host, "shop", "ok").await;

    service.stop().await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.key(), format!("check/{}/shop", agent.host));
    assert_eq!(opened.body["data"]["severity"], "critical");
    assert_eq!(opened.body["data"]["component"], "shop");
    assert_eq!(opened.body["data"]["title"], format!("{}: check shop is critical", agent.name));
    let soft: Vec<(i64, i64)> = told(&collector, "shop").into_iter().filter(|(status, _)| *status == 2).collect();
    assert_eq!(soft, [(2, 1), (2, 2), (2, 3)], "each attempt is told once");
    let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
    assert!(page.contains("muster_check_status{check=\"shop\",kind=\"tcp\"} 2"), "{page}");
    let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(view.contains("Connection refused") && view.contains("shop"), "{view}");

    // Neither restart is news: not the agent's, which counts anew, nor the collector's.
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let counted = || async {
        let told = told(&collector, "shop");
        (told.iter().filter(|told| **told == (2, 3)).count() >= 2).then_some(())
    };
    eventually("the agent has counted to three again", s(30), counted).await;
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    check_is(&collector, &agent.host, "shop", "critical").await;
    assert_eq!(
        (hook.of("incident.opened").len(), hook.of("incident.resolved").len()),
        (1, 0),
        "{:#?}",
        hook.messages()
    );

    service.again().await;
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key());
    never("anything more", s(3), || async { (hook.messages().len() > 2).then(|| hook.messages()) }).await;
    assert_eq!(collector.metric("muster_checks{status=\"ok\"}").await, Some(1.0));

    // A check that is defined no more is no more.
    agent.configure("interval = \"1s\"\n");
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let gone = || async { check(&collector, &agent.host, "shop").await.is_none().then_some(()) };
    eventually("the check is gone", s(30), gone).await;
}

#[tokio::test]
async fn a_wrong_definition_is_refused_with_line_and_key_and_nothing_runs() {
    let agent = Agent::new(None);
    agent.configure(
        "[[check]]\nname = \"a\"\nkind = \"tcp\"\naddress = \"nowhere\"\n[[check]]\nname = \"b\"\nkind = \"plugin\"\n\
         plugin = \"check_x\"\ninterval = \"1 day\"\n[[check]]\nname = \"c\"\nkind = \"ftp\"\n",
    );
    let file = agent.home().join("agent.toml");
    for command in ["check-config", "run"] {
        let said = run(agent.command().arg(command)).await;
        assert_eq!(said.code, 64, "{}", said.all());
        for part in [
            ":5: check.address = \"nowhere\": expected \"host:port\"",
            ":9: check.plugin = \"check_x\": expected a plugin that this host defines",
            ":10: check.interval = \"1 day\": expected a time from",
            ":13: check.kind = \"ftp\": expected \"tcp\", \"http\"",
        ] {
            assert!(said.err.contains(&format!("{}{part}", file.display())), "{part}\n{}", said.all());
        }
        assert_eq!(said.err.lines().count(), 4, "{}", said.all());
    }
}

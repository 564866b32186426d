//! Echo requests into a network of its own: answered, and no more once the address is gone. Needs root.

use muster_tests::http::samples;
use muster_tests::network::Network;
use muster_tests::{Agent, Collector, Webhook, eventually};

use crate::checks::{check_is, told};
use crate::s;

/// Waits for the check's status among the host's own metrics: readings follow within a report.
async fn metric_is(collector: &Collector, host: &str, status: f64) {
    let page = format!("/hosts/{host}/metrics");
    let is = || async {
        let values = samples(&collector.get(&page).await.body);
        values.get("muster_check_status{check=\"router\",kind=\"icmp\"}").filter(|value| **value == status).copied()
    };
    eventually(&format!("its status is {status} among the metrics"), s(20), is).await;
}

#[tokio::test]
async fn a_machine_whose_address_is_gone_is_critical_with_the_reason_and_well_when_it_is_back() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let network = Network::make().await;
    let address = network.inside();
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"router\"\nkind = \"icmp\"\naddress = \"{address}\"\ncount = 1\n\
         interval = \"1s\"\ntimeout = \"2s\"\nattempts = 2\nretry_interval = \"1s\"\n",
    ));
    agent.run();
    let well = check_is(&collector, &agent.host, "router", "ok").await;
    let output = well["output"].as_str().unwrap_or_default();
    let answers = output.starts_with(&format!("{address} answers in ")) && output.ends_with(", 0 % are lost");
    assert!(answers, "{output}");
    metric_is(&collector, &agent.host, 0.0).await;

    network.lose_address().await;
    let ill = check_is(&collector, &agent.host, "router", "critical").await;
    let output = ill["output"].as_str().unwrap_or_default();
    assert!(output.starts_with(&format!("{address} does not answer")), "{output}");
    let opened = hook.wait("incident.opened", s(20)).await;
    assert_eq!(opened.key(), format!("check/{}/router", agent.host));
    assert_eq!(opened.body["data"]["severity"], "critical");
    let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(view.contains(&format!("{address} does not answer")), "{view}");
    metric_is(&collector, &agent.host, 2.0).await;
    let attempts: Vec<i64> =
        told(&collector, "router").into_iter().filter(|told| told.0 == 2).map(|told| told.1).collect();
    assert_eq!(attempts, [1, 2], "soft first, and each told once");

    network.regain_address().await;
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key());
}

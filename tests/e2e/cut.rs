//! A cable that is cut in silence. Needs root.

use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, eventually, never};

use crate::s;

#[tokio::test]
async fn at_the_fast_level_a_silent_cut_reaches_a_webhook_and_so_does_its_end() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;

    network.cut().await;
    let opened = hook.wait("incident.opened", s(15)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
    collector.host_is(&agent.host, "down", s(5)).await;

    network.heal().await;
    let resolved = hook.wait("incident.resolved", s(90)).await;
    assert_eq!(resolved.key(), opened.key());
}

#[tokio::test]
async fn at_the_normal_level_a_silent_host_is_seen_and_paged_30_seconds_later() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "normal").await;

    network.cut().await;
    collector.host_is(&agent.host, "down", s(25)).await;
    never("a page at the moment of seeing", s(20), || async { hook.messages().pop() }).await;
    let opened = hook.wait("incident.opened", s(40)).await;
    assert_eq!(opened.body["data"]["severity"], "critical");
    assert_eq!(opened.body["data"]["host"], agent.name);
}

#[tokio::test]
async fn at_the_normal_level_a_five_second_cut_pages_nobody() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "normal").await;

    network.cut().await;
    pass(s(5)).await;
    network.heal().await;
    never("a page for a cut of five seconds", s(50), || async { hook.messages().pop() }).await;
    collector.host_is(&agent.host, "up", s(5)).await;
}

#[tokio::test]
async fn an_agent_notices_a_connection_that_is_only_half_there_keeps_what_it_reads_and_is_back_soon_after() {
    let collector = Collector::start("").await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    assert_eq!(collector.facts("rollup").len(), 0);
    let dictionaries = || collector.metric(r#"muster_messages_received_total{kind="dictionary"}"#);
    let first = dictionaries().await.unwrap();
    // Long enough for the agent to be told that it was heard.
    pass(s(1)).await;

    // Nobody resets anything: the agent's own kernel has to give the path up.
    network.cut().await;
    let noticed = || async { agent.log().contains("the session is lost").then_some(()) };
    eventually("the agent notices by itself", s(10), noticed).await;
    pass(s(8)).await;
    network.heal().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    let kept = || async { collector.facts("rollup").first().cloned() };
    let rollup = eventually("what was read meanwhile is there", s(10), kept).await;
    assert!(rollup.to_string().contains("memory_available_bytes"), "{rollup}");
    assert_eq!(agent.log().matches("the collector listens generation").count(), 2, "{}", agent.log());
    // The collector still knows what it was told before: only what is new on this machine is told again.
    let more = dictionaries().await.unwrap() - first;
    assert!(first >= 10.0 && more < first / 2.0, "{first} dictionary messages at first, {more} after coming back");
}

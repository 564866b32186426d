//! The collector goes and comes back; nobody is told of what did not happen.

use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, eventually, never};

use crate::s;

#[tokio::test]
async fn restarting_the_collector_pages_nobody() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let agent = Agent::up(&collector, "fast").await;

    for _ in 0..2 {
        assert_eq!(collector.stop().await, 0, "{}", collector.log());
        collector.run().await;
        collector.host_is(&agent.host, "up", s(20)).await;
    }
    never("a page for a restart of the collector", s(15), || async { hook.messages().pop() }).await;
}

/// Kills the collector at moments that differ and starts it again, `times` times.
async fn crash(collector: &mut Collector, times: u64) {
    for n in 0..times {
        pass(std::time::Duration::from_millis(50 + n * 487 % 1_300)).await;
        collector.kill().await;
        collector.run().await;
    }
}

#[tokio::test]
async fn killing_it_twenty_times_around_a_real_outage_pages_nobody_falsely_loses_no_page_and_tells_problem_first() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let healthy = Agent::up(&collector, "fast").await;
    let mut failing = Agent::up(&collector, "fast").await;

    crash(&mut collector, 5).await;
    failing.kill().await;
    crash(&mut collector, 5).await;
    let opened = hook.wait("incident.opened", s(60)).await;
    crash(&mut collector, 5).await;
    failing.run();
    crash(&mut collector, 5).await;
    let resolved = hook.wait("incident.resolved", s(60)).await;

    assert_eq!(opened.body["data"]["host"], failing.name);
    assert_eq!(resolved.key(), opened.key());
    let messages = hook.messages();
    assert!(messages.iter().all(|message| message.body["data"]["host"] != healthy.name), "{messages:#?}");
    assert_eq!((hook.of("incident.opened").len(), hook.of("incident.resolved").len()), (1, 1), "{messages:#?}");
    let place = |id: &str| messages.iter().position(|message| message.id == id);
    assert!(place(&opened.id) < place(&resolved.id), "problem before recovery: {messages:#?}");
    collector.host_is(&healthy.host, "up", s(30)).await;
}

#[tokio::test]
async fn an_outage_that_begins_while_the_collector_is_away_is_paged_when_it_is_back() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    collector.kill().await;
    agent.kill().await;
    collector.run().await;
    let opened = hook.wait("incident.opened", s(60)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
}

#[tokio::test]
async fn revocation_closes_an_open_stream_and_the_host_cannot_come_back() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;

    collector.cli(&["host", "revoke", &agent.name]).await;
    let gone = || async { (collector.metric("muster_sessions").await == Some(0.0)).then_some(()) };
    eventually("the stream is closed", s(5), gone).await;
    agent.kill().await;
    agent.run();
    never("a session of a revoked host", s(5), || async {
        collector.metric("muster_sessions").await.filter(|n| *n > 0.0)
    })
    .await;
}

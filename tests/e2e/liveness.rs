//! Silence, and what is none.

use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, never};
use rustix::process::Signal;

use crate::s;

#[tokio::test]
async fn at_the_fast_level_kill_9_of_the_agent_reaches_a_webhook_and_so_does_its_return() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    agent.kill().await;
    let opened = hook.wait("incident.opened", s(10)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
    assert_eq!(opened.body["data"]["severity"], "critical");
    assert_eq!(opened.body["data"]["state"], "open");

    agent.run();
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key(), "one key from opened to resolved");
    assert_eq!(hook.of("incident.opened").len(), 1, "{:?}", hook.messages());
    collector.host_is(&agent.host, "up", s(5)).await;
}

#[tokio::test]
async fn a_message_that_the_webhook_did_not_take_comes_again_with_its_id() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    hook.answer(&[503, 500]);
    agent.kill().await;
    let taken = hook.wait("incident.opened", s(60)).await;
    let tries: Vec<_> = hook.messages().into_iter().filter(|message| message.kind() == "incident.opened").collect();
    assert_eq!(tries.iter().map(|message| message.answered).collect::<Vec<_>>(), [503, 500, 204]);
    assert!(tries.iter().all(|message| message.id == taken.id), "{tries:?}");
}

#[tokio::test]
async fn at_the_normal_level_a_20_second_sigstop_of_the_agent_pages_nobody() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let agent = Agent::up(&collector, "normal").await;

    agent.process().signal(Signal::STOP);
    pass(s(20)).await;
    agent.process().signal(Signal::CONT);
    collector.host_is(&agent.host, "up", s(20)).await;
    never("a page for a machine that was frozen for 20 s", s(32), || async { hook.messages().pop() }).await;
}

#[tokio::test]
async fn at_the_normal_level_an_agent_restart_pages_nobody() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "normal").await;

    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    never("a page for a restart of the agent", s(45), || async { hook.messages().pop() }).await;
}

#[tokio::test]
async fn a_test_page_reaches_the_webhook() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    collector.cli(&["route", "test", "hook"]).await;
    let message = hook.wait("test", s(10)).await;
    assert!(!message.id.is_empty());
}

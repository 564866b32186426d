//! A real Alertmanager as a mirror of our incidents.

use muster_tests::servers::Alertmanager;
use muster_tests::{Agent, Collector, Webhook, eventually};

use crate::s;

#[tokio::test]
async fn a_real_alertmanager_shows_exactly_one_alert_then_its_resolution() {
    let told = Webhook::start().await;
    let alertmanager = Alertmanager::start(&told.url()).await;
    let collector = Collector::start(&alertmanager.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    agent.kill().await;
    let look = || async { Some(alertmanager.alerts().await).filter(|alerts| !alerts.is_empty()) };
    let alerts = eventually("an alert", s(20), look).await;
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["labels"]["host"], agent.name);

    agent.run();
    let gone = || async { alertmanager.alerts().await.is_empty().then_some(()) };
    eventually("the alert's resolution", s(60), gone).await;
    let resolved = || async { told.messages().into_iter().find(|message| message.body["status"] == "resolved") };
    let resolved = eventually("Alertmanager passes the resolution on", s(30), resolved).await;
    assert_eq!(resolved.body["alerts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_real_alertmanager_that_crashes_in_mid_incident_knows_it_again_and_resolves_it_only_when_it_is_over() {
    let told = Webhook::start().await;
    let mut alertmanager = Alertmanager::start(&told.url()).await;
    let collector = Collector::start(&alertmanager.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let look = || async { alertmanager.alerts().await.pop() };
    let before = eventually("an alert", s(20), look).await;

    alertmanager.crash().await;
    // It hears the whole picture each minute.
    let look = || async { alertmanager.alerts().await.pop() };
    let after = eventually("the alert after the crash", s(90), look).await;
    assert_eq!((&after["startsAt"], &after["fingerprint"]), (&before["startsAt"], &before["fingerprint"]));
    let resolved = || told.messages().into_iter().filter(|message| message.body["status"] == "resolved").count();
    assert_eq!(resolved(), 0, "{:#?}", told.messages());

    agent.run();
    eventually("Alertmanager passes the resolution on", s(60), || async { (resolved() > 0).then_some(()) }).await;
    assert!(alertmanager.alerts().await.is_empty());
    assert_eq!(resolved(), 1, "{:#?}", told.messages());
}

/// What routes and inhibitions may rely on, in the mirror and in `muster-paging.rules.yml` alike.
const LABELS: [&str; 7] = ["alertname", "instance", "job", "host", "site", "class", "severity"];

#[tokio::test]
async fn where_alertmanager_pages_muster_only_mirrors_and_its_messengers_are_only_tested() {
    let (told, messenger) = (Webhook::start().await, Webhook::start().await);
    let alertmanager = Alertmanager::start(&told.url()).await;
    let settings = "[paging]\nby = \"alertmanager\"\n[[host_rule]]\nname = \"*\"\nsite = \"berlin\"\n";
    let tables = format!("{settings}{}{}", alertmanager.receiver(), messenger.receiver());
    let collector = Collector::start(&tables).await;
    let said =
        || async { collector.log().contains("Alertmanager pages; Muster sends only test pages to ").then_some(()) };
    eventually("the log says who pages", s(10), said).await;
    assert!(collector.get("/settings").await.body.contains("Alertmanager pages"), "the view says who pages");
    let mut agent = Agent::up(&collector, "fast").await;

    agent.kill().await;
    let look = || async { alertmanager.alerts().await.pop() };
    let alert = eventually("an alert", s(20), look).await;
    let labels = LABELS.map(|label| alert["labels"][label].as_str().unwrap_or_default());
    let name = agent.name.as_str();
    assert_eq!(labels, ["MusterLiveness", name, "node", name, "berlin", "server", "critical"], "{alert:#}");

    // Whatever was decided before the test page would be here before it.
    collector.cli(&["route", "test", "hook"]).await;
    messenger.wait("test", s(20)).await;
    let kinds: Vec<_> = messenger.messages().iter().map(|message| message.kind().to_owned()).collect();
    assert_eq!(kinds, ["test"]);
}

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

//! How far a page has come, and what its receiver asked for, over a crash of the collector.

use muster_tests::measure::alerts::Alerts;
use muster_tests::{Collector, Webhook, eventually};
use serde_json::Value;

use crate::s;

/// What a receiver asks for, in seconds: longer than a collector needs to come back.
const LATER_S: u64 = 12;

/// The only page of the only incident, once it is accepted.
async fn accepted(collector: &Collector) -> Value {
    let page = || async {
        let page = collector.get("/api/v1/incidents/1").await.json()["pages"][0].clone();
        Some(page).filter(|page| page["delivery"] == "accepted")
    };
    eventually("the page is accepted", s(30), page).await
}

#[tokio::test]
async fn a_receiver_that_asked_for_patience_is_left_alone_over_a_crash_and_the_way_of_the_page_is_told() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let alerts = Alerts::to(&collector).await;
    hook.answer_later(LATER_S);
    alerts.fire(&["QueueFull".to_owned()], "critical").await.expect("the alert is taken");
    let recorded = || async {
        let page = collector.get("/api/v1/incidents/1").await.json()["pages"][0].clone();
        page["chain"]["not_before"].is_string().then_some(page)
    };
    let waiting = eventually("what it asked for is recorded", s(10), recorded).await;
    assert_eq!((&waiting["delivery"], &waiting["chain"]["accepted"]), (&"queued".into(), &Value::Null), "{waiting}");

    collector.kill().await;
    collector.run().await;
    let page = accepted(&collector).await;
    let messages = hook.messages();
    let [first, second] = &messages[..] else { panic!("{messages:#?}") };
    assert_eq!((first.answered, second.answered, &first.id), (429, 204, &second.id));
    assert!(second.at_ns - first.at_ns >= LATER_S * 1_000_000_000, "asked again too early: {messages:#?}");

    let chain = &page["chain"];
    assert!(chain["accepted"].as_str() >= chain["queued"].as_str() && chain["not_before"].is_null(), "{chain}");
    assert_eq!((&chain["delivered"], &chain["tells"]), (&Value::Null, &"this receiver tells nothing further".into()));
    collector.cli(&["incident", "ack", "1"]).await;
    let told = collector.get("/api/v1/incidents/1").await.json()["pages"][0]["chain"].clone();
    assert!(told["acknowledged"].is_string() && told["acknowledged_by"].is_string(), "{told}");
    for view in ["/deliveries", "/incidents/1"] {
        let page = collector.get(view).await.body;
        assert!(page.contains("queued") && page.contains("this receiver tells nothing further"), "{view}: {page}");
    }
}

#[tokio::test]
async fn what_waited_when_the_collector_was_killed_is_told_before_anything_new() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let alerts = Alerts::to(&collector).await;
    let old: Vec<String> = (0..20).map(|number| format!("Old{number}")).collect();
    hook.answer(&[503; 8]);
    alerts.fire(&old, "warning").await.expect("the alerts are taken");
    // Now it is only probed.
    eventually("they are tried", s(10), || async { (hook.messages().len() >= 5).then_some(()) }).await;
    collector.kill().await;
    let before = hook.messages().len();

    collector.run().await;
    alerts.fire(&["New".to_owned()], "warning").await.expect("the alert is taken");
    let told = || async {
        let names: Vec<String> = hook.of("incident.opened").iter().map(|message| component(&message.body)).collect();
        (names.len() > old.len()).then_some(names)
    };
    let names = eventually("everybody is told of everything", s(60), told).await;
    assert!(old.iter().all(|name| names.contains(name)), "{names:?}");
    let first = component(&hook.messages()[before].body);
    assert!(old.contains(&first), "{first} came before what had waited: {names:?}");
}

fn component(body: &Value) -> String {
    body["data"]["component"].as_str().unwrap_or_default().to_owned()
}

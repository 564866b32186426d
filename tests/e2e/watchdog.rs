//! Two collectors: one watches over the other, and pages when it is gone; being cut off is no death.

use muster_tests::{Collector, Webhook, eventually};
use serde_json::Value;

use crate::s;

const EXPECTED: &str = "[[heartbeat]]\nname = \"other\"\nperiod = \"10 s\"\ngrace = \"2 s\"\nseverity = \"critical\"\n";

/// One that watches, and the lines by which another is watched by it.
async fn watcher(hook: &Webhook) -> (Collector, String) {
    let watcher = Collector::start(&format!("{}{EXPECTED}", hook.receiver())).await;
    let url = shown(&watcher).await["url"].as_str().expect("operators see the URL").to_owned();
    let file = watcher.home().join("watchdog.url");
    std::fs::write(&file, &url).expect("a file in a directory of our own");
    let lines = format!("[[watchdog]]\nname = \"partner\"\nurl_file = \"{}\"\nevery = \"5 s\"\n", file.display());
    (watcher, lines)
}

async fn shown(watcher: &Collector) -> Value {
    serde_json::from_str(&watcher.cli(&["--json", "heartbeat", "show", "other"]).await).expect("JSON")
}

/// What it heard last, once that contains `part`.
async fn hears(watcher: &Collector, part: &str) -> String {
    let said = async || shown(watcher).await["said"].as_str().filter(|said| said.contains(part)).map(str::to_owned);
    eventually(&format!("it hears {part:?}"), s(40), said).await
}

#[tokio::test]
async fn a_collector_that_is_killed_is_missed_by_the_one_that_watches_it_and_says_what_it_missed_when_it_is_back() {
    let hook = Webhook::start().await;
    let (watcher, lines) = watcher(&hook).await;
    let mut watched = Collector::start(&lines).await;
    let said = hears(&watcher, "well").await;
    assert_eq!(said, format!("muster-collector at {}\nwell", watched.url("")));
    let success = "muster_watchdog_last_success_timestamp_seconds{watchdog=\"partner\"}";
    let told = async || watched.metric(success).await.filter(|at| *at > 1.7e9);
    eventually("the time of the last success", s(10), told).await;

    watched.kill().await;
    let opened = hook.wait("incident.opened", s(40)).await;
    assert_eq!((opened.key(), &opened.body["data"]["severity"]), ("heartbeat/other/late", &"critical".into()));
    watched.run().await;
    assert_eq!(hook.wait("incident.resolved", s(20)).await.key(), opened.key());
    hears(&watcher, "it did not run from 20").await;

    let secret = shown(&watcher).await["url"].as_str().and_then(|url| url.rsplit('/').next()).map(str::to_owned);
    let secret = secret.expect("a secret");
    let page = watched.get("/metrics").await.body;
    assert!(!watched.log().contains(&secret) && !page.contains(&secret), "the URL is shown whole");
}

#[tokio::test]
async fn a_watchdog_out_of_reach_is_an_incident_on_another_way_and_hears_afterwards_that_nobody_was_dead() {
    let (hook, told) = (Webhook::start().await, Webhook::start().await);
    let (mut watcher, lines) = watcher(&hook).await;
    let watched = Collector::start(&format!("{}{lines}", told.receiver())).await;
    hears(&watcher, "well").await;

    watcher.kill().await;
    let opened = told.wait("incident.opened", s(60)).await;
    assert_eq!(opened.key(), "self/collector/watchdog/partner");
    let title = opened.body["data"]["title"].as_str().unwrap_or_default();
    let place = watcher.url("");
    assert!(title.contains(&format!("watchdog partner at {place} is not reached since 20")), "{title}");
    watcher.run().await;
    assert_eq!(told.wait("incident.resolved", s(20)).await.key(), opened.key());
    hears(&watcher, "it was cut off from here since 20").await;
    assert_eq!(told.of("incident.opened").len(), 1, "{:?}", told.messages());
    assert!(watched.log().contains("watchdog partner is not reached"), "{}", watched.log());
}

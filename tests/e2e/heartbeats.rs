//! Other people's jobs say that they have run, and are missed when they do not; a crash of the collector is held against none.

use muster_tests::{Collector, Webhook, eventually, http};
use serde_json::Value;

use crate::s;

const JOBS: &str = "[[heartbeat]]\nname = \"sync\"\nperiod = \"10 s\"\ngrace = \"2 s\"\nseverity = \"critical\"\n\
                    [[heartbeat]]\nname = \"backup\"\nby = \"03:00\"\nzone = \"Europe/Berlin\"\n";

async fn shown(collector: &Collector, name: &str) -> Value {
    serde_json::from_str(&collector.cli(&["--json", "heartbeat", "show", name]).await).expect("JSON")
}

/// The URL that stands in the job's crontab.
async fn url(collector: &Collector, name: &str) -> String {
    shown(collector, name).await["url"].as_str().expect("operators see the URL").to_owned()
}

async fn says(url: &str, body: &'static str) -> u16 {
    http::client().post(url).body(body).send().await.expect("the collector answers").status().as_u16()
}

#[tokio::test]
async fn a_job_that_falls_silent_pages_once_over_a_crash_of_the_collector_and_its_next_word_is_told() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&format!("{}{JOBS}", hook.receiver())).await;
    let (sync, backup) = (url(&collector, "sync").await, url(&collector, "backup").await);
    assert_eq!(says(&sync, "").await, 200);
    assert_eq!(shown(&collector, "sync").await["state"], "up");
    assert_eq!(shown(&collector, "backup").await["state"], "new");

    // The word of a job and its URL are there after a crash, and what could not be heard meanwhile is not missed.
    collector.kill().await;
    collector.run().await;
    assert_eq!(url(&collector, "sync").await, sync);
    assert_eq!(shown(&collector, "sync").await["state"], "up");
    let opened = hook.wait("incident.opened", s(40)).await;
    assert_eq!((&opened.body["data"]["component"], opened.key()), (&"sync".into(), "heartbeat/sync/late"));
    assert_eq!(collector.metric("muster_heartbeat_up{name=\"sync\"}").await, Some(0.0));

    assert_eq!(says(&format!("{backup}/start"), "").await, 200);
    assert_eq!(says(&format!("{backup}/7"), "copying\nno space left on device\n").await, 200);
    let failed = async || Some(shown(&collector, "backup").await).filter(|job| job["state"] == "failed");
    let failed = eventually("the failure is known", s(5), failed).await;
    assert_eq!((&failed["last_signal"], &failed["severity"]), (&"exit status 7".into(), &"warning".into()));
    assert!(failed["said"].as_str().is_some_and(|said| said.contains("no space left")), "{failed:#}");

    assert_eq!(says(&sync, "").await, 200);
    let resolved = hook.wait("incident.resolved", s(10)).await;
    assert_eq!(resolved.key(), opened.key());

    // Who may only look sees how jobs stand, and not how to speak for them; nor does the log.
    let page = collector.get("/heartbeats").await.body;
    let listed = collector.get("/api/v1/heartbeats").await.body;
    let log = collector.log();
    for secret in [&sync, &backup].map(|url| url.rsplit('/').next().expect("a path")) {
        assert!(!page.contains(secret) && !listed.contains(secret) && !log.contains(secret), "{secret} is shown");
    }
    assert!(page.contains("sync") && page.contains("backup"), "{page}");
    assert_eq!(says(&format!("{sync}x"), "").await, 404);

    // Somebody knows the URL who should not: the new one is the only one, after a crash too.
    let renewed = collector.cli(&["heartbeat", "renew", "sync"]).await;
    assert_eq!((says(&sync, "").await, says(&renewed, "").await, says(&backup, "").await), (404, 200, 200));
    collector.kill().await;
    collector.run().await;
    assert_eq!((says(&sync, "").await, says(&renewed, "").await), (404, 200));
    assert!(!collector.log().contains(renewed.rsplit('/').next().expect("a path")));
}

//! PagerDuty against a server that holds to the Events API v2, as its reference states it.

use super::*;
use crate::notify::{
    outbox::tests::words,
    sink::{Do, Sink, check_trouble_is_tried_again, life, word},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const TAKEN: Do =
    Do::Answer(202, r#"{"status":"success","message":"Event processed","dedup_key":"liveness/web-1/down"}"#);

fn service(sink: &Sink) -> Pagerduty {
    let config = PagerdutyConfig {
        url: sink.url("/v2/enqueue"),
        routing_key: Secret::new(KEY),
        asking: None,
        ca: None,
        guard: Guard::default(),
    };
    Pagerduty::new("pd", config, words()).unwrap()
}

/// What the reference says of every event.
fn check_contract(event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let known = ["routing_key", "event_action", "dedup_key", "client", "client_url", "links", "payload"];
    assert!(event.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{event}");
    assert_eq!(text(&event["routing_key"]).len(), 32);
    assert!((1..=255).contains(&text(&event["dedup_key"]).chars().count()));
    assert!(event.to_string().len() <= 512_000);
    if event["event_action"] != "trigger" {
        assert!(["acknowledge", "resolve"].contains(&event["event_action"].as_str().unwrap()));
        return;
    }
    let payload = &event["payload"];
    let known = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    assert!(payload.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{payload}");
    assert!((1..=1024).contains(&text(&payload["summary"]).chars().count()));
    assert!(!text(&payload["source"]).is_empty());
    assert!(["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap()));
    assert!(text(&payload["timestamp"]).parse::<jiff::Timestamp>().is_ok());
    assert!(payload["custom_details"].is_object());
    assert!(event["links"][0]["href"].as_str().unwrap().starts_with("https://"));
}

#[tokio::test]
async fn an_incidents_life_is_trigger_acknowledge_resolve_under_one_key() {
    let sink = Sink::start(&[], TAKEN).await;
    let service = service(&sink);
    for page in life() {
        let id = Some("liveness/web-1/down".to_owned());
        assert_eq!(service.send(&page).await, Sent::Accepted { provider_id: id });
    }
    let heard = sink.heard();
    assert!(heard.iter().all(|request| request.line == "POST /v2/enqueue"));
    assert!(heard.iter().all(|request| request.header("content-type") == "application/json"));
    let events: Vec<Value> = heard.iter().map(|request| request.json()).collect();
    events.iter().for_each(check_contract);
    let actions: Vec<&str> = events.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve", "trigger"]);
    assert!(events[..4].iter().all(|event| event["dedup_key"] == "liveness/web-1/down"), "{events:?}");
    assert_eq!(events[4]["dedup_key"], "test/collector/page");
    assert_eq!(events[3], json!({ "routing_key": KEY, "event_action": "resolve", "dedup_key": "liveness/web-1/down" }));
    let expected = json!({
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "liveness/web-1/down",
        "client": "Muster",
        "client_url": "https://muster.example.org/incidents/1042",
        "links": [{ "href": "https://muster.example.org/incidents/1042", "text": "The incident in Muster" }],
        "payload": {
            "summary": "web-1 is down",
            "source": "web-1",
            "severity": "warning",
            "timestamp": "2026-11-21T09:14:00.000Z",
            "group": "berlin",
            "class": "liveness",
            "custom_details": {
                "severity": "warning",
                "state": "open",
                "host": "web-1",
                "since": "2026-11-21 09:14:00 UTC",
                "site": "berlin",
                "paged": "hook, mail",
                "incident": "#1042",
                "evidence": ["no message since 09:14:00"],
            },
        },
    });
    assert_eq!(events[0], expected);
}

#[tokio::test]
async fn an_event_never_exceeds_what_pagerduty_takes() {
    let sink = Sink::start(&[], TAKEN).await;
    let service = service(&sink);
    let [page, ..] = life();
    let long = Page {
        title: "ü".repeat(5_000),
        key: format!("finding/{}", "k".repeat(400)),
        details: "x".repeat(600_000),
        host: String::new(),
        ..page
    };
    assert_eq!(word(&service.send(&long).await), "accepted");
    assert_eq!(word(&service.send(&Page { kind: PageKind::Resolved, ..long.clone() }).await), "accepted");
    let events: Vec<Value> = sink.heard().iter().map(|request| request.json()).collect();
    events.iter().for_each(check_contract);
    assert!(events[0]["payload"]["custom_details"]["note"].as_str().unwrap().contains("512 KB"));
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
    let other = Page { key: format!("{}2", long.key), ..long };
    service.send(&other).await;
    assert_ne!(sink.heard()[2].json()["dedup_key"], events[0]["dedup_key"]);
}

#[tokio::test]
async fn an_invalid_event_is_never_tried_again_and_the_key_is_never_shown() {
    const INVALID: &str = r#"{"status":"invalid event","message":"Event object is invalid",
        "errors":["'routing_key' 0123456789abcdef0123456789abcdef is wrong\r\n"]}"#;
    let script = [Do::Answer(400, INVALID), Do::Answer(403, ""), Do::Answer(404, ""), Do::Answer(302, "")];
    let sink = Sink::start(&script, Do::Answer(410, "")).await;
    let (service, [page, ..]) = (service(&sink), life());
    let first = service.send(&page).await;
    let expected = "it answered 400 ('routing_key' ... is wrong): it rejects this page for good";
    assert_eq!(first, Sent::Rejected { error: expected.into() });
    for expected in ["refused", "refused", "refused", "gone"] {
        assert_eq!(word(&service.send(&page).await), expected);
    }
    assert!(!format!("{service:?}").contains(KEY));
}

#[tokio::test]
async fn overload_and_broken_ways_are_tried_again() {
    check_trouble_is_tried_again(service).await;
}

//! What was found of the hardware: in the API, and on the host's view, where what a host says stays inert.

use serde_json::{Value, json};

use super::*;
use crate::store::Fact;

const HOST: &str = "00000000-0000-0000-0000-000000000001";

async fn tell(stage: &Stage, sequence: u64, part: &str, outcome: &str, payload: &str) {
    let body = json!({ "source": "smartctl-json", "part": part, "outcome": outcome, "reason": format!("word: {HOSTILE}"),
                       "format": 1, "size": payload.len(), "payload": payload });
    let fact = Fact { sequence, at: stage.now.plus_ms(-60_000), kind: "evidence", body: body.to_string() };
    stage.store.commit_facts(HostNo(1), [1; 16], vec![fact]).await.unwrap();
}

async fn get(stage: &Stage, path: &str) -> String {
    text(stage.ask(loopback(), request(&Method::GET, path, &[], "")).await).await
}

async fn items(stage: &Stage, query: &str) -> Vec<Value> {
    let answer = get(stage, &format!("/api/v1/hosts/{HOST}/evidence{query}")).await;
    serde_json::from_str::<Value>(&answer).unwrap()["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn evidence_is_listed_by_part_with_payloads_where_they_are_asked_for() {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    assert_eq!(items(&stage, "").await, [] as [Value; 0]);
    tell(&stage, 1, "sda", "read", "{\"a\":1}").await;
    tell(&stage, 2, "sda", "read", "{\"a\":2}").await;
    tell(&stage, 3, "sdb", "read", "no JSON").await;
    let all = items(&stage, "").await;
    assert_eq!((&all[0]["part"], &all[0]["size"], all[0].get("payload")), (&json!("sda"), &json!(7), None));
    let all = items(&stage, "?payload=true").await;
    let payloads: Vec<_> = all.iter().map(|item| item["payload"].clone()).collect();
    assert_eq!(payloads, [json!({ "a": 2 }), json!("no JSON")]);
    let of_sda = items(&stage, "?source=smartctl-json&part=sda&payload=true").await;
    let payloads: Vec<_> = of_sda.iter().map(|item| item["payload"]["a"].clone()).collect();
    assert_eq!(payloads, [2, 1], "the latest first");
    for wrong in ["?part=sda", "?payload=maybe"] {
        let answer = get(&stage, &format!("/api/v1/hosts/{HOST}/evidence{wrong}")).await;
        assert!(answer.contains("expected"), "{wrong}: {answer}");
    }
}

#[tokio::test]
async fn the_hosts_view_shows_first_what_cannot_be_seen_and_why() {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    let page = get(&stage, &format!("/hosts/{HOST}")).await;
    assert!(!page.contains("Hardware evidence"), "{page}");
    tell(&stage, 1, "sda", "read", "{}").await;
    tell(&stage, 2, HOSTILE, "unreadable", "").await;
    let page = get(&stage, &format!("/hosts/{HOST}")).await;
    let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}: {page}"));
    assert!(at("Hardware evidence") < at("<td>unreadable <small>&#34;&#39;&#60;/script&#62;"));
    assert!(at("<td>unreadable") < at("part=sda&#38;payload=true"));
    assert!(!page.contains("<b onmouseover"), "{page}");
}

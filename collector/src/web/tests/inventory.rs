//! The inventory in the API and the views: what is there, what was, what changed, and that none of it is believed.

use serde_json::{Value, json};

use super::*;
use crate::{
    domain::inventory::{
        Head,
        delta::Part,
        hash::{self, Hash, Sum},
    },
    store::Fact,
};

const HOST: &str = "00000000-0000-0000-0000-000000000001";
const HOUR: i64 = 3_600_000;

mod documents;
mod neighbours;

/// The host told a section of one row: its fields, names and values in turn.
async fn tell(stage: &Stage, sequence: u64, hours_ago: i64, section: &str, key: &str, fields: &[&str]) {
    let head = Head { source: HOSTILE.into(), ..Head::default() };
    tell_rows(stage, sequence, hours_ago, (section, head), &[(key, fields)]).await;
}

/// The same of a section with any head and rows.
async fn tell_rows(
    stage: &Stage,
    sequence: u64,
    hours_ago: i64,
    (section, head): (&str, Head),
    rows: &[(&str, &[&str])],
) {
    let mut sum = Sum::of(hash::head(&head));
    for (key, fields) in rows {
        let pairs: Vec<(String, String)> =
            fields.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        sum = sum.plus(hash::row(key, &pairs));
    }
    let owned = |fields: &[&str]| fields.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let part = Part {
        section: section.into(),
        base: Hash::default(),
        new: sum.hash(),
        full: true,
        part: 1,
        parts: 1,
        head,
        collected_ms: 0,
        put: rows.iter().map(|(key, fields)| ((*key).into(), owned(fields), Vec::new(), String::new())).collect(),
        gone: Vec::new(),
    };
    let at = stage.now.plus_ms(-hours_ago * HOUR);
    let fact = Fact { sequence, at, kind: "inventory", body: serde_json::to_string(&part).unwrap() };
    let stored = stage.store.commit_facts(HostNo(1), [1; 16], vec![fact]).await.unwrap();
    assert!(stored.inventory.iter().all(|taken| taken.refused.is_none()), "{stored:?}");
}

async fn stage() -> Stage {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    tell(&stage, 1, 48, "packages", HOSTILE, &["name", HOSTILE, "version", "3.0.9"]).await;
    tell(&stage, 2, 24, "packages", HOSTILE, &["name", HOSTILE, "version", "3.0.11"]).await;
    stage
}

async fn get(stage: &Stage, path: &str) -> (StatusCode, String) {
    let answer = stage.ask(loopback(), request(&Method::GET, path, &[], "")).await;
    (answer.status(), text(answer).await)
}

async fn answer(stage: &Stage, path: &str) -> Value {
    let (status, text) = get(stage, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn ago(stage: &Stage, hours: i64) -> String {
    super::super::encode(&stage.now.plus_ms(-hours * HOUR).to_string())
}

#[tokio::test]
async fn an_inventory_is_told_as_it_is_and_as_it_was() {
    let stage = stage().await;
    let base = format!("/api/v1/hosts/{HOST}/inventory");
    let now = answer(&stage, &base).await;
    let section = &now["sections"]["packages"];
    assert_eq!((&now["schema"], &section["status"]), (&json!(1), &json!("complete")));
    assert_eq!(section["rows"], json!([{ "name": HOSTILE, "version": "3.0.11" }]));
    let then = answer(&stage, &format!("{base}?at={}", ago(&stage, 30))).await;
    assert_eq!(then["sections"]["packages"]["rows"][0]["version"], "3.0.9");
    let before = answer(&stage, &format!("{base}?at={}", ago(&stage, 60))).await;
    assert_eq!(before["sections"], json!({}));
    let past = answer(&stage, &format!("{base}/packages?key={}", super::super::encode(HOSTILE))).await;
    let versions: Vec<_> =
        past["history"].as_array().unwrap().iter().map(|one| one["fields"]["version"].clone()).collect();
    assert_eq!(versions, ["3.0.9", "3.0.11"]);
    let (status, said) = get(&stage, &format!("{base}/disks")).await;
    assert!(status == StatusCode::NOT_FOUND && said.contains("it has: packages"), "{said}");
}

#[tokio::test]
async fn a_search_and_the_changes_are_filtered_by_the_address_and_nonsense_is_named() {
    let stage = stage().await;
    let found = answer(&stage, "/api/v1/inventory/search?version=3.0.*").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let found = answer(&stage, &format!("/api/v1/inventory/search?version=3.0.*&from={}", ago(&stage, 72))).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    let changed = answer(&stage, "/api/v1/inventory/changes?class=package_upgraded").await;
    let change = &changed["items"][0];
    assert_eq!(
        (&change["kind"], &change["section"], &change["rows_changed"]),
        (&json!("new"), &json!("packages"), &json!(1))
    );
    let none = answer(&stage, "/api/v1/inventory/changes?class=user_gained_sudo").await;
    assert_eq!(none["items"], json!([]));
    for (path, expected) in [
        ("/api/v1/inventory/search", "what to search for"),
        ("/api/v1/inventory/search?field=model", "NAME=VALUE"),
        ("/api/v1/inventory/search?name=x&section=A-B", "a section such as"),
        ("/api/v1/inventory/search?name=x&from=2026-02-01&to=2026-01-01", "not before from"),
        ("/api/v1/inventory/changes?class=reboot", "a class of change"),
        ("/api/v1/inventory/changes?kind=odd", "expected or unplanned"),
        ("/api/v1/inventory/changes?after=1", "next"),
        ("/api/v1/inventory/changes?from=yesterday", "RFC 3339"),
    ] {
        let (status, said) = get(&stage, path).await;
        assert!(status == StatusCode::BAD_REQUEST && said.contains(expected), "{path}: {said}");
    }
}

#[tokio::test]
async fn a_reason_is_given_by_somebody_and_is_in_the_audit_log() {
    let stage = stage().await;
    let changed = answer(&stage, "/api/v1/inventory/changes").await;
    let id = changed["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/inventory/changes/{id}/reason");
    let refused = stage.ask(loopback(), request(&Method::POST, &path, &[], r#"{"reason":"x"}"#)).await;
    assert_ne!(refused.status(), StatusCode::OK, "nobody is signed in");
    let door = Door::Unix { uid: 0, trusted: true };
    let long = json!({ "reason": "é".repeat(201) }).to_string();
    assert_eq!(stage.ask(door, request(&Method::POST, &path, &[], &long)).await.status(), StatusCode::BAD_REQUEST);
    let good = json!({ "reason": "CHG7" }).to_string();
    assert_eq!(stage.ask(door, request(&Method::POST, &path, &[], &good)).await.status(), StatusCode::OK);
    let changed = answer(&stage, "/api/v1/inventory/changes?explained=yes").await;
    let reason = &changed["items"][0]["reason"];
    assert_eq!((&reason["text"], &reason["by"]), (&json!("CHG7"), &json!("uid:0")));
    let audit = stage.store.audit(10).await.unwrap();
    assert!(audit.iter().any(|line| line.action == "inventory.explain" && line.subject == id), "{audit:?}");
    let unknown = "/api/v1/inventory/changes/1-2-3/reason";
    assert_eq!(stage.ask(door, request(&Method::POST, unknown, &[], &good)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_view_of_the_inventory_is_inert_and_an_empty_one_teaches() {
    let stage = stage().await;
    let at = ago(&stage, 30);
    for path in [
        format!("/hosts/{HOST}"),
        format!("/hosts/{HOST}/inventory"),
        format!("/hosts/{HOST}/inventory?at={at}"),
        format!("/hosts/{HOST}/inventory/packages"),
        format!("/hosts/{HOST}/inventory/packages?search={}", super::super::encode(HOSTILE)),
        "/inventory/changes".to_owned(),
        "/machines?version=3.0.*".to_owned(),
    ] {
        let (status, html) = get(&stage, &path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        assert!(!html.contains("<b onmouseover") && html.contains("</html>"), "{path}: {html}");
        assert!(html.contains("3.0.11") || html.contains("3.0.9") || path.contains("at="), "{path}: {html}");
    }
    let empty = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    for (path, teaches) in [
        (format!("/hosts/{HOST}/inventory"), "muster-agent inventory"),
        ("/inventory/changes".to_owned(), "Nothing has changed yet"),
        ("/machines".to_owned(), "No machine has told its inventory yet"),
    ] {
        let (_, html) = get(&empty, &path).await;
        assert!(html.contains(teaches), "{path}: {html}");
    }
}

#[tokio::test]
async fn a_past_that_was_cut_is_said_where_it_is_looked_at() {
    let stage = stage().await;
    let base = format!("/api/v1/hosts/{HOST}/inventory");
    assert_eq!(answer(&stage, &base).await["known_since"], Value::Null);
    let page = format!("/hosts/{HOST}/inventory");
    assert!(!get(&stage, &page).await.1.contains("known in full"));
    let cut = "UPDATE inventory_past SET from_ms = 1795000000000 WHERE host = 1";
    rusqlite::Connection::open(stage.directory.path().join("facts.db")).unwrap().execute(cut, []).unwrap();
    assert_eq!(answer(&stage, &base).await["known_since"], "2026-11-18T11:06:40.000Z");
    let (_, said) = get(&stage, &page).await;
    assert!(said.contains("100 000 rows that ended") && said.contains("2026-11-18"), "{said}");
}

//! Seen, not managed: who is listed, who says whose it is, and that this stands in the audit log.

use super::*;
use crate::domain::inventory::Head;

async fn met() -> Stage {
    let stage = stage().await;
    tell(&stage, 3, 24, "interfaces", "eth0", &["mac", "00:1b:21:00:00:01", "name", "eth0"]).await;
    let rows: [(&str, &[&str]); 4] = [
        ("00:1b:21:00:00:01", &["addresses", "192.0.2.1", "interface", "eth0", "mac", "00:1b:21:00:00:01"]),
        ("00:1b:21:00:00:07", &["addresses", "192.0.2.7", "interface", HOSTILE, "mac", "00:1b:21:00:00:07"]),
        // The address from which the host itself is heard.
        ("00:1b:21:00:00:09", &["addresses", "10.0.0.1", "interface", "eth0", "mac", "00:1b:21:00:00:09"]),
        ("da:a1:19:00:00:01", &["addresses", "192.0.2.9", "interface", "eth0", "mac", "da:a1:19:00:00:01"]),
    ];
    tell_rows(&stage, 4, 24, ("neighbours", Head::default()), &rows).await;
    stage
}

async fn macs(stage: &Stage, query: &str) -> Vec<String> {
    let found = answer(stage, &format!("/api/v1/inventory/neighbours{query}")).await;
    let items = found["items"].as_array().unwrap().clone();
    items.iter().map(|one| one["mac"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_neither_host_nor_device_is_listed_until_somebody_says_whose_it_is() {
    let stage = met().await;
    assert_eq!(macs(&stage, "").await, ["00:1b:21:00:00:07", "da:a1:19:00:00:01"]);
    assert_eq!(macs(&stage, "?limit=1&after=00:1b:21:00:00:07").await, ["da:a1:19:00:00:01"]);
    let path = "/api/v1/inventory/neighbours/00-1B-21-00-00-07/mark";
    let body = json!({ "foreign": true, "reason": "the tenants' printer" }).to_string();
    let refused = stage.ask(loopback(), request(&Method::POST, path, &[], &body)).await;
    assert_ne!(refused.status(), StatusCode::OK, "nobody is signed in");
    let door = Door::Unix { uid: 0, trusted: true };
    assert_eq!(stage.ask(door, request(&Method::POST, path, &[], &body)).await.status(), StatusCode::OK);
    assert_eq!(macs(&stage, "").await, ["da:a1:19:00:00:01"]);
    let said = &answer(&stage, "/api/v1/inventory/neighbours?foreign=yes").await["items"][0];
    assert_eq!((&said["said"]["reason"], &said["said"]["by"]), (&json!("the tenants' printer"), &json!("uid:0")));
    let audit = stage.store.audit(10).await.unwrap();
    assert!(
        audit.iter().any(|line| line.action == "neighbour.mark" && line.subject == "00:1b:21:00:00:07"),
        "{audit:?}"
    );
    let back = json!({ "foreign": false, "reason": "bought it" }).to_string();
    assert_eq!(stage.ask(door, request(&Method::POST, path, &[], &back)).await.status(), StatusCode::OK);
    assert_eq!(macs(&stage, "").await, ["00:1b:21:00:00:07", "da:a1:19:00:00:01"]);
}

#[tokio::test]
async fn nonsense_is_named_and_whom_a_host_meets_is_no_change() {
    let stage = met().await;
    let door = Door::Unix { uid: 0, trusted: true };
    for (mac, body) in [
        ("eth0", json!({ "foreign": true, "reason": "x" })),
        ("00:1b:21:00:00:07", json!({ "foreign": true, "reason": " " })),
        ("01:00:5e:00:00:01", json!({ "foreign": true, "reason": "a group" })),
    ] {
        let path = format!("/api/v1/inventory/neighbours/{mac}/mark");
        let answer = stage.ask(door, request(&Method::POST, &path, &[], &body.to_string())).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{mac}");
    }
    assert_eq!(get(&stage, "/api/v1/inventory/neighbours?foreign=maybe").await.0, StatusCode::BAD_REQUEST);
    let another = ["addresses", "192.0.2.33", "interface", "eth0", "mac", "00:1b:21:00:00:33"];
    tell_rows(&stage, 5, 1, ("neighbours", Head::default()), &[("00:1b:21:00:00:33", &another)]).await;
    assert_eq!(answer(&stage, "/api/v1/inventory/changes?section=neighbours").await["items"], json!([]));
}

#[tokio::test]
async fn the_view_tells_made_up_addresses_apart_and_an_empty_one_teaches() {
    let stage = met().await;
    let (status, html) = get(&stage, "/neighbours").await;
    assert_eq!(status, StatusCode::OK, "{html}");
    assert!(!html.contains("<b onmouseover") && html.contains("</html>"), "{html}");
    let (before, after) = html.split_once("Addresses that were made up").unwrap();
    assert!(before.contains("00:1b:21:00:00:07") && !before.contains("da:a1:19:00:00:01"), "{before}");
    assert!(after.contains("da:a1:19:00:00:01") && !html.contains("00:1b:21:00:00:09"), "{after}");
    let empty = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    assert!(get(&empty, "/neighbours").await.1.contains("Nothing that nobody manages was met"));
}

//! Evidence of the hardware: the latest of each part, what differed before, and nothing beside it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;

use super::*;
use crate::store::hardware::{Found, Of};

const DAY_MS: i64 = 86_400_000;

fn told(sequence: u64, ms: i64, source: &str, part: &str, outcome: &str, payload: &str) -> Fact {
    let body = json!({ "source": source, "part": part, "outcome": outcome, "reason": "as it is", "format": 1,
                       "size": payload.len(), "payload": payload });
    Fact { sequence, at: at(ms), kind: "evidence", body: body.to_string() }
}

fn drive(sequence: u64, ms: i64, part: &str, payload: &str) -> Fact {
    told(sequence, ms, "smartctl-json", part, "read", payload)
}

fn said(found: &[Found]) -> Vec<(String, String, String, i64)> {
    let one = |found: &Found| {
        let payload = String::from_utf8(found.payload()).unwrap();
        (found.part.clone(), found.outcome.clone(), payload, found.at.since_ms(NOW))
    };
    found.iter().map(one).collect()
}

async fn of_sda(store: &Store) -> Vec<Found> {
    store.hardware(HostNo(1), Of::Part { source: "smartctl-json".into(), part: "sda".into() }).await.unwrap()
}

#[tokio::test]
async fn the_latest_of_each_part_is_known_and_what_differed_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let facts = vec![
        drive(1, 1_000, "sda", "1"),
        drive(2, 2_000, "sdb", "1"),
        drive(3, 3_000, "sda", "1"),
        drive(4, 4_000, "sda", "2"),
        told(5, 5_000, "smartctl-json", "sda", "asleep", ""),
        told(6, 6_000, "processes", "", "read", "{}"),
        told(7, 7_000, "mdstat", "", "read", "md0"),
    ];
    assert_eq!(store.commit_facts(HostNo(1), [1; 16], facts.clone()).await.unwrap().through, 7);
    // Sent once more, for the acknowledgement was lost.
    assert_eq!(store.commit_facts(HostNo(1), [1; 16], facts).await.unwrap().through, 7);
    store.commit_facts(HostNo(2), [1; 16], vec![drive(1, 9_000, "sda", "neighbour")]).await.unwrap();
    drop(store);
    let store = Store::open(directory.path(), NOW).unwrap();
    let row = |part: &str, outcome: &str, payload: &str, ms: i64| (part.into(), outcome.into(), payload.into(), ms);
    let all = store.hardware(HostNo(1), Of::AllParts).await.unwrap();
    let latest = [row("", "read", "md0", 7_000), row("sda", "asleep", "", 5_000), row("sdb", "read", "1", 2_000)];
    assert_eq!(said(&all), latest);
    let kept = [row("sda", "asleep", "", 5_000), row("sda", "read", "2", 4_000), row("sda", "read", "1", 1_000)];
    assert_eq!(said(&of_sda(&store).await), kept);
    assert_eq!(store.received(HostNo(1)).await.unwrap(), Some(([1; 16], 7)));
    let file = Connection::open(directory.path().join("facts.db")).unwrap();
    let facts: i64 = file.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)).unwrap();
    assert_eq!(facts, 1, "what a host was asked for is looked up by time");
}

#[tokio::test]
async fn what_was_compressed_is_read_as_it_was_said() {
    use std::io::Write as _;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&[b'x'; 70_000]).unwrap();
    let body = json!({ "source": "smartctl-json", "part": "sda", "outcome": "read", "reason": "", "format": 2,
                       "size": 70_000, "payload_base64": BASE64.encode(encoder.finish().unwrap()) });
    let fact = Fact { sequence: 1, at: NOW, kind: "evidence", body: body.to_string() };
    store.commit_facts(HostNo(1), [1; 16], vec![fact]).await.unwrap();
    let found = of_sda(&store).await;
    assert_eq!((found[0].size, found[0].payload()), (70_000, vec![b'x'; 70_000]));
}

#[tokio::test]
async fn a_part_keeps_its_latest_and_forty_days_and_a_host_ten_thousand_rows() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    // Twice an hour for fifty days.
    let of_days = |n: u64| drive(n, i64::try_from(n).unwrap() * DAY_MS / 48, "sda", &n.to_string());
    store.commit_facts(HostNo(1), [1; 16], (1..=2_400).map(of_days).collect()).await.unwrap();
    let kept = of_sda(&store).await;
    let span_days = kept[0].at.since_ms(kept.last().unwrap().at) / DAY_MS;
    assert!((46..=49).contains(&kept.len()) && (38..=40).contains(&span_days), "{} rows, {span_days} days", kept.len());
    let newest = |found: &Found| String::from_utf8(found.payload()).unwrap();
    assert_eq!(kept[..8].iter().map(newest).collect::<Vec<_>>()[7], "2393");

    let many = (0..10_007_u64).map(|n| drive(n + 1, i64::try_from(n).unwrap(), &format!("drive {n:05}"), "1"));
    store.commit_facts(HostNo(2), [1; 16], many.collect()).await.unwrap();
    assert_eq!(store.prune(NOW).await.unwrap().facts, 7);
    let left = store.hardware(HostNo(2), Of::AllParts).await.unwrap();
    assert_eq!((left.len(), left[0].part.as_str()), (10_000, "drive 00007"));
    assert_eq!(store.prune(NOW).await.unwrap().facts, 0);
}

#[tokio::test]
async fn of_a_log_that_keeps_what_it_said_the_first_look_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let of_days =
        |n: u64, outcome| told(n, i64::try_from(n).unwrap() * DAY_MS, "ipmi", "events", outcome, &n.to_string());
    let facts = [of_days(1, "failed")].into_iter().chain((2..=100).map(|n| of_days(n, "read")));
    store.commit_facts(HostNo(1), [1; 16], facts.collect()).await.unwrap();
    let kept = store.hardware(HostNo(1), Of::Part { source: "ipmi".into(), part: "events".into() }).await.unwrap();
    assert!(kept.len() < 50, "{}", kept.len());
    let said = store.told(HostNo(1), NOW).await.unwrap();
    let before: Vec<_> =
        said.into_iter().map(|told| told.before.map(|before| String::from_utf8(before).unwrap())).collect();
    assert_eq!(before, [Some("2".to_owned())], "what could be read first");
}

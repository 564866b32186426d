//! The short past of a host: taken while it reports, filled by what its agent kept, and what it says of the days to come.

use muster_proto::v1::{self, agent_message};
use muster_tests::browser::{Browser, DESK, PHONE};
use muster_tests::raw::{Raw, facts, hello, now};
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::s;

const HOUR_MS: i64 = 3_600_000;
const GIB: f64 = 1_073_741_824.0;
/// Records sent before the next is acknowledged; the collector takes a burst of 500.
const BATCH: u64 = 64;

/// How many values of an answer are known, and their mean.
fn known(values: &Value) -> (usize, f64) {
    let known: Vec<f64> = values.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    (known.len(), known.iter().sum::<f64>() / known.len() as f64)
}

async fn values(collector: &Collector, host: &str, query: &str) -> Vec<Value> {
    let answer = collector.get(&format!("/api/v1/trends?host={host}&{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_present_minute_is_there_at_once_and_after_a_clean_restart() {
    let mut collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    let query = "reading=memory_available_bytes";
    let first = || async {
        let items = values(&collector, &agent.host, query).await;
        items.first().map(|item| known(&item["values"])).filter(|(known, _)| *known > 0)
    };
    let (_, free) = eventually("a minute is known", s(20), first).await;
    let memory = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let total =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let total: f64 = total.expect("every Linux says its memory in kB");
    assert!(free > 0.0 && free < total * 1024.0, "{free} of {total} kB");

    let list = collector.get(&format!("/api/v1/hosts/{}/trends", agent.host)).await.json();
    let listed =
        |reading: &str| list["items"].as_array().is_some_and(|all| all.iter().any(|item| item["reading"] == reading));
    assert!(listed("load1") && listed("filesystem_avail_bytes"), "{list}");

    agent.kill().await;
    assert_eq!(collector.stop().await, 0);
    collector.run().await;
    let again = values(&collector, &agent.host, query).await;
    assert!(known(&again[0]["values"]).0 > 0, "{again:?}");
}

/// The free space of /var at so many hours before now: 100 GiB two days ago, and 1.5 GiB less each hour.
fn free_before(hours: f64) -> f64 {
    (20.0 + 1.5 * hours) * GIB
}

/// A roll-up of one minute so many milliseconds ago.
fn rollup(sequence: u64, ago_ms: i64) -> agent_message::Body {
    let present = now();
    let ago = u64::try_from(ago_ms).expect("the past");
    let at = v1::Clock { wall_ms: present.wall_ms - ago_ms, boottime_ms: present.boottime_ms.saturating_sub(ago) };
    let hours = ago_ms as f64 / HOUR_MS as f64;
    let series = |name: &str, labels: &[&str], mean: f64| v1::RollupSeries {
        name: name.into(),
        labels: labels.iter().map(|&label| label.into()).collect(),
        count: 4,
        min: mean * 0.9,
        mean,
        max: mean * 1.1,
    };
    let busy = 0.3 + 0.2 * (hours / 4.0).sin() + if sequence.is_multiple_of(7) { 0.3 } else { 0.0 };
    let series = vec![
        series("cpu_busy_ratio", &[], busy),
        series("load1", &[], busy * 8.0),
        series("memory_available_bytes", &[], (6.0 + (hours / 9.0).cos()) * GIB),
        series("network_receive_bytes_per_second", &[], 2e6 * (1.0 + (hours / 3.0).sin()) + 1e4),
        series("filesystem_avail_bytes", &["mountpoint", "/var"], free_before(hours)),
        series("filesystem_avail_bytes", &["mountpoint", "/"], 31.5 * GIB),
    ];
    agent_message::Body::Record(v1::Record {
        sequence,
        // Of an earlier boot, so that the wall clock counts: this machine may be up for less than two days.
        boot_id: vec![9; 16],
        clock: Some(at),
        body: Some(v1::record::Body::Rollup(v1::Rollup { from: Some(at), to: Some(at), series })),
    })
}

/// A host that kept two days by itself, each fifth minute, with a gap from 20 to 14 hours ago.
async fn two_days_kept(collector: &Collector) -> Raw {
    let raw = Raw::enrolled(collector, facts("kept")).await;
    let minutes: Vec<i64> =
        (1..576).rev().map(|n| n * 5 * 60_000).filter(|ago| !(14 * HOUR_MS..20 * HOUR_MS).contains(ago)).collect();
    let last_record = minutes.len() as u64;
    let mut talk = raw.session(v1::Hello { last_record, ..hello(1) }, false).await.expect("a welcome");
    for (sequence, ago) in (1..).zip(minutes) {
        talk.send(rollup(sequence, ago)).await;
        if sequence % BATCH == 0 || sequence == last_record {
            talk.acknowledged(sequence).await.expect("records are taken");
        }
    }
    raw
}

#[tokio::test]
async fn what_an_agent_kept_fills_its_past_and_tells_when_a_file_system_will_be_full() {
    let mut collector = Collector::start("").await;
    let raw = two_days_kept(&collector).await;
    let space = values(&collector, &raw.host, "reading=filesystem_avail_bytes&part=/var").await;
    assert_eq!(space.len(), 1, "{space:?}");
    let minutes = space[0]["values"].as_array().expect("values").clone();
    let from_end = |hours: usize| &minutes[minutes.len() - hours * 60 - 30..][..60];
    for hours in [1, 10, 30, 46] {
        let (count, mean) = known(&Value::from(from_end(hours).to_vec()));
        assert!((11..=13).contains(&count), "{hours} hours ago: {count}");
        assert!((mean - free_before(hours as f64)).abs() < GIB, "{hours} hours ago: {}", mean / GIB);
    }
    assert!(from_end(17).iter().all(Value::is_null), "a gap stays a gap");

    let by_hour = values(&collector, &raw.host, "reading=load1&grain=hour").await;
    let hours = by_hour[0]["values"].as_array().expect("values");
    let hour = &hours[hours.len() - 10];
    assert!(hour["min"].as_f64() <= hour["mean"].as_f64() && hour["mean"].as_f64() <= hour["max"].as_f64(), "{hour}");
    assert!(hours[hours.len() - 18].is_null() && hours[0].is_null());

    let full = |list: &Value, part: &str| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|item| item["part"] == part).map(|item| item["full"].clone()).expect("it is listed")
    };
    let path = format!("/api/v1/hosts/{}/trends", raw.host);
    let list = collector.get(&path).await.json();
    // 20 GiB at 1.5 GiB an hour.
    let in_hours = full(&list, "/var")["in_hours"].as_f64().expect("it fills");
    assert!((in_hours - 13.3).abs() < 0.5, "{list}");
    assert!(full(&list, "/").is_null(), "{list}");

    collector.kill().await;
    collector.run().await;
    let again = full(&collector.get(&path).await.json(), "/var")["in_hours"].as_f64();
    assert!(again.is_some_and(|again| (again - in_hours).abs() < 0.2), "acknowledged is kept: {again:?}");
    graphs_are_drawn(&collector, &raw).await;
}

async fn graphs_are_drawn(collector: &Collector, raw: &Raw) {
    let browser = Browser::new();
    let folder = muster_tests::process::root().join("target/pictures");
    std::fs::create_dir_all(&folder).expect("below the build's own directory");
    let host = format!("/hosts/{}", raw.host);
    for (view, path) in [
        ("host-trends", host.clone()),
        ("trends", format!("{host}/trends")),
        ("months", format!("{host}/trends?span=months")),
    ] {
        let url = collector.url(&path);
        let document = browser.load(&url, DESK).await;
        assert!(document.contains("Processors busy") && document.contains("class=\"gap\""), "{path}:\n{document}");
        assert!(document.contains("full in 13 h"), "{path}:\n{document}");
        for (name, size, dark) in [("desk", (1280, 1700), false), ("phone", (PHONE.0, 2200), true)] {
            browser.draw(&url, size, dark, &folder.join(format!("{view}-{name}.png"))).await;
        }
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_names_what_is_wrong_with_it() {
    let collector = Collector::start("").await;
    let raw = Raw::enrolled(&collector, facts("asked")).await;
    for (query, field, status) in [
        ("reading=load1", "host", 400),
        ("host=HOST", "reading", 400),
        ("host=HOST&reading=everything", "reading", 400),
        ("host=HOST&reading=load1&grain=second", "grain", 400),
        ("host=HOST&reading=load1&from=yesterday", "from", 400),
        ("host=HOST&reading=load1&from=2026-01-01T00:00:00Z&to=2026-01-09T00:00:00Z", "from", 400),
        ("host=HOST&reading=load1&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from", 400),
        ("host=HOST&reading=load1&to=-009999-01-01T00:00:00Z", "to", 400),
        ("host=nobody&reading=load1", "", 404),
    ] {
        let answer = collector.get(&format!("/api/v1/trends?{}", query.replace("HOST", &raw.host))).await;
        let problem = answer.json();
        assert_eq!(answer.status, status, "{query}: {problem}");
        assert_eq!(problem["field"].as_str().unwrap_or(""), field, "{query}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{query}: {problem}");
    }
    assert!(values(&collector, &raw.host, "reading=load1").await.is_empty());
}

//! The processes that a host told when a finding began stand with the finding and its incident, and stay.

use serde_json::{Value, json};

use super::*;
use crate::store::Fact;

const HOST: &str = "00000000-0000-0000-0000-000000000001";

/// A host with this finding, which began a minute ago, and the incident of it.
fn fleet(now: Timestamp, rule: &str, resolved: Option<Timestamp>) -> Snapshot {
    let mut snapshot = hostile_fleet(now);
    let mut host = (*snapshot.hosts[&HostNo(1)]).clone();
    (host.findings[0].rule, host.findings[0].since) = (rule.into(), now.plus_ms(-60_000));
    let mut incident = hostile_incident(now);
    incident.row.key = format!("finding/{HOST}/{rule}:memory");
    (incident.row.since, incident.row.resolved) = (now.plus_ms(-60_000), resolved);
    snapshot.hosts = Arc::new([(HostNo(1), Arc::new(host))].into());
    snapshot.incidents = Arc::new([(IncidentNo(7), Arc::new(incident))].into());
    snapshot
}

fn process(pid: u32, command: &str, memory: u64, cpu: f64) -> Value {
    json!({ "pid": pid, "command": command, "state": "D", "uid": 7, "user": HOSTILE, "resident_bytes": memory,
            "swap_bytes": 1_048_576, "cpu_ratio": cpu })
}

/// Stores what the host told, so long after `now`.
async fn tell(stage: &Stage, now: Timestamp, sequence: u64, after_ms: i64, outcome: &str, processes: &[Value]) {
    let payload = json!({ "interval_seconds": 1.0, "processors": 4, "memory_total_bytes": 1_073_741_824_u64,
                          "left_out": 1_234, "processes": processes });
    let body = json!({ "source": "processes", "part": "", "outcome": outcome, "reason": HOSTILE, "format": 1,
                       "payload": payload.to_string() });
    let at = now.plus_ms(after_ms);
    let fact = Fact { sequence, at, kind: "evidence", body: body.to_string() };
    stage.store.commit_facts(HostNo(1), [1; 16], vec![fact]).await.unwrap();
}

async fn get(stage: &Stage, path: &str) -> String {
    text(stage.ask(loopback(), request(&Method::GET, path, &[], "")).await).await
}

#[tokio::test]
async fn processes_stand_with_the_finding_and_its_incident_the_largest_first_and_inert() {
    let now = Clock::start().now();
    let stage = Stage::new(fleet(now, "memory_exhausted", None), |_| {});
    tell(&stage, now, 1, -58_000, "read", &[process(41, "small", 1 << 20, 0.5), process(42, HOSTILE, 512 << 20, 0.0)])
        .await;
    for path in [format!("/hosts/{HOST}"), "/incidents/7".to_owned()] {
        let page = get(&stage, &path).await;
        assert!(page.contains(", 2 s after it opened"), "{path}: {page}");
        assert!(page.contains("42, &#34;") && page.contains("<td class=\"figure\">513 MiB "), "{path}: {page}");
        assert!(
            page.find("42, ") < page.find("41, ") && page.contains("<td class=\"figure\">50.0 %</td>"),
            "{path}: {page}"
        );
        assert!(page.contains("waits for a device") && page.contains("1.0 MiB in swap"), "{path}: {page}");
        assert!(page.contains("share of all 4 processors within 1 s. Memory of 1.0 GiB"), "{path}: {page}");
        assert!(page.contains("1\u{202f}234 more processes"), "{path}: {page}");
        assert!(!page.contains("<b onmouseover") && !page.contains("</script><b"), "{path}: {page}");
    }
    let host: Value = serde_json::from_str(&get(&stage, &format!("/api/v1/hosts/{HOST}")).await).unwrap();
    let incident: Value = serde_json::from_str(&get(&stage, "/api/v1/incidents/7").await).unwrap();
    let told = &host["findings"][0]["processes"][0];
    assert_eq!(json!([told]), incident["processes"]);
    assert_eq!((&told["seconds_after"], &told["left_out"], &told["processors"]), (&json!(2), &json!(1_234), &json!(4)));
    let expected = json!({ "pid": 42, "command": HOSTILE, "state": "D", "user": HOSTILE, "cpu_ratio": 0.0,
                           "resident_bytes": 536_870_912, "swap_bytes": 1_048_576 });
    assert_eq!(told["items"][1], expected);
}

#[tokio::test]
async fn what_was_taken_nearest_to_the_beginning_stays_and_what_was_taken_last_stands_beside_it() {
    let now = Clock::start().now();
    let stage = Stage::new(fleet(now, "cpu_pressure", Some(now.plus_ms(-20_000))), |_| {});
    tell(&stage, now, 1, -200_000, "read", &[process(40, "long before", 1, 0.9)]).await;
    let page = get(&stage, "/incidents/7").await;
    assert!(page.contains("is not known") && !page.contains("long before"), "{page}");
    tell(&stage, now, 2, -100_000, "read", &[process(41, "just before", 1, 0.9)]).await;
    let page = get(&stage, "/incidents/7").await;
    assert!(page.contains("just before") && page.contains(", 40 s before it opened"), "{page}");
    tell(&stage, now, 3, -57_000, "read", &[process(42, "when it began", 1, 0.9)]).await;
    tell(&stage, now, 4, -40_000, "read", &[process(43, "meanwhile", 1, 0.9)]).await;
    tell(&stage, now, 5, -30_000, "read", &[process(44, "when it was worse", 1, 0.9)]).await;
    tell(&stage, now, 6, -10_000, "read", &[process(45, "of another finding", 1, 0.9)]).await;
    let page = get(&stage, "/incidents/7").await;
    assert!(page.contains("when it began") && page.contains(", 3 s after it opened</p>"), "{page}");
    assert!(page.contains("when it was worse") && page.contains(", 30 s after it opened</summary>"), "{page}");
    for other in ["just before", "meanwhile", "of another finding"] {
        assert!(!page.contains(other), "{other}: {page}");
    }
    let incident: Value = serde_json::from_str(&get(&stage, "/api/v1/incidents/7").await).unwrap();
    let after: Vec<_> = incident["processes"].as_array().unwrap().iter().map(|look| &look["seconds_after"]).collect();
    assert_eq!(after, [3, 30]);
}

#[tokio::test]
async fn a_host_that_could_not_look_says_why_and_other_findings_have_no_processes() {
    let now = Clock::start().now();
    let stage = Stage::new(fleet(now, "swap_storm", None), |_| {});
    let page = get(&stage, &format!("/hosts/{HOST}")).await;
    assert!(page.contains("is not known: the host has not told"), "{page}");
    tell(&stage, now, 1, -58_000, "unreadable", &[]).await;
    let page = get(&stage, &format!("/hosts/{HOST}")).await;
    assert!(page.contains("could not tell its processes at ") && page.contains("unreadable: &#34;"), "{page}");
    let host: Value = serde_json::from_str(&get(&stage, &format!("/api/v1/hosts/{HOST}")).await).unwrap();
    assert_eq!(host["findings"][0]["processes"][0]["problem"], format!("unreadable: {HOSTILE}"));

    let stage = Stage::new(fleet(now, "clock_off", None), |_| {});
    tell(&stage, now, 1, -58_000, "read", &[process(40, "a process", 1, 0.9)]).await;
    for path in [format!("/hosts/{HOST}"), "/incidents/7".to_owned()] {
        let page = get(&stage, &path).await;
        assert!(!page.contains("class=\"processes\""), "{path}: {page}");
    }
    let incident: Value = serde_json::from_str(&get(&stage, "/api/v1/incidents/7").await).unwrap();
    assert_eq!(incident["processes"], json!([]));
}

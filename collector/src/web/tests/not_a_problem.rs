//! "Not a problem": what a choice would have spared and missed, seen before it is saved, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::domain::record::Row;

const HOST: &str = "00000000-0000-0000-0000-000000000001";
const HOUR: i64 = 3_600_000;

/// The hostile host with a finding about its `/backup`, which is incident 7.
fn fleet(now: Timestamp, key: &str) -> Snapshot {
    let mut snapshot = hostile_fleet(now);
    let mut incident = hostile_incident(now);
    (incident.row.key, incident.row.component) = (key.into(), "/backup".into());
    incident.row.since = now.plus_ms(-600_000);
    snapshot.incidents = Arc::new([(IncidentNo(7), Arc::new(incident))].into());
    snapshot
}

fn finding() -> String {
    format!("finding/{HOST}/filesystem_space:/backup")
}

/// Stores a past incident so many hours before, that long, with one call; somebody may have taken it.
async fn past(stage: &Stage, no: i64, key: &str, hours_ago: i64, lasted_ms: i64, taken: bool) {
    let since = stage.now.plus_ms(-hours_ago * HOUR);
    let row = IncidentRow {
        no: IncidentNo(no),
        id: no.to_string(),
        key: key.into(),
        component: key.rsplit_once(':').map_or("host", |(_, part)| part).into(),
        state: IncidentState::Resolved,
        since,
        opened: since,
        resolved: Some(since.plus_ms(lasted_ms)),
        ..hostile_incident(stage.now).row
    };
    let page = Page {
        id: PageId(no),
        incident: Some(IncidentNo(no)),
        decided: since,
        ..hostile_incident(since).pages.remove(0)
    };
    let kind = if taken { "acknowledged" } else { "paged" };
    let by = taken.then(|| "ana".to_owned());
    let event = IncidentEventRow { incident: row.no, n: 1, at: since, kind: kind.into(), text: String::new(), by };
    let rows = vec![Row::Incident(Box::new(row)), Row::Page(Box::new(page)), Row::IncidentEvent(event)];
    stage.store.commit(rows).await.unwrap();
}

async fn ask(stage: &Stage, method: &Method, body: &Value) -> (StatusCode, Value) {
    let trusted = Door::Unix { uid: 0, trusted: true };
    let path = "/api/v1/incidents/7/not-a-problem";
    let response = stage.ask(trusted, request(method, path, &[], &body.to_string())).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

#[tokio::test]
async fn what_each_choice_would_have_spared_and_missed_is_said_before_it_is_saved() {
    let stage = Stage::new(fleet(Clock::start().now(), &finding()), |_| {});
    past(&stage, 1, &finding(), 24, 60_000, false).await;
    past(&stage, 2, &finding(), 48, 60_000, true).await;
    past(&stage, 3, &finding(), 72, 2 * HOUR, false).await;
    past(&stage, 4, &finding().replace("backup", "other"), 24, 60_000, false).await;
    past(&stage, 5, &finding(), 91 * 24, 60_000, false).await;
    past(&stage, 6, &format!("liveness/{HOST}/host"), 24, 60_000, false).await;
    let counted =
        |answer: &Value| ["pages", "spared", "missed", "cannot_tell"].map(|key| answer[key].as_i64().unwrap());

    let never = json!({ "choice": "never", "owner": "bea", "for_seconds": 86_400, "reason": "a test machine", "dry_run": true });
    let (status, answer) = ask(&stage, &Method::POST, &never).await;
    assert_eq!((status, counted(&answer)), (StatusCode::OK, [3, 3, 2, 0]), "{answer}");
    assert!(answer["says"].as_str().unwrap().ends_with("and nobody would have heard of #3, #2"), "{answer}");
    assert!(answer["does"].as_str().unwrap().contains("bea answers for it"), "{answer}");

    let quiet = json!({ "choice": "threshold", "severity": "info", "reason": "small by design", "dry_run": true });
    assert_eq!(counted(&ask(&stage, &Method::POST, &quiet).await.1), [3, 3, 2, 0]);
    let lower = json!({ "choice": "threshold", "limits": { "warning": "3 %", "critical": "1 %" }, "reason": "small", "dry_run": true });
    assert_eq!(counted(&ask(&stage, &Method::POST, &lower).await.1), [3, 0, 0, 3], "no past of its figures is kept");
    let longer =
        json!({ "choice": "threshold", "limits": { "for": "30 min" }, "reason": "it comes and goes", "dry_run": true });
    assert_eq!(counted(&ask(&stage, &Method::POST, &longer).await.1), [3, 2, 1, 0], "those of a minute");
    assert!(stage.store.overrides().await.unwrap().is_empty(), "a dry run saves nothing");
    let alone = json!({ "choice": "false_alarm", "reason": "the sensor lies", "dry_run": true });
    assert_eq!(counted(&ask(&stage, &Method::POST, &alone).await.1), [0, 0, 0, 0]);
}

#[tokio::test]
async fn other_limits_are_an_override_of_their_own_that_counts_at_once() {
    let stage = Stage::new(fleet(Clock::start().now(), &finding()), |_| {});
    let lower = json!({ "choice": "threshold", "limits": { "warning": "3 %", "critical": "1 %" }, "reason": "small" });
    for name in ["incident-7", "incident-7-2"] {
        let (status, answer) = ask(&stage, &Method::POST, &lower).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let rows = stage.store.overrides().await.unwrap();
        assert_eq!(rows.last().map(|row| row.name.as_str()), Some(name));
    }
    let line = &stage.store.overrides().await.unwrap()[0].line;
    assert!(line.contains("mount = \"/backup\"") && line.contains("warning = \"3 %\""), "{line}");
    let (_, offer) = ask(&stage, &Method::GET, &json!({})).await;
    let limit = |key: &str| {
        offer["limits"].as_array().unwrap().iter().find(|limit| limit["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!((limit("warning"), limit("critical")), (json!("3 %"), json!("1 %")));
    let actions: Vec<_> = stage.store.audit(9).await.unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(actions, ["rule.override", "rule.override"]);
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_with_what_was_expected() {
    let stage = Stage::new(fleet(Clock::start().now(), &finding()), |_| {});
    let down = Stage::new(fleet(Clock::start().now(), &format!("liveness/{HOST}/host")), |_| {});
    for (stage, asked, expected) in [
        (&stage, json!({ "choice": "wrong", "reason": "x" }), "threshold, expected, never or false_alarm"),
        (&stage, json!({ "choice": "false_alarm" }), "why: whoever looks at 3 a.m."),
        (&stage, json!({ "choice": "threshold", "reason": "x" }), "at least one limit (warning, critical, hysteresis"),
        (&stage, json!({ "choice": "threshold", "reason": "x", "limits": { "warning": "3" } }), "a percentage such as"),
        (
            &stage,
            json!({ "choice": "threshold", "reason": "x", "limits": { "warning": "1 %" } }),
            "no more than warning",
        ),
        (&stage, json!({ "choice": "threshold", "reason": "x", "severity": "warning" }), "info: seen"),
        (&stage, json!({ "choice": "never", "reason": "x", "owner": "bea" }), "until or for_seconds"),
        (&stage, json!({ "choice": "never", "reason": "x", "for_seconds": 60 }), "who answers for it"),
        (
            &stage,
            json!({ "choice": "never", "reason": "x", "owner": "bea", "for_seconds": 31_708_800 }),
            "within 366 days",
        ),
        (&stage, json!({ "choice": "false_alarm", "reason": "x", "label": "env=dev" }), ""),
        (
            &stage,
            json!({ "choice": "never", "reason": "x", "owner": "b", "for_seconds": 9, "label": "env=dev" }),
            "nobody but the host itself says a label",
        ),
        (&down, json!({ "choice": "threshold", "reason": "x", "severity": "info" }), "the host's watch level"),
    ] {
        let (status, answer) = ask(stage, &Method::POST, &asked).await;
        if expected.is_empty() {
            assert_eq!(status, StatusCode::OK, "{asked}: a label says nothing here");
            continue;
        }
        assert_eq!(status, StatusCode::BAD_REQUEST, "{asked}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(expected), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn the_form_needs_no_script_shows_the_preview_and_lets_operators_save_it() {
    let stage = Stage::new(fleet(Clock::start().now(), &finding()), |_| {});
    past(&stage, 1, &finding(), 24, 60_000, false).await;
    let look = "/incidents/7/not-a-problem?choice=threshold&limit_for=30+min&reason=it+comes+and+goes&on=&look=yes";
    let (operator, csrf) = stage.session(Role::Operator, false).await;
    let (viewer, viewer_csrf) = stage.session(Role::Viewer, false).await;
    let get = |cookie: &str| request(&Method::GET, look, &[("cookie", cookie)], "");
    let page = text(stage.ask(loopback(), get(&operator)).await).await;
    assert!(page.contains("it would have spared 1 of 1 page of the last 90 days"), "{page}");
    assert!(page.contains("name=\"limit_for\" value=\"30 min\"") && page.contains("value=\"save\""), "{page}");
    assert!(!page.contains("<b onmouseover") && !page.contains("</script><b"), "{page}");
    let page = text(stage.ask(loopback(), get(&viewer)).await).await;
    assert!(page.contains("as an operator to save it") && !page.contains("value=\"save\""), "{page}");

    let save = |cookie: &str, csrf: &str| {
        let body = format!("csrf={csrf}&choice=threshold&limit_for=30+min&reason=it+comes+and+goes&action=save");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers = [("cookie", cookie), form, ("origin", "http://localhost:7461")];
        request(&Method::POST, "/incidents/7/not-a-problem", &headers, &body)
    };
    let refused = stage.ask(loopback(), save(&viewer, &viewer_csrf)).await;
    assert_eq!((refused.status(), stage.store.overrides().await.unwrap().len()), (StatusCode::FORBIDDEN, 0));
    let saved = stage.ask(loopback(), save(&operator, &csrf)).await;
    assert_eq!((saved.status(), stage.store.overrides().await.unwrap().len()), (StatusCode::SEE_OTHER, 1));
    assert_eq!(saved.headers()[header::LOCATION], "/incidents/7");
}

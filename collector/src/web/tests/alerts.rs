//! Who may post alerts, and what is answered to what cannot be taken.

use super::*;

async fn post(stage: &Stage, token: Option<&str>, path: &str, kind: &str, body: &str) -> (u16, String) {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", kind)];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let response = stage.ask(loopback(), request(&Method::POST, path, &headers, body)).await;
    let status = response.status().as_u16();
    (status, text(response).await)
}

const POSTED: &str = "/api/v2/alerts";
const HOOK: &str = "/api/v1/alerts/webhook";
const JSON: &str = "application/json";
const GOOD: &str = r#"{"labels":{"alertname":"Slow"}}"#;

#[tokio::test]
async fn alerts_are_taken_from_who_may_post_them_and_being_on_this_machine_is_not_enough() {
    let stage = Stage::plain();
    for path in [POSTED, HOOK] {
        let body = if path == POSTED { "[]" } else { r#"{"version":"4","alerts":[]}"# };
        assert_eq!(post(&stage, None, path, JSON, body).await.0, 401, "loopback without a token");
        for (role, status) in
            [(Role::Alert, 200), (Role::Scrape, 403), (Role::Viewer, 403), (Role::Operator, 200), (Role::Admin, 200)]
        {
            let token = stage.token(role).await;
            assert_eq!(post(&stage, Some(&token), path, JSON, body).await.0, status, "{role:?} at {path}");
        }
    }
}

#[tokio::test]
async fn who_may_only_post_alerts_may_see_nothing() {
    let stage = Stage::plain();
    let bearer = format!("Bearer {}", stage.token(Role::Alert).await);
    for path in ["/metrics", "/api/v1/incidents", "/prometheus/sd", "/api/v1/people"] {
        let asked = request(&Method::GET, path, &[("authorization", &bearer)], "");
        assert_eq!(stage.ask(loopback(), asked).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let person = r#"{"name":"x","role":"alert","password":"long enough to be one"}"#;
    let admin = format!("Bearer {}", stage.token(Role::Admin).await);
    let asked = request(&Method::POST, "/api/v1/people", &[("authorization", &admin)], person);
    assert_eq!(stage.ask(loopback(), asked).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_cannot_be_taken_is_answered_as_alertmanager_does_and_named() {
    let stage = Stage::plain();
    let token = stage.token(Role::Alert).await;
    let many = format!("[{}]", vec![GOOD; 2_001].join(","));
    let large = format!("[{}]", " ".repeat(4 << 20));
    for (path, kind, body, status, said) in [
        (POSTED, "text/plain", "[]", 415, "Content-Type"),
        (POSTED, "", "[]", 415, "Content-Type"),
        (POSTED, JSON, "{", 400, "no JSON"),
        (POSTED, JSON, GOOD, 400, "no array"),
        (POSTED, JSON, r#"[{"annotations":{}}]"#, 422, "labels is missing"),
        (POSTED, JSON, r#"[{"labels":{}}]"#, 400, "no labels"),
        (POSTED, JSON, r#"[{"labels":{"1x":"a"}}]"#, 400, "1x"),
        (POSTED, JSON, r#"[{"labels":{"a":1}}]"#, 400, "alert 0"),
        (POSTED, JSON, r#"[{"labels":{"a":"b"},"startsAt":"soon"}]"#, 400, "startsAt is \\\"soon\\\""),
        (POSTED, JSON, r#"[{"labels":{"a":"b"},"generatorURL":"no address"}]"#, 422, "generatorURL"),
        (
            POSTED,
            JSON,
            r#"[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#,
            400,
            "before startsAt",
        ),
        (POSTED, JSON, r#"[{"labels":{"a":"b"}},{"labels":{}}]"#, 400, "alert 1: it has no labels"),
        (POSTED, JSON, &many, 413, "at most 2000"),
        (POSTED, JSON, &large, 413, "4 MiB"),
        (HOOK, JSON, "[]", 400, "no webhook"),
        (HOOK, JSON, r#"{"version":"3","alerts":[]}"#, 400, "expected \\\"4\\\""),
        (HOOK, JSON, r#"{"version":"4","alerts":[{"labels":{"a":"b"}}]}"#, 400, "expected firing or resolved"),
    ] {
        let (answered, text) = post(&stage, Some(&token), path, kind, body).await;
        let shown: String = body.chars().take(90).collect();
        assert_eq!(answered, status, "{shown}: {text}");
        assert!(text.contains(said), "{shown}: {text}");
    }
    let grafana = r#"{"version":"1","orgId":1,"state":"alerting","alerts":[{"status":"firing","labels":{"a b":"c"},
        "values":{"A":1},"endsAt":"0001-01-01T00:00:00Z","silenceURL":"http://g/x"}]}"#;
    assert_eq!(post(&stage, Some(&token), HOOK, JSON, grafana).await.0, 200);
}

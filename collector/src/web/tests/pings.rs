//! Who may speak for a job, and who may see how.

use super::*;

const URL: &str = "/ping/the-secret-of-backup";

#[tokio::test]
async fn the_secret_in_the_path_is_all_that_a_job_needs() {
    let stage = Stage::new(Snapshot::default(), |config| config.http.require_authentication = true);
    for (method, path) in [
        (Method::GET, URL.to_owned()),
        (Method::POST, URL.to_owned()),
        (Method::HEAD, URL.to_owned()),
        (Method::POST, format!("{URL}/start")),
        (Method::GET, format!("{URL}/fail")),
        (Method::POST, format!("{URL}/0")),
        (Method::POST, format!("{URL}/255")),
    ] {
        let answer =
            stage.ask(loopback(), request(&method, &path, &[("origin", "https://elsewhere")], "no space left")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    for (path, status) in [
        ("/ping/backup", StatusCode::NOT_FOUND),
        ("/ping/the-secret-of-backuq", StatusCode::NOT_FOUND),
        ("/ping/the-secret-of-backup/256", StatusCode::BAD_REQUEST),
        ("/ping/the-secret-of-backup/stop", StatusCode::BAD_REQUEST),
    ] {
        let answer = stage.ask(loopback(), request(&Method::GET, path, &[], "")).await;
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_renewed_url_is_the_only_one_and_operators_may_renew_it() {
    let stage = Stage::new(Snapshot::default(), |_| {});
    let renew = |token: String, name: &str| {
        let (bearer, path) = (format!("Bearer {token}"), format!("/api/v1/heartbeats/{name}/renew"));
        request(&Method::POST, &path, &[("authorization", &bearer)], "")
    };
    let viewer = stage.token(Role::Viewer).await;
    assert_eq!(stage.ask(loopback(), renew(viewer, "backup")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(stage.ask(loopback(), request(&Method::GET, URL, &[], "")).await.status(), StatusCode::OK);
    let operator = stage.token(Role::Operator).await;
    assert_eq!(stage.ask(loopback(), renew(operator.clone(), "nothing")).await.status(), StatusCode::NOT_FOUND);
    stage.ask(loopback(), renew(operator, "backup")).await;
    assert_eq!(stage.ask(loopback(), request(&Method::GET, URL, &[], "")).await.status(), StatusCode::NOT_FOUND);
    let kept = stage.store.heartbeat_secrets(Vec::new()).await.unwrap();
    let [(name, secret)] = kept.as_slice() else { panic!("{} secrets", kept.len()) };
    assert_eq!((name.as_str(), secret.len()), ("backup", 32));
    let path = format!("/ping/{secret}");
    assert_eq!(stage.ask(loopback(), request(&Method::GET, &path, &[], "")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn guessing_and_flooding_are_limited() {
    let stage = Stage::new(Snapshot::default(), |_| {});
    for path in [URL, "/ping/guess"] {
        let mut last = StatusCode::OK;
        for _ in 0..61 {
            last = stage.ask(loopback(), request(&Method::GET, path, &[], "")).await.status();
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
}

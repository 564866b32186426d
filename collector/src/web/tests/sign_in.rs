//! People sign in with a link that works once, or with their password, and wait after too many tries.

use super::*;

#[tokio::test]
async fn a_link_signs_in_once_and_never_again() {
    let stage = Stage::plain();
    let (link, _) = stage.session(Role::Admin, true).await;
    let path = format!("/sign-in/{link}");
    let looked = stage.ask(loopback(), request(&Method::GET, &path, &[], "")).await;
    assert_eq!(looked.status(), StatusCode::OK, "looking does not use it up");
    let own = [("origin", "http://localhost:7461")];
    let first = stage.ask(loopback(), request(&Method::POST, &path, &own, "")).await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    let cookie = first.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let settings = stage.ask(loopback(), request(&Method::GET, "/api/v1/people", &[("cookie", session)], "")).await;
    assert_eq!(settings.status(), StatusCode::OK);
    let second = stage.ask(loopback(), request(&Method::POST, &path, &own, "")).await;
    assert_eq!(second.status(), StatusCode::UNAUTHORIZED);
    let as_cookie = format!("muster_session={link}");
    let status = stage.ask(loopback(), request(&Method::GET, "/api/v1/people", &[("cookie", &as_cookie)], "")).await;
    assert_eq!(status.status(), StatusCode::UNAUTHORIZED, "a link is no session");
}

#[tokio::test]
async fn a_person_signs_in_with_their_password_and_the_sixth_try_waits() {
    let stage = Stage::plain();
    let socket = Door::Unix { uid: 0, trusted: true };
    let person = r#"{"name":"ann","role":"operator","password":"correct horse battery"}"#;
    assert_eq!(stage.ask(socket, request(&Method::POST, "/api/v1/people", &[], person)).await.status(), StatusCode::OK);
    let headers = [("origin", "https://localhost:7461"), ("content-type", "application/x-www-form-urlencoded")];
    let attempt = |password: &str| {
        let body = format!("name=ann&next=/incidents&password={password}");
        stage.ask(elsewhere(), request(&Method::POST, "/sign-in", &headers, &body))
    };
    let good = attempt("correct+horse+battery").await;
    assert_eq!(
        (good.status(), &good.headers()[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/incidents".parse().unwrap())
    );
    assert!(good.headers()[header::SET_COOKIE].to_str().unwrap().starts_with("__Host-muster_session="));
    for _ in 0..4 {
        assert_eq!(attempt("wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(attempt("correct+horse+battery").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

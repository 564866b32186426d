//! A copy of the records is taken by who owns them.

use super::*;

#[tokio::test]
async fn a_backup_is_taken_over_the_socket_only() {
    let stage = Stage::plain();
    let target = stage.directory.path().join("copy");
    let body = serde_json::json!({ "directory": target }).to_string();
    let post = |headers: &[(&str, &str)]| request(&Method::POST, "/api/v1/backup", headers, &body);
    let token = format!("Bearer {}", stage.token(Role::Admin).await);
    let from_elsewhere = stage.ask(elsewhere(), post(&[("authorization", &token)])).await;
    assert_eq!((from_elsewhere.status(), target.exists()), (StatusCode::FORBIDDEN, false));
    let socket = Door::Unix { uid: 0, trusted: true };
    assert_eq!(stage.ask(socket, post(&[])).await.status(), StatusCode::OK);
    let copied = ["state.db", "facts.db", "authority/root.der"].map(|file| target.join(file).is_file());
    assert_eq!(copied, [true; 3]);
    // What is there already is left alone.
    assert_eq!(stage.ask(socket, post(&[])).await.status(), StatusCode::CONFLICT);
    let relative = request(&Method::POST, "/api/v1/backup", &[], r#"{"directory":"copy"}"#);
    assert_eq!(stage.ask(socket, relative).await.status(), StatusCode::BAD_REQUEST);
}

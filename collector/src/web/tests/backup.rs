//! A copy of the records is taken by who owns them.

use super::*;

const PASSPHRASE: &str = r#"{"passphrase":"correct horse battery"}"#;

#[tokio::test]
async fn a_backup_is_taken_over_the_socket_only_and_is_an_age_file() {
    let stage = Stage::plain();
    let post = |headers: &[(&str, &str)], body: &str| request(&Method::POST, "/api/v1/backup", headers, body);
    let token = format!("Bearer {}", stage.token(Role::Admin).await);
    let from_elsewhere = stage.ask(elsewhere(), post(&[("authorization", &token)], PASSPHRASE)).await;
    assert_eq!(from_elsewhere.status(), StatusCode::FORBIDDEN);
    let socket = Door::Unix { uid: 0, trusted: true };
    for (body, expected) in [("{}", "nothing to seal"), (r#"{"passphrase":"short"}"#, "at least 12 characters")] {
        let refused = stage.ask(socket, post(&[], body)).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        let said = text(refused).await;
        assert!(said.contains(expected) && !said.contains("short\""), "{said}");
    }
    let taken = stage.ask(socket, post(&[], PASSPHRASE)).await;
    assert_eq!(taken.status(), StatusCode::OK);
    let bytes = axum::body::to_bytes(taken.into_body(), 4 << 20).await.unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "), "{:?}", &bytes[..40]);
    let noted = stage.store.last_backup(crate::store::backup::Kind::Asked).await.unwrap().unwrap();
    assert_eq!(noted.bytes, bytes.len() as u64);
    assert!(!stage.directory.path().join(".backup").exists(), "the copies are gone");
}

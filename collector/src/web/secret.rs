//! Secrets that are shown once: how they are made, recognised and bound. Only digests are kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest, hmac,
    rand::{SecureRandom, SystemRandom},
};

use super::problem::Problem;

/// 256 bits: guessing is hopeless, so lookups need no limit.
const SECRET_BYTES: usize = 32;
const API_TOKEN_PREFIX: &str = "mua";
const CSRF_PURPOSE: &[u8] = b"muster csrf 1";

/// A new secret, URL-safe text.
pub(super) fn new_secret() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?))
}

/// A new secret for the URL of a heartbeat: 192 bits, as those that are made at start.
pub(super) fn new_ping_secret() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(random::<24>()?))
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Problem::internal("the operating system gives no random bytes"))?;
    Ok(bytes)
}

/// What is kept of a secret: SHA-256.
pub(super) fn digest_of(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// A short mark of a text: another text has another one.
pub(super) fn mark_of(text: &str) -> String {
    digest_of(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// A new API token: its shown id and its whole text, `mua_<id>_<secret>`.
pub(super) fn new_api_token() -> Result<(String, String), Problem> {
    let id: String = random::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{API_TOKEN_PREFIX}_{id}_{}", new_secret()?);
    Ok((id, text))
}

/// The id and secret of an API token's text.
pub(super) fn split_api_token(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(3, '_');
    let (prefix, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    (prefix == API_TOKEN_PREFIX && !id.is_empty() && !secret.is_empty()).then_some((id, secret))
}

/// The CSRF token of a session: only who can read our pages within that session can know it.
pub(super) fn csrf_of(session_secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, CSRF_PURPOSE))
}

/// Whether `presented` is the CSRF token of this session, in constant time.
pub(super) fn is_csrf_of(session_secret: &str, presented: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_secret.as_bytes());
    URL_SAFE_NO_PAD.decode(presented).is_ok_and(|tag| hmac::verify(&key, CSRF_PURPOSE, &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_token_splits_into_what_it_was_made_of() {
        let (id, text) = new_api_token().unwrap();
        let (seen, secret) = split_api_token(&text).unwrap();
        assert_eq!(seen, id);
        assert_eq!(secret.len(), 43);
    }

    #[test]
    fn text_that_is_no_api_token_is_not_split() {
        for text in ["", "mua", "mua__", "mua_a", "mub_a_b", "mua__b"] {
            assert_eq!(split_api_token(text), None, "{text}");
        }
    }

    #[test]
    fn a_csrf_token_belongs_to_one_session_only() {
        let token = csrf_of("one");
        assert!(is_csrf_of("one", &token));
        assert!(!is_csrf_of("two", &token));
        assert!(!is_csrf_of("one", ""));
    }
}

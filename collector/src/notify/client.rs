//! The HTTP client of receivers: connections kept warm, no redirects, no proxy, names checked each time they resolve.

use std::{error::Error as _, time::Duration};

use super::{
    guard::{Guard, Resolver, Url},
    receiver::Sent,
};

/// How long a request may take altogether (Standard Webhooks 1.0.0 recommends 15-30 s). Tests have servers that never
/// answer, beside them, and need not wait as long.
const TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 15 });
/// A connection is kept open for the next page for this long; most servers close earlier, which costs one handshake.
const IDLE: Duration = Duration::from_secs(3_600);
/// Idle connections kept per receiver.
const IDLE_CONNECTIONS: usize = 8;
/// Most of an answer that is read, in bytes, so that the connection can be used again. It is never shown whole.
const ANSWER_BYTES: usize = 64 * 1024;
/// A receiver that asks for more patience than this is tried again all the same.
pub(super) const RETRY_AFTER_MOST: Duration = Duration::from_secs(600);

/// An HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot make the HTTP client of receiver {receiver}: {detail}; is a certificate store (ca-certificates) installed, or ca_file set"
)]
pub struct ClientError {
    receiver: String,
    detail: String,
}

/// What a receiver answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// How long it asks us to wait.
    pub(super) retry_after: Option<Duration>,
    /// The body, or its beginning.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What the status means for a page; `said` is what the receiver's contract lets the body say of it, and `rejects`
    /// are the codes that are about this page alone.
    pub(super) fn means(&self, said: &str, rejects: &[u16]) -> Sent {
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        let error = format!("it answered {}{said}", self.status);
        match self.status {
            200..=299 => Sent::Accepted { provider_id: None },
            410 => Sent::Gone { error: format!("{error}: it is gone and wants no more messages") },
            code if rejects.contains(&code) => {
                Sent::Rejected { error: format!("{error}: it rejects this page for good") }
            }
            408 | 425 | 429 | 500..=599 => Sent::Retry { error, after: self.retry_after },
            300..=399 => {
                Sent::Refused { error: format!("{error}; redirects are not followed, configure the final URL") }
            }
            _ => Sent::Refused { error },
        }
    }
}

/// A client for one receiver. It trusts the certificates in `ca` or, without, the system's.
pub(super) fn build(
    receiver: &str,
    urls: &[Url],
    ca: Option<&[u8]>,
    guard: &Guard,
) -> Result<reqwest::Client, ClientError> {
    let failed = |error: reqwest::Error| ClientError { receiver: receiver.to_owned(), detail: in_words(&error) };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT / 2)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_only()
        .dns_resolver(Resolver(guard.clone()));
    if let Some(pem) = ca {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?);
    } else if urls.iter().all(|url| url.scheme() == "http") {
        // A machine without certificate store can still post to plain HTTP.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(failed)
}

/// Sends and reads the answer as far as it is needed; errors are in words and name no URL, which may be a secret.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let mut response = request.send().await.map_err(|error| in_words(&error))?;
    let status = response.status().as_u16();
    let retry_after = retry_after_of(response.headers());
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            // The status was given; that the rest is missing changes nothing.
            Ok(None) | Err(_) => break,
        }
    }
    Ok(Answer { status, retry_after, body })
}

/// A body.
pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers always have a JSON form")
}

/// How long a service asks to be left alone: `Retry-After`, or `RateLimit-Reset` where only that is said.
pub(super) fn retry_after_of(headers: &http::HeaderMap) -> Option<Duration> {
    let asked = headers.get(http::header::RETRY_AFTER).or_else(|| headers.get("ratelimit-reset"));
    asked.and_then(|value| value.to_str().ok()).and_then(|text| retry_after_from(text, crate::clock::wall()))
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
#[doc(hidden)]
#[must_use]
pub fn retry_after_from(text: &str, now: crate::domain::time::Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let when = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            Duration::from_millis(u64::try_from(when.as_millisecond() - now.ms()).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MOST))
}

/// An error with its causes, without the URL.
pub(super) fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if words.last() != Some(&text) {
            words.push(text);
        }
        cause = inner.source();
    }
    if words.is_empty() { "the request could not be made".into() } else { words.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = Timestamp::from_ms(1_445_412_480_000); // Wed, 21 Oct 2015 07:28:00 GMT
        assert_eq!(retry_after_from("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after_from("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after_from("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after_from("99999999", now), Some(RETRY_AFTER_MOST));
        assert_eq!(retry_after_from("soon", now), None);
    }
}

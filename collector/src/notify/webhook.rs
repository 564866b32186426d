//! The generic webhook: Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>).
//!
//! `webhook-id` is the page's own and the same over retries and restarts, so that a receiver can drop repeats;
//! `webhook-timestamp` is that of the try. Redirects are failures. What the receiver answers is never shown.

use std::borrow::Cow;

use base64::Engine;
use ring::hmac;
use serde::Serialize;

use super::{
    client::{self, ClientError},
    guard::{Guard, Url},
    receiver::{Messenger, Sent, plain_id},
    secret::Secret,
    template::Words,
};
use crate::domain::{priority::Priority, record::Page};

/// Answers that are about one page alone. The others of 4xx may come from whoever stands before the receiver.
const REJECTS: [u16; 2] = [413, 422];

/// Settings of `kind = "webhook"`.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Where to post: `url`, or what `url_file` holds.
    pub url: Url,
    /// Signs the body: `secret_file`; default: no signature.
    pub key: Option<SigningKey>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// The symmetric key of Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

/// Not a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a file with whsec_ and the base64 of 24 to 64 bytes, such as printf 'whsec_%s' \"$(openssl rand -base64 32)\" makes"
)]
pub struct NotAKey;

impl SigningKey {
    /// Reads a key in the standard's form.
    ///
    /// # Errors
    /// [`NotAKey`]
    pub fn from_secret(secret: &Secret) -> Result<Self, NotAKey> {
        let encoded = secret.expose().strip_prefix("whsec_").ok_or(NotAKey)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| NotAKey)?;
        let long_enough = (24..=64).contains(&bytes.len());
        if long_enough { Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))) } else { Err(NotAKey) }
    }

    /// The value of `webhook-signature` for this message.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(context.sign()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// The body; the first eight fields of `data` are a promise, the others are additive.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    key: &'a str,
    state: &'static str,
    severity: &'static str,
    title: Cow<'a, str>,
    host: &'a str,
    component: &'a str,
    since: String,
    url: String,
    number: Option<i64>,
    details: Cow<'a, str>,
    /// Which person is called, unless the receiver is told as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a str>,
    /// Where that person takes it with one button, without signing in.
    #[serde(skip_serializing_if = "Option::is_none")]
    act_url: Option<String>,
    /// Whose address or number is called, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    page: i64,
    site: &'a str,
    hosts: usize,
    /// When somebody must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    /// What is left of the redundancy groups that it touches.
    #[serde(skip_serializing_if = "str::is_empty")]
    redundancy: &'a str,
    acknowledged_by: Option<&'a str>,
    paged: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    impact: &'a [String],
    /// What shows it best; `details` has everything.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    evidence: &'a [String],
    /// The last incident like it, and how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'a str>,
    /// Who is called next if nobody takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Coming<'a>>,
}

#[derive(Serialize)]
struct Last<'a> {
    number: i64,
    since: String,
    resolved: String,
    acknowledged_by: Option<&'a str>,
    ended: String,
}

#[derive(Serialize)]
struct Coming<'a> {
    who: &'a str,
    at: String,
}

impl<'a> Body<'a> {
    /// The page as the receiver gets it; the same at each try.
    pub(super) fn of(page: &'a Page, words: &Words) -> Self {
        Self {
            r#type: page.kind.event_type(),
            timestamp: page.decided.to_string(),
            data: Data {
                key: &page.key,
                state: page.state.word(),
                severity: page.severity.word(),
                title: words.own_title(page).map_or(Cow::Borrowed(&page.title), Cow::Owned),
                host: &page.host,
                component: &page.component,
                since: page.since.to_string(),
                url: words.url(page),
                number: page.incident.map(|incident| incident.0),
                details: words.own_body(page).map_or(Cow::Borrowed(&page.details), Cow::Owned),
                person: page.person.as_deref(),
                act_url: words.act_url(page),
                to: page.to.as_deref(),
                page: page.id.0,
                site: &page.facts.site,
                hosts: page.facts.hosts,
                priority: page.facts.priority.map(Priority::word),
                redundancy: &page.facts.redundancy,
                acknowledged_by: page.facts.acknowledged_by.as_deref(),
                paged: &page.facts.paged,
                impact: &page.facts.impact,
                evidence: &page.facts.evidence,
                last: page.facts.last.as_ref().map(|last| Last {
                    number: last.incident.0,
                    since: last.since.to_string(),
                    resolved: last.resolved.to_string(),
                    acknowledged_by: last.taken_by.as_deref(),
                    ended: last.ended(),
                }),
                runbook: page.facts.runbook.as_deref(),
                next: page.facts.next.as_ref().map(|next| Coming { who: &next.who, at: next.at.to_string() }),
            },
        }
    }
}

/// A webhook that pages are posted to.
#[derive(Debug)]
pub struct Webhook {
    config: WebhookConfig,
    client: reqwest::Client,
    words: Words,
}

impl Webhook {
    /// A webhook ready to be posted to.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: WebhookConfig, words: Words) -> Result<Self, ClientError> {
        let client = client::build(name, std::slice::from_ref(&config.url), config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    fn request(&self, page: &Page, timestamp: i64) -> reqwest::RequestBuilder {
        let (id, body) = (plain_id(&page.message_id), client::json(&Body::of(page, &self.words)));
        let mut request = self
            .client
            .post(self.config.url.clone())
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("webhook-timestamp", timestamp.to_string());
        if let Some(key) = &self.config.key {
            request = request.header("webhook-signature", key.sign(&id, timestamp, &body));
        }
        request.header("webhook-id", id).body(body)
    }
}

impl Messenger for Webhook {
    async fn send(&self, page: &Page) -> Sent {
        let timestamp = crate::clock::wall().ms() / 1_000;
        match client::send(self.request(page, timestamp)).await {
            Ok(answer) => answer.means("", &REJECTS),
            Err(error) => Sent::Retry { error, after: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standards_own_example() {
        let key = SigningKey::from_secret(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_signing_key_has_the_standards_form() {
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64"] {
            assert!(SigningKey::from_secret(&Secret::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_body_has_the_promised_keys_in_a_stable_order() {
        let page = super::super::outbox::tests::page(7, 1042, 1);
        let words = super::super::outbox::tests::words();
        assert_eq!(
            String::from_utf8(client::json(&Body::of(&page, &words))).unwrap(),
            concat!(
                r#"{"type":"incident.opened","timestamp":"2026-11-21T09:14:03.250Z","data":{"key":"liveness/web-1/down","#,
                r#""state":"open","severity":"warning","title":"web-1 is down","host":"web-1","component":"","#,
                r#""since":"2026-11-21T09:14:00.000Z","url":"https://muster.example.org/incidents/1042","number":1042,"#,
                r#""details":"no message since 09:14:00","page":7,"site":"","hosts":0,"acknowledged_by":null,"paged":[]}}"#
            )
        );
    }

    #[test]
    fn answers_are_judged_by_whose_fault_they_are() {
        let judged = |status| client::Answer { status, ..client::Answer::default() }.means("", &REJECTS);
        assert_eq!(judged(204), Sent::Accepted { provider_id: None });
        assert!([408, 425, 429, 500, 503, 504].into_iter().all(|status| matches!(judged(status), Sent::Retry { .. })));
        assert!([302, 400, 401, 403, 404].into_iter().all(|status| matches!(judged(status), Sent::Refused { .. })));
        assert!([413, 422].into_iter().all(|status| matches!(judged(status), Sent::Rejected { .. })));
        assert!(matches!(judged(410), Sent::Gone { .. }));
    }
}

//! PagerDuty: Events API v2 (<https://developer.pagerduty.com/docs/events-api-v2/overview/>).
//!
//! `dedup_key` is the incident's own key, so that acknowledgement and recovery find the alert that the problem opened and
//! a repeated problem joins it. An accepted event is processed later: 202 says that it arrived, not that anybody was called.
//! The routing key stands in the body, which is never logged.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    client::{self, ClientError},
    guard::{Guard, Url},
    pagerduty_answers::Asking,
    receiver::{Messenger, Sent},
    secret::Secret,
    template::Words,
    text,
};
use crate::domain::record::{Page, PageKind};

/// Where events are taken; accounts in Europe have `events.eu.pagerduty.com`.
pub const EVENTS: &str = "https://events.pagerduty.com/v2/enqueue";
/// Characters of an integration key; another length is answered with 400.
pub const KEY_CHARS: usize = 32;
/// Longest `summary`, in characters.
const SUMMARY_CHARS: usize = 1_024;
/// Longest `dedup_key`, in characters.
const DEDUP_CHARS: usize = 255;
/// Largest event, in bytes (512 KB).
const EVENT_BYTES: usize = 512_000;
/// An invalid event stays one.
const REJECTS: [u16; 3] = [400, 413, 422];

/// Settings of `kind = "pagerduty"`.
#[derive(Debug, Clone)]
pub struct PagerdutyConfig {
    /// Where to post: `url`; default [`EVENTS`].
    pub url: Url,
    /// The integration key of a service: `routing_key_file`.
    pub routing_key: Secret,
    /// How it is asked who has an incident: `api_token_file`; default: it is not.
    pub asking: Option<Asking>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// One event. Acknowledging and resolving need the first three fields only.
#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: String,
    #[serde(flatten)]
    alert: Option<Alert>,
}

#[derive(Serialize)]
struct Alert {
    client: &'static str,
    client_url: String,
    links: Vec<Value>,
    payload: Payload,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    class: String,
    custom_details: Value,
}

/// A service of PagerDuty.
#[derive(Debug)]
pub struct Pagerduty {
    config: PagerdutyConfig,
    client: reqwest::Client,
    words: Words,
}

impl Pagerduty {
    /// A service ready to be told.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: PagerdutyConfig, words: Words) -> Result<Self, ClientError> {
        let client = client::build(name, std::slice::from_ref(&config.url), config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    fn event(&self, page: &Page) -> Vec<u8> {
        let event_action = action(page.kind);
        let alert = (event_action == "trigger").then(|| self.alert(page));
        let routing_key = self.config.routing_key.expose();
        let mut event = Event { routing_key, event_action, dedup_key: dedup_key(&page.key), alert };
        let body = client::json(&event);
        if body.len() <= EVENT_BYTES {
            return body;
        }
        if let Some(alert) = &mut event.alert {
            alert.payload.custom_details = json!({ "note": "left out: with them the event is larger than 512 KB" });
        }
        client::json(&event)
    }

    fn alert(&self, page: &Page) -> Alert {
        let facts = text::facts(page).into_iter().map(|(name, value)| (name.to_lowercase(), Value::String(value)));
        let mut details: serde_json::Map<String, Value> = facts.collect();
        details.insert("evidence".into(), page.details.lines().collect());
        if let Some(body) = self.words.own_body(page) {
            details.insert("text".into(), Value::String(body));
        }
        let summary = self.words.own_title(page).unwrap_or_else(|| text::clean(&page.title, SUMMARY_CHARS));
        let url = self.words.url(page);
        let links = [(Some(&url), "The incident in Muster"), (page.facts.runbook.as_ref(), "Runbook")].into_iter();
        let links = links.filter_map(|(href, text)| href.map(|href| json!({ "href": href, "text": text }))).collect();
        Alert {
            client: "Muster",
            client_url: url.clone(),
            links,
            payload: Payload {
                summary: text::shortened(&summary, SUMMARY_CHARS),
                source: source(page),
                severity: page.severity.word(),
                timestamp: page.since.to_string(),
                component: text::clean(&page.component, 256),
                group: text::clean(&page.facts.site, 256),
                class: page.key.split('/').next().unwrap_or_default().to_owned(),
                custom_details: Value::Object(details),
            },
        }
    }
}

impl Messenger for Pagerduty {
    async fn send(&self, page: &Page) -> Sent {
        let request = self.client.post(self.config.url.clone());
        let request = request.header(http::header::CONTENT_TYPE, "application/json").body(self.event(page));
        let answer = match client::send(request).await {
            Ok(answer) => answer,
            Err(error) => return Sent::Retry { error, after: None },
        };
        match answer.means(&said(&answer.json(), self.config.routing_key.expose()), &REJECTS) {
            Sent::Accepted { .. } => {
                let key = answer.json()["dedup_key"].as_str().map(|key| text::clean(key, DEDUP_CHARS));
                Sent::Accepted { provider_id: key }
            }
            other => other,
        }
    }
}

/// What the event does; one that grew joins the alert that is open under its key.
fn action(kind: PageKind) -> &'static str {
    match kind {
        PageKind::Opened | PageKind::Updated | PageKind::Test | PageKind::Notice => "trigger",
        PageKind::Acknowledged => "acknowledge",
        PageKind::Resolved => "resolve",
    }
}

/// The incident's key, or where that is too long its beginning and its hash.
pub(super) fn dedup_key(key: &str) -> String {
    if key.len() <= DEDUP_CHARS {
        return key.to_owned();
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{hash}", text::shortened_to_bytes(key, DEDUP_CHARS - hash.len()))
}

/// Which machine it is about.
fn source(page: &Page) -> String {
    let host = text::clean(&page.host, 256);
    if host.is_empty() { "muster".into() } else { host }
}

/// What is wrong with an event in PagerDuty's words.
fn said(answer: &Value, secret: &str) -> String {
    let words: Vec<&str> = answer["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let words =
        if words.is_empty() { answer["message"].as_str().unwrap_or_default().to_owned() } else { words.join(", ") };
    text::clean(&words.replace(secret, "..."), 200)
}

#[cfg(test)]
#[path = "pagerduty_tests.rs"]
mod tests;

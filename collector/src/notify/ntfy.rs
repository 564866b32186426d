//! ntfy (<https://docs.ntfy.sh/publish/#publish-as-json>): push messages to telephones, from ntfy.sh or a server of one's own.
//!
//! Messages are published as JSON to the server's root, because headers would carry nothing but ASCII. ntfy drops no
//! repeats: a message that was taken and whose answer was lost comes twice.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    client::{self, ClientError},
    guard::{Guard, Url},
    ntfy_replies::topic_url,
    receiver::{Messenger, Sent},
    secret::Secret,
    template::Words,
    text,
};
use crate::domain::{
    priority::Priority,
    record::{Page, PageKind},
    severity::Severity,
};

/// Longest message, in bytes; ntfy makes an attachment of a longer one.
const MESSAGE_BYTES: usize = 4_096;
/// What can never be published.
const REJECTS: [u16; 3] = [400, 413, 422];

/// Settings of `kind = "ntfy"`.
#[derive(Debug, Clone)]
pub struct NtfyConfig {
    /// The server's root: `url` without its last part.
    pub server: Url,
    /// The topic, which on a server that is open to all is a secret: the last part of `url`.
    pub topic: Secret,
    /// An access token: `token_file`; default: none.
    pub token: Option<Secret>,
    /// Where buttons of messages answer to; default: a button opens the page's link.
    pub replies: Option<Replies>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// Where buttons answer to.
#[derive(Debug, Clone)]
pub struct Replies {
    /// A topic on the same server: `reply_topic`.
    pub topic: String,
    /// An access token with which telephones write to it: `reply_token_file`; it stands in each message. Default: none.
    pub token: Option<Secret>,
}

impl NtfyConfig {
    /// Server and topic of a topic's URL, such as `https://ntfy.example.org/on-call`.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parts(url: &Url) -> Result<(Url, Secret), String> {
        let (root, topic) = url.path().rsplit_once('/').unwrap_or_default();
        if !is_topic(topic) || url.query().is_some() || url.fragment().is_some() {
            return Err("the URL of a topic, such as https://ntfy.example.org/on-call".into());
        }
        let mut server = url.clone();
        server.set_path(&format!("{root}/"));
        Ok((server, Secret::new(topic)))
    }
}

/// Whether `text` is a topic by ntfy's own rule.
#[must_use]
pub fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[derive(Serialize)]
struct Message<'a> {
    topic: &'a str,
    title: String,
    message: String,
    priority: u8,
    tags: [&'static str; 2],
    click: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Button>,
}

/// A button (<https://docs.ntfy.sh/publish/#action-buttons>).
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Button {
    /// Opens an address.
    View { label: &'static str, url: String },
    /// Asks an address, and takes the message away when that was answered.
    Http {
        label: &'static str,
        url: String,
        method: &'static str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<&'static str, String>,
        body: String,
        clear: bool,
    },
}

/// A topic.
#[derive(Debug)]
pub struct Ntfy {
    config: NtfyConfig,
    client: reqwest::Client,
    words: Words,
}

impl Ntfy {
    /// A topic ready to be published to.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: NtfyConfig, words: Words) -> Result<Self, ClientError> {
        let client = client::build(name, std::slice::from_ref(&config.server), config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    fn message<'a>(&'a self, page: &'a Page) -> Message<'a> {
        Message {
            // A person's own topic takes the place of that in the configuration.
            topic: page.to.as_deref().unwrap_or_else(|| self.config.topic.expose()),
            title: self.words.title(page),
            message: text::shortened_to_bytes(&self.words.body(page), MESSAGE_BYTES),
            priority: priority(page),
            tags: [text::symbol(page), page.severity.word()],
            click: self.words.url(page),
            actions: self.take(page).into_iter().chain(runbook(page)).collect(),
        }
    }

    /// The button by which the page's person takes it.
    fn take(&self, page: &Page) -> Option<Button> {
        const LABEL: &str = "I have it";
        let Some(replies) = &self.config.replies else {
            return self.words.act_url(page).map(|url| Button::View { label: LABEL, url });
        };
        let token = |token: &Secret| ("Authorization", format!("Bearer {}", token.expose()));
        Some(Button::Http {
            label: LABEL,
            url: topic_url(&self.config.server, &replies.topic).to_string(),
            method: "POST",
            headers: replies.token.iter().map(token).collect(),
            body: page.act.as_deref()?.rsplit('/').next()?.to_owned(),
            clear: true,
        })
    }
}

fn runbook(page: &Page) -> Option<Button> {
    page.facts.runbook.clone().map(|url| Button::View { label: "Runbook", url })
}

impl Messenger for Ntfy {
    async fn send(&self, page: &Page) -> Sent {
        let mut request = self.client.post(self.config.server.clone());
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.expose());
        }
        let body = client::json(&self.message(page));
        let answer = match client::send(request.header(http::header::CONTENT_TYPE, "application/json").body(body)).await
        {
            Ok(answer) => answer,
            Err(error) => return Sent::Retry { error, after: None },
        };
        let json = answer.json();
        let said = json["code"].as_u64().map_or_else(String::new, |code| format!("ntfy's code {code}"));
        match answer.means(&said, &REJECTS) {
            Sent::Accepted { .. } => Sent::Accepted { provider_id: json["id"].as_str().map(|id| text::clean(id, 64)) },
            other => other,
        }
    }
}

/// 5 wakes through "do not disturb", 4 makes noise, 3 is a message like others, 2 makes none. One recorded before incidents
/// had a priority goes by its severity.
fn priority(page: &Page) -> u8 {
    if let (PageKind::Opened | PageKind::Updated, Some(priority)) = (page.kind, page.facts.priority) {
        return match priority {
            Priority::P1 | Priority::P2 => 5,
            Priority::P3 | Priority::P4 => 4,
            Priority::P5 => 3,
        };
    }
    match (page.kind, page.severity) {
        (PageKind::Opened | PageKind::Updated, Severity::Critical) => 5,
        (PageKind::Opened | PageKind::Updated, Severity::Warning) => 4,
        (PageKind::Notice, _) => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        domain::page::PageFacts,
        notify::{
            outbox::tests::words,
            sink::{Do, Sink, check_trouble_is_tried_again, life, word},
        },
    };

    const TAKEN: Do = Do::Answer(200, r#"{"id":"sPs71M8A2T","time":1643935928,"event":"message","topic":"on-call"}"#);

    fn topic(sink: &Sink) -> Ntfy {
        let (server, topic) = NtfyConfig::parts(&sink.url("/on-call")).unwrap();
        let token = Some(Secret::new("tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"));
        let config = NtfyConfig { server, topic, token, replies: None, ca: None, guard: Guard::default() };
        Ntfy::new("phone", config, words()).unwrap()
    }

    #[tokio::test]
    async fn buttons_take_it_by_the_reply_topic_and_open_the_runbook() {
        let sink = Sink::start(&[], TAKEN).await;
        let (server, topic) = NtfyConfig::parts(&sink.url("/push/on-call")).unwrap();
        let replies = |token: Option<&str>| Some(Replies { topic: "replies".into(), token: token.map(Secret::new) });
        let config = NtfyConfig { server, topic, token: None, replies: None, ca: None, guard: Guard::default() };
        let [page, ..] = life();
        let facts = PageFacts { runbook: Some("https://wiki.example.org/down".into()), ..page.facts.clone() };
        let page = Page { act: Some("/act/Zm9v.YmFy".into()), facts, ..page };
        for replies in [None, replies(None), replies(Some("tk_write"))] {
            let phone = Ntfy::new("phone", NtfyConfig { replies, ..config.clone() }, words()).unwrap();
            assert_eq!(word(&phone.send(&page).await), "accepted");
            // Without a link of its own there is nothing to take.
            assert_eq!(word(&phone.send(&Page { act: None, ..page.clone() }).await), "accepted");
        }
        let runbook = json!({ "action": "view", "label": "Runbook", "url": "https://wiki.example.org/down" });
        let http = json!({
            "action": "http", "label": "I have it", "url": sink.url("/push/replies").to_string(), "method": "POST",
            "body": "Zm9v.YmFy", "clear": true,
        });
        let mut with_token = http.clone();
        with_token["headers"] = json!({ "Authorization": "Bearer tk_write" });
        let link = "https://muster.example.org/act/Zm9v.YmFy";
        let view = json!({ "action": "view", "label": "I have it", "url": link });
        let said: Vec<Value> = sink.heard().iter().map(|request| request.json()["actions"].clone()).collect();
        let none = json!([runbook]);
        let expected = [view, http, with_token].map(|take| [json!([take, runbook]), none.clone()]);
        assert_eq!(said, expected.concat());
    }

    #[tokio::test]
    async fn an_incidents_life_is_published_with_priority_tags_and_link() {
        let sink = Sink::start(&[], TAKEN).await;
        let topic = topic(&sink);
        let critical = |page: Page| Page { severity: Severity::Critical, ..page };
        for page in life().map(critical) {
            assert_eq!(topic.send(&page).await, Sent::Accepted { provider_id: Some("sPs71M8A2T".into()) });
        }
        let heard = sink.heard();
        for request in &heard {
            assert_eq!(request.line, "POST /");
            assert_eq!(request.header("authorization"), "Bearer tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2");
            let message = request.json();
            let mut keys: Vec<&String> = message.as_object().unwrap().keys().collect();
            keys.sort();
            assert_eq!(keys, ["click", "message", "priority", "tags", "title", "topic"]);
            assert_eq!(message["topic"], "on-call");
            assert_eq!(message["click"], "https://muster.example.org/incidents/1042");
        }
        let said: Vec<(String, u64, String)> = heard
            .iter()
            .map(|request| request.json())
            .map(|m| {
                (
                    m["title"].as_str().unwrap().into(),
                    m["priority"].as_u64().unwrap(),
                    m["tags"][0].as_str().unwrap().into(),
                )
            })
            .collect();
        let expected = [
            ("[critical] web-1 is down", 5, "rotating_light"),
            ("[critical, update] web-1 is down", 5, "rotating_light"),
            ("[acknowledged] web-1 is down", 3, "eyes"),
            ("[resolved] web-1 is down", 3, "white_check_mark"),
            ("[test] web-1 is down", 3, "wrench"),
        ];
        assert_eq!(said, expected.map(|(title, priority, tag)| (title.to_owned(), priority, tag.to_owned())));
    }

    #[test]
    fn the_incidents_priority_is_that_of_the_message_and_an_end_is_a_message_like_others() {
        let [opened, _, _, resolved, _] = life();
        let said = |page: &Page, of| {
            let facts = crate::domain::record::PageFacts { priority: Some(of), ..page.facts.clone() };
            priority(&Page { facts, ..page.clone() })
        };
        assert_eq!(Priority::ALL.map(|of| said(&opened, of)), [5, 5, 4, 4, 3]);
        assert_eq!(said(&resolved, Priority::P1), 3);
    }

    #[tokio::test]
    async fn a_persons_own_topic_takes_the_place_of_that_in_the_configuration() {
        let sink = Sink::start(&[], TAKEN).await;
        let [page, ..] = life();
        assert_eq!(word(&topic(&sink).send(&Page { to: Some("ana".into()), ..page }).await), "accepted");
        assert_eq!(sink.heard()[0].json()["topic"], "ana");
    }

    #[tokio::test]
    async fn a_message_stays_a_message_and_never_becomes_an_attachment() {
        let sink = Sink::start(&[], TAKEN).await;
        let [page, ..] = life();
        let details: Vec<String> = (0..30).map(|n| format!("{n} {}", "ü".repeat(900))).collect();
        topic(&sink).send(&Page { details: details.join("\n"), ..page }).await;
        let message = sink.heard()[0].json()["message"].as_str().unwrap().to_owned();
        assert!(message.len() <= 4_096 && message.len() > 4_000 && message.ends_with("..."), "{}", message.len());
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let script = [
            Do::Answer(400, r#"{"code":40009,"http":400,"error":"invalid request: topic invalid"}"#),
            Do::Answer(401, r#"{"code":40101,"http":401,"error":"unauthorized"}"#),
            Do::Answer(403, ""),
            Do::Answer(413, r#"{"code":41303,"http":413}"#),
            Do::Answer(429, r#"{"code":42908,"http":429,"error":"daily message quota reached"}"#),
            Do::Answer(507, r#"{"code":50701,"http":507}"#),
            Do::Answer(410, ""),
        ];
        let sink = Sink::start(&script, TAKEN).await;
        let (topic, [page, ..]) = (topic(&sink), life());
        let first = topic.send(&page).await;
        let expected = "it answered 400 (ntfy's code 40009): it rejects this page for good";
        assert_eq!(first, Sent::Rejected { error: expected.into() });
        for expected in ["refused", "refused", "rejected", "retry", "retry", "gone", "accepted"] {
            assert_eq!(word(&topic.send(&page).await), expected);
        }
    }

    #[tokio::test]
    async fn overload_and_broken_ways_are_tried_again() {
        check_trouble_is_tried_again(topic).await;
    }

    #[test]
    fn a_topics_url_is_server_and_topic() {
        let parts = |url: &str| NtfyConfig::parts(&Guard::default().url(url).unwrap());
        let (server, topic) = parts("https://ntfy.example.org/push/on-call").unwrap();
        assert_eq!((server.as_str(), topic.expose()), ("https://ntfy.example.org/push/", "on-call"));
        for wrong in ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a%20b", "https://ntfy.sh/a?x=1"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }
}

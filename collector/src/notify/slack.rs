//! Slack: an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>), or a channel
//! through a bot's token (<https://docs.slack.dev/reference/methods/chat.postMessage>).
//!
//! The text of hosts is escaped, so that nobody is mentioned and no link is made by it. Slack drops no repeats.

use serde_json::{Value, json};

use super::{
    client::{self, Answer, ClientError},
    guard::{Guard, SecretUrl, Url},
    receiver::{Messenger, Sent},
    secret::Secret,
    template::Words,
    text,
};
use crate::domain::record::Page;

/// Where a bot posts.
pub const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";
/// Longest text of a section, in characters.
const SECTION_CHARS: usize = 3_000;
/// What is wrong with the message itself.
const REJECTS: [u16; 3] = [400, 413, 422];

/// Settings of `kind = "slack"`.
#[derive(Debug, Clone)]
pub struct SlackConfig {
    /// Which way.
    pub way: Way,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// The two ways into a channel.
#[derive(Debug, Clone)]
pub enum Way {
    /// `url_file`: a URL that is the credential.
    Webhook(SecretUrl),
    /// `token_file` and `channel`: a bot's token and the channel's id.
    Bot {
        /// Where to post: `url`; default [`POST_MESSAGE`].
        url: Url,
        /// `xoxb-...`
        token: Secret,
        /// `C012AB3CD`, or `#name`.
        channel: String,
    },
}

impl SlackConfig {
    /// Where it posts to.
    #[must_use]
    pub const fn url(&self) -> &Url {
        match &self.way {
            Way::Webhook(url) => url.expose(),
            Way::Bot { url, .. } => url,
        }
    }
}

/// Whether `text` may be a channel's or member's id, or a channel's `#name`.
#[must_use]
pub fn is_channel(text: &str) -> bool {
    (2..=80).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// A channel.
#[derive(Debug)]
pub struct Slack {
    config: SlackConfig,
    client: reqwest::Client,
    words: Words,
}

impl Slack {
    /// A channel ready to be posted to.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: SlackConfig, words: Words) -> Result<Self, ClientError> {
        let client = client::build(name, std::slice::from_ref(config.url()), config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    /// The message: blocks, and as `text` what notifications show.
    fn message(&self, page: &Page) -> Value {
        let (title, url) = (self.words.title(page), self.words.url(page));
        let section = |text: &str| {
            let text = whole_entities(&text::shortened(text, SECTION_CHARS));
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
        };
        let mut message = json!({
            "text": format!(":{}: {title}", text::symbol(page)),
            "blocks": [
                section(&format!(":{}: *<{url}|{title}>*", text::symbol(page))),
                section(&self.words.body(page)),
            ],
            "unfurl_links": false,
        });
        if let Way::Bot { channel, .. } = &self.config.way {
            // A person's own channel takes the place of that in the configuration.
            message["channel"] = Value::String(page.to.clone().unwrap_or_else(|| channel.clone()));
        }
        message
    }
}

impl Messenger for Slack {
    async fn send(&self, page: &Page) -> Sent {
        let mut request = self.client.post(self.config.url().clone());
        if let Way::Bot { token, .. } = &self.config.way {
            request = request.bearer_auth(token.expose());
        }
        let request = request
            .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(client::json(&self.message(page)));
        match (client::send(request).await, &self.config.way) {
            (Err(error), _) => Sent::Retry { error, after: None },
            (Ok(answer), Way::Webhook(_)) => answer.means(&code(&String::from_utf8_lossy(&answer.body)), &REJECTS),
            (Ok(answer), Way::Bot { .. }) => judge(&answer),
        }
    }
}

/// The Web API says in the body what became of a message, with status 200.
fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let code = code(json["error"].as_str().unwrap_or_default());
    if answer.status != 200 {
        return answer.means(&code, &REJECTS);
    }
    if json["ok"] == true {
        return Sent::Accepted { provider_id: json["ts"].as_str().map(|ts| text::clean(ts, 32)) };
    }
    let error = format!("it answered {code:?}");
    match code.as_str() {
        "is_archived" => Sent::Gone { error: format!("{error}: the channel takes no more messages") },
        "invalid_blocks" | "invalid_blocks_format" | "msg_too_long" | "msg_blocks_too_long" | "no_text" => {
            Sent::Rejected { error: format!("{error}: it rejects this page for good") }
        }
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "" => Sent::Retry { error, after: answer.retry_after },
        _ => Sent::Refused { error },
    }
}

/// One of Slack's error codes, such as `channel_not_found`; anything else is not shown.
fn code(said: &str) -> String {
    let said = said.trim();
    let is_code = said.len() <= 64 && said.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { said.to_owned() } else { String::new() }
}

/// Without half an entity at its end, which a cut may leave.
fn whole_entities(text: &str) -> String {
    let Some(cut) = text.strip_suffix("...") else { return text.to_owned() };
    match cut.rfind('&') {
        Some(at) if !cut[at..].contains(';') => format!("{}...", &cut[..at]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;

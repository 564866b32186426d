//! Microsoft Teams: a workflow that posts what it is sent ("When a Teams webhook request is received").
//!
//! The card is an Adaptive Card 1.2 (<https://adaptivecards.io/explorer/>). Authorisation is the signature in the URL. The
//! workflow runs later: an accepted card may still never be posted, when its owner has left for example, which is why a
//! test page should be sent now and then.

use serde_json::{Value, json};

use super::{
    client::{self, ClientError},
    guard::{Guard, SecretUrl, Url},
    receiver::{Messenger, Sent},
    template::Words,
    text,
};
use crate::domain::{
    record::{Page, PageKind},
    severity::Severity,
};

/// Largest message, in bytes: Teams refuses what is larger than some 28 KB.
const MESSAGE_BYTES: usize = 27_000;
/// What is wrong with the card itself.
const REJECTS: [u16; 3] = [400, 413, 422];

/// Settings of `kind = "teams"`.
#[derive(Debug, Clone)]
pub struct TeamsConfig {
    /// The workflow's URL, which is the credential: `url_file`.
    pub url: SecretUrl,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

impl TeamsConfig {
    /// Takes a workflow's URL, but none of the connectors that Microsoft has ended.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn workflow(url: Url) -> Result<SecretUrl, String> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if host == "outlook.office.com" || host.ends_with(".webhook.office.com") {
            return Err(
                "the URL of a workflow; Microsoft ended the Office 365 connectors in May 2026: in the channel \
                        choose Workflows, \"Send webhook alerts to a channel\""
                    .into(),
            );
        }
        Ok(SecretUrl::new(url))
    }
}

/// A workflow.
#[derive(Debug)]
pub struct Teams {
    config: TeamsConfig,
    client: reqwest::Client,
    words: Words,
}

impl Teams {
    /// A workflow ready to be sent cards.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: TeamsConfig, words: Words) -> Result<Self, ClientError> {
        let urls = std::slice::from_ref(config.url.expose());
        let client = client::build(name, urls, config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    /// The message; where it is too large the text gives way.
    fn message(&self, page: &Page) -> Vec<u8> {
        // A single line break is none in Markdown.
        let text = self.words.body(page).replace('\n', "\n\n");
        let mut room = MESSAGE_BYTES;
        loop {
            let message = client::json(&self.card(page, &text::shortened_to_bytes(&text, room)));
            if message.len() <= MESSAGE_BYTES || room == 0 {
                return message;
            }
            room /= 2;
        }
    }

    fn card(&self, page: &Page, text: &str) -> Value {
        let color = color(page);
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "msteams": { "width": "full" },
                    "body": [
                        {
                            "type": "TextBlock",
                            "text": self.words.title(page),
                            "weight": "Bolder",
                            "size": "Medium",
                            "wrap": true,
                            "style": "heading",
                            "color": color,
                        },
                        { "type": "TextBlock", "text": text, "wrap": true },
                    ],
                    "actions": [
                        { "type": "Action.OpenUrl", "title": "Open in Muster", "url": self.words.url(page) },
                    ],
                },
            }],
        })
    }
}

impl Messenger for Teams {
    async fn send(&self, page: &Page) -> Sent {
        let request = self.client.post(self.config.url.expose().clone());
        let request = request.header(http::header::CONTENT_TYPE, "application/json").body(self.message(page));
        match client::send(request).await {
            Ok(answer) => answer.means("", &REJECTS),
            Err(error) => Sent::Retry { error, after: None },
        }
    }
}

/// The title says it too: no state by colour alone.
fn color(page: &Page) -> &'static str {
    match (page.kind, page.severity) {
        (PageKind::Resolved, _) => "Good",
        (PageKind::Acknowledged | PageKind::Test, _) | (_, Severity::Info) => "Default",
        (_, Severity::Critical) => "Attention",
        (_, Severity::Warning) => "Warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{
        receiver::{ReceiverConfig, ReceiverKind},
        sink::{Do, Sink, check_trouble_is_tried_again, life, word},
        template::Templates,
    };

    fn workflow(sink: &Sink) -> Teams {
        let url = TeamsConfig::workflow(sink.url("/workflows/1/triggers/manual/paths/invoke?sig=hunter2")).unwrap();
        let config = TeamsConfig { url, ca: None, guard: Guard::default() };
        let receiver = ReceiverConfig {
            name: "teams".into(),
            severity: Severity::Warning,
            templates: Templates::default(),
            kind: ReceiverKind::Teams(config.clone()),
        };
        Teams::new("teams", config, Words::new(&receiver, "https://muster.example.org")).unwrap()
    }

    #[tokio::test]
    async fn an_incidents_life_is_adaptive_cards_with_a_link() {
        let sink = Sink::start(&[], Do::Answer(202, "")).await;
        let workflow = workflow(&sink);
        for page in life() {
            assert_eq!(word(&workflow.send(&page).await), "accepted");
        }
        let heard = sink.heard();
        assert!(heard.iter().all(|r| r.line == "POST /workflows/1/triggers/manual/paths/invoke?sig=hunter2"));
        let text = "web-1 is down\n\n\n\nSeverity   warning\n\nState      open\n\nHost       web-1\n\n\
                    Since      2026-11-21 09:14:00 UTC\n\nSite       berlin\n\nPaged      hook, mail\n\n\
                    Incident   #1042\n\n\n\nno message since 09:14:00\n\n\n\nhttps://muster.example.org/incidents/1042";
        let expected = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "msteams": { "width": "full" },
                    "body": [
                        { "type": "TextBlock", "text": "[warning] web-1 is down", "weight": "Bolder",
                          "size": "Medium", "wrap": true, "style": "heading", "color": "Warning" },
                        { "type": "TextBlock", "text": text, "wrap": true },
                    ],
                    "actions": [{ "type": "Action.OpenUrl", "title": "Open in Muster",
                                  "url": "https://muster.example.org/incidents/1042" }],
                },
            }],
        });
        assert_eq!(heard[0].json(), expected);
        let card = |n: usize| heard[n].json()["attachments"][0]["content"]["body"][0].clone();
        assert_eq!((&card(3)["text"], &card(3)["color"]), (&json!("[resolved] web-1 is down"), &json!("Good")));
        assert!(!format!("{workflow:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_card_is_never_larger_than_teams_takes_and_hosts_make_no_links() {
        let sink = Sink::start(&[], Do::Answer(202, "")).await;
        let [page, ..] = life();
        let details: Vec<String> = (0..30).map(|n| format!("{n} {}", "\u{1F525}[x](http://evil)".repeat(60))).collect();
        workflow(&sink).send(&Page { details: details.join("\n"), ..page }).await;
        let body = sink.heard()[0].body.clone();
        assert!(body.len() <= 28_000 && body.len() > 5_000, "{}", body.len());
        assert!(body.contains(r"[x]\\(http://evil)") && !body.contains("[x]("), "{body}");
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let script = [400, 401, 404, 413, 302, 410, 200].map(|status| Do::Answer(status, "hunter2"));
        let sink = Sink::start(&script, Do::Answer(202, "")).await;
        let (workflow, [page, ..]) = (workflow(&sink), life());
        for expected in ["rejected", "refused", "refused", "rejected", "refused", "gone", "accepted", "accepted"] {
            let sent = workflow.send(&page).await;
            assert_eq!(word(&sent), expected);
            assert!(!format!("{sent:?}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn overload_and_broken_ways_are_tried_again() {
        check_trouble_is_tried_again(workflow).await;
    }

    #[test]
    fn the_connectors_that_microsoft_has_ended_are_refused() {
        let url = Guard::default().url("https://example.webhook.office.com/webhookb2/x").unwrap();
        assert!(TeamsConfig::workflow(url).unwrap_err().contains("Workflows"));
    }
}

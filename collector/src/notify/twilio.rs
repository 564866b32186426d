//! Twilio: text messages (<https://www.twilio.com/docs/messaging/api/message-resource>) and calls
//! (<https://www.twilio.com/docs/voice/api/call-resource>).
//!
//! A text message has 160 characters of the 7-bit alphabet, so that it is one message and not three. A call reads the
//! page out twice; that somebody has the incident and that it is over is told by text message, for nobody is to be
//! called to hear that all is well. Each recipient is told by a request of their own, and who has taken a page is not
//! told again. Twilio has no key that makes a repeated request the same: where an answer was lost on its way the day's
//! messages are asked first whether this one is among them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{
    client::{self, Answer, ClientError},
    guard::{Guard, Url},
    receiver::{Messenger, Sent},
    secret::Secret,
    template::Words,
    text,
    told::Told,
};
use crate::domain::record::{Page, PageKind};

/// Where Twilio is asked.
pub const API: &str = "https://api.twilio.com";
/// A text message that could not be sent for this long is given up, in seconds: a page that late tells nothing new.
const VALIDITY: &str = "3600";
/// Requests whose answer was lost, remembered at most; of the others a repeat may be sent.
const UNSURE_KEPT: usize = 1_000;
/// A request about one recipient that stays wrong.
const REJECTS: [u16; 3] = [400, 413, 422];

/// Settings of `kind = "twilio"`.
#[derive(Debug, Clone)]
pub struct TwilioConfig {
    /// Where Twilio is asked: `url`; default [`API`].
    pub url: Url,
    /// `AC` and 32 hexadecimal digits.
    pub account: String,
    /// The account's auth token: `token_file`.
    pub token: Secret,
    /// `sms` (default) or `call`.
    pub way: Way,
    /// A number as `+4930123456`; for `sms` also the id of a messaging service (`MG...`).
    pub from: String,
    /// Numbers, each told by itself; at least one.
    pub to: Vec<String>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// How recipients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A text message.
    Sms,
    /// A call.
    Call,
}

/// Whether `text` is a number in E.164, such as `+4930123456`.
#[must_use]
pub fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// Whether `text` is one of Twilio's ids with this prefix, such as `AC...`.
#[must_use]
pub fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// An account of Twilio.
#[derive(Debug)]
pub struct Twilio {
    config: TwilioConfig,
    client: reqwest::Client,
    words: Words,
    told: Told,
    /// Requests whose answer was lost: page and recipient.
    unsure: Mutex<BTreeSet<(i64, usize)>>,
}

impl Twilio {
    /// An account ready to be used.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: TwilioConfig, words: Words) -> Result<Self, ClientError> {
        let client = client::build(name, std::slice::from_ref(&config.url), config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words, told: Told::default(), unsure: Mutex::default() })
    }

    /// The address of the account's messages or calls.
    fn resource(&self, name: &str) -> Url {
        let mut url = self.config.url.clone();
        let root = self.config.url.path().trim_end_matches('/');
        url.set_path(&format!("{root}/2010-04-01/Accounts/{}/{name}.json", self.config.account));
        url
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Answer, String> {
        client::send(request.basic_auth(&self.config.account, Some(self.config.token.expose()))).await
    }

    async fn tell(&self, page: &Page, to: &str) -> Result<Answer, String> {
        let from = self.config.from.as_str();
        let mut form = vec![("To", to.to_owned())];
        let resource = if calls(self.config.way, page.kind) {
            form.extend([("From", from.to_owned()), ("Twiml", spoken(&self.words.short(page)))]);
            "Calls"
        } else {
            let sender = if is_sid(from, "MG") { "MessagingServiceSid" } else { "From" };
            form.extend([(sender, from.to_owned()), ("Body", self.text(page)), ("ValidityPeriod", VALIDITY.into())]);
            "Messages"
        };
        // The standard's form is that of a query.
        let mut encoded = self.config.url.clone();
        encoded.query_pairs_mut().clear().extend_pairs(form);
        let request = self.client.post(self.resource(resource));
        let request = request.header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(encoded.query().unwrap_or_default().to_owned())).await
    }

    fn text(&self, page: &Page) -> String {
        gsm(&self.words.short(page), text::SHORT_CHARS)
    }

    /// The id of this message if Twilio has it, though its answer did not reach us.
    async fn found(&self, page: &Page, to: &str) -> Option<String> {
        let day = page.decided.to_string();
        let mut url = self.resource("Messages");
        url.query_pairs_mut().extend_pairs([("To", to), ("DateSent>", day.split('T').next()?), ("PageSize", "50")]);
        let answer = self.ask(self.client.get(url)).await.ok()?;
        let (json, body) = (answer.json(), self.text(page));
        let same = |message: &&Value| message["body"] == body.as_str() && message["direction"] != "inbound";
        json["messages"].as_array()?.iter().find(same).map(|message| sid(message).unwrap_or_default())
    }

    fn unsure(&self) -> MutexGuard<'_, BTreeSet<(i64, usize)>> {
        let mut unsure = self.unsure.lock().unwrap_or_else(PoisonError::into_inner);
        while unsure.len() > UNSURE_KEPT {
            unsure.pop_first();
        }
        unsure
    }
}

impl Messenger for Twilio {
    async fn send(&self, page: &Page) -> Sent {
        // A person's own number takes the place of those in the configuration.
        let recipients = page.to.as_ref().map_or(self.config.to.as_slice(), std::slice::from_ref);
        let mut round = self.told.begin(page.id);
        let mut answered = false;
        for (at, to) in recipients.iter().enumerate() {
            let doubt = (page.id.0, at);
            if !round.owes(at) {
                continue;
            }
            if self.unsure().remove(&doubt)
                && !calls(self.config.way, page.kind)
                && let Some(id) = self.found(page, to).await
            {
                round.taken(at, Some(id));
                continue;
            }
            match self.tell(page, to).await {
                Ok(answer) => match answer.means(&said(&answer), &REJECTS) {
                    Sent::Accepted { .. } => round.taken(at, sid(&answer.json())),
                    Sent::Rejected { error } => round.never(format!("{to}: {error}")),
                    Sent::Retry { error, after } => round.later(error, after),
                    Sent::Refused { error } | Sent::Gone { error } => {
                        answered = true;
                        round.later(error, None);
                    }
                },
                Err(error) => {
                    self.unsure().insert(doubt);
                    round.later(error, None);
                    break; // The others would only wait as long.
                }
            }
        }
        match self.told.end(round, recipients.len()) {
            // Only what is wrong with each recipient for good leads here.
            Sent::Refused { error } => Sent::Rejected { error },
            // Twilio answered: it is not down, but does not take us.
            Sent::Retry { error, after: None } if answered => Sent::Refused { error },
            sent => sent,
        }
    }
}

/// Whether this page is a call.
fn calls(way: Way, kind: PageKind) -> bool {
    way == Way::Call && !matches!(kind, PageKind::Acknowledged | PageKind::Resolved)
}

/// Twilio's code of what is wrong, such as 21211 (<https://www.twilio.com/docs/api/errors>).
fn said(answer: &Answer) -> String {
    answer.json()["code"].as_u64().map_or_else(String::new, |code| format!("Twilio's error {code}"))
}

/// The id of a message or call.
fn sid(resource: &Value) -> Option<String> {
    resource["sid"].as_str().map(|sid| text::clean(sid, 34))
}

/// What a call says, twice, as TwiML (at most 4 000 characters, of which 160 leave enough).
fn spoken(words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<Response><Say loop=\"2\">{words}.</Say></Response>")
}

/// `text` in the 7-bit alphabet of text messages (3GPP TS 23.038), in at most `most` of its characters. One character
/// outside it would turn all of the message into UCS-2, with 70 characters.
fn gsm(text: &str, most: usize) -> String {
    const BASIC: &str = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    // These take the place of two.
    const EXTENDED: &str = "^{}\\[~]|€";
    let (mut made, mut used) = (String::new(), 0);
    for c in text.chars() {
        let c = match c {
            '–' | '—' => '-',
            '‘' | '’' => '\'',
            '“' | '”' => '"',
            _ if BASIC.contains(c) || EXTENDED.contains(c) => c,
            _ => '?',
        };
        used += if EXTENDED.contains(c) { 2 } else { 1 };
        if used > most {
            break;
        }
        made.push(c);
    }
    made
}

#[cfg(test)]
#[path = "twilio_tests.rs"]
mod tests;

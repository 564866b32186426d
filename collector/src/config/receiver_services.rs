//! `[[receiver]]` of the kinds that are services of others or a program on this machine.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use super::{
    checks::duration_ms,
    receivers::{ENTRIES, ca, guard, secret_url, url},
    section::Section,
};
use crate::notify::{
    alertmanager_webhook::AlertmanagerWebhookConfig,
    guard::{Guard, SecretUrl, Url},
    ntfy::{NtfyConfig, Replies, is_topic},
    pagerduty::{self, PagerdutyConfig},
    pagerduty_answers::{self, Asking},
    receiver::ReceiverKind,
    script::{self, ScriptConfig},
    secret::Secret,
    slack::{self, SlackConfig},
    teams::TeamsConfig,
    twilio::{self, TwilioConfig},
};

pub(super) fn pagerduty(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const KEY: &str = "an integration key of 32 letters and digits, from the service's integration \"Events API V2\"";
    let guard = guard(section);
    let url = service(section, &guard, pagerduty::EVENTS);
    let key = section.required_secret("routing_key_file", "routing_key", KEY).and_then(|key| {
        let text = key.expose();
        let good = text.len() == pagerduty::KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !good {
            section.wrong("routing_key_file", format!("a file that holds {KEY}"));
        }
        good.then_some(key)
    });
    let asking = asking(section, &guard);
    let ca = ca(section);
    Some(ReceiverKind::Pagerduty(PagerdutyConfig { url: url?, routing_key: key?, asking: asking.ok()?, ca, guard }))
}

/// `api_token_file` and `api_url`: how PagerDuty is asked who has an incident, if it is; an error where that is wrong.
fn asking(section: &mut Section<'_, '_>, guard: &Guard) -> Result<Option<Asking>, ()> {
    let given = section.has("api_token_file") || section.has("api_token");
    let token = section.secret_file("api_token_file", "api_token");
    let token = token.and_then(|token| one_word(section, "api_token_file", token));
    let url = match section.has("api_url") {
        true => section
            .text("api_url", "the URL of the REST API", |text| guard.url(text).map_err(|error| error.to_string())),
        false => {
            section.knows("api_url");
            guard.url(pagerduty_answers::API).ok()
        }
    };
    match (url, token) {
        (Some(url), Some(token)) => Ok(Some(Asking { url, token })),
        (Some(_), None) if !given => Ok(None),
        _ => Err(()),
    }
}

pub(super) fn ntfy(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    let guard = guard(section);
    let parts = url(section, &guard)
        .and_then(|url| NtfyConfig::parts(&url).map_err(|expected| section.wrong("url", expected)).ok());
    let token = token(section);
    let replies = replies(section);
    let ca = ca(section);
    let (server, topic) = parts?;
    if replies.as_ref().is_some_and(|replies| replies.topic == topic.expose()) {
        section.wrong("reply_topic", "another topic than that of url: who reads pages must not be sent the answers");
    }
    Some(ReceiverKind::Ntfy(NtfyConfig { server, topic, token: token.ok()?, replies, ca, guard }))
}

/// `reply_topic` and `reply_token_file`: where buttons answer to.
fn replies(section: &mut Section<'_, '_>) -> Option<Replies> {
    const TOPIC: &str = "a topic on the same server, of letters, digits, - and _";
    let topic =
        section.text("reply_topic", TOPIC, |text| if is_topic(text) { Ok(text.to_owned()) } else { Err(TOPIC.into()) });
    let token = section.secret_file("reply_token_file", "reply_token");
    let token = token.and_then(|token| one_word(section, "reply_token_file", token));
    if topic.is_none() && token.is_some() {
        section.wrong("reply_topic", format!("{TOPIC}, beside reply_token_file"));
    }
    topic.map(|topic| Replies { topic, token })
}

pub(super) fn slack(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const CHANNEL: &str = "a channel's id such as C012AB3CD, or #name";
    let guard = guard(section);
    let is_bot = section.has("token_file") || section.has("token") || section.has("channel");
    let way = if is_bot {
        let token = section.required_secret("token_file", "token", "a bot's token (xoxb-...)");
        let token = token.and_then(|token| one_word(section, "token_file", token));
        let channel = section.required("channel", CHANNEL, |text| {
            if slack::is_channel(text) { Ok(text.to_owned()) } else { Err(CHANNEL.into()) }
        });
        section.refuse("url_file", "url_file (an incoming webhook) or token_file and channel (a bot), not both");
        let url = service(section, &guard, slack::POST_MESSAGE);
        url.zip(token).zip(channel).map(|((url, token), channel)| slack::Way::Bot { url, token, channel })
    } else {
        section.knows("token_file");
        section.knows("channel");
        secret_url(section, &guard).map(|url| slack::Way::Webhook(SecretUrl::new(url)))
    };
    let ca = ca(section);
    Some(ReceiverKind::Slack(SlackConfig { way: way?, ca, guard }))
}

pub(super) fn teams(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    let guard = guard(section);
    let url = secret_url(section, &guard)
        .and_then(|url| TeamsConfig::workflow(url).map_err(|expected| section.wrong("url_file", expected)).ok());
    let ca = ca(section);
    Some(ReceiverKind::Teams(TeamsConfig { url: url?, ca, guard }))
}

pub(super) fn twilio(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const ACCOUNT: &str = "the account's id: AC and 32 hexadecimal digits";
    const FROM: &str = "a number such as +4930123456, or for way = \"sms\" a messaging service: MG and 32 digits";
    const TO: &str = "a number with country code such as +4915112345678";
    const WAY: &str = "one of sms, call";
    let guard = guard(section);
    let url = service(section, &guard, twilio::API);
    let checked =
        |good: bool, text: &str, expected: &str| if good { Ok(text.to_owned()) } else { Err(expected.into()) };
    let account = section.required("account", ACCOUNT, |text| checked(twilio::is_sid(text, "AC"), text, ACCOUNT));
    let token = section.required_secret("token_file", "token", "the account's auth token");
    let token = token.and_then(|token| one_word(section, "token_file", token));
    let way = section.text("way", WAY, |word| match word {
        "sms" => Ok(twilio::Way::Sms),
        "call" => Ok(twilio::Way::Call),
        _ => Err(WAY.into()),
    });
    let way = way.unwrap_or(twilio::Way::Sms);
    let from = section.required("from", FROM, |text| {
        let good = twilio::is_number(text) || (way == twilio::Way::Sms && twilio::is_sid(text, "MG"));
        checked(good, text, FROM)
    });
    let to = section.required_texts("to", TO, ENTRIES, |text| checked(twilio::is_number(text), text, TO));
    let ca = ca(section);
    let (account, token, from) = (account?, token?, from?);
    Some(ReceiverKind::Twilio(TwilioConfig { url: url?, account, token, way, from, to: to?, ca, guard }))
}

pub(super) fn script(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const COMMAND: &str = "an absolute path and arguments, such as [\"/usr/local/bin/page\", \"--quiet\"]";
    const TIMEOUT: &str = "a time from 1s to 5m, such as \"30s\"";
    let mut command = section.required_texts("command", COMMAND, ENTRIES, |text| {
        let good = text.len() <= 4_096 && !text.contains('\0');
        if good { Ok(text.to_owned()) } else { Err(COMMAND.into()) }
    });
    let timeout = section.text("timeout", TIMEOUT, |text| {
        let ms = duration_ms(text).filter(|ms| (1_000..=300_000).contains(ms));
        ms.map(Duration::from_millis).ok_or_else(|| TIMEOUT.into())
    });
    let program = PathBuf::from(command.as_mut()?.remove(0));
    if let Err(expected) = is_program(&program) {
        section.wrong("command", expected);
        return None;
    }
    let timeout = timeout.unwrap_or(script::TIMEOUT);
    Some(ReceiverKind::Script(ScriptConfig { program, arguments: command?, timeout }))
}

pub(super) fn alertmanager_webhook(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    let guard = guard(section);
    let url = url(section, &guard);
    let token = token(section);
    let ca = ca(section);
    let url = SecretUrl::new(url?);
    Some(ReceiverKind::AlertmanagerWebhook(AlertmanagerWebhookConfig { url, token: token.ok()?, ca, guard }))
}

/// `url`: where the service is asked, if not at its public address.
fn service(section: &mut Section<'_, '_>, guard: &Guard, default: &str) -> Option<Url> {
    if !section.has("url") {
        section.knows("url");
        return guard.url(default).ok();
    }
    section.text("url", "the URL of the service", |text| guard.url(text).map_err(|error| error.to_string()))
}

/// `token_file`: a token for a header, if there is one; an error where it is no such token.
fn token(section: &mut Section<'_, '_>) -> Result<Option<Secret>, ()> {
    let given = section.has("token_file") || section.has("token");
    let token = section.secret_file("token_file", "token").and_then(|token| one_word(section, "token_file", token));
    if given && token.is_none() { Err(()) } else { Ok(token) }
}

/// A secret that a header can carry: nothing in it ends the line.
fn one_word(section: &Section<'_, '_>, key: &str, secret: Secret) -> Option<Secret> {
    let good = secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if !good {
        section.wrong(
            key,
            "a file that holds one word of ASCII: no spaces and no line breaks, which headers cannot carry",
        );
    }
    good.then_some(secret)
}

/// Whether it could be started.
fn is_program(path: &std::path::Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("an absolute path first: no shell looks the program up".into());
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => Ok(()),
        Ok(_) => Err(format!("a program first: {} cannot be executed; chmod +x it", path.display())),
        Err(error) => Err(format!("a program first: {}: {error}", path.display())),
    }
}

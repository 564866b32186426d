//! `[[receiver]]`: the settings of each kind, which stand beside the receiver's file in `notify`.

use std::collections::BTreeMap;

use super::{receiver_services, section::Section};
use crate::{
    domain::{network::Network, severity::Severity},
    notify::{
        alertmanager::AlertmanagerConfig,
        email::{EmailConfig, Encryption},
        guard::{Guard, Url},
        receiver::{ReceiverConfig, ReceiverKind},
        template::{Markup, Template, Templates},
        webhook::{SigningKey, WebhookConfig},
    },
};

/// Most receivers; each has a queue of its own.
pub(super) const RECEIVERS: usize = 100;
/// Most recipients, peers or allowed networks of one receiver.
pub(super) const ENTRIES: usize = 50;
const SEVERITIES: &str = "one of info, warning, critical";
const NAME: &str = "a unique name of letters, digits, - and _ with at most 64 characters";
const TLS: &str = "one of starttls, tls, none";

type Reader = fn(&mut Section<'_, '_>) -> Option<ReceiverKind>;

/// The kinds, how their settings are read, and how they read templates; mirrors have none.
const KINDS: [(&str, Reader, Option<Markup>); 10] = [
    ("webhook", webhook, Some(Markup::Plain)),
    ("email", email, Some(Markup::Plain)),
    ("pagerduty", receiver_services::pagerduty, Some(Markup::Plain)),
    ("ntfy", receiver_services::ntfy, Some(Markup::Plain)),
    ("slack", receiver_services::slack, Some(Markup::Slack)),
    ("teams", receiver_services::teams, Some(Markup::Card)),
    ("twilio", receiver_services::twilio, Some(Markup::Plain)),
    ("script", receiver_services::script, Some(Markup::Plain)),
    ("alertmanager_webhook", receiver_services::alertmanager_webhook, Some(Markup::Plain)),
    ("alertmanager", alertmanager, None),
];

/// Reads all receivers; those with mistakes are noted and left out.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<ReceiverConfig> {
    let mut receivers: Vec<ReceiverConfig> = Vec::new();
    for section in sections {
        let taken = |name: &str| receivers.iter().any(|other| other.name == name);
        if let Some(receiver) = receiver(section, taken) {
            receivers.push(receiver);
        }
    }
    receivers
}

fn receiver(mut section: Section<'_, '_>, taken: impl Fn(&str) -> bool) -> Option<ReceiverConfig> {
    let name = section.required("name", NAME, |text| {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        match good {
            true if taken(text) => Err("a name that no other receiver has".into()),
            true => Ok(text.to_owned()),
            false => Err(NAME.to_owned()),
        }
    });
    let severity = section.text("severity", SEVERITIES, |word| {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter().find(|severity| severity.word() == word).ok_or_else(|| SEVERITIES.into())
    });
    let kinds = format!("one of {}", KINDS.map(|(word, ..)| word).join(", "));
    let kind = section.required("kind", &kinds, |word| {
        KINDS.iter().find(|(known, ..)| *known == word).ok_or_else(|| kinds.clone())
    })?;
    let (_, read, markup) = kind;
    let kind = read(&mut section);
    let templates = markup.map(|markup| Templates {
        title: template(&mut section, "title", markup),
        body: template(&mut section, "body", markup),
    });
    section.finish();
    let (severity, templates) = (severity.unwrap_or(Severity::Warning), templates.unwrap_or_default());
    Some(ReceiverConfig { name: name?, severity, templates, kind: kind? })
}

fn template(section: &mut Section<'_, '_>, key: &'static str, markup: Markup) -> Option<Template> {
    section.text(key, "a template in quotes", |source| Template::new(source, markup))
}

fn webhook(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    let guard = guard(section);
    let url = url(section, &guard);
    let key = section.secret_file("secret_file", "secret").and_then(|secret| {
        SigningKey::from_secret(&secret).map_err(|error| section.wrong("secret_file", error.to_string())).ok()
    });
    let ca = ca(section);
    Some(ReceiverKind::Webhook(WebhookConfig { url: url?, key, ca, guard }))
}

/// Where to post: `url`, or what `url_file` holds.
pub(super) fn url(section: &mut Section<'_, '_>, guard: &Guard) -> Option<Url> {
    if !section.has("url_file") {
        section.knows("url_file");
        return section
            .required("url", "the URL to post to", |text| guard.url(text).map_err(|error| error.to_string()));
    }
    secret_url(section, guard)
}

/// Where to post, which is a secret itself: what `url_file` holds or, with a warning, `url`.
pub(super) fn secret_url(section: &mut Section<'_, '_>, guard: &Guard) -> Option<Url> {
    let secret = section.required_secret("url_file", "url", "the URL to post to")?;
    let url = guard.url(secret.expose());
    url.map_err(|error| section.wrong("url_file", format!("a file that holds a URL: {error}"))).ok()
}

fn email(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const ADDRESS: &str = "a mail address such as \"Muster <muster@example.org>\"";
    let server = section.required("server", "the host name of the mail server", |text| {
        let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
        if good { Ok(text.to_owned()) } else { Err("a host name or address without port; the port is a key".into()) }
    });
    let encryption = section
        .text("tls", TLS, |word| Encryption::from_word(word).ok_or_else(|| TLS.into()))
        .unwrap_or(Encryption::StartTls);
    let port = section.number("port", 1.0..=65_535.0).map(|port| port as u16);
    let user = section.text("user", "the user's name", |text| Ok(text.to_owned()));
    let password = section.secret_file("password_file", "password");
    let from = section.required("from", ADDRESS, |text| text.parse().map_err(|_| ADDRESS.to_owned()));
    let to = section.required_texts("to", ADDRESS, ENTRIES, |text| text.parse().map_err(|_| ADDRESS.to_owned()));
    let ca = ca(section);
    if user.is_some() != password.is_some() {
        section.wrong("user", "user and password_file together, or neither");
    }
    let server = server?;
    let here = server == "localhost" || server.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if user.is_some() && encryption == Encryption::None && !here {
        section.wrong("tls", "starttls or tls, because a password would cross the network in the clear");
    }
    let login = user.zip(password);
    let port = port.unwrap_or(encryption.default_port());
    Some(ReceiverKind::Email(EmailConfig { server, port, encryption, login, from: from?, to: to?, ca }))
}

fn alertmanager(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    const URLS: &str = "the URL of each Alertmanager, such as http://alertmanager-1:9093";
    let guard = guard(section);
    let urls = section.required_texts("urls", URLS, ENTRIES, |text| guard.url(text).map_err(|error| error.to_string()));
    let labels: BTreeMap<String, String> = section
        .pairs("labels", |name, value| {
            if crate::notify::alertmanager::OWN_LABELS.contains(&name) {
                return Err("a label that Muster does not set itself".into());
            }
            super::read::label(name, value)
        })
        .into_iter()
        .collect();
    let ca = ca(section);
    Some(ReceiverKind::Alertmanager(AlertmanagerConfig { urls: urls?, labels, ca, guard }))
}

pub(super) fn guard(section: &mut Section<'_, '_>) -> Guard {
    const NETWORK: &str = "an address or network such as 169.254.10.0/24";
    let allow =
        section.texts("allow", NETWORK, ENTRIES, |text| text.parse::<Network>().map_err(|_| NETWORK.to_owned()));
    Guard::new(allow.unwrap_or_default())
}

/// `ca_file`: the certificates (PEM) to trust instead of the system's.
pub(super) fn ca(section: &mut Section<'_, '_>) -> Option<Vec<u8>> {
    section.text("ca_file", "the path of a PEM file", |path| {
        let pem = crate::notify::secret::read_bounded(path.as_ref()).map_err(|error| error.to_string())?;
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(pem),
            _ => Err("a PEM file with at least one certificate".into()),
        }
    })
}

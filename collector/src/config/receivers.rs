//! `[[receiver]]`: the settings of each kind, which stand beside the receiver's file in `notify`.

use std::collections::BTreeMap;

use super::section::Section;
use crate::{
    domain::{event::Severity, network::Network},
    notify::{
        alertmanager::AlertmanagerConfig,
        email::{EmailConfig, Encryption},
        guard::Guard,
        receiver::{ReceiverConfig, ReceiverKind},
        webhook::{SigningKey, WebhookConfig},
    },
};

/// Most receivers; each has a queue of its own.
pub(super) const RECEIVERS: usize = 100;
/// Most recipients, peers or allowed networks of one receiver.
const ENTRIES: usize = 50;
const KINDS: &str = "one of webhook, email, alertmanager";
const SEVERITIES: &str = "one of info, warning, critical";
const NAME: &str = "a unique name of letters, digits, - and _ with at most 64 characters";
const TLS: &str = "one of starttls, tls, none";

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
    let kind = section.required("kind", KINDS, |word| match word {
        "webhook" => Ok(webhook as fn(&mut Section<'_, '_>) -> Option<ReceiverKind>),
        "email" => Ok(email as _),
        "alertmanager" => Ok(alertmanager as _),
        _ => Err(KINDS.to_owned()),
    })?;
    let kind = kind(&mut section);
    section.finish();
    Some(ReceiverConfig { name: name?, severity: severity.unwrap_or(Severity::Warning), kind: kind? })
}

fn webhook(section: &mut Section<'_, '_>) -> Option<ReceiverKind> {
    let guard = guard(section);
    let url = if section.has("url_file") {
        let secret = section.secret_file("url_file", "url")?;
        let url = guard.url(secret.expose());
        url.map_err(|error| section.wrong("url_file", format!("a file that holds a URL: {error}"))).ok()
    } else {
        section.required("url", "the URL of the webhook", |text| guard.url(text).map_err(|error| error.to_string()))
    };
    let key = section.secret_file("secret_file", "secret").and_then(|secret| {
        SigningKey::from_secret(&secret).map_err(|error| section.wrong("secret_file", error.to_string())).ok()
    });
    let ca = ca(section);
    Some(ReceiverKind::Webhook(WebhookConfig { url: url?, key, ca, guard }))
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

fn guard(section: &mut Section<'_, '_>) -> Guard {
    const NETWORK: &str = "an address or network such as 169.254.10.0/24";
    let allow =
        section.texts("allow", NETWORK, ENTRIES, |text| text.parse::<Network>().map_err(|_| NETWORK.to_owned()));
    Guard::new(allow.unwrap_or_default())
}

/// `ca_file`: the certificates (PEM) to trust instead of the system's.
fn ca(section: &mut Section<'_, '_>) -> Option<Vec<u8>> {
    section.text("ca_file", "the path of a PEM file", |path| {
        let pem = crate::notify::secret::read_bounded(path.as_ref()).map_err(|error| error.to_string())?;
        match reqwest::Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(pem),
            _ => Err("a PEM file with at least one certificate".into()),
        }
    })
}

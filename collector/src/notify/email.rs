//! Mail through the company's own server (SMTP, RFC 5321).
//!
//! Each recipient gets a transaction of its own, so that one refused address keeps nobody else from being told; who has
//! taken a page is remembered, so that a retry writes to the others only. A repeated message carries the same
//! Message-ID. All mails of an incident name the same root message and so stand in one thread.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use super::{
    receiver::{Messenger, Sent, plain_id},
    secret::Secret,
};
use crate::domain::{
    ids::PageId,
    record::{Page, PageKind},
};

/// How long a transaction may take. RFC 5321 4.5.3.2 allows minutes, which is too slow for a page: it is tried again.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest subject, in characters; RFC 5322 allows lines of 998 octets.
const SUBJECT_CHARS: usize = 200;
/// Pages with recipients that are still to be told, remembered at most.
const REMEMBERED: usize = 1_000;

/// Settings of `kind = "email"`.
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// Host name of the mail server.
    pub server: String,
    /// Its port; default 587, with `tls` 465, with `none` 25.
    pub port: u16,
    /// `starttls` (default), `tls` or `none`.
    pub encryption: Encryption,
    /// User and password, if the server asks for them: `user`, `password_file`.
    pub login: Option<(String, Secret)>,
    /// From whom.
    pub from: Mailbox,
    /// To whom, each by itself; at least one.
    pub to: Vec<Mailbox>,
    /// Certificates (PEM) to trust instead of the built-in ones: `ca_file`.
    pub ca: Option<Vec<u8>>,
}

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Starts in the clear and must change to TLS (RFC 3207).
    StartTls,
    /// TLS from the start (RFC 8314).
    Tls,
    /// In the clear.
    None,
}

impl Encryption {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// What `word` names, if anything.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::StartTls, Self::Tls, Self::None].into_iter().find(|encryption| encryption.word() == word)
    }

    /// The port that goes with it (RFC 5321, 6409, 8314).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// The mail transport could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare TLS to mail server {server} of receiver {receiver}: {source}")]
pub struct EmailError {
    receiver: String,
    server: String,
    source: lettre::transport::smtp::Error,
}

/// A mail server that pages are handed to.
pub struct Email {
    config: EmailConfig,
    base_url: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    told: Mutex<BTreeMap<PageId, BTreeSet<usize>>>,
}

impl Email {
    /// A mail receiver; `base_url` is where people reach the views.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(name: &str, config: EmailConfig, base_url: &str) -> Result<Self, EmailError> {
        let failed = |source| EmailError { receiver: name.to_owned(), server: config.server.clone(), source };
        let tls = match config.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(tls(&config).map_err(failed)?),
            Encryption::Tls => Tls::Wrapper(tls(&config).map_err(failed)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .port(config.port)
            .timeout(Some(TIMEOUT))
            .tls(tls);
        if let Some((user, password)) = &config.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), config, base_url: base_url.to_owned(), told: Mutex::default() })
    }

    fn told(&self, page: PageId) -> BTreeSet<usize> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(&page).cloned().unwrap_or_default()
    }

    /// Remembers who has taken a page that is still owed to others; nobody owed means that it is done.
    fn remember(&self, page: PageId, told: Option<BTreeSet<usize>>) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Some(told) => drop(all.insert(page, told)),
            None => drop(all.remove(&page)),
        }
        while all.len() > REMEMBERED {
            all.pop_first();
        }
    }
}

fn tls(config: &EmailConfig) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let mut builder = TlsParameters::builder(config.server.clone());
    if let Some(pem) = &config.ca {
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(Certificate::from_pem(pem)?);
    }
    builder.build()
}

impl Messenger for Email {
    async fn send(&self, page: &Page) -> Sent {
        let mut told = self.told(page.id);
        let (mut later, mut never, mut id) = (None, Vec::new(), None);
        // A person's own address takes the place of those in the configuration, which checked it.
        let own = page.to.as_ref().and_then(|to| to.parse().ok()).map(|to| vec![to]);
        let recipients: &[Mailbox] = own.as_deref().unwrap_or(&self.config.to);
        for (at, recipient) in recipients.iter().enumerate() {
            if told.contains(&at) {
                continue;
            }
            let (envelope, mail) = match letter(page, &self.config, recipient, &self.base_url) {
                Ok(letter) => letter,
                Err(error) => return Sent::Rejected { error: format!("the mail cannot be written: {error}") },
            };
            match self.transport.send_raw(&envelope, &mail).await {
                Ok(response) => {
                    id = response.first_line().map(|line| clean(line, SUBJECT_CHARS));
                    told.insert(at);
                }
                Err(error) if refuses_recipient(&error) => never.push(format!("{}: {}", recipient.email, said(&error))),
                Err(error) => {
                    let answered = error.is_response();
                    later = Some(said(&error));
                    if !answered {
                        break; // The server cannot be reached; the other recipients would only wait as long.
                    }
                }
            }
        }
        if let Some(error) = later {
            self.remember(page.id, Some(told));
            return Sent::Retry { error, after: None };
        }
        if told.is_empty() {
            return Sent::Refused { error: never.join("; ") };
        }
        self.remember(page.id, None);
        if !never.is_empty() {
            tracing::warn!(
                "{} of {} recipients of a page were refused by the mail server",
                never.len(),
                recipients.len()
            );
            never.extend(id);
            id = Some(format!("not taken for {}", never.join("; ")));
        }
        Sent::Accepted { provider_id: id }
    }
}

/// Whether the server refuses for good what was asked, and not us: 5xx except those about signing in (RFC 4954).
fn refuses_recipient(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
}

fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = inner.source();
    }
    clean(&words, 500)
}

/// The mail to one recipient, and its envelope.
fn letter(
    page: &Page,
    config: &EmailConfig,
    to: &Mailbox,
    base_url: &str,
) -> Result<(Envelope, Vec<u8>), lettre::error::Error> {
    let domain = config.from.email.domain();
    let mut builder = Message::builder()
        .from(config.from.clone())
        .to(to.clone())
        .subject(subject(page))
        .message_id(Some(format!("<{}@{domain}>", plain_id(&page.message_id))))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(header("Auto-Submitted", "auto-generated")) // RFC 3834
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if let Some(incident) = page.incident {
        // A root that no mail has, so that the thread holds whichever of its mails arrives first.
        let root = format!("<incident-{incident}-{}@{domain}>", page.since.ms());
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    let mail = builder.body(text(page, base_url))?;
    let envelope = Envelope::new(Some(config.from.email.clone()), vec![Address::clone(&to.email)])?;
    Ok((envelope, mail.formatted()))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn subject(page: &Page) -> String {
    let severity = page.severity.word();
    let tag = match page.kind {
        PageKind::Opened => severity.to_owned(),
        PageKind::Updated => format!("{severity}, update"),
        PageKind::Acknowledged => "acknowledged".into(),
        PageKind::Resolved => "resolved".into(),
        PageKind::Test => "test".into(),
    };
    clean(&format!("[{tag}] {}", page.title), SUBJECT_CHARS)
}

fn text(page: &Page, base_url: &str) -> String {
    let mut lines = vec![clean(&page.title, 1_000), String::new()];
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name:<10} {value}"));
        }
    };
    fact("State", page.state.word().into());
    fact("Severity", page.severity.word().into());
    fact("Host", clean(&page.host, 256));
    fact("Component", clean(&page.component, 256));
    fact("Since", page.since.to_string());
    fact("Incident", page.incident.map_or_else(String::new, |incident| format!("#{incident}")));
    fact("View", format!("{base_url}{}", page.path));
    if !page.details.is_empty() {
        lines.push(String::new());
        lines.extend(page.details.lines().map(|line| clean(line, 1_000)));
    }
    lines.push(String::new());
    lines.join("\r\n")
}

/// Text from hosts is hostile: control characters become spaces, and there is an end to it.
fn clean(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect::<String>().trim().to_owned()
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;

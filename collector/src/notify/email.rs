//! Mail through the company's own server (SMTP, RFC 5321).
//!
//! Each recipient gets a transaction of its own, so that one refused address keeps nobody else from being told; who has
//! taken a page is remembered, so that a retry writes to the others only. A repeated message carries the same
//! Message-ID. All mails of an incident name the same root message and so stand in one thread.

use std::time::Duration;

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
        response::Response,
    },
};

use super::{
    receiver::{Messenger, Sent, plain_id},
    secret::Secret,
    template::Words,
    text::clean,
    told::Told,
};
use crate::domain::record::Page;

/// How long a transaction may take. RFC 5321 4.5.3.2 allows minutes, which is too slow for a page: it is tried again.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer of a server that is kept, in characters.
const ANSWER_CHARS: usize = 200;

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
    words: Words,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    told: Told,
}

impl Email {
    /// A mail receiver.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(name: &str, config: EmailConfig, words: Words) -> Result<Self, EmailError> {
        Ok(Self { transport: transport(name, &config)?, config, words, told: Told::default() })
    }
}

/// The way to a mail server, for the receiver of this name.
pub(super) fn transport(name: &str, config: &EmailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, EmailError> {
    let failed = |source| EmailError { receiver: name.to_owned(), server: config.server.clone(), source };
    let tls = match config.encryption {
        Encryption::None => Tls::None,
        Encryption::StartTls => Tls::Required(tls(config).map_err(failed)?),
        Encryption::Tls => Tls::Wrapper(tls(config).map_err(failed)?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
        .port(config.port)
        .timeout(Some(TIMEOUT))
        .tls(tls);
    if let Some((user, password)) = &config.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
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
        // A person's own address takes the place of those in the configuration, which checked it.
        let own = page.to.as_ref().and_then(|to| to.parse().ok()).map(|to| vec![to]);
        let recipients: &[Mailbox] = own.as_deref().unwrap_or(&self.config.to);
        let mut round = self.told.begin(page.id);
        for (at, recipient) in recipients.iter().enumerate() {
            if !round.owes(at) {
                continue;
            }
            let (envelope, mail) = match letter(page, &self.config, recipient, &self.words) {
                Ok(letter) => letter,
                Err(error) => return Sent::Rejected { error: format!("the mail cannot be written: {error}") },
            };
            match self.transport.send_raw(&envelope, &mail).await {
                Ok(response) => round.taken(at, answer(&response)),
                Err(error) if refuses_recipient(&error) => {
                    round.never(format!("{}: {}", recipient.email, said(&error)))
                }
                Err(error) => {
                    round.later(said(&error), None);
                    if !error.is_response() {
                        break; // The server cannot be reached; the other recipients would only wait as long.
                    }
                }
            }
        }
        self.told.end(round, recipients.len())
    }
}

/// What a server that took a mail said.
pub(super) fn answer(response: &Response) -> Option<String> {
    response.first_line().map(|line| clean(line, ANSWER_CHARS))
}

/// Whether the server refuses for good what was asked, and not us: 5xx except those about signing in (RFC 4954).
pub(super) fn refuses_recipient(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && !matches!(code, Some(530 | 534 | 535 | 538))
}

/// An error with its causes, in a line.
pub(super) fn said(error: &lettre::transport::smtp::Error) -> String {
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
    words: &Words,
) -> Result<(Envelope, Vec<u8>), lettre::error::Error> {
    let domain = config.from.email.domain();
    let mut builder = Message::builder()
        .from(config.from.clone())
        .to(to.clone())
        .subject(words.title(page))
        .message_id(Some(format!("<{}@{domain}>", plain_id(&page.message_id))))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(header("Auto-Submitted", "auto-generated")) // RFC 3834
        .raw_header(header("X-Auto-Response-Suppress", "All"));
    if let Some(incident) = page.incident {
        // A root that no mail has, so that the thread holds whichever of its mails arrives first.
        let root = format!("<incident-{incident}-{}@{domain}>", page.since.ms());
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    let mail = builder.body(words.body(page).replace('\n', "\r\n") + "\r\n")?;
    let envelope = Envelope::new(Some(config.from.email.clone()), vec![Address::clone(&to.email)])?;
    Ok((envelope, mail.formatted()))
}

/// A header that lettre has no type for.
pub(super) fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;

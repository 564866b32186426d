//! Who is told, and what a receiver that takes pages can do.

use std::{future::Future, time::Duration};

use super::{alertmanager::AlertmanagerConfig, email::EmailConfig, webhook::WebhookConfig};
use crate::domain::{event::Severity, record::Page};

/// `[[receiver]]`: one configured receiver.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    /// Its name, unique.
    pub name: String,
    /// Told of incidents of at least this severity; default warning. The desk holds it for messengers, the mirror for itself.
    pub severity: Severity,
    /// Kind and settings.
    pub kind: ReceiverKind,
}

impl ReceiverConfig {
    /// Whether it takes pages from the outbox; mirrors do not.
    #[must_use]
    pub fn is_messenger(&self) -> bool {
        !matches!(self.kind, ReceiverKind::Alertmanager(_))
    }
}

/// The kinds of receiver.
#[derive(Debug, Clone)]
pub enum ReceiverKind {
    /// `kind = "webhook"`: Standard Webhooks.
    Webhook(WebhookConfig),
    /// `kind = "email"`: SMTP.
    Email(EmailConfig),
    /// `kind = "alertmanager"`: a mirror of our incidents.
    Alertmanager(AlertmanagerConfig),
}

impl ReceiverKind {
    /// What is wrong with a person's own address or number at such a receiver, if anything.
    #[must_use]
    pub fn address_trouble(&self, to: &str) -> Option<&'static str> {
        match self {
            Self::Email(_) => {
                to.parse::<lettre::message::Mailbox>().err().map(|_| "a mail address such as ann@example.org")
            }
            Self::Webhook(_) | Self::Alertmanager(_) => Some("nothing: this receiver goes to one place"),
        }
    }
}

/// How a try to send a page went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver took it.
    Accepted {
        /// Its own id for it, if it gave one.
        provider_id: Option<String>,
    },
    /// It may succeed later: no connection, time-out, overload.
    Retry {
        /// What went wrong.
        error: String,
        /// How long the receiver asks us to leave it alone.
        after: Option<Duration>,
    },
    /// The receiver, or whoever stands before it, refuses: perhaps this page, perhaps all while it is being changed.
    /// Asked again like after [`Sent::Retry`].
    Refused {
        /// What it said.
        error: String,
    },
    /// This page can never be taken, whoever asks; others can.
    Rejected {
        /// What is wrong with it.
        error: String,
    },
    /// The receiver wants no more messages, it says: this page fails, others are tried more slowly.
    Gone {
        /// What it said.
        error: String,
    },
}

/// A receiver that pages are sent to, one by one.
pub trait Messenger: Send + Sync + 'static {
    /// Tries once, within a bounded time. Called again with the same page it must not make it a second message.
    fn send(&self, page: &Page) -> impl Future<Output = Sent> + Send;
}

/// A page's message id with nothing in it that a header could not carry; the dot separates what Standard Webhooks sign.
pub(super) fn plain_id(message_id: &str) -> String {
    message_id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(128).collect()
}

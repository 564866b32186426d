//! Who is told, and what a receiver that takes pages can do.

use std::{future::Future, time::Duration};

use super::{
    alertmanager::AlertmanagerConfig,
    alertmanager_webhook::AlertmanagerWebhookConfig,
    email::EmailConfig,
    guard::Url,
    ntfy::{self, NtfyConfig},
    pagerduty::PagerdutyConfig,
    script::ScriptConfig,
    slack::{self, SlackConfig},
    teams::TeamsConfig,
    template::{Markup, Templates},
    twilio::{self, TwilioConfig},
    webhook::WebhookConfig,
};
use crate::domain::{record::Page, severity::Severity};

/// `[[receiver]]`: one configured receiver.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    /// Its name, unique.
    pub name: String,
    /// Told of incidents of at least this severity; default warning. The desk holds it for messengers, the mirror for itself.
    pub severity: Severity,
    /// Its own words instead of the default ones; mirrors have none.
    pub templates: Templates,
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
    /// `kind = "pagerduty"`: Events API v2.
    Pagerduty(PagerdutyConfig),
    /// `kind = "ntfy"`: a topic.
    Ntfy(NtfyConfig),
    /// `kind = "slack"`: an incoming webhook or a channel.
    Slack(SlackConfig),
    /// `kind = "teams"`: a workflow of Microsoft Teams.
    Teams(TeamsConfig),
    /// `kind = "twilio"`: text messages and calls.
    Twilio(TwilioConfig),
    /// `kind = "script"`: a program on this machine.
    Script(ScriptConfig),
    /// `kind = "alertmanager_webhook"`: the body that Alertmanager's webhooks have.
    AlertmanagerWebhook(AlertmanagerWebhookConfig),
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
            Self::Twilio(_) => (!twilio::is_number(to)).then_some("a number with country code such as +4915112345678"),
            Self::Ntfy(_) => (!ntfy::is_topic(to)).then_some("a topic on the same server, of letters, digits, - and _"),
            Self::Slack(SlackConfig { way: slack::Way::Bot { .. }, .. }) => {
                (!slack::is_channel(to)).then_some("the id of a channel or member such as U012AB3CD")
            }
            Self::Script(_) => to.contains(char::is_control).then_some("a text of one line"),
            _ => Some("nothing: this receiver goes to one place"),
        }
    }

    /// What is known of a page once it was accepted, and what is not.
    #[must_use]
    pub const fn tells(&self) -> &'static str {
        match self {
            Self::Email(_) => "the mail server has it; whether it came into the mailbox is not told",
            Self::Pagerduty(_) => "PagerDuty has it; whom it reached stands there",
            Self::Ntfy(_) => "the server has it; whether a phone showed it is not told",
            Self::Slack(_) | Self::Teams(_) => "it stands in the channel; whether anybody read it is not told",
            Self::Twilio(_) => "Twilio has it; whether it reached the number is told only where a receipt stands here",
            Self::Script(_) => "the program has ended well; what it did with it is not told",
            Self::Webhook(_) | Self::AlertmanagerWebhook(_) | Self::Alertmanager(_) => {
                "this receiver tells nothing further"
            }
        }
    }

    /// How it reads what it is sent.
    #[must_use]
    pub const fn markup(&self) -> Markup {
        match self {
            Self::Slack(_) => Markup::Slack,
            Self::Teams(_) => Markup::Card,
            _ => Markup::Plain,
        }
    }

    /// Whether what it carries is read when its reader looks, rather than ringing for them.
    #[must_use]
    pub const fn rings_for_nobody(&self) -> bool {
        matches!(self, Self::Email(_) | Self::Ntfy(_) | Self::Slack(_) | Self::Teams(_) | Self::Webhook(_))
    }

    /// Where it posts to, as far as it does.
    #[must_use]
    pub fn urls(&self) -> Vec<&Url> {
        match self {
            Self::Webhook(config) => vec![&config.url],
            Self::Pagerduty(config) => vec![&config.url],
            Self::Ntfy(config) => vec![&config.server],
            Self::Slack(config) => vec![config.url()],
            Self::Teams(config) => vec![config.url.expose()],
            Self::Twilio(config) => vec![&config.url],
            Self::AlertmanagerWebhook(config) => vec![config.url.expose()],
            Self::Alertmanager(config) => config.urls.iter().collect(),
            Self::Email(_) | Self::Script(_) => Vec::new(),
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

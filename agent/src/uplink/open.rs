//! Opening a session: dial, say `Hello`, wait for `Welcome`.

use std::sync::Arc;
use std::time::Duration;

use muster_proto::v1;
use muster_proto::v1::agent_message::Body;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::hello::Hello;
use super::outgoing::{self, Outgoing};
use crate::dial::{DialError, PathWatch, Proxy, dial, is_expiry, is_refusal};
use crate::platform::Socket;

/// Messages between the agent and the transport; more wait in the session's own backlog.
const OUTBOUND_MAX: usize = 8;

/// All that is needed to open one session.
pub(super) struct Ticket {
    pub(super) address: String,
    pub(super) proxy: Option<Proxy>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) path: PathWatch,
    pub(super) hello: Hello,
    pub(super) welcome_timeout: Duration,
}

/// An open session.
pub(super) struct Opened {
    pub(super) outbound: mpsc::Sender<Outgoing>,
    pub(super) inbound: Streaming<v1::CollectorMessage>,
    pub(super) channel: Channel,
    pub(super) socket: Socket,
    pub(super) welcome: v1::Welcome,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{address}: the collector refuses this host: {message}")]
    Refused { address: String, message: String },
    #[error("{address}: this host's certificate has ended while it was away")]
    Expired { address: String },
    #[error("{address}: the session did not begin: {message}")]
    Ended { address: String, message: String },
    #[error("{address}: the collector accepted the connection but does not answer")]
    Silent { address: String },
}

impl OpenError {
    /// Whether somebody was there and then nothing came, as where large packets vanish on the way.
    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Dial(error) => error.is_silence(),
            Self::Ended { message, .. } => is_silence(message),
            Self::Refused { .. } | Self::Expired { .. } => false,
        }
    }
}

/// Whether a description of an end says that a kernel gave the path up, ours or the other one; of errors below it h2 keeps nothing
/// but the text.
pub(super) fn is_silence(description: &str) -> bool {
    ["timed out", "reset by peer"].iter().any(|words| description.contains(words))
}

/// Opens a session.
pub(super) async fn open(ticket: Ticket) -> Result<Opened, OpenError> {
    let Ticket { address, proxy, tls, name, path, hello, welcome_timeout } = ticket;
    let dialled = match dial(&address, proxy.as_ref(), tls, name, path).await {
        Err(error) if is_expiry(&error) => return Err(OpenError::Expired { address }),
        dialled => dialled?,
    };
    let (outbound, messages) = mpsc::channel(OUTBOUND_MAX);
    // Queued before the call: the collector answers only once it has heard who is there.
    let _ = outbound.try_send(Body::Hello(hello.said(&dialled.socket)).into());
    let begun = tokio::time::timeout(welcome_timeout, async {
        let mut inbound = outgoing::session(dialled.channel.clone(), messages).await?;
        let first = inbound.message().await?;
        Ok::<_, Status>((inbound, first))
    });
    let (inbound, first) = match begun.await {
        Err(_) => return Err(OpenError::Silent { address }),
        Ok(Err(status)) if is_expiry(&status) => return Err(OpenError::Expired { address }),
        Ok(Err(status)) if refuses(&status) => {
            return Err(OpenError::Refused { address, message: status.message().to_owned() });
        }
        Ok(Err(status)) => return Err(OpenError::Ended { address, message: describe(&status) }),
        Ok(Ok(begun)) => begun,
    };
    match first.and_then(|message| message.body) {
        Some(v1::collector_message::Body::Welcome(welcome)) => {
            Ok(Opened { outbound, inbound, channel: dialled.channel, socket: dialled.socket, welcome })
        }
        _ => Err(OpenError::Ended { address, message: "the first answer was not a welcome".into() }),
    }
}

/// Whether the collector does not want this host: by its word, or by refusing its certificate.
pub(super) fn refuses(status: &Status) -> bool {
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated) || is_refusal(status)
}

/// The code and the innermost cause, which is what tells a reset from a time-out.
pub(super) fn describe(status: &Status) -> String {
    let mut innermost: &dyn std::error::Error = status;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match std::error::Error::source(status) {
        Some(_) => innermost.to_string(),
        None => format!("{} ({})", status.message(), status.code()),
    }
}

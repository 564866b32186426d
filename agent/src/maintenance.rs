//! EDGE: maintenance of this very machine, begun and ended by itself: one call with its own certificate, beside the
//! agent that runs. What it may do is decided by the collector: this host alone, and so many hours of a day.

use std::time::Duration;

use muster_proto::v1;
use muster_proto::v1::maintenance_client::MaintenanceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::dial::{DialError, PathWatch, Proxy, dial};
use crate::identity::{CURRENT, Identity, IdentityError};
use crate::state::StateDir;

/// One call, answered.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);
/// The connection is as short as the call.
const PATH: PathWatch =
    PathWatch { keep_alive: Duration::from_secs(5), probes: 3, user_timeout: Duration::from_secs(20), narrow: false };

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Page nobody about this machine for so long.
    Begin {
        /// For how long.
        lasts: Duration,
        /// Why.
        reason: String,
        /// The change it belongs to; empty: none.
        change: String,
    },
    /// End what this machine began.
    End,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It lasts.
    Begun {
        /// The window's number.
        number: i64,
        /// Until when, as the collector says it.
        until: String,
    },
    /// It is over.
    Ended,
}

/// Why it is not so.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// This machine is nobody's host.
    #[error("this machine is not enrolled; enrol it first: muster-agent enrol --collector HOST:7460 --token-file FILE")]
    NotEnrolled,
    /// Nobody to ask.
    #[error("no collector address is known; state [collector] addresses in agent.toml")]
    NoAddress,
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The collector says no, and the remedy.
    #[error("the collector refuses: {0}")]
    Refused(String),
    /// The collector knows no such thing.
    #[error("{0}: this collector is older than windows of machines; upgrade it, or let an operator make one")]
    TooOld(String),
    /// It broke on the way.
    #[error("{address}: {message}")]
    Failed {
        /// Whom was asked.
        address: String,
        /// What happened.
        message: String,
    },
}

/// Asks the collector, through `proxy` where there is one; `addresses` win over those of the identity.
///
/// # Errors
/// [`MaintenanceError`].
pub async fn ask(
    state: &StateDir,
    addresses: &[String],
    proxy: Option<&Proxy>,
    order: &Order,
) -> Result<Done, MaintenanceError> {
    let identity = Identity::load(state, CURRENT)?.ok_or(MaintenanceError::NotEnrolled)?;
    let addresses = if addresses.is_empty() { &identity.addresses } else { addresses };
    let mut last = MaintenanceError::NoAddress;
    for address in addresses {
        match dial(address, proxy, identity.client_config()?, identity.server_name(), PATH).await {
            Ok(dialled) => return call(dialled.channel, order).await.map_err(|status| said(address, &status)),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

async fn call(channel: Channel, order: &Order) -> Result<Done, Status> {
    let mut client = MaintenanceClient::new(channel);
    match order {
        Order::Begin { lasts, reason, change } => {
            let lasts_ms = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
            let mut request =
                tonic::Request::new(v1::BeginMaintenance { lasts_ms, reason: reason.clone(), change: change.clone() });
            request.set_timeout(REPLY_TIMEOUT);
            let begun = client.begin(request).await?.into_inner();
            Ok(Done::Begun { number: begun.number, until: begun.until })
        }
        Order::End => {
            let mut request = tonic::Request::new(v1::EndMaintenance {});
            request.set_timeout(REPLY_TIMEOUT);
            client.end(request).await.map(|_| Done::Ended)
        }
    }
}

fn said(address: &str, status: &Status) -> MaintenanceError {
    match status.code() {
        Code::Unimplemented => MaintenanceError::TooOld(address.to_owned()),
        Code::FailedPrecondition
        | Code::NotFound
        | Code::InvalidArgument
        | Code::ResourceExhausted
        | Code::PermissionDenied
        | Code::Unauthenticated => MaintenanceError::Refused(status.message().to_owned()),
        _ => MaintenanceError::Failed {
            address: address.to_owned(),
            message: format!("{} ({})", status.message(), status.code()),
        },
    }
}

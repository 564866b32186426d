//! EDGE: one connection to a collector: resolve, connect (through a proxy, where one is set), TLS handshake, HTTP/2. Made once
//! and never made again by itself: whoever dialled decides when to dial next.
//!
//! A dead path is noticed by the kernel: keep-alive probes while nothing is in flight, the user time-out while something
//! is. HTTP/2 pings are off.

mod answer;
mod proxy;
mod reach;
mod stranger;

#[doc(hidden)]
pub use answer::{Answer as ProxyAnswer, read as read_proxy_answer};
pub use proxy::{Proxy, Trouble};
pub use stranger::{Stranger, is_about_time};

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::platform::{self, Socket};

/// To connect, and again for the handshake (the collector gives a handshake as long).
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// What the collector may send ahead: acknowledgements and settings of at most 64 KiB.
const WINDOW_BYTES: u32 = 128 * 1024;
/// Only a label: the collector is known by its certificate.
const AUTHORITY: &str = "http://collector.muster.internal";
/// What the name of each collector's root begins with.
const OUR_ISSUERS: &str = "CN=Muster ";

/// How the kernel treats a path, and how quickly it gives a silent one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathWatch {
    /// Between keep-alive probes, and before the first.
    pub keep_alive: Duration,
    /// Unanswered probes before the connection is reset.
    pub probes: u32,
    /// How long data may stay unacknowledged.
    pub user_timeout: Duration,
    /// Packets are small enough for every path, either way. Where one swallows large packets and whoever should say so is not
    /// heard, nothing else comes through.
    pub narrow: bool,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No name, no route, nobody listening, or cut on the way.
    #[error("{address}: cannot be reached")]
    Unreachable {
        /// What was dialled.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Nothing within [`STEP_TIMEOUT`].
    #[error("{address}: no answer within {} s", STEP_TIMEOUT.as_secs())]
    Silent {
        /// What was dialled.
        address: String,
    },
    /// Reached, but not the collector that this host believes.
    #[error("{address}: is not the collector this host trusts")]
    NotTrusted {
        /// What was dialled.
        address: String,
        /// What TLS said.
        #[source]
        source: rustls::Error,
    },
    /// The certificate's dates and our clock do not agree.
    #[error(
        "{address}: the collector's certificate is outside its dates; this machine's clock is probably wrong, check it with `timedatectl`"
    )]
    ClockWrong {
        /// What was dialled.
        address: String,
        /// What TLS said.
        #[source]
        source: rustls::Error,
    },
    /// A certificate of somebody else.
    #[error(
        "{address}: is not the collector this host trusts, its certificate is issued by {issuer:?}; if something on the way opens TLS, it must except {address}"
    )]
    Stranger {
        /// What was dialled.
        address: String,
        /// Who issued its certificate.
        issuer: String,
    },
    /// The proxy, or what lies behind it.
    #[error("{address}, through the proxy {proxy}: {trouble}")]
    Proxy {
        /// What was dialled.
        address: String,
        /// The proxy's `host:port`.
        proxy: String,
        /// What went wrong, and what to do.
        trouble: Box<Trouble>,
    },
    /// HTTP/2 did not start.
    #[error("{address}: the connection ended before it began")]
    Http {
        /// What was dialled.
        address: String,
        /// What the transport said.
        #[source]
        source: tonic::transport::Error,
    },
}

impl DialError {
    /// Whether somebody was there and then nothing came, or it was given up for that on the other side: as where large packets
    /// vanish on the way.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        use io::ErrorKind::{ConnectionReset, TimedOut};
        match self {
            Self::Silent { .. } => true,
            Self::Unreachable { source, .. } => matches!(source.kind(), ConnectionReset | TimedOut),
            Self::Proxy { trouble, .. } => matches!(**trouble, Trouble::Stuck | Trouble::Cut(_)),
            _ => false,
        }
    }
}

/// A live connection.
#[derive(Debug)]
pub struct Dialled {
    /// Speaks gRPC over it.
    pub channel: Channel,
    /// The same socket, to adjust [`PathWatch`] while it lives.
    pub socket: Socket,
}

/// Connects to `address` (`host:port`), through `proxy` where there is one, believing only whom `tls` believes under `name`.
/// `path` watches the way to the proxy then.
///
/// # Errors
/// [`DialError`] tells a network fault from a proxy's, from a wrong collector and from a wrong clock.
pub async fn dial(
    address: &str,
    proxy: Option<&Proxy>,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    path: PathWatch,
) -> Result<Dialled, DialError> {
    let unreachable = |source| DialError::Unreachable { address: address.to_owned(), source };
    let silent = |_| DialError::Silent { address: address.to_owned() };
    let behind = |proxy: &Proxy, trouble| DialError::Proxy {
        address: address.to_owned(),
        proxy: proxy.address().to_owned(),
        trouble: Box::new(trouble),
    };
    let stream = match proxy {
        Some(proxy) => proxy::through(proxy, address, path).await.map_err(|trouble| behind(proxy, trouble))?,
        None => timeout(STEP_TIMEOUT, reach::socket_to(address, path)).await.map_err(silent)?.map_err(unreachable)?,
    };
    let socket = platform::duplicate(&stream).map_err(unreachable)?;
    let handshake = timeout(STEP_TIMEOUT, TlsConnector::from(tls).connect(name, stream)).await;
    let stream = match (handshake, proxy) {
        (Ok(Ok(stream)), _) => stream,
        (Ok(Err(error)), None) => return Err(tls_failure(address, error)),
        (Err(_), None) => return Err(DialError::Silent { address: address.to_owned() }),
        (Err(_), Some(proxy)) => return Err(behind(proxy, Trouble::Stuck)),
        (Ok(Err(error)), Some(proxy)) => {
            return Err(match tls_failure(address, error) {
                DialError::Unreachable { source, .. } => behind(proxy, Trouble::Cut(source)),
                // What a collector's own certificate says: it is another collector, and nobody opens TLS.
                DialError::Stranger { address, issuer } if !issuer.contains(OUR_ISSUERS) => {
                    behind(proxy, Trouble::Inspected { issuer, address })
                }
                DialError::NotTrusted { source: rustls::Error::InvalidMessage(_), .. } => behind(proxy, Trouble::Page),
                other => other,
            });
        }
    };
    let channel = over(stream).await.map_err(|source| DialError::Http { address: address.to_owned(), source })?;
    Ok(Dialled { channel, socket })
}

/// Sets keep-alive and user time-out of a live socket.
///
/// # Errors
/// When the kernel refuses an option.
pub fn watch_path(socket: &Socket, path: PathWatch) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    platform::keep_alive(&socket, path.keep_alive, path.probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(path.user_timeout))?;
    Ok(())
}

/// Whether an error says that the other side refused our certificate because it has ended.
#[must_use]
pub fn is_expiry(error: &(dyn std::error::Error + 'static)) -> bool {
    alert(error) == Some(AlertDescription::CertificateExpired)
}

/// Whether an error says that the other side refused our certificate.
#[must_use]
pub fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    alert(error).is_some_and(|alert| REFUSALS.contains(&alert))
}

/// What TLS says on the other side when it does not take our certificate.
const REFUSALS: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
];

/// What TLS on the other side said when it broke off. In TLS 1.3 it does so after our part of the handshake, and of an error of
/// its connection h2 keeps nothing but the text.
fn alert(error: &(dyn std::error::Error + 'static)) -> Option<AlertDescription> {
    let mut next = Some(error);
    while let Some(error) = next {
        let tls = error
            .downcast_ref::<rustls::Error>()
            .or_else(|| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return Some(*alert);
        }
        let text = error.to_string();
        let says = |alert: &AlertDescription| text.ends_with(&rustls::Error::AlertReceived(*alert).to_string());
        if let Some(alert) = REFUSALS.into_iter().find(says) {
            return Some(alert);
        }
        next = error.source();
    }
    None
}

async fn over(stream: TlsStream<TcpStream>) -> Result<Channel, tonic::transport::Error> {
    let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = tower::service_fn(move |_| {
        let stream = once.lock().ok().and_then(|mut held| held.take());
        std::future::ready(stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static(AUTHORITY)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector(connector)
        .await
}

fn tls_failure(address: &str, error: io::Error) -> DialError {
    let address = address.to_owned();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) if is_about_time(tls) => DialError::ClockWrong { address, source: tls.clone() },
        Some(tls) => match stranger::issuer(tls) {
            Some(issuer) => DialError::Stranger { address, issuer },
            None => DialError::NotTrusted { address, source: tls.clone() },
        },
        None => DialError::Unreachable { address, source: error },
    }
}

//! Listening: TCP (with or without TLS) and the unix socket, with bounds on connections and time.

use std::{
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, unix::UCred},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::Door;

/// Connections held at once by one listener; more wait in the kernel's backlog.
pub const MAX_CONNECTIONS: usize = 1_000;
/// A client that says nothing for this long is let go; Prometheus dials anew when it scrapes less often.
const HEADER_WITHIN: Duration = Duration::from_secs(30);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// At shutdown running answers have this long.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);
/// After an error of `accept` (no descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Request heads are small; hyper's least is 8 KiB.
const HEAD_BYTES: usize = 32 * 1024;
/// Members may use the unix socket.
const GROUP: &str = "muster";
const SOCKET_MODE: u32 = 0o660;

/// The unix socket cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something else is at that path.
    #[error("{0} exists and is no socket: move it away")]
    NotASocket(PathBuf),
    /// Somebody listens there already.
    #[error("{0} is in use: another collector runs on this state directory")]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("the unix socket {path} cannot be offered")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The administrator's own certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file} cannot be used for HTTPS: {why}")]
pub struct OwnTlsError {
    file: PathBuf,
    why: String,
}

/// HTTPS with the administrator's own certificate chain and key (PEM files).
///
/// # Errors
/// [`OwnTlsError`] names the file and what is wrong with it.
pub fn tls_from_files(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, OwnTlsError> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let wrong = |file: &Path, why: String| OwnTlsError { file: file.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong(certificate, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| wrong(certificate, error.to_string()))?.with_no_client_auth();
    builder.with_single_cert(chain, private).map_err(|error| wrong(certificate, error.to_string()))
}

/// Serves people and Prometheus over TCP until `shutdown` turns true (or its sender is gone).
pub async fn serve_tcp(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    mut shutdown: watch::Receiver<bool>,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    let mut connections = Connections::new(&shutdown);
    loop {
        let turn = tokio::select! {
            turn = connections.turn() => turn,
            () = ended(&mut shutdown) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended(&mut shutdown) => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Small answers must not wait for the peer's delayed acknowledgement; failing to set it costs only time.
        let _ = stream.set_nodelay(true);
        let service = router.clone().layer(Extension(Door::Tcp { peer, tls: acceptor.is_some() }));
        match acceptor.clone() {
            None => connections.serve(stream, service, turn),
            Some(acceptor) => connections.serve_tls(acceptor, stream, service, turn),
        }
    }
    connections.drain().await;
}

/// A unix socket for the CLI; whoever connects from now on waits until it is served.
#[derive(Debug)]
pub struct CliDoor {
    path: PathBuf,
    listener: UnixListener,
    owner: u32,
    group: Option<u32>,
}

/// Offers the unix socket at `path` (mode 0660).
///
/// # Errors
/// [`SocketError`] when it cannot be made.
pub fn offer_unix(path: &Path) -> Result<CliDoor, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    clear_stale(path)?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    let group = group_id();
    if let Some(gid) = group {
        // Only where this process belongs to the group; elsewhere owner and root remain.
        let _ = std::os::unix::fs::chown(path, None, Some(gid));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    let owner = std::fs::metadata(path).map_err(failed)?.uid();
    Ok(CliDoor { path: path.to_owned(), listener, owner, group })
}

/// Serves the CLI until `shutdown` turns true (or its sender is gone).
pub async fn serve_unix(door: CliDoor, router: Router, mut shutdown: watch::Receiver<bool>) {
    let CliDoor { path, listener, owner, group } = door;
    let mut connections = Connections::new(&shutdown);
    loop {
        let turn = tokio::select! {
            turn = connections.turn() => turn,
            () = ended(&mut shutdown) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended(&mut shutdown) => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(peer) = stream.peer_cred() else { continue };
        let door = Door::Unix { uid: peer.uid(), trusted: is_trusted(&peer, owner, group) };
        connections.serve(stream, router.clone().layer(Extension(door)), turn);
    }
    connections.drain().await;
    let _ = std::fs::remove_file(path);
}

async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: the collector ends.
    let _ = shutdown.wait_for(|end| *end).await;
}

/// Removes the socket of a collector that is gone.
fn clear_stale(path: &Path) -> Result<(), SocketError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(SocketError::InUse(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(|source| SocketError::Io { path: path.to_owned(), source })
}

fn is_trusted(peer: &UCred, owner: u32, group: Option<u32>) -> bool {
    let in_group = |gid| peer.gid() == gid || supplementary_groups(peer.pid()).contains(&gid);
    peer.uid() == 0 || peer.uid() == owner || group.is_some_and(in_group)
}

/// The group's number in /etc/group.
fn group_id() -> Option<u32> {
    let text = std::fs::read_to_string("/etc/group").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == GROUP).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// The groups of a process beyond its first one (proc(5), `Groups:`).
fn supplementary_groups(pid: Option<i32>) -> Vec<u32> {
    let status = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok()).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    line.split_whitespace().filter_map(|gid| gid.parse().ok()).collect()
}

/// The connections of one listener, owned and ended with it.
struct Connections {
    turns: Arc<Semaphore>,
    tasks: JoinSet<()>,
    shutdown: watch::Receiver<bool>,
}

impl Connections {
    fn new(shutdown: &watch::Receiver<bool>) -> Self {
        Self { turns: Arc::new(Semaphore::new(MAX_CONNECTIONS)), tasks: JoinSet::new(), shutdown: shutdown.clone() }
    }

    /// Waits for a free place.
    async fn turn(&mut self) -> Option<OwnedSemaphorePermit> {
        while self.tasks.try_join_next().is_some() {}
        // The semaphore is never closed; without a permit the connection is served all the same.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    fn serve<S>(&mut self, stream: S, service: Router, turn: Option<OwnedSemaphorePermit>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            speak(stream, service, shutdown).await;
        });
    }

    fn serve_tls<S>(&mut self, acceptor: TlsAcceptor, stream: S, service: Router, turn: Option<OwnedSemaphorePermit>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let _turn = turn;
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
                speak(stream, service, shutdown).await;
            }
        });
    }

    async fn drain(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_WITHIN, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

async fn speak<S>(stream: S, service: Router, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    // A broken connection is the client's affair: it sees it, and nothing of ours is lost.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ended(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn whoever_asks_between_the_offer_and_the_service_waits_and_is_answered() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("api.sock");
        let door = offer_unix(&path).expect("a socket");
        let mut asked = tokio::net::UnixStream::connect(&path).await.expect("it is there");
        asked.write_all(b"GET / HTTP/1.1\r\nhost: muster\r\nconnection: close\r\n\r\n").await.expect("written");
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "here" }));
        let mut answer = String::new();
        let read = async {
            asked.read_to_string(&mut answer).await.expect("an answer");
            assert!(matches!(offer_unix(&path), Err(SocketError::InUse(_))));
            stop.send_replace(true);
        };
        tokio::join!(serve_unix(door, router, stopped), read);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        assert!(!path.exists());
    }
}

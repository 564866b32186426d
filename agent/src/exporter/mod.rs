//! EDGE. The agent as a literal `node_exporter`: `GET /metrics` for a Prometheus that scrapes this machine itself.
//!
//! It shows what [`collecting`](crate::collecting) last brought, so that a scrape costs a page and seldom a collection.
//! Whoever asks is unknown: one request per connection, few connections, little memory and little time for each.

mod negotiation;

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, SERVER, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::negotiation::Coding;
use crate::collecting::Ask;
use crate::exposition;

/// Connections served at once; more wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 8;
/// Prometheus waits 10 s for an answer by default, and sends its request at once.
const PATIENCE: Patience = Patience { head: Duration::from_secs(3), connection: Duration::from_secs(10) };
/// A collection ends within 1 s whatever hangs; later than this nobody answers.
const READINGS_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a request's head; hyper's least.
const HEAD_BYTES: usize = 8192;
/// After an error of `accept` (no descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// An address that cannot be had is tried again: a `node_exporter` is stopped, a network comes up.
const LISTEN_AGAIN: Duration = Duration::from_secs(30);
/// Who answers, by which [`doctor`](crate::doctor) knows its own agent.
pub const SERVER_NAME: &str = concat!("muster-agent/", env!("CARGO_PKG_VERSION"));

const LANDING: &str = "<!doctype html>\n<html lang=\"en\"><head><title>Muster agent</title></head>\n\
                       <body><h1>Muster agent</h1><p><a href=\"/metrics\">Metrics</a></p></body></html>\n";

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// To send the head of their request.
    head: Duration,
    /// From the first byte to the last.
    connection: Duration,
}

/// The exporter cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", why(.source, *.address))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl ListenError {
    /// Why `source` forbids to listen on `address`.
    #[must_use]
    pub fn new(address: SocketAddr, source: io::Error) -> Self {
        Self { address, source }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let port = self.address.port();
        match self.source.kind() {
            io::ErrorKind::AddrInUse => format!(
                "`ss -ltnp sport = :{port}` names the other program: stop it (for Debian's node_exporter: `systemctl \
                 disable --now prometheus-node-exporter`), or give `listen` below [exporter] another port"
            ),
            io::ErrorKind::PermissionDenied => "give `listen` below [exporter] a port from 1024 on".to_owned(),
            _ => "give `listen` below [exporter] an address of this machine (`ip address`), or 127.0.0.1".to_owned(),
        }
    }
}

fn why(source: &io::Error, address: SocketAddr) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => format!("port {} is taken by another program", address.port()),
        io::ErrorKind::PermissionDenied => format!("only root may use port {}", address.port()),
        _ => source.to_string(),
    }
}

/// Whether only this machine reaches the address.
#[must_use]
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Answers on `address` until it is dropped. While the address cannot be had it is tried again, and nothing else fails.
pub async fn serve(address: SocketAddr, asks: mpsc::Sender<Ask>) {
    let listener = listen(address, LISTEN_AGAIN).await;
    serve_on(listener, asks).await;
}

async fn serve_on(listener: TcpListener, asks: mpsc::Sender<Ask>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers must not wait for the peer's delayed acknowledgement; failing to set it costs only time.
                let _ = stream.set_nodelay(true);
                connections.spawn(speak(stream, is_loopback(peer), PATIENCE, asks.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn listen(address: SocketAddr, again: Duration) -> TcpListener {
    let mut said = None;
    loop {
        let source = match TcpListener::bind(address).await {
            Ok(listener) => {
                say_listening(address);
                return listener;
            }
            Err(source) => source,
        };
        let kind = source.kind();
        if said.replace(kind) != Some(kind) {
            let error = ListenError::new(address, source);
            let (remedy, again_s) = (error.remedy(), again.as_secs());
            tracing::error!(
                "the exporter {error}; {remedy}; the agent goes on without it and tries again each {again_s} s"
            );
        }
        tokio::time::sleep(again).await;
    }
}

fn say_listening(address: SocketAddr) {
    tracing::info!("the exporter listens on http://{address}/metrics");
    if !is_loopback(address) {
        tracing::warn!(
            "the exporter speaks plain HTTP and asks nobody who they are: everybody who reaches {address} reads this \
             machine's figures; guard the port with a firewall, or listen on 127.0.0.1"
        );
    }
}

async fn speak<S>(stream: S, is_near: bool, patience: Patience, asks: mpsc::Sender<Ask>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let mut response = answer(request.method(), request.uri().path(), request.headers(), is_near, &asks).await;
        response.headers_mut().insert(SERVER, HeaderValue::from_static(SERVER_NAME));
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A broken connection is the client's affair, and one that takes too long.
    let _ = tokio::time::timeout(patience.connection, connection).await;
}

type Answer = Response<Full<Bytes>>;

async fn answer(method: &Method, path: &str, headers: &HeaderMap, is_near: bool, asks: &mpsc::Sender<Ask>) -> Answer {
    match (path, method) {
        ("/metrics", &Method::GET | &Method::HEAD) => metrics(headers, is_near, asks).await,
        ("/", &Method::GET | &Method::HEAD) => whole(StatusCode::OK, "text/html; charset=utf-8", LANDING),
        ("/metrics" | "/", _) => {
            let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => words(StatusCode::NOT_FOUND, "there is only /metrics here\n"),
    }
}

async fn metrics(headers: &HeaderMap, is_near: bool, asks: &mpsc::Sender<Ask>) -> Answer {
    // The readings are let go with the page: who collects next would have to copy them otherwise.
    let (ask, readings) = oneshot::channel();
    let gathered = async {
        asks.send(ask).await.ok()?;
        readings.await.ok()
    };
    let Ok(Some(gathered)) = tokio::time::timeout(READINGS_WITHIN, gathered).await else {
        return words(StatusCode::SERVICE_UNAVAILABLE, "there are no readings now: the agent starts or stops\n");
    };
    let format = negotiation::format(headers);
    let page = exposition::page(&gathered.table, format);
    let small = (negotiation::coding(headers, is_near) == Coding::Gzip).then(|| gzip(page.as_bytes()).ok()).flatten();
    let coding = small.is_some().then_some((CONTENT_ENCODING, "gzip"));
    let mut response = whole(StatusCode::OK, format.content_type(), small.unwrap_or_else(|| page.into_bytes()));
    let told = std::iter::once((VARY, "Accept, Accept-Encoding")).chain(coding);
    response.headers_mut().extend(told.map(|(name, value): (HeaderName, _)| (name, HeaderValue::from_static(value))));
    response
}

/// What a client that sends these headers gets: the format, and whether it is compressed. For `tests/long fuzz`.
#[doc(hidden)]
#[must_use]
pub fn negotiated(headers: &HeaderMap, is_near: bool) -> (exposition::Format, bool) {
    (negotiation::format(headers), negotiation::coding(headers, is_near) == Coding::Gzip)
}

/// Fast and not small: level 6 takes ten times as long for a fifth less. A compressor for each page, which costs twice
/// its work, instead of one that keeps 300 KiB between two scrapes.
fn gzip(page: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 4), Compression::fast());
    encoder.write_all(page)?;
    encoder.finish()
}

fn words(status: StatusCode, text: &'static str) -> Answer {
    whole(status, "text/plain; charset=utf-8", text)
}

fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;

//! The wire as bytes: sessions kept in files, and both ends of a session whose messages nobody here decodes.
//!
//! What a later version of the messages no longer knows would be lost on its way through the generated types.

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use muster_agent::identity::{CURRENT, hyphenated};
use muster_agent::state::StateDir;
use prost::bytes::{Buf as _, BufMut as _};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Body, BoxFuture, BoxStream, Service, StdError, http};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::wait::within;

/// The only method of `muster.v1.Uplink`.
const SESSION: &str = "/muster.v1.Uplink/Session";
/// Messages between a story and the transport.
const QUEUED: usize = 64;
/// Long for an answer on a machine that does much else.
const ANSWER: Duration = Duration::from_secs(30);
/// An agent that failed before waits for up to a minute before it tries again.
const CALL: Duration = Duration::from_secs(120);
/// Who the collector of a [`Door`] is.
const COLLECTOR_ID: [u8; 16] = [0xab; 16];
const HOST_ID: [u8; 16] = [0xcd; 16];

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To the collector.
    Agent,
    /// To the agent.
    Collector,
}

/// The messages of one session, in the order in which they were heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording(pub Vec<(Side, Vec<u8>)>);

impl Recording {
    /// Reads a file: a line for each message, `>` to the collector or `<` to the agent, and its bytes in base64; `#` begins a
    /// comment.
    ///
    /// # Panics
    /// When it cannot be read, or is none.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let message = |line: &str| {
            let (side, bytes) = line.split_once(' ').expect("a side and its bytes");
            let side = if side == ">" { Side::Agent } else { Side::Collector };
            (side, BASE64.decode(bytes).expect("base64"))
        };
        Self(lines.map(message).collect())
    }

    /// Its text, below this comment.
    #[must_use]
    pub fn text(&self, comment: &str) -> String {
        let mut text: String = comment.lines().map(|line| format!("# {line}\n")).collect();
        for (side, bytes) in &self.0 {
            let side = if *side == Side::Agent { '>' } else { '<' };
            text.push_str(&format!("{side} {}\n", BASE64.encode(bytes)));
        }
        text
    }

    /// What one side said.
    #[must_use]
    pub fn of(&self, side: Side) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(said, _)| *said == side).map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// One end of a session.
#[derive(Debug)]
pub struct Line {
    /// Takes messages to the other end; dropped, the other end hears that this one has ended.
    pub say: mpsc::Sender<Vec<u8>>,
    /// Messages of the other end.
    pub hear: Streaming<Vec<u8>>,
}

impl Line {
    /// Opens a session whose first message is this one.
    ///
    /// # Errors
    /// The collector's refusal.
    pub async fn open(channel: Channel, first: Vec<u8>) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(QUEUED);
        let _ = say.try_send(first);
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(SESSION);
        let answer = client.streaming(Request::new(ReceiverStream::new(said)), path, Plain).await?;
        Ok(Self { say, hear: answer.into_inner() })
    }

    /// The next message of the other end; none once it has ended.
    ///
    /// # Errors
    /// How the session was broken.
    ///
    /// # Panics
    /// When the other end says nothing for long.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Status> {
        within("a message", ANSWER, self.hear.message()).await
    }
}

/// Bytes as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// A collector's door, behind which a story answers. Its authority is its own, made anew each time.
#[derive(Debug)]
pub struct Door {
    /// Where it listens.
    pub address: String,
    identity: String,
    calls: mpsc::Receiver<Line>,
    server: JoinHandle<()>,
}

impl Door {
    /// Opens one.
    ///
    /// # Panics
    /// When it cannot listen.
    #[expect(clippy::disallowed_methods, reason = "ended by drop")]
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let (tls, identity) = authority(&address);
        let (sender, calls) = mpsc::channel(QUEUED);
        let server = tokio::spawn(serve(listener, TlsAcceptor::from(tls), Answering(sender)));
        Self { address, identity, calls, server }
    }

    /// Enrols the agent with this state here.
    ///
    /// # Panics
    /// When its state cannot be written.
    pub fn enrol(&self, state: &Path) {
        let state = StateDir::open(state).expect("a state in a directory of our own");
        state.write(CURRENT, self.identity.as_bytes()).expect("a file in a directory of our own");
    }

    /// The next session that an agent opens.
    ///
    /// # Panics
    /// When none does.
    pub async fn call(&mut self) -> Line {
        within("a session", CALL, self.calls.recv()).await.expect("the door stays open")
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The TLS of a collector at this address, and the identity of a host that trusts it, as the agent keeps it.
fn authority(address: &str) -> (Arc<ServerConfig>, String) {
    let signed = |params: &CertificateParams, issuer: &Issuer<'_, KeyPair>| {
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, issuer).expect("a certificate").der().clone(), key)
    };
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let root = params.self_signed(&key).expect("a certificate").der().clone();
    let issuer = Issuer::new(params, key);
    let name = format!("collector.{}.muster.internal", hyphenated(&COLLECTOR_ID));
    let leaf = |name: Vec<String>, usage| {
        let mut params = CertificateParams::new(name).expect("a name");
        params.extended_key_usages = vec![usage];
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2090, 1, 1));
        params
    };
    let (server, server_key) = signed(&leaf(vec![name], ExtendedKeyUsagePurpose::ServerAuth), &issuer);
    let (host, host_key) = signed(&leaf(Vec::new(), ExtendedKeyUsagePurpose::ClientAuth), &issuer);
    let hex = |id: [u8; 16]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let identity = serde_json::json!({
        "host_id": hex(HOST_ID), "collector_id": hex(COLLECTOR_ID), "name": "recorded", "addresses": [address],
        "fingerprint": "", "key": host_key.serialize_pem(), "chain": [BASE64.encode(&host), BASE64.encode(&root)],
    });
    (tls(vec![server, root], &server_key), identity.to_string())
}

fn tls(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("key and certificate fit together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

#[expect(clippy::disallowed_methods, reason = "they end with their connections")]
async fn serve(listener: TcpListener, tls: TlsAcceptor, door: Answering) {
    let (accepted, incoming) = mpsc::channel(QUEUED);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = tls.accept(stream).await else { continue };
            // tonic takes a plain pipe; a task carries the bytes between it and TLS.
            let (near, mut far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut far).await });
            if accepted.send(Ok::<_, std::io::Error>(near)).await.is_err() {
                return;
            }
        }
    });
    let server = tonic::transport::Server::builder().add_service(door);
    let _ = server.serve_with_incoming(ReceiverStream::new(incoming)).await;
}

/// Gives the story each session.
#[derive(Debug, Clone)]
struct Answering(mpsc::Sender<Line>);

impl tonic::server::NamedService for Answering {
    const NAME: &'static str = "muster.v1.Uplink";
}

impl<B> Service<http::Request<B>> for Answering
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let session = Session(self.0.clone());
        Box::pin(async move { Ok(tonic::server::Grpc::new(Plain).streaming(session, request).await) })
    }
}

struct Session(mpsc::Sender<Line>);

impl tonic::server::StreamingService<Vec<u8>> for Session {
    type Response = Vec<u8>;
    type ResponseStream = BoxStream<Vec<u8>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let calls = self.0.clone();
        Box::pin(async move {
            let (say, said) = mpsc::channel(QUEUED);
            let line = Line { say, hear: request.into_inner() };
            calls.send(line).await.map_err(|_| Status::unavailable("the story is over"))?;
            Ok(Response::new(Box::pin(ReceiverStream::new(said).map(Ok)) as Self::ResponseStream))
        })
    }
}

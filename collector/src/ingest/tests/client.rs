//! A door on loopback with everything real behind it, and an agent that speaks TLS and HTTP/2 by hand.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use muster_proto::v1::{self, agent_message::Body, enrolment_client::EnrolmentClient, uplink_client::UplinkClient};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tonic::{Status, Streaming};

use crate::{
    clock::Clock,
    domain::{event::Event, host::slots::Slots, record::AuditRow},
    identity::{Identity, TokenKind, TokenSpec},
    ingest::{Context, IngestMetrics, Rooms, Sessions, serve},
    mailbox::Mailbox,
    store::Store,
};

pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) identity: Identity,
    pub(super) context: Arc<Context>,
    pub(super) events: mpsc::Receiver<Event>,
    address: SocketAddr,
    tasks: JoinSet<()>,
    _stop: oneshot::Sender<()>,
}

#[derive(Clone)]
pub(super) struct Channel(SendRequest<tonic::body::Body>);

impl tower::Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, hyper::Error>> + Send + 'static>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// What an enrolled agent holds.
pub(super) struct Papers {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(directory.path(), clock.now()).unwrap();
        let identity = Identity::open(directory.path(), store.clone(), clock.now()).unwrap();
        let (mailbox, events) = Mailbox::new();
        let rooms = Rooms {
            identity: identity.clone(),
            store,
            slots: Arc::new(Slots::default()),
            settings: Arc::default(),
            mailbox,
            hardware: Default::default(),
            clock,
            metrics: IngestMetrics::new(&prometheus::Registry::new()).unwrap(),
            sessions: Sessions::default(),
            snapshot: watch::channel(Arc::default()).1,
            addresses: vec!["collector:7460".into()],
            own_maintenance_ms: 4 * 3_600_000,
        };
        let context = Context::new(rooms).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let door = context.clone();
        tasks.spawn(async move {
            let _ = serve(listener, door, async { drop(stopped.await) }).await;
        });
        Self { directory, identity, context, events, address, tasks, _stop: stop }
    }

    pub(super) async fn token(&self) -> String {
        let spec = TokenSpec {
            kind: TokenKind::Single,
            ttl_ms: 3_600_000,
            uses: 1,
            from: Vec::new(),
            host: None,
            labels: Vec::new(),
            class: None,
            site: None,
            watch: None,
        };
        let now = self.context.now();
        let text = |text: &str| text.to_owned();
        let by = AuditRow {
            at: now,
            who: text("test"),
            from: text("test"),
            action: text("token.create"),
            subject: text("token"),
            detail: String::new(),
        };
        self.identity.create_token(spec, by, now).await.unwrap()
    }

    pub(super) async fn connect(&mut self, papers: Option<&Papers>) -> Channel {
        let mut roots = RootCertStore::empty();
        let root = std::fs::read(self.directory.path().join("authority/root.der")).unwrap();
        roots.add(CertificateDer::from(root)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match papers {
            Some(papers) => {
                let key = PrivateKeyDer::Pkcs8(papers.key.serialize_der().into());
                builder.with_client_auth_cert(papers.chain.clone(), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = format!("collector.{}.muster.internal", self.identity.collector_id());
        let socket = TcpStream::connect(self.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tls = connector.connect(ServerName::try_from(name).unwrap(), socket).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls));
        let (sender, connection) = handshake.await.unwrap();
        self.tasks.spawn(async move {
            let _ = connection.await;
        });
        Channel(sender)
    }

    pub(super) async fn enrol_with(&mut self, token: String) -> Result<(Papers, v1::Enrolled), Status> {
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
        let facts = v1::HostFacts { name: "web-1".into(), os: "linux".into(), ..v1::HostFacts::default() };
        let channel = self.connect(None).await;
        let nonce = key.public_key_raw()[1..17].to_vec();
        let request = v1::EnrolRequest { token, csr, nonce, facts: Some(facts), ..v1::EnrolRequest::default() };
        let enrolled = enrolments(channel).enrol(request).await?.into_inner();
        Ok((Papers { chain: certificates(&enrolled.certificate_chain), key }, enrolled))
    }

    pub(super) async fn enrol(&mut self) -> Papers {
        let token = self.token().await;
        let (papers, _) = self.enrol_with(token).await.unwrap();
        assert!(matches!(self.events.recv().await, Some(Event::Enrolled(_))));
        papers
    }

    pub(super) fn refused(&self, reason: &str) -> u64 {
        self.context.metrics().refused.with_label_values(&[reason]).get()
    }
}

pub(super) fn enrolments(channel: Channel) -> EnrolmentClient<Channel> {
    EnrolmentClient::with_origin(channel, http::Uri::from_static("https://collector"))
}

pub(super) fn uplink(channel: Channel) -> UplinkClient<Channel> {
    UplinkClient::with_origin(channel, http::Uri::from_static("https://collector"))
}

/// An agent's end of a session.
pub(super) struct Talk {
    pub(super) say: mpsc::Sender<v1::AgentMessage>,
    pub(super) hear: Streaming<v1::CollectorMessage>,
}

impl Talk {
    pub(super) async fn open(mut client: UplinkClient<Channel>) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(16);
        let outbound = tokio_stream::wrappers::ReceiverStream::new(said);
        let hear = client.session(outbound).await?.into_inner();
        Ok(Self { say, hear })
    }

    pub(super) async fn send(&self, body: Body) {
        self.say.send(v1::AgentMessage { body: Some(body) }).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> Result<v1::collector_message::Body, Status> {
        let message = self.hear.message().await?;
        message.and_then(|message| message.body).ok_or_else(|| Status::cancelled("the stream ended"))
    }

    /// Greets and returns the welcome.
    pub(super) async fn greet(&mut self, hello: v1::Hello) -> Result<v1::Welcome, Status> {
        self.send(Body::Hello(hello)).await;
        match self.next().await? {
            v1::collector_message::Body::Welcome(welcome) => Ok(welcome),
            other => panic!("not a welcome: {other:?}"),
        }
    }
}

pub(super) fn hello(boot: u8) -> v1::Hello {
    v1::Hello {
        protocol: muster_proto::PROTOCOL,
        version: "test".into(),
        boot_id: vec![boot; 16],
        epoch: vec![3; 16],
        ..v1::Hello::default()
    }
}

fn certificates(chain: &[u8]) -> Vec<CertificateDer<'static>> {
    let (mut rest, mut all) = (chain, Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (one, after) = tail.split_at(u32::from_be_bytes(*length) as usize);
        all.push(CertificateDer::from(one.to_vec()));
        rest = after;
    }
    all
}

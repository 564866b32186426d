//! A client that speaks `muster.v1` by hand, for saying what no agent of ours would say. Its enrolment and its dialling are
//! the agent's own; everything after is the story's.

use std::sync::Arc;
use std::time::Duration;

use muster_agent::clock;
use muster_agent::dial::{DialError, PathWatch, dial};
use muster_agent::identity::{self, CURRENT, CollectorVerifier, Enrolment, Identity, Outcome, Token, hyphenated};
use muster_agent::state::StateDir;
use muster_proto::v1::{self, agent_message, collector_message, uplink_client::UplinkClient};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, client::WantsClientCert};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::agent::Agent;
use crate::collector::Collector;

/// Messages between a story and the transport.
const OUTBOUND: usize = 16;
/// The collector answers within this, or the story fails; its own longest patience is 10 s.
const ANSWER: Duration = Duration::from_secs(20);
/// As the agent's at the normal level.
const PATH: PathWatch =
    PathWatch { keep_alive: Duration::from_secs(1), probes: 3, user_timeout: Duration::from_secs(3), narrow: false };

/// An enrolled host without an agent.
#[derive(Debug)]
pub struct Raw {
    identity: Identity,
    address: String,
    root: Vec<u8>,
    /// The host's id.
    pub host: String,
    /// The host's name, as enrolment told it.
    pub name: String,
}

impl Raw {
    /// Enrols a host that says these facts of itself.
    ///
    /// # Panics
    /// When it is not enrolled.
    pub async fn enrolled(collector: &Collector, facts: v1::HostFacts) -> Self {
        let home = TempDir::new().expect("a directory");
        let state = StateDir::open(home.path()).expect("a state in a directory of our own");
        let order = Enrolment {
            addresses: vec![collector.address()],
            proxy: None,
            token: Token::parse(&collector.token("normal").await).expect("a token as made"),
            facts,
            fingerprint: v1::Fingerprint::default(),
            replace: false,
        };
        match identity::enrol(&state, &order, clock::now).await {
            Ok(Outcome::Enrolled { identity, .. }) => Self::holding(collector, identity),
            other => panic!("enrolment: {other:?}\n{}", collector.log()),
        }
    }

    /// Holds the identity of an agent, as a thief of its state directory would.
    ///
    /// # Panics
    /// When the agent is not enrolled.
    #[must_use]
    pub fn stolen_from(agent: &Agent, collector: &Collector) -> Self {
        let state = StateDir::open(&agent.state()).expect("the agent's state");
        let identity = Identity::load(&state, CURRENT).expect("the agent's identity").expect("an enrolled agent");
        Self::holding(collector, identity)
    }

    /// The same host, whose collector is now this one.
    #[must_use]
    pub fn at(&self, collector: &Collector) -> Self {
        let (identity, root) = (self.identity.clone(), self.root.clone());
        Self { identity, address: collector.address(), root, host: self.host.clone(), name: self.name.clone() }
    }

    fn holding(collector: &Collector, identity: Identity) -> Self {
        let root = std::fs::read(collector.state().join("authority/root.der")).expect("the collector's root");
        let (host, name) = (hyphenated(&identity.host_id), identity.name.clone());
        Self { identity, address: collector.address(), root, host, name }
    }

    /// The URI that our authority writes into the certificate of `host`.
    #[must_use]
    pub fn uri_of(&self, host: &str) -> String {
        format!("muster://{}/host/{host}", hyphenated(&self.identity.collector_id))
    }

    /// Connects with the host's own certificate.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn connect(&self) -> Channel {
        let tls = self.identity.client_config().expect("an identity that was just made");
        self.dial(tls).await.expect("the collector answers")
    }

    /// The same, unless nobody answers.
    pub async fn try_connect(&self) -> Option<Channel> {
        let tls = self.identity.client_config().ok()?;
        self.dial(tls).await.ok()
    }

    /// Connects without a certificate.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn connect_anonymously(&self) -> Channel {
        self.dial(speaking_h2(self.believing().with_no_client_auth())).await.expect("the collector answers")
    }

    /// Connects with a certificate of the story's own making.
    ///
    /// # Errors
    /// When the collector notices within the handshake.
    ///
    /// # Panics
    /// When key and certificate do not fit together.
    pub async fn connect_as(&self, certificate: Vec<u8>, key: Vec<u8>) -> Result<Channel, DialError> {
        let key = PrivateKeyDer::try_from(key).expect("a key in DER");
        let config = self.believing().with_client_auth_cert(vec![CertificateDer::from(certificate)], key);
        self.dial(speaking_h2(config.expect("key and certificate fit together"))).await
    }

    async fn dial(&self, tls: Arc<ClientConfig>) -> Result<Channel, DialError> {
        Ok(dial(&self.address, None, tls, self.identity.server_name(), PATH).await?.channel)
    }

    fn believing(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let verifier = CollectorVerifier::new(&CertificateDer::from(self.root.clone())).expect("a root certificate");
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
    }

    /// Opens a session and is welcomed; all it says is compressed when `gzip`.
    ///
    /// # Errors
    /// The collector's refusal.
    pub async fn session(&self, hello: v1::Hello, gzip: bool) -> Result<Talk, Status> {
        let mut talk = Talk::open(self.connect().await, gzip, Some(hello)).await?;
        match talk.next().await? {
            collector_message::Body::Welcome(_) => Ok(talk),
            other => Err(Status::internal(format!("not a welcome: {other:?}"))),
        }
    }
}

fn speaking_h2(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A session, as its client holds it.
#[derive(Debug)]
pub struct Talk {
    say: mpsc::Sender<v1::AgentMessage>,
    hear: Streaming<v1::CollectorMessage>,
}

impl Talk {
    /// Opens the stream and says `hello`, or nothing at all.
    ///
    /// # Errors
    /// The collector's refusal.
    pub async fn open(channel: Channel, gzip: bool, hello: Option<v1::Hello>) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(OUTBOUND);
        if let Some(hello) = hello {
            let _ = say.try_send(v1::AgentMessage { body: Some(agent_message::Body::Hello(hello)) });
        }
        let mut client = UplinkClient::new(channel);
        if gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let opening = client.session(ReceiverStream::new(said));
        let answer = tokio::time::timeout(ANSWER, opening).await;
        let hear = answer.map_err(|_| Status::deadline_exceeded("the collector does not answer"))??.into_inner();
        Ok(Self { say, hear })
    }

    /// Says something. False when the stream has ended; why is heard with [`Talk::next`].
    pub async fn send(&self, body: agent_message::Body) -> bool {
        self.say.send(v1::AgentMessage { body: Some(body) }).await.is_ok()
    }

    /// The next thing the collector says.
    ///
    /// # Errors
    /// Its refusal, or the end of the stream.
    pub async fn next(&mut self) -> Result<collector_message::Body, Status> {
        let message = tokio::time::timeout(ANSWER, self.hear.message()).await;
        let message = message.map_err(|_| Status::deadline_exceeded("the collector says nothing"))??;
        message.and_then(|message| message.body).ok_or_else(|| Status::cancelled("the stream ended"))
    }

    /// Listens until the collector ends the stream, and returns why.
    pub async fn refusal(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }

    /// Listens until the collector acknowledges records through `sequence`.
    ///
    /// # Errors
    /// Its refusal, or the end of the stream.
    pub async fn acknowledged(&mut self, sequence: u64) -> Result<(), Status> {
        loop {
            if let collector_message::Body::Ack(ack) = self.next().await?
                && ack.through >= sequence
            {
                return Ok(());
            }
        }
    }
}

/// What an agent says first, booted as `boot`, with nothing spooled.
#[must_use]
pub fn hello(boot: u8) -> v1::Hello {
    v1::Hello {
        protocol: muster_proto::PROTOCOL,
        version: "raw".into(),
        boot_id: vec![boot; 16],
        epoch: vec![3; 16],
        clock: Some(now()),
        ..v1::Hello::default()
    }
}

/// Facts with this name and nothing else of interest.
#[must_use]
pub fn facts(name: &str) -> v1::HostFacts {
    v1::HostFacts { name: name.into(), os: "linux".into(), ..v1::HostFacts::default() }
}

/// Both clocks of this machine.
#[must_use]
pub fn now() -> v1::Clock {
    let now = clock::now();
    v1::Clock { wall_ms: now.wall_ms, boottime_ms: now.boottime_ms }
}

/// A record of `bytes` zeros.
#[must_use]
pub fn record(sequence: u64, bytes: usize) -> agent_message::Body {
    let evidence = v1::Evidence {
        source: "processes".into(),
        part: "part".into(),
        payload: vec![0; bytes],
        format: 1,
        ..v1::Evidence::default()
    };
    agent_message::Body::Record(v1::Record {
        sequence,
        boot_id: vec![1; 16],
        clock: Some(now()),
        body: Some(v1::record::Body::Evidence(evidence)),
    })
}

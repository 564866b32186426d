use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rcgen::PublicKeyData as _;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::clock::Moment;

/// A throw-away certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) root: CertificateDer<'static>,
}

pub(crate) const COLLECTOR_ID: [u8; 16] = [0xab; 16];
pub(crate) const HOST_ID: [u8; 16] = [0xcd; 16];

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    pub(crate) fn token(&self) -> Token {
        let pin = hex(&pin_of(&self.root).unwrap());
        Token::parse(&format!("mu1_abcd1234_{}_{pin}", "s".repeat(43))).unwrap()
    }

    /// A server's TLS, its certificate valid from `years.0` to `years.1`.
    pub(crate) fn server(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf, self.root.clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// The chain for the key in a signing request, as the wire carries it.
    pub(crate) fn chain_for(&self, csr: &[u8]) -> Vec<u8> {
        let request = rcgen::CertificateSigningRequestParams::from_der(&csr.to_vec().into()).unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2090, 1, 1));
        let leaf = params.signed_by(&request.public_key, &self.issuer).unwrap().der().clone();
        [leaf, self.root.clone()]
            .iter()
            .flat_map(|der| [&u32::try_from(der.len()).unwrap().to_be_bytes()[..], der].concat())
            .collect()
    }

    /// An identity as an enrolment leaves it.
    pub(crate) fn identity(&self, address: String) -> Identity {
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
        Identity {
            host_id: HOST_ID,
            collector_id: COLLECTOR_ID,
            name: "web-1".into(),
            addresses: vec![address],
            fingerprint: v1::Fingerprint { machine_id: vec![1; 16], ..Default::default() },
            key_pem: key.serialize_pem(),
            chain: split_chain(&self.chain_for(&csr)).unwrap(),
        }
    }
}

/// Answers one enrolment after another, remembers the requests, and drops the first `lost` replies.
struct Door {
    authority: Authority,
    lost: AtomicUsize,
    requests: std::sync::Mutex<Vec<v1::EnrolRequest>>,
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for Shared {
    async fn enrol(
        &self,
        request: tonic::Request<v1::EnrolRequest>,
    ) -> Result<tonic::Response<v1::Enrolled>, tonic::Status> {
        let request = request.into_inner();
        let door = &self.0;
        let chain = door.authority.chain_for(&request.csr);
        door.requests.lock().unwrap().push(request);
        if door.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(tonic::Status::unavailable("the reply is lost"));
        }
        Ok(tonic::Response::new(v1::Enrolled {
            certificate_chain: chain,
            host_id: HOST_ID.to_vec(),
            server_wall_ms: 5_000,
            addresses: vec!["muster.example.org:7460".into()],
            collector_id: COLLECTOR_ID.to_vec(),
            name: "web-1".into(),
        }))
    }
    async fn recover(
        &self,
        _: tonic::Request<v1::RecoverRequest>,
    ) -> Result<tonic::Response<v1::Enrolled>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }
    async fn renew(&self, _: tonic::Request<v1::RenewRequest>) -> Result<tonic::Response<v1::Enrolled>, tonic::Status> {
        Err(tonic::Status::unimplemented(""))
    }
}

#[derive(Clone)]
struct Shared(Arc<Door>);

/// Serves gRPC routes over TLS on loopback; returns the address.
pub(crate) async fn serve(tls: Arc<ServerConfig>, routes: tonic::service::Routes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (accepted, incoming) = tokio::sync::mpsc::channel(8);
    #[expect(clippy::disallowed_methods, reason = "the test's runtime owns its server and ends with it")]
    {
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = TlsAcceptor::from(tls.clone()).accept(stream).await {
                    // tonic takes a plain pipe; a task carries the bytes between it and TLS.
                    let (near, mut far) = tokio::io::duplex(64 * 1024);
                    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut far).await });
                    let _ = accepted.send(Ok::<_, std::io::Error>(near)).await;
                }
            }
        });
        let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
        tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
    }
    address
}

fn order(address: &str, token: Token) -> Enrolment {
    Enrolment {
        addresses: vec![address.to_owned()],
        proxy: None,
        token,
        facts: v1::HostFacts::default(),
        fingerprint: v1::Fingerprint { machine_id: vec![1; 16], product_uuid: vec![2; 16], ..Default::default() },
        replace: false,
    }
}

fn now() -> Moment {
    Moment { wall_ms: 1_000, boottime_ms: 0 }
}

async fn door(years: (i32, i32), lost: usize) -> (Arc<Door>, String, tempfile::TempDir, StateDir) {
    let authority = Authority::new();
    let tls = authority.server("enrol.muster.internal", years);
    let door = Arc::new(Door { authority, lost: AtomicUsize::new(lost), requests: Default::default() });
    let routes = tonic::service::Routes::new(v1::enrolment_server::EnrolmentServer::new(Shared(door.clone())));
    let address = serve(tls, routes).await;
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    (door, address, dir, state)
}

#[tokio::test]
async fn machine_enrols_once_and_a_second_time_changes_nothing() {
    let (door, address, _dir, state) = door((2020, 2090), 0).await;
    let order = order(&address, door.authority.token());
    let Outcome::Enrolled { identity, clock_offset_ms, clock_wrong } = enrol(&state, &order, now).await.unwrap() else {
        panic!("it was not enrolled before")
    };
    assert_eq!((identity.host_id, clock_offset_ms, clock_wrong), (HOST_ID, 4_000, false));
    assert_eq!(identity.addresses, [address, "muster.example.org:7460".to_owned()]);
    assert!(matches!(enrol(&state, &order, now).await.unwrap(), Outcome::Already(_)));
    assert_eq!(door.requests.lock().unwrap().len(), 1);
    assert!(Identity::load(&state, CURRENT).unwrap().is_some());
}

#[tokio::test]
async fn lost_reply_is_repeated_with_the_same_nonce_and_key() {
    let (door, address, _dir, state) = door((2020, 2090), 1).await;
    enrol(&state, &order(&address, door.authority.token()), now).await.unwrap();
    let requests = door.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].nonce, requests[1].nonce);
    assert_eq!(requests[0].nonce.len(), 16);
    let key = |n: usize| {
        rcgen::CertificateSigningRequestParams::from_der(&requests[n].csr.clone().into())
            .unwrap()
            .public_key
            .der_bytes()
            .to_vec()
    };
    assert_eq!(key(0), key(1));
}

#[tokio::test]
async fn copy_of_an_enrolled_machine_enrols_as_its_own_and_leaves_the_originals_records_aside() {
    let (door, address, dir, state) = door((2020, 2090), 0).await;
    let mut order = order(&address, door.authority.token());
    enrol(&state, &order, now).await.unwrap();
    std::fs::create_dir(dir.path().join("spool")).unwrap();
    order.fingerprint = v1::Fingerprint { machine_id: vec![8; 16], product_uuid: vec![9; 16], ..Default::default() };
    assert!(matches!(enrol(&state, &order, now).await.unwrap(), Outcome::Enrolled { .. }));
    assert!(dir.path().join("spool.copied-1000").exists() && dir.path().join("identity.json.replaced-1000").exists());
    let requests = door.requests.lock().unwrap();
    assert_ne!(requests[0].nonce, requests[1].nonce);
}

#[tokio::test]
async fn clock_outside_the_certificates_dates_enrols_and_says_so() {
    for years in [(2070, 2090), (2001, 2002)] {
        let (door, address, _dir, state) = door(years, 0).await;
        let outcome = enrol(&state, &order(&address, door.authority.token()), now).await.unwrap();
        assert!(matches!(outcome, Outcome::Enrolled { clock_wrong: true, .. }), "{years:?}");
    }
}

#[tokio::test]
async fn server_with_another_root_hears_no_token() {
    let (honest, impostor) = (Authority::new(), Authority::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tls = impostor.server("enrol.muster.internal", (2020, 2090));
    let heard = AtomicBool::new(false);
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = TlsAcceptor::from(tls).accept(stream).await {
            let mut byte = [0];
            heard.store(matches!(stream.read(&mut byte).await, Ok(1)), Ordering::Relaxed);
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let order = order(&address, honest.token());
    let (refusal, ()) = tokio::join!(enrol(&state, &order, now), server);
    assert!(matches!(refusal.unwrap_err(), EnrolError::WrongPin { .. }));
    assert!(!heard.load(Ordering::Relaxed), "no application data may leave before the pin is verified");
    assert!(Identity::load(&state, CURRENT).unwrap().is_none());
}

#[tokio::test]
async fn collector_is_known_by_its_name_and_dates_and_never_by_its_address() {
    let authority = Authority::new();
    let own = format!("collector.{}.muster.internal", hyphenated(&COLLECTOR_ID));
    let other = format!("collector.{}.muster.internal", hyphenated(&[1; 16]));
    for (name, years, verdict) in
        [(&own, (2020, 2090), "ok"), (&other, (2020, 2090), "NotTrusted"), (&own, (2001, 2002), "ClockWrong")]
    {
        let address = serve(authority.server(name, years), tonic::service::Routes::default()).await;
        let identity = authority.identity(address.clone());
        let path = crate::uplink::Watch::Normal.path();
        let dialled =
            crate::dial::dial(&address, None, identity.client_config().unwrap(), identity.server_name(), path).await;
        let text = dialled.map_or_else(|error| format!("{error:?}"), |_| "ok".to_owned());
        assert!(text.starts_with(verdict), "{name} {years:?}: {text}");
    }
}

#[test]
fn identity_file_that_is_empty_or_half_written_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let identity = Authority::new().identity("localhost:1".into());
    identity.save(&state, CURRENT).unwrap();
    assert_eq!(Identity::load(&state, CURRENT).unwrap().unwrap().host_id, HOST_ID);
    let whole = std::fs::read(state.file(CURRENT)).unwrap();
    for content in [&b""[..], &whole[..whole.len() / 2], b"{}"] {
        state.write(CURRENT, content).unwrap();
        let refusal = Identity::load(&state, CURRENT).unwrap_err().to_string();
        assert!(refusal.contains("identity.json") && refusal.contains("muster-agent enrol"), "{refusal}");
    }
}

/// A disk that turned a bit of a date: no renewal could be reckoned from it.
#[test]
fn identity_whose_certificate_ends_before_it_begins_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let authority = Authority::new();
    let (mut identity, key) = (authority.identity("localhost:1".into()), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 2), rcgen::date_time_ymd(2026, 1, 1));
    identity.chain[0] = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    identity.key_pem = key.serialize_pem();
    identity.save(&state, CURRENT).unwrap();
    let refusal = Identity::load(&state, CURRENT).unwrap_err().to_string();
    assert!(refusal.contains("ends before it begins") && refusal.contains("muster-agent enrol"), "{refusal}");
}

#[test]
fn chain_with_wrong_lengths_is_refused() {
    for wrong in [&[0, 0, 0][..], &[0, 0, 0, 9, 1], &[255, 255, 255, 255], &[0, 0, 0, 1, 1], &[0; 40]] {
        assert!(split_chain(wrong).is_none());
    }
}

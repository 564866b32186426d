//! Joining, and getting the next certificate.
//!
//! Key and nonce are on disk before anything is sent: whatever happens to the reply, the next try is the same request
//! and gives the same host. The token leaves the machine only after the pinned root answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster_proto::v1;
use muster_proto::v1::enrolment_client::EnrolmentClient;
use rcgen::PublicKeyData as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{
    CURRENT, CollectorVerifier, Identity, IdentityError, NEXT, PinVerifier, Token, config_believing, copied, hex,
    pin_of, random, speaking_h2, split_chain, unhex,
};
use crate::clock::Moment;
use crate::dial::{DialError, PathWatch, Proxy, Trouble, dial};
use crate::state::{StateDir, StateError};

/// Key and nonce of an enrolment that has not been answered yet.
const PENDING: &str = "enrolment.json";
/// The name asked for before the collector's own name is known.
const SERVER_NAME: &str = "enrol.muster.internal";
/// One request, answered.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// Rounds over all addresses, and the pause before each: a collector that starts or sheds load is worth a second try.
const ROUNDS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(4)];
/// Connections for enrolment are short.
const PATH: PathWatch =
    PathWatch { keep_alive: Duration::from_secs(5), probes: 3, user_timeout: Duration::from_secs(20), narrow: false };

/// Why an enrolment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// An identity that is there already.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Nobody to ask.
    #[error("no collector is named; give --collector HOST:PORT or [collector] addresses in agent.toml")]
    NoAddress,
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server's root is not the one in the token: nothing was sent.
    #[error(
        "{address}: the server is not the collector that made this token{}, nothing was sent to it; check the address, or make a new token on that collector",
        issued(.issuer)
    )]
    WrongPin {
        /// What was dialled.
        address: String,
        /// Who issued its certificate, where that could be read.
        issuer: Option<String>,
    },
    /// The collector said no.
    #[error("the collector refused: {message}")]
    Refused {
        /// Its words.
        message: String,
    },
    /// The collector cannot answer now.
    #[error("the collector cannot answer now: {message}; try again later, it is safe to repeat")]
    Unavailable {
        /// Its words.
        message: String,
    },
    /// The reply does not hold together.
    #[error("the collector's reply is not usable: {0}")]
    Reply(&'static str),
}

/// What an enrolment says and to whom.
#[derive(Debug)]
pub struct Enrolment {
    /// `host:port`, tried in turn.
    pub addresses: Vec<String>,
    /// The way to them, where it is not direct.
    pub proxy: Option<Proxy>,
    /// The join token.
    pub token: Token,
    /// What the machine is.
    pub facts: v1::HostFacts,
    /// What it looks like.
    pub fingerprint: v1::Fingerprint,
    /// Replace an identity that works.
    pub replace: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// A new identity is on disk.
    Enrolled {
        /// The identity.
        identity: Identity,
        /// The collector's clock minus ours, milliseconds.
        clock_offset_ms: i64,
        /// Our clock lies outside the dates of the collector's certificate.
        clock_wrong: bool,
    },
    /// There was one already; nothing was sent.
    Already(Identity),
}

#[derive(Serialize, Deserialize)]
struct Pending {
    nonce: String,
    key: String,
    fingerprint: String,
}

/// Enrols this machine, or finds that it is enrolled. `now` is asked again after the reply, for the clock's offset.
///
/// # Errors
/// [`EnrolError`]; repeating the call is always safe and never makes a second host.
pub async fn enrol(state: &StateDir, order: &Enrolment, now: fn() -> Moment) -> Result<Outcome, EnrolError> {
    let old = match Identity::load(state, CURRENT) {
        Ok(old) => old,
        Err(IdentityError::Content { .. }) if order.replace => None,
        Err(error) => return Err(error.into()),
    };
    let is_copy = old.as_ref().is_some_and(|old| copied(&old.fingerprint, &order.fingerprint).is_err());
    match old {
        Some(old) if !order.replace && !is_copy => return Ok(Outcome::Already(old)),
        _ => {}
    }
    if order.addresses.is_empty() {
        return Err(EnrolError::NoAddress);
    }
    let (nonce, key) = pending(state, &order.fingerprint)?;
    let request = v1::EnrolRequest {
        token: order.token.reveal().to_owned(),
        csr: signing_request(&key)?,
        nonce: nonce.to_vec(),
        fingerprint: Some(order.fingerprint.clone()),
        facts: Some(order.facts.clone()),
        wall_ms: now().wall_ms,
    };
    let (reply, clock_wrong) = ask_all(order, request).await?;
    let answered = now();
    let identity = accept(reply.clone(), &key, order)?;
    if is_copy {
        // What the original had not sent yet is the original's to send.
        for name in ["spool", "session.json", "alive.log", "settings.json"] {
            state.set_aside(name, "copied", answered.wall_ms)?;
        }
    }
    state.set_aside(CURRENT, "replaced", answered.wall_ms)?;
    state.remove(NEXT)?;
    identity.save(state, CURRENT)?;
    state.remove(PENDING)?;
    Ok(Outcome::Enrolled { identity, clock_offset_ms: reply.server_wall_ms - answered.wall_ms, clock_wrong })
}

/// Asks for the next certificate, with a new key, over the session's own connection.
///
/// # Errors
/// [`EnrolError`]; the identity in use is untouched either way.
pub async fn renew(channel: Channel, current: Identity) -> Result<Identity, EnrolError> {
    let key = rcgen::KeyPair::generate().map_err(IdentityError::from)?;
    let mut request = tonic::Request::new(v1::RenewRequest { csr: signing_request(&key)? });
    request.set_timeout(REPLY_TIMEOUT);
    let reply = EnrolmentClient::new(channel).renew(request).await.map_err(|status| refusal(&status))?.into_inner();
    current.with_next(&reply.certificate_chain, &key)
}

impl Identity {
    /// The same host with the next key and the certificate for it that a reply brought.
    fn with_next(self, chain: &[u8], key: &rcgen::KeyPair) -> Result<Self, EnrolError> {
        let chain = fitting_chain(chain, key)?;
        if chain.last() != self.chain.last() {
            return Err(EnrolError::Reply("it names another root"));
        }
        let next = Self { key_pem: key.serialize_pem(), chain, ..self };
        next.client_config()?;
        Ok(next)
    }
}

/// What the key of a certificate that has ended signs to get the next one: for what it is, at which collector, of which host,
/// this one try, and SHA-256 of the request.
const RECOVERY: &[u8] = b"muster recover v1";

/// Asks for the next certificate when the present one has ended, as after months in a cupboard: proves at one of `addresses`,
/// through `proxy` where there is one, that this machine still has the key, to a collector that it knows by its root.
///
/// # Errors
/// [`EnrolError`]; the identity in use is untouched either way.
pub async fn recover(
    addresses: Vec<String>,
    proxy: Option<Proxy>,
    narrow: bool,
    current: Identity,
) -> Result<Identity, EnrolError> {
    let path = PathWatch { narrow, ..PATH };
    let key = rcgen::KeyPair::generate().map_err(IdentityError::from)?;
    let (csr, nonce) = (signing_request(&key)?, random::<16>());
    let digest = ring::digest::digest(&ring::digest::SHA256, &csr);
    let text = [RECOVERY, &current.collector_id, &current.host_id, &nonce, digest.as_ref()].concat();
    let request = v1::RecoverRequest {
        host_id: current.host_id.to_vec(),
        csr,
        nonce: nonce.to_vec(),
        signature: current.sign(&text)?,
        certificate: current.chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default(),
    };
    let mut last = EnrolError::NoAddress;
    for address in addresses {
        match ask_late(&address, proxy.as_ref(), path, &current, request.clone()).await {
            Ok(reply) => return current.with_next(&reply.certificate_chain, &key),
            Err(error @ EnrolError::Refused { .. }) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Without a certificate of our own: the one we have is what TLS refuses.
async fn ask_late(
    address: &str,
    proxy: Option<&Proxy>,
    path: PathWatch,
    current: &Identity,
    request: v1::RecoverRequest,
) -> Result<v1::Enrolled, EnrolError> {
    let root = current.chain.last().ok_or(EnrolError::Reply("there is no root to know the collector by"))?;
    let verifier = CollectorVerifier::new(root).map_err(IdentityError::from)?;
    let tls = speaking_h2(config_believing(std::sync::Arc::new(verifier)).with_no_client_auth());
    let dialled = dial(address, proxy, tls, current.server_name(), path).await?;
    let mut request = tonic::Request::new(request);
    request.set_timeout(REPLY_TIMEOUT);
    let reply = EnrolmentClient::new(dialled.channel).recover(request).await.map_err(|status| refusal(&status))?;
    Ok(reply.into_inner())
}

/// The nonce and key of the enrolment under way: those on disk, or new ones put there.
fn pending(state: &StateDir, fingerprint: &v1::Fingerprint) -> Result<([u8; 16], rcgen::KeyPair), EnrolError> {
    use prost::Message as _;
    let print = fingerprint.encode_to_vec();
    let kept = state.read_private(PENDING)?.and_then(|bytes| {
        let kept: Pending = serde_json::from_slice(&bytes).ok()?;
        // An unanswered enrolment in a golden image must not make one host of all its copies.
        let then = v1::Fingerprint::decode(&unhex(&kept.fingerprint)?[..]).ok()?;
        copied(&then, fingerprint).ok()?;
        let nonce = unhex(&kept.nonce)?.try_into().ok()?;
        Some((nonce, rcgen::KeyPair::from_pem(&kept.key).ok()?))
    });
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let nonce: [u8; 16] = random();
    let key = rcgen::KeyPair::generate().map_err(IdentityError::from)?;
    let pending = Pending { nonce: hex(&nonce), key: key.serialize_pem(), fingerprint: hex(&print) };
    let bytes = serde_json::to_vec(&pending).expect("strings only: nothing in it can fail to serialise");
    state.write(PENDING, &bytes)?;
    Ok((nonce, key))
}

fn signing_request(key: &rcgen::KeyPair) -> Result<Vec<u8>, EnrolError> {
    let request = rcgen::CertificateParams::default().serialize_request(key).map_err(IdentityError::from)?;
    Ok(request.der().to_vec())
}

async fn ask_all(order: &Enrolment, request: v1::EnrolRequest) -> Result<(v1::Enrolled, bool), EnrolError> {
    let mut last = EnrolError::NoAddress;
    // Each second round is for paths that swallow large packets.
    for (pause, narrow) in ROUNDS.into_iter().zip([false, true].into_iter().cycle()) {
        tokio::time::sleep(pause).await;
        let path = PathWatch { narrow, ..PATH };
        for address in &order.addresses {
            match ask(address, order, path, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) if is_final(&error) => return Err(error),
                Err(error @ (EnrolError::Dial(_) | EnrolError::Unavailable { .. })) => last = error,
                Err(error @ EnrolError::WrongPin { .. }) if order.addresses.len() > 1 => last = error,
                Err(error) => return Err(error),
            }
        }
    }
    Err(last)
}

/// A proxy that does not let this machine through, or opens TLS, is not asked again at once.
fn is_final(error: &EnrolError) -> bool {
    let EnrolError::Dial(DialError::Proxy { trouble, .. }) = error else { return false };
    !matches!(
        **trouble,
        Trouble::Unreachable(_)
            | Trouble::Silent
            | Trouble::NoAnswer
            | Trouble::Closed
            | Trouble::Cut(_)
            | Trouble::Stuck
    )
}

fn issued(issuer: &Option<String>) -> String {
    issuer.as_ref().map(|issuer| format!(" (its certificate is issued by {issuer:?})")).unwrap_or_default()
}

async fn ask(
    address: &str,
    order: &Enrolment,
    path: PathWatch,
    request: v1::EnrolRequest,
) -> Result<(v1::Enrolled, bool), EnrolError> {
    let (verifier, clock_wrong) = PinVerifier::new(order.token.pin());
    let tls = speaking_h2(config_believing(std::sync::Arc::new(verifier)).with_no_client_auth());
    let name = ServerName::try_from(SERVER_NAME).expect("a constant DNS name");
    let dialled = dial(address, order.proxy.as_ref(), tls, name, path).await.map_err(|error| match error {
        DialError::NotTrusted { address, .. } => EnrolError::WrongPin { address, issuer: None },
        DialError::Stranger { address, issuer } => EnrolError::WrongPin { address, issuer: Some(issuer) },
        other => other.into(),
    })?;
    let mut request = tonic::Request::new(request);
    request.set_timeout(REPLY_TIMEOUT);
    let reply = EnrolmentClient::new(dialled.channel).enrol(request).await.map_err(|status| refusal(&status))?;
    Ok((reply.into_inner(), clock_wrong.load(Ordering::Relaxed)))
}

fn refusal(status: &Status) -> EnrolError {
    let message = if status.message().is_empty() { status.code().description() } else { status.message() }.to_owned();
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::ResourceExhausted => EnrolError::Unavailable { message },
        _ => EnrolError::Refused { message },
    }
}

fn accept(reply: v1::Enrolled, key: &rcgen::KeyPair, order: &Enrolment) -> Result<Identity, EnrolError> {
    let chain = fitting_chain(&reply.certificate_chain, key)?;
    let root = chain.last().ok_or(EnrolError::Reply("it has no root"))?;
    if pin_of(root).map_err(IdentityError::from)? != order.token.pin() {
        return Err(EnrolError::Reply("its root is not the token's"));
    }
    let mut addresses = order.addresses.clone();
    for address in reply.addresses {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let identity = Identity {
        host_id: reply.host_id.try_into().map_err(|_| EnrolError::Reply("its host id is not 16 bytes"))?,
        collector_id: reply.collector_id.try_into().map_err(|_| EnrolError::Reply("its own id is not 16 bytes"))?,
        name: reply.name,
        addresses,
        fingerprint: order.fingerprint.clone(),
        key_pem: key.serialize_pem(),
        chain,
    };
    identity.client_config()?;
    Ok(identity)
}

/// The chain in a reply, if its leaf certifies `key`.
fn fitting_chain(bytes: &[u8], key: &rcgen::KeyPair) -> Result<Vec<CertificateDer<'static>>, EnrolError> {
    let chain = split_chain(bytes).ok_or(EnrolError::Reply("its certificate chain cannot be read"))?;
    let leaf =
        ParsedCertificate::try_from(&chain[0]).map_err(|_| EnrolError::Reply("its certificate cannot be read"))?;
    if leaf.subject_public_key_info().as_ref() != key.subject_public_key_info() {
        return Err(EnrolError::Reply("its certificate is for another key"));
    }
    Ok(chain)
}

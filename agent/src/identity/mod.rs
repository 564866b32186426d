//! Who this host is to the collector: a key made here, the certificate for it, and whom to believe in return.
//!
//! The key never leaves the machine. `identity.json` is the pair in use; `identity.next.json` is a renewed pair that has
//! not opened a session yet; `enrolment.json` is what an enrolment needs to be repeated without making a second host.
//! What this does not do: decide who may join, or trust anything the machine's own certificate store says.

mod copy;
mod enrol;
mod renewal;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod verify;

pub use copy::{Copied, copied};
pub use enrol::{EnrolError, Enrolment, Outcome, enrol, recover, renew};
pub use renewal::next_attempt_ms;
pub use token::{PIN_BYTES, Token, TokenError};
pub use verify::{CollectorVerifier, PinVerifier, pin_of};

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_proto::v1;
use prost::Message as _;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::state::{StateDir, StateError};

/// The pair in use.
pub const CURRENT: &str = "identity.json";
/// A renewed pair that has not opened a session yet.
pub const NEXT: &str = "identity.next.json";
/// Certificates in a chain: leaf, issuer, root, and one to spare.
const CHAIN_MAX: usize = 4;

/// What can be wrong with an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Its file.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its content.
    #[error("{file}: {problem}; enrol again with a new token: muster-agent enrol --force")]
    Content {
        /// The file's name.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// What TLS says of the key or the certificates.
    #[error(
        "the identity's key and certificates do not work together; enrol again with a new token: muster-agent enrol --force"
    )]
    Tls(#[from] rustls::Error),
    /// A key could not be made.
    #[error("no private key could be made")]
    Key(#[from] rcgen::Error),
}

/// A host's identity: key, certificate chain, and the collector that gave it.
#[derive(Clone)]
pub struct Identity {
    /// The host's id, as the collector gave it.
    pub host_id: [u8; 16],
    /// The collector's id, the middle of the name in its certificate.
    pub collector_id: [u8; 16],
    /// The display name given to this host.
    pub name: String,
    /// Where the collector listens, `host:port`, in order of preference.
    pub addresses: Vec<String>,
    /// What this machine looked like when it enrolled.
    pub fingerprint: v1::Fingerprint,
    key_pem: String,
    chain: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} as {:?})", hyphenated(&self.host_id), self.name)
    }
}

/// From when to when a certificate is valid, milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first valid instant.
    pub from_ms: i64,
    /// The first instant after it.
    pub to_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    host_id: String,
    collector_id: String,
    name: String,
    addresses: Vec<String>,
    fingerprint: String,
    key: String,
    chain: Vec<String>,
}

impl Identity {
    /// Reads the identity kept in `file`, or nothing when there is none.
    ///
    /// # Errors
    /// When the file is not private, not whole, or its parts do not fit together.
    pub fn load(state: &StateDir, file: &str) -> Result<Option<Self>, IdentityError> {
        let Some(bytes) = state.read_private(file)? else { return Ok(None) };
        let wrong = |problem: &str| IdentityError::Content { file: file.to_owned(), problem: problem.to_owned() };
        if bytes.is_empty() {
            return Err(wrong("is empty"));
        }
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| wrong("is not whole"))?;
        let id = |text: &str| unhex(text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        let chain = stored.chain.iter().map(|text| BASE64.decode(text).map(CertificateDer::from));
        let identity = Self {
            host_id: id(&stored.host_id).ok_or_else(|| wrong("has no valid host_id"))?,
            collector_id: id(&stored.collector_id).ok_or_else(|| wrong("has no valid collector_id"))?,
            name: stored.name,
            addresses: stored.addresses,
            fingerprint: unhex(&stored.fingerprint)
                .and_then(|bytes| v1::Fingerprint::decode(&bytes[..]).ok())
                .ok_or_else(|| wrong("has no valid fingerprint"))?,
            key_pem: stored.key,
            chain: chain.collect::<Result<_, _>>().map_err(|_| wrong("has an unreadable certificate"))?,
        };
        identity.client_config()?;
        let Validity { from_ms, to_ms } = identity.validity();
        if to_ms <= from_ms {
            return Err(wrong("has a certificate that ends before it begins"));
        }
        Ok(Some(identity))
    }

    /// Keeps the identity in `file`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, state: &StateDir, file: &str) -> Result<(), StateError> {
        let stored = Stored {
            host_id: hex(&self.host_id),
            collector_id: hex(&self.collector_id),
            name: self.name.clone(),
            addresses: self.addresses.clone(),
            fingerprint: hex(&self.fingerprint.encode_to_vec()),
            key: self.key_pem.clone(),
            chain: self.chain.iter().map(|certificate| BASE64.encode(certificate)).collect(),
        };
        let bytes = serde_json::to_vec_pretty(&stored).expect("strings only: nothing in it can fail to serialise");
        state.write(file, &bytes)
    }

    /// The name that the collector's certificate must carry; it is also sent as SNI.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(format!("collector.{}.muster.internal", hyphenated(&self.collector_id)))
            .expect("hex digits, hyphens and dots are a DNS name")
    }

    /// TLS 1.3 with this identity towards its collector.
    ///
    /// # Errors
    /// When key and certificates do not fit together.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, IdentityError> {
        let [chain @ .., root] = &self.chain[..] else { return Err(self.wrong("has no certificates")) };
        if chain.is_empty() {
            return Err(self.wrong("has only a root certificate"));
        }
        let key = rcgen::KeyPair::from_pem(&self.key_pem).map_err(|_| self.wrong("has an unreadable key"))?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| self.wrong("has an unreadable key"))?;
        let config =
            config_believing(Arc::new(CollectorVerifier::new(root)?)).with_client_auth_cert(chain.to_vec(), key)?;
        Ok(speaking_h2(config))
    }

    /// A signature by its key.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let key = rcgen::KeyPair::from_pem(&self.key_pem).map_err(|_| self.wrong("has an unreadable key"))?;
        Ok(rcgen::SigningKey::sign(&key, text)?)
    }

    /// When the host's certificate is valid.
    #[must_use]
    pub fn validity(&self) -> Validity {
        let parsed = self.chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        parsed.map_or(Validity { from_ms: 0, to_ms: 0 }, |(_, leaf)| Validity {
            from_ms: leaf.validity().not_before.timestamp() * 1000,
            to_ms: leaf.validity().not_after.timestamp() * 1000,
        })
    }

    fn wrong(&self, problem: &str) -> IdentityError {
        IdentityError::Content { file: "identity".into(), problem: problem.into() }
    }
}

/// TLS 1.3 with ring, and nothing older.
fn config_believing(
    verifier: Arc<dyn rustls::client::danger::ServerCertVerifier>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

fn speaking_h2(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Splits `Enrolled.certificate_chain`: DER certificates, leaf first, root last, each preceded by its length.
fn split_chain(mut bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let mut chain = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (certificate, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        chain.push(CertificateDer::from(certificate.to_vec()));
        bytes = rest;
        if chain.len() > CHAIN_MAX {
            return None;
        }
    }
    (chain.len() >= 2).then_some(chain)
}

/// How many certificates are in the chain of a reply; `None` where it is none. For `tests/long fuzz`.
#[doc(hidden)]
#[must_use]
pub fn certificates_in(chain: &[u8]) -> Option<usize> {
    split_chain(chain).map(|chain| chain.len())
}

/// Sixteen bytes as a uuid is written.
#[must_use]
pub fn hyphenated(id: &[u8; 16]) -> String {
    let text = hex(id);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// `N` random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .expect("getrandom does not fail once the system is up");
    bytes
}

/// A random number in [0, 1).
pub(crate) fn random_ratio() -> f64 {
    f64::from(u32::from_le_bytes(random())) / (f64::from(u32::MAX) + 1.0)
}

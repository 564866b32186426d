//! TLS of the collector's two doors, with certificates of its own authority.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::PrivateKeyDer,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};

use super::authority::{Authority, SERVER_LIFE_MS};
use crate::{domain::time::Timestamp, store::StoreError};

/// A server certificate that is exchanged while it serves. Its key is never on the disk: a restart makes another.
#[derive(Debug)]
pub(super) struct ServerCertificate {
    names: Vec<String>,
    current: RwLock<(Arc<CertifiedKey>, Timestamp)>,
}

impl ServerCertificate {
    /// Makes the first certificate for these names and addresses.
    pub(super) fn new(authority: &Authority, names: Vec<String>, now: Timestamp) -> Result<Self, StoreError> {
        let first = issue(authority, &names, now)?;
        Ok(Self { names, current: RwLock::new((first, now)) })
    }

    /// Makes the next one when half of the present one's life is over; true when it did.
    pub(super) fn renew_if_due(&self, authority: &Authority, now: Timestamp) -> Result<bool, StoreError> {
        let issued = self.current.read().unwrap_or_else(PoisonError::into_inner).1;
        // A clock that went back behind the issue renews too: the present one is not valid yet.
        let age_ms = now.since_ms(issued);
        if (0..SERVER_LIFE_MS / 2).contains(&age_ms) {
            return Ok(false);
        }
        let next = issue(authority, &self.names, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (next, now);
        Ok(true)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn issue(authority: &Authority, names: &[String], now: Timestamp) -> Result<Arc<CertifiedKey>, StoreError> {
    let (leaf, key) = authority.sign_server(names, now)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = ring::sign::any_supported_type(&key).map_err(unusable)?;
    // The root goes along: agents that enrol have only its pin.
    Ok(Arc::new(CertifiedKey::new(vec![leaf, authority.root().clone()], key)))
}

/// TLS 1.3 only; a client certificate of our root is checked when there is one.
pub(super) fn for_agents(
    authority: &Authority,
    certificate: Arc<ServerCertificate>,
) -> Result<ServerConfig, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root().clone()).map_err(unusable)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(unusable)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    // Every stream shows its certificate anew, so that a revoked one is not resumed; 0-RTT is off by default.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// TLS 1.3 and 1.2 for browsers and Prometheus.
pub(super) fn for_people(certificate: Arc<ServerCertificate>) -> Result<ServerConfig, StoreError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Named wherever it is used: a process-wide default would depend on who came first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn unusable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("TLS cannot be set up: {error}"))
}

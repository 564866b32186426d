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

#[cfg(test)]
mod tests {
    use rustls::{ClientConfig, ClientConnection, ServerConnection, pki_types::CertificateDer};

    use super::*;

    /// Shakes hands in memory; returns the client certificate that the server saw.
    fn handshake(server: ServerConfig, client: ClientConfig, name: &str) -> Result<Option<Vec<u8>>, rustls::Error> {
        let name = name.to_owned().try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(server.peer_certificates().map(|chain| chain[0].to_vec()))
    }

    fn client(root: &CertificateDer<'static>, own: Option<(CertificateDer<'static>, rcgen::KeyPair)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            Some((leaf, key)) => {
                let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                builder.with_client_auth_cert(vec![leaf], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    fn server(authority: &Authority, name: &str, now: Timestamp) -> ServerConfig {
        let certificate = ServerCertificate::new(authority, vec![name.to_owned()], now).unwrap();
        for_agents(authority, Arc::new(certificate)).unwrap()
    }

    #[test]
    fn agents_come_with_a_certificate_of_our_root_or_none_and_check_our_name() {
        let directory = tempfile::tempdir().unwrap();
        let now = crate::clock::wall();
        let authority = Authority::open(directory.path(), now).unwrap();
        let name = "enrol.muster.internal";
        let (key, other) = (rcgen::KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let key_of = super::super::csr::accept(csr.der()).unwrap().key;
        let host = crate::domain::ids::HostId(uuid::Uuid::from_u128(7));
        let leaf = authority.sign_host(host, &key_of, now).unwrap().der;
        let with = |root: &Authority| {
            client(root.root(), Some((leaf.clone(), rcgen::KeyPair::try_from(key.serialize_der()).unwrap())))
        };

        let seen = handshake(server(&authority, name, now), with(&authority), name).unwrap();
        assert_eq!(seen.as_deref(), Some(leaf.as_ref()));
        let seen = handshake(server(&authority, name, now), client(authority.root(), None), name).unwrap();
        assert_eq!(seen, None);
        assert!(handshake(server(&authority, name, now), client(authority.root(), None), "other.internal").is_err());
        let stranger = Authority::open(other.path(), now).unwrap();
        assert!(handshake(server(&stranger, name, now), client(authority.root(), None), name).is_err());
        assert!(handshake(server(&stranger, name, now), with(&stranger), name).is_err(), "a stranger's host");
    }
}

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
    let (chain, key) = authority.sign_server(names, now)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = ring::sign::any_supported_type(&key).map_err(unusable)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
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

    use super::{super::authority::Issued, *};

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

    fn client(
        root: &CertificateDer<'static>,
        own: Option<(Vec<CertificateDer<'static>>, rcgen::KeyPair)>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            Some((chain, key)) => {
                let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
                builder.with_client_auth_cert(chain, key).unwrap()
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
        let Issued { der: leaf, between, .. } = authority.sign_host(host, &key_of, now).unwrap();
        let chain: Vec<_> = [Some(leaf.clone()), between].into_iter().flatten().collect();
        let with = |root: &Authority| {
            client(root.root(), Some((chain.clone(), rcgen::KeyPair::try_from(key.serialize_der()).unwrap())))
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

    #[test]
    fn hosts_of_the_former_issuer_come_in_when_the_next_one_signs_and_a_restart_changes_neither() {
        const DAY_MS: i64 = 86_400_000;
        let directory = tempfile::tempdir().unwrap();
        let now = crate::clock::wall();
        let ago = |days: i64| now.plus_ms(-days * DAY_MS);
        let (key, name) = (rcgen::KeyPair::generate().unwrap(), "enrol.muster.internal");
        let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let key_of = super::super::csr::accept(csr.der()).unwrap().key;
        let host = crate::domain::ids::HostId(uuid::Uuid::from_u128(7));
        let sign = |authority: &Authority, at: Timestamp| {
            let Issued { der, between, until, .. } = authority.sign_host(host, &key_of, at).unwrap();
            (vec![der, between.unwrap()], until)
        };
        let authority = Authority::open(directory.path(), ago(92)).unwrap();
        let (first, _) = sign(&authority, ago(92));
        let (last, until) = sign(&authority, ago(3));
        assert_eq!(first[1], last[1], "one issuer's turn is 90 days");
        assert!(until > now.plus_ms(26 * DAY_MS), "and what it signs last lives as long as all others");
        let server = server(&authority, name, now);
        let (next, _) = sign(&authority, now);
        assert_ne!(next[1], last[1]);
        for chain in [last, next.clone()] {
            let own = Some((chain.clone(), rcgen::KeyPair::try_from(key.serialize_der()).unwrap()));
            let seen = handshake(server.clone(), client(authority.root(), own), name).unwrap();
            assert_eq!(seen.as_deref(), Some(chain[0].as_ref()));
        }
        let alone = Some((vec![next[0].clone()], rcgen::KeyPair::try_from(key.serialize_der()).unwrap()));
        assert!(handshake(server, client(authority.root(), alone), name).is_err(), "nobody vouches for its issuer");
        assert_eq!(authority.signers().len(), 3);
        let again = Authority::open(directory.path(), now).unwrap();
        assert_eq!((sign(&again, now).0[1].clone(), again.signers()), (next[1].clone(), authority.signers()));
        let keys = std::fs::read_dir(directory.path().join("authority")).unwrap().flatten();
        let keys = keys.filter(|file| file.file_name().to_string_lossy().ends_with(".key.pem")).count();
        assert_eq!(keys, 2, "the root's and the present issuer's");
    }

    #[test]
    fn a_root_of_before_goes_on_signing_itself_and_an_issuer_without_its_key_is_followed_by_another() {
        let directory = tempfile::tempdir().unwrap();
        let now = crate::clock::wall();
        let authority = Authority::open(directory.path(), now).unwrap();
        let (chain, _) = authority.sign_server(&["a.internal".to_owned()], now).unwrap();
        let at = directory.path().join("authority");
        std::fs::remove_file(at.join("issuer-0001.key.pem")).unwrap();
        let again = Authority::open(directory.path(), now).unwrap();
        let (other, _) = again.sign_server(&["a.internal".to_owned()], now).unwrap();
        assert_eq!((chain.len(), other.len(), chain[1] == other[1]), (3, 3, false));

        // As roots were made before: nothing but hosts and servers below it.
        let id = again.collector();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("Muster {id}"));
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let key = rcgen::KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        std::fs::write(at.join("root.key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(at.join("root.der"), root.der()).unwrap();
        let old = Authority::open(directory.path(), now).unwrap();
        let (chain, _) = old.sign_server(&["a.internal".to_owned()], now).unwrap();
        assert_eq!((chain.len(), chain[1].as_ref(), old.signers().len()), (2, root.der().as_ref(), 1));
    }
}

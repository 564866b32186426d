//! TLS as checks need it: believing whom this machine believes, or looking at a certificate whoever has made it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::host::{FileStat, Host};

/// Where distributions keep the certificates that the machine believes: Debian and Arch, Fedora and RHEL, SUSE.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// What was made of a bundle, for as long as the file is the same: it has some 140 certificates.
type Made = (String, FileStat, Arc<ClientConfig>);
static LAST: Mutex<Option<Made>> = Mutex::new(None);

/// Believes the certificates in `ca`, else those of the machine.
pub(super) fn believing(host: &Host, ca: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let own = ca.map(|path| path.to_string_lossy().into_owned());
    let bundle = || BUNDLES.into_iter().find(|path| host.exists(path)).map(str::to_owned);
    let path = own
        .or_else(bundle)
        .ok_or("this machine has no bundle of certificates: install ca-certificates, or state `ca`")?;
    let stat = host.stat(&path).map_err(|error| error.to_string())?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, config)) = last.as_ref().filter(|(known, at, _)| *known == path && *at == stat) {
        return Ok(Arc::clone(config));
    }
    let mut bytes = Vec::new();
    host.read(&path, &mut bytes).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(format!("{path} has no certificate in PEM"));
    }
    let config = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    *last = Some((path, stat, Arc::clone(&config)));
    Ok(config)
}

/// Believes everybody; who it is can be looked at afterwards. Nothing is sent over such a connection.
pub(super) fn looking() -> Arc<ClientConfig> {
    let verifier = Arc::new(Anybody(ring::default_provider()));
    Arc::new(ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Shakes hands as a client of `name`.
pub(super) async fn connect(
    config: Arc<ClientConfig>,
    name: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("{name:?} is no name of a server"))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
}

/// Holds any certificate for good, and the signatures of the handshake to the rules.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! Whom the agent believes: the root whose key is pinned in the token (at enrolment), that root and the collector's
//! id (ever after). Never the address that was dialled, and never the machine's own trust store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::token::PIN_BYTES;
use crate::dial::{Stranger, is_about_time};

fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

/// The first bytes of SHA-256 over the certificate's public key, as tokens carry them.
///
/// # Errors
/// When the certificate cannot be read.
pub fn pin_of(certificate: &CertificateDer<'_>) -> Result<[u8; PIN_BYTES], Error> {
    let spki = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let digest = ring::digest::digest(&ring::digest::SHA256, spki.as_ref());
    let mut pin = [0; PIN_BYTES];
    pin.copy_from_slice(&digest.as_ref()[..PIN_BYTES]);
    Ok(pin)
}

/// At enrolment: the last certificate presented must be the pinned root, and the rest must chain to it. No name is
/// checked: the agent does not know the collector's yet, and under this root only collectors hold server certificates.
#[derive(Debug)]
pub struct PinVerifier {
    pin: [u8; PIN_BYTES],
    clock_wrong: Arc<AtomicBool>,
}

impl PinVerifier {
    /// A verifier, and the flag it raises when all but our clock agrees with the certificates.
    #[must_use]
    pub fn new(pin: [u8; PIN_BYTES]) -> (Self, Arc<AtomicBool>) {
        let clock_wrong = Arc::new(AtomicBool::new(false));
        (Self { pin, clock_wrong: clock_wrong.clone() }, clock_wrong)
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = intermediates.last().unwrap_or(end_entity);
        if pin_of(root)? != self.pin {
            return Err(Stranger::showing(end_entity));
        }
        let roots = store(root)?;
        match chain(end_entity, intermediates, &roots, now) {
            Err(error) if is_about_time(&error) => {
                let then = moment_when_all_hold(end_entity, intermediates).ok_or(error)?;
                chain(end_entity, intermediates, &roots, then)?;
                self.clock_wrong.store(true, Ordering::Relaxed);
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(error),
            Ok(()) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// After enrolment: a chain to the stored root, and the collector's own name.
#[derive(Debug)]
pub struct CollectorVerifier {
    roots: RootCertStore,
}

impl CollectorVerifier {
    /// Believes `root` alone.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn new(root: &CertificateDer<'_>) -> Result<Self, Error> {
        Ok(Self { roots: store(root)? })
    }
}

impl ServerCertVerifier for CollectorVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        chain(end_entity, intermediates, &self.roots, now).map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => Stranger::showing(end_entity),
            other => other,
        })?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn store(root: &CertificateDer<'_>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone().into_owned())?;
    Ok(roots)
}

fn chain(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms().all)
}

/// An instant inside the validity of the whole chain (root apart: a trust anchor has no dates), if there is one.
fn moment_when_all_hold(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Option<UnixTime> {
    let mut latest_start = i64::MIN;
    let mut earliest_end = i64::MAX;
    let but_root = intermediates.len().saturating_sub(1);
    for certificate in std::iter::once(end_entity).chain(&intermediates[..but_root]) {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        latest_start = latest_start.max(parsed.validity().not_before.timestamp());
        earliest_end = earliest_end.min(parsed.validity().not_after.timestamp());
    }
    let then = u64::try_from(latest_start + 1).ok()?;
    (latest_start < earliest_end).then(|| UnixTime::since_unix_epoch(Duration::from_secs(then)))
}

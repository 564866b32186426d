//! Why a certificate was not believed: what whoever verifies it says in TLS's error, and what is read out of it again.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, OtherError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Of a stranger's issuer, so much is told: names have no end.
const ISSUER_CHARS_MAX: usize = 200;

/// Somebody whose certificate is of another issuer.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is issued by {issuer:?}")]
pub struct Stranger {
    issuer: String,
}

impl Stranger {
    /// The error that says so, for whoever shows this certificate.
    #[must_use]
    pub fn showing(certificate: &CertificateDer<'_>) -> Error {
        let parsed = X509Certificate::from_der(certificate);
        let issuer = parsed.map_or_else(|_| "nobody who can be read".to_owned(), |(_, read)| read.issuer().to_string());
        let issuer = issuer.chars().filter(|c| !c.is_control()).take(ISSUER_CHARS_MAX).collect();
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Self { issuer }))))
    }
}

/// Who issued the certificate that was refused because of its issuer.
#[must_use]
pub(super) fn issuer(error: &Error) -> Option<String> {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error else { return None };
    other.downcast_ref::<Stranger>().map(|stranger| stranger.issuer.clone())
}

/// Whether a certificate was refused only for its dates: then our clock may be what is wrong.
#[must_use]
pub fn is_about_time(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}

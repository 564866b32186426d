//! Requests for certificates: only their key is used, and only when it is of a kind that we know.

use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKey};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer, x509::SubjectPublicKeyInfo};

use super::{Denied, sha256};

/// A request with a P-256 key is some 250 bytes; nothing beyond this is parsed.
const LONGEST_BYTES: usize = 4 * 1024;

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const ED25519: &str = "1.3.101.112";

/// The key of an acceptable request.
#[derive(Debug, Clone)]
pub(super) struct RequestedKey {
    pub(super) key: PublicKey,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub(super) hash: [u8; 32],
}

/// Accepts a request of at most 4 KiB, signed by the P-256 or Ed25519 key that it is for. Names, extensions and dates
/// in it are ignored; extensions that nobody knows refuse it.
pub(super) fn accept(der: &[u8]) -> Result<RequestedKey, Denied> {
    let refused = |why: String| Denied::BadRequest(why);
    if der.len() > LONGEST_BYTES {
        return Err(refused(format!("it has {} bytes, at most {LONGEST_BYTES} are read", der.len())));
    }
    let (rest, request) =
        X509CertificationRequest::from_der(der).map_err(|_| refused("it is not a PKCS #10 request in DER".into()))?;
    if !rest.is_empty() {
        return Err(refused("there is something after it".into()));
    }
    let info = &request.certification_request_info.subject_pki;
    let algorithm = known_algorithm(info)
        .ok_or_else(|| refused("its key is neither P-256 nor Ed25519: make one of these".into()))?;
    // Checks the signature, that is, that the asker has the key.
    let parsed = CertificateSigningRequestParams::from_der(&der.into())
        .map_err(|error| refused(error.to_string().to_lowercase()))?;
    if parsed.public_key.algorithm() != algorithm {
        return Err(refused("it is not signed in the way of its key (P-256 with SHA-256, or Ed25519)".into()));
    }
    Ok(RequestedKey { key: parsed.public_key, hash: sha256(info.raw) })
}

/// How a key of this kind signs; `None` for kinds that are not certified.
pub(super) fn known_algorithm(info: &SubjectPublicKeyInfo<'_>) -> Option<&'static rcgen::SignatureAlgorithm> {
    let algorithm = info.algorithm.algorithm.to_id_string();
    let curve = || info.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
    match algorithm.as_str() {
        EC_PUBLIC_KEY if curve().as_deref() == Some(P256) => Some(&PKCS_ECDSA_P256_SHA256),
        ED25519 => Some(&PKCS_ED25519),
        _ => None,
    }
}

//! A host that was away for longer than its certificate: it gets the next one for a signature by the key of the last.
//!
//! TLS rightly refuses a certificate that has ended, so the host shows it in the request and proves that it still has its key.
//! The certificate must be the host's last: one that a later one replaced recovers nothing, however its key was got.

use std::sync::Arc;

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rusqlite::Connection;
use x509_parser::prelude::X509Certificate;

use super::{
    Core, Denied, Enrolment, Identity,
    csr::{self, RequestedKey},
    hex,
    known::{Renewal, Shown, check_admitted},
    sha256,
};
use crate::{
    domain::{labels::Profile, record::AuditRow, time::Timestamp},
    store::{
        StoreError,
        identity_rows::{self, CertificateState},
    },
};

/// So long after its end a certificate still gets the next one: a quarter, in which machines in storage, laptops on leave and
/// sites that are rebuilt come back. Later a person must say that it is the same machine (a replace token).
pub(super) const GRACE_MS: i64 = 90 * 86_400_000;
/// So many certificates of one host may be recovered from before a person must look at it: a machine that is late again and
/// again is stored, or a copy of its disk is. A replace token begins anew.
pub(super) const MOST_RECOVERIES: usize = 3;
/// What a signature is for, so that it is good for nothing else.
const PURPOSE: &[u8] = b"muster recover v1";

/// What a host asks whose certificate has ended.
#[derive(Debug, Clone)]
pub struct LateRequest {
    /// Its id.
    pub host: [u8; 16],
    /// Its last certificate, DER.
    pub certificate: Vec<u8>,
    /// The request for the next one, DER.
    pub csr: Vec<u8>,
    /// Random bytes.
    pub nonce: [u8; 16],
    /// By the key of `certificate`, over [`signed_text`].
    pub signature: Vec<u8>,
}

/// What the key of the certificate that has ended signs: purpose, collector, host, nonce and SHA-256 of the request.
fn signed_text(collector: uuid::Uuid, request: &LateRequest) -> Vec<u8> {
    [PURPOSE, collector.as_bytes(), &request.host, &request.nonce, &sha256(&request.csr)].concat()
}

impl Identity {
    /// Issues the next certificate for a host whose last one ended at most 90 days ago. That one stays its last until a
    /// session begins with the new one, so that an answer that was lost can be asked for again.
    ///
    /// # Errors
    /// [`Denied`]; whatever is wrong with certificate or signature is [`Denied::UnknownCertificate`].
    pub async fn recover_late(&self, request: &LateRequest, now: Timestamp) -> Result<Enrolment, Denied> {
        let key = csr::accept(&request.csr)?;
        let shown = self.core.proven(request).ok_or(Denied::UnknownCertificate)?;
        if shown.until > now {
            return Err(Denied::BadRequest("the certificate has not ended: renew it in a session".into()));
        }
        if now.since_ms(shown.until) > GRACE_MS {
            return Err(Denied::Lapsed(shown.until));
        }
        let (host, serial) = (shown.host, hex(&shown.serial));
        match self.core.ledger.ask(|ledger| (ledger.is_void(&serial), ledger.recoveries(host, &serial))) {
            (true, _) => return Err(Denied::UnknownCertificate),
            (false, MOST_RECOVERIES..) => return Err(Denied::LateTooOften(MOST_RECOVERIES)),
            (false, _) => {}
        }
        let (core, committed_core) = (Arc::clone(&self.core), Arc::clone(&self.core));
        let (chain, profile) = self
            .store
            .write(
                move |connection| core.write_recovery(connection, &shown, &key, now),
                move |outcome: &Result<(Renewal, Profile), Denied>| {
                    if let Ok(((certificates, _), _)) = outcome {
                        certificates.iter().cloned().for_each(|record| committed_core.remember_certificate(record));
                    }
                },
            )
            .await?
            .map(|((_, chain), profile)| (chain, profile))?;
        // The host hears of it only when it is counted.
        self.core.change_ledger(move |ledger| ledger.add_recovery(host, serial)).await?;
        Ok(Enrolment { chain, profile, created: false })
    }
}

impl Core {
    /// The certificate of a request, if one of ours signed it, it is of the host that asks, and its key signed the request.
    fn proven(&self, request: &LateRequest) -> Option<Shown> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(&request.certificate).ok()?;
        let signed = certificate.tbs_certificate.as_ref();
        let is_ours = self.authority.signers().iter().any(|signer| {
            let signer = x509_parser::parse_x509_certificate(signer).ok();
            signer.is_some_and(|(_, signer)| verifies(&signer, signed, &certificate.signature_value.data))
        });
        let text = signed_text(self.authority.collector(), request);
        if !rest.is_empty() || !is_ours || !verifies(&certificate, &text, &request.signature) {
            return None;
        }
        self.read_certificate(&request.certificate).filter(|shown| shown.host.0.as_bytes() == &request.host)
    }

    fn write_recovery(
        &self,
        connection: &Connection,
        shown: &Shown,
        key: &RequestedKey,
        now: Timestamp,
    ) -> Result<Result<(Renewal, Profile), Denied>, StoreError> {
        let Some(profile) = identity_rows::host_by_id(connection, shown.host)? else {
            return Ok(Err(Denied::UnknownCertificate));
        };
        if let Err(denied) = check_admitted(&profile) {
            return Ok(Err(denied));
        }
        // Only the last that was used: a newer one that no session began with may have been lost on its way.
        if identity_rows::certificate_state(connection, &shown.serial)? != Some(CertificateState::Live) {
            return Ok(Err(Denied::UnknownCertificate));
        }
        let written = self.write_renewal(connection, &profile, &shown.serial, key, now, shown.until.plus_ms(-1))?;
        if written.is_ok() {
            let line = AuditRow {
                at: now,
                who: "collector".into(),
                from: "identity".into(),
                action: "host.certificate.recover".into(),
                subject: profile.name.clone(),
                detail: format!("its certificate had ended at {}; known by its key", shown.until),
            };
            identity_rows::append_audit(connection, &line)?;
        }
        Ok(written.map(|renewal| (renewal, profile)))
    }
}

/// Whether the key of `signer` made this signature. Ours and those of agents are P-256; Ed25519 is taken at enrolment too.
fn verifies(signer: &X509Certificate<'_>, text: &[u8], signature: &[u8]) -> bool {
    let key = signer.public_key();
    let algorithm: &'static dyn VerificationAlgorithm = match csr::known_algorithm(key) {
        Some(known) if *known == rcgen::PKCS_ED25519 => &ED25519,
        Some(_) => &ECDSA_P256_SHA256_ASN1,
        None => return false,
    };
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data).verify(text, signature).is_ok()
}

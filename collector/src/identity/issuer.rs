//! Who signs from day to day: an authority below the root, replaced while the one before it is still believed.
//!
//! A certificate travels with its issuer's, and whoever believes the root believes both: nothing has to be told before an
//! issuer is replaced, and whoever was away meanwhile comes back. A root that was made before there were issuers may have
//! none below it (its path length is 0) and goes on signing itself.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rcgen::{BasicConstraints, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::CertificateDer;

use super::authority::{
    BACKDATED_MS, DAY_MS, SERVER_LIFE_MS, cannot, check_private, params, read_small, serial, sync_directory, unsigned,
    write_new,
};
use crate::{domain::time::Timestamp, store::StoreError};

/// An issuer signs for so long (enrolment-and-transport, part b: 90 days).
pub(super) const TURN_MS: i64 = 90 * DAY_MS;
/// What it signs last, a server's certificate, ends while it is still valid, with a month to spare.
const LIFE_MS: i64 = TURN_MS + SERVER_LIFE_MS + 30 * DAY_MS;
/// Certificates of former issuers that are kept: by them late hosts are known. 16 years of turns; a clock that jumps about makes more.
const MOST: usize = 64;
const PREFIX: &str = "issuer-";
const CERTIFICATE: &str = ".der";
const KEY: &str = ".key.pem";

/// The issuers of an authority.
pub(super) struct Issuers {
    directory: PathBuf,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    /// By number.
    all: Vec<(u32, CertificateDer<'static>)>,
    current: Option<Current>,
}

/// The one that signs.
struct Current {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    from: Timestamp,
    until: Timestamp,
}

/// The root by which issuers are made.
pub(super) struct Root<'a> {
    pub(super) name: &'a str,
    pub(super) issuer: &'a Issuer<'static, KeyPair>,
    pub(super) until: Timestamp,
}

/// Under whom a certificate is signed.
pub(super) struct Signer<'a> {
    pub(super) issuer: &'a Issuer<'static, KeyPair>,
    /// What lies between a certificate and the root.
    pub(super) between: CertificateDer<'static>,
    pub(super) until: Timestamp,
}

impl Issuers {
    /// Those that lie in the directory of the authority.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let mut turns = Turns::default();
        for entry in fs::read_dir(directory).map_err(|error| cannot("read", directory, &error))? {
            let name = entry.map_err(|error| cannot("read", directory, &error))?.file_name();
            if let Some(number) = name.to_str().and_then(number_in) {
                let path = directory.join(&name);
                turns.all.push((number, CertificateDer::from(read_small(&path)?)));
            }
        }
        turns.all.sort_unstable_by_key(|(number, _)| *number);
        if let Some((number, certificate)) = turns.all.last() {
            turns.current = current(&directory.join(format!("{PREFIX}{number:04}{KEY}")), certificate)?;
        }
        Ok(Self { directory: directory.to_path_buf(), turns: Mutex::new(turns) })
    }

    /// Certificates of all that are known, the newest last.
    pub(super) fn all(&self) -> Vec<CertificateDer<'static>> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.all.iter().map(|(_, certificate)| certificate.clone()).collect()
    }

    /// Signs by whose turn it is; when it is over, or the clock went back before it, by the next one.
    pub(super) fn sign<T>(
        &self,
        root: &Root<'_>,
        now: Timestamp,
        sign: impl FnOnce(Signer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |current: &Current| !(0..TURN_MS + BACKDATED_MS).contains(&now.since_ms(current.from));
        if turns.current.as_ref().is_none_or(is_due) {
            match self.next(root, &turns.all, now) {
                Ok((number, next)) => {
                    turns.all.push((number, next.certificate.clone()));
                    turns.current = Some(next);
                    self.forget(&mut turns.all, number);
                }
                // A full disk ends no agent's certificate: what is believed still signs on.
                Err(error) if turns.current.as_ref().is_some_and(|one| (one.from..one.until).contains(&now)) => {
                    tracing::warn!(%error, "no new issuer of certificates can be made; the present one signs on");
                }
                Err(error) => return Err(error),
            }
        }
        let current = turns.current.as_ref().expect("it was made above, or the error was returned");
        let (issuer, between) = (&current.issuer, current.certificate.clone());
        sign(Signer { issuer, between, until: current.until })
    }

    fn next(
        &self,
        root: &Root<'_>,
        all: &[(u32, CertificateDer<'static>)],
        now: Timestamp,
    ) -> Result<(u32, Current), StoreError> {
        let number = all.last().map_or(1, |(number, _)| number.saturating_add(1));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unsigned)?;
        let (from, until) = (now.plus_ms(-BACKDATED_MS), now.plus_ms(LIFE_MS).min(root.until));
        let mut params = params(&format!("{} issuer {number}", root.name), &serial()?, from, until);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate: CertificateDer<'static> = params.signed_by(&key, root.issuer).map_err(unsigned)?.into();
        let [key_path, path] =
            [KEY, CERTIFICATE].map(|ending| self.directory.join(format!("{PREFIX}{number:04}{ending}")));
        // The key first: a certificate without its key would stand for one that cannot sign.
        write_new(&key_path, key.serialize_pem().as_bytes()).map_err(|error| cannot("write", &key_path, &error))?;
        let beside = path.with_extension("new");
        let placed = write_new(&beside, &certificate)
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| sync_directory(&self.directory));
        placed.map_err(|error| cannot("write", &path, &error))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unsigned)?;
        tracing::info!(number, "a new issuer of certificates signs from now on");
        Ok((number, Current { issuer, certificate, from, until }))
    }

    /// Keys of former issuers are of no use any more, and certificates of those long gone neither.
    fn forget(&self, all: &mut Vec<(u32, CertificateDer<'static>)>, newest: u32) {
        for (number, _) in all.iter().filter(|(number, _)| *number != newest) {
            let _ = fs::remove_file(self.directory.join(format!("{PREFIX}{number:04}{KEY}")));
        }
        let beyond = all.len().saturating_sub(MOST);
        for (number, _) in all.drain(..beyond) {
            let _ = fs::remove_file(self.directory.join(format!("{PREFIX}{number:04}{CERTIFICATE}")));
        }
    }
}

/// The number of a file `issuer-0001.der`.
fn number_in(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.strip_suffix(CERTIFICATE)?.parse().ok()
}

/// Without its key, or with another's, it signs no more and another follows.
fn current(key: &Path, certificate: &CertificateDer<'static>) -> Result<Option<Current>, StoreError> {
    if !key.exists() {
        return Ok(None);
    }
    check_private(key)?;
    let Ok(pem) = String::from_utf8(read_small(key)?) else { return Ok(None) };
    let Ok(key) = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ECDSA_P256_SHA256) else { return Ok(None) };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return Ok(None) };
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Ok(None);
    }
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_ms(time.timestamp().saturating_mul(1_000));
    let (from, until) = (at(parsed.validity().not_before), at(parsed.validity().not_after));
    let Ok(issuer) = Issuer::from_ca_cert_der(certificate, key) else { return Ok(None) };
    Ok(Some(Current { issuer, certificate: certificate.clone(), from, until }))
}

//! Knowing hosts by their certificates, and renewing these.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use rusqlite::Connection;
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use super::{
    Core, Denied, Enrolment, Identity, Known,
    csr::{self, RequestedKey},
    ledger::free_name,
};
use crate::{
    domain::{
        ids::HostId,
        labels::{Admission, Class, Facts, Profile},
        layers::{Layer, Layers},
        time::Timestamp,
    },
    store::{
        self, StoreError,
        identity_rows::{self, CertificateRecord, CertificateState, SessionRecord},
    },
};

/// Certificates issued by renewals and not used yet that a host may have; the oldest beyond are void.
const MOST_UNUSED: usize = 4;

/// What a certificate of our root says.
pub(super) struct Shown {
    pub(super) serial: Vec<u8>,
    pub(super) host: HostId,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// The certificates that a renewal wrote, and the chain to send.
pub(super) type Renewal = (Vec<CertificateRecord>, Vec<u8>);

impl Identity {
    /// Who this client certificate (DER, chain already verified by TLS) belongs to, if it may speak.
    ///
    /// A certificate of ours that the store does not know means that its records were lost: the host is taken back by its
    /// id, with a fresh profile ([`Identity::take_recovered`]).
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn known(&self, certificate: &[u8], now: Timestamp) -> Result<(Known, Profile), Denied> {
        let shown = self.core.read_certificate(certificate).ok_or(Denied::UnknownCertificate)?;
        if shown.until <= now {
            return Err(Denied::UnknownCertificate);
        }
        let found = {
            let certificates = self.core.certificates.read().unwrap_or_else(PoisonError::into_inner);
            certificates.get(&shown.serial).map(|record| (record.host, record.state))
        };
        let profile = match found {
            Some((_, CertificateState::Dead)) => return Err(Denied::UnknownCertificate),
            Some((host, _)) => {
                let profile = self.store.profile(host).ok_or(Denied::UnknownCertificate)?;
                check_admitted(&profile)?;
                (*profile).clone()
            }
            None => self.recover(&shown, now).await?,
        };
        let known = Known { no: profile.no, id: profile.id, serial: shown.serial, expires: shown.until };
        Ok((known, profile))
    }

    /// Issues the next certificate for a known host; the present one stays valid until a session begins with the new one.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn renew(&self, known: &Known, csr: &[u8], now: Timestamp) -> Result<Enrolment, Denied> {
        let key = csr::accept(csr)?;
        let profile = self.store.profile(known.no).ok_or(Denied::UnknownCertificate)?;
        check_admitted(&profile)?;
        let (core, committed_core) = (Arc::clone(&self.core), Arc::clone(&self.core));
        let (serial, host) = (known.serial.clone(), Arc::clone(&profile));
        let (_, chain) = self
            .store
            .write(
                move |connection| core.write_renewal(connection, &host, &serial, &key, now, now),
                move |outcome: &Result<Renewal, Denied>| {
                    if let Ok((certificates, _)) = outcome {
                        certificates.iter().cloned().for_each(|record| committed_core.remember_certificate(record));
                    }
                },
            )
            .await??;
        Ok(Enrolment { chain, profile: (*profile).clone(), created: false })
    }

    /// Takes back a host whose records were lost.
    async fn recover(&self, shown: &Shown, now: Timestamp) -> Result<Profile, Denied> {
        let (core, profiles) = (Arc::clone(&self.core), self.store.profiles());
        let (id, serial, from, until) = (shown.host, shown.serial.clone(), shown.from, shown.until);
        if self.core.ledger.ask(|ledger| ledger.is_revoked(id)) {
            return Err(Denied::NotAdmitted { name: id.to_string(), admission: Admission::Revoked });
        }
        let write = move |connection: &Connection| {
            let (profile, fresh) = match identity_rows::host_by_id(connection, id)? {
                Some(profile) => (profile, false),
                None => (recovered_profile(connection, id)?, true),
            };
            if fresh {
                identity_rows::put_host_with_session(
                    connection,
                    &profile,
                    &SessionRecord { generation: 0, fingerprint: "{}".into() },
                )?;
            }
            let record = CertificateRecord {
                serial: serial.clone(),
                host: profile.no,
                from,
                until,
                state: CertificateState::Live,
            };
            identity_rows::put_certificate(connection, &record)?;
            if fresh {
                let line = recovery_line(&profile, now);
                identity_rows::append_audit(connection, &line)?;
            }
            Ok((profile, record, fresh))
        };
        let (profile, ..) = self
            .store
            .write(write, move |(profile, record, fresh): &(Profile, CertificateRecord, bool)| {
                core.remember_certificate(record.clone());
                if *fresh {
                    store::remember(&profiles, profile.clone());
                    let mut recovered = core.recovered.lock().unwrap_or_else(PoisonError::into_inner);
                    recovered.insert(profile.no, profile.clone());
                }
            })
            .await?;
        check_admitted(&profile)?;
        Ok(profile)
    }
}

impl Core {
    /// Reads a certificate that claims to be of our root; TLS has verified its signature.
    pub(super) fn read_certificate(&self, der: &[u8]) -> Option<Shown> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        // Of an issuer that a restored collector does not know nothing more is known than that TLS believed it.
        let issuer = certificate.issuer().iter_common_name().next()?.as_str().ok()?;
        if !issuer.starts_with(&self.authority.name()) || certificate.is_ca() {
            return None;
        }
        let seconds = |at: x509_parser::time::ASN1Time| Timestamp::from_ms(at.timestamp().saturating_mul(1_000));
        Some(Shown {
            serial: certificate.raw_serial().to_vec(),
            host: self.authority.host_of_uri(uri(&certificate)?)?,
            from: seconds(certificate.validity().not_before),
            until: seconds(certificate.validity().not_after),
        })
    }

    /// Adds a certificate that is not used yet; too many of them void the oldest. The present one ends after `since`.
    pub(super) fn write_renewal(
        &self,
        connection: &Connection,
        profile: &Profile,
        present: &[u8],
        key: &RequestedKey,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<Result<Renewal, Denied>, StoreError> {
        let of_host: Vec<_> = identity_rows::certificates(connection, since)?
            .into_iter()
            .filter(|record| record.host == profile.no)
            .collect();
        let is_valid = |record: &&CertificateRecord| record.serial == present && record.state != CertificateState::Dead;
        if !of_host.iter().any(|record| is_valid(&record)) {
            return Ok(Err(Denied::UnknownCertificate));
        }
        let mut unused: Vec<_> = of_host
            .into_iter()
            .filter(|record| record.state == CertificateState::Next && record.serial != present)
            .collect();
        unused.sort_by_key(|record| record.from);
        let beyond = (unused.len() + 1).saturating_sub(MOST_UNUSED);
        let mut changed: Vec<_> = unused
            .into_iter()
            .take(beyond)
            .map(|record| CertificateRecord { state: CertificateState::Dead, ..record })
            .collect();
        let issued = self.authority.sign_host(profile.id, &key.key, now)?;
        changed.push(CertificateRecord {
            serial: issued.serial.clone(),
            host: profile.no,
            from: issued.from,
            until: issued.until,
            state: CertificateState::Next,
        });
        changed.iter().try_for_each(|record| identity_rows::put_certificate(connection, record))?;
        Ok(Ok((changed, self.authority.chain(&issued))))
    }
}

pub(super) fn check_admitted(profile: &Profile) -> Result<(), Denied> {
    match profile.admission {
        Admission::Active => Ok(()),
        admission => Err(Denied::NotAdmitted { name: profile.name.clone(), admission }),
    }
}

fn uri<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    })
}

/// All that is left of a host without records: its id. Its facts come with its first session.
fn recovered_profile(connection: &Connection, id: HostId) -> Result<Profile, StoreError> {
    let text = id.to_string();
    let tail = text.rsplit('-').next().unwrap_or_default();
    let guessed = [("class".to_owned(), Class::Server.word().to_owned())].into();
    Ok(Profile {
        no: identity_rows::next_host_no(connection)?,
        id,
        name: free_name(connection, &format!("recovered-{tail}"))?,
        class: Class::Server,
        site: None,
        watch: Class::Server.default_watch(),
        labels: BTreeMap::new(),
        layers: Layers::default().with(Layer::Guess, &guessed),
        admission: Admission::Active,
        facts: Facts::default(),
    })
}

fn recovery_line(profile: &Profile, now: Timestamp) -> crate::domain::record::AuditRow {
    crate::domain::record::AuditRow {
        at: now,
        who: "collector".into(),
        from: "identity".into(),
        action: "host.recover".into(),
        subject: profile.name.clone(),
        detail: format!("known by its certificate, its records are lost; id {}", profile.id),
    }
}

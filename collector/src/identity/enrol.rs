//! Enrolment: one transaction takes the use of the token, makes the host and issues its certificate, or does none of it.

use std::sync::{Arc, PoisonError};

use rusqlite::Connection;

use super::{
    Core, Denied, EnrolFacts, Enrolment, Identity, TokenKind, audit_of_token,
    csr::{self, RequestedKey},
    fingerprint::Fingerprint,
    labels::{self, Gives, Newcomer, safe_name},
    ledger::free_name,
    random,
    token::{PresentedToken, check_usable},
};
use crate::{
    domain::{
        ids::HostId,
        label_rule::HostRule,
        labels::{Admission, Profile},
        layers::{Layer, Says, measured},
        time::Timestamp,
    },
    store::{
        self, StoreError, from_json,
        identity_rows::{self, CertificateRecord, CertificateState, EnrolmentRecord, SessionRecord, TokenRecord},
        json,
    },
};

/// Bytes of a nonce.
const NONCE_BYTES: usize = 16;

/// What an enrolment looks at.
struct Request {
    facts: EnrolFacts,
    token: PresentedToken,
    key: RequestedKey,
    fingerprint: Fingerprint,
    rules: Arc<[HostRule]>,
    now: Timestamp,
}

/// What an enrolment wrote.
struct Enrolled {
    enrolment: Enrolment,
    certificate: Option<CertificateRecord>,
    token: TokenRecord,
    /// Certificates of the replaced installation.
    void: Vec<(Vec<u8>, Timestamp)>,
}

impl Identity {
    /// Enrols a host, once per nonce and key.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn enrol(&self, request: EnrolFacts, now: Timestamp) -> Result<Enrolment, Denied> {
        let asked = request.clone();
        let outcome = self.let_in(request, now).await;
        if let Err(denied) = &outcome {
            let mut refusals = self.core.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.add(&asked, denied, now);
        }
        outcome
    }

    async fn let_in(&self, request: EnrolFacts, now: Timestamp) -> Result<Enrolment, Denied> {
        let token = PresentedToken::parse(&request.token)
            .filter(|token| token.pin == self.pin())
            .ok_or(Denied::UnknownToken)?;
        if request.nonce.len() != NONCE_BYTES {
            let words = format!("its nonce has {} bytes instead of {NONCE_BYTES}", request.nonce.len());
            return Err(Denied::BadRequest(words));
        }
        let key = csr::accept(&request.csr)?;
        let fingerprint = Fingerprint::new(&request.fingerprint);
        let request = Request { facts: request, token, key, fingerprint, rules: Arc::clone(&self.rules), now };

        let (core, profiles) = (Arc::clone(&self.core), self.store.profiles());
        let (run_core, committed_core) = (Arc::clone(&core), core);
        let enrolled = self
            .store
            .write(
                move |connection| run_core.enrol(connection, &request),
                move |outcome: &Result<Enrolled, Denied>| {
                    if let Ok(enrolled) = outcome {
                        committed_core.remember_enrolled(enrolled);
                        store::remember(&profiles, enrolled.enrolment.profile.clone());
                    }
                },
            )
            .await??;
        // The agent hears of it only when this is written too; until then it asks again with the same nonce.
        let (token, void, host) = (enrolled.token, enrolled.void, enrolled.enrolment.profile.id);
        self.core
            .change_ledger(move |ledger| {
                let token_changed = ledger.set_token(token);
                let recoveries_changed = ledger.forget_recoveries(host);
                ledger.set_void(&void) || token_changed || recoveries_changed
            })
            .await?;
        Ok(enrolled.enrolment)
    }
}

impl Core {
    /// Everything is checked before anything is written: a refusal leaves no trace.
    fn enrol(&self, connection: &Connection, request: &Request) -> Result<Result<Enrolled, Denied>, StoreError> {
        let Some(token) = identity_rows::token(connection, &request.token.id)?
            .filter(|token| request.token.is(token) && !token.revoked)
        else {
            return Ok(Err(Denied::UnknownToken));
        };
        if let Some(answered) = identity_rows::enrolment(connection, &request.facts.nonce)? {
            return repeat(connection, request, token, answered);
        }
        if let Err(denied) = check_usable(&token, request.now) {
            return Ok(Err(denied));
        }
        let gives: Gives = from_json(&token.gives)?;
        if !gives.is_for(request.facts.peer) {
            return Ok(Err(Denied::OtherPlace(request.facts.peer, gives.from.join(", "))));
        }
        if matches!(TokenKind::from_word(&token.kind), Some(TokenKind::Batch | TokenKind::Image))
            && let Some(banned) = banned(connection, &request.fingerprint)?
        {
            return Ok(Err(Denied::NotAdmitted { name: banned.name, admission: banned.admission }));
        }
        let (profile, created) = match host_to_enrol(connection, request, &token)? {
            Ok(found) => found,
            Err(denied) => return Ok(Err(denied)),
        };
        self.write_enrolment(connection, request, token, profile, created).map(Ok)
    }

    fn write_enrolment(
        &self,
        connection: &Connection,
        request: &Request,
        token: TokenRecord,
        profile: Profile,
        created: bool,
    ) -> Result<Enrolled, StoreError> {
        let now = request.now;
        // Generations begin anew: this installation has not had a session yet.
        let session = SessionRecord { generation: 0, fingerprint: json(&request.fingerprint)? };
        identity_rows::put_host_with_session(connection, &profile, &session)?;
        let void = identity_rows::end_certificates(connection, profile.no)?;
        let issued = self.authority.sign_host(profile.id, &request.key.key, now)?;
        let certificate = CertificateRecord {
            serial: issued.serial.clone(),
            host: profile.no,
            from: issued.from,
            until: issued.until,
            state: CertificateState::Live,
        };
        identity_rows::put_certificate(connection, &certificate)?;
        let token = TokenRecord { uses_left: token.uses_left - 1, ..token };
        identity_rows::put_token(connection, &token)?;
        let chain = self.authority.chain(&issued);
        let answered = EnrolmentRecord {
            nonce: request.facts.nonce.clone(),
            key_hash: request.key.hash.to_vec(),
            host: profile.no,
            token: token.id.clone(),
            chain: chain.clone(),
            at: now,
        };
        identity_rows::put_enrolment(connection, &answered)?;
        let action = if created { "host.enrol" } else { "host.replace" };
        let line = audit_of_token(&token.id, request.facts.peer, action, &profile.name, now);
        identity_rows::append_audit(connection, &line)?;
        let enrolment = Enrolment { chain, profile, created };
        Ok(Enrolled { enrolment, certificate: Some(certificate), token, void })
    }

    fn remember_enrolled(&self, enrolled: &Enrolled) {
        let mut certificates = self.certificates.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (serial, _) in &enrolled.void {
            if let Some(certificate) = certificates.get_mut(serial) {
                certificate.state = CertificateState::Dead;
            }
        }
        if let Some(certificate) = &enrolled.certificate {
            certificates.insert(certificate.serial.clone(), certificate.clone());
        }
    }
}

/// The same nonce again: the reply was lost. The same answer is given, no use is taken.
fn repeat(
    connection: &Connection,
    request: &Request,
    token: TokenRecord,
    answered: EnrolmentRecord,
) -> Result<Result<Enrolled, Denied>, StoreError> {
    if answered.key_hash != request.key.hash || answered.token != token.id {
        let words = "its nonce was used before with another key or token: make a new nonce".to_owned();
        return Ok(Err(Denied::BadRequest(words)));
    }
    let Some(profile) = identity_rows::host_by_no(connection, answered.host)? else {
        return Err(StoreError::Broken(format!("state.db: host number {} is missing", answered.host)));
    };
    if !matches!(profile.admission, Admission::Active | Admission::Waiting) {
        return Ok(Err(Denied::NotAdmitted { name: profile.name, admission: profile.admission }));
    }
    let enrolment = Enrolment { chain: answered.chain, profile, created: false };
    Ok(Ok(Enrolled { enrolment, certificate: None, token, void: Vec::new() }))
}

/// The host that enrols: the one that a replace token is bound to, else a new one. The flag says whether it is new.
fn host_to_enrol(
    connection: &Connection,
    request: &Request,
    token: &TokenRecord,
) -> Result<Result<(Profile, bool), Denied>, StoreError> {
    if token.kind == "replace" {
        let Some(id) = token.host else { return Ok(Err(Denied::UnknownToken)) };
        match identity_rows::host_by_id(connection, id)? {
            Some(known) if known.admission != Admission::Active => {
                return Ok(Err(Denied::NotAdmitted { name: known.name, admission: known.admission }));
            }
            Some(known) => {
                let given = from_json::<Gives>(&token.gives)?.says();
                return Ok(Ok((reinstalled(known, request, &given), false)));
            }
            // Its records were lost since the token was made: it comes back under its id.
            None => return Ok(Ok((newcomer(connection, request, token, id)?, true))),
        }
    }
    let id = HostId(new_uuid(request.now)?);
    Ok(Ok((newcomer(connection, request, token, id)?, true)))
}

fn newcomer(
    connection: &Connection,
    request: &Request,
    token: &TokenRecord,
    id: HostId,
) -> Result<Profile, StoreError> {
    let facts = request.facts.facts.clone();
    let host = Newcomer {
        no: identity_rows::next_host_no(connection)?,
        id,
        name: free_name(connection, &safe_name(&facts.name))?,
        facts,
    };
    let gives: Gives = from_json(&token.gives)?;
    let mut profile = labels::profile(host, &request.facts.labels, &gives, &request.rules, request.facts.peer);
    // An image lies about; whoever starts it is let in by a person.
    if TokenKind::from_word(&token.kind) == Some(TokenKind::Image) {
        profile.admission = Admission::Waiting;
    }
    Ok(profile)
}

/// A known host that was installed anew: what its token before gave stays, unless the new one gives something.
fn reinstalled(known: Profile, request: &Request, given: &Says) -> Profile {
    let mut profile = Profile { facts: request.facts.facts.clone(), ..known };
    if !given.is_empty() {
        profile.layers = profile.layers.with(Layer::Token, given);
    }
    profile.relabel(measured(&profile, &request.facts.labels, &request.rules, Some(request.facts.peer)));
    profile
}

/// The revoked host that this machine is, if it is one.
fn banned(connection: &Connection, fingerprint: &Fingerprint) -> Result<Option<Profile>, StoreError> {
    let revoked = identity_rows::revoked_hosts(connection)?;
    let is_it = |stored: &str| fingerprint.is_banned_by(&Fingerprint::from_stored(stored));
    Ok(revoked.into_iter().find(|(_, stored)| is_it(stored)).map(|(profile, _)| profile))
}

/// A UUID v7 of the given instant.
pub(super) fn new_uuid(now: Timestamp) -> Result<uuid::Uuid, StoreError> {
    let random = random::<10>()?;
    Ok(uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.ms()).unwrap_or(0), &random).into_uuid())
}

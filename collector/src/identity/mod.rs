//! Who may come in: the certificate authority, join tokens, host certificates, revocation.
//!
//! A host is who its certificate says, found by serial on every stream; the token decides once, at enrolment. All is
//! durable in the store before anybody is answered. What must survive a lost database (revocations, tokens, voided
//! certificates) is also in [`ledger`] beside the CA's key.

mod authority;
mod csr;
mod devices;
mod enrol;
mod fingerprint;
mod issuer;
mod known;
mod labels;
mod late;
mod ledger;
mod refused;
mod sessions;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod types;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

pub use self::late::LateRequest;
pub use self::refused::Refusal;
pub use self::types::{Denied, EnrolFacts, Enrolment, Known, Presented, Standing, TokenKind, TokenRow, TokenSpec};
use self::{authority::Authority, ledger::LedgerFile, refused::Refusals, tls::ServerCertificate};
use crate::{
    domain::{
        ids::HostNo,
        label_rule::HostRule,
        labels::{Admission, Profile},
        record::AuditRow,
        time::Timestamp,
    },
    store::{Store, StoreError, identity_rows::CertificateRecord},
};

/// The identity side; cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    store: Store,
    core: Arc<Core>,
    rules: Arc<[HostRule]>,
}

/// What its parts share; knows no store, so that the store's own thread may hold it.
#[derive(Debug)]
struct Core {
    authority: Authority,
    ledger: LedgerFile,
    certificates: RwLock<HashMap<Vec<u8>, CertificateRecord>>,
    /// Servers' certificates that are renewed while they serve.
    servers: Mutex<Vec<Arc<ServerCertificate>>>,
    /// Hosts known only by their certificate since their records were lost, until the engine was told.
    recovered: Mutex<HashMap<HostNo, Profile>>,
    /// Who was not let in lately.
    refusals: Mutex<Refusals>,
}

/// Whether the key of this signing request would be certified. For `tests/long fuzz`.
#[doc(hidden)]
#[must_use]
pub fn accepts_request(der: &[u8]) -> bool {
    csr::accept(der).is_ok()
}

/// Whether this has the form of a join token. For `tests/long fuzz`.
#[doc(hidden)]
#[must_use]
pub fn is_token(text: &str) -> bool {
    token::PresentedToken::parse(text).is_some()
}

impl Identity {
    /// Opens the authority in `state/authority`, or creates it. Tokens and revocations that the store does not know
    /// (any more) are taken from the ledger beside it.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when key or certificate cannot be read or written.
    pub fn open(state: &Path, store: Store, now: Timestamp) -> Result<Self, StoreError> {
        let authority = Authority::open(state, now)?;
        let (ledger, kept) = LedgerFile::open(&state.join(authority::DIRECTORY), &store, now)?;
        let certificates = ledger.reconcile(&store, kept, now)?;
        let core = Core {
            authority,
            ledger,
            certificates: RwLock::new(certificates),
            servers: Mutex::default(),
            recovered: Mutex::default(),
            refusals: Mutex::default(),
        };
        Ok(Self { store, core: Arc::new(core), rules: Arc::default() })
    }

    /// With the configuration's `[[host_rule]]`s, which give labels at enrolment.
    #[must_use]
    pub fn with_rules(self, rules: Vec<HostRule>) -> Self {
        Self { rules: rules.into(), ..self }
    }

    /// The collector's id.
    #[must_use]
    pub fn collector_id(&self) -> uuid::Uuid {
        self.core.authority.collector()
    }

    /// The part of a token that pins the root: hex of the first 16 bytes of SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn pin(&self) -> &str {
        self.core.authority.pin()
    }

    /// Who asked to enrol since the start and was not let in, the newest first.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.core.refusals.lock().unwrap_or_else(PoisonError::into_inner).latest()
    }

    /// When the root certificate ends.
    #[must_use]
    pub fn root_expires(&self) -> Timestamp {
        self.core.authority.root_expires()
    }

    /// TLS 1.3 for agents: client certificates of our root are optional in the handshake, demanded per method.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the server certificate cannot be made.
    pub fn agent_tls(&self, now: Timestamp) -> Result<rustls::ServerConfig, StoreError> {
        let collector = self.collector_id();
        let names = vec![format!("collector.{collector}.muster.internal"), "enrol.muster.internal".to_owned()];
        let certificate = self.server_certificate(names, now)?;
        tls::for_agents(&self.core.authority, certificate)
    }

    /// TLS for people, for these names and addresses.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the certificate cannot be made.
    pub fn web_tls(&self, names: &[String], now: Timestamp) -> Result<rustls::ServerConfig, StoreError> {
        let certificate = self.server_certificate(names.to_vec(), now)?;
        tls::for_people(certificate)
    }

    /// Renews the servers' certificates that are past half of their life; handshakes from then on get the new ones.
    /// Asked once a day. Returns how many were renewed.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when one cannot be made; the present ones stay in use.
    pub fn renew_server_certificates(&self, now: Timestamp) -> Result<usize, StoreError> {
        let servers = self.core.servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut renewed = 0;
        for server in servers {
            renewed += usize::from(server.renew_if_due(&self.core.authority, now)?);
        }
        Ok(renewed)
    }

    /// The host's admission may have changed (already committed): keeps revocations in the ledger too. The file is
    /// written only when it has to say something else.
    ///
    /// # Errors
    /// [`StoreError`] when the ledger cannot be written; the store has the change all the same.
    pub async fn admission_changed(&self, host: HostNo, admission: Admission) -> Result<(), StoreError> {
        let revoked = if admission == Admission::Revoked {
            let found = self.store.read(move |connection| ledger::revoked_host(connection, host)).await?;
            Some(found.ok_or_else(|| StoreError::Broken(format!("host number {host} is not in the store")))?)
        } else {
            None
        };
        let Some(profile) = self.store.profile(host) else { return Ok(()) };
        let id = profile.id;
        if revoked.is_none()
            && !self.core.ledger.is_unwritten()
            && !self.core.ledger.ask(|ledger| ledger.is_revoked(id))
        {
            return Ok(());
        }
        self.core.change_ledger(move |ledger| ledger.set_revoked(id, revoked)).await
    }

    /// The profile of a host whose records had been lost, once: the engine is to be told `Enrolled` before anything else of it.
    #[must_use]
    pub fn take_recovered(&self, host: HostNo) -> Option<Profile> {
        self.core.recovered.lock().unwrap_or_else(PoisonError::into_inner).remove(&host)
    }

    fn server_certificate(&self, names: Vec<String>, now: Timestamp) -> Result<Arc<ServerCertificate>, StoreError> {
        let certificate = Arc::new(ServerCertificate::new(&self.core.authority, names, now)?);
        self.core.servers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&certificate));
        Ok(certificate)
    }
}

impl Core {
    /// Changes the ledger where blocking is no harm.
    async fn change_ledger(
        self: &Arc<Self>,
        change: impl FnOnce(&mut ledger::Ledger) -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        let core = Arc::clone(self);
        tokio::task::spawn_blocking(move || core.ledger.change(change))
            .await
            .map_err(|error| StoreError::Broken(format!("the ledger was not written: {error}")))?
    }

    fn remember_certificate(&self, certificate: CertificateRecord) {
        let mut certificates = self.certificates.write().unwrap_or_else(PoisonError::into_inner);
        certificates.insert(certificate.serial.clone(), certificate);
    }
}

/// Random bytes for keys, serials and secrets.
fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| StoreError::Broken("the system gives no random bytes".into()))?;
    Ok(bytes)
}

/// Bytes as lower case hex.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    hash
}

/// An audit line that a machine's enrolment leaves.
fn audit_of_token(token: &str, from: std::net::IpAddr, action: &str, subject: &str, now: Timestamp) -> AuditRow {
    AuditRow {
        at: now,
        who: format!("token {token}"),
        from: format!("grpc {from}"),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: String::new(),
    }
}

//! Who may come in: the certificate authority, join tokens, host certificates, revocation. (bodies to come)

use std::net::IpAddr;

use crate::{
    domain::{
        ids::{HostId, HostNo},
        labels::{Admission, Class, Facts, Profile},
        record::AuditRow,
        time::Timestamp,
        watch::Watch,
    },
    store::{Store, StoreError},
};

/// Why somebody is not let in: a bounded kind for the counter and the remedy for people.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The token is not known (or was revoked).
    #[error("this token is not known or was revoked: ask for a new one (muster-collector token create)")]
    UnknownToken,
    /// The token's time is over.
    #[error("this token expired at {0}: ask for a new one (muster-collector token create)")]
    ExpiredToken(Timestamp),
    /// The token has no uses left.
    #[error("this token has no uses left: ask for a new one (muster-collector token create)")]
    UsedToken,
    /// The request for a certificate is not acceptable.
    #[error("the certificate request is refused: {0}")]
    BadRequest(String),
    /// The certificate is not of this collector, or not known.
    #[error("the client certificate is not known here: enrol this host again")]
    UnknownCertificate,
    /// The host may not speak.
    #[error("host {name} is {admission:?}")]
    NotAdmitted {
        /// Its name.
        name: String,
        /// Why.
        admission: Admission,
    },
    /// The same identity is used by two machines.
    #[error("this identity is in use on another machine ({0}): enrol this one with a token of its own")]
    Clone(IpAddr),
    /// The store failed.
    #[error("cannot be recorded now")]
    Store(#[from] StoreError),
}

/// An enrolment as decoded.
#[derive(Debug, Clone)]
pub struct EnrolFacts {
    /// The join secret as sent.
    pub token: String,
    /// DER, <= 4 KiB.
    pub csr: Vec<u8>,
    /// 16 random bytes.
    pub nonce: Vec<u8>,
    /// Fingerprint parts: name and 16-byte HMAC.
    pub fingerprint: Vec<(String, Vec<u8>)>,
    /// What it says of itself.
    pub facts: Facts,
    /// Labels of its agent.toml.
    pub labels: Vec<(String, String)>,
    /// Where it came from.
    pub peer: IpAddr,
}

/// A successful enrolment or renewal.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// DER certificates each preceded by its length (4 bytes big endian), leaf first, root last.
    pub chain: Vec<u8>,
    /// The host.
    pub profile: Profile,
    /// False when the same nonce and key had enrolled before (lost reply) or a replace token was used.
    pub created: bool,
}

/// A host known by its certificate.
#[derive(Debug, Clone)]
pub struct Known {
    /// The host.
    pub no: HostNo,
    /// Its id.
    pub id: HostId,
    /// Serial number of the certificate.
    pub serial: Vec<u8>,
    /// When the certificate ends.
    pub expires: Timestamp,
}

/// What an agent presents when it opens a session.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The generation it echoes.
    pub generation: u64,
    /// Its boot id.
    pub boot_id: [u8; 16],
    /// Its fingerprint.
    pub fingerprint: Vec<(String, Vec<u8>)>,
    /// Where it came from.
    pub peer: IpAddr,
}

/// The generation's word on a new session (decisions 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Fine; here is the next generation.
    Fine(u64),
    /// Restored from a snapshot: fine, with a new epoch and a gap.
    Restored(u64),
    /// Generation too old and another fingerprint: a clone.
    Clone,
}

/// What a new token gives.
#[derive(Debug, Clone)]
pub struct TokenSpec {
    /// `single`, `batch`, `replace`.
    pub kind: TokenKind,
    /// Milliseconds of life.
    pub ttl_ms: i64,
    /// How many hosts may use it (1 for single and replace, <= 500 for batch).
    pub uses: u32,
    /// The host that a replace token is bound to.
    pub host: Option<HostId>,
    /// Labels it gives.
    pub labels: Vec<(String, String)>,
    /// Class it gives.
    pub class: Option<Class>,
    /// Site it gives.
    pub site: Option<String>,
    /// Watch level it gives.
    pub watch: Option<Watch>,
}

/// The kinds of join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// One machine, by hand: 1 h by default, at most 24 h.
    Single,
    /// Roll-out by script: 24 h by default, at most 7 d and 500 uses.
    Batch,
    /// Re-install of one known host that keeps its record: 1 h.
    Replace,
}

/// A token as listed; never the secret.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its 8 characters.
    pub id: String,
    /// Its kind.
    pub kind: TokenKind,
    /// When it ends.
    pub expires: Timestamp,
    /// Uses left.
    pub uses_left: u32,
    /// The host it is bound to.
    pub host: Option<HostId>,
    /// What it gives, in words.
    pub gives: String,
    /// Who made it.
    pub made_by: String,
}

/// The identity side; cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    store: Store,
}

impl Identity {
    /// Opens the authority in `state/authority`, or creates it.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when key or certificate cannot be read or written.
    pub fn open(_state: &std::path::Path, store: Store, _now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self { store })
    }

    /// The collector's id.
    #[must_use]
    pub fn collector_id(&self) -> uuid::Uuid {
        let _ = &self.store;
        unimplemented!()
    }

    /// TLS 1.3 for agents: client certificates of our root are optional in the handshake, demanded per method.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the server certificate cannot be made.
    pub fn agent_tls(&self, _now: Timestamp) -> Result<rustls::ServerConfig, StoreError> {
        unimplemented!()
    }

    /// TLS for people, for these names and addresses.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the certificate cannot be made.
    pub fn web_tls(&self, _names: &[String], _now: Timestamp) -> Result<rustls::ServerConfig, StoreError> {
        unimplemented!()
    }

    /// Enrols a host, once per nonce and key.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn enrol(&self, _request: EnrolFacts, _now: Timestamp) -> Result<Enrolment, Denied> {
        unimplemented!()
    }

    /// Issues the next certificate for a known host; the present one stays valid until the new one has been used.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn renew(&self, _known: &Known, _csr: &[u8], _now: Timestamp) -> Result<Enrolment, Denied> {
        unimplemented!()
    }

    /// Who this client certificate (DER, chain already verified by TLS) belongs to, if it may speak.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn known(&self, _certificate: &[u8], _now: Timestamp) -> Result<(Known, Profile), Denied> {
        unimplemented!()
    }

    /// A session begins: checks generation and fingerprint, remembers the next.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn begin_session(
        &self,
        _known: &Known,
        _presented: &Presented,
        _now: Timestamp,
    ) -> Result<Standing, Denied> {
        unimplemented!()
    }

    /// Makes a token; the text is shown once.
    ///
    /// # Errors
    /// [`Denied::BadRequest`] names the limit that is broken.
    pub async fn create_token(&self, _spec: TokenSpec, _by: AuditRow, _now: Timestamp) -> Result<String, Denied> {
        unimplemented!()
    }

    /// Tokens that still work.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn tokens(&self, _now: Timestamp) -> Result<Vec<TokenRow>, Denied> {
        unimplemented!()
    }

    /// Revokes a token at once. False when there is none.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn revoke_token(&self, _id: &str, _by: AuditRow) -> Result<bool, Denied> {
        unimplemented!()
    }
}

//! What the identity side takes and gives.

use std::net::IpAddr;

use crate::{
    domain::{
        ids::{HostId, HostNo},
        labels::{Admission, Class, Facts, Profile},
        network::Network,
        time::Timestamp,
        watch::Watch,
    },
    store::StoreError,
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
    /// The token is not for machines with this address.
    #[error(
        "this token is for machines in {1}, this one comes from {0}: use it there, or ask for one of your own \
         (muster-collector token create)"
    )]
    OtherPlace(IpAddr, String),
    /// The request for a certificate is not acceptable.
    #[error("the certificate request is refused: {0}")]
    BadRequest(String),
    /// The certificate is not of this collector, or not known.
    #[error("the client certificate is not known here: enrol this host again")]
    UnknownCertificate,
    /// The certificate ended too long ago.
    #[error(
        "the certificate ended at {0}, more than 90 days ago: enrol this host again with a replace token \
         (muster-collector token create --kind replace --host NAME), so that it keeps its history"
    )]
    Lapsed(Timestamp),
    /// The host was late so often that a person must look at it.
    #[error(
        "{0} certificates of this host ended while it was away, which is as often as is let pass: see whether it is this \
         machine and give it a replace token (muster-collector token create --kind replace --host NAME)"
    )]
    LateTooOften(usize),
    /// The host may not speak.
    #[error("host {name} is {}", admission.words())]
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

/// The generation's word on a new session.
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
    /// `single`, `batch`, `image`, `replace`.
    pub kind: TokenKind,
    /// Milliseconds of life; 0 means the default of its kind.
    pub ttl_ms: i64,
    /// How many hosts may use it (1 for single and replace, <= 500 for batch and image; 0 means 1).
    pub uses: u32,
    /// Where machines that use it must come from; empty: anywhere. A batch token that names ranges may live for longer.
    pub from: Vec<Network>,
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

const HOUR_MS: i64 = 3_600_000;

/// The kinds of join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// One machine, by hand: 1 h by default, at most 24 h.
    Single,
    /// Roll-out by script: 24 h by default, at most 7 d (90 d for named address ranges) and 500 uses.
    Batch,
    /// Lies in a golden image: 30 d by default, at most 90 d and 500 uses; whoever comes with it waits for a person.
    Image,
    /// Re-install of one known host that keeps its record: 1 h.
    Replace,
}

impl TokenKind {
    /// The kind's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Image => "image",
            Self::Replace => "replace",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Single, Self::Batch, Self::Image, Self::Replace];

    /// The kind named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Milliseconds of life when none are asked for.
    #[must_use]
    pub const fn default_ttl_ms(self) -> i64 {
        match self {
            Self::Single | Self::Replace => HOUR_MS,
            Self::Batch => 24 * HOUR_MS,
            Self::Image => 30 * 24 * HOUR_MS,
        }
    }

    /// Longest life in milliseconds; a roll-out that is bound to address ranges may take a quarter.
    #[must_use]
    pub const fn longest_ttl_ms(self, has_ranges: bool) -> i64 {
        match self {
            Self::Single => 24 * HOUR_MS,
            Self::Batch if has_ranges => 90 * 24 * HOUR_MS,
            Self::Batch => 7 * 24 * HOUR_MS,
            Self::Image => 90 * 24 * HOUR_MS,
            Self::Replace => HOUR_MS,
        }
    }

    /// Most uses.
    #[must_use]
    pub const fn most_uses(self) -> u32 {
        match self {
            Self::Single | Self::Replace => 1,
            Self::Batch | Self::Image => 500,
        }
    }
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

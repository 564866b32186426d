//! The parts that hold now, what each host was given of them, and what it answered.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use super::{Merged, Part, merge};
use crate::domain::{ids::HostNo, labels::Profile, time::Timestamp};

/// Which settings a host was given last: they are numbered per host, and numbered on when they change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    /// Their number: 1, 2, 3...
    pub version: u64,
    /// What tells this document from others.
    pub digest: u64,
}

/// What a host said of its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Which version it means.
    pub version: u64,
    /// Why it is not applied; empty where it is.
    pub error: String,
    /// What the machine's own file says otherwise, and wins.
    pub local: Vec<String>,
    /// The keys that its agent knows; an old one says none.
    pub keys: Vec<String>,
    /// When it said so.
    pub at: Timestamp,
}

/// How a host stands to its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not answered since the collector started.
    Unanswered,
    /// It was sent newer ones than it has answered for.
    Sent,
    /// They are in force.
    Applied,
    /// It refused them, in these words.
    Refused(String),
    /// Its agent is too old for checks from here, and passed them over.
    TooOld,
}

impl Standing {
    /// The standing's word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Sent => "sent",
            Self::Applied => "applied",
            Self::Refused(_) => "refused",
            Self::TooOld => "too_old",
        }
    }
}

#[derive(Debug, Default)]
struct Host {
    given: Given,
    answer: Option<Answer>,
}

/// All of it. Shared by the edges; it decides nothing but which number comes next.
#[derive(Debug, Default)]
pub struct Shelf {
    /// From the configuration.
    fixed: Vec<Part>,
    /// Made through the API.
    made: RwLock<Vec<Part>>,
    hosts: Mutex<HashMap<HostNo, Host>>,
}

impl Shelf {
    /// A shelf with the configuration's parts, those that people made, and what hosts were given before.
    #[must_use]
    pub fn new(fixed: Vec<Part>, made: Vec<Part>, given: impl IntoIterator<Item = (HostNo, Given)>) -> Self {
        let hosts = given.into_iter().map(|(host, given)| (host, Host { given, answer: None })).collect();
        Self { fixed, made: RwLock::new(made), hosts: Mutex::new(hosts) }
    }

    /// Other parts that people made.
    pub fn set_made(&self, made: Vec<Part>) {
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = made;
    }

    /// What holds for a host; `more` parts hold for it besides.
    #[must_use]
    pub fn of(&self, profile: &Profile, more: &[Part]) -> Merged {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        merge(self.fixed.iter().chain(made.iter()).chain(more), profile)
    }

    /// The number of this document for a host, and whether it is another one than the host was given last.
    #[must_use]
    pub fn number(&self, host: HostNo, document: &str) -> (Given, bool) {
        let last = self.hosts().get(&host).map(|host| host.given).unwrap_or_default();
        let digest = digest(document);
        let is_new = last.version == 0 || last.digest != digest;
        (Given { version: last.version + u64::from(is_new), digest }, is_new)
    }

    /// It was given this, which is durable.
    pub fn gave(&self, host: HostNo, given: Given) {
        self.hosts().entry(host).or_default().given = given;
    }

    /// It answered.
    pub fn answered(&self, host: HostNo, answer: Answer) {
        self.hosts().entry(host).or_default().answer = Some(answer);
    }

    /// What a host was given last, what it answered, and how it stands; `has_checks`: whether checks are among it.
    #[must_use]
    pub fn standing(&self, host: HostNo, has_checks: bool) -> (Given, Option<Answer>, Standing) {
        let hosts = self.hosts();
        let Some(Host { given, answer }) = hosts.get(&host) else {
            return (Given::default(), None, Standing::Unanswered);
        };
        let standing = match answer {
            None => Standing::Unanswered,
            Some(answer) if answer.version != given.version => Standing::Sent,
            Some(answer) if !answer.error.is_empty() => Standing::Refused(answer.error.clone()),
            Some(answer) if has_checks && !answer.keys.iter().any(|key| key == "check") => Standing::TooOld,
            Some(_) => Standing::Applied,
        };
        (*given, answer.clone(), standing)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<HostNo, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a, 64 bits: the same in every version of this program. Two documents of one host that share it are as likely as
/// a 1 in 2^64.
fn digest(document: &str) -> u64 {
    document.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

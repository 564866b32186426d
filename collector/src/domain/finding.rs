//! What is found wrong with a part of a host: a rule's judgement, and the finding that it becomes.

use super::{ids::HostNo, severity::Severity, time::Timestamp};

/// One judged fact about a component: what a rule says of a part now.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Which component, such as `/var` or `nginx.service`.
    pub part: String,
    /// Which rule, such as `filesystem_space`.
    pub rule: &'static str,
    /// What it says.
    pub verdict: Verdict,
    /// What names the cause where several judgements have one: those of a host with the same name here are one trouble.
    pub cause: Option<String>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The trouble holds.
    Holds {
        /// How bad.
        severity: Severity,
        /// In words with figures and units: `/var: 3.1 GiB of 100 GiB free (3 %), below 5 %`.
        evidence: String,
    },
    /// The trouble is over.
    Cleared {
        /// In words with figures.
        evidence: String,
    },
    /// No way to say.
    CannotTell(String),
}

/// A judged fact about a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// Which host.
    pub host: HostNo,
    /// Which component.
    pub part: String,
    /// Which rule.
    pub rule: String,
    /// Open or cleared.
    pub open: bool,
    /// How bad.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// In words with figures.
    pub evidence: String,
    /// What names the cause where several findings have one: a part that fails and takes others with it.
    pub cause: Option<String>,
}

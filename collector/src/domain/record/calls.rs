//! Whom an incident calls next.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// The next step of a policy that an incident follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Which policy.
    pub policy: String,
    /// Which step, from 0.
    pub step: usize,
    /// How often all of it was done before.
    pub round: u32,
    /// When it is taken.
    pub due: Timestamp,
}

/// A way to a person that is tried later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Who.
    pub person: String,
    /// Through which receiver.
    pub receiver: String,
    /// Their address or number there.
    pub to: Option<String>,
    /// When.
    pub due: Timestamp,
}

//! Whether an agent takes checks from here.

use serde::{Deserialize, Serialize};

/// What an agent's answers say of checks from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteChecks {
    /// Nothing: it has not answered yet.
    #[default]
    Unsaid,
    /// It takes them.
    Taken,
    /// Its machine's own file switches them off.
    SwitchedOff,
    /// It knows of no such thing.
    TooOld,
}

impl RemoteChecks {
    /// What follows from the keys that an agent knows and those that its own file says otherwise.
    #[must_use]
    pub fn said(keys: &[String], local: &[String]) -> Self {
        let names = |keys: &[String], name: &str| keys.iter().any(|key| key == name);
        match () {
            () if names(local, "remote_checks") => Self::SwitchedOff,
            () if names(keys, "check") => Self::Taken,
            () => Self::TooOld,
        }
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        *self == Self::Unsaid
    }
}

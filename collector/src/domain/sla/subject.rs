//! Who has to keep an agreement.

use crate::domain::ids::{HostId, HostNo};

/// One of those to whom an agreement applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A host.
    Host {
        /// Which.
        no: HostNo,
        /// Its id outside.
        id: HostId,
        /// Its display name.
        name: String,
    },
    /// A check of a host.
    Check {
        /// The host.
        no: HostNo,
        /// The host's id outside.
        id: HostId,
        /// The host's display name.
        host: String,
        /// The check's name on it.
        check: String,
    },
}

impl Subject {
    /// How it is called: `web-1`, `web-1/http`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Host { name, .. } => name.clone(),
            Self::Check { host, check, .. } => format!("{host}/{check}"),
        }
    }

    /// By what it is known for good, however its host is renamed: `host/ID`, `check/ID/NAME`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Host { id, .. } => format!("host/{id}"),
            Self::Check { id, check, .. } => format!("check/{id}/{check}"),
        }
    }

    /// The key of the incidents that tell of its outages.
    #[must_use]
    pub fn incident_key(&self) -> String {
        match self {
            Self::Host { id, .. } => format!("liveness/{id}/host"),
            Self::Check { id, check, .. } => format!("check/{id}/{check}"),
        }
    }

    /// What it is, as results write it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Check { .. } => "check",
        }
    }

    /// The host that it is, or is on, inside the store and the engine.
    #[must_use]
    pub const fn no(&self) -> HostNo {
        match self {
            Self::Host { no, .. } | Self::Check { no, .. } => *no,
        }
    }

    /// The host that it is, or is on.
    #[must_use]
    pub const fn host(&self) -> HostId {
        match self {
            Self::Host { id, .. } | Self::Check { id, .. } => *id,
        }
    }
}

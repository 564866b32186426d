//! Who has to keep an agreement.

use super::service::Needs;
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
    /// What depends on several of them.
    Service {
        /// Its name.
        name: String,
        /// How many of its members it needs.
        needs: Needs,
        /// How many members are known, those that are not in service too.
        of: usize,
    },
}

impl Subject {
    /// How it is called: `web-1`, `web-1/http`, `shop`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Host { name, .. } | Self::Service { name, .. } => name.clone(),
            Self::Check { host, check, .. } => format!("{host}/{check}"),
        }
    }

    /// By what it is known for good, however its host is renamed: `host/ID`, `check/ID/NAME`, `service/NAME`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Host { id, .. } => format!("host/{id}"),
            Self::Check { id, check, .. } => format!("check/{id}/{check}"),
            Self::Service { name, .. } => Self::service_key(name),
        }
    }

    /// The key of the service of this name.
    #[must_use]
    pub fn service_key(name: &str) -> String {
        format!("service/{name}")
    }

    /// The key of the incidents that tell of its outages; those of a service are told of in its members.
    #[must_use]
    pub fn incident_key(&self) -> Option<String> {
        match self {
            Self::Host { id, .. } => Some(format!("liveness/{id}/host")),
            Self::Check { id, check, .. } => Some(format!("check/{id}/{check}")),
            Self::Service { .. } => None,
        }
    }

    /// What it is, as results write it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Check { .. } => "check",
            Self::Service { .. } => "service",
        }
    }

    /// The host that it is, or is on, inside the store and the engine.
    #[must_use]
    pub const fn no(&self) -> Option<HostNo> {
        match self {
            Self::Host { no, .. } | Self::Check { no, .. } => Some(*no),
            Self::Service { .. } => None,
        }
    }

    /// The host that it is, or is on.
    #[must_use]
    pub const fn host(&self) -> Option<HostId> {
        match self {
            Self::Host { id, .. } | Self::Check { id, .. } => Some(*id),
            Self::Service { .. } => None,
        }
    }
}

//! What is looked at only when the collector asks: dearer than a reading, and said once, as a record.
//!
//! The sources are a closed list: the collector names one of them, never a path or a program. Each may take its time; the
//! uplink looks on a thread of its own, at one source at a time.

mod processes;

use crate::host::{Host, HostError};

/// One source.
#[derive(Debug)]
pub struct Source {
    /// Its name on the wire.
    pub name: &'static str,
    look: fn(&Host) -> Outcome,
}

/// All sources.
pub static SOURCES: &[Source] = &[Source { name: "processes", look: processes::look }];

/// What was found at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The source's name.
    pub source: &'static str,
    /// How it went.
    pub outcome: Outcome,
}

/// How looking went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read; this is what was found, as JSON.
    Read(String),
    /// There is no such thing on this machine.
    NotPresent(String),
    /// It is there, but the agent may not look.
    Unreadable(String),
    /// Reading it failed.
    Failed(String),
}

impl From<HostError> for Outcome {
    fn from(error: HostError) -> Self {
        let reason = error.to_string();
        match error {
            HostError::NotPresent(_) => Self::NotPresent(reason),
            HostError::Unreadable { .. } => Self::Unreadable(reason),
            HostError::Failed { .. } => Self::Failed(reason),
        }
    }
}

impl Source {
    /// The source with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SOURCES.iter().find(|source| source.name == name)
    }

    /// Looks, which may take seconds.
    #[must_use]
    pub fn look(&self, host: &Host) -> Evidence {
        Evidence { source: self.name, outcome: (self.look)(host) }
    }
}

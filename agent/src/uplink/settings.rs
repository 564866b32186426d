//! How closely the collector watches, and what this agent remembers of its sessions between starts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dial::PathWatch;
use crate::state::{StateDir, StateError};

const FILE: &str = "session.json";

/// How closely a host is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watch {
    /// Some hundreds of hosts at most: silence is seen within about a second.
    Fast,
    /// Servers.
    #[default]
    Normal,
    /// Workstations.
    Relaxed,
}

/// The settings in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How closely the host is watched.
    pub watch: Watch,
    /// Between reports.
    pub report: Duration,
    /// The longest silence on a stream.
    pub beat: Duration,
}

impl Watch {
    /// The settings of this level where nothing else is said.
    #[must_use]
    pub fn settings(self) -> Settings {
        let (report_ms, beat_ms) = match self {
            Self::Fast => (5_000, 400),
            Self::Normal => (15_000, 5_000),
            Self::Relaxed => (60_000, 30_000),
        };
        Settings { watch: self, report: Duration::from_millis(report_ms), beat: Duration::from_millis(beat_ms) }
    }

    /// How quickly the kernel shall give a silent path up.
    #[must_use]
    pub fn path(self) -> PathWatch {
        match self {
            Self::Fast | Self::Normal => PathWatch {
                keep_alive: Duration::from_secs(1),
                probes: 3,
                user_timeout: Duration::from_secs(3),
                narrow: false,
            },
            Self::Relaxed => PathWatch {
                keep_alive: Duration::from_secs(30),
                probes: 3,
                user_timeout: Duration::from_secs(90),
                narrow: false,
            },
        }
    }
}

/// What outlives the process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// How often the agent was started.
    pub(crate) starts: u64,
    /// The collector's count of sessions, echoed in the next `Hello`.
    pub(crate) generation: u64,
    /// The last good settings.
    pub(crate) settings_version: u64,
    pub(crate) settings_document: String,
}

impl Memory {
    /// Reads what the last run left; what cannot be read is set aside and begun anew.
    pub(crate) fn load(state: &StateDir, wall_ms: i64) -> Result<Self, StateError> {
        let Some(bytes) = state.read(FILE)? else { return Ok(Self::default()) };
        match serde_json::from_slice(&bytes) {
            Ok(memory) => Ok(memory),
            Err(_) => {
                tracing::warn!("{FILE} is not whole and is set aside; sessions are counted anew");
                state.set_aside(FILE, "corrupt", wall_ms)?;
                Ok(Self::default())
            }
        }
    }

    /// Writes it; a disk that refuses costs the memory, not the session.
    pub(crate) fn save(&self, state: &StateDir) {
        let bytes = serde_json::to_vec(self).expect("numbers and strings only: nothing in it can fail to serialise");
        if let Err(error) = state.write(FILE, &bytes) {
            tracing::warn!(%error, "what the collector said could not be kept for the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_survives_a_restart_and_damage_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        Memory { starts: 3, generation: 9, ..Memory::default() }.save(&state);
        assert_eq!(Memory::load(&state, 5).unwrap().generation, 9);
        state.write(FILE, b"{\"starts\": 3").unwrap();
        assert_eq!(Memory::load(&state, 5).unwrap().generation, 0);
        assert!(state.file("session.json.corrupt-5").exists());
    }
}

//! What the collector may set, and what this agent remembers of its sessions between starts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dial::PathWatch;
use crate::state::{StateDir, StateError};

const FILE: &str = "session.json";
/// The wire's limit for a settings document.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
const REPORT_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;
const BEAT_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

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
            Self::Fast | Self::Normal => {
                PathWatch { keep_alive: Duration::from_secs(1), probes: 3, user_timeout: Duration::from_secs(3) }
            }
            Self::Relaxed => {
                PathWatch { keep_alive: Duration::from_secs(30), probes: 3, user_timeout: Duration::from_secs(90) }
            }
        }
    }
}

/// The document as it is sent. Keys of newer collectors are passed over: all that this agent knows is applied or nothing.
#[derive(Debug, Default, Deserialize)]
struct Document {
    /// "fast", "normal" or "relaxed".
    watch: Option<Watch>,
    /// Milliseconds between reports, 1 000 to 300 000.
    report_ms: Option<u64>,
    /// Milliseconds between beats, 100 to 60 000.
    beat_ms: Option<u64>,
}

impl Settings {
    /// Reads a settings document; an empty one means the defaults.
    ///
    /// # Errors
    /// A sentence that names key, value and expectation; nothing is applied then.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(format!("the document has {} bytes, expected at most {DOCUMENT_BYTES_MAX}", document.len()));
        }
        let text = std::str::from_utf8(document).map_err(|_| "the document is not UTF-8 text".to_owned())?;
        let document: Document = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut settings = document.watch.unwrap_or_default().settings();
        if let Some(ms) = document.report_ms {
            settings.report = within("report_ms", ms, &REPORT_MS)?;
        }
        if let Some(ms) = document.beat_ms {
            settings.beat = within("beat_ms", ms, &BEAT_MS)?;
        }
        Ok(settings)
    }
}

fn within(key: &str, ms: u64, range: &std::ops::RangeInclusive<u64>) -> Result<Duration, String> {
    if range.contains(&ms) {
        Ok(Duration::from_millis(ms))
    } else {
        Err(format!("{key} = {ms}: expected {} to {}", range.start(), range.end()))
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

    /// The last good settings.
    pub(crate) fn settings(&self) -> Settings {
        Settings::parse(self.settings_document.as_bytes()).unwrap_or_else(|_| Watch::default().settings())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_states_the_level_and_may_state_the_times() {
        assert_eq!(Settings::parse(b"").unwrap(), Watch::Normal.settings());
        let fast = Settings::parse(b"watch = \"fast\"\nreport_ms = 1000\nnewer = [1]\n").unwrap();
        assert_eq!((fast.watch, fast.report.as_millis(), fast.beat.as_millis()), (Watch::Fast, 1_000, 400));
    }

    #[test]
    fn unfit_document_is_refused_whole_with_key_value_and_expectation() {
        assert_eq!(
            Settings::parse(b"watch = \"fast\"\nbeat_ms = 99").unwrap_err(),
            "beat_ms = 99: expected 100 to 60000"
        );
        for wrong in [&b"watch = \"lax\""[..], b"report_ms = 300001", b"\xff", &[b' '; DOCUMENT_BYTES_MAX + 1]] {
            assert!(Settings::parse(wrong).is_err());
        }
    }

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

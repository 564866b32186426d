//! Settings from the collector: read, applied all or nothing, remembered, answered.
//!
//! What this machine's own file states wins and is reported as local. A document of which anything is refused leaves the
//! checks as they were. Watch level, report and beat are the terms of the stream itself: both ends must hold them alike,
//! or an agent that refuses a check would soon be taken for silent. They hold whenever they are right by themselves.

use std::path::Path;
use std::time::Duration;

use muster_proto::v1::{self, agent_message::Body};
use serde::Deserialize;
use toml::Spanned;

use super::Uplink;
use super::settings::{Settings, Watch};
use crate::check::Definition;
use crate::check::define::Table;
use crate::check::remote::{self, Local, RemoteChecks};
use crate::inspection::Inspection;

/// The wire's limit for a settings document.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// The wire's limit for the reason of a refusal.
const REASON_BYTES_MAX: usize = 1024;
const REPORT_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;
const BEAT_MS: std::ops::RangeInclusive<u64> = 100..=60_000;
/// The keys that this agent knows, as it tells the collector.
const KEYS: [&str; 4] = ["watch", "report_ms", "beat_ms", "check"];

/// The document as it is sent. Keys of newer collectors are passed over: all that this agent knows is applied or nothing.
#[derive(Debug, Default, Deserialize)]
struct Document {
    /// "fast", "normal" or "relaxed".
    watch: Option<Watch>,
    /// Milliseconds between reports, 1 000 to 300 000.
    report_ms: Option<u64>,
    /// Milliseconds between beats, 100 to 60 000.
    beat_ms: Option<u64>,
    /// Service checks.
    #[serde(default)]
    check: Vec<Spanned<Table>>,
}

/// Settings that can be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Central {
    /// The terms of the stream.
    pub(super) settings: Settings,
    /// Checks besides this machine's own.
    pub(super) checks: Vec<Definition>,
    /// What this machine's own file says otherwise: `interval`, `check.NAME`.
    pub(super) local: Vec<String>,
}

/// Why a document is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// In words: key, value and expectation of everything that is wrong.
    pub(super) why: String,
    /// The terms of the stream, where these are right.
    pub(super) settings: Option<Settings>,
}

impl Central {
    /// Reads a settings document; an empty one means the defaults.
    pub(super) fn read(document: &[u8], local: &Local) -> Result<Self, Refused> {
        let refused = |why: String| Refused { why, settings: None };
        if document.len() > DOCUMENT_BYTES_MAX {
            let bytes = document.len();
            return Err(refused(format!("the document has {bytes} bytes, expected at most {DOCUMENT_BYTES_MAX}")));
        }
        let text = std::str::from_utf8(document).map_err(|_| refused("the document is not UTF-8 text".to_owned()))?;
        let document: Document = toml::from_str(text).map_err(|error| refused(error.message().to_owned()))?;
        let settings = terms(&document).map_err(refused)?;
        let named = document.check.iter().filter_map(|table| table.get_ref().get("name")?.get_ref().as_str());
        let own = named.filter(|name| local.has_check(name)).map(|name| format!("check.{name}"));
        let interval = local.interval.filter(|own| *own != settings.report).map(|_| "interval".to_owned());
        let states = interval.into_iter().chain(own).collect();
        let mut inspection = Inspection::of(Path::new("settings"), text);
        let checks = remote::checks(document.check, local, &mut inspection);
        let mistakes: Vec<&str> = inspection.mistakes.iter().map(|mistake| mistake.text.as_str()).collect();
        if mistakes.is_empty() {
            return Ok(Self { settings, checks, local: states });
        }
        let mut why = mistakes.join("; ");
        why.truncate(why.floor_char_boundary(REASON_BYTES_MAX));
        Err(Refused { why, settings: Some(settings) })
    }

    /// What was in force when the agent last ran, as far as this machine's own file still takes it.
    pub(super) fn remembered(document: &str, local: &Local) -> Self {
        Self::read(document.as_bytes(), local).unwrap_or_else(|refused| Self {
            settings: refused.settings.unwrap_or_else(|| Watch::default().settings()),
            checks: Vec::new(),
            local: Vec::new(),
        })
    }
}

fn terms(document: &Document) -> Result<Settings, String> {
    let mut settings = document.watch.unwrap_or_default().settings();
    if let Some(ms) = document.report_ms {
        settings.report = within("report_ms", ms, &REPORT_MS)?;
    }
    if let Some(ms) = document.beat_ms {
        settings.beat = within("beat_ms", ms, &BEAT_MS)?;
    }
    Ok(settings)
}

fn within(key: &str, ms: u64, range: &std::ops::RangeInclusive<u64>) -> Result<Duration, String> {
    if range.contains(&ms) {
        Ok(Duration::from_millis(ms))
    } else {
        Err(format!("{key} = {ms}: expected {} to {}", range.start(), range.end()))
    }
}

/// The terms of the stream in a document that a machine with all defaults applies. For `tests/long fuzz`.
#[must_use]
pub fn settings_in(document: &[u8]) -> Option<Settings> {
    Central::read(document, &Local::default()).ok().map(|central| central.settings)
}

impl Uplink {
    /// Applies settings all or nothing and answers.
    pub(super) fn settings(&mut self, settings: &v1::Settings) {
        let mut answer = v1::SettingsApplied {
            version: settings.version,
            keys: KEYS.map(str::to_owned).to_vec(),
            ..v1::SettingsApplied::default()
        };
        // Said even where there is none to take, so that nobody sends what would be refused.
        if self.parts.local.remote_checks == RemoteChecks::None {
            answer.local.push("remote_checks".to_owned());
        }
        match Central::read(&settings.document, &self.parts.local) {
            Ok(central) => {
                self.take_settings(central.settings);
                self.memory.settings_version = settings.version;
                let document = String::from_utf8_lossy(&settings.document);
                // Each welcome brings the settings; a version alone goes to the disk with the next generation.
                if document != self.memory.settings_document {
                    self.memory.settings_document = document.into_owned();
                    self.memory.save(&self.parts.state);
                }
                self.take_checks(central.checks);
                answer.local.extend(central.local);
            }
            Err(refused) => {
                let (version, why) = (settings.version, refused.why.escape_debug());
                tracing::warn!("settings {version} of the collector are not applied: {why}");
                if let Some(settings) = refused.settings {
                    self.take_settings(settings);
                }
                answer.error = refused.why;
            }
        }
        self.say(Body::SettingsApplied(answer));
    }

    /// From now on these checks besides this machine's own.
    pub(super) fn take_checks(&mut self, checks: Vec<Definition>) {
        if checks == self.sent_checks {
            return;
        }
        let Some(board) = self.parts.host.checks() else { return };
        tracing::info!(checks = checks.len(), "the collector has set which checks are run besides this machine's own");
        let all: Vec<Definition> = self.parts.local.checks.iter().chain(&checks).cloned().collect();
        board.define(&all);
        self.sent_checks = checks;
        self.tell_gone_checks(self.now());
    }

    fn take_settings(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        tracing::info!(
            watch = ?settings.watch,
            report_ms = settings.report.as_millis() as u64,
            beat_ms = settings.beat.as_millis() as u64,
            "new settings"
        );
        self.settings = settings;
        self.parts.report_every.send_replace(settings.report);
        if let Some(session) = &self.session
            && let Err(error) = crate::dial::watch_path(&session.socket, settings.watch.path())
        {
            tracing::debug!(%error, "the connection keeps its old time-outs");
        }
    }
}

#[cfg(test)]
mod tests;

//! Outcomes of service checks on their way to the collector, and those of checks that are no longer defined.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Uplink;
use crate::check::board::Told;
use crate::clock::Moment;
use crate::report;
use crate::spool::Kind;
use crate::state::StateDir;

/// Names of the checks that the collector may know of: one that is not defined any more is told to be gone.
const FILE: &str = "checks.json";

/// The checks that the collector may know of.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    /// What the last run left. Where it cannot be read nothing is known: a check that is gone stays until a person says so.
    pub(super) fn load(state: &StateDir) -> Self {
        let bytes = state.read(FILE).ok().flatten();
        let names = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self(names.unwrap_or_default())
    }

    fn save(&self, state: &StateDir) {
        let outcome = if self.0.is_empty() {
            state.remove(FILE)
        } else {
            let bytes = serde_json::to_vec(&self.0).expect("a set of texts: nothing in it can fail to serialise");
            state.write(FILE, &bytes)
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "which checks the collector knows of could not be kept for the next start");
        }
    }
}

impl Uplink {
    /// Checks that the collector may know of and that are not defined any more are gone.
    pub(super) fn tell_gone_checks(&mut self, now: Moment) {
        let checks = self.parts.host.checks().map(crate::check::board::Board::definitions).unwrap_or_default();
        let defined: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let gone: Vec<String> =
            self.known_checks.0.iter().filter(|name| !defined.contains(name.as_str())).cloned().collect();
        if gone.is_empty() {
            return;
        }
        let told = |name: &String| Told {
            check: name.clone(),
            outcome: None,
            attempt: 0,
            attempts: 0,
            ok_ago: Duration::ZERO,
        };
        self.record_checks(&gone.iter().map(told).collect::<Vec<_>>(), now);
        self.known_checks.0.retain(|name| !gone.contains(name));
        self.known_checks.save(&self.parts.state);
    }

    /// Outcomes that the collector has not heard of become records, on the disk before they are sent.
    pub(super) fn tell_checks(&mut self, now: Moment) {
        let told = self.parts.host.checks().map(|board| board.take_unsaid(Instant::now())).unwrap_or_default();
        let before = self.known_checks.0.len();
        self.known_checks.0.extend(told.iter().map(|told| told.check.clone()));
        if self.known_checks.0.len() > before {
            // Before the collector can know of them.
            self.known_checks.save(&self.parts.state);
        }
        self.record_checks(&told, now);
    }

    fn record_checks(&mut self, told: &[Told], now: Moment) {
        for body in report::check_records(told) {
            self.record(Kind::Urgent, now, body);
        }
    }
}

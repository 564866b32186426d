//! What the door counts. Every refusal and every drop is counted under a bounded reason.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Every word that a refusal is counted under, so that each counts from zero: the first one is a rise only where a zero
/// was seen before it.
const REASONS: [&str; 24] = [
    "bad_request",
    "clone",
    "expired_token",
    "inventory",
    "lane_full",
    "malformed",
    "message_too_large",
    "no_certificate",
    "no_hello",
    "not_admitted",
    "over_limit",
    "protocol",
    "rate",
    "record_put_aside",
    "replayed",
    "sequence_jump",
    "settings",
    "silent",
    "store",
    "unknown_certificate",
    "unknown_method",
    "unknown_token",
    "used_token",
    "waiting",
];

/// The door's own figures.
#[derive(Debug, Clone)]
pub struct IngestMetrics {
    /// Agents connected now.
    pub sessions: IntGauge,
    /// Readings messages applied.
    pub reports: IntCounter,
    /// Messages received, by kind.
    pub messages: IntCounterVec,
    /// Values received in readings.
    pub samples: IntCounter,
    /// Bytes received from agents inside TLS.
    pub bytes: IntCounter,
    /// What was refused or left out, by reason.
    pub refused: IntCounterVec,
    /// Enrolments and renewals, by outcome.
    pub enrolments: IntCounterVec,
    /// TLS handshakes, by outcome.
    pub handshakes: IntCounterVec,
    /// Looks at silent hosts, by answer.
    pub looks: IntCounterVec,
}

impl IngestMetrics {
    /// Registers the figures.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let sessions = IntGauge::new("muster_sessions", "Agents connected now.")?;
        registry.register(Box::new(sessions.clone()))?;
        let refused = counters(
            "muster_reports_refused_total",
            "Messages, series and connections refused or left out.",
            "reason",
        )?;
        for reason in REASONS {
            let _ = refused.with_label_values(&[reason]);
        }
        Ok(Self {
            sessions,
            reports: counter("muster_reports_received_total", "Readings messages applied.")?,
            messages: counters("muster_messages_received_total", "Messages received from agents.", "kind")?,
            samples: counter("muster_samples_received_total", "Values received in readings.")?,
            bytes: counter("muster_received_bytes_total", "Bytes received from agents, inside TLS.")?,
            refused,
            enrolments: counters("muster_enrolments_total", "Enrolments and renewals asked for.", "outcome")?,
            handshakes: counters("muster_handshakes_total", "Connections of agents, as far as TLS.", "outcome")?,
            looks: counters("muster_looks_total", "Looks at silent hosts.", "answer")?,
        })
    }

    /// Counts a refusal. `reason` is one of a fixed set of words.
    pub(crate) fn refuse(&self, reason: &'static str) {
        debug_assert!(REASONS.contains(&reason), "{reason} is not counted from zero");
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Counts a handshake's outcome.
    pub(crate) fn handshake(&self, outcome: &'static str) {
        self.handshakes.with_label_values(&[outcome]).inc();
    }

    /// Counts an enrolment's outcome.
    pub(crate) fn enrolment(&self, outcome: &'static str) {
        self.enrolments.with_label_values(&[outcome]).inc();
    }
}

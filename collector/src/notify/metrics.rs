//! What the outbox and the mirrors count.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::domain::severity::Severity;

/// Figures about notifications, by receiver.
#[derive(Debug, Clone)]
pub struct NotifyMetrics {
    /// Tries to deliver, by outcome: `accepted`, `retrying`, `failed`.
    pub notifications: IntCounterVec,
    /// How long tries took.
    pub seconds: HistogramVec,
    /// From the decision to tell somebody until the receiver has taken the page, restarts and outages in, by severity.
    pub delivery: HistogramVec,
    /// Pages that wait or are being sent.
    pub queue: IntGaugeVec,
    /// Pages that did not fit into the queue and were left to the record for now.
    pub spilled: IntCounterVec,
    /// Rounds to each peer of a mirror, by outcome: `accepted`, `retrying`, `refused` (an alert it does not take).
    pub mirror_rounds: IntCounterVec,
}

impl NotifyMetrics {
    /// Registers the figures.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let metrics = Self {
            notifications: counter(
                "muster_notifications_total",
                "Tries to deliver a page, by receiver and outcome (accepted, retrying, failed).",
                &["receiver", "outcome"],
            )?,
            seconds: HistogramVec::new(
                HistogramOpts::new(
                    "muster_notification_seconds",
                    "How long tries to deliver a page took, by receiver.",
                )
                .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0]),
                &["receiver"],
            )?,
            delivery: HistogramVec::new(
                HistogramOpts::new(
                    "muster_page_delivery_seconds",
                    "From the decision to tell somebody until the receiver has taken the page, by receiver and severity.",
                )
                .buckets(vec![
                    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0,
                ]),
                &["receiver", "severity"],
            )?,
            queue: IntGaugeVec::new(
                Opts::new("muster_notification_queue", "Pages that wait or are being sent, by receiver."),
                &["receiver"],
            )?,
            spilled: counter(
                "muster_notifications_spilled_total",
                "Pages that did not fit into the queue and were left to the record for now, by receiver.",
                &["receiver"],
            )?,
            mirror_rounds: counter(
                "muster_mirror_rounds_total",
                "Rounds to each peer of a mirror, by outcome (accepted, retrying, refused).",
                &["receiver", "peer", "outcome"],
            )?,
        };
        registry.register(Box::new(metrics.notifications.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        registry.register(Box::new(metrics.delivery.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.spilled.clone()))?;
        registry.register(Box::new(metrics.mirror_rounds.clone()))?;
        Ok(metrics)
    }

    /// Counts from zero for a receiver: the first failure is a rise only where a zero was seen before it.
    pub(super) fn count_from_zero(&self, receiver: &str) {
        for outcome in ["accepted", "retrying", "failed"] {
            let _ = self.notifications.with_label_values(&[receiver, outcome]);
        }
        for severity in [Severity::Critical, Severity::Warning] {
            let _ = self.delivery.with_label_values(&[receiver, severity.word()]);
        }
    }
}

//! What the collector does for itself: notes that it runs, watches its disk and its certificates.

use std::time::Duration;

use prometheus::{IntGaugeVec, Opts, Registry};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    domain::{event::Event, severity::Severity},
    identity::Identity,
    mailbox::Mailbox,
    store::Store,
};

/// `collector_run` is written this often.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The disk is looked at every so many heartbeats.
const DISK_EVERY: u32 = 2;
/// Certificates and what is kept too long are looked at every so many heartbeats.
const HOURLY: u32 = 720;
/// What records take on disk is looked at every so many heartbeats, for that reads both files whole,
const DAILY: u32 = 24 * HOURLY;
/// the first time so many after the start, when everybody is back.
const SOON: u32 = 12;
const DAY_MS: i64 = 86_400_000;

/// What housekeeping needs.
pub(super) struct Housekeeping {
    store: Store,
    identity: Identity,
    mailbox: Mailbox,
    clock: Clock,
    sizes: IntGaugeVec,
}

impl Housekeeping {
    pub(super) fn new(
        (store, identity, mailbox, clock): (Store, Identity, Mailbox, Clock),
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let help = "What each kind of record takes on disk, looked at once a day.";
        let sizes = IntGaugeVec::new(Opts::new("muster_store_bytes", help), &["file", "kind"])?;
        registry.register(Box::new(sizes.clone()))?;
        Ok(Self { store, identity, mailbox, clock, sizes })
    }

    /// Keeps house until `stop` turns true.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        self.report_start().await;
        for turn in 0_u32.. {
            self.heartbeat().await;
            if turn % DISK_EVERY == 0 {
                self.disk().await;
            }
            if turn % HOURLY == 0 {
                self.certificates().await;
                self.prune().await;
            }
            if turn % DAILY == SOON {
                self.sizes().await;
            }
            tokio::select! {
                () = tokio::time::sleep(HEARTBEAT) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// What the store had to put right at start: a damaged file set aside, a migration.
    async fn report_start(&self) {
        let reports = self.store.reports();
        if !reports.is_empty() {
            self.tell("store", Some((Severity::Warning, reports.join("; ")))).await;
        } else {
            self.tell("store", None).await;
        }
    }

    async fn heartbeat(&self) {
        if let Err(error) = self.store.heartbeat(self.clock.now()).await {
            tracing::error!(error.type = error.kind(), "the collector cannot note that it runs: {error}");
        }
    }

    async fn disk(&self) {
        match self.store.disk_state() {
            Ok(disk) => self.tell("state_disk", disk.trouble()).await,
            Err(error) => tracing::warn!("the state directory's free space cannot be read: {error}"),
        }
    }

    async fn certificates(&self) {
        let now = self.clock.now();
        match self.identity.renew_server_certificates(now) {
            Ok(0) => {}
            Ok(renewed) => tracing::info!(renewed, "server certificates were renewed"),
            Err(error) => tracing::error!("server certificates cannot be renewed: {error}"),
        }
        self.tell("authority", ending(self.identity.root_expires().since_ms(now))).await;
    }

    async fn prune(&self) {
        match self.store.prune(self.clock.now()).await {
            Ok(pruned) => tracing::debug!(?pruned, "what was kept long enough is gone"),
            Err(error) => tracing::warn!(error.type = error.kind(), "old facts cannot be removed: {error}"),
        }
    }

    async fn sizes(&self) {
        match self.store.sizes().await {
            Ok(sizes) => sizes.iter().for_each(|size| {
                let bytes = i64::try_from(size.bytes).unwrap_or(i64::MAX);
                self.sizes.with_label_values(&[size.file, size.kind]).set(bytes);
            }),
            Err(error) => tracing::warn!(error.type = error.kind(), "the size of the records cannot be read: {error}"),
        }
    }

    async fn tell(&self, what: &str, trouble: Option<(Severity, String)>) {
        // The engine is gone only when the collector stops.
        let _ = self.mailbox.send(Event::SelfCheck { what: what.to_owned(), trouble }).await;
    }
}

/// What is said of an authority that ends so soon: shown 90 days before, told 30 days before, and nobody is let off a week before.
fn ending(left_ms: i64) -> Option<(Severity, String)> {
    let days = left_ms.div_euclid(DAY_MS);
    let severity = match days {
        90.. => return None,
        30..90 => Severity::Info,
        7..30 => Severity::Warning,
        _ => Severity::Critical,
    };
    let text = match days {
        0.. => format!("the certificate authority ends in {days} days: no agent is heard after that"),
        _ => "the certificate authority has ended: no agent is heard any more".to_owned(),
    };
    Some((severity, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_ends_is_told_at_90_30_and_7_days() {
        let severity = |days: i64| ending(days * DAY_MS - 1).map(|(severity, _)| severity);
        assert_eq!((severity(91), severity(90), severity(31)), (None, Some(Severity::Info), Some(Severity::Info)));
        assert_eq!((severity(30), severity(8)), (Some(Severity::Warning), Some(Severity::Warning)));
        assert_eq!((severity(7), severity(0)), (Some(Severity::Critical), Some(Severity::Critical)));
        assert!(ending(6 * DAY_MS).unwrap().1.contains("in 6 days"));
        assert!(ending(-1).unwrap().1.contains("has ended"));
    }
}

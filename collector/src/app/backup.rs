//! Takes backups on their schedule, and says when there is no good one.

use std::{
    io::{self, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus::{IntGauge, Registry};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    clock::Clock,
    config::{self, Config},
    domain::{backup::Failed, event::Event, severity::Severity, time::Timestamp},
    mailbox::Mailbox,
    store::{
        Store, StoreError,
        backup::{Besides, Destination, Kind, Last, name_at, rotate},
    },
};

/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(5);

/// That the records were restored goes into the log and the audit log; says whether they were.
pub(super) async fn note_restored(store: &Store, now: Timestamp) -> Result<bool, StoreError> {
    let words = store.take_restored(now).await?;
    words.iter().for_each(|words| tracing::warn!("the records were {words}"));
    Ok(words.is_some())
}

/// What is said of backups on our own page.
#[derive(Debug, Clone)]
struct Metrics {
    at: IntGauge,
    took: IntGauge,
    bytes: IntGauge,
}

impl Metrics {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            at: IntGauge::new(
                "muster_backup_last_success_timestamp_seconds",
                "When the last good backup was begun, by the schedule or by hand, since the Unix epoch; 0: never.",
            )?,
            took: IntGauge::new("muster_backup_last_duration_seconds", "How long the last good backup took.")?,
            bytes: IntGauge::new("muster_backup_last_size_bytes", "Size of the last good backup.")?,
        };
        registry.register(Box::new(metrics.at.clone()))?;
        registry.register(Box::new(metrics.took.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        Ok(metrics)
    }
}

/// Takes backups.
pub(super) struct Backups {
    store: Store,
    mailbox: Mailbox,
    clock: Clock,
    config: Option<config::Backup>,
    besides: Besides,
    metrics: Metrics,
    since: Timestamp,
    failed: Option<Failed>,
    told: Option<Option<(Severity, String)>>,
    ends: Arc<AtomicBool>,
    running: JoinSet<Result<Last, String>>,
}

impl Backups {
    pub(super) fn new(
        config: &Config,
        (store, mailbox, clock): (Store, Mailbox, Clock),
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let (configuration, named) = config.besides();
        Ok(Self {
            since: clock.now(),
            config: config.backup.clone(),
            besides: Besides { configuration, named },
            metrics: Metrics::register(registry)?,
            store,
            mailbox,
            clock,
            failed: None,
            told: None,
            ends: Arc::default(),
            running: JoinSet::new(),
        })
    }

    /// Works until `stop` turns true; a backup that is being written then is given up.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!("what is known of backups cannot be read: {error}");
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                Some(ended) = self.running.join_next() => {
                    self.ended(ended.unwrap_or_else(|error| Err(error.to_string()))).await;
                }
                _ = stop.changed() => break,
            }
        }
        self.ends.store(true, Ordering::Relaxed);
        while self.running.join_next().await.is_some() {}
    }

    async fn round(&mut self) -> Result<(), StoreError> {
        let planned = self.store.last_backup(Kind::Planned).await?;
        let asked = self.store.last_backup(Kind::Asked).await?;
        if let Some(last) = planned.into_iter().chain(asked).max_by_key(|last| last.at_ms) {
            self.metrics.at.set(last.at_ms / 1_000);
            self.metrics.took.set(last.took_ms / 1_000);
            self.metrics.bytes.set(i64::try_from(last.bytes).unwrap_or(i64::MAX));
        }
        let (now, good) = (self.clock.now(), planned.map(|last| Timestamp::from_ms(last.at_ms)));
        let Some(config) = self.config.clone() else {
            self.tell(None).await;
            return Ok(());
        };
        if self.running.is_empty() && config.plan.is_due(good, self.failed.as_ref(), now) {
            self.begin(config.clone(), now);
        }
        let trouble = config.plan.trouble(good, self.failed.as_ref(), self.since, now);
        // What an earlier life of this collector told stands until the first try of this one has ended.
        if trouble.is_some() || self.told.is_some() || self.running.is_empty() {
            self.tell(trouble).await;
        }
        Ok(())
    }

    fn begin(&mut self, config: config::Backup, now: Timestamp) {
        let (store, besides) = (self.store.clone(), self.besides.clone());
        let (clock, ends) = (self.clock.clone(), self.ends.clone());
        self.running.spawn(async move {
            let staged = store.stage_backup(besides, now).await.map_err(|error| error.to_string())?;
            staged.missing().iter().for_each(|file| tracing::warn!("the backup goes without {file}"));
            let state = store.directory().to_owned();
            let written = tokio::task::spawn_blocking(move || {
                let directory = Path::new(&config.plan.directory);
                let to = Destination::begin(&directory.join(name_at(now)), Some(&state))?;
                let bytes = staged.seal(UntilStopped { out: to, ends }, config.passphrase.expose())?.out.keep()?;
                // What is old goes only once something newer is there.
                rotate(directory, config.plan.keep)
                    .unwrap_or_else(|error| {
                        tracing::warn!("old backups cannot be removed: {error}");
                        Vec::new()
                    })
                    .iter()
                    .for_each(|name| tracing::info!("the old backup {name} was removed"));
                Ok::<u64, io::Error>(bytes)
            });
            let bytes = written.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            Ok(Last { at_ms: now.ms(), took_ms: clock.now().since_ms(now), bytes })
        });
    }

    async fn ended(&mut self, outcome: Result<Last, String>) {
        let noted = match outcome {
            Ok(last) => {
                self.store.note_backup(Kind::Planned, last).await.map(|()| last).map_err(|error| error.to_string())
            }
            Err(why) => Err(why),
        };
        match noted {
            Ok(last) => {
                tracing::info!(bytes = last.bytes, took_ms = last.took_ms, "a backup was taken");
                self.failed = None;
            }
            Err(why) => {
                tracing::error!("no backup was taken: {why}");
                self.failed = Some(Failed { at: self.clock.now(), why });
            }
        }
    }

    /// The desk hears only what differs.
    async fn tell(&mut self, trouble: Option<(Severity, String)>) {
        if self.told.as_ref() != Some(&trouble) {
            self.told = Some(trouble.clone());
            // The engine is gone only when the collector stops.
            let _ = self.mailbox.send(Event::SelfCheck { what: "backup".into(), trouble }).await;
        }
    }
}

/// Fails once the collector is about to stop: nobody waits for the rest.
struct UntilStopped {
    out: Destination,
    ends: Arc<AtomicBool>,
}

impl Write for UntilStopped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.ends.load(Ordering::Relaxed) {
            return Err(io::Error::other("the collector stops"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! Writes each host's hour of trends when it is over, at a second of the hour that is the host's own, and reads off it
//! which file systems will be full.

use std::{sync::Arc, time::Duration};

use prometheus::{IntCounter, IntGauge, Registry};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    domain::{
        host::{slot::Slot, slots::Slots},
        ids::HostNo,
        time::Timestamp,
        trend::{
            Minutes,
            forecast::{WINDOW_HOURS, filling, may_fill},
            phase_of,
        },
    },
    store::{Store, trends::Tended},
};

/// How often it is looked whose hour is over.
const TICK: Duration = Duration::from_secs(1);
/// Rows of one transaction.
const SLICE: usize = 50;
/// Rows that could not be written and wait; with more than this the oldest are lost.
const WAITING: usize = 20_000;
/// Hosts that report no more are tended this often.
const DAILY_MS: i64 = 86_400_000;
const HOUR_S: i64 = 3_600;

/// What is said of trends on our own page.
#[derive(Debug, Clone)]
struct Metrics {
    bytes: IntGauge,
    thinned: IntCounter,
    lost: IntCounter,
}

impl Metrics {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            bytes: IntGauge::new("muster_trends_bytes", "What all trends together take on disk.")?,
            thinned: IntCounter::new(
                "muster_trends_thinned_rows_total",
                "Rows of trends given up early because all together are larger than their quota.",
            )?,
            lost: IntCounter::new("muster_trends_lost_rows_total", "Hours of trends that could not be written.")?,
        };
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.thinned.clone()))?;
        registry.register(Box::new(metrics.lost.clone()))?;
        Ok(metrics)
    }
}

/// Keeps the trends.
pub(super) struct Trends {
    store: Store,
    slots: Arc<Slots>,
    clock: Clock,
    quota: u64,
    metrics: Metrics,
    waiting: Vec<(HostNo, Minutes)>,
    failing: bool,
    full: bool,
}

impl Trends {
    /// Keeps those of these slots within `quota` bytes.
    pub(super) fn new(
        store: Store,
        slots: Arc<Slots>,
        clock: Clock,
        quota: u64,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::register(registry)?;
        Ok(Self { store, slots, clock, quota, metrics, waiting: Vec::new(), failing: false, full: false })
    }

    /// Works until `stop` turns true, then writes all that is held.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut last = self.clock.now();
        let mut tended = Timestamp::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => return self.write_all().await,
            }
            let now = self.clock.now();
            self.write_due(last, now).await;
            last = now;
            if now.since_ms(tended) >= DAILY_MS {
                tended = now;
                let outcome = self.store.tend_trends(self.quota, now).await;
                self.note(outcome);
            }
        }
    }

    /// Writes the hours of those hosts whose second has come since `last`.
    async fn write_due(&mut self, last: Timestamp, now: Timestamp) {
        let (from, to) = (last.ms().div_euclid(1000) + 1, now.ms().div_euclid(1000));
        let is_due = |host: HostNo| to - from >= HOUR_S || (from..=to).any(|s| s.rem_euclid(HOUR_S) == second_of(host));
        let due = self.slots.of(is_due);
        let mut filling = Vec::new();
        for (host, slot) in due {
            let rows = slot.take_finished_trends(now);
            let fills = rows.iter().any(may_fill) || !slot.forecasts().is_empty();
            self.waiting.extend(rows.into_iter().map(|row| (host, row)));
            if fills {
                filling.push((host, slot));
            }
        }
        self.write_waiting(now).await;
        self.foretell(&filling, now).await;
    }

    async fn write_all(&mut self) {
        for (host, slot) in self.slots.of(|_| true) {
            self.waiting.extend(slot.take_all_trends().into_iter().map(|row| (host, row)));
        }
        self.write_waiting(self.clock.now()).await;
    }

    async fn write_waiting(&mut self, now: Timestamp) {
        while !self.waiting.is_empty() {
            let slice: Vec<_> = self.waiting.iter().take(SLICE).cloned().collect();
            let number = slice.len();
            let outcome = self.store.write_trends(slice, self.quota, now).await;
            let written = outcome.is_ok();
            self.note(outcome);
            if !written {
                break;
            }
            self.waiting.drain(..number);
        }
        let lost = self.waiting.len().saturating_sub(WAITING);
        self.waiting.drain(..lost);
        self.metrics.lost.inc_by(lost as u64);
    }

    /// Says what has changed, once.
    fn note(&mut self, outcome: Result<Tended, crate::store::StoreError>) {
        match outcome {
            Ok(tended) => {
                self.metrics.bytes.set(i64::try_from(tended.bytes).unwrap_or(i64::MAX));
                self.metrics.thinned.inc_by(tended.thinned);
                if tended.thinned > 0 && !self.full {
                    let (held, quota) = (tended.bytes, self.quota);
                    tracing::warn!(held, quota, "trends have reached their quota: the oldest hours go early");
                }
                (self.full, self.failing) = (tended.thinned > 0 || self.full && tended.bytes > self.quota, false);
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(error.type = error.kind(), "trends cannot be written: {error}");
                }
                self.failing = true;
            }
        }
    }

    /// Reads off the last two days of these hosts when their file systems will be full.
    async fn foretell(&self, hosts: &[(HostNo, Arc<Slot>)], now: Timestamp) {
        let from = now.plus_ms(-(WINDOW_HOURS as i64) * HOUR_S * 1000);
        for slice in hosts.chunks(SLICE) {
            let numbers = slice.iter().map(|(host, _)| *host).collect();
            let Ok(mut known) = self.store.minutes_of(numbers, from).await else { return };
            for (host, slot) in slice {
                let mut rows = known.remove(host).unwrap_or_default();
                rows.extend(slot.trends());
                slot.set_filling(filling(&rows));
            }
        }
    }
}

/// The second of the hour that is a host's own, within the minute at which its hours begin.
fn second_of(host: HostNo) -> i64 {
    i64::from(phase_of(host.0)) * 60 + host.0.div_euclid(60).rem_euclid(60)
}

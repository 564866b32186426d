//! Keeps the figures of every agreement at hand: reckons each again and again from the ledgers, through the very functions of
//! the reports, so that metrics never say anything else than a report would.
//!
//! What that costs is bounded three times. Ledgers without an entry in the period are not read; subjects are taken some at
//! a time, so that no round holds more than theirs; and a round that takes long is followed by a pause that is so many
//! times longer. Each figure says when it was reckoned.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    domain::{
        calendar::zone,
        sla::{
            force::present,
            report::{Declared, Report},
            standing::{Standing, Tally},
            subjects::subjects,
        },
        snapshot::Snapshot,
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// From one round to the next, where a round takes no time, in milliseconds.
const EVERY_MS: i64 = 15_000;
/// A round is followed by a pause so many times as long: it takes a twentieth of the time of one core at most.
const PAUSE_TIMES: i64 = 19;

/// Keeps them.
pub(super) struct ServiceLevels {
    agreements: watch::Receiver<Arc<Vec<Declared>>>,
    store: Store,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    clock: Clock,
    published: watch::Sender<Arc<Vec<Standing>>>,
    failing: bool,
}

impl ServiceLevels {
    /// Keeps those of these agreements; and where they are read.
    pub(super) fn new(
        agreements: watch::Receiver<Arc<Vec<Declared>>>,
        store: Store,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        clock: Clock,
    ) -> (Self, watch::Receiver<Arc<Vec<Standing>>>) {
        let (published, standings) = watch::channel(Arc::default());
        (Self { agreements, store, snapshots, clock, published, failing: false }, standings)
    }

    /// Works until `stop` turns true.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let begun = self.clock.now();
            tokio::select! {
                () = self.round(begun) => {}
                _ = stop.changed() => return,
            }
            let none = self.agreements.borrow().is_empty();
            tokio::select! {
                () = tokio::time::sleep(pause(self.clock.now().since_ms(begun))), if !none => {}
                // What is promised anew is reckoned at once.
                Ok(()) = self.agreements.changed() => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// One that cannot be read keeps the figures that it had.
    async fn round(&mut self, now: Timestamp) {
        let mut failed = None;
        let agreements = Arc::clone(&self.agreements.borrow_and_update());
        let present = present(&agreements, now);
        for declared in &present {
            match self.standing(declared, now).await {
                Ok(standing) => self.published.send_modify(|all| put(Arc::make_mut(all), standing)),
                Err(error) => failed = Some(error),
            }
        }
        let is_promised = |standing: &Standing| present.iter().any(|one| one.agreement.name == standing.name);
        self.published.send_if_modified(|all| {
            let some_ended = !all.iter().all(is_promised);
            if some_ended {
                Arc::make_mut(all).retain(is_promised);
            }
            some_ended
        });
        if let Some(error) = failed.as_ref().filter(|_| !self.failing) {
            tracing::warn!(error.type = error.kind(), "figures of service levels are old: {error}");
        }
        self.failing = failed.is_some();
    }

    async fn standing(&self, declared: &Declared, now: Timestamp) -> Result<Standing, StoreError> {
        let mut tally = Tally::default();
        let zone = zone(&declared.agreement.zone);
        let period = zone.map(|zone| declared.period.at(now, &zone));
        // The present period has begun, in a zone that was known when the configuration was read.
        if let Some((period, window)) = period.and_then(|period| period.until(now).map(|window| (period, window))) {
            let snapshot = self.snapshots.borrow().clone();
            let hosts = subjects(declared, &snapshot);
            let windows = self.store.maintenance_windows().await?;
            let target = declared.agreement.target;
            let add = |known| tally.add(target, &Report::of(declared, period.clone(), window, known, now));
            self.store.gather(declared, (&windows, &snapshot, &hosts), (period.span, window), now, add).await?;
        }
        Ok(tally.standing(declared, now))
    }
}

fn put(all: &mut Vec<Standing>, standing: Standing) {
    match all.iter_mut().find(|known| known.name == standing.name) {
        Some(known) => *known = standing,
        None => all.push(standing),
    }
}

/// How long to wait after a round that took so long, in milliseconds.
pub(super) fn pause(took_ms: i64) -> Duration {
    let pause_ms = EVERY_MS.max(took_ms.saturating_mul(PAUSE_TIMES));
    Duration::from_millis(pause_ms.unsigned_abs())
}

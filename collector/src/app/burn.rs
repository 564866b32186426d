//! Looks how fast the error budgets of all agreements are spent, and tells the desk of those whose burn opens incidents.
//!
//! Only the last three days matter, so each round reads only ledgers with an entry in them, however long the period is; a
//! round that takes long is followed by a pause that is so many times longer.

use std::sync::Arc;

use tokio::sync::watch;

use super::service_levels::pause;
use crate::{
    clock::Clock,
    domain::{
        calendar::{Span, zone},
        event::Event,
        sla::{
            burn::{Burn, BurnAlerts, LONGEST_MS, Lately, Pace},
            force::present,
            report::Declared,
            standing::Standing,
            subjects::subjects,
        },
        snapshot::Snapshot,
        time::Timestamp,
    },
    mailbox::Mailbox,
    store::{Store, StoreError},
};

/// What the task needs.
pub(super) struct Burning {
    pub(super) agreements: watch::Receiver<Arc<Vec<Declared>>>,
    pub(super) store: Store,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) standings: watch::Receiver<Arc<Vec<Standing>>>,
    pub(super) clock: Clock,
    pub(super) mailbox: Mailbox,
    pub(super) published: watch::Sender<Arc<Vec<Burn>>>,
}

impl Burning {
    /// Works until `stop` turns true. Where nothing is promised it only takes back what was told of agreements that are gone.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let begun = self.clock.now();
            tokio::select! {
                () = self.round(begun, &mut failing) => {}
                _ = stop.changed() => return,
            }
            let none = self.agreements.borrow().is_empty();
            tokio::select! {
                () = tokio::time::sleep(pause(self.clock.now().since_ms(begun))), if !none => {}
                Ok(()) = self.agreements.changed() => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// One that cannot be read says nothing: what was said before stays so.
    async fn round(&mut self, now: Timestamp, failing: &mut bool) {
        match self.burns(now).await {
            Ok(burns) => {
                *failing = false;
                let told = burns.iter().filter(|burn| burn.alerts != BurnAlerts::Off).cloned().collect();
                self.published.send_replace(Arc::new(burns));
                // The engine is gone only when the collector stops.
                let _ = self.mailbox.send(Event::Burn(told)).await;
            }
            Err(error) => {
                if !*failing {
                    tracing::warn!(error.type = error.kind(), "nobody knows how fast error budgets are spent: {error}");
                }
                *failing = true;
            }
        }
    }

    async fn burns(&mut self, now: Timestamp) -> Result<Vec<Burn>, StoreError> {
        let agreements = Arc::clone(&self.agreements.borrow_and_update());
        let mut burns = Vec::with_capacity(agreements.len());
        for declared in present(&agreements, now) {
            burns.extend(self.burn(declared, now).await?);
        }
        Ok(burns)
    }

    /// None in a zone that is not known any more.
    async fn burn(&self, declared: &Declared, now: Timestamp) -> Result<Option<Burn>, StoreError> {
        let agreement = &declared.agreement;
        let Some(zone) = zone(&agreement.zone) else { return Ok(None) };
        let window = Span { from: now.plus_ms(-LONGEST_MS), until: now };
        let closed = agreement.closed(window);
        let snapshot = self.snapshots.borrow().clone();
        let mut found: Vec<Lately> = Vec::new();
        let hosts = subjects(declared, &snapshot);
        let windows = self.store.maintenance_windows().await?;
        self.store
            .gather(declared, (&windows, &snapshot, &hosts), (window, window), now, |some| {
                found.extend(some.iter().map(|known| {
                    let hosts = known.leaves().into_iter().filter_map(|leaf| snapshot.hosts.get(&leaf.subject.no()?));
                    let least_ms = hosts.map(|host| host.profile.watch.timers().told_after_ms()).max();
                    Lately::of(agreement, known, least_ms.unwrap_or(0), window, &closed)
                }));
            })
            .await?;
        found.retain(|lately| !lately.bad.is_empty());
        let standings = self.standings.borrow().clone();
        let standing = standings.iter().find(|standing| standing.name == agreement.name);
        Ok(Some(Burn {
            agreement: agreement.name.clone(),
            alerts: declared.burn_alerts,
            pace: Pace::of(agreement, declared.period.at(now, &zone).span),
            at: now,
            subjects: found,
            left: standing.map(|standing| standing.agreed.budget),
        }))
    }
}

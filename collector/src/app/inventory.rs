//! Looks at what changed of hosts' inventories: whether it was planned, what the desk should know of it, and what is gone
//! at last. Says which hosts have not been seen for long.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::House;
use crate::{
    clock::Clock,
    domain::{
        changed::{Changed, LOOKS_BACK_MS},
        event::{Event, HostEvent},
        finding::Judgement,
        hold::confirmed_labels,
        host::State,
        ids::HostNo,
        inventory::{guard, planned, unseen},
        os_support::Table,
        severity::Severity,
        sla::subjects::subject,
        snapshot::Snapshot,
        time::Timestamp,
    },
    mailbox::Mailbox,
    stock::{Known, Stock, System},
    store::{
        Store, StoreError,
        inventory::changes::{ChangeId, Noted},
    },
};

/// What metrics say is read again every so many of those: each minute.
const COUNTS_EVERY: u32 = 12;
/// Between two looks for changes that nobody has judged.
const EVERY: Duration = Duration::from_secs(5);
/// What is away, and who was not seen for long, is looked at every so many of those: each 10 minutes.
const SETTLES_EVERY: u32 = 120;

/// Looks.
pub(super) struct Noting {
    store: Store,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    mailbox: Mailbox,
    clock: Clock,
    stock: Stock,
    table: Table,
    failing: bool,
}

impl Noting {
    pub(super) fn of(house: &House) -> Self {
        Self {
            store: house.store.clone(),
            snapshots: house.snapshot.clone(),
            mailbox: house.mailbox.clone(),
            clock: house.clock.clone(),
            stock: house.board.stock.clone(),
            table: house.config.os_table.clone(),
            failing: false,
        }
    }

    /// Works until `stop` turns true.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.work() => {}
            _ = stop.changed() => {}
        }
    }

    async fn work(&mut self) {
        for turn in 0_u32.. {
            sleep(EVERY).await;
            let judged = self.judge().await;
            let is_news = matches!(judged, Ok(true));
            let mut done = judged.map(drop);
            if is_news || turn % COUNTS_EVERY == 0 {
                done = done.and(self.count().await);
            }
            if turn % SETTLES_EVERY == 0 {
                done = done.and(self.settle().await);
                self.say_who_was_not_seen().await;
                self.say_how_old_the_table_is().await;
            }
            self.told(done);
        }
    }

    /// Lays what changed beside the maintenance windows, and tells the desk; whether there was anything.
    async fn judge(&self) -> Result<bool, StoreError> {
        let mut is_news = false;
        loop {
            let unjudged = self.store.inventory_unjudged().await?;
            if unjudged.is_empty() {
                return Ok(is_news);
            }
            is_news = true;
            let judged: Vec<(ChangeId, Option<String>)> = {
                let snapshot = self.snapshots.borrow();
                unjudged.iter().map(|noted| (noted.id, window(&snapshot, noted))).collect()
            };
            // Told before it is marked: after a crash in between it is told again, and the desk lists it once.
            let since = self.clock.now().plus_ms(-LOOKS_BACK_MS);
            for noted in unjudged.iter().filter(|noted| noted.id.at >= since) {
                self.tell(noted).await;
            }
            self.store.judge_inventory(judged).await?;
        }
    }

    async fn tell(&self, noted: &Noted) {
        let Some(kind) = noted.change.class.kind() else { return };
        let changed = Changed::new(noted.id.at, kind, &noted.change.title, None);
        // The engine is gone only when the collector stops.
        let _ = self.mailbox.send(Event::Changed { hosts: vec![noted.id.host], changed }).await;
    }

    /// Ends what did not come back on hosts that are heard.
    async fn settle(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for host in self.store.inventory_away(now.plus_ms(-guard::QUIET_MS)).await? {
            let heard = {
                let snapshot = self.snapshots.borrow();
                snapshot
                    .hosts
                    .get(&host)
                    .is_some_and(|view| view.state == State::Up && now.since_ms(view.since) >= guard::QUIET_MS)
            };
            if heard {
                self.store.settle_inventory(host, now).await?;
            }
        }
        Ok(())
    }

    /// Reads what metrics say.
    async fn count(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let sections = self.store.inventory_states().await?;
        let mut rows = self.store.inventory_of_all("system").await?;
        for (host, more) in self.store.inventory_of_all("os").await? {
            rows.entry(host).or_default().extend(more);
        }
        let systems = rows.into_iter().map(|(host, rows)| (host, System::of(&rows, &self.table, now))).collect();
        self.stock.put(Known { systems, sections });
        Ok(())
    }

    /// A table that nobody has looked at for half a year is wrong about something.
    async fn say_how_old_the_table_is(&self) {
        let now = self.clock.now();
        let days = self.table.age_days(now).unwrap_or_default();
        let text = format!(
            "the table of operating systems' support is of {} ({days} days old): a newer program has a newer one, and \
             [inventory] os_support names a file in its place",
            self.table.dated
        );
        let trouble = self.table.is_stale(now).then_some((Severity::Info, text));
        let _ = self.mailbox.send(Event::SelfCheck { what: "os_support_table".into(), trouble }).await;
    }

    async fn say_who_was_not_seen(&self) {
        let now = self.clock.now();
        let mut told: Vec<(HostNo, Judgement)> = Vec::new();
        let unseen: Vec<(HostNo, Timestamp)> = {
            let snapshot = self.snapshots.borrow();
            told.extend(snapshot.hosts.iter().filter_map(|(no, view)| Some((*no, unseen::back(view)?))));
            let unseen = snapshot.hosts.iter().filter_map(|(no, view)| Some((*no, unseen::since(view, now)?)));
            unseen.collect()
        };
        for (host, since) in unseen {
            let last = self.last_known(host).await;
            let snapshot = self.snapshots.borrow();
            let judged = snapshot.hosts.get(&host).and_then(|view| unseen::judgement(view, since, now, &last));
            told.extend(judged.map(|judgement| (host, judgement)));
        }
        for (host, judgement) in told {
            let judged = HostEvent::Judged { through: None, judgements: vec![judgement] };
            let _ = self.mailbox.send(Event::Host(host, judged)).await;
        }
    }

    /// What its inventory said last of who used a host and whether its disks are encrypted.
    async fn last_known(&self, host: HostNo) -> unseen::Last {
        let mut last = unseen::Last::default();
        for section in unseen::SECTIONS {
            // What cannot be read is not said.
            let rows = self.store.inventory_rows(host, (*section).to_owned(), None).await.unwrap_or_default();
            rows.iter().for_each(|row| last.hear(section, &row.durable, &row.latest));
        }
        last
    }

    /// Says once that changes cannot be read, and once that they can again.
    fn told(&mut self, done: Result<(), StoreError>) {
        match done {
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(error.type = error.kind(), "changes of inventories cannot be looked at: {error}");
            }
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::info!("changes of inventories are looked at again");
            }
            _ => {}
        }
    }
}

/// The maintenance window that something was changed in.
fn window(snapshot: &Snapshot, noted: &Noted) -> Option<String> {
    let view = snapshot.hosts.get(&noted.id.host)?;
    let labels = confirmed_labels(&view.profile);
    planned::window(snapshot.holds.iter(), &subject(view, &labels), noted.since, noted.id.at)
}

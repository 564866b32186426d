//! Tells each watchdog how this collector is: asks the engine and the store, says what came of it, and lets the desk know when
//! the collector is not well or a watchdog is not reached.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::House;
use crate::{
    clock::Clock,
    domain::{
        event::{Answer, Command, Event, Principal},
        snapshot::Snapshot,
        time::Timestamp,
        watchdog::{Health, Reach, left_over},
    },
    mailbox::Mailbox,
    notify::watchdog::{Said, Watchdog, WatchdogMetrics},
    store::Store,
};

/// Engine and store have so long to answer; both take milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the tasks of all watchdogs know together.
#[derive(Default)]
struct Known {
    /// Since when which watchdogs are not reached.
    unreached: BTreeMap<String, Timestamp>,
    /// How the collector is, as the log and the desk were told last.
    told: Option<Health>,
}

/// All watchdogs, not told anything yet.
pub(super) struct Watchdogs {
    watched: Vec<Watched>,
    mailbox: Mailbox,
    left_over: Vec<Event>,
}

/// Makes the configured watchdogs ready; people reach the views of this collector at `url`.
pub(super) fn all(house: &House, url: &str) -> anyhow::Result<Watchdogs> {
    let (metrics, known) = (WatchdogMetrics::register(&house.registry)?, Arc::<Mutex<Known>>::default());
    let mut watched = Vec::new();
    for config in &house.config.watchdogs {
        watched.push(Watched {
            watchdog: Watchdog::new(config.clone(), metrics.clone())?,
            store: house.store.clone(),
            mailbox: house.mailbox.clone(),
            clock: house.clock.clone(),
            snapshots: house.snapshot.clone(),
            url: url.to_owned(),
            known: known.clone(),
        });
    }
    let names: Vec<&str> = house.config.watchdogs.iter().map(|config| config.name.as_str()).collect();
    let left_over = left_over(&house.snapshot.borrow(), &names);
    Ok(Watchdogs { watched, mailbox: house.mailbox.clone(), left_over })
}

impl Watchdogs {
    /// Starts a task for each.
    pub(super) fn start(self, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
        for watched in self.watched {
            tasks.spawn(watched.run(stopped.clone()));
        }
        tasks.spawn(async move {
            for event in self.left_over {
                // The engine is gone only when the collector stops.
                let _ = self.mailbox.send(event).await;
            }
        });
    }
}

/// What the task of one watchdog needs.
struct Watched {
    watchdog: Watchdog,
    store: Store,
    mailbox: Mailbox,
    clock: Clock,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where the views are.
    url: String,
    known: Arc<Mutex<Known>>,
}

impl Watched {
    /// Tells it until `stop` turns true.
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let config = self.watchdog.config();
        let place = config.place();
        tracing::info!(
            "watchdog {} at {place} is told each {} s how this collector is",
            config.name,
            config.every.as_secs()
        );
        let mut reach = Reach::new(&config.name, &place, &self.snapshots.borrow().clone());
        let mut asked = Asked::default();
        loop {
            tokio::select! {
                () = self.round(&mut reach, &mut asked) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(config.every) => {}
                _ = stop.changed() => return,
            }
        }
    }

    async fn round(&self, reach: &mut Reach, asked: &mut Asked) {
        let name = &self.watchdog.config().name;
        let health = self.health(asked).await;
        self.tell_health(&health).await;
        let others = self.known().unreached.clone();
        let words = reach.words(&self.url, &health, &self.snapshots.borrow().clone(), &others);
        let said = self.watchdog.say(&health, words, self.clock.now()).await;
        let event = match &said {
            Said::Taken => reach.heard(),
            Said::Withheld => None,
            Said::Unreached(error) => reach.unheard(error, self.clock.now()),
        };
        self.note(name, reach.unreached_since());
        if let (Some(_), Said::Unreached(error)) = (&event, &said) {
            tracing::warn!("watchdog {name} is not reached: {error}; there this collector is taken for dead");
        }
        if let Some(event) = event
            && !self.tell(event).await
        {
            reach.forgotten();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &str, since: Option<Timestamp>) {
        match since {
            Some(since) => self.known().unreached.insert(name.to_owned(), since),
            None => self.known().unreached.remove(name),
        };
    }

    /// Says in the log and at the desk how the collector is, once for each change however many watchdogs there are.
    async fn tell_health(&self, health: &Health) {
        let before = self.known().told.replace(health.clone());
        if before.as_ref() == Some(health) {
            return;
        }
        match health {
            Health::Unwell { why, .. } => tracing::error!("pages may reach nobody: {why}"),
            Health::Well if before.is_some() => tracing::info!("the way to whoever is paged is well again"),
            Health::Well => {}
        }
        if !self.tell(health.event()).await {
            self.known().told = None;
        }
    }

    /// How the collector is.
    async fn health(&self, asked: &mut Asked) -> Health {
        let mut troubles = Vec::new();
        if !asked.answers(&self.mailbox).await {
            let seconds = PATIENCE.as_secs();
            troubles.push(format!("the engine does not answer, or cannot record what it decides, within {seconds} s"));
        }
        match timeout(PATIENCE, self.store.heartbeat(self.clock.now())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => troubles.push(format!("the store does not write: {error}")),
            Err(_) => troubles.push(format!("the store has not written within {} s", PATIENCE.as_secs())),
        }
        Health::found(troubles, &self.snapshots.borrow().clone(), self.clock.now())
    }

    /// Whether the engine took it; it may be the very one that hangs.
    async fn tell(&self, event: Event) -> bool {
        timeout(PATIENCE, self.mailbox.send(event)).await.is_ok_and(|sent| sent.is_ok())
    }
}

/// A question to the engine; while it has not been answered it is not asked again.
#[derive(Default)]
struct Asked(JoinSet<bool>);

impl Asked {
    async fn answers(&mut self, mailbox: &Mailbox) -> bool {
        if self.0.is_empty() {
            let mailbox = mailbox.clone();
            let by = Principal { name: "watchdog".into(), via: "collector".into(), address: None };
            self.0.spawn(async move { matches!(mailbox.command(by, Command::AreYouThere).await, Ok(Answer::Done)) });
        }
        matches!(timeout(PATIENCE, self.0.join_next()).await, Ok(Some(Ok(true))))
    }
}

//! The engine's task: takes events, lets the engine decide, records, and only then acts.
//!
//! It drains up to 1 024 events or 5 ms, commits once, and only then publishes, sends and answers. A commit that fails
//! is kept and tried again while decisions go on; see [`super::backlog`].

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{backlog::Backlog, pulse::Pulse};
use crate::{
    clock::Clock,
    domain::{
        engine::Engine,
        event::{Effect, Event, HostEvent},
        host::slots::Slots,
        record::Row,
        snapshot::Snapshot,
        time::Timestamp,
    },
    identity::Identity,
    ingest::{self, sessions::Sessions},
    mailbox::Mailbox,
    notify::outbox::Outbox,
    store::{Store, StoreError},
};

/// Events applied before one commit.
const BATCH_EVENTS: usize = 1_024;
/// Time spent applying before one commit, in milliseconds.
const BATCH_MS: i64 = 5;
/// Slots are swept this often, in milliseconds.
const SWEEP_MS: i64 = 100;
/// Looks under way at once; more wait for their turn (at most two a host).
const LOOKS_AT_ONCE: usize = 1_024;
/// Due things are looked at least this often even while events keep coming, in milliseconds.
const TICK_AT_LEAST_MS: i64 = 1_000;
/// The wall clock may leave ours by this much, in milliseconds.
const STEP_MS: i64 = 2_000;

/// Everything the engine's task holds.
pub(super) struct Deciding {
    pub(super) engine: Engine,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) mailbox: Mailbox,
    pub(super) store: Store,
    pub(super) identity: Identity,
    pub(super) clock: Clock,
    pub(super) slots: Arc<Slots>,
    pub(super) door: Arc<ingest::Context>,
    pub(super) sessions: Sessions,
    pub(super) outbox: Outbox,
    pub(super) published: watch::Sender<Arc<Snapshot>>,
    pub(super) pulse: Pulse,
    pub(super) backlog: Backlog,
    pub(super) looks: JoinSet<()>,
    /// Looks that wait for their turn.
    pub(super) to_look: VecDeque<Effect>,
    pub(super) swept: Timestamp,
    pub(super) ticked: Timestamp,
}

impl Deciding {
    /// Records and carries out what follows from what was loaded.
    pub(super) async fn begin(&mut self, first: Vec<Effect>) {
        let now = self.clock.now();
        self.finish(first, now).await;
    }

    /// Decides until `stop` turns true; what is queued then is still decided and recorded.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let wait = self.wait();
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = tokio::time::sleep(wait) => None,
                Some(_) = self.looks.join_next(), if !self.looks.is_empty() => {
                    self.start_looks();
                    None
                }
                _ = stop.changed() => break,
            };
            self.turn(event).await;
        }
        while let Ok(event) = self.events.try_recv() {
            self.turn(Some(event)).await;
        }
        self.mailbox.answer_nobody();
    }

    fn wait(&self) -> Duration {
        let now = self.clock.now();
        let due_ms = self.engine.due().map_or(SWEEP_MS, |due| due.since_ms(now));
        let sweep_ms = self.swept.plus_ms(SWEEP_MS).since_ms(now);
        Duration::from_millis(due_ms.min(sweep_ms).clamp(0, SWEEP_MS).unsigned_abs())
    }

    async fn turn(&mut self, event: Option<Event>) {
        let begun = self.clock.now();
        let mut effects = Vec::new();
        self.notice_own_absence(begun, &mut effects);
        if let Some(event) = event {
            effects.extend(self.engine.apply(event, begun));
        }
        let mut now = begun;
        let mut applied = 1;
        let mut drained = false;
        while applied < BATCH_EVENTS && now.since_ms(begun) < BATCH_MS {
            let Ok(event) = self.events.try_recv() else {
                drained = true;
                break;
            };
            now = self.clock.now();
            effects.extend(self.engine.apply(event, now));
            applied += 1;
        }
        if now.since_ms(self.swept) >= SWEEP_MS {
            self.swept = now;
            for silence in self.slots.sweep(now) {
                let silent = HostEvent::Silent { session: silence.session, proof: silence.proof };
                effects.extend(self.engine.apply(Event::Host(silence.host, silent), now));
            }
        }
        // Nothing is concluded while what may contradict it waits in the mailbox.
        let patient = drained || now.since_ms(self.ticked) > TICK_AT_LEAST_MS;
        if patient && self.engine.due().is_some_and(|due| due <= now) {
            self.ticked = now;
            effects.extend(self.engine.apply(Event::Tick, now));
        }
        self.finish(effects, now).await;
        self.retry(now).await;
    }

    /// A stall comes before whatever happened after it.
    fn notice_own_absence(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let ahead_ms = self.clock.wall_ahead_ms();
        if ahead_ms.abs() > STEP_MS {
            tracing::warn!(ahead_ms, "the wall clock was set; the difference is applied once");
            self.clock.step(ahead_ms);
            self.pulse.stepped(ahead_ms);
            self.swept = self.swept.plus_ms(ahead_ms);
            self.ticked = self.ticked.plus_ms(ahead_ms);
            self.slots.step(ahead_ms);
            effects.extend(self.engine.apply(Event::Stepped { by_ms: ahead_ms }, self.clock.now()));
        }
        if let Some((from, to)) = self.pulse.take_gap(now) {
            tracing::warn!("the collector itself was suspended or starved from {from} to {to}: nobody was watching");
            self.slots.ask_again();
            effects.extend(self.engine.apply(Event::Stalled { from, to }, now));
        }
    }

    /// Record, then act.
    async fn finish(&mut self, effects: Vec<Effect>, now: Timestamp) {
        if effects.is_empty() {
            return;
        }
        let (mut rows, mut acts) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Record(row) => rows.push(row),
                Effect::Look { .. } | Effect::Close(..) => self.act(effect).await,
                other => acts.push(other),
            }
        }
        if !self.backlog.is_empty() {
            self.keep(rows, acts, now);
            return;
        }
        if !rows.is_empty()
            && let Err(error) = self.store.commit(rows.clone()).await
        {
            self.cannot_record(&error);
            self.keep(rows, acts, now);
            return;
        }
        self.recorded(&rows).await;
        for effect in acts {
            self.act(effect).await;
        }
    }

    fn keep(&mut self, rows: Vec<Row>, acts: Vec<Effect>, now: Timestamp) {
        let lost = self.backlog.push(rows, acts, now);
        if lost > 0 {
            tracing::error!(lost, "rows were given up: the store has failed for too long");
        }
    }

    async fn retry(&mut self, now: Timestamp) {
        if self.backlog.is_empty() {
            return;
        }
        for page in self.backlog.pages_to_send_anyway(now) {
            tracing::error!("page {} is sent unrecorded", page.message_id);
            self.outbox.submit(page);
        }
        if !self.backlog.retry_due(now) {
            return;
        }
        let rows = self.backlog.all_rows();
        match self.store.commit(rows.clone()).await {
            Ok(()) => {
                tracing::warn!("the store records again");
                let acts = self.backlog.recorded();
                self.recorded(&rows).await;
                for effect in acts {
                    self.act(effect).await;
                }
                self.publish();
            }
            Err(error) => {
                self.cannot_record(&error);
                self.backlog.failed(now);
            }
        }
    }

    fn cannot_record(&self, error: &StoreError) {
        tracing::error!(
            error.type = error.kind(),
            "nothing can be recorded: {error}; decisions go on, pages go out unrecorded after 5 s"
        );
    }

    /// What the identity side must know of durable rows.
    async fn recorded(&self, rows: &[Row]) {
        for row in rows {
            if let Row::Host(profile) = row {
                self.slots.know(profile);
            }
            if let Row::Host(profile) = row
                && let Err(error) = self.identity.admission_changed(profile.no, profile.admission).await
            {
                tracing::error!("host {} changed its admission, its certificates did not: {error}", profile.name);
            }
        }
    }

    fn publish(&self) {
        self.published.send_replace(Arc::new(self.engine.snapshot()));
    }

    async fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Record(_) => {}
            Effect::Notify(page) => self.outbox.submit(*page),
            Effect::Publish => self.publish(),
            Effect::Look { .. } => {
                self.to_look.push_back(effect);
                self.start_looks();
            }
            Effect::Settings(session) => {
                self.sessions.push_settings(session);
            }
            Effect::Close(session, reason) => {
                self.sessions.close(session, reason);
            }
            Effect::Reply(reply, answer) => self.mailbox.answer(reply, answer),
        }
    }

    fn start_looks(&mut self) {
        while self.looks.len() < LOOKS_AT_ONCE {
            let Some(Effect::Look { host, look, peer, sharing, within_ms }) = self.to_look.pop_front() else { return };
            let (mailbox, door) = (self.mailbox.clone(), self.door.clone());
            let within = Duration::from_millis(within_ms.max(1).unsigned_abs());
            self.looks.spawn(async move {
                let answer = ingest::look::look(peer, sharing, within, &door.habits).await;
                door.count_look(answer);
                // Nobody waits for it when the collector stops.
                let _ = mailbox.send(Event::Host(host, HostEvent::Looked { look, answer })).await;
            });
        }
    }
}

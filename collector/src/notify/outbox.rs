//! The outbox that never forgets: every durable page is tried until its receiver takes it or a day has passed.
//!
//! One queue and one task per receiver, so that a failing receiver never delays another. The first try of a page starts
//! where it is handed in: no timer, no polling in between. How each try went is an event for the engine, which owns the
//! record, and so is that a receiver takes no pages for a while; what a crash forgets here is handed in again at start, with the same message id.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    sync::{Notify, watch},
    task::{self, JoinSet},
};

pub use super::queue::Patience;
use super::{
    alertmanager,
    alertmanager_webhook::AlertmanagerWebhook,
    client::{ClientError, RETRY_AFTER_MOST},
    email::{Email, EmailError},
    hearing::Ear,
    metrics::NotifyMetrics,
    ntfy::Ntfy,
    ntfy_replies,
    pagerduty::Pagerduty,
    pagerduty_answers,
    queue::{Lane, Pushed, Queue},
    receiver::{Messenger, ReceiverConfig, ReceiverKind, Sent},
    script::Script,
    slack::Slack,
    teams::Teams,
    template::Words,
    trouble::{self, Standing},
    twilio::Twilio,
    twilio_receipts,
    webhook::Webhook,
};
use crate::{
    clock::Clock,
    domain::{
        event::{Event, Outcome},
        ids::PageId,
        record::Page,
        snapshot::Snapshot,
    },
    links::Links,
    mailbox::Mailbox,
};

/// The queue for pages whose receiver is not configured any more.
const STRAY: &str = "";
/// Longest sleep of a worker that waits for nothing in particular.
const IDLE: Duration = Duration::from_secs(3_600);

/// What the outbox needs to start.
pub struct Setup {
    /// Everybody who is told.
    pub receivers: Vec<ReceiverConfig>,
    /// Where people reach the views, for links in messages; without a slash at its end.
    pub base_url: String,
    /// Where outcomes go.
    pub mailbox: Mailbox,
    /// What is counted.
    pub metrics: NotifyMetrics,
    /// The engine's clock.
    pub clock: Clock,
    /// The engine's state: for mirrors, and to fetch pages that did not fit into a queue.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Makes the links by which people take an incident.
    pub links: Links,
    /// Pages of the record that are still to be sent.
    pub pending: Vec<Page>,
    /// How long to wait between tries.
    pub patience: Patience,
}

/// A receiver could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its mail transport.
    #[error(transparent)]
    Email(#[from] EmailError),
}

/// Takes pages to send. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    trays: Arc<HashMap<String, Arc<Tray>>>,
}

/// The outbox's tasks; whoever holds them stops them.
pub struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Outbox {
    /// Starts a task for each receiver and hands in what is pending, oldest first.
    ///
    /// # Errors
    /// A receiver could not be made ready; nothing is started then.
    pub fn start(setup: Setup) -> Result<(Self, Workers), StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut opening = Opening { trays: HashMap::new(), tasks: JoinSet::new(), setup: &setup, stopped: &stopped };
        for receiver in &setup.receivers {
            say_where(receiver);
            opening.receiver(receiver)?;
        }
        opening.open(STRAY, Nobody);
        let Opening { trays, tasks, .. } = opening;
        let outbox = Self { trays: Arc::new(trays) };
        let mut pending = setup.pending;
        pending.sort_by_key(|page| page.id);
        // What a receiver asked for is not forgotten with the collector that it asked.
        let most = setup.clock.now().plus_ms(RETRY_AFTER_MOST.as_millis() as i64);
        for (page, until) in pending.iter().filter_map(|page| Some((page, page.proof.not_before?))) {
            let tray = outbox.trays.get(&page.receiver);
            tray.into_iter().for_each(|tray| tray.with(|queue| queue.leave_alone(until.min(most))));
        }
        pending.into_iter().for_each(|page| outbox.submit(page));
        Ok((outbox, Workers { tasks, stop }))
    }

    /// Hands in a durable page. Never waits; a page that is here already is not taken twice.
    pub fn submit(&self, page: Page) {
        let tray = self.trays.get(&page.receiver).or_else(|| self.trays.get(STRAY));
        tray.expect("there is always a tray for strays").put(page);
    }
}

impl Workers {
    /// Stops: nothing new is begun, what is on its way may end within `deadline`. What is left stays in the record.
    pub async fn stop(mut self, deadline: Duration) {
        // Nobody listening means that all tasks have ended.
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Says at start where messages go in the clear or to private addresses, which the guard lets pass because the
/// administrator wrote them.
fn say_where(receiver: &ReceiverConfig) {
    for url in receiver.kind.urls().into_iter().filter(|url| url.scheme() == "http") {
        tracing::info!(
            "receiver {} is told in the clear at http://{}, as the configuration file says",
            receiver.name,
            url.host_str().unwrap_or_default(),
        );
    }
}

/// Receivers being made ready, each with a tray and a task of its own.
struct Opening<'a> {
    trays: HashMap<String, Arc<Tray>>,
    tasks: JoinSet<()>,
    setup: &'a Setup,
    stopped: &'a watch::Receiver<bool>,
}

impl Opening<'_> {
    fn receiver(&mut self, receiver: &ReceiverConfig) -> Result<(), StartError> {
        let name = receiver.name.as_str();
        let words = Words::new(receiver, &self.setup.base_url);
        if receiver.is_messenger() {
            self.setup.metrics.count_from_zero(name);
        }
        match receiver.kind.clone() {
            ReceiverKind::Webhook(config) => self.open(name, Webhook::new(name, config, words)?),
            ReceiverKind::Email(config) => self.open(name, Email::new(name, config, words)?),
            ReceiverKind::Pagerduty(config) => {
                let (ear, snapshots) = (self.ear(name), self.setup.snapshots.clone());
                pagerduty_answers::Asker::start(&config, ear, snapshots, &mut self.tasks)?;
                self.open(name, Pagerduty::new(name, config, words)?);
            }
            ReceiverKind::Ntfy(config) => {
                ntfy_replies::Listener::start(&config, self.ear(name), &mut self.tasks)?;
                self.open(name, Ntfy::new(name, config, words)?);
            }
            ReceiverKind::Slack(config) => self.open(name, Slack::new(name, config, words)?),
            ReceiverKind::Teams(config) => self.open(name, Teams::new(name, config, words)?),
            ReceiverKind::Twilio(config) => {
                let (ear, snapshots) = (self.ear(name), self.setup.snapshots.clone());
                twilio_receipts::Asker::start(&config, ear, snapshots, &mut self.tasks)?;
                self.open(name, Twilio::new(name, config, words)?);
            }
            ReceiverKind::Script(config) => self.open(name, Script::new(config, words)),
            ReceiverKind::AlertmanagerWebhook(config) => {
                self.open(name, AlertmanagerWebhook::new(name, config, words)?);
            }
            ReceiverKind::Alertmanager(config) => {
                let mirror = alertmanager::Mirror {
                    receiver: name.to_owned(),
                    severity: receiver.severity,
                    config,
                    base_url: self.setup.base_url.clone(),
                    metrics: self.setup.metrics.clone(),
                    clock: self.setup.clock.clone(),
                };
                mirror.start(&mut self.tasks, &self.setup.snapshots, self.stopped)?;
            }
        }
        Ok(())
    }

    /// What a task needs that listens to a receiver's service.
    fn ear(&self, name: &str) -> Ear {
        let setup = self.setup;
        Ear {
            receiver: name.to_owned(),
            mailbox: setup.mailbox.clone(),
            clock: setup.clock.clone(),
            links: setup.links.clone(),
            stopped: self.stopped.clone(),
        }
    }

    fn open<M: Messenger>(&mut self, name: &str, messenger: M) {
        let setup = self.setup;
        let tray = Arc::new(Tray {
            receiver: name.to_owned(),
            queue: Mutex::new(Queue::new(setup.patience)),
            changed: Notify::new(),
            metrics: setup.metrics.clone(),
        });
        self.trays.insert(name.to_owned(), Arc::clone(&tray));
        let worker = Worker {
            tray: Arc::clone(&tray),
            messenger: Arc::new(messenger),
            mailbox: setup.mailbox.clone(),
            clock: setup.clock.clone(),
            snapshots: setup.snapshots.clone(),
            links: setup.links.clone(),
            random: SystemRandom::new(),
            standing: Standing::new(tray.receiver.clone()),
        };
        self.tasks.spawn(worker.run(self.stopped.clone()));
    }
}

/// Where pages for one receiver are put down and picked up.
struct Tray {
    receiver: String,
    queue: Mutex<Queue>,
    changed: Notify,
    metrics: NotifyMetrics,
}

impl Tray {
    fn put(&self, page: Page) {
        let (id, pushed) = (page.id, self.with(|queue| queue.push(Arc::new(page))));
        match pushed {
            Pushed::Held => self.changed.notify_one(),
            Pushed::Known => {}
            Pushed::Spilled => self.metrics.spilled.with_label_values(&[&self.receiver]).inc(),
            Pushed::Full => {
                self.metrics.spilled.with_label_values(&[&self.receiver]).inc();
                tracing::error!(
                    "page {id} for receiver {} waits in the record until the next start: its queue is full",
                    self.receiver
                );
            }
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue: MutexGuard<'_, Queue> = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut queue);
        self.metrics.queue.with_label_values(&[&self.receiver]).set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
        answer
    }
}

/// Sends what lies in one tray.
struct Worker<M> {
    tray: Arc<Tray>,
    messenger: Arc<M>,
    mailbox: Mailbox,
    clock: Clock,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    links: Links,
    random: SystemRandom,
    standing: Standing,
}

impl<M: Messenger> Worker<M> {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut tries: JoinSet<Sent> = JoinSet::new();
        let mut pages: HashMap<task::Id, Arc<Page>> = HashMap::new();
        let mut open = true;
        while open || !tries.is_empty() {
            self.refill();
            while let Some(page) = self.tray.with(|queue| queue.take(self.clock.now())).filter(|_| open) {
                let id = tries.spawn(self.one_try(Arc::clone(&page))).id();
                pages.insert(id, page);
            }
            self.tell().await;
            let sleep = self.sleep();
            tokio::select! {
                Some(ended) = tries.join_next_with_id() => {
                    let (id, sent) = ended.unwrap_or_else(|error| {
                        (error.id(), Sent::Retry { error: "the try broke off: a defect of Muster".into(), after: None })
                    });
                    if let Some(page) = pages.remove(&id) {
                        self.settle(&page, sent).await;
                    }
                }
                () = self.tray.changed.notified(), if open => {}
                () = tokio::time::sleep(sleep), if open => {}
                () = until_stopped(&mut stopped), if open => open = false,
            }
        }
    }

    fn one_try(&self, page: Arc<Page>) -> impl Future<Output = Sent> + Send + 'static {
        let messenger = Arc::clone(&self.messenger);
        let mut page = (*page).clone();
        page.act = self.links.path(&page);
        let seconds = self.tray.metrics.seconds.with_label_values(&[&self.tray.receiver]);
        async move {
            let timer = seconds.start_timer();
            let sent = messenger.send(&page).await;
            timer.observe_duration();
            sent
        }
    }

    async fn settle(&mut self, page: &Page, sent: Sent) {
        let now = self.clock.now();
        let outcome = self.tray.with(|queue| queue.settle(page, sent, now, self.jitter()));
        let (receiver, id) = (&page.receiver, page.id);
        let word = match &outcome {
            Outcome::Accepted { .. } => {
                self.standing.accepted();
                let seconds = now.since_ms(page.decided).max(0) as f64 / 1_000.0;
                self.tray.metrics.delivery.with_label_values(&[receiver, page.severity.word()]).observe(seconds);
                "accepted"
            }
            Outcome::Retrying { error, .. } => {
                self.standing.failed(error, now);
                tracing::warn!("page {id} did not reach receiver {receiver} and is tried again: {error}");
                "retrying"
            }
            Outcome::Failed { error } => {
                self.standing.gave_up(error, now);
                tracing::error!("page {id} will not reach receiver {receiver}: {error}");
                "failed"
            }
            // What becomes of it later is not a try's to say.
            Outcome::Awaited | Outcome::Delivered { .. } | Outcome::Lost { .. } => "later",
        };
        self.tray.metrics.notifications.with_label_values(&[&self.tray.receiver, word]).inc();
        // The engine being gone means that we stop too; the record still says that this page is to be sent.
        let _ = self.mailbox.send(Event::Delivered { page: id, outcome }).await;
        if self.tray.receiver == STRAY {
            // What the configuration does not name is in no trouble, though the record may say so from before.
            let _ = self.mailbox.send(trouble::over(&page.receiver)).await;
        }
    }

    /// Tells the engine whether this receiver takes pages, when that has changed. Strays have nobody to be in trouble.
    async fn tell(&mut self) {
        let waiting = self.tray.with(|queue| queue.len());
        let news = self.standing.news(waiting, self.clock.now()).filter(|_| self.tray.receiver != STRAY);
        if let Some(event) = news {
            // As above.
            let _ = self.mailbox.send(event).await;
        }
    }

    /// How long nothing can be due.
    fn sleep(&self) -> Duration {
        let now = self.clock.now();
        let next = self.tray.with(|queue| queue.next_due());
        let due = next.into_iter().chain(self.standing.due()).min();
        let wait = due.map(|due| Duration::from_millis(u64::try_from(due.since_ms(now)).unwrap_or(0)));
        wait.unwrap_or(IDLE).min(IDLE)
    }

    /// Fetches pages again that did not fit, once there is room.
    fn refill(&self) {
        let wanted = self.tray.with(|queue| queue.wanted());
        if wanted.is_empty() {
            return;
        }
        let snapshot = self.snapshots.borrow().clone();
        let mut found: BTreeMap<PageId, Arc<Page>> = BTreeMap::new();
        for (lane, _) in &wanted {
            let Lane::Incident(incident, _) = lane else { continue };
            let pages = snapshot.incidents.get(incident).map_or(&[][..], |incident| &incident.pages);
            found.extend(pages.iter().map(|page| (page.id, Arc::new(page.clone()))));
        }
        self.tray.with(|queue| {
            for (lane, at) in wanted {
                queue.refill(lane, at, found.get(&at.1).cloned());
            }
        });
    }

    fn jitter(&self) -> f64 {
        let mut byte = [128_u8];
        // Without randomness all wait equally long, which is harmless.
        let _ = self.random.fill(&mut byte);
        f64::from(byte[0]) / 255.0
    }
}

/// Ends when the outbox is to stop, or nobody is left who could say so.
pub(super) async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Stands in for receivers that the configuration does not name any more.
struct Nobody;

impl Messenger for Nobody {
    async fn send(&self, page: &Page) -> Sent {
        Sent::Rejected { error: format!("no receiver {:?} that takes pages is configured any more", page.receiver) }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
pub(super) mod tests;

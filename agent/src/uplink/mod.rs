//! EDGE: the stream to the collector: connect, back off, send, acknowledge.
//!
//! One loop waits for whatever comes next and applies it; applying never waits. Readings go out live; while nobody
//! listens they become one roll-up a minute. Records go from the spool, oldest first, and stay there until the collector
//! has committed them. A session is replaced by a new one before the old one is closed, where the collector allows.
//!
//! It names the services and the envelopes of the wire, not what is inside a reading or a record.

mod apply;
mod backoff;
mod central;
mod checks;
mod evidence;
mod farewell;
mod hardware;
mod hello;
mod inventory;
mod moving;
mod open;
mod outgoing;
mod session;
mod settings;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use central::settings_in;
pub use hello::introduction;
pub use inventory::Plan;
pub use settings::{Settings, Watch};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use muster_proto::v1;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::alive::{self, AliveLog};
use crate::check::Definition;
use crate::check::remote::Local;
use crate::clock::Moment;
use crate::dial::{PathWatch, Proxy};
use crate::evidence::Evidence;
use crate::gather::Gathered;
use crate::hardware::{Batch, told::Told};
use crate::host::Host;
use crate::identity::{self, Copied, EnrolError, Identity, IdentityError, copied, random_ratio};
use crate::report::{self, RollupMinute, StreamEncoder};
use crate::spool::Spool;
use crate::state::{StateDir, StateError};
use backoff::{Backoff, Ending};
use central::Central;
use open::{OpenError, Opened, Ticket, open};
use session::{Progress, Session};
use settings::Memory;

/// The alive log's file.
const ALIVE_LOG: &str = "alive.log";
/// Collections waiting for the loop; a newer one than fits is dropped by the sender and counted there.
pub const READINGS_MAX: usize = 2;

/// Why the uplink cannot run at all. Everything else is tried again.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No identity.
    #[error("this host is not enrolled; enrol it with: muster-agent enrol --collector HOST:PORT --token-file FILE")]
    NotEnrolled,
    /// Another machine's identity.
    #[error(transparent)]
    Copied(#[from] Copied),
}

/// The uplink's own times; tests make them short.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between looks at what is due; 1 s.
    pub tick: Duration,
    /// The same while nothing is: beats and reports come sooner, and it is looked then. 10 s.
    pub calm: Duration,
    /// From `Hello` to `Welcome`; 10 s.
    pub welcome: Duration,
    /// The first limit of the back-off; 1 s.
    pub backoff: Duration,
    /// For the answer to `Goodbye`; 1 s.
    pub farewell: Duration,
    /// The least time without any acknowledgement of readings before a session is given up; 60 s.
    pub unheard: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            calm: Duration::from_secs(10),
            welcome: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            farewell: Duration::from_secs(1),
            unheard: Duration::from_secs(60),
        }
    }
}

/// What the uplink is made of.
pub struct Parts {
    /// The state directory, locked by the caller.
    pub state: StateDir,
    /// The machine.
    pub host: Host,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What its own file says of what the collector may set.
    pub local: Local,
    /// Addresses that win over those learnt at enrolment.
    pub addresses: Vec<String>,
    /// The way to them, where it is not direct.
    pub proxy: Option<Proxy>,
    /// The records nobody has acknowledged.
    pub spool: Spool,
    /// Collections, as they are made.
    pub readings: mpsc::Receiver<Gathered>,
    /// What is found of the hardware, unless it is not looked at.
    pub hardware: Option<mpsc::Receiver<Batch>>,
    /// How the inventory is taken, unless it is not.
    pub inventory: Option<Plan>,
    /// Told how often to collect, when the collector says so; whatever it is told, it collects at once.
    pub report_every: watch::Sender<Duration>,
    /// Both clocks.
    pub now: fn() -> Moment,
    /// The uplink's own times.
    pub pace: Pace,
}

type Opening = Pin<Box<dyn Future<Output = Result<Opened, OpenError>>>>;
type Renewing = Pin<Box<dyn Future<Output = Result<Identity, EnrolError>>>>;

/// The uplink. One owner: [`Uplink::run`].
pub struct Uplink {
    parts: Parts,
    identity: Identity,
    /// A renewed identity that has not opened a session yet.
    next_identity: Option<Identity>,
    /// The try under way uses the renewed identity.
    opening_with_next: bool,
    /// The renewed identity was refused last time: the one in use is tried instead.
    doubt_next: bool,
    /// The collector itself has refused the renewed identity: when it refuses the one in use too, it means this host.
    next_refused: bool,
    fingerprint: v1::Fingerprint,
    memory: Memory,
    settings: Settings,
    alive: AliveLog,
    backoff: Backoff,
    session: Option<Session>,
    /// What the collector may still know how to read: asked in `Hello`.
    described: Option<StreamEncoder>,
    opening: Option<Opening>,
    open_at: Option<Instant>,
    /// What is known of the network; nothing before it runs.
    moving: moving::Moving,
    address: usize,
    /// The next connection is for a path that swallows large packets: one of ordinary packets came to nothing in silence.
    narrow: bool,
    moved_to: Vec<String>,
    renewing: Option<Renewing>,
    renewal_tried_ms: Option<i64>,
    /// The look at a source of evidence that is under way.
    looking: Option<evidence::Looking>,
    /// What the collector was told of the hardware.
    told: Told,
    /// The inventory on its way.
    telling: inventory::Telling,
    /// What becomes of the readings while nobody listens.
    lull: Option<RollupMinute>,
    known_checks: checks::Known,
    /// Checks that the collector set.
    sent_checks: Vec<Definition>,
    last_tick: Moment,
    ticked_at: Instant,
    /// The monotonic clock at `last_tick`.
    ran_until: Instant,
    /// When lost records were last reported, in milliseconds since boot.
    losses_told_ms: Option<u64>,
    trouble_told: bool,
}

enum Event {
    Stop,
    Gathered(Gathered),
    Progress(Progress),
    OpenDue,
    Opened(Result<Opened, OpenError>),
    Renewed(Result<Identity, EnrolError>),
    BeatDue,
    Checked,
    Looked(Evidence),
    Found(Batch),
    InventoryDue,
    InventoryTaken,
    NetworkChanged,
    Tick,
}

impl Uplink {
    /// Prepares the uplink: loads the identity, counts the start, checks that this is the machine that enrolled.
    ///
    /// # Errors
    /// When there is no usable identity, or it is another machine's.
    pub fn new(mut parts: Parts) -> Result<Self, UplinkError> {
        let now = (parts.now)();
        let identity = Identity::load(&parts.state, identity::CURRENT)?.ok_or(UplinkError::NotEnrolled)?;
        let fingerprint = report::fingerprint(&parts.host);
        copied(&identity.fingerprint, &fingerprint)?;
        let next_identity = Identity::load(&parts.state, identity::NEXT).unwrap_or_else(|error| {
            tracing::warn!(%error, "a renewed identity cannot be used; the one in use stays");
            None
        });
        let mut memory = Memory::load(&parts.state, now.wall_ms)?;
        memory.starts += 1;
        memory.save(&parts.state);
        let text = parts.state.read(ALIVE_LOG)?.unwrap_or_default();
        let central = Central::remembered(&memory.settings_document, &parts.local);
        let settings = central.settings;
        parts.report_every.send_replace(settings.report);
        let mut uplink = Self {
            identity,
            next_identity,
            opening_with_next: false,
            doubt_next: false,
            next_refused: false,
            fingerprint,
            settings,
            memory,
            alive: AliveLog::parse(&String::from_utf8_lossy(&text)),
            backoff: Backoff::new(parts.pace.backoff),
            session: None,
            described: None,
            opening: None,
            open_at: Some(Instant::now() + Backoff::first(random_ratio())),
            moving: moving::Moving::default(),
            address: 0,
            narrow: false,
            moved_to: Vec::new(),
            renewing: None,
            renewal_tried_ms: None,
            looking: None,
            told: Told::load(&parts.state),
            telling: inventory::Telling::new(parts.inventory.take(), &parts.state),
            lull: None,
            known_checks: checks::Known::load(&parts.state),
            last_tick: now,
            ticked_at: Instant::now(),
            ran_until: Instant::now(),
            losses_told_ms: None,
            trouble_told: false,
            sent_checks: Vec::new(),
            parts,
        };
        uplink.take_checks(central.checks);
        Ok(uplink)
    }

    /// Runs until `shutdown`, then says goodbye with what `why` answers.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>, why: impl AsyncFnOnce() -> u32) {
        let mut shutdown = std::pin::pin!(shutdown);
        self.tell_gone_checks(self.now());
        self.moving = moving::Moving::listening(&self.parts.host);
        loop {
            match self.next_event(shutdown.as_mut()).await {
                Event::Stop => break,
                event => self.apply(event),
            }
            // Whatever woke this thread: what is due is looked at now instead of in a wake-up of its own.
            if self.ticked_at.elapsed() >= self.parts.pace.tick {
                self.ticked_at = Instant::now();
                self.ticked();
            }
            if let Some(session) = &mut self.session {
                session.pump(&mut self.parts.spool);
            }
        }
        self.leave(why().await).await;
    }

    async fn next_event(&mut self, shutdown: Pin<&mut impl Future<Output = ()>>) -> Event {
        let beat_at = self.session.as_ref().map(|session| session.beat_at(self.settings.beat));
        let tick_at = self.ticked_at + self.tick();
        let inventory_at = self.session.as_ref().and_then(|_| self.telling.due());
        tokio::select! {
            () = shutdown => Event::Stop,
            Some(gathered) = self.parts.readings.recv() => Event::Gathered(gathered),
            progress = progress(&mut self.session) => Event::Progress(progress),
            opened = finished(&mut self.opening) => Event::Opened(opened),
            renewed = finished(&mut self.renewing) => Event::Renewed(renewed),
            () = until(self.open_at) => Event::OpenDue,
            () = until(beat_at) => Event::BeatDue,
            () = checked(&self.parts.host) => Event::Checked,
            evidence = finished(&mut self.looking) => Event::Looked(evidence),
            Some(batch) = hardware::next(&mut self.parts.hardware) => Event::Found(batch),
            () = until(inventory_at) => Event::InventoryDue,
            () = finished(&mut self.telling.taking) => Event::InventoryTaken,
            () = self.moving.due() => Event::NetworkChanged,
            () = tokio::time::sleep_until(tick_at) => Event::Tick,
        }
    }

    fn now(&self) -> Moment {
        (self.parts.now)()
    }

    /// How long until what is due must be looked at, if nothing else happens.
    fn tick(&self) -> Duration {
        let spool = &self.parts.spool;
        let calm = self.session.is_some() && self.lull.is_none() && spool.acked() == spool.last();
        if calm { self.parts.pace.calm } else { self.parts.pace.tick }
    }

    /// Begins a session: with the renewed identity if there is one, to the next address in turn.
    fn begin_opening(&mut self) {
        self.open_at = None;
        let use_next = self.next_identity.is_some() && !self.doubt_next;
        let identity = self.next_identity.as_ref().filter(|_| use_next).unwrap_or(&self.identity);
        let tls = match identity.client_config() {
            Ok(tls) => tls,
            Err(error) => {
                tracing::error!(%error, "the identity cannot be used");
                self.doubt_next = use_next;
                self.open_at = Some(Instant::now() + self.backoff.after_failure(random_ratio()));
                return;
            }
        };
        let Some(address) = self.next_address() else {
            tracing::error!("no collector address is known; state [collector] addresses in agent.toml");
            self.open_at = Some(Instant::now() + self.backoff.after_failure(random_ratio()));
            return;
        };
        self.described = self.describe();
        let ticket = Ticket {
            address,
            proxy: self.parts.proxy.clone(),
            tls,
            name: self.identity.server_name(),
            path: PathWatch { narrow: self.narrow, ..self.settings.watch.path() },
            hello: self.hello(),
            welcome_timeout: self.parts.pace.welcome,
        };
        self.opening_with_next = use_next;
        self.opening = Some(Box::pin(open(ticket)));
    }

    /// Addresses of a drain first, then the machine's own, then those learnt at enrolment.
    fn next_address(&mut self) -> Option<String> {
        let mut known = self.moved_to.clone();
        let own = &self.parts.addresses;
        known.extend(if own.is_empty() { &self.identity.addresses } else { own }.iter().cloned());
        let chosen = known.get(self.address % known.len().max(1)).cloned();
        self.address = self.address.wrapping_add(1);
        chosen
    }

    /// What the stream before said, or what this machine would have said at first.
    fn describe(&mut self) -> Option<StreamEncoder> {
        let running = self.session.as_ref().map(Session::encoder_anew);
        running.or_else(|| self.described.take())
    }

    /// Whether there is a renewed identity that the collector has not refused.
    fn has_fresh_next(&self) -> bool {
        self.next_identity.is_some() && !self.next_refused
    }

    /// The session is over, or was never: when to try again.
    fn end_session(&mut self, how: Ending) {
        let now = self.now();
        let Some(session) = self.session.take() else { return };
        if self.opening.is_none() {
            self.described = Some(session.encoder_anew());
        }
        let how = match how {
            _ if session.draining => Ending::Moved,
            // The pair in use may have been replaced: the renewed one has its turn soon.
            Ending::Refused if self.has_fresh_next() => Ending::Vanished,
            how => how,
        };
        let wait =
            self.backoff.after_session(how, session.lasted(now), session.spread, self.settings.watch, random_ratio());
        // The address that just worked is tried first.
        self.address = self.address.wrapping_sub(1);
        if self.opening.is_none() {
            self.open_at = Some(Instant::now() + wait);
        }
    }

    /// Says goodbye and waits a moment for the answer; whether there was one.
    async fn leave(mut self, why: u32) -> bool {
        let now = self.now();
        let line = self.alive.finish(self.parts.host.boot_id(), now);
        alive::write(&self.parts.state.file(ALIVE_LOG), &self.alive, &line);
        self.finish_lull(now);
        self.tell_losses(now);
        self.parts.spool.sync(now);
        let Some(mut session) = self.session.take() else { return false };
        let answered = tokio::time::timeout(self.parts.pace.farewell, session.leave(why)).await.is_ok();
        if !answered {
            tracing::debug!("the collector did not answer the farewell in time");
        }
        answered
    }
}

async fn progress(session: &mut Option<Session>) -> Progress {
    match session {
        Some(session) => session.progress().await,
        None => std::future::pending().await,
    }
}

async fn finished<T>(work: &mut Option<Pin<Box<dyn Future<Output = T>>>>) -> T {
    match work {
        Some(future) => {
            let output = future.as_mut().await;
            *work = None;
            output
        }
        None => std::future::pending().await,
    }
}

async fn checked(host: &Host) {
    match host.checks() {
        Some(board) => board.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

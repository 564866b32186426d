//! EDGE. The door for agents: TCP and TLS, enrolment, sessions, and every limit of the wire.
//!
//! [`acceptor`] lets connections in, [`connection`] speaks HTTP/2 on one, [`enrolment`], [`session`] and [`maintenance`] answer the
//! services; [`stream`] is what a session does all day, [`lane`] how records are kept before they are acknowledged.
//! [`decode`] is the only place that knows what is inside messages. [`look`] looks at hosts that fell silent.
//!
//! It decides nothing about hosts: readings go to the host's slot, facts to the store, and the engine hears of what
//! changed. A session is one future inside its response stream: no task, no channel, no buffer of its own.

pub mod acceptor;
mod bells;
pub mod connection;
pub mod control;
pub mod decode;
pub mod door;
pub mod enrolment;
mod exchange;
pub mod lane;
pub mod limits;
pub mod look;
mod maintenance;
pub mod metrics;
pub mod refusal;
pub mod session;
pub mod sessions;
pub mod skew;
pub mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI64},
};

use tokio::sync::{Semaphore, mpsc, watch};

pub use self::{acceptor::serve, metrics::IngestMetrics, sessions::Sessions};
use self::{door::ConnectionLimits, limits::EnrolLimits, look::Habits, sessions::Departures};
use crate::{
    bell::Bell,
    clock::Clock,
    domain::{
        event::Look,
        host::slots::Slots,
        ids::{HostNo, SessionId},
        settings::shelf::Shelf,
        snapshot::Snapshot,
        time::Timestamp,
    },
    identity::Identity,
    mailbox::Mailbox,
    store::{Store, StoreError},
};

/// Enrolments and renewals under way at once.
pub const ENROLMENTS_AT_ONCE: usize = 100;
/// Addresses waiting to be got acquainted with; when full a newcomer waits for its next session.
const NEWCOMERS_WAITING: usize = 256;
/// A clone's alarm ends when nothing more was heard of it for this long: agents that are refused try each 1 h +- 50 %.
const CLONE_ALARM_MS: i64 = 2 * 3600 * 1000;

/// Why the door cannot open or stay open.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No TLS.
    #[error("cannot prepare TLS for agents")]
    Tls(#[from] StoreError),
}

/// What the door needs from the rest of the house.
#[derive(Debug)]
pub struct Rooms {
    /// Who may come in.
    pub identity: Identity,
    /// Where facts are kept.
    pub store: Store,
    /// Where readings go.
    pub slots: Arc<Slots>,
    /// What agents are told.
    pub settings: Arc<Shelf>,
    /// Where the engine hears of changes.
    pub mailbox: Mailbox,
    /// Rung when new evidence of a host's hardware is durable.
    pub hardware: Bell,
    /// The engine's clock.
    pub clock: Clock,
    /// The door's figures.
    pub metrics: IngestMetrics,
    /// Who is connected.
    pub sessions: Sessions,
    /// The fleet, for its size.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// `HOST:PORT`s that agents are told to dial.
    pub addresses: Vec<String>,
    /// How long within 24 hours a machine may be in maintenance by its own word, in milliseconds; 0: never.
    pub own_maintenance_ms: i64,
}

/// The door's state, shared by everything in it.
#[derive(Debug)]
pub struct Context {
    pub(crate) rooms: Rooms,
    /// What answered at which address, for [`look::look`].
    pub habits: Arc<Habits>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) enrol_limits: Mutex<EnrolLimits>,
    pub(crate) enrolling: Semaphore,
    pub(crate) departures: Departures,
    next_session: AtomicI64,
    tls: Arc<rustls::ServerConfig>,
    clones: Mutex<HashMap<HostNo, (String, Timestamp)>>,
    newcomers: mpsc::Sender<IpAddr>,
    arrivals: Mutex<Option<mpsc::Receiver<IpAddr>>>,
}

impl Context {
    /// Prepares the door, with the shipped limits.
    ///
    /// # Errors
    /// [`IngestError::Tls`] when there is no server certificate.
    pub fn new(rooms: Rooms) -> Result<Arc<Self>, IngestError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_limits(rooms, ConnectionLimits::for_cores(cores))
    }

    /// Prepares the door with other limits.
    ///
    /// # Errors
    /// [`IngestError::Tls`] when there is no server certificate.
    pub fn with_limits(rooms: Rooms, limits: ConnectionLimits) -> Result<Arc<Self>, IngestError> {
        let now = rooms.clock.now();
        let tls = Arc::new(rooms.identity.agent_tls(now)?);
        let (newcomers, arrivals) = mpsc::channel(NEWCOMERS_WAITING);
        Ok(Arc::new(Self {
            rooms,
            habits: Arc::default(),
            limits,
            enrol_limits: Mutex::default(),
            enrolling: Semaphore::new(ENROLMENTS_AT_ONCE),
            departures: Departures::default(),
            // Twenty bits for the sessions of each millisecond: unique over restarts without asking the store.
            next_session: AtomicI64::new(now.ms() << 20),
            tls,
            clones: Mutex::default(),
            newcomers,
            arrivals: Mutex::new(Some(arrivals)),
        }))
    }

    /// Its certificate is exchanged by the identity side while it serves.
    pub(crate) fn tls(&self) -> Arc<rustls::ServerConfig> {
        self.tls.clone()
    }

    /// Counts the answer of a look.
    pub fn count_look(&self, answer: Look) {
        let word = match answer {
            Look::Answers => "answers",
            Look::Silent => "silent",
            Look::CannotTell => "cannot_tell",
        };
        self.rooms.metrics.looks.with_label_values(&[word]).inc();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.rooms.clock.now()
    }

    pub(crate) fn metrics(&self) -> &IngestMetrics {
        &self.rooms.metrics
    }

    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.next_session.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }

    /// Somebody connected from an address: what answers there is learnt while it is up, if that is not known yet.
    pub(crate) fn arrived(&self, address: IpAddr) {
        if !address.is_loopback() && !self.habits.knows(address) {
            // When many arrive at once some are learnt at their next session.
            let _ = self.newcomers.try_send(address);
        }
    }

    pub(crate) fn take_arrivals(&self) -> Option<mpsc::Receiver<IpAddr>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A clone of this host was refused: its alarm's name.
    pub(crate) fn clone_seen(&self, host: HostNo, name: &str) -> String {
        let what = format!("clone/{name}");
        let entry = (what.clone(), self.now());
        self.clones.lock().unwrap_or_else(PoisonError::into_inner).insert(host, entry);
        what
    }

    /// Alarms about clones of which nothing was heard any more.
    pub(crate) fn clones_gone(&self) -> Vec<String> {
        let now = self.now();
        let mut clones = self.clones.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = clones.extract_if(|_, (_, seen)| now.since_ms(*seen) > CLONE_ALARM_MS);
        gone.map(|(_, (what, _))| what).collect()
    }
}

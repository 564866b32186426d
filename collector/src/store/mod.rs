//! EDGE. What the collector remembers: `state.db` (what the engine and the identity side own) and `facts.db` (what
//! agents reported), beside a lock, a reserve and what was set aside.
//!
//! Each file has one thread that writes and one that reads; answers come after a commit with full sync. Nothing here
//! decides anything: it writes rows, all or none, and gives them back as they were.

pub mod agreements;
mod amendments;
mod as_they_were;
mod assets;
pub mod attempts;
pub mod backup;
pub mod calls;
mod chain;
pub mod check_ledger;
mod engine_rows;
pub mod evidence;
mod facts;
pub mod faults;
mod files;
mod handling;
pub mod hardware;
mod heartbeats;
pub(crate) mod identity_rows;
pub mod inventory;
mod layering;
mod lease;
pub mod ledger;
pub mod lives;
mod load;
mod migrations;
pub mod opening;
pub mod overrides;
pub mod past;
pub mod peek;
pub mod people;
pub mod positions;
mod report_deliveries;
mod reserve;
mod retention;
mod service_levels;
pub mod settings;
mod shares;
pub mod sizes;
#[cfg(test)]
mod tests;
mod told;
pub mod trends;
mod writer;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    thread::JoinHandle,
};

use prometheus::{HistogramOpts, HistogramVec};
use rusqlite::{Connection, ErrorCode, params};

pub use self::{facts::Stored, lease::Lease, reserve::DiskState, retention::Pruned};
use self::{
    faults::{Faults, NoFaults},
    opening::{NoWatcher, Watcher},
    reserve::Reserve,
    writer::{Reader, Writer, WriterSetup},
};
use crate::domain::{
    ids::HostNo,
    labels::Profile,
    record::{AuditRow, Loaded, Row},
    retention::Retention,
    time::Timestamp,
};

const STATE_FILE: &str = "state.db";
const FACTS_FILE: &str = "facts.db";

/// What can go wrong when storing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another collector took over.
    #[error("another collector has taken over this store")]
    Fenced,
    /// No space.
    #[error("no space left for {0}")]
    Full(String),
    /// Locked for too long.
    #[error("{0} is busy")]
    Busy(String),
    /// Damaged or unreadable.
    #[error("{0}")]
    Broken(String),
}

impl StoreError {
    /// A bounded word for logs and counters.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Full(_) => "full",
            Self::Busy(_) => "busy",
            Self::Broken(_) => "broken",
        }
    }
}

/// A fact from an agent, self-contained, as committed before it is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The record's number in its epoch.
    pub sequence: u64,
    /// When it was so, in collector time (corrected), milliseconds.
    pub at: Timestamp,
    /// `gap`, `clock_step`, `rollup`, `kernel`, `evidence`, `checks`, `inventory`.
    pub kind: &'static str,
    /// JSON of what it says (<= 64 KiB).
    pub body: String,
}

/// Which lines of the audit log; what is not said fits all.
#[derive(Debug, Clone, Default)]
pub struct AuditOf {
    /// Of this person or program.
    pub who: Option<String>,
    /// Such as `incident.acknowledge`.
    pub action: Option<String>,
    /// Such as `#1042`.
    pub subject: Option<String>,
}

/// A handle to the store; cheap to clone. Writes go through one thread per file. Dropping the last handle writes what
/// is queued, closes both files and unlocks the directory.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// The profiles of all hosts as last committed.
pub(crate) type Profiles = Arc<RwLock<ProfilesByNo>>;

type ProfilesByNo = HashMap<HostNo, Arc<Profile>>;

struct Inner {
    directory: PathBuf,
    opened: Timestamp,
    run: i64,
    state: Option<Writer>,
    state_reader: Option<Reader>,
    facts: Option<Writer>,
    facts_reader: Option<Reader>,
    profiles: Profiles,
    reserve: Arc<Reserve>,
    reports: Mutex<Vec<String>>,
    threads: Vec<JoinHandle<()>>,
    lease: Lease,
    seconds: HistogramVec,
    retention: OnceLock<Retention>,
    /// The inventory is written for one host at a time: what is compared stays as it is until it is written.
    inventory_turn: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("directory", &self.directory).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the queues ends the threads; the lock goes only after the files are closed.
        (self.state, self.state_reader, self.facts, self.facts_reader) = (None, None, None, None);
        for thread in self.threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() {
                // A thread that panicked has told so itself.
                let _ = thread.join();
            }
        }
    }
}

impl Store {
    /// Opens or creates both files, migrating them (a copy is set aside first) and setting damaged ones aside.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be written, is locked by another collector, or is newer than this program.
    pub fn open(directory: &Path, now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with(directory, now, Arc::new(NoFaults), &NoWatcher)
    }

    /// The same with a say in which commits fail, and with somebody who hears how far it is.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        directory: &Path,
        now: Timestamp,
        faults: Arc<dyn Faults>,
        watcher: &dyn Watcher,
    ) -> Result<Self, StoreError> {
        files::make_directory(directory)?;
        let lock = lease::lock(directory)?;
        backup::tidy(directory)?;
        let (state_path, facts_path) = (directory.join(STATE_FILE), directory.join(FACTS_FILE));
        let mut state = files::open_for_writing(&state_path, migrations::STATE, now, watcher)?;
        let facts = files::open_for_writing(&facts_path, migrations::FACTS, now, watcher)?;
        let (run, lease, profiles) = begin_run(&mut state, &facts.connection, lock, now)?;
        let reserve = Arc::new(Reserve::keep(directory));
        let reports = [state.report, facts.report].into_iter().flatten().collect();

        let seconds = commit_seconds()?;
        let setup = WriterSetup {
            file: STATE_FILE,
            seconds: seconds.with_label_values(&[STATE_FILE]),
            faults: Arc::clone(&faults),
            reserve: Some(Arc::clone(&reserve)),
            term: Some(lease.term),
        };
        let (state, first) = Writer::start(state.connection, setup)?;
        let setup = WriterSetup {
            file: FACTS_FILE,
            seconds: seconds.with_label_values(&[FACTS_FILE]),
            faults,
            reserve: None,
            term: None,
        };
        let (facts, second) = Writer::start(facts.connection, setup)?;
        let (state_reader, third) = Reader::start(files::open_for_reading(&state_path)?, STATE_FILE)?;
        let (facts_reader, fourth) = Reader::start(files::open_for_reading(&facts_path)?, FACTS_FILE)?;
        let inner = Inner {
            directory: directory.to_owned(),
            opened: now,
            run,
            state: Some(state),
            state_reader: Some(state_reader),
            facts: Some(facts),
            facts_reader: Some(facts_reader),
            profiles: Arc::new(RwLock::new(profiles)),
            reserve,
            reports: Mutex::new(reports),
            threads: vec![first, second, third, fourth],
            lease,
            seconds,
            retention: OnceLock::new(),
            inventory_turn: tokio::sync::Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What a starting engine is given back.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when a row cannot be read.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        let (run, opened) = (self.inner.run, self.inner.opened);
        self.state_reader().read(move |connection| load::load(connection, run, opened)).await
    }

    /// Commits all rows in one transaction with full sync, or none.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn commit(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let profiles = Arc::clone(&self.inner.profiles);
        let rows = Arc::new(rows);
        let written = Arc::clone(&rows);
        let run = move |connection: &Connection| rows.iter().try_for_each(|row| engine_rows::write(connection, row));
        self.state()
            .write(run, move |()| {
                for row in written.iter() {
                    if let Row::Host(profile) = row {
                        remember(&profiles, (**profile).clone());
                    }
                }
            })
            .await
    }

    /// Notes that this collector runs (each 5 s).
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn heartbeat(&self, now: Timestamp) -> Result<(), StoreError> {
        let run = self.inner.run;
        let write = move |connection: &Connection| {
            connection
                .execute("UPDATE collector_run SET to_ms = ?2 WHERE id = ?1 AND to_ms < ?2", params![run, now.ms()])
                .map_err(in_state)?;
            Ok(())
        };
        self.state().write(write, |()| {}).await
    }

    /// The last lines of the audit log, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.audit_of(AuditOf::default(), limit).await
    }

    /// The last lines of the audit log that fit, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn audit_of(&self, of: AuditOf, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.state_reader().read(move |connection| engine_rows::last_audit(connection, &of, limit)).await
    }

    /// Checks the hash chains of the ledger and of the audit log; returns what does not fit, in words.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn verify_chains(&self) -> Result<Vec<String>, StoreError> {
        self.state_reader().read(engine_rows::broken_links).await
    }

    /// How long commits take, by file, to be registered.
    #[must_use]
    pub fn commit_seconds(&self) -> HistogramVec {
        self.inner.seconds.clone()
    }

    /// What happened at opening that the operator must hear: files set aside.
    #[must_use]
    pub fn reports(&self) -> Vec<String> {
        self.inner.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// The lease that this collector writes under.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.inner.lease
    }

    /// How much the disk has left; takes the reserve again when it had to be given back and there is room. Asked each 10 s.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the file system cannot be asked.
    pub fn disk_state(&self) -> Result<DiskState, StoreError> {
        self.inner.reserve.restore();
        let space = reserve::disk_space(&self.inner.directory)?;
        Ok(DiskState { reserve_held: self.inner.reserve.is_held(), ..space })
    }

    /// Adds to what [`Store::reports`] says.
    pub(crate) fn report(&self, text: String) {
        self.inner.reports.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// The profile of a host as last committed.
    pub(crate) fn profile(&self, host: HostNo) -> Option<Arc<Profile>> {
        self.inner.profiles.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }

    pub(crate) fn profiles(&self) -> Profiles {
        Arc::clone(&self.inner.profiles)
    }

    /// Writes to `state.db` in one transaction; `committed` runs after the commit, before the answer.
    pub(crate) async fn write<T, R, C>(&self, run: R, committed: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        self.state().write(run, committed).await
    }

    /// The same at start-up, where nothing may be awaited.
    pub(crate) fn write_blocking<T, R>(&self, run: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.state().write_blocking(run)
    }

    /// Reads one consistent state of `state.db`.
    pub(crate) async fn read<T, R>(&self, run: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.state_reader().read(run).await
    }

    fn state(&self) -> &Writer {
        self.inner.state.as_ref().expect("the queues are closed only in drop")
    }

    fn state_reader(&self) -> &Reader {
        self.inner.state_reader.as_ref().expect("the queues are closed only in drop")
    }

    fn facts(&self) -> &Writer {
        self.inner.facts.as_ref().expect("the queues are closed only in drop")
    }

    fn facts_reader(&self) -> &Reader {
        self.inner.facts_reader.as_ref().expect("the queues are closed only in drop")
    }
}

/// Keeps a committed profile at hand.
pub(crate) fn remember(profiles: &Profiles, profile: Profile) {
    profiles.write().unwrap_or_else(PoisonError::into_inner).insert(profile.no, Arc::new(profile));
}

/// Takes the lease and begins a run. A fresh `state.db` beside an older `facts.db` numbers its hosts above those that
/// the facts know, so that no host inherits another's.
fn begin_run(
    state: &mut files::Opened,
    known: &Connection,
    lock: std::fs::File,
    now: Timestamp,
) -> Result<(i64, Lease, ProfilesByNo), StoreError> {
    let transaction = state.connection.transaction().map_err(in_state)?;
    if state.fresh {
        let floor = facts::highest_host(known)?;
        transaction
            .execute(
                "INSERT INTO meta (key, value) VALUES ('host_floor', ?1) ON CONFLICT (key) DO NOTHING",
                [floor.to_string()],
            )
            .map_err(in_state)?;
    }
    let lease = lease::take(&transaction, lock, now)?;
    let run: i64 = transaction
        .query_row("SELECT coalesce(max(id), 0) + 1 FROM collector_run", [], |row| row.get(0))
        .map_err(in_state)?;
    transaction
        .execute("INSERT INTO collector_run (id, from_ms, to_ms) VALUES (?1, ?2, ?2)", params![run, now.ms()])
        .map_err(in_state)?;
    let profiles = load::hosts(&transaction)?.into_iter().map(|profile| (profile.no, Arc::new(profile))).collect();
    transaction.commit().map_err(in_state)?;
    Ok((run, lease, profiles))
}

/// From a commit that costs no seek to the pause after which pages go out unrecorded.
fn commit_seconds() -> Result<HistogramVec, StoreError> {
    let help = "How long commits to the store took, full sync included, by file.";
    let buckets = vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    HistogramVec::new(HistogramOpts::new("muster_store_commit_seconds", help).buckets(buckets), &["file"])
        .map_err(|error| StoreError::Broken(error.to_string()))
}

/// What an error of SQLite means for the caller.
fn storage_error(file: &str, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(file.to_owned()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(file.to_owned()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Broken(format!(
            "{file} is damaged ({error}): restart the collector, it sets the file aside and begins a fresh one"
        )),
        _ => StoreError::Broken(format!("{file}: {error}")),
    }
}

/// [`storage_error`] for `state.db`.
pub(crate) fn in_state(error: rusqlite::Error) -> StoreError {
    storage_error(STATE_FILE, &error)
}

/// A value as JSON text for a column.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Broken(format!("a row cannot be written: {error}")))
}

/// A value from a column's JSON text.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Broken(format!("state.db: a row cannot be read: {error}")))
}

/// The word of an enum without data.
pub(crate) fn word<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// The enum without data named by a word.
pub(crate) fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| StoreError::Broken(format!("state.db: unknown word: {error}")))
}

//! One thread per file writes it, one reads it; both are fed by bounded queues.
//!
//! Jobs that wait together share one transaction and so one sync of the disk (group commit); each has a savepoint of
//! its own, so that one that fails takes no other with it. Nobody is answered before the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use prometheus::Histogram;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, faults::Faults, reserve::Reserve, storage_error};

/// Jobs waiting for a writer; when full, callers wait.
const WRITES_QUEUED: usize = 4_096;
/// Jobs waiting for a reader; when full, callers wait.
const READS_QUEUED: usize = 1_024;
/// Jobs that share one commit at most, so that the first of them is not kept waiting.
const JOBS_PER_COMMIT: usize = 256;

/// Something to write; run again from its beginning when a commit is tried again.
trait Job: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, R, C, A> {
    run: R,
    committed: C,
    answer: A,
    outcome: Option<T>,
}

impl<T, R, C, A> Job for Task<T, R, C, A>
where
    T: Send,
    R: FnMut(&Connection) -> Result<T, StoreError> + Send,
    C: FnOnce(&T) + Send,
    A: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.outcome = Some((self.run)(connection)?);
        Ok(())
    }

    fn finish(self: Box<Self>, result: Result<(), StoreError>) {
        let Self { committed, answer, outcome, .. } = *self;
        answer(match (result, outcome) {
            (Ok(()), Some(value)) => {
                committed(&value);
                Ok(value)
            }
            (Ok(()), None) => Err(StoreError::Broken("a write ended without a result".into())),
            (Err(error), _) => Err(error),
        });
    }
}

/// The queue in front of a file's writer.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

/// What the writer of a file needs besides its connection.
pub(super) struct WriterSetup {
    pub(super) file: &'static str,
    /// How long commits take.
    pub(super) seconds: Histogram,
    pub(super) faults: Arc<dyn Faults>,
    pub(super) reserve: Option<Arc<Reserve>>,
    /// The term of our lease, checked in every commit, where the file has the table.
    pub(super) term: Option<i64>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, setup: WriterSetup) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Box<dyn Job>>(WRITES_QUEUED);
        let handle = std::thread::Builder::new()
            .name(format!("write {}", setup.file))
            .spawn(move || {
                let mut connection = connection;
                while let Some(first) = queue.blocking_recv() {
                    let mut group = vec![first];
                    while group.len() < JOBS_PER_COMMIT
                        && let Ok(next) = queue.try_recv()
                    {
                        group.push(next);
                    }
                    // Failed ones too: a disk that is slow to fail is slow.
                    let _timer = setup.seconds.start_timer();
                    commit_group(&mut connection, group, &setup);
                }
            })
            .map_err(|error| StoreError::Broken(format!("no thread to write with: {error}")))?;
        Ok((Self { jobs }, handle))
    }

    /// Writes in one transaction; `committed` runs on the writer's thread after the commit and before the answer, so
    /// that what is kept in memory follows the order of commits even when the caller has gone away.
    pub(super) async fn write<T, R, C>(&self, run: R, committed: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // A caller that went away wants no answer; the write stands.
        let answer = move |result| drop(sender.send(result));
        self.jobs.send(Box::new(Task { run, committed, answer, outcome: None })).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }

    /// The same at start-up, from code that may not wait asynchronously.
    pub(super) fn write_blocking<T, R>(&self, run: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let answer = move |result| drop(sender.send(result));
        let job = Box::new(Task { run, committed: |_: &T| {}, answer, outcome: None });
        self.jobs.try_send(job).map_err(|_| StoreError::Busy("the writer's queue".into()))?;
        receiver.recv().map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Broken("the store is closed".into())
}

/// Commits a group and answers everybody in it. On a full disk the reserve is given back and the group tried once more.
fn commit_group(connection: &mut Connection, mut group: Vec<Box<dyn Job>>, setup: &WriterSetup) {
    let mut outcome = try_group(connection, &mut group, setup);
    if matches!(outcome, Err(StoreError::Full(_))) && setup.reserve.as_ref().is_some_and(|reserve| reserve.release()) {
        outcome = try_group(connection, &mut group, setup);
    }
    match outcome {
        Ok(results) => {
            for (job, result) in group.into_iter().zip(results) {
                job.finish(result);
            }
        }
        Err(error) => {
            for job in group {
                job.finish(Err(error.clone()));
            }
        }
    }
}

/// One try: the result of each job, or why none of them was written.
fn try_group(
    connection: &mut Connection,
    group: &mut [Box<dyn Job>],
    setup: &WriterSetup,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let failed = |error| storage_error(setup.file, &error);
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    if let Some(term) = setup.term {
        super::lease::check(&transaction, term)?;
    }
    let mut results = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        let mut savepoint = transaction.savepoint().map_err(failed)?;
        // A job that panics is a bug of its own; it must not close the store for everybody else.
        let result = catch_unwind(AssertUnwindSafe(|| job.run(&savepoint)))
            .unwrap_or_else(|_| Err(StoreError::Broken("a write panicked".into())));
        match &result {
            Ok(()) => savepoint.commit().map_err(failed)?,
            // The disk is at its end: no job of this group can be written.
            Err(error @ StoreError::Full(_)) => return Err(error.clone()),
            Err(_) => {
                savepoint.rollback().map_err(failed)?;
                savepoint.commit().map_err(failed)?;
            }
        }
        results.push(result);
    }
    setup.faults.before_commit(setup.file)?;
    transaction.commit().map_err(failed)?;
    Ok(results)
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The queue in front of a file's reader.
#[derive(Clone)]
pub(super) struct Reader {
    jobs: mpsc::Sender<Read>,
}

impl Reader {
    /// Starts the thread with a connection that can only read.
    pub(super) fn start(connection: Connection, file: &'static str) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Read>(READS_QUEUED);
        let handle = std::thread::Builder::new()
            .name(format!("read {file}"))
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&connection);
                }
            })
            .map_err(|error| StoreError::Broken(format!("no thread to read with: {error}")))?;
        Ok((Self { jobs }, handle))
    }

    /// Reads one consistent state of the file.
    pub(super) async fn read<T, R>(&self, run: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job = move |connection: &Connection| {
            let read = || {
                let snapshot = connection.unchecked_transaction().map_err(|error| storage_error("store", &error))?;
                run(&snapshot)
            };
            drop(sender.send(read()));
        };
        self.jobs.send(Box::new(job)).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }
}

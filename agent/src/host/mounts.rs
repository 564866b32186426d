//! `statfs` where it cannot hurt: one worker thread asks; a mount that hangs keeps that worker and loses it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{HostError, lock, os};
use crate::clock;

/// Hung mounts (each holds one sleeping thread); beyond it, mounts are reported as failed without being asked.
const STUCK_MAX: usize = 32;
/// Stack of a worker, in bytes: it makes one system call.
const STACK_BYTES: usize = 64 * 1024;

/// How `statfs` is asked.
pub(crate) type Ask = dyn Fn(&str) -> Result<FsStat, HostError> + Send + Sync;

/// What `statfs` says of one mount, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FsStat {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Blocks free to those without privileges.
    pub available: u64,
    /// All file nodes.
    pub files: u64,
    /// Free file nodes.
    pub files_free: u64,
}

/// Why a mount gave no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// The call has not returned.
    #[error("statfs has not returned since boot time {since_ms} ms")]
    Stuck {
        /// When it was asked, milliseconds since boot.
        since_ms: u64,
    },
    /// It answered with an error, or was not asked.
    #[error(transparent)]
    Host(#[from] HostError),
}

type Answer = Result<FsStat, HostError>;

struct Worker {
    asks: Sender<String>,
    answers: Receiver<Answer>,
}

struct Stuck {
    since_ms: u64,
    answers: Receiver<Answer>,
}

#[derive(Default)]
struct State {
    worker: Option<Worker>,
    stuck: HashMap<String, Stuck>,
}

/// The worker, and the mounts that keep one.
pub(super) struct Mounts {
    ask: Arc<Ask>,
    state: Mutex<State>,
}

impl Mounts {
    pub(super) fn new(ask: Box<Ask>) -> Self {
        Self { ask: ask.into(), state: Mutex::default() }
    }

    pub(super) fn statfs(&self, path: &str, deadline_ms: u64) -> Result<FsStat, MountError> {
        let mut state = lock(&self.state);
        if let Some(stuck) = state.stuck.get(path) {
            match stuck.answers.try_recv() {
                Err(TryRecvError::Empty) => return Err(MountError::Stuck { since_ms: stuck.since_ms }),
                Ok(_) | Err(TryRecvError::Disconnected) => drop(state.stuck.remove(path)),
            }
        }
        if state.stuck.len() >= STUCK_MAX {
            return Err(failed(path, &format!("not asked: {STUCK_MAX} mounts hang already")).into());
        }
        let asked_ms = clock::now().boottime_ms;
        let worker = match state.worker.take() {
            Some(worker) => worker,
            None => self.hire().map_err(|error| failed(path, &format!("no thread for statfs: {error}")))?,
        };
        if worker.asks.send(path.to_owned()).is_err() {
            return Err(failed(path, "the statfs worker ended").into());
        }
        match worker.answers.recv_timeout(Duration::from_millis(deadline_ms)) {
            Ok(answer) => {
                state.worker = Some(worker);
                Ok(answer?)
            }
            Err(RecvTimeoutError::Timeout) => {
                // Dropping `asks` lets the worker end as soon as the hung call returns.
                state.stuck.insert(path.to_owned(), Stuck { since_ms: asked_ms, answers: worker.answers });
                Err(MountError::Stuck { since_ms: asked_ms })
            }
            Err(RecvTimeoutError::Disconnected) => Err(failed(path, "the statfs worker ended").into()),
        }
    }

    /// Asks in the caller's own thread.
    pub(super) fn statfs_at_once(&self, path: &str) -> Answer {
        (self.ask)(path)
    }

    fn hire(&self) -> std::io::Result<Worker> {
        let (asks, asked) = channel::<String>();
        let (answer, answers) = channel();
        let ask = Arc::clone(&self.ask);
        std::thread::Builder::new().name("muster-statfs".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            for path in asked {
                if answer.send(ask(&path)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { asks, answers })
    }
}

/// Asks the kernel.
pub(super) fn live(path: &str) -> Answer {
    os::statfs(path).map_err(|errno| HostError::from_errno(path, errno))
}

/// Looks the answer up in a capture.
pub(super) fn captured(answers: &Path, path: &str) -> Answer {
    let text = std::fs::read_to_string(answers).map_err(|_| HostError::NotPresent(path.to_owned()))?;
    let known: HashMap<String, FsStat> =
        serde_json::from_str(&text).map_err(|error| failed(path, &format!(".muster/statfs.json: {error}")))?;
    known.get(path).copied().ok_or_else(|| HostError::NotPresent(path.to_owned()))
}

fn failed(path: &str, reason: &str) -> HostError {
    HostError::Failed { path: path.to_owned(), reason: reason.to_owned() }
}

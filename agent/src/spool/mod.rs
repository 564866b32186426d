//! Records that the collector has not acknowledged yet, on disk, bounded.
//!
//! An own log of segments of 1 MiB: frames with epoch, sequence and CRC32C, and a small cursor file that says how far the
//! collector acknowledged. Only what is synced is ever handed out, so a number that was sent never returns with another
//! content. A segment is deleted only after the cursor that passes it is on disk. When the quota is full roll-ups are
//! thinned first, then the oldest segment goes; when the disk refuses, 1 000 records are kept in memory and the disk is
//! tried again every 30 s. Every loss is counted and handed out by [`Spool::take_losses`], to be reported as a gap.
//!
//! It does not know what is inside a record, and it never fails its caller: it degrades, counts and says so.

mod disk;
mod frame;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::Moment;
use disk::{Reader, Segment};
use frame::Frame;

/// Group commit: at the latest this long after the first unsynced record.
const SYNC_AFTER_MS: u64 = 1_000;
/// Group commit: at the latest with this much unsynced.
const SYNC_BYTES: u64 = 256 * 1024;
/// Records kept in memory while the disk refuses; the oldest make room.
const MEMORY_RECORDS_MAX: usize = 1_000;
/// Between attempts to use a disk that refused.
const RETRY_MS: u64 = 30_000;
/// Losses of different kinds waiting to be reported; equal kinds are merged.
const LOSSES_MAX: usize = 16;

/// How much the spool may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one segment; 1 MiB.
    pub segment_bytes: u64,
    /// Bytes of all; 64 MiB.
    pub quota_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 1024 * 1024, quota_bytes: 64 * 1024 * 1024 }
    }
}

/// How a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Synced at once: checks, kernel, power.
    Urgent,
    /// Synced within a second.
    Bulk,
    /// Synced within a second; the first to go when the quota is full.
    Rollup,
}

/// What is about to be done to the disk; a [`Hook`] may refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A segment is made.
    Create,
    /// A frame is written.
    Write,
    /// A segment is synced.
    Sync,
    /// The cursor is replaced.
    Cursor,
    /// A segment is deleted.
    Delete,
}

/// Asked before each [`Step`]; tests make disks fail with it.
pub type Hook = Box<dyn FnMut(Step) -> io::Result<()> + Send>;

/// Records that are gone and will not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// How many, at least.
    pub lost: u64,
    /// Wall time of the oldest, where known.
    pub from_wall_ms: i64,
    /// Wall time of the newest, where known.
    pub to_wall_ms: i64,
    /// Why.
    pub reason: &'static str,
}

/// A record handed out for sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number in [`Spool::epoch`].
    pub sequence: u64,
    /// The bytes it was appended with.
    pub payload: Vec<u8>,
}

/// The spool. One owner.
pub struct Spool {
    dir: PathBuf,
    limits: Limits,
    hook: Hook,
    epoch: [u8; 16],
    acked: u64,
    next: u64,
    handed_out: u64,
    segments: VecDeque<Segment>,
    active: Option<File>,
    synced_bytes: u64,
    synced_last: u64,
    unsynced: Vec<Frame>,
    unsynced_bytes: u64,
    unsynced_since_ms: u64,
    memory: VecDeque<Frame>,
    retry_at_ms: Option<u64>,
    reader: Option<Reader>,
    losses: Vec<Loss>,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("dir", &self.dir).field("acked", &self.acked).field("next", &self.next).finish()
    }
}

impl Spool {
    /// Opens the spool in `dir`, beginning a new epoch when there is none. Damage is set aside and counted; a disk that
    /// cannot be used leaves a spool that lives in memory.
    #[must_use]
    pub fn open(dir: &Path, limits: Limits, hook: Hook, now: Moment) -> Self {
        let found = disk::open(dir, now.wall_ms);
        let mut spool = Self {
            dir: dir.to_path_buf(),
            limits,
            hook,
            epoch: found.epoch,
            acked: found.acked,
            next: found.next,
            handed_out: found.acked,
            segments: found.segments,
            active: None,
            synced_bytes: 0,
            synced_last: 0,
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            unsynced_since_ms: 0,
            memory: VecDeque::new(),
            retry_at_ms: None,
            reader: None,
            losses: Vec::new(),
        };
        for loss in found.losses {
            spool.lose(loss);
        }
        if let Some(error) = found.trouble {
            spool.give_up_disk(&error, now);
        }
        spool
    }

    /// Begins a new epoch and gives what was not acknowledged new numbers in it: the machine was put back to an earlier
    /// state and its old numbers are taken.
    pub fn begin_again(&mut self, now: Moment) {
        self.sync(now);
        let old_dir = self.dir.with_extension(format!("rolled-back-{}", now.wall_ms));
        let renamed = std::fs::rename(&self.dir, &old_dir);
        let mut old_segments = std::mem::take(&mut self.segments);
        let (old_epoch, acked, memory) = (self.epoch, self.acked, std::mem::take(&mut self.memory));
        let hook = std::mem::replace(&mut self.hook, Box::new(|_| Ok(())));
        *self = Self::open(&self.dir, self.limits, hook, now);
        if renamed.is_ok() {
            for segment in &mut old_segments {
                segment.move_to(&old_dir);
                for frame in segment.frames(&old_epoch).into_iter().filter(|frame| frame.sequence > acked) {
                    self.keep(Frame { sequence: self.next, ..frame }, now);
                }
            }
        }
        for frame in memory {
            self.keep(Frame { sequence: self.next, ..frame }, now);
        }
        self.sync(now);
        if self.retry_at_ms.is_none() {
            let _ = std::fs::remove_dir_all(&old_dir);
        }
    }

    /// Which life of the spool this is.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// The oldest number that could still be sent (the next one when there is none).
    #[must_use]
    pub fn first_kept(&self) -> u64 {
        let disk = self.segments.iter().find(|segment| segment.last >= segment.first).map(|segment| segment.first);
        disk.or_else(|| self.memory.front().map(|frame| frame.sequence)).unwrap_or(self.next)
    }

    /// The newest number given (0: none yet).
    #[must_use]
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// What the collector acknowledged: everything up to and including this number.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Whether the disk refuses and records live in memory.
    #[must_use]
    pub fn in_memory(&self) -> bool {
        self.retry_at_ms.is_some()
    }

    /// Keeps one record and returns its number.
    pub fn append(&mut self, kind: Kind, now: Moment, payload: Vec<u8>) -> u64 {
        let sequence = self.next;
        if payload.len() > frame::PAYLOAD_BYTES_MAX {
            self.next += 1;
            self.lose(Loss { lost: 1, from_wall_ms: now.wall_ms, to_wall_ms: now.wall_ms, reason: "too large" });
            return sequence;
        }
        self.keep(Frame { sequence, kind: kind as u8, wall_ms: now.wall_ms, payload }, now);
        if kind == Kind::Urgent || self.unsynced_bytes >= SYNC_BYTES {
            self.sync(now);
        }
        sequence
    }

    /// Group commit and the retry of a refused disk; call it about once a second.
    pub fn tick(&mut self, now: Moment) {
        if self.retry_at_ms.is_some_and(|at| now.boottime_ms >= at) {
            self.retry_at_ms = None;
            for frame in std::mem::take(&mut self.memory) {
                self.keep(frame, now);
            }
            self.sync(now);
            if self.retry_at_ms.is_none() {
                tracing::info!("spool: the disk takes records again");
                self.save_cursor();
            }
        } else if !self.unsynced.is_empty() && now.boottime_ms >= self.unsynced_since_ms + SYNC_AFTER_MS {
            self.sync(now);
        }
    }

    /// Puts everything written on the disk itself.
    pub fn sync(&mut self, now: Moment) {
        if self.unsynced.is_empty() {
            return;
        }
        let Some(active) = &self.active else { return };
        match (self.hook)(Step::Sync).and_then(|()| active.sync_data()) {
            Ok(()) => self.note_synced(),
            Err(error) => self.give_up_disk(&error, now),
        }
    }

    /// The collector has everything up to `through`.
    pub fn acknowledge(&mut self, through: u64) {
        let through = through.min(self.last());
        if through <= self.acked {
            return;
        }
        self.acked = through;
        self.handed_out = self.handed_out.max(through);
        while self.memory.front().is_some_and(|frame| frame.sequence <= through) {
            self.memory.pop_front();
        }
        if self.save_cursor() {
            self.delete_acknowledged();
        }
    }

    /// Hands out again everything after `through`: a new stream begins there.
    pub fn rewind(&mut self, through: u64) {
        self.handed_out = through;
        self.reader = None;
    }

    /// The next record to send, oldest first; only what a crash cannot take back.
    pub fn next_unsent(&mut self) -> Option<Kept> {
        let frame = self
            .next_on_disk()
            .or_else(|| self.memory.iter().find(|frame| frame.sequence > self.handed_out).cloned())?;
        self.handed_out = frame.sequence;
        Some(Kept { sequence: frame.sequence, payload: frame.payload })
    }

    /// What was lost since the last call.
    pub fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    fn keep(&mut self, frame: Frame, now: Moment) {
        self.next = self.next.max(frame.sequence + 1);
        if self.retry_at_ms.is_some() {
            return self.remember(frame);
        }
        if self.unsynced.is_empty() {
            self.unsynced_since_ms = now.boottime_ms;
        }
        let written = self.write(&frame);
        self.unsynced.push(frame);
        if let Err(error) = written {
            self.give_up_disk(&error, now);
        }
    }

    fn remember(&mut self, frame: Frame) {
        if self.memory.len() >= MEMORY_RECORDS_MAX
            && let Some(oldest) = self.memory.pop_front()
        {
            let at = oldest.wall_ms;
            self.lose(Loss {
                lost: 1,
                from_wall_ms: at,
                to_wall_ms: at,
                reason: "the disk refused and memory was full",
            });
        }
        self.memory.push_back(frame);
    }

    /// From now on records live in memory, those included that were written but not synced.
    fn give_up_disk(&mut self, error: &io::Error, now: Moment) {
        tracing::warn!(
            dir = %self.dir.display(), %error,
            "spool: the disk refuses; the last {MEMORY_RECORDS_MAX} records are kept in memory, the next attempt is in 30 s"
        );
        self.retry_at_ms = Some(now.boottime_ms + RETRY_MS);
        self.abandon_active();
        for frame in std::mem::take(&mut self.unsynced) {
            self.remember(frame);
        }
        self.unsynced_bytes = 0;
    }

    fn lose(&mut self, loss: Loss) {
        if let Some(same) = self.losses.iter_mut().find(|known| known.reason == loss.reason) {
            same.lost += loss.lost;
            same.from_wall_ms = same.from_wall_ms.min(loss.from_wall_ms);
            same.to_wall_ms = same.to_wall_ms.max(loss.to_wall_ms);
        } else if self.losses.len() < LOSSES_MAX {
            self.losses.push(loss);
        }
    }
}

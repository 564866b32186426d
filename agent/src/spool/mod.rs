//! Records that the collector has not acknowledged yet, on disk, bounded.
//!
//! An own log of segments of 1 MiB: frames with epoch, sequence and CRC32C, and a small cursor file that says how far the
//! collector acknowledged. Only what is synced is ever handed out, so a number that was sent never returns with another
//! content. A segment is deleted only after the cursor that passes it is on disk. Where the quota (by size, by age, by the
//! disk's free space) is full, roll-ups go first, then what is no event, then the oldest events; when the disk refuses,
//! 1 000 records are kept in memory and the disk is tried again every 30 s. Every loss is counted and handed out by
//! [`Spool::take_losses`], to be reported as a gap.
//!
//! It does not know what is inside a record, and it never fails its caller: it degrades, counts and says so.

mod cursor;
mod disk;
mod files;
mod frame;
mod opening;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::Moment;
use cursor::WHATEVER_IS_KEPT;
use frame::Frame;
use segment::{Mark, Reader, Segment};

pub use files::{Files, RealFiles, Room};

/// Group commit: at the latest this long after the first unsynced record.
const SYNC_AFTER_MS: u64 = 1_000;
/// Group commit: at the latest with this much unsynced.
const SYNC_BYTES: u64 = 256 * 1024;
/// Records kept in memory while the disk refuses, and their bytes; the oldest of the least important make room.
const MEMORY_RECORDS_MAX: usize = 1_000;
const MEMORY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Between attempts to use a disk that refused.
const RETRY_MS: u64 = 30_000;
/// Losses of different kinds waiting to be reported; equal kinds are merged.
const LOSSES_MAX: usize = 16;

/// How much the spool may take. Less is taken where the disk has little room.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one segment; 1 MiB.
    pub segment_bytes: u64,
    /// Bytes of all; 64 MiB. What is set aside because it is damaged may take as much; what is of another agent stays.
    pub quota_bytes: u64,
    /// How long anything but an event is kept, in milliseconds; seven days, for the collector takes nothing older.
    pub age_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 1024 * 1024, quota_bytes: 64 * 1024 * 1024, age_ms: 7 * 86_400_000 }
    }
}

/// How a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event (checks, kernel, power): synced at once, the last to go.
    Urgent,
    /// Synced within a second.
    Bulk,
    /// Synced within a second; the first to go when the quota is full.
    Rollup,
}

/// How many kinds there are.
const KINDS: usize = 3;

/// The kind of a frame; one that a newer agent made counts as an event.
fn kind_of(frame: &Frame) -> Kind {
    [Kind::Urgent, Kind::Bulk, Kind::Rollup].get(usize::from(frame.kind)).copied().unwrap_or(Kind::Urgent)
}

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
    files: Box<dyn Files>,
    opened: Moment,
    epoch: [u8; 16],
    acked: u64,
    next: u64,
    handed_out: u64,
    /// Nothing above this number was ever handed out, by this life of the agent or an earlier one.
    offered: u64,
    /// What the cursor on the disk says of that.
    offered_said: u64,
    /// This life of the agent has not heard yet how far the collector is.
    doubtful: bool,
    segments: VecDeque<Segment>,
    /// The last segment is being written; `synced` is how far it is on the disk itself.
    active: bool,
    synced: Option<Mark>,
    unsynced: Vec<Frame>,
    unsynced_bytes: u64,
    unsynced_since_ms: u64,
    memory: VecDeque<Frame>,
    memory_bytes: usize,
    retry_at_ms: Option<u64>,
    /// The directory is of another epoch, or was never opened.
    unopened: bool,
    /// That the disk refuses has been said.
    trouble_told: bool,
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
    pub fn open(dir: &Path, limits: Limits, files: Box<dyn Files>, now: Moment) -> Self {
        let mut spool = Self {
            dir: dir.to_path_buf(),
            limits,
            files,
            opened: now,
            epoch: crate::identity::random(),
            acked: 0,
            next: 1,
            handed_out: 0,
            offered: 0,
            offered_said: WHATEVER_IS_KEPT,
            doubtful: true,
            segments: VecDeque::new(),
            active: false,
            synced: None,
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            unsynced_since_ms: 0,
            memory: VecDeque::new(),
            memory_bytes: 0,
            retry_at_ms: None,
            unopened: true,
            trouble_told: false,
            reader: None,
            losses: Vec::new(),
        };
        match spool.find(now.wall_ms) {
            Ok(found) => {
                spool.unopened = false;
                (spool.epoch, spool.acked, spool.next) = (found.epoch, found.acked, found.next);
                (spool.handed_out, spool.offered, spool.offered_said) =
                    (found.acked, found.offered, found.offered_said);
                spool.segments = found.segments;
            }
            Err(error) => spool.give_up_disk(&error, now),
        }
        spool
    }

    /// Begins a new epoch and gives what was not acknowledged new numbers in it: the machine was put back to an earlier
    /// state and its old numbers are taken.
    pub fn begin_again(&mut self, now: Moment) {
        self.sync(now);
        (self.active, self.synced, self.reader) = (false, None, None);
        self.segments.clear();
        self.epoch = crate::identity::random();
        (self.acked, self.next, self.handed_out, self.offered) = (0, 1, 0, 0);
        for (number, frame) in (1..).zip(&mut self.memory) {
            (frame.sequence, self.next) = (number, number + 1);
        }
        self.unopened = true;
        self.retry(now);
    }

    /// Which life of the spool this is.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// The oldest number that could still be sent (the next one when there is none).
    #[must_use]
    pub fn first_kept(&self) -> u64 {
        let disk = self.segments.iter().find(|segment| segment.mark.count > 0).map(|segment| segment.first);
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

    /// Group commit, age, and the retry of a refused disk; call it about once a second.
    pub fn tick(&mut self, now: Moment) {
        if let Some(at) = self.retry_at_ms {
            if now.boottime_ms >= at {
                self.retry(now);
            }
            return;
        }
        if !self.unsynced.is_empty() && now.boottime_ms >= self.unsynced_since_ms + SYNC_AFTER_MS {
            self.sync(now);
        }
        if let Err(error) = self.expire(now) {
            self.give_up_disk(&error, now);
        }
    }

    /// Puts everything written on the disk itself.
    pub fn sync(&mut self, now: Moment) {
        if !self.unsynced.is_empty()
            && let Err(error) = self.sync_active()
        {
            self.give_up_disk(&error, now);
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
            self.memory_bytes -= self.memory.pop_front().map_or(0, |frame| frame.payload.len());
        }
        if self.save_cursor(self.offered_said)
            && let Err(error) = self.delete_acknowledged()
        {
            tracing::debug!(%error, "spool: an acknowledged segment stays for now");
        }
    }

    /// A new stream begins at what the collector says to have: that is acknowledged, the rest is handed out again.
    ///
    /// Returns how many records were acknowledged, lost by the collector and are no longer here. `None` when the collector
    /// has numbers that this disk knows nothing of (the machine was put back, or the disk refused them): only
    /// [`Spool::begin_again`] keeps records from being taken for others.
    pub fn resume(&mut self, through: u64) -> Option<u64> {
        let own = self.offered.max(self.acked);
        if through > own {
            self.acknowledge(own);
            return None;
        }
        self.doubtful = false;
        let (reachable, acked) = (self.first_kept(), self.acked);
        self.acknowledge(through);
        self.rewind(through);
        Some(reachable.min(acked + 1).saturating_sub(through + 1))
    }

    /// Hands out again everything after `through`: a new stream begins there.
    pub fn rewind(&mut self, through: u64) {
        self.handed_out = through;
        self.reader = None;
    }

    /// The next record to send, oldest first; only what a crash cannot take back.
    pub fn next_unsent(&mut self) -> Option<Kept> {
        let frame = match self.next_on_disk() {
            Ok(Some(frame)) => frame,
            Ok(None) => self.memory.iter().find(|frame| frame.sequence > self.handed_out).cloned()?,
            Err(error) => {
                tracing::debug!(%error, "spool: the next record cannot be read now");
                return None;
            }
        };
        if frame.sequence > self.offered_said {
            // Where the disk refuses, a crash from here may cost a new epoch, never a record.
            self.save_cursor(WHATEVER_IS_KEPT);
        }
        self.handed_out = frame.sequence;
        self.offered = self.offered.max(frame.sequence);
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
        match self.write(&frame, now) {
            Ok(true) => self.unsynced.push(frame),
            Ok(false) => {}
            Err(error) => {
                self.unsynced.push(frame);
                self.give_up_disk(&error, now);
            }
        }
    }

    /// Keeps a record in memory; where that is full the oldest of the least important goes, this one included.
    fn remember(&mut self, frame: Frame) {
        self.memory_bytes += frame.payload.len();
        self.memory.push_back(frame);
        while self.memory.len() > MEMORY_RECORDS_MAX || self.memory_bytes > MEMORY_BYTES_MAX {
            let least = [Kind::Rollup, Kind::Bulk, Kind::Urgent]
                .iter()
                .find_map(|kind| self.memory.iter().position(|frame| kind_of(frame) == *kind));
            let Some(gone) = least.and_then(|at| self.memory.remove(at)) else { return };
            self.memory_bytes -= gone.payload.len();
            let reason = "the disk refused and memory was full";
            self.lose(Loss { lost: 1, from_wall_ms: gone.wall_ms, to_wall_ms: gone.wall_ms, reason });
        }
    }

    /// From now on records live in memory, those included that were written but not synced.
    fn give_up_disk(&mut self, error: &io::Error, now: Moment) {
        if std::mem::replace(&mut self.trouble_told, true) {
            tracing::debug!(dir = %self.dir.display(), %error, "spool: the disk still refuses");
        } else {
            tracing::warn!(
                dir = %self.dir.display(), %error,
                "spool: the disk refuses; the last {MEMORY_RECORDS_MAX} records are kept in memory, the disk is tried every 30 s"
            );
        }
        self.retry_at_ms = Some(now.boottime_ms + RETRY_MS);
        self.abandon_active();
        for frame in std::mem::take(&mut self.unsynced) {
            self.remember(frame);
        }
        self.unsynced_bytes = 0;
    }

    /// Tries the disk again with all that is in memory.
    fn retry(&mut self, now: Moment) {
        if self.unopened
            && let Err(error) = self.find(now.wall_ms).and_then(|found| self.renumber(found, now.wall_ms))
        {
            return self.give_up_disk(&error, now);
        }
        self.retry_at_ms = None;
        self.memory_bytes = 0;
        for frame in std::mem::take(&mut self.memory) {
            self.keep(frame, now);
        }
        self.sync(now);
        if self.retry_at_ms.is_none() {
            if std::mem::take(&mut self.trouble_told) {
                tracing::info!("spool: the disk takes records again");
            }
            self.save_cursor(self.offered_said);
        }
    }

    /// Milliseconds since the Unix epoch by the wall clock as it was when the spool was opened: it never jumps.
    fn steady_ms(&self, now: Moment) -> i64 {
        let elapsed_ms = now.boottime_ms.saturating_sub(self.opened.boottime_ms);
        self.opened.wall_ms.saturating_add(i64::try_from(elapsed_ms).unwrap_or(i64::MAX))
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

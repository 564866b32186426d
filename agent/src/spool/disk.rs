//! Writing segments, reading them back, making room: what the spool does to its directory while it runs.

use std::collections::VecDeque;
use std::io;

use super::cursor::{Cursor, WHATEVER_IS_KEPT};
use super::files::Files;
use super::frame::{self, FRAME_BYTES, Frame};
use super::opening::{self, Found};
use super::segment::{Reader, Segment, bytes_of, is_lost, replace, scan};
use super::{Kind, Loss, Moment, Spool, kind_of};

/// The spool takes at most this part of what is free, itself included.
const FREE_SHARE: u64 = 20;
/// Where less than this is free (or a 50th of the whole, whichever is less), the rest is left to others.
pub(super) const FREE_BYTES_MIN: u64 = 500 * 1024 * 1024;
const FREE_PART_MIN: u64 = 50;
/// A segment is at most this part of the quota, so that giving one up does not give up most.
const QUOTA_SEGMENTS: u64 = 8;

impl Spool {
    /// Opens the directory and counts what is damaged, or says why not.
    pub(super) fn find(&mut self, wall_ms: i64) -> io::Result<Found> {
        let mut found = opening::open(&mut *self.files, &self.dir, self.limits.quota_bytes, wall_ms)?;
        for loss in std::mem::take(&mut found.losses) {
            self.lose(loss);
        }
        Ok(found)
    }

    /// Puts what is in memory into a directory of this epoch, and after it, with new numbers, what was found in the directory
    /// and is not acknowledged. The new directory is complete before it takes the old one's place: a crash leaves one of the two.
    pub(super) fn renumber(&mut self, found: Found, wall_ms: i64) -> io::Result<()> {
        let (next_dir, old_dir) = opening::beside(&self.dir);
        let parent = self.dir.parent().unwrap_or(&self.dir).to_path_buf();
        self.files.make_dir(&next_dir)?;
        let (mut next, mut segments) = (self.next, VecDeque::new());
        let mut put = |files: &mut dyn Files, frames: &[Frame], newest_ms: i64| {
            let Some(first) = frames.first().map(|frame| frame.sequence) else { return Ok(()) };
            let name = segment_name(first);
            files.create(&next_dir.join(&name), &bytes_of(first, &self.epoch, frames))?;
            segments.push_back(Segment::of(self.dir.join(&name), first, frames, newest_ms));
            files.sync(&next_dir.join(&name))
        };
        put(&mut *self.files, self.memory.make_contiguous(), wall_ms)?;
        for old in &found.segments {
            let bytes = self.files.read(&old.path, 0, old.mark.size())?;
            let mut frames = scan(&bytes, &found.epoch).frames;
            frames.retain(|frame| frame.sequence > found.acked);
            for frame in &mut frames {
                (frame.sequence, next) = (next, next + 1);
            }
            put(&mut *self.files, &frames, old.mark.newest_ms)?;
        }
        let cursor = Cursor { epoch: self.epoch, acked: self.acked, given: next - 1, offered: self.offered };
        cursor.write(&mut *self.files, &next_dir)?;
        self.files.rename(&self.dir, &old_dir)?;
        self.files.rename(&next_dir, &self.dir)?;
        self.files.sync_dir(&parent)?;
        (self.next, self.segments, self.unopened) = (next, segments, false);
        (self.memory, self.memory_bytes) = (VecDeque::new(), 0);
        (self.offered_said, self.reader) = (self.offered, None);
        opening::keep_aside(&mut *self.files, &old_dir, &self.dir);
        // What stays of it is removed at the next opening.
        let _ = self.files.remove_dir(&old_dir);
        Ok(())
    }

    /// Writes one frame to the active segment, making room and a new segment as needed. Where there is no room for its
    /// kind it is counted as lost, and the answer is false.
    pub(super) fn write(&mut self, frame: &Frame, now: Moment) -> io::Result<bool> {
        let mut bytes = Vec::with_capacity(FRAME_BYTES + frame.payload.len());
        frame::write_frame(&mut bytes, &self.epoch, frame);
        let quota = self.quota()?;
        let full = self.limits.segment_bytes.min(quota / QUOTA_SEGMENTS);
        if self.active && self.segments.back().is_some_and(|segment| segment.mark.bytes >= full) {
            self.seal()?;
        }
        while self.total_bytes() + bytes.len() as u64 > quota {
            if !self.make_room(kind_of(frame))? {
                self.count_lost(std::slice::from_ref(frame), "the spool's quota was full of what is more important");
                return Ok(false);
            }
        }
        if !self.active {
            self.begin_segment(frame.sequence)?;
        }
        let made_ms = self.steady_ms(now);
        if let Some(segment) = self.segments.back_mut() {
            self.files.append(&segment.path, &bytes)?;
            segment.grew(frame, made_ms);
        }
        self.unsynced_bytes += bytes.len() as u64;
        Ok(true)
    }

    /// What may be used now, in bytes.
    fn quota(&mut self) -> io::Result<u64> {
        let Ok(room) = self.files.room(&self.dir) else { return Ok(self.limits.quota_bytes) };
        if room.free_bytes < FREE_BYTES_MIN.min(room.all_bytes / FREE_PART_MIN) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "less than 2 % of the file system is free"));
        }
        Ok(self.limits.quota_bytes.min((room.free_bytes + self.total_bytes()) / FREE_SHARE))
    }

    /// Syncs the active segment.
    pub(super) fn sync_active(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.back().filter(|_| self.active) {
            self.files.sync(&segment.path)?;
            self.synced = Some(segment.mark);
        }
        self.unsynced.clear();
        self.unsynced_bytes = 0;
        Ok(())
    }

    /// Closes the active segment where it was last synced; what came after is the caller's to keep.
    pub(super) fn abandon_active(&mut self) {
        if !std::mem::take(&mut self.active) {
            return;
        }
        let Some(segment) = self.segments.back_mut() else { return };
        let Some(synced) = self.synced else { return };
        segment.mark = synced;
        // Where the disk refuses this too, what stays is of the same numbers and content as what is kept.
        if synced.count > 0 {
            let _ = self.files.truncate(&segment.path, synced.bytes);
        } else {
            let _ = self.files.remove(&segment.path);
            self.segments.pop_back();
        }
    }

    /// Puts the cursor on disk; false when the disk refused (the old one is then still there).
    pub(super) fn save_cursor(&mut self, offered: u64) -> bool {
        if self.unopened {
            return false;
        }
        let cursor = Cursor { epoch: self.epoch, acked: self.acked, given: self.last(), offered };
        let saved = cursor.write(&mut *self.files, &self.dir);
        match &saved {
            Ok(()) => self.offered_said = offered,
            Err(error) => {
                tracing::debug!(%error, "spool: the cursor could not be written; acknowledged records may be sent again");
            }
        }
        saved.is_ok()
    }

    /// Deletes segments that the cursor on disk has passed; the active one stays unless it is large.
    pub(super) fn delete_acknowledged(&mut self) -> io::Result<()> {
        while self.segments.front().is_some_and(|segment| segment.mark.last <= self.acked) {
            let is_active = self.segments.len() == 1 && self.active;
            let small = self.segments.front().is_some_and(|one| one.mark.bytes < self.limits.segment_bytes / 16);
            if is_active && (small || !self.unsynced.is_empty()) {
                break;
            }
            self.delete(0)?;
            self.sync_names()?;
        }
        Ok(())
    }

    /// The next synced frame after what was handed out; an error when there is one that cannot be read now.
    pub(super) fn next_on_disk(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let wanted = self.handed_out;
            let Some(at) = self.segments.iter().position(|segment| segment.mark.last > wanted) else { return Ok(None) };
            let is_active = self.active && at + 1 == self.segments.len();
            let segment = &self.segments[at];
            let safe = self.synced.filter(|_| is_active).unwrap_or(segment.mark);
            let reader = self.reader.take().filter(|reader| reader.first == segment.first);
            let mut reader = reader.unwrap_or_else(|| Reader::new(segment.first));
            let found = reader.next(&mut *self.files, &segment.path, safe.bytes, &self.epoch);
            let found = match found {
                Err(error) if !is_lost(&error) => return Err(error),
                found => found.unwrap_or(None),
            };
            let missing = safe.count.saturating_sub(reader.read);
            self.tell_damaged(at, if found.is_none() { missing } else { reader.damaged });
            self.reader = Some(reader);
            match found {
                Some(frame) if frame.sequence > wanted => return Ok(Some(frame)),
                Some(_) => {}
                None if is_active => return Ok(None),
                // What could not be read from a closed segment is not waited for.
                None => self.handed_out = wanted.max(self.segments[at].mark.last),
            }
        }
    }

    fn tell_damaged(&mut self, at: usize, damaged: u64) {
        let more = self.segments[at].newly_damaged(damaged);
        if more > 0 && self.segments[at].mark.last > self.acked {
            let at_ms = self.segments[at].mark.newest_ms;
            self.lose(Loss {
                lost: more,
                from_wall_ms: at_ms,
                to_wall_ms: at_ms,
                reason: "spool records could not be read back",
            });
        }
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.mark.bytes).sum()
    }

    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        // Numbers of a life that has not met the collector may be taken there already (the machine was put back to an
        // earlier state, or what was sent never reached this disk): the cursor must say so before they are on the disk.
        if self.doubtful && self.offered_said == WHATEVER_IS_KEPT && !self.save_cursor(self.offered) {
            return Err(io::Error::other("the spool's cursor could not be written"));
        }
        let segment = Segment::new(self.dir.join(segment_name(first)), first);
        self.synced = Some(segment.mark);
        self.active = true;
        let created = self.files.create(&segment.path, &frame::header(&self.epoch, first));
        self.segments.push_back(segment);
        created.and_then(|()| self.sync_names())
    }

    /// Closes the active segment, synced.
    fn seal(&mut self) -> io::Result<()> {
        self.sync_active()?;
        self.active = false;
        Ok(())
    }

    /// Gives up the oldest of the least important kind, nothing more important than `for_kind`; false when nothing is left
    /// to give.
    fn make_room(&mut self, for_kind: Kind) -> io::Result<bool> {
        if self.segments.front().is_some_and(|segment| segment.mark.last <= self.acked) {
            self.give_up(0, None)?;
            return Ok(true);
        }
        for kind in [Kind::Rollup, Kind::Bulk] {
            if let Some(at) = self.segments.iter().position(|segment| segment.mark.by_kind[kind as usize] > 0) {
                self.give_up(at, Some((kind, "the spool's quota was full: the oldest of the least important went")))?;
                return Ok(true);
            }
            if kind == for_kind {
                return Ok(false);
            }
        }
        if self.segments.is_empty() {
            return Ok(false);
        }
        self.give_up(0, Some((Kind::Urgent, "the spool's quota was full of events: the oldest went")))?;
        Ok(true)
    }

    /// Gives up what is older than the collector takes, events apart.
    pub(super) fn expire(&mut self, now: Moment) -> io::Result<()> {
        let eldest_ms = self.steady_ms(now).saturating_sub(self.limits.age_ms);
        for kind in [Kind::Rollup, Kind::Bulk] {
            let old = |segment: &Segment| segment.mark.newest_ms < eldest_ms && segment.mark.by_kind[kind as usize] > 0;
            while let Some(at) = self.segments.iter().position(old) {
                self.give_up(at, Some((kind, "the collector was away for longer than records are kept")))?;
            }
        }
        Ok(())
    }

    /// Takes all records of one kind (of events: all that is there) out of a segment, counted; with no kind, the segment.
    fn give_up(&mut self, at: usize, what: Option<(Kind, &'static str)>) -> io::Result<()> {
        if self.active && at + 1 == self.segments.len() {
            self.seal()?;
        }
        // With the newest record goes the knowledge that its number has been given, unless the cursor has it.
        if at + 1 == self.segments.len() && !self.save_cursor(self.offered_said) {
            return Err(io::Error::other("the spool's cursor could not be written"));
        }
        let Some((kind, reason)) = what else { return self.delete(at).and_then(|()| self.sync_names()) };
        let Segment { path, first, mark, .. } = &self.segments[at];
        let (path, first, mark) = (path.clone(), *first, *mark);
        let frames = match self.files.read(&path, 0, mark.size()) {
            Ok(bytes) => scan(&bytes, &self.epoch).frames,
            Err(error) if is_lost(&error) => Vec::new(),
            Err(error) => return Err(error),
        };
        let damaged = mark.count.saturating_sub(frames.len() as u64);
        let (gone, kept): (Vec<_>, Vec<_>) =
            frames.into_iter().partition(|frame| kind == Kind::Urgent || kind_of(frame) == kind);
        self.tell_damaged(at, damaged);
        if kept.is_empty() {
            self.delete(at)?;
        } else {
            replace(&mut *self.files, &path, &bytes_of(first, &self.epoch, &kept))?;
            self.segments[at] = Segment::of(path, first, &kept, mark.newest_ms);
            self.reader = None;
        }
        self.count_lost(&gone, reason);
        self.sync_names()
    }

    fn count_lost(&mut self, gone: &[Frame], reason: &'static str) {
        let acked = self.acked;
        for frame in gone.iter().filter(|frame| frame.sequence > acked) {
            self.lose(Loss { lost: 1, from_wall_ms: frame.wall_ms, to_wall_ms: frame.wall_ms, reason });
        }
    }

    fn delete(&mut self, at: usize) -> io::Result<()> {
        self.files.remove(&self.segments[at].path)?;
        if self.active && at + 1 == self.segments.len() {
            self.active = false;
        }
        self.segments.remove(at);
        self.reader = None;
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.files.sync_dir(&self.dir)
    }
}

fn segment_name(first: u64) -> String {
    format!("{first:020}.seg")
}

//! One segment: a file of frames, what is known of it, and reading it, damaged or not.

use std::io;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::frame::{self, FRAME_BYTES, Frame, HEADER_BYTES};
use super::{KINDS, kind_of};

/// A segment is closed once it is larger than its limit, so one frame more than that is the most it can hold.
pub(super) const READ_MAX: usize = 8 * 1024 * 1024;

/// How far a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) last: u64,
    pub(super) bytes: u64,
    pub(super) count: u64,
    /// Bytes of frames by [`super::Kind`].
    pub(super) by_kind: [u64; KINDS],
    /// When its newest record was made, on the spool's own wall clock.
    pub(super) newest_ms: i64,
}

impl Mark {
    /// What is to be read of the file: where cutting it failed, what follows is not of this segment.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(READ_MAX).min(READ_MAX)
    }
}

/// One segment file; empty while `mark.last < first`.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first: u64,
    pub(super) mark: Mark,
    /// Damaged records in it that have been counted as lost.
    pub(super) lost_told: u64,
}

impl Segment {
    /// A file with nothing but a header.
    pub(super) fn new(path: PathBuf, first: u64) -> Self {
        let bytes = HEADER_BYTES as u64;
        let mark = Mark { last: first.saturating_sub(1), bytes, count: 0, by_kind: [0; KINDS], newest_ms: i64::MIN };
        Self { path, first, mark, lost_told: 0 }
    }

    /// What is in a file that holds exactly these frames.
    pub(super) fn of(path: PathBuf, first: u64, frames: &[Frame], newest_ms: i64) -> Self {
        let mut segment = Self::new(path, first);
        for frame in frames {
            segment.grew(frame, newest_ms);
        }
        segment
    }

    /// A frame was written at its end.
    pub(super) fn grew(&mut self, frame: &Frame, made_ms: i64) {
        let bytes = (FRAME_BYTES + frame.payload.len()) as u64;
        self.mark.last = frame.sequence;
        self.mark.bytes += bytes;
        self.mark.count += 1;
        self.mark.by_kind[kind_of(frame) as usize] += bytes;
        self.mark.newest_ms = self.mark.newest_ms.max(made_ms);
    }

    /// How many more records turned out to be damaged, when `damaged` are in all.
    pub(super) fn newly_damaged(&mut self, damaged: u64) -> u64 {
        let more = damaged.saturating_sub(self.lost_told);
        self.lost_told += more;
        more
    }
}

/// What a segment's bytes hold.
pub(super) struct Scan {
    pub(super) frames: Vec<Frame>,
    /// Where the last whole frame ends.
    pub(super) end: usize,
    /// Records lost before that, at least.
    pub(super) lost_within: u64,
}

/// Finds all whole frames.
pub(super) fn scan(bytes: &[u8], epoch: &[u8; 16]) -> Scan {
    let mut scan = Scan { frames: Vec::new(), end: HEADER_BYTES.min(bytes.len()), lost_within: 0 };
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        if let Some((frame, end)) = frame::read_frame(bytes, at, epoch) {
            scan.frames.push(frame);
            (at, scan.end) = (end, end);
            continue;
        }
        let Some(next) = frame::find_frame(bytes, at + 1, epoch) else { break };
        let before = scan.frames.last().map(|frame| frame.sequence);
        let after = frame::read_frame(bytes, next, epoch).map(|(frame, _)| frame.sequence);
        let between = before.zip(after).map_or(1, |(before, after)| after.saturating_sub(before + 1).max(1));
        scan.lost_within += between;
        at = next;
    }
    scan
}

/// A whole segment as bytes.
pub(super) fn bytes_of(first: u64, epoch: &[u8; 16], frames: &[Frame]) -> Vec<u8> {
    let mut bytes = frame::header(epoch, first).to_vec();
    for frame in frames {
        frame::write_frame(&mut bytes, epoch, frame);
    }
    bytes
}

/// Puts `bytes` in place of a file, whole or not at all; durable once the directory is synced.
pub(super) fn replace(files: &mut dyn Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let neighbour = path.with_extension("new");
    files.create(&neighbour, bytes)?;
    files.sync(&neighbour)?;
    files.rename(&neighbour, path)
}

/// Whether what could not be read is gone for good; all else (too many open files, no right) may pass.
pub(super) fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || crate::platform::is_lost(error)
}

/// Where reading a segment is.
#[derive(Debug)]
pub(super) struct Reader {
    /// The first number of the segment it reads.
    pub(super) first: u64,
    at: u64,
    /// Frames read from the beginning, and places where damaged bytes were stepped over.
    pub(super) read: u64,
    pub(super) damaged: u64,
}

impl Reader {
    pub(super) fn new(first: u64) -> Self {
        Self { first, at: HEADER_BYTES as u64, read: 0, damaged: 0 }
    }

    /// The frame at the reader's place, before `end`; damaged bytes are stepped over, `None` when nothing whole follows.
    pub(super) fn next(
        &mut self,
        files: &mut dyn Files,
        path: &Path,
        end: u64,
        epoch: &[u8; 16],
    ) -> io::Result<Option<Frame>> {
        if self.at + FRAME_BYTES as u64 > end {
            return Ok(None);
        }
        let fixed = files.read(path, self.at, FRAME_BYTES)?;
        if let Some(length) = frame::frame_bytes(&fixed).filter(|length| self.at + *length as u64 <= end) {
            let whole = files.read(path, self.at, length)?;
            if let Some((frame, _)) = frame::read_frame(&whole, 0, epoch) {
                return Ok(Some(self.step(length, frame)));
            }
        }
        let rest = files.read(path, self.at, usize::try_from(end - self.at).unwrap_or(READ_MAX).min(READ_MAX))?;
        let found = frame::find_frame(&rest, 1, epoch).and_then(|at| frame::read_frame(&rest, at, epoch));
        Ok(found.map(|(frame, length)| {
            self.damaged += 1;
            self.step(length, frame)
        }))
    }

    fn step(&mut self, bytes: usize, frame: Frame) -> Frame {
        self.at += bytes as u64;
        self.read += 1;
        frame
    }
}

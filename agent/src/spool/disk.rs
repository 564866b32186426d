//! The spool's files: opening what a crash left, segments, the cursor, the quota.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::frame::{self, FRAME_BYTES, Frame, HEADER_BYTES};
use super::{Kind, Loss, Spool, Step};

const CURSOR: &str = "cursor";
const CURSOR_MAGIC: &[u8; 4] = b"MUSC";
const CURSOR_BYTES: usize = 34;
/// A segment is closed once it is larger than its limit, so one frame more than that is the most it can hold.
const SEGMENT_READ_MAX: u64 = 8 * 1024 * 1024;

/// One segment file; empty while `last < first`.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: u64,
    pub(super) rollup_bytes: u64,
}

/// What opening found.
pub(super) struct Found {
    pub(super) epoch: [u8; 16],
    pub(super) acked: u64,
    pub(super) next: u64,
    pub(super) segments: VecDeque<Segment>,
    pub(super) losses: Vec<Loss>,
    pub(super) trouble: Option<io::Error>,
}

/// Where sending is.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    first: u64,
    at: u64,
}

impl Segment {
    /// Follows its directory to another name.
    pub(super) fn move_to(&mut self, dir: &Path) {
        if let Some(name) = self.path.file_name() {
            self.path = dir.join(name);
        }
    }

    /// All whole frames in it.
    pub(super) fn frames(&self, epoch: &[u8; 16]) -> Vec<Frame> {
        read_segment(&self.path).map(|bytes| scan(&bytes, epoch).frames).unwrap_or_default()
    }
}

struct Scan {
    frames: Vec<Frame>,
    /// Where the last whole frame ends.
    end: usize,
    /// Records lost between whole frames.
    lost_within: u64,
}

/// Opens the directory, whatever state it is in.
pub(super) fn open(dir: &Path, wall_ms: i64) -> Found {
    let mut found = Found {
        epoch: crate::identity::random(),
        acked: 0,
        next: 1,
        segments: VecDeque::new(),
        losses: Vec::new(),
        trouble: None,
    };
    if let Err(error) = fill(dir, wall_ms, &mut found) {
        found.trouble = Some(error);
    }
    found
}

fn fill(dir: &Path, wall_ms: i64, found: &mut Found) -> io::Result<()> {
    if !dir.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut epoch = None;
    match read_cursor(dir) {
        Ok(Some((known, acked))) => {
            (found.acked, epoch) = (acked, Some(known));
        }
        Ok(None) => {}
        Err(_) => set_aside(&dir.join(CURSOR), "corrupt", wall_ms)?,
    }
    let has_cursor = epoch.is_some();
    let mut names: Vec<PathBuf> = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    names.sort();
    let last = names.len().saturating_sub(1);
    let mut torn = false;
    for (n, path) in names.into_iter().enumerate() {
        torn |= take_in(&path, wall_ms, n == last, &mut epoch, found)?;
    }
    if !has_cursor {
        found.acked = found.segments.front().map_or(0, |segment| segment.first - 1);
    }
    let newest = found.segments.back().map_or(0, |segment| segment.last);
    // A torn tail may have been a record that was sent: its number is not given twice.
    found.next = newest.max(found.acked) + 1 + u64::from(torn);
    match epoch {
        Some(epoch) => found.epoch = epoch,
        None => found.next = found.next.max(1),
    }
    if !has_cursor {
        write_cursor(dir, &found.epoch, found.acked)?;
    }
    Ok(())
}

/// Takes one segment file in; true when its end was torn.
fn take_in(
    path: &Path,
    wall_ms: i64,
    is_last: bool,
    epoch: &mut Option<[u8; 16]>,
    found: &mut Found,
) -> io::Result<bool> {
    let bytes = read_segment(path)?;
    let at_least_one = |reason| Loss { lost: 1, from_wall_ms: wall_ms, to_wall_ms: wall_ms, reason };
    let Some(header) = frame::read_header(&bytes) else {
        if bytes.len() > HEADER_BYTES {
            found.losses.push(at_least_one("a spool segment was damaged and is set aside"));
        }
        set_aside(path, "corrupt", wall_ms)?;
        return Ok(is_last);
    };
    if header.version != frame::VERSION {
        found.losses.push(at_least_one("a spool segment of a newer agent is set aside"));
        set_aside(path, "newer", wall_ms)?;
        return Ok(false);
    }
    if *epoch.get_or_insert(header.epoch) != header.epoch {
        found.losses.push(at_least_one("a spool segment of another epoch is set aside"));
        set_aside(path, "corrupt", wall_ms)?;
        return Ok(false);
    }
    let scan = scan(&bytes, &header.epoch);
    let torn = scan.end < bytes.len();
    if scan.lost_within > 0 || (torn && !is_last) {
        let lost = scan.lost_within + u64::from(torn);
        found.losses.push(Loss { lost, ..at_least_one("damaged spool records were skipped") });
        rewrite(path, &header.epoch, header.first, &scan.frames, Some(wall_ms))?;
    } else if torn {
        found.losses.push(at_least_one("the last write before a crash was torn"));
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(scan.end as u64)?;
        file.sync_all()?;
    }
    if scan.frames.is_empty() {
        fs::remove_file(path)?;
    } else {
        found.segments.push_back(describe(path, &scan.frames));
    }
    Ok(torn)
}

fn describe(path: &Path, frames: &[Frame]) -> Segment {
    let size = |frame: &Frame| (FRAME_BYTES + frame.payload.len()) as u64;
    Segment {
        path: path.to_path_buf(),
        first: frames.first().map_or(1, |frame| frame.sequence),
        last: frames.last().map_or(0, |frame| frame.sequence),
        bytes: HEADER_BYTES as u64 + frames.iter().map(size).sum::<u64>(),
        rollup_bytes: frames.iter().filter(|frame| frame.kind == Kind::Rollup as u8).map(size).sum(),
    }
}

fn scan(bytes: &[u8], epoch: &[u8; 16]) -> Scan {
    let mut scan = Scan { frames: Vec::new(), end: HEADER_BYTES, lost_within: 0 };
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

fn read_segment(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SEGMENT_READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes `frames` in place of the segment, whole or not at all; the damaged original is kept beside it.
fn rewrite(path: &Path, epoch: &[u8; 16], first: u64, frames: &[Frame], keep: Option<i64>) -> io::Result<()> {
    let mut bytes = frame::header(epoch, first).to_vec();
    for frame in frames {
        frame::write_frame(&mut bytes, epoch, frame);
    }
    let neighbour = path.with_extension("new");
    write_synced(&neighbour, &bytes)?;
    if let Some(wall_ms) = keep {
        set_aside(path, "corrupt", wall_ms)?;
    }
    fs::rename(&neighbour, path)?;
    sync_dir(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn set_aside(path: &Path, why: &str, wall_ms: i64) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{why}-{wall_ms}"));
    tracing::warn!(file = %path.display(), "spool: a file is {why} and is set aside");
    fs::rename(path, name)
}

fn sync_dir(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn read_cursor(dir: &Path) -> io::Result<Option<([u8; 16], u64)>> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let bytes = match fs::read(dir.join(CURSOR)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes: [u8; CURSOR_BYTES] = bytes.try_into().map_err(|_| damaged())?;
    let crc = crc32c::crc32c(&bytes[..30]).to_le_bytes();
    if &bytes[..4] != CURSOR_MAGIC || bytes[4..6] != frame::VERSION.to_le_bytes() || bytes[30..] != crc {
        return Err(damaged());
    }
    let epoch = bytes[6..22].try_into().map_err(|_| damaged())?;
    let acked = u64::from_le_bytes(bytes[22..30].try_into().map_err(|_| damaged())?);
    Ok(Some((epoch, acked)))
}

fn write_cursor(dir: &Path, epoch: &[u8; 16], acked: u64) -> io::Result<()> {
    let mut bytes = frame::header(epoch, acked);
    bytes[..4].copy_from_slice(CURSOR_MAGIC);
    let crc = crc32c::crc32c(&bytes[..30]);
    bytes[30..].copy_from_slice(&crc.to_le_bytes());
    let neighbour = dir.join("cursor.new");
    write_synced(&neighbour, &bytes)?;
    fs::rename(&neighbour, dir.join(CURSOR))?;
    sync_dir(&neighbour)
}

impl Spool {
    /// Writes one frame to the active segment, making room and a new segment as needed.
    pub(super) fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(FRAME_BYTES + frame.payload.len());
        frame::write_frame(&mut bytes, &self.epoch, frame);
        if self.segments.back().is_some_and(|segment| segment.bytes >= self.limits.segment_bytes) {
            self.seal()?;
        }
        while self.total_bytes() + bytes.len() as u64 > self.limits.quota_bytes && self.make_room()? {}
        if self.active.is_none() {
            self.begin_segment(frame.sequence)?;
        }
        (self.hook)(Step::Write)?;
        if let (Some(file), Some(segment)) = (&mut self.active, self.segments.back_mut()) {
            file.write_all(&bytes)?;
            segment.bytes += bytes.len() as u64;
            segment.last = frame.sequence;
            if frame.kind == Kind::Rollup as u8 {
                segment.rollup_bytes += bytes.len() as u64;
            }
        }
        self.unsynced_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Remembers that all of the active segment is on the disk itself.
    pub(super) fn note_synced(&mut self) {
        if let Some(segment) = self.segments.back() {
            (self.synced_bytes, self.synced_last) = (segment.bytes, segment.last);
        }
        self.unsynced.clear();
        self.unsynced_bytes = 0;
    }

    /// Closes the active segment where it was last synced; what came after is the caller's to keep.
    pub(super) fn abandon_active(&mut self) {
        let Some(file) = self.active.take() else { return };
        let Some(segment) = self.segments.back_mut() else { return };
        (segment.bytes, segment.last) = (self.synced_bytes, self.synced_last);
        let _ = file.set_len(self.synced_bytes);
        if segment.last < segment.first {
            let _ = fs::remove_file(&segment.path);
            self.segments.pop_back();
        }
    }

    /// Puts the cursor on disk; false when the disk refused (the old one is then still there).
    pub(super) fn save_cursor(&mut self) -> bool {
        let saved = (self.hook)(Step::Cursor).and_then(|()| write_cursor(&self.dir, &self.epoch, self.acked));
        if let Err(error) = &saved {
            tracing::debug!(%error, "spool: the cursor could not be written; acknowledged records may be sent again");
        }
        saved.is_ok()
    }

    /// Deletes segments that the cursor on disk has passed; the active one stays unless it is large.
    pub(super) fn delete_acknowledged(&mut self) {
        while self.segments.front().is_some_and(|segment| segment.last <= self.acked) {
            let is_active = self.segments.len() == 1 && self.active.is_some();
            let small = self.segments.front().is_some_and(|segment| segment.bytes < self.limits.segment_bytes / 16);
            if is_active && (small || !self.unsynced.is_empty()) {
                return;
            }
            if self.delete_oldest().is_err() {
                return;
            }
        }
    }

    /// The next synced frame after what was handed out.
    pub(super) fn next_on_disk(&mut self) -> Option<Frame> {
        loop {
            let wanted = self.handed_out;
            if self.reader.is_none() {
                let segment = self.segments.iter().find(|segment| segment.last > wanted)?;
                let file = File::open(&segment.path).ok()?;
                self.reader = Some(Reader { file, first: segment.first, at: HEADER_BYTES as u64 });
            }
            let reader = self.reader.as_mut()?;
            let position = self.segments.iter().position(|segment| segment.first == reader.first);
            let is_active = position.is_some_and(|at| at + 1 == self.segments.len()) && self.active.is_some();
            let end = match position {
                Some(_) if is_active => self.synced_bytes,
                Some(at) => self.segments[at].bytes,
                None => 0,
            };
            match reader.next(end, &self.epoch) {
                Some(frame) if frame.sequence > wanted => return Some(frame),
                Some(_) => {}
                None if is_active => return None,
                None => {
                    self.reader = None;
                    // What could not be read from a closed segment is not waited for.
                    let last = position.map_or(wanted, |at| self.segments[at].last);
                    self.handed_out = wanted.max(last);
                }
            }
        }
    }

    fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        (self.hook)(Step::Create)?;
        let path = self.dir.join(format!("{first:020}.seg"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        self.segments.push_back(Segment {
            path: path.clone(),
            first,
            last: first - 1,
            bytes: HEADER_BYTES as u64,
            rollup_bytes: 0,
        });
        (self.synced_bytes, self.synced_last) = (HEADER_BYTES as u64, first - 1);
        let begun = file.write_all(&frame::header(&self.epoch, first)).and_then(|()| sync_dir(&path));
        self.active = Some(file);
        begun
    }

    /// Closes the active segment, synced.
    fn seal(&mut self) -> io::Result<()> {
        if let Some(file) = &self.active {
            (self.hook)(Step::Sync)?;
            file.sync_data()?;
            self.note_synced();
            self.active = None;
            self.reader = None;
        }
        Ok(())
    }

    /// Thins the oldest roll-ups, or else gives the oldest segment up; false when nothing is left to give.
    fn make_room(&mut self) -> io::Result<bool> {
        if self.segments.len() == 1 {
            self.seal()?;
        }
        let closed = self.segments.len() - usize::from(self.active.is_some()).min(self.segments.len());
        if let Some(at) = (0..closed).find(|at| self.segments[*at].rollup_bytes > 0) {
            self.thin(at)?;
            return Ok(true);
        }
        let Some(oldest) = self.segments.front().filter(|_| closed > 0) else { return Ok(false) };
        let gone = oldest.frames(&self.epoch);
        self.count_lost(&gone, "the spool's quota was full: oldest records were given up");
        self.delete_oldest()?;
        Ok(true)
    }

    fn thin(&mut self, at: usize) -> io::Result<()> {
        let frames = self.segments[at].frames(&self.epoch);
        let (gone, kept): (Vec<Frame>, Vec<Frame>) =
            frames.into_iter().partition(|frame| frame.kind == Kind::Rollup as u8);
        self.count_lost(&gone, "the spool's quota was full: oldest roll-ups were thinned");
        self.reader = None;
        let path = self.segments[at].path.clone();
        if kept.is_empty() {
            (self.hook)(Step::Delete)?;
            fs::remove_file(&path)?;
            self.segments.remove(at);
            return sync_dir(&path);
        }
        (self.hook)(Step::Write)?;
        rewrite(&path, &self.epoch, self.segments[at].first, &kept, None)?;
        self.segments[at] = describe(&path, &kept);
        Ok(())
    }

    fn count_lost(&mut self, gone: &[Frame], reason: &'static str) {
        let acked = self.acked;
        for frame in gone.iter().filter(|frame| frame.sequence > acked) {
            self.lose(Loss { lost: 1, from_wall_ms: frame.wall_ms, to_wall_ms: frame.wall_ms, reason });
        }
    }

    fn delete_oldest(&mut self) -> io::Result<()> {
        (self.hook)(Step::Delete)?;
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        let path = oldest.path.clone();
        fs::remove_file(&path)?;
        if self.segments.len() == 1 {
            self.active = None;
        }
        self.segments.pop_front();
        self.reader = None;
        sync_dir(&path)
    }
}

impl Reader {
    /// The frame at the reader's place, before `end`; damaged bytes are stepped over.
    fn next(&mut self, end: u64, epoch: &[u8; 16]) -> Option<Frame> {
        if self.at + FRAME_BYTES as u64 > end {
            return None;
        }
        let mut fixed = [0; FRAME_BYTES];
        self.file.read_exact_at(&mut fixed, self.at).ok()?;
        if let Some(length) = frame::frame_bytes(&fixed).filter(|length| self.at + *length as u64 <= end) {
            let mut whole = vec![0; length];
            self.file.read_exact_at(&mut whole, self.at).ok()?;
            if let Some((frame, _)) = frame::read_frame(&whole, 0, epoch) {
                self.at += length as u64;
                return Some(frame);
            }
        }
        let mut rest = vec![0; usize::try_from(end - self.at).ok()?];
        self.file.read_exact_at(&mut rest, self.at).ok()?;
        let found = frame::find_frame(&rest, 1, epoch)?;
        let (frame, length) = frame::read_frame(&rest, found, epoch)?;
        self.at += length as u64;
        Some(frame)
    }
}

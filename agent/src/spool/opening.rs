//! Opening the spool's directory in whatever state a crash, a full disk or a failing one left it.
//!
//! One damaged file never costs more than itself, and what cannot be repaired now is read as it is.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::Loss;
use super::cursor::{self, Cursor, WHATEVER_IS_KEPT};
use super::files::Files;
use super::frame::{self, FRAME_BYTES, HEADER_BYTES, Header};
use super::segment::{READ_MAX, Scan, Segment, bytes_of, is_lost, replace, scan};

/// 2020-01-01, in milliseconds: a record that says to be older was made on a machine that did not know the time.
const BELIEVABLE_MS: i64 = 1_577_836_800_000;
/// Where the cursor is damaged the newest records may have been given up without a trace in the segments: this is more
/// than the default quota can hold of the shortest.
const MORE_THAN_KEPT: u64 = 1 << 21;
/// What is set aside is named FILE.corrupt-TIME, FILE.newer-TIME or FILE.foreign-TIME.
const CORRUPT: &str = "corrupt";
const NEWER: &str = "newer";
const FOREIGN: &str = "foreign";

/// What opening found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) epoch: [u8; 16],
    pub(super) acked: u64,
    pub(super) next: u64,
    /// Nothing above this number can have been handed out.
    pub(super) offered: u64,
    /// What the cursor on the disk says of that.
    pub(super) offered_said: u64,
    pub(super) segments: VecDeque<Segment>,
    pub(super) losses: Vec<Loss>,
}

struct Opening<'a> {
    files: &'a mut dyn Files,
    dir: &'a Path,
    wall_ms: i64,
    aside_max: u64,
    epoch: Option<[u8; 16]>,
    /// No number up to this is given again.
    taken: u64,
    /// So many numbers are left out because nobody knows whether they were given.
    skipped: u64,
    segments: VecDeque<Segment>,
    losses: Vec<Loss>,
    /// What is to be done about damage, once all is known.
    repairs: Vec<(PathBuf, Repair)>,
}

enum Repair {
    Remove,
    /// Everything from here is torn.
    Cut(u64),
    /// What is whole is written anew, the first number being this.
    Rewrite(u64),
    SetAside(&'static str, &'static str),
}

/// The directory in which a new epoch is prepared, and the one that it replaces.
pub(super) fn beside(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.with_extension("next"), dir.with_extension("old"))
}

/// Opens the directory, making it when it is not there. What was set aside may take `aside_max` bytes, the oldest goes.
///
/// # Errors
/// When the directory cannot be made or listed, a file in it not be opened, or its first cursor not be written.
pub(super) fn open(files: &mut dyn Files, dir: &Path, aside_max: u64, wall_ms: i64) -> io::Result<Found> {
    settle(files, dir)?;
    let (segments, losses, repairs) = (VecDeque::new(), Vec::new(), Vec::new());
    Opening { files, dir, wall_ms, aside_max, epoch: None, taken: 0, skipped: 0, segments, losses, repairs }.run()
}

/// Ends what a crash interrupted: the change to a new epoch, and the making of the directory.
fn settle(files: &mut dyn Files, dir: &Path) -> io::Result<()> {
    let (next, old) = beside(dir);
    if files.list(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let prepared = Cursor::read(files, &next).is_ok_and(|cursor| cursor.is_some());
        if prepared {
            files.rename(&next, dir)?;
        } else {
            files.make_dir(dir)?;
        }
        files.sync_dir(dir.parent().unwrap_or(dir))?;
    }
    // Neither of them counts from here; they take room, nothing else, until they can be removed.
    let _ = files.remove_dir(&next);
    keep_aside(files, &old, dir);
    let _ = files.remove_dir(&old);
    Ok(())
}

impl Opening<'_> {
    fn run(mut self) -> io::Result<Found> {
        let cursor = match Cursor::read(self.files, self.dir) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData || is_lost(&error) => {
                self.set_aside(&self.dir.join(cursor::NAME), &error.to_string(), CORRUPT);
                self.skipped = MORE_THAN_KEPT;
                None
            }
            read => read?,
        };
        self.epoch = cursor.map(|cursor| cursor.epoch);
        let mut names = self.files.list(self.dir)?;
        names.sort();
        for unfinished in names.iter().filter(|path| has_extension(path, "new")) {
            let _ = self.files.remove(unfinished);
        }
        names.retain(|path| has_extension(path, "seg"));
        let last = names.len().saturating_sub(1);
        for (n, path) in names.iter().enumerate() {
            self.take_in(path, n == last)?;
        }
        self.segments.make_contiguous().sort_by_key(|segment| segment.first);
        let found = self.conclude(cursor)?;
        self.repair_all();
        Ok(Found { segments: self.segments, losses: self.losses, ..found })
    }

    /// Which numbers are given from here; the cursor knows it before any damage that shows it is repaired.
    fn conclude(&mut self, cursor: Option<Cursor>) -> io::Result<Found> {
        let acked = match cursor {
            Some(cursor) => cursor.acked,
            None => self.segments.front().map_or(0, |segment| segment.first - 1),
        };
        let newest = self.segments.iter().map(|segment| segment.mark.last).max().unwrap_or(0).max(acked);
        let known = newest.max(cursor.map_or(0, |cursor| cursor.given));
        let given = if known > 0 { known.max(self.taken).saturating_add(self.skipped) } else { self.taken };
        let epoch = self.epoch.unwrap_or_else(crate::identity::random);
        let next = given.saturating_add(1);
        let offered_said = match cursor {
            Some(cursor) => cursor.offered,
            None if given == 0 => 0,
            None => WHATEVER_IS_KEPT,
        };
        let offered = if offered_said == WHATEVER_IS_KEPT { given } else { offered_said.max(acked) };
        if cursor.is_none() || given > known {
            Cursor { epoch, acked, given, offered: offered_said }.write(self.files, self.dir)?;
        }
        Ok(Found { epoch, acked, next, offered, offered_said, segments: VecDeque::new(), losses: Vec::new() })
    }

    /// Takes one segment file in. What an agent wrote that was killed may be in the page cache alone: it is synced before
    /// anything of it can be sent.
    fn take_in(&mut self, path: &Path, is_last: bool) -> io::Result<()> {
        self.files.sync(path)?;
        match self.files.read(path, 0, READ_MAX) {
            Ok(bytes) => self.look_at(path, &bytes, is_last),
            // What may not be read now is not lost: the whole spool waits for it.
            Err(error) if !is_lost(&error) => return Err(error),
            Err(_) => self.refuse(path, READ_MAX, 1, "a spool segment could not be read and is set aside", CORRUPT),
        }
        Ok(())
    }

    fn look_at(&mut self, path: &Path, bytes: &[u8], is_last: bool) {
        let header = frame::read_header(bytes);
        if header.is_some_and(|header| header.version != frame::VERSION) {
            return self.refuse(path, bytes.len(), 1, "a spool segment of a newer agent is set aside", NEWER);
        }
        if header.is_none() && frame::is_of_other_order(bytes) {
            return self.refuse(path, bytes.len(), 1, "a spool segment of another byte order is set aside", FOREIGN);
        }
        let epoch = header.map(|header| header.epoch).or(self.epoch).or_else(|| frame::epoch_of(bytes, HEADER_BYTES));
        let scan = scan(bytes, &epoch.unwrap_or_default());
        let frames = scan.frames.len();
        if frames == 0 {
            let is_empty = bytes.get(HEADER_BYTES..).is_none_or(|rest| rest.iter().all(|byte| *byte == 0));
            match is_empty {
                // A crash left its header alone: it never held a record.
                true => self.repairs.push((path.to_path_buf(), Repair::Remove)),
                false => self.refuse(path, bytes.len(), 1, "a spool segment was damaged and is set aside", CORRUPT),
            }
        } else if epoch.is_some_and(|epoch| *self.epoch.get_or_insert(epoch) != epoch) {
            self.refuse(path, bytes.len(), frames, "a spool segment of another epoch is set aside", CORRUPT);
        } else {
            self.keep(path, bytes.len() - scan.end, header, &scan, is_last);
        }
    }

    /// Remembers what is in a segment of ours, `tail` bytes at its end not being whole.
    fn keep(&mut self, path: &Path, tail: usize, header: Option<Header>, scan: &Scan, is_last: bool) {
        let first = header.map_or_else(|| scan.frames[0].sequence, |header| header.first).max(1);
        let mut segment = Segment::of(path.to_path_buf(), first, &scan.frames, self.age_of(scan));
        if tail > 0 {
            // What was there may have been sent: its numbers are not given twice.
            let more = (tail / FRAME_BYTES) as u64 + 1;
            self.taken = self.taken.max(segment.mark.last.saturating_add(more));
        }
        if scan.lost_within == 0 && tail > 0 && is_last {
            self.lose(1, "the last write before a crash was torn");
        } else if scan.lost_within > 0 || tail > 0 {
            self.lose(scan.lost_within + u64::from(tail > 0), "damaged spool records were skipped");
        }
        // As long as it is not repaired it is read as it is.
        segment.mark.bytes = (scan.end + tail) as u64;
        if header.is_none() || scan.lost_within > 0 {
            self.repairs.push((path.to_path_buf(), Repair::Rewrite(first)));
        } else if tail > 0 {
            self.repairs.push((path.to_path_buf(), Repair::Cut(scan.end as u64)));
        }
        self.segments.push_back(segment);
    }

    /// Leaves a file out that this agent cannot use, with its numbers.
    fn refuse(&mut self, path: &Path, bytes: usize, lost: usize, reason: &'static str, why: &'static str) {
        self.taken = self.taken.max(most_in(path, bytes).saturating_add(1));
        self.lose(lost as u64, reason);
        self.repairs.push((path.to_path_buf(), Repair::SetAside(reason, why)));
    }

    fn repair_all(&mut self) {
        for (path, repair) in std::mem::take(&mut self.repairs) {
            let repaired = match repair {
                Repair::Remove => self.files.remove(&path).map(|()| None),
                Repair::Cut(end) => self.cut(&path, end).map(|()| Some(end)),
                Repair::Rewrite(first) => self.rewrite(&path, first).map(Some),
                Repair::SetAside(problem, why) => {
                    self.set_aside(&path, problem, why);
                    Ok(None)
                }
            };
            match repaired {
                Ok(Some(bytes)) => {
                    let repaired = self.segments.iter_mut().filter(|segment| segment.path == path);
                    repaired.for_each(|segment| segment.mark.bytes = bytes);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "spool: a damaged file stays as it is; what is whole in it is used");
                }
            }
        }
    }

    fn cut(&mut self, path: &Path, end: u64) -> io::Result<()> {
        self.files.truncate(path, end)?;
        self.files.sync(path)
    }

    /// Writes what is whole in place of the segment; the damaged original is kept beside it. Returns its new size.
    fn rewrite(&mut self, path: &Path, first: u64) -> io::Result<u64> {
        let bytes = self.files.read(path, 0, READ_MAX)?;
        let epoch = self.epoch.unwrap_or_default();
        let whole = bytes_of(first, &epoch, &scan(&bytes, &epoch).frames);
        let aside = self.aside(path, CORRUPT);
        // The copy is for a person to look at; the repair does not depend on it.
        let _ = self.files.create(&aside, &bytes);
        replace(self.files, path, &whole)?;
        self.bound_aside();
        self.files.sync_dir(self.dir)?;
        Ok(whole.len() as u64)
    }

    /// When the newest record of a segment was made, as far as that can be believed.
    fn age_of(&self, scan: &Scan) -> i64 {
        let newest = scan.frames.iter().map(|frame| frame.wall_ms).max().unwrap_or(self.wall_ms);
        if newest >= BELIEVABLE_MS { newest.min(self.wall_ms) } else { self.wall_ms }
    }

    fn lose(&mut self, lost: u64, reason: &'static str) {
        self.losses.push(Loss { lost, from_wall_ms: self.wall_ms, to_wall_ms: self.wall_ms, reason });
    }

    fn set_aside(&mut self, path: &Path, problem: &str, why: &str) {
        tracing::warn!(file = %path.display(), "spool: a file is set aside: {problem}");
        let aside = self.aside(path, why);
        if let Err(error) = self.files.rename(path, &aside) {
            tracing::warn!(file = %path.display(), %error, "spool: it could not be set aside");
        }
        self.bound_aside();
    }

    fn aside(&self, path: &Path, why: &str) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{why}-{}", self.wall_ms));
        PathBuf::from(name)
    }

    /// A disk that damages a file at each start must not be filled with them. What is whole and of another agent stays.
    fn bound_aside(&mut self) {
        let mut known: Vec<(i64, PathBuf, u64)> = Vec::new();
        for path in self.files.list(self.dir).unwrap_or_default() {
            if let Some((CORRUPT, set_aside_ms)) = set_aside_at(&path) {
                let bytes = self.files.read(&path, 0, READ_MAX).map_or(0, |bytes| bytes.len() as u64);
                known.push((set_aside_ms, path, bytes));
            }
        }
        known.sort();
        let mut total: u64 = known.iter().map(|(_, _, bytes)| bytes).sum();
        for (_, path, bytes) in known {
            if total > self.aside_max && self.files.remove(&path).is_ok() {
                total -= bytes;
            }
        }
    }
}

/// Why and when a file was set aside, in milliseconds; nothing when it was not.
fn set_aside_at(path: &Path) -> Option<(&str, i64)> {
    let (why, at) = path.extension()?.to_str()?.split_once('-')?;
    [CORRUPT, NEWER, FOREIGN].contains(&why).then_some((why, at.parse().ok()?))
}

/// Brings what was set aside from the directory of an epoch that has ended into the one that took its place.
pub(super) fn keep_aside(files: &mut dyn Files, old: &Path, dir: &Path) {
    let listed = files.list(old).unwrap_or_default();
    let mut moved = false;
    for path in listed.iter().filter(|path| set_aside_at(path).is_some()) {
        if let Some(name) = path.file_name() {
            moved |= files.rename(path, &dir.join(name)).is_ok();
        }
    }
    if moved {
        let _ = files.sync_dir(dir);
    }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

/// The highest number that a segment file of this name and size can hold.
fn most_in(path: &Path, bytes: usize) -> u64 {
    let first: Option<u64> = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
    first
        .and_then(frame::believable)
        .map_or(0, |first| first.saturating_sub(1).saturating_add((bytes / FRAME_BYTES) as u64))
}

//! A disk in memory that crashes: what was not synced is gone, torn, or there after all.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::spool::{Files, Room};

/// What survives a crash survives in pieces of this many bytes, one of them torn.
const PAGE_BYTES: usize = 64;

/// What the disk does to those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// Nothing more fits; half of what is written is.
    Full,
    /// Syncing fails, and what was to be synced is not.
    SyncFails,
    /// Nothing may be changed.
    ReadOnly,
    /// No file may be opened for want of descriptors.
    NoDescriptors,
    /// Reading fails: the medium is broken.
    Broken,
    /// The machine has stopped: nothing is done, nothing is answered.
    Dead,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameOp {
    Make(PathBuf),
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameOp {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Make(path) | Self::Create(path, _) | Self::Rename(path, _) | Self::Remove(path) => path.parent(),
        }
    }
}

/// Names and what they stand for; a directory stands for nothing.
type Names = BTreeMap<PathBuf, Option<usize>>;

#[derive(Debug, Clone)]
struct State {
    names: Names,
    durable_names: Names,
    /// Changes of names that a crash may take back, from the last.
    pending: Vec<NameOp>,
    contents: Vec<Content>,
    mood: Mood,
    /// After so many more operations the mood becomes this.
    turn: Option<(u32, Mood)>,
    room: Room,
}

/// The disk; clones are the same disk.
#[derive(Clone)]
pub(crate) struct Platter(Arc<Mutex<State>>);

impl Platter {
    pub(crate) fn new() -> Self {
        let root = Names::from([(PathBuf::from("/"), None)]);
        let room = Room { free_bytes: 1 << 40, all_bytes: 1 << 40 };
        Self(Arc::new(Mutex::new(State {
            names: root.clone(),
            durable_names: root,
            pending: Vec::new(),
            contents: Vec::new(),
            mood: Mood::Well,
            turn: None,
            room,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another disk with the same on it.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    pub(crate) fn be(&self, mood: Mood) {
        let mut state = self.state();
        (state.mood, state.turn) = (mood, None);
    }

    pub(crate) fn mood(&self) -> Mood {
        self.state().mood
    }

    /// Becomes so after some more operations.
    pub(crate) fn turn(&self, after: u32, mood: Mood) {
        self.state().turn = Some((after, mood));
    }

    pub(crate) fn set_free(&self, free_bytes: u64) {
        self.state().room.free_bytes = free_bytes;
    }

    pub(crate) fn set_all(&self, all_bytes: u64) {
        self.state().room.all_bytes = all_bytes;
    }

    /// Power goes and comes back. `chance` decides what of the unsynced is there, each time it is asked.
    pub(crate) fn crash(&self, chance: &mut dyn FnMut(usize) -> usize) {
        let mut state = self.state();
        let kept = chance(state.pending.len() + 1);
        let pending = std::mem::take(&mut state.pending);
        for op in &pending[..kept] {
            apply(&mut state.durable_names, op);
        }
        state.names = state.durable_names.clone();
        for content in &mut state.contents {
            content.now = survivors(content, chance);
            content.durable = content.now.clone();
        }
        (state.mood, state.turn) = (Mood::Well, None);
    }

    /// Changes one byte of one file, as a failing disk does; says where, unless there is none or it is `spared`.
    pub(crate) fn flip(
        &self,
        spared: &BTreeSet<OsString>,
        chance: &mut dyn FnMut(usize) -> usize,
    ) -> Option<(PathBuf, usize)> {
        let mut state = self.state();
        let files: Vec<(PathBuf, usize)> =
            state.names.iter().filter_map(|(path, inode)| Some((path.clone(), (*inode)?))).collect();
        let (path, inode) = files.get(chance(files.len().max(1)))?.clone();
        let content = &mut state.contents[inode];
        if content.now.is_empty() || path.file_name().is_some_and(|name| spared.contains(name)) {
            return None;
        }
        let at = chance(content.now.len());
        let mask = 1 << chance(8);
        content.now[at] ^= mask;
        if let Some(byte) = content.durable.get_mut(at) {
            *byte ^= mask;
        }
        Some((path, at))
    }

    /// All files and their sizes.
    pub(crate) fn sizes(&self) -> Vec<(PathBuf, usize)> {
        let state = self.state();
        let size = |inode: usize| state.contents[inode].now.len();
        state.names.iter().filter_map(|(path, inode)| Some((path.clone(), size((*inode)?)))).collect()
    }

    fn begin(&self, changes: bool, opens: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if let Some((left, mood)) = &mut state.turn {
            if *left == 0 {
                (state.mood, state.turn) = (*mood, None);
            } else {
                *left -= 1;
            }
        }
        match state.mood {
            Mood::Dead => Err(Errno::TIMEDOUT.into()),
            Mood::ReadOnly if changes => Err(Errno::ROFS.into()),
            Mood::NoDescriptors if opens => Err(Errno::MFILE.into()),
            Mood::Broken if opens && !changes => Err(Errno::IO.into()),
            _ => Ok(state),
        }
    }
}

impl State {
    fn inode(&self, file: &Path) -> io::Result<usize> {
        self.names.get(file).copied().flatten().ok_or_else(|| Errno::NOENT.into())
    }

    fn change(&mut self, op: NameOp) {
        apply(&mut self.names, &op);
        self.pending.push(op);
    }

    fn write(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        let fits = if self.mood == Mood::Full { bytes.len() / 2 } else { bytes.len() };
        self.contents[inode].now.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }
}

impl Files for Platter {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(true, false)?;
        let missing: Vec<&Path> = dir.ancestors().filter(|above| !state.names.contains_key(*above)).collect();
        for path in missing.into_iter().rev() {
            state.change(NameOp::Make(path.to_path_buf()));
        }
        Ok(())
    }

    fn list(&mut self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.begin(false, true)?;
        match state.names.get(dir) {
            None => Err(Errno::NOENT.into()),
            Some(Some(_)) => Err(Errno::NOTDIR.into()),
            Some(None) => Ok(state.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect()),
        }
    }

    fn read(&mut self, file: &Path, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.begin(false, true)?;
        let content = &state.contents[state.inode(file)?].now;
        let from = usize::try_from(at).unwrap().min(content.len());
        Ok(content[from..content.len().min(from + length)].to_vec())
    }

    fn create(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.begin(true, true)?;
        if file.parent().is_none_or(|dir| state.names.get(dir) != Some(&None)) {
            return Err(Errno::NOENT.into());
        }
        let inode = match state.inode(file) {
            Ok(inode) => inode,
            Err(_) => {
                state.contents.push(Content::default());
                let inode = state.contents.len() - 1;
                state.change(NameOp::Create(file.to_path_buf(), inode));
                inode
            }
        };
        state.contents[inode].now.clear();
        state.write(inode, bytes)
    }

    fn append(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.begin(true, true)?;
        let inode = state.inode(file)?;
        state.write(inode, bytes)
    }

    fn truncate(&mut self, file: &Path, length: u64) -> io::Result<()> {
        let mut state = self.begin(true, true)?;
        let inode = state.inode(file)?;
        state.contents[inode].now.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        let mut state = self.begin(false, true)?;
        let inode = state.inode(file)?;
        let refuses = matches!(state.mood, Mood::SyncFails | Mood::ReadOnly);
        let content = &mut state.contents[inode];
        if refuses && content.durable != content.now {
            return Err(Errno::IO.into());
        }
        content.durable = content.now.clone();
        Ok(())
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(true, true)?;
        if state.mood == Mood::SyncFails {
            return Err(Errno::IO.into());
        }
        // A journal keeps the order: all that came before the last change of this directory is durable with it.
        let through = state.pending.iter().rposition(|op| op.directory() == Some(dir)).map_or(0, |last| last + 1);
        let done: Vec<NameOp> = state.pending.drain(..through).collect();
        done.iter().for_each(|op| apply(&mut state.durable_names, op));
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin(true, false)?;
        if !state.names.contains_key(from) {
            return Err(Errno::NOENT.into());
        }
        if state.names.keys().any(|path| path.parent() == Some(to)) {
            return Err(Errno::NOTEMPTY.into());
        }
        state.change(NameOp::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&mut self, file: &Path) -> io::Result<()> {
        let mut state = self.begin(true, false)?;
        if state.names.contains_key(file) {
            state.change(NameOp::Remove(file.to_path_buf()));
        }
        Ok(())
    }

    fn remove_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(true, false)?;
        // One file after the other, the directory last: a crash may come between.
        let mut inside: Vec<PathBuf> = state.names.keys().filter(|path| path.starts_with(dir)).cloned().collect();
        inside.reverse();
        inside.into_iter().for_each(|path| state.change(NameOp::Remove(path)));
        Ok(())
    }

    fn room(&mut self, _: &Path) -> io::Result<Room> {
        Ok(self.begin(false, false)?.room)
    }
}

fn apply(names: &mut Names, op: &NameOp) {
    match op {
        NameOp::Make(path) => drop(names.insert(path.clone(), None)),
        NameOp::Create(path, inode) => drop(names.insert(path.clone(), Some(*inode))),
        NameOp::Remove(path) => drop(names.remove(path)),
        NameOp::Rename(from, to) => {
            let moved: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in moved {
                let inode = names.remove(&path).flatten();
                let new = path.strip_prefix(from).map_or_else(|_| to.clone(), |rest| to.join(rest));
                names.insert(if path == *from { to.clone() } else { new }, inode);
            }
        }
    }
}

/// What of a file is there after a crash: the synced, and of the rest some pages, one of them perhaps in part.
fn survivors(content: &Content, chance: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
    let (now, durable) = (&content.now, &content.durable);
    if now == durable {
        return durable.clone();
    }
    if now.len() < durable.len() {
        return if chance(2) == 0 { now.clone() } else { durable.clone() };
    }
    let mut bytes = durable.clone();
    bytes.resize(durable.len() + chance(now.len() - durable.len() + 1), 0);
    let pages = bytes.len().div_ceil(PAGE_BYTES);
    for page in 0..pages {
        let (from, to) = (page * PAGE_BYTES, ((page + 1) * PAGE_BYTES).min(bytes.len()));
        let written = match chance(4) {
            0 => from,
            1 => from + chance(to - from),
            _ => to,
        };
        bytes[from..written].copy_from_slice(&now[from..written]);
    }
    bytes
}

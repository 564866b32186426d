//! Which deeds of a program are on the disk when: the state directory that a power cut can leave.
//!
//! The disk keeps its word and no more: what was written to a file is there once a sync of that file that began after it has
//! ended, and a name (made, moved, removed) once a sync of its directory has. Of all else any part may be there: pieces of a write
//! in any order, sizes without their bytes (zeros then), names without what they name and the other way round. A move is one
//! deed. Not modelled: modes and owners (those of the end), locks, and sockets; `-shm` of `SQLite` is memory and never left.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::image::Image;
use super::trace::Call;

/// A file or directory, whatever it is called.
pub type Node = usize;

/// The directory that is looked at.
pub const ROOT: Node = 0;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Bytes into a file.
    Write {
        /// Which.
        node: Node,
        /// Where, in bytes.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file gets this size, in bytes; what is new is zeros.
    Size {
        /// Which.
        node: Node,
        /// In bytes.
        size: u64,
    },
    /// A file or directory is put on the disk.
    Sync(Node),
    /// Names change, all of these at once: in a directory, a name, and what it names now.
    Names(Vec<(Node, OsString, Option<Node>)>),
}

/// A deed with its times.
#[derive(Debug, Clone)]
pub struct Op {
    /// It has no effect before; nanoseconds since the Unix epoch.
    pub from_ns: u64,
    /// Its effect is whole from then on.
    pub to_ns: u64,
    /// It is on the disk from then on, whatever happens; `u64::MAX`: never.
    pub kept_ns: u64,
    /// What.
    pub deed: Deed,
    /// The path that it was about, below the root.
    pub path: PathBuf,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    mode: u32,
    is_directory: bool,
}

/// Where a descriptor writes next.
#[derive(Debug, Clone, Copy)]
struct Place {
    node: Node,
    at: u64,
    appends: bool,
}

/// A state directory with all that was done to it.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    kinds: Vec<Kind>,
    names: BTreeMap<PathBuf, Node>,
    sizes: Vec<u64>,
    places: HashMap<i64, Place>,
    /// All deeds, in the order in which they were whole.
    pub ops: Vec<Op>,
}

/// Which of the deeds that nobody made durable are on the disk.
pub trait Luck {
    /// Whether these names are.
    fn names(&mut self, op: usize) -> bool;
    /// How many of the `open` changes of a file count for its size.
    fn size(&mut self, ops: &[usize]) -> usize;
    /// Which part of a write is: called for each piece, with its first byte and its length.
    fn piece(&mut self, op: usize, at: u64, length: usize) -> bool;
    /// Where writes are cut into pieces, in bytes.
    fn grain(&self) -> u64;
}

/// No power cut: all that was done is there.
#[derive(Debug, Clone, Copy)]
pub struct Everything;

impl Luck for Everything {
    fn names(&mut self, _op: usize) -> bool {
        true
    }
    fn size(&mut self, ops: &[usize]) -> usize {
        ops.len()
    }
    fn piece(&mut self, _op: usize, _at: u64, _length: usize) -> bool {
        true
    }
    fn grain(&self) -> u64 {
        u64::MAX / 2
    }
}

impl Disk {
    /// An empty directory.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let kinds = vec![Kind { mode: 0o750, is_directory: true }];
        let root = root.to_path_buf();
        Self { root, kinds, names: BTreeMap::new(), sizes: vec![0], places: HashMap::new(), ops: Vec::new() }
    }

    /// Adds what one run of a program did, after what was before.
    ///
    /// # Errors
    /// Something that the model does not know.
    pub fn add(&mut self, calls: &[Call]) -> Result<()> {
        self.places.clear();
        for call in calls.iter().filter(|call| call.answer >= 0) {
            self.call(call).with_context(|| format!("{} {:?}", call.name, call.words.first()))?;
        }
        self.settle();
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Result<()> {
        match call.name.as_str() {
            "open" | "creat" => self.open(call, 1),
            "openat" => self.open(call, 2),
            "write" | "writev" => self.written(call, None),
            "pwrite64" | "pwritev" => self.written(call, Some(call.number(3)?)),
            "lseek" => {
                if let Some(place) = self.places.get_mut(&call.descriptor(0)?.0) {
                    place.at = u64::try_from(call.answer)?;
                }
                Ok(())
            }
            "ftruncate" => match self.at_descriptor(call)? {
                Some((node, path)) => self.size(call, node, path, call.number(1)?),
                None => Ok(()),
            },
            "truncate" => match self.below(&call.path(0)?) {
                Some(path) => self.size(call, self.node(&path)?, path.clone(), call.number(1)?),
                None => Ok(()),
            },
            "fallocate" => self.allocated(call),
            "fsync" | "fdatasync" => {
                if let Some((node, path)) = self.at_descriptor(call)? {
                    self.push(call, Deed::Sync(node), path);
                }
                Ok(())
            }
            "rename" | "link" => self.moved(call, 0, 1),
            "renameat" | "renameat2" | "linkat" => self.moved(call, 1, 3),
            "unlink" | "rmdir" => self.removed(call, 0),
            "unlinkat" => self.removed(call, 1),
            "mkdir" => self.made(call, 0),
            "mkdirat" => self.made(call, 1),
            // It promises nothing.
            "sync_file_range" => Ok(()),
            _ => self.other(call),
        }
    }

    /// Calls that are not modelled: none of them may be about the directory.
    fn other(&self, call: &Call) -> Result<()> {
        for at in 0..call.words.len() {
            let about = call.descriptor(at).ok().and_then(|(_, path)| path);
            let about = about.or_else(|| call.path(at).ok());
            ensure!(about.and_then(|path| self.below(&path)).is_none(), "not modelled");
        }
        ensure!(!call.name.starts_with("sync") && call.name != "msync", "not modelled");
        Ok(())
    }

    /// The path below the root, where the model follows it.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let path = path.strip_prefix(&self.root).ok()?;
        (!path.as_os_str().as_encoded_bytes().ends_with(b"-shm")).then(|| path.to_path_buf())
    }

    fn node(&self, path: &Path) -> Result<Node> {
        if path.as_os_str().is_empty() {
            return Ok(ROOT);
        }
        self.names.get(path).copied().with_context(|| format!("{} was never made", path.display()))
    }

    fn at_descriptor(&self, call: &Call) -> Result<Option<(Node, PathBuf)>> {
        let (number, path) = call.descriptor(0)?;
        let Some(path) = path.and_then(|path| self.below(&path)) else { return Ok(None) };
        let open = self.places.get(&number).map(|place| place.node);
        Ok(Some((open.map_or_else(|| self.node(&path), Ok)?, path)))
    }

    fn push(&mut self, call: &Call, deed: Deed, path: PathBuf) {
        self.ops.push(Op { from_ns: call.from_ns, to_ns: call.to_ns, kept_ns: u64::MAX, deed, path });
    }

    fn new_node(&mut self, mode: u32, is_directory: bool) -> Node {
        self.kinds.push(Kind { mode, is_directory });
        self.sizes.push(0);
        self.kinds.len() - 1
    }

    /// A name in its directory.
    fn entry(&self, path: &Path, node: Option<Node>) -> Result<(Node, OsString, Option<Node>)> {
        let parent = self.node(path.parent().context("the root has no name")?)?;
        Ok((parent, path.file_name().context("no name")?.to_owned(), node))
    }

    fn open(&mut self, call: &Call, flags: usize) -> Result<()> {
        let number = call.answer;
        self.places.remove(&number);
        let Some(path) = call.opened.as_deref().and_then(|path| self.below(path)) else { return Ok(()) };
        let creat = "O_WRONLY|O_CREAT|O_TRUNC".to_owned();
        let flags_word = if call.name == "creat" { &creat } else { call.words.get(flags).context("no flags")? };
        let has = |flag: &str| flags_word.split('|').any(|one| one == flag);
        let known = if path.as_os_str().is_empty() { Some(ROOT) } else { self.names.get(&path).copied() };
        let node = match known {
            Some(node) => node,
            None => {
                ensure!(has("O_CREAT"), "{} was never made", path.display());
                let mode = if call.name == "creat" { flags } else { flags + 1 };
                let mode = u32::from_str_radix(call.words.get(mode).context("no mode")?, 8)? & !0o022;
                let node = self.new_node(mode, false);
                let entry = self.entry(&path, Some(node))?;
                self.names.insert(path.clone(), node);
                self.push(call, Deed::Names(vec![entry]), path.clone());
                node
            }
        };
        if has("O_TRUNC") && self.sizes[node] > 0 {
            self.size(call, node, path, 0)?;
        }
        if !self.kinds[node].is_directory {
            self.places.insert(number, Place { node, at: 0, appends: has("O_APPEND") });
        }
        Ok(())
    }

    fn written(&mut self, call: &Call, at: Option<u64>) -> Result<()> {
        let Some((node, path)) = self.at_descriptor(call)? else { return Ok(()) };
        let mut bytes = call.bytes(1)?;
        let length = usize::try_from(call.answer)?;
        ensure!(bytes.len() >= length, "of {length} bytes only {} are known", bytes.len());
        bytes.truncate(length);
        let at = match at {
            Some(at) => at,
            None => {
                let size = self.sizes[node];
                let place =
                    self.places.get_mut(&call.descriptor(0)?.0).context("a descriptor that was never opened")?;
                let at = if place.appends { size } else { place.at };
                place.at = at + length as u64;
                at
            }
        };
        self.sizes[node] = self.sizes[node].max(at + length as u64);
        self.push(call, Deed::Write { node, at, bytes }, path);
        Ok(())
    }

    fn size(&mut self, call: &Call, node: Node, path: PathBuf, size: u64) -> Result<()> {
        self.sizes[node] = size;
        self.push(call, Deed::Size { node, size }, path);
        Ok(())
    }

    fn allocated(&mut self, call: &Call) -> Result<()> {
        let Some((node, path)) = self.at_descriptor(call)? else { return Ok(()) };
        ensure!(call.words.get(1).is_some_and(|mode| mode == "0"), "not modelled");
        let size = call.number(2)? + call.number(3)?;
        if size > self.sizes[node] { self.size(call, node, path, size) } else { Ok(()) }
    }

    fn moved(&mut self, call: &Call, old: usize, new: usize) -> Result<()> {
        let paths = (self.below(&call.path(old)?), self.below(&call.path(new)?));
        let (old, new) = match paths {
            (Some(old), Some(new)) => (old, new),
            (None, None) => return Ok(()),
            _ => bail!("into the directory, or out of it: not modelled"),
        };
        ensure!(!call.words.iter().any(|word| word.contains("RENAME_EXCHANGE")), "not modelled");
        let node = self.node(&old)?;
        let mut changes = vec![self.entry(&new, Some(node))?];
        if !call.name.starts_with("link") {
            changes.push(self.entry(&old, None)?);
            let below: Vec<PathBuf> = self.names.keys().filter(|path| path.starts_with(&old)).cloned().collect();
            for path in below {
                let moved = self.names.remove(&path);
                let rest = path.strip_prefix(&old)?;
                let there = if rest.as_os_str().is_empty() { new.clone() } else { new.join(rest) };
                self.names.extend(moved.map(|node| (there, node)));
            }
        }
        self.names.insert(new.clone(), node);
        self.push(call, Deed::Names(changes), new);
        Ok(())
    }

    fn removed(&mut self, call: &Call, at: usize) -> Result<()> {
        let Some(path) = self.below(&call.path(at)?) else { return Ok(()) };
        // A socket, else the comparison at the end would tell.
        if self.names.contains_key(&path) {
            let entry = self.entry(&path, None)?;
            self.names.remove(&path);
            self.push(call, Deed::Names(vec![entry]), path);
        }
        Ok(())
    }

    fn made(&mut self, call: &Call, at: usize) -> Result<()> {
        let Some(path) = self.below(&call.path(at)?).filter(|path| !path.as_os_str().is_empty()) else { return Ok(()) };
        let node = self.new_node(u32::from_str_radix(call.words.get(at + 1).context("no mode")?, 8)?, true);
        let entry = self.entry(&path, Some(node))?;
        self.names.insert(path.clone(), node);
        self.push(call, Deed::Names(vec![entry]), path);
        Ok(())
    }

    /// From when each deed is kept.
    fn settle(&mut self) {
        let mut syncs: HashMap<Node, Vec<(u64, u64)>> = HashMap::new();
        for op in &self.ops {
            if let Deed::Sync(node) = op.deed {
                syncs.entry(node).or_default().push((op.from_ns, op.to_ns));
            }
        }
        let kept = |node: Node, whole_ns: u64| {
            let after = syncs.get(&node).into_iter().flatten().filter(|(from_ns, _)| *from_ns >= whole_ns);
            after.map(|(_, to_ns)| *to_ns).min().unwrap_or(u64::MAX)
        };
        for op in &mut self.ops {
            op.kept_ns = match &op.deed {
                Deed::Write { node, .. } | Deed::Size { node, .. } => kept(*node, op.to_ns),
                Deed::Sync(_) => op.to_ns,
                Deed::Names(changes) => {
                    changes.iter().map(|(node, ..)| kept(*node, op.to_ns)).max().unwrap_or(u64::MAX)
                }
            };
        }
    }

    /// How many changes have begun by then and are not kept yet.
    #[must_use]
    pub fn open_at(&self, at_ns: u64) -> usize {
        let open = |op: &&Op| op.from_ns <= at_ns && op.kept_ns > at_ns && !matches!(op.deed, Deed::Sync(_));
        self.ops.iter().filter(open).count()
    }

    /// What a cut at this instant leaves.
    pub fn left(&self, at_ns: u64, luck: &mut dyn Luck) -> Image {
        let first = OsString::new();
        let mut entries: BTreeMap<(Node, &OsString), Node> = BTreeMap::new();
        let mut changes: BTreeMap<Node, Vec<usize>> = BTreeMap::new();
        for (at, op) in self.ops.iter().enumerate().filter(|(_, op)| op.from_ns <= at_ns) {
            match &op.deed {
                Deed::Names(names) if op.kept_ns <= at_ns || luck.names(at) => {
                    for (directory, name, node) in names {
                        match node {
                            Some(node) => entries.insert((*directory, name), *node),
                            None => entries.remove(&(*directory, name)),
                        };
                    }
                }
                Deed::Write { node, .. } | Deed::Size { node, .. } => changes.entry(*node).or_default().push(at),
                Deed::Names(_) | Deed::Sync(_) => {}
            }
        }
        let (mut image, mut open) = (Image::default(), vec![(PathBuf::new(), ROOT)]);
        while let Some((path, directory)) = open.pop() {
            for ((_, name), node) in entries.range((directory, &first)..).take_while(|((of, _), _)| *of == directory) {
                let (path, kind) = (path.join(name), self.kinds[*node]);
                if kind.is_directory {
                    image.directories.insert(path.clone(), kind.mode);
                    open.push((path, *node));
                } else {
                    let of = changes.get(node).map_or(&[][..], Vec::as_slice);
                    image.files.insert(path, (kind.mode, self.content(of, at_ns, luck)));
                }
            }
        }
        image
    }

    /// The bytes of a file whose changes these are.
    fn content(&self, of: &[usize], at_ns: u64, luck: &mut dyn Luck) -> Vec<u8> {
        let kept = of.iter().rposition(|op| self.ops[*op].kept_ns <= at_ns).map_or(0, |last| last + 1);
        let counted = kept + luck.size(&of[kept..]).min(of.len() - kept);
        let (mut bytes, mut size) = (Vec::new(), 0_u64);
        for (at, op) in of.iter().enumerate() {
            let is_kept = self.ops[*op].kept_ns <= at_ns;
            let whole = match &self.ops[*op].deed {
                Deed::Write { at: from, bytes: new, .. } => {
                    let grain = if is_kept { u64::MAX / 2 } else { luck.grain() };
                    put(&mut bytes, *from, new, grain, |at, length| is_kept || luck.piece(*op, at, length));
                    size.max(from + new.len() as u64)
                }
                Deed::Size { size, .. } => {
                    if is_kept || at < counted {
                        bytes.resize(usize::try_from(*size).unwrap_or(0), 0);
                    }
                    *size
                }
                Deed::Sync(_) | Deed::Names(_) => size,
            };
            if at < counted {
                size = whole;
            }
        }
        bytes.resize(usize::try_from(size).unwrap_or(0), 0);
        bytes
    }
}

/// Puts those pieces of a write into a file that stay; pieces begin where `grain` says.
fn put(bytes: &mut Vec<u8>, from: u64, new: &[u8], grain: u64, mut stays: impl FnMut(u64, usize) -> bool) {
    let (mut at, end) = (from, from + new.len() as u64);
    while at < end {
        let next = end.min((at / grain + 1) * grain);
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        if stays(at, place(next - at)) {
            if bytes.len() < place(next) {
                bytes.resize(place(next), 0);
            }
            bytes[place(at)..place(next)].copy_from_slice(&new[place(at - from)..place(next - from)]);
        }
        at = next;
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;

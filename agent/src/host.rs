//! EDGE: the only way to the machine. Every file read, external tool, `statfs` and `uname` goes through [`Host`], and from it
//! what takes more rights to the privileged helper, where there is one.
//!
//! It exists so that a captured machine (`--root`, `--commands`) is read exactly like a live one, so that files asked
//! at every report keep their descriptor, and so that whatever may hang (a mount, a tool) hangs in a place of its own.
//! It parses nothing and judges nothing.

mod bus;
mod command;
mod container;
mod crowding;
#[cfg(test)]
pub(crate) mod fake_bus;
mod files;
mod firmware;
#[cfg_attr(not(target_os = "linux"), path = "host/unhelped.rs")]
mod helped;
mod kept;
mod memory;
mod mounts;
mod netlink;
#[cfg_attr(target_os = "linux", path = "host/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "host/portable.rs")]
mod os;
#[cfg(target_os = "linux")]
mod request;
pub mod rolled;
mod text;
mod timex;
mod way;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::check::board::Board;
use crate::platform::{self, Known};
use crate::withheld::Withheld;
use os::{Descriptor, Errno};

pub use crate::platform::Uname;
pub use bus::{Bus, Call, Reply, Values};
pub use command::{CommandError, Output, Program};
pub use container::FIRST_PID;
pub use crowding::Crowding;
pub use files::{FileStat, Messages};
pub use firmware::FIRMWARE_TABLE;
#[cfg(target_os = "linux")]
pub(crate) use helped::Answer;
pub use mounts::{FsStat, MountError};
#[doc(hidden)]
pub use netlink::count_in as count_in_netlink;
pub use netlink::{Address, Changes, Counter, Link, Neighbour, TcpSocket};
#[cfg(target_os = "linux")]
pub(crate) use request::Errand;
#[cfg(target_os = "linux")]
pub use request::{Asks, Bmc, Device, Guarded, NoName, Pool, Reached, Request};
pub use timex::Timex;

/// Facts (contents that hardly change) remembered between two calls of [`Host::forget_facts`].
const FACTS_MAX: usize = 4096;
/// Longest file read whole, in bytes. The largest one read here is the list of mounts: 10 000 of containers, whose paths
/// are long, are some 4 MiB.
const READ_MAX: usize = 16 * 1024 * 1024;
/// First size of a read buffer, in bytes: holds every `/proc` file of a small machine in one read.
const READ_FIRST: usize = 16 * 1024;
/// A first answer shorter than this is the whole file: the kernel's seq_file answers short only when the next record
/// does not fit into the rest of its page (fs/seq_file.c), and no record read here has 3 KiB.
const WHOLE_BELOW: usize = 1024;
/// Size of a page where the machine does not say (`/proc/self/auxv` missing in a capture).
const PAGE_BYTES: u64 = 4096;
/// `AT_PAGESZ`, include/uapi/linux/auxvec.h.
const AT_PAGESZ: u64 = 6;

/// Why something could not be read. Absence is a fact, not a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no such thing on this machine.
    #[error("{0} is not present")]
    NotPresent(String),
    /// It is there, but this process may not look.
    #[error("{path} may not be read: {reason}")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// Reading it failed.
    #[error("{path} could not be read: {reason}")]
    Failed {
        /// What was asked for.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl HostError {
    /// What the system said, without what was asked for.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NotPresent(_) => "no such file or directory",
            Self::Unreadable { reason, .. } | Self::Failed { reason, .. } => reason,
        }
    }

    fn from_errno(path: &str, errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO | Errno::SRCH => {
                Self::NotPresent(path.to_owned())
            }
            Errno::ACCESS | Errno::PERM => Self::Unreadable { path: path.to_owned(), reason: errno.to_string() },
            other => Self::Failed { path: path.to_owned(), reason: other.to_string() },
        }
    }
}

/// A file that was read for as long as it is of this version; none where it could not be read.
struct Fact {
    version: u32,
    text: Option<Arc<str>>,
}

/// The machine. Clones share what hangs (mounts, tools) and have descriptors of their own, so that a clone given to a
/// new reading thread never waits for the old one.
pub struct Host {
    root: Option<PathBuf>,
    commands: Option<PathBuf>,
    kept: kept::Kept,
    facts: Mutex<HashMap<Box<str>, Fact>>,
    memory: memory::Memory,
    page_bytes: OnceLock<u64>,
    links: netlink::Links,
    watched: files::Watched,
    carried: Arc<rolled::Traffic>,
    textfiles: Arc<[String]>,
    crowding: Crowding,
    withheld: Withheld,
    mounts: Arc<mounts::Mounts>,
    tools: Arc<command::Tools>,
    checks: Option<Arc<Board>>,
    helper: Option<Arc<Path>>,
}

impl Clone for Host {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            commands: self.commands.clone(),
            kept: self.kept.of_another_thread(),
            facts: Mutex::default(),
            memory: self.memory.clone(),
            page_bytes: OnceLock::new(),
            links: netlink::Links::default(),
            watched: files::Watched::default(),
            carried: Arc::clone(&self.carried),
            textfiles: Arc::clone(&self.textfiles),
            crowding: self.crowding,
            withheld: self.withheld,
            mounts: Arc::clone(&self.mounts),
            tools: Arc::clone(&self.tools),
            checks: self.checks.clone(),
            helper: self.helper.clone(),
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("root", &self.root).field("commands", &self.commands).finish_non_exhaustive()
    }
}

impl Host {
    /// This very machine.
    #[must_use]
    pub fn live() -> Self {
        Self::new(None, None, Box::new(mounts::live))
    }

    /// A captured machine: `root` holds `proc`, `sys`, `etc`, ...; what is no file (`statfs`, `uname`) comes from
    /// `ROOT/.muster/{statfs,uname}.json`, else is absent. Tools are looked up in `commands` only.
    #[must_use]
    pub fn captured(root: PathBuf, commands: Option<PathBuf>) -> Self {
        let answers = root.join(".muster/statfs.json");
        Self::new(Some(root), commands, Box::new(move |path: &str| mounts::captured(&answers, path)))
    }

    /// The live machine with another `statfs`, so that a test can make a mount hang.
    #[cfg(test)]
    pub(crate) fn with_statfs(root: Option<PathBuf>, ask: Box<mounts::Ask>) -> Self {
        Self::new(root, None, ask)
    }

    fn new(root: Option<PathBuf>, commands: Option<PathBuf>, ask: Box<mounts::Ask>) -> Self {
        Self {
            root,
            commands,
            kept: kept::Kept::new(),
            facts: Mutex::default(),
            memory: memory::Memory::default(),
            page_bytes: OnceLock::new(),
            links: netlink::Links::default(),
            watched: files::Watched::default(),
            carried: Arc::default(),
            textfiles: Arc::default(),
            crowding: Crowding::default(),
            withheld: Withheld::default(),
            mounts: Arc::new(mounts::Mounts::new(ask)),
            tools: Arc::default(),
            checks: None,
            helper: None,
        }
    }

    /// The same machine, whose scripts leave readings in these directories.
    #[must_use]
    pub fn with_textfiles(mut self, directories: &[String]) -> Self {
        self.textfiles = directories.into();
        self
    }

    /// Directories in which this machine's scripts leave readings.
    #[must_use]
    pub fn textfiles(&self) -> &[String] {
        &self.textfiles
    }

    /// The same machine, whose checks leave their outcomes here.
    #[must_use]
    pub fn with_checks(mut self, board: &Arc<Board>) -> Self {
        self.checks = Some(Arc::clone(board));
        self
    }

    /// Where this machine's checks leave their outcomes, if it has any.
    #[must_use]
    pub fn checks(&self) -> Option<&Board> {
        self.checks.as_deref()
    }

    /// Whether this is the machine we run on, not a capture.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.root.is_none()
    }

    /// The system that we run on, where it is none whose files tell of the machine: what has no other way to it is not read.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&'static str> {
        if self.is_live() { os::ELSEWHERE } else { None }
    }

    /// What the system says of this machine where no files do.
    pub(crate) fn known(&self) -> Option<Known> {
        if self.is_live() { platform::known() } else { None }
    }

    /// Reads a whole file once (at most 16 MiB), replacing what is in `into`.
    ///
    /// # Errors
    /// When it is absent, may not be read, or reading fails.
    pub fn read(&self, path: &str, into: &mut Vec<u8>) -> Result<(), HostError> {
        let descriptor = self.open(path)?;
        fill(&descriptor, into, WHOLE_BELOW).map_err(|errno| HostError::from_errno(path, errno))
    }

    /// Reads a whole file as text, trimmed; each run of bytes that are not UTF-8 is replaced by one `U+FFFD`.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_text(&self, path: &str) -> Result<String, HostError> {
        let mut bytes = Vec::new();
        self.read(path, &mut bytes)?;
        Ok(text::of(&bytes).trim().to_owned())
    }

    /// Reads a file that is asked at every report: its descriptor stays open and is read from the start each time.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_kept(&self, path: &str, into: &mut Vec<u8>) -> Result<(), HostError> {
        self.read_kept_until(path, into, WHOLE_BELOW)
    }

    /// The same for a file that the kernel writes in one piece (`single_open` of fs/seq_file.c, /proc/sys): a short
    /// answer is the whole file.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_record(&self, path: &str, into: &mut Vec<u8>) -> Result<(), HostError> {
        self.read_kept_until(path, into, usize::MAX)
    }

    fn read_kept_until(&self, path: &str, into: &mut Vec<u8>, whole_below: usize) -> Result<(), HostError> {
        let fill = |descriptor: &Descriptor, into: &mut Vec<u8>| fill(descriptor, into, whole_below);
        let mut kept = self.kept.lock();
        if let Some(descriptor) = kept.get(path) {
            match fill(descriptor, into) {
                Ok(()) => return Ok(()),
                // The device behind it is gone, perhaps replaced: only a new descriptor can tell.
                Err(_) => kept.remove(path),
            }
        }
        let descriptor = self.open(path)?;
        fill(&descriptor, into).map_err(|errno| HostError::from_errno(path, errno))?;
        kept.insert(path, descriptor);
        Ok(())
    }

    /// The trimmed content of a small file that hardly ever changes, read once until [`Host::forget_facts`].
    /// `None` when it cannot be read.
    #[must_use]
    pub fn fact(&self, path: &str) -> Option<Arc<str>> {
        self.fact_of(path, 0)
    }

    /// The same for what changes only together with a number that is known anyway: with another one it is read anew.
    #[must_use]
    pub fn fact_of(&self, path: &str, version: u32) -> Option<Arc<str>> {
        let mut facts = lock(&self.facts);
        if let Some(known) = facts.get(path).filter(|known| known.version == version) {
            return known.text.clone();
        }
        let text: Option<Arc<str>> = self.read_text(path).ok().map(Into::into);
        if facts.len() < FACTS_MAX || facts.contains_key(path) {
            facts.insert(path.into(), Fact { version, text: text.clone() });
        }
        text
    }

    /// Forgets all facts, and descriptors whose device may be gone: the next asking reads anew.
    pub fn forget_facts(&self) {
        lock(&self.facts).clear();
        self.memory.forget_names();
        self.watched.forget();
        self.kept.lock().clear();
    }

    /// Calls `visit` with the name of each entry of a directory, in the kernel's order.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn visit(&self, directory: &str, mut visit: impl FnMut(&str)) -> Result<(), HostError> {
        let descriptor = self.open(directory)?;
        os::visit(&descriptor, |name| {
            if name != "." && name != ".." {
                visit(name);
            }
        })
        .map_err(|errno| HostError::from_errno(directory, errno))
    }

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn list(&self, directory: &str) -> Result<Vec<String>, HostError> {
        let mut names = Vec::new();
        self.visit(directory, |name| names.push(name.to_owned()))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Whether something stands at `path`.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        os::exists(&self.resolve(path))
    }

    /// Opens a file for reading and closes it unread.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn may_open(&self, path: &str) -> Result<(), HostError> {
        self.open(path).map(drop)
    }

    /// Where a symbolic link points to, as written.
    ///
    /// # Errors
    /// As [`Host::read`]; a thing that is no link is `Failed`.
    pub fn link_target(&self, path: &str) -> Result<String, HostError> {
        os::link_target(&self.resolve(path)).map_err(|errno| HostError::from_errno(path, errno))
    }

    /// Sizes of the file system mounted at `path`, asked in a disposable worker: a mount that does not answer within
    /// `deadline_ms` is stuck and not asked again until the hung call returns.
    ///
    /// # Errors
    /// When it is stuck (since when), or as [`Host::read`].
    pub fn statfs(&self, path: &str, deadline_ms: u64) -> Result<FsStat, MountError> {
        self.mounts.statfs(path, deadline_ms)
    }

    /// The same for a file system that answers out of memory: asked without a worker, which costs two changes of
    /// threads.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn statfs_at_once(&self, path: &str) -> Result<FsStat, HostError> {
        self.mounts.statfs_at_once(path)
    }

    /// What `uname` says.
    ///
    /// # Errors
    /// On a captured machine without `.muster/uname.json`.
    pub fn uname(&self) -> Result<Uname, HostError> {
        if self.root.is_some() {
            let text = self.read_text("/.muster/uname.json")?;
            return serde_json::from_str(&text).map_err(|error| HostError::Failed {
                path: "/.muster/uname.json".to_owned(),
                reason: error.to_string(),
            });
        }
        Ok(platform::uname())
    }

    /// The kernel's random id of this boot; zeros where it is not said.
    #[must_use]
    pub fn boot_id(&self) -> [u8; 16] {
        let told = self.read_text("/proc/sys/kernel/random/boot_id").ok().and_then(|text| parse_uuid(&text));
        told.or_else(|| if self.is_live() { os::boot_id() } else { None }).unwrap_or_default()
    }

    /// Bytes of a memory page.
    #[must_use]
    pub fn page_bytes(&self) -> u64 {
        *self.page_bytes.get_or_init(|| {
            let mut auxv = Vec::new();
            if self.read("/proc/self/auxv", &mut auxv).is_err() {
                return PAGE_BYTES;
            }
            let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
            let mut pairs = auxv.chunks_exact(16).map(|pair| (word(&pair[..8]), word(&pair[8..])));
            pairs.find(|(key, _)| *key == AT_PAGESZ).map_or(PAGE_BYTES, |(_, bytes)| bytes)
        })
    }

    fn open(&self, path: &str) -> Result<Descriptor, HostError> {
        let opened = match &self.root {
            None => os::open(Path::new(path)),
            Some(_) => os::open(&self.resolve(path)),
        };
        opened.or_else(|errno| self.opened_by_helper(path, errno))
    }

    fn resolve(&self, path: &str) -> PathBuf {
        match &self.root {
            None => PathBuf::from(path),
            Some(root) => root.join(path.trim_start_matches('/')),
        }
    }
}

/// Reads from the start to the end; an answer shorter than asked for and than `whole_below` is the end.
fn fill(descriptor: &Descriptor, into: &mut Vec<u8>, whole_below: usize) -> Result<(), Errno> {
    into.clear();
    into.reserve(READ_FIRST);
    loop {
        let (offset, room) = (into.len(), into.spare_capacity_mut().len());
        let count = os::read_at(descriptor, into, offset as u64)?;
        if count == 0 || (count < room && into.len() < whole_below) || into.len() >= READ_MAX {
            return Ok(());
        }
        if into.spare_capacity_mut().len() < READ_FIRST {
            into.reserve(into.len().max(READ_FIRST));
        }
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let mut id = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

/// A panic elsewhere must not take the reader down: the data is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

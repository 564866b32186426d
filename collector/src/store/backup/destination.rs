//! The file that a backup goes to: under its name only once it is whole and on the disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};

use crate::domain::time::Timestamp;

/// How our own files in a directory of backups begin and end; no others are ever removed.
const BEGINS: &str = "muster-";
const ENDS: &str = ".tar.gz.age";
const PART: &str = ".part";

/// A backup's file while it is written, as `.NAME.part` beside its place. Dropping it unfinished removes it.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    directory: PathBuf,
    beside: PathBuf,
    file: File,
    kept: bool,
}

impl Destination {
    /// Begins to write `path`, which must not be there yet nor lie in the state directory, by whatever links.
    ///
    /// # Errors
    /// Why it cannot be written, in words.
    pub fn begin(path: &Path, state: Option<&Path>) -> io::Result<Self> {
        let unusable = |why: String| io::Error::other(format!("{} cannot take a backup: {why}", path.display()));
        let name = path.file_name().ok_or_else(|| unusable("name a file".into()))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = parent.canonicalize().map_err(|error| unusable(format!("{}: {error}", parent.display())))?;
        let state = state.and_then(|state| state.canonicalize().ok());
        if state.is_some_and(|state| directory.starts_with(&state)) {
            return Err(unusable("it lies in the collector's own state directory, and would be lost with it".into()));
        }
        let path = directory.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(unusable("there is something of this name already; it is left alone".into()));
        }
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(PART);
        let beside = directory.join(beside);
        let file = begin_part(&beside).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { path, directory, beside, file, kept: false })
    }

    /// Puts it on the disk under its name; says how many bytes it has.
    ///
    /// # Errors
    /// The disk's, or that something of this name came in between; nothing of this backup is left then.
    pub fn keep(mut self) -> io::Result<u64> {
        self.file.sync_all()?;
        let bytes = self.file.metadata()?.len();
        match renameat_with(CWD, &self.beside, CWD, &self.path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(io::ErrorKind::AlreadyExists.into()),
            // File systems of other machines may not know how; a link refuses as well where something is there.
            Err(_) => {
                fs::hard_link(&self.beside, &self.path)?;
                fs::remove_file(&self.beside)?;
            }
        }
        self.kept = true;
        File::open(&self.directory)?.sync_all()?;
        Ok(bytes)
    }
}

/// A part that a killed backup left is written over; one that is being written is locked.
fn begin_part(beside: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(beside)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::other("another backup is being written to it"))?;
    file.set_len(0)?;
    Ok(file)
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if !self.kept {
            // It is nobody's file; one that stays is written over the next time.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// The name of a backup that is begun now: sorts by time, and says it in UTC.
#[must_use]
pub fn name_at(now: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(now.ms()).unwrap_or_default();
    format!("{BEGINS}{}{ENDS}", at.strftime("%Y%m%dT%H%M%SZ"))
}

/// Removes all but the newest `keep` of our backups in a directory, and parts that killed ones left. Returns what is gone.
///
/// # Errors
/// The directory's; what was removed until then is gone.
pub fn rotate(directory: &Path, keep: usize) -> io::Result<Vec<String>> {
    let (mut whole, mut gone) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_ours(&name) {
            whole.push(name);
        } else if name.strip_prefix('.').and_then(|name| name.strip_suffix(PART)).is_some_and(is_ours) {
            let part = directory.join(&name);
            // Whoever writes one holds its lock.
            let is_left =
                File::open(&part).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
            if is_left {
                fs::remove_file(part)?;
                gone.push(name);
            }
        }
    }
    whole.sort();
    for name in whole.iter().rev().skip(keep) {
        fs::remove_file(directory.join(name))?;
        gone.push(name.clone());
    }
    Ok(gone)
}

fn is_ours(name: &str) -> bool {
    let stamp = name.strip_prefix(BEGINS).and_then(|rest| rest.strip_suffix(ENDS));
    stamp.is_some_and(|stamp| {
        let fits = |(at, byte): (usize, u8)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        };
        stamp.len() == 16 && stamp.bytes().enumerate().all(fits)
    })
}

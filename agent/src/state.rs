//! EDGE: the state directory: private files, written whole or not at all, held by one agent at a time.
//!
//! Everything that must survive a restart lives here; nothing else of the agent knows where. Files are 0600 and belong
//! to the owner of the directory, also when root wrote them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::platform;

/// The longest file that is read back; ours are a few KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;
const LOCK: &str = "lock";

/// A file that is not read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be {did}")]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub did: &'static str,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What can go wrong with the state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory cannot be made or opened.
    #[error("state directory {path}: cannot be {did}; give it to the agent's user or name another with --state")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        did: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file in it cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A private file is not private.
    #[error("{path}: {problem}; {remedy}")]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The exact remedy.
        remedy: String,
    },
    /// Another agent holds the directory.
    #[error(
        "state directory {path} is in use by another agent (pid {pid}); stop it first or name another with --state"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process id as it wrote it, or "unknown".
        pid: String,
    },
}

/// The state directory.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
    owner: platform::Owner,
}

/// Held while an agent uses the directory; released when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl StateDir {
    /// Opens the directory, making it (0700) when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or looked at.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |did| move |source| StateError::Directory { path: path.to_path_buf(), did, source };
        if !path.is_dir() {
            // Only the last one is closed: the agent's user has to get through those above.
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed("made"))?;
            platform::make_private_dir(path).map_err(failed("made"))?;
        }
        let meta = fs::metadata(path).map_err(failed("opened"))?;
        Ok(Self { path: path.to_path_buf(), owner: platform::owner_of(&meta) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` inside.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the directory for this process.
    ///
    /// # Errors
    /// [`StateError::InUse`] names the process that has it.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let path = self.file(LOCK);
        let failed = |did| move |source| StateError::Directory { path: self.path.clone(), did, source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = platform::private(&mut options).open(&path).map_err(failed("locked"))?;
        if file.try_lock().is_err() {
            let mut pid = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
            return Err(StateError::InUse { path: self.path.clone(), pid });
        }
        self.give(&path);
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed("locked"))?;
        Ok(Lock { _file: file })
    }

    /// Writes `name` whole: to a neighbour first, synced, then renamed over it. Mode 0600.
    ///
    /// # Errors
    /// When the disk refuses; the old content is then still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.write_with(name, bytes, File::sync_all)?;
        self.sync().map_err(|source| StateError::File(FileError { path: self.file(name), did: "written", source }))
    }

    /// The same of what can be made anew: when the power fails it may be gone, or not whole.
    ///
    /// # Errors
    /// As [`StateDir::write`].
    pub fn write_unsynced(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.write_with(name, bytes, |_| Ok(()))
    }

    fn write_with(
        &self,
        name: &str,
        bytes: &[u8],
        sync: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), StateError> {
        let path = self.file(name);
        let neighbour = self.file(&format!("{name}.new"));
        let failed = |source| StateError::File(FileError { path: path.clone(), did: "written", source });
        let _ = fs::remove_file(&neighbour);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let mut file = platform::private(&mut options).open(&neighbour).map_err(failed)?;
        file.write_all(bytes).and_then(|()| sync(&file)).map_err(failed)?;
        self.give(&neighbour);
        fs::rename(&neighbour, &path).map_err(failed)
    }

    /// Reads `name`, or nothing when it is not there.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.read_long(name, FILE_BYTES_MAX)
    }

    /// The same of a file that may be longer; at most so many bytes of it.
    ///
    /// # Errors
    /// As [`StateDir::read`].
    pub fn read_long(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.file(name);
        let failed = |source| StateError::File(FileError { path: path.clone(), did: "read", source });
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(bytes_max).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Reads a file that must be nobody else's: a plain file, ours, mode 0600 or stricter.
    ///
    /// # Errors
    /// [`StateError::NotPrivate`] with the exact command that repairs it.
    pub fn read_private(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.file(name);
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::File(FileError { path, did: "read", source })),
        };
        let refuse =
            |problem: String, remedy: String| Err(StateError::NotPrivate { path: path.clone(), problem, remedy });
        if !meta.is_file() {
            return refuse("is not a plain file".into(), "remove it and enrol again".into());
        }
        match platform::why_not_private(&path, &meta, self.owner) {
            Some((problem, remedy)) => refuse(problem, remedy),
            None => self.read(name),
        }
    }

    /// Renames `name` to `name.<why>-<wall_ms>`; nothing that a person may still want is ever deleted.
    ///
    /// # Errors
    /// When the rename fails for another reason than its absence.
    pub fn set_aside(&self, name: &str, why: &str, wall_ms: i64) -> Result<(), StateError> {
        let path = self.file(name);
        match fs::rename(&path, self.file(&format!("{name}.{why}-{wall_ms}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::File(FileError { path, did: "set aside", source: error }))
            }
            _ => Ok(()),
        }
    }

    /// Moves `from` over `to`, durably.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn promote(&self, from: &str, to: &str) -> Result<(), StateError> {
        fs::rename(self.file(from), self.file(to))
            .and_then(|()| self.sync())
            .map_err(|source| StateError::File(FileError { path: self.file(to), did: "replaced", source }))
    }

    /// Moves `from` over `to`; when the power fails either may be there.
    ///
    /// # Errors
    /// When the rename fails.
    pub fn promote_unsynced(&self, from: &str, to: &str) -> Result<(), StateError> {
        let (from, path) = (self.file(from), self.file(to));
        fs::rename(from, &path).map_err(|source| StateError::File(FileError { path, did: "replaced", source }))
    }

    /// Removes `name` if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::File(FileError { path: self.file(name), did: "removed", source: error }))
            }
            _ => Ok(()),
        }
    }

    /// The names of all that is in it, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    fn sync(&self) -> io::Result<()> {
        platform::sync_dir(&self.path)
    }

    /// Gives what root wrote to the owner of the directory (`enrol` is mostly run by root).
    fn give(&self, path: &Path) {
        platform::give(path, self.owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn world() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("agent")).unwrap();
        (dir, state)
    }

    #[test]
    fn second_agent_on_one_state_directory_is_refused_and_told_the_pid() {
        let (_dir, state) = world();
        let held = state.lock().unwrap();
        let refusal = state.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
        drop(held);
        assert!(state.lock().is_ok());
    }

    #[test]
    fn private_file_that_others_may_read_is_refused_with_the_remedy() {
        let (_dir, state) = world();
        state.write("identity.json", b"secret").unwrap();
        assert_eq!(state.read_private("identity.json").unwrap().unwrap(), b"secret");
        fs::set_permissions(state.file("identity.json"), fs::Permissions::from_mode(0o644)).unwrap();
        let refusal = state.read_private("identity.json").unwrap_err().to_string();
        assert!(refusal.contains("mode 0644") && refusal.contains("chmod 600"), "{refusal}");
    }

    #[test]
    fn private_file_that_is_a_link_is_refused() {
        let (_dir, state) = world();
        std::os::unix::fs::symlink("/etc/passwd", state.file("identity.json")).unwrap();
        assert!(state.read_private("identity.json").unwrap_err().to_string().contains("not a plain file"));
    }

    #[test]
    fn absent_file_is_nothing_rather_than_an_error() {
        let (_dir, state) = world();
        assert!(state.read_private("identity.json").unwrap().is_none());
        assert!(state.read("settings.json").unwrap().is_none());
        assert!(state.remove("settings.json").is_ok());
    }
}

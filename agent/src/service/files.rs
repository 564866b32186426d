//! What lies where, and the least that has to be written to have it so.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::ServiceError;
use super::manager::{PROGRAM, UNITS, USERS};
use crate::platform;
use crate::state::FileError;

/// The settings.
pub(super) const CONFIG: &str = crate::config::DEFAULT_PATH;
/// The settings of a machine that states none; the package's.
pub(super) const CONFIG_TEXT: &str = include_str!("../../../deploy/packages/agent.toml");
/// Where the files of the system are.
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    /// This machine.
    pub(super) fn live() -> Self {
        Self { root: "/".into() }
    }

    /// A directory that stands for `/`.
    #[cfg(test)]
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Where a file of the system is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.trim_start_matches('/'))
    }

    /// Puts the users' files in place; whether one was not.
    pub(super) fn put_users(&self) -> Result<bool, ServiceError> {
        self.put_all(&USERS)
    }

    /// The same of the units.
    pub(super) fn put_units(&self) -> Result<bool, ServiceError> {
        self.put_all(&UNITS)
    }

    fn put_all(&self, files: &[(&str, &str)]) -> Result<bool, ServiceError> {
        let mut changed = false;
        for (name, text) in files {
            changed |= self.put(name, text.as_bytes(), 0o644)?;
        }
        Ok(changed)
    }

    /// Puts this very program in place.
    pub(super) fn put_program(&self) -> Result<bool, ServiceError> {
        let own = platform::own_program();
        let program =
            fs::read(&own).map_err(|source| ServiceError::File(FileError { path: own, did: "read", source }))?;
        self.put(PROGRAM, &program, 0o755)
    }

    /// Writes a file whole unless it is so already, with its directories; whether it had to.
    pub(super) fn put(&self, name: &str, content: &[u8], mode: u32) -> Result<bool, ServiceError> {
        let path = self.path(name);
        let is_so = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && platform::has_mode(&meta, mode))
            && fs::read(&path).is_ok_and(|there| there == content);
        if is_so {
            return Ok(false);
        }
        replace(&path, content, mode)
            .map_err(|source| ServiceError::File(FileError { path, did: "written", source }))?;
        Ok(true)
    }

    /// Writes the settings, as [`put_settings`] does.
    pub(super) fn put_settings(&self, text: &str) -> Result<bool, ServiceError> {
        put_settings(&self.path(CONFIG), text)
    }

    /// Writes a file that is not there.
    pub(super) fn put_if_absent(&self, name: &str, text: &str) -> Result<bool, ServiceError> {
        if self.path(name).exists() { Ok(false) } else { self.put(name, text.as_bytes(), 0o644) }
    }

    /// Removes a file or a directory with all that is in it; whether it was there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, ServiceError> {
        let path = self.path(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(ServiceError::File(FileError { path, did: "removed", source })),
        }
    }

    /// Removes a program, which may be this one; whether it was there.
    pub(super) fn remove_program(&self, name: &str) -> Result<bool, ServiceError> {
        let path = self.path(name);
        match platform::remove_program(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(ServiceError::File(FileError { path, did: "removed", source })),
        }
    }

    /// Removes the directory that something was in, if it has become empty.
    pub(super) fn tidy_above(&self, name: &str) {
        if let Some(above) = self.path(name).parent() {
            // What others keep there keeps it.
            let _ = fs::remove_dir(above);
        }
    }
}

/// Writes settings unless they are so already; whether it had to. Who could read those before may read them, and nobody else: a
/// password may stand in them.
pub(super) fn put_settings(path: &Path, text: &str) -> Result<bool, ServiceError> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let before = fs::metadata(path).ok();
    let mode = before.as_ref().map_or(0o644, platform::mode_of);
    let written = replace(path, text.as_bytes(), mode).and_then(|()| match before {
        Some(before) => platform::same_owner(path, &before),
        None => Ok(()),
    });
    written.map_err(|source| ServiceError::File(FileError { path: path.to_owned(), did: "written", source }))?;
    Ok(true)
}

/// A new file, then one rename: what runs keeps the old one, and a power cut leaves one of them.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let neighbour = directory.join(format!(".{name}.muster-new"));
    let _ = fs::remove_file(&neighbour);
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = platform::private(options.write(true).create_new(true)).open(&neighbour)?;
        file.write_all(content)?;
        platform::public(&file, mode)?;
        file.sync_all()?;
        // On Windows an open file keeps its name.
        drop(file);
        platform::put_in_place(&neighbour, path)?;
        platform::sync_dir(directory)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&neighbour);
    }
    written
}

/// Whether this process is the program at `path`.
pub(super) fn runs_from(path: &Path) -> bool {
    platform::same_file(&platform::own_program(), path)
}

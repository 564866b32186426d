//! A copy of everything, taken while the collector runs.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{FACTS_FILE, STATE_FILE, Store, StoreError, files, migrations::NO_PROGRESS, storage_error};

impl Store {
    /// Copies both files, each as of one commit, and the authority into the new directory `to` (0700: it holds the CA's key).
    /// Facts are copied after the state, so that they are never older than what was judged from them.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when `to` exists or cannot be written; what was copied by then stays.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (from, to) = (self.directory().to_owned(), to.to_owned());
        tokio::task::spawn_blocking(move || copy_all(&from, &to))
            .await
            .map_err(|error| StoreError::Broken(format!("the backup was broken off: {error}")))?
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<(), StoreError> {
    make(to)?;
    for file in [STATE_FILE, FACTS_FILE] {
        let target = to.join(file);
        files::open_for_reading(&from.join(file))?
            .backup("main", &target, NO_PROGRESS)
            .map_err(|error| storage_error(&target.display().to_string(), &error))?;
        set_private(&target)?;
        sync(&target)?;
    }
    let authority = from.join("authority");
    if authority.is_dir() {
        make(&to.join("authority"))?;
        for entry in fs::read_dir(&authority).map_err(|error| unreadable(&authority, &error))? {
            let path = entry.map_err(|error| unreadable(&authority, &error))?.path();
            copy_file(&path, &to.join("authority").join(path.file_name().unwrap_or_default()))?;
        }
    }
    sync(to)
}

fn make(directory: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().mode(0o700).create(directory).map_err(|error| {
        StoreError::Broken(format!(
            "cannot make {}: {error}; name a directory that is not there yet",
            directory.display()
        ))
    })
}

/// Copies contents and mode.
fn copy_file(from: &PathBuf, to: &Path) -> Result<(), StoreError> {
    fs::copy(from, to).map_err(|error| unreadable(from, &error))?;
    sync(to)
}

/// SQLite makes files that others may read; the directory hides them only until they are moved.
fn set_private(path: &Path) -> Result<(), StoreError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| unreadable(path, &error))
}

fn sync(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Broken(format!("cannot copy {}: {error}", path.display()))
}

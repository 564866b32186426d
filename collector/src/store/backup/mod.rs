//! A copy of everything, taken while the collector runs: one file, sealed with a passphrase.
//!
//! It is an age file ([`age`]) of a gzip of a tar: `manifest.json`, `state.db`, `facts.db`, `authority/`, `links.key`, and
//! under `files/` the configuration with every file that a key of it names as `..._file`. Both databases are copied as of
//! one commit each into `STATE/.backup` first, so that nobody waits while they are sealed; state before facts, so that the
//! facts are never older than what was judged from them.

mod age;
mod contents;
mod destination;
mod noted;
mod restore;
#[cfg(test)]
mod tests;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, backup::Backup};

use self::contents::{Entry, Manifest};
pub(super) use self::noted::{get as get_meta, put as put_meta};
pub use self::{
    destination::{Destination, name_at, rotate},
    noted::{Kind, Last},
    restore::{Restored, Target, restore},
};
use super::{FACTS_FILE, STATE_FILE, Store, StoreError, files, reserve, storage_error};
use crate::domain::time::Timestamp;

/// Where copies lie while they are sealed, in the state directory.
const COPIES: &str = ".backup";
/// Left free on the state's disk beside the copies, in bytes: the records go on.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;
/// What belongs to a collector outside of its state directory.
#[derive(Debug, Clone, Default)]
pub struct Besides {
    /// The configuration file, if there is one.
    pub configuration: Option<PathBuf>,
    /// Files that it names: secrets, certificates.
    pub named: Vec<PathBuf>,
}

/// A backup whose copies are taken, to be sealed. Dropping it removes them.
#[derive(Debug)]
pub struct Staged {
    copies: PathBuf,
    manifest: Manifest,
    entries: Vec<Entry>,
}

impl Store {
    /// Copies both files, each as of one commit, and reads what lies beside them. One at a time.
    ///
    /// # Errors
    /// [`StoreError`]: another one is being taken, there is no room for the copies, or something cannot be read.
    pub async fn stage_backup(&self, besides: Besides, now: Timestamp) -> Result<Staged, StoreError> {
        let from = self.directory().to_owned();
        tokio::task::spawn_blocking(move || stage(&from, &besides, now))
            .await
            .map_err(|error| StoreError::Broken(format!("the backup was broken off: {error}")))?
    }
}

impl Staged {
    /// Files that the configuration names and that could not be read: the backup goes without them.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.manifest.missing
    }

    /// Writes all of it, sealed, and gives the output back. Blocks for as long as it takes to read and compress them.
    ///
    /// # Errors
    /// The output's, or that a copy cannot be read.
    pub fn seal<W: Write>(self, out: W, passphrase: &str) -> io::Result<W> {
        // Tests do a thousandth of the work.
        let work = if cfg!(test) { 4 } else { age::WORK };
        let sealer = age::Sealer::new(out, passphrase, work)?;
        contents::write(sealer, &self.manifest, &self.entries)?.finish()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.copies) {
            tracing::warn!("the copies in {} cannot be removed: {error}", self.copies.display());
        }
    }
}

/// Removes what a backup left that was killed, and refuses a directory into which a restore was not finished. Asked while
/// nobody else has this directory.
pub(super) fn tidy(state: &Path) -> Result<(), StoreError> {
    if state.join(restore::UNFINISHED).exists() {
        let state = state.display();
        return Err(StoreError::Broken(format!("{state} was not restored to its end: restore the backup again")));
    }
    let copies = state.join(COPIES);
    if copies.exists()
        && let Err(error) = fs::remove_dir_all(&copies)
    {
        tracing::warn!("what a broken backup left in {} cannot be removed: {error}", copies.display());
    }
    Ok(())
}

fn stage(from: &Path, besides: &Besides, now: Timestamp) -> Result<Staged, StoreError> {
    let copies = from.join(COPIES);
    check_room(from)?;
    fs::DirBuilder::new().mode(0o700).create(&copies).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Busy("the backup".into()),
        _ => StoreError::Broken(format!("cannot make {}: {error}", copies.display())),
    })?;
    // From here on dropping it removes what was copied.
    let mut staged = Staged { copies, manifest: Manifest::new(from, now), entries: Vec::new() };
    for file in [STATE_FILE, FACTS_FILE] {
        let copy = staged.copies.join(file);
        let version = copy_database(&from.join(file), &copy)?;
        staged.manifest.schemas.insert(file.into(), version);
        staged.entries.push(Entry::file(file, copy));
    }
    contents::collect(from, besides, &mut staged.manifest, &mut staged.entries)?;
    Ok(staged)
}

fn check_room(state: &Path) -> Result<(), StoreError> {
    let needed: u64 = [STATE_FILE, FACTS_FILE].iter().map(|file| length(&state.join(file))).sum();
    let free = reserve::disk_space(state)?.free_bytes;
    if free >= needed + ROOM_BYTES {
        return Ok(());
    }
    let mib = |bytes: u64| bytes / (1024 * 1024);
    Err(StoreError::Full(format!(
        "copies of the records: {} MiB and some room are needed in {}, {} MiB are free",
        mib(needed),
        state.display(),
        mib(free)
    )))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// All pages in one step: as of one commit however much is written meanwhile, and never begun anew for it.
fn copy_database(from: &Path, to: &Path) -> Result<i64, StoreError> {
    let failed = |error| storage_error(&to.display().to_string(), &error);
    let source = files::open_for_reading(from)?;
    let mut copy = Connection::open(to).map_err(failed)?;
    // SQLite makes files that others may read.
    fs::set_permissions(to, fs::Permissions::from_mode(0o600))
        .map_err(|error| StoreError::Broken(format!("{}: {error}", to.display())))?;
    let done = Backup::new(&source, &mut copy).and_then(|backup| backup.step(-1)).map_err(failed)?;
    if done != rusqlite::backup::StepResult::Done {
        return Err(StoreError::Busy(from.display().to_string()));
    }
    super::migrations::version(&copy).map_err(failed)
}

//! Opening the two database files: made when absent, migrated, and set aside when damaged.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    StoreError,
    migrations::{Migration, migrate},
    opening::{Doing, Watcher},
    storage_error,
};
use crate::domain::time::Timestamp;

/// How long a connection waits for another's lock (a backup, an administrator's sqlite3) before it says busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A file up to this size is checked whole at start; a greater one only where it is read, as the check reads every page.
const CHECKED_WHOLE_BYTES: u64 = 512 * 1024 * 1024;

/// A file opened for writing.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Whether the file was begun now.
    pub(super) fresh: bool,
    /// What the operator must hear.
    pub(super) report: Option<String>,
}

/// Makes the state directory: 0750, as the CLI's socket in it is for the group.
pub(super) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(|error| {
        StoreError::Broken(format!(
            "cannot write the state directory {}: {error}; make it and give it to this user",
            directory.display()
        ))
    })
}

/// Opens `path` for writing with full sync, brought to the newest schema. `watcher` hears how far it is.
pub(super) fn open_for_writing(
    path: &Path,
    steps: &[Migration],
    now: Timestamp,
    watcher: &dyn Watcher,
) -> Result<Opened, StoreError> {
    let fresh = fs::metadata(path).map_or(true, |meta| meta.len() == 0);
    match open_checked(path, steps, watcher) {
        Ok(connection) => Ok(Opened { connection, fresh, report: None }),
        Err(Trouble::Damaged(why)) => {
            let aside = set_aside(path, now)?;
            let report = format!(
                "{} was damaged ({why}): it was set aside as {aside} and a fresh one was begun; restore a backup if you have one",
                path.display()
            );
            match open_checked(path, steps, watcher) {
                Ok(connection) => Ok(Opened { connection, fresh: true, report: Some(report) }),
                Err(Trouble::Damaged(why)) => Err(StoreError::Broken(format!("{}: {why}", path.display()))),
                Err(Trouble::Other(error)) => Err(error),
            }
        }
        Err(Trouble::Other(error)) => Err(error),
    }
}

/// Opens `path`, which exists, only for reading.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| storage_error(&path.display().to_string(), &error);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    Ok(connection)
}

enum Trouble {
    Damaged(String),
    Other(StoreError),
}

fn open_checked(path: &Path, steps: &[Migration], watcher: &dyn Watcher) -> Result<Connection, Trouble> {
    let name = path.display().to_string();
    let sorted = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged(error.to_string()),
        _ => Trouble::Other(storage_error(&name, &error)),
    };
    // Made here and not by SQLite, so that nobody else may read it; its -wal and -shm follow its mode.
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(|error| {
        Trouble::Other(StoreError::Broken(format!("cannot write {name}: {error}; give it to the collector's user")))
    })?;
    let mut connection = Connection::open(path).map_err(sorted)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sorted)?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;")
        .map_err(sorted)?;
    if fs::metadata(path).is_ok_and(|meta| meta.len() <= CHECKED_WHOLE_BYTES) {
        let of = connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).map_err(sorted)?;
        let what = format!("{} is read whole to see that it is sound", path.file_name().unwrap_or_default().display());
        watcher.hear(Doing { what, done: 0, of: u64::try_from(of).unwrap_or(0), unit: "pages" });
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sorted)?;
        if verdict != "ok" {
            return Err(Trouble::Damaged(verdict));
        }
    }
    migrate(&mut connection, path, steps, watcher).map_err(Trouble::Other)?;
    Ok(connection)
}

/// Renames the file and what SQLite keeps beside it; never deletes. Returns the new name.
fn set_aside(path: &Path, now: Timestamp) -> Result<String, StoreError> {
    for suffix in ["-wal", "-shm", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = from.clone();
        to.push(format!(".corrupt-{}", now.ms()));
        if Path::new(&from).exists() {
            fs::rename(&from, &to).map_err(|error| {
                StoreError::Broken(format!("cannot set {} aside: {error}", Path::new(&from).display()))
            })?;
        }
    }
    Ok(format!("{}.corrupt-{}", path.file_name().unwrap_or_default().to_string_lossy(), now.ms()))
}

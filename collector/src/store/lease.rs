//! Who may write: the directory's lock and the term of the lease.
//!
//! On one machine the lock file alone keeps a second collector out. The term is checked in every commit all the same:
//! where the lock means nothing (a copied directory put back, a network file system) the older collector is fenced.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rusqlite::{Connection, params};
use rustix::fs::{FlockOperation, flock};

use super::{StoreError, storage_error};
use crate::domain::time::Timestamp;

/// The lease on being the collector of this store.
#[derive(Debug)]
pub struct Lease {
    /// Fencing number: each opening of the store has a higher one.
    pub term: i64,
    // Unlocked when closed.
    _lock: File,
}

/// The name of the lease on writing at all; level 1 adds one per collector and one for the desk.
const COLLECTOR: &str = "collector";

/// Locks the directory for this process.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::Broken(format!("cannot write {}: {error}", path.display())))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        // A process id is at most 10 digits; more is not ours.
        let mut holder = String::new();
        let _ = (&mut file).take(16).read_to_string(&mut holder);
        return Err(StoreError::Broken(format!(
            "{} is in use by another collector (process {}): stop that one, or give this one a state directory of its own",
            directory.display(),
            holder.trim()
        )));
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(|error| StoreError::Broken(format!("cannot write {}: {error}", path.display())))?;
    Ok(file)
}

/// Takes the lease: fences whoever wrote before.
pub(super) fn take(connection: &Connection, lock: File, now: Timestamp) -> Result<Lease, StoreError> {
    let failed = |error| storage_error("state.db", &error);
    connection
        .execute(
            "INSERT INTO lease (name, holder, term, expires_ms) VALUES (?1, ?2, 1, ?3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, term = lease.term + 1, expires_ms = excluded.expires_ms",
            params![COLLECTOR, format!("process {}", std::process::id()), now.ms()],
        )
        .map_err(failed)?;
    let term = connection
        .query_row("SELECT term FROM lease WHERE name = ?1", [COLLECTOR], |row| row.get(0))
        .map_err(failed)?;
    Ok(Lease { term, _lock: lock })
}

/// Refuses when somebody else has taken the lease since.
pub(super) fn check(connection: &Connection, term: i64) -> Result<(), StoreError> {
    let current: i64 = connection
        .prepare_cached("SELECT term FROM lease WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([COLLECTOR], |row| row.get(0)))
        .map_err(|error| storage_error("state.db", &error))?;
    if current == term { Ok(()) } else { Err(StoreError::Fenced) }
}

//! What the store remembers of backups: the last good one, and that it was restored from one.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        record::{AuditRow, Row},
        time::Timestamp,
    },
    store::{Store, StoreError, engine_rows, from_json, in_state, json},
};

/// In `meta`: that the store was restored, until its collector has started.
const RESTORED: &str = "restored";

/// Who began a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The schedule.
    Planned,
    /// Somebody.
    Asked,
}

impl Kind {
    const fn key(self) -> &'static str {
        match self {
            Self::Planned => "backup_planned",
            Self::Asked => "backup_asked",
        }
    }
}

/// The last good backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// As of when.
    pub at_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// Its size.
    pub bytes: u64,
}

impl Store {
    /// Notes a good backup.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn note_backup(&self, kind: Kind, last: Last) -> Result<(), StoreError> {
        self.write(move |connection| put(connection, kind.key(), &json(&last)?), |()| {}).await
    }

    /// The last good backup of a kind.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn last_backup(&self, kind: Kind) -> Result<Option<Last>, StoreError> {
        let text = self.read(move |connection| get(connection, kind.key())).await?;
        text.map(|text| from_json(&text)).transpose()
    }

    /// Whether this store was restored since its collector last started: into the audit log, once, and in words.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn take_restored(&self, now: Timestamp) -> Result<Option<String>, StoreError> {
        let write = move |connection: &Connection| {
            let Some(words) = get(connection, RESTORED)? else { return Ok(None) };
            let row = AuditRow {
                at: now,
                who: "muster-collector".into(),
                from: "command line".into(),
                action: "backup.restore".into(),
                subject: "state".into(),
                detail: words.clone(),
            };
            engine_rows::write(connection, &Row::Audit(row))?;
            connection.execute("DELETE FROM meta WHERE key = ?1", [RESTORED]).map_err(in_state)?;
            Ok(Some(words))
        };
        self.write(write, |_| {}).await
    }
}

/// Marks a store that was just unpacked.
pub(super) fn mark_restored(connection: &Connection, words: &str) -> Result<(), StoreError> {
    put(connection, RESTORED, words)
}

pub(in crate::store) fn put(connection: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    connection
        .execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![key, value],
        )
        .map(drop)
        .map_err(in_state)
}

pub(in crate::store) fn get(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional().map_err(in_state)
}

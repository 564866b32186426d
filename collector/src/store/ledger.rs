//! Ledgers and maintenance windows, as reports read them.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{
    Store, StoreError, in_state,
    load::{body, collect, column, span},
};
use crate::domain::{calendar::Span, hold::Hold, ids::HostNo, record::SpanRow, time::Timestamp};

/// The entries of a host that lie in a window.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// When its ledger begins; none where nothing is written yet.
    pub begun: Option<Timestamp>,
    /// Entries that touch the window, by number.
    pub rows: Vec<SpanRow>,
}

impl Store {
    /// What the ledgers of these hosts say of a window.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledgers(&self, hosts: Vec<HostNo>, window: Span) -> Result<BTreeMap<HostNo, Entries>, StoreError> {
        self.read(move |connection| {
            let mut first =
                connection.prepare("SELECT from_ms FROM span WHERE host = ?1 ORDER BY n LIMIT 1").map_err(in_state)?;
            let mut entries = connection
                .prepare(
                    "SELECT host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces FROM span
                     WHERE host = ?1 AND to_ms > ?2 AND from_ms < ?3 ORDER BY n",
                )
                .map_err(in_state)?;
            let mut found = BTreeMap::new();
            for host in hosts {
                let begun = collect(first.query([host.0]), |row| column::<i64>(row, 0))?;
                let rows = collect(entries.query(params![host.0, window.from.ms(), window.until.ms()]), span)?;
                found.insert(host, Entries { begun: begun.first().copied().map(Timestamp::from_ms), rows });
            }
            Ok(found)
        })
        .await
    }

    /// All maintenance windows ever made, as they stand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn maintenance_windows(&self) -> Result<Vec<Hold>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM hold WHERE kind = 'maintenance'
                       AND version = (SELECT max(version) FROM hold AS other WHERE other.no = hold.no) ORDER BY no";
            let mut statement = connection.prepare(sql).map_err(in_state)?;
            collect(statement.query([]), body)
        })
        .await
    }
}

//! Settings of agents that people made through the API, by scope: versions are appended, none is changed. An empty
//! document is the scope's end. Beside them which settings each host was given last.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state,
    load::{collect, column},
};
use crate::domain::{ids::HostNo, record::AuditRow, settings::shelf::Given, time::Timestamp};

/// The settings of a scope as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsRow {
    /// For whom.
    pub scope: String,
    /// The document in TOML; empty where it ends.
    pub document: String,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub who: String,
}

impl SettingsRow {
    /// How an explanation names it.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("settings of {}, made by {} at {}", self.scope, self.who, self.at)
    }
}

impl Store {
    /// Adds the next version of a scope's settings.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_settings(&self, row: SettingsRow, by: AuditRow) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO settings (scope, version, document, at_ms, who)
                 SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM settings WHERE scope = ?1",
                params![row.scope, row.document, row.at.ms(), row.who],
            )?;
            append_audit(connection, &by)
        };
        self.write(write, |()| {}).await
    }

    /// The settings that hold, by the time when they were made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settings(&self) -> Result<Vec<SettingsRow>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT scope, document, at_ms, who FROM settings AS newest WHERE document <> '' AND version =
                       (SELECT max(version) FROM settings WHERE scope = newest.scope) ORDER BY at_ms, scope";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), |row| {
                Ok(SettingsRow {
                    scope: column(row, 0)?,
                    document: column(row, 1)?,
                    at: Timestamp::from_ms(column(row, 2)?),
                    who: column(row, 3)?,
                })
            })
        })
        .await
    }

    /// A host is about to be given these settings.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_given(&self, host: HostNo, given: Given) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO settings_given (host, version, digest) VALUES (?1, ?2, ?3)
                 ON CONFLICT (host) DO UPDATE SET version = excluded.version, digest = excluded.digest",
                params![host.0, given.version.cast_signed(), given.digest.cast_signed()],
            )
        };
        self.write(write, |()| {}).await
    }

    /// Which settings each host was given last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn given(&self) -> Result<Vec<(HostNo, Given)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT host, version, digest FROM settings_given ORDER BY host";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), |row| {
                let number = |at| column::<i64>(row, at).map(i64::cast_unsigned);
                Ok((HostNo(column(row, 0)?), Given { version: number(1)?, digest: number(2)? }))
            })
        })
        .await
    }
}

//! Overrides of rules that people made through the API: versions are appended, none is changed. An empty line is the
//! override's end.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state,
    load::{collect, column},
};
use crate::domain::{record::AuditRow, time::Timestamp};

/// An override as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideRow {
    /// Its name.
    pub name: String,
    /// Its line of TOML; empty where it ends.
    pub line: String,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub who: String,
}

impl OverrideRow {
    /// Its line, and how an explanation names it.
    #[must_use]
    pub fn said(self) -> (String, String) {
        let origin = format!("override {}, made by {} at {}", self.name, self.who, self.at);
        (self.line, origin)
    }
}

impl Store {
    /// Adds the next version of an override.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_override(&self, row: OverrideRow, by: AuditRow) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO rule_override (name, version, line, at_ms, who)
                 SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM rule_override WHERE name = ?1",
                params![row.name, row.line, row.at.ms(), row.who],
            )?;
            append_audit(connection, &by)
        };
        self.write(write, |()| {}).await
    }

    /// The overrides that hold, by the time when they were made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn overrides(&self) -> Result<Vec<OverrideRow>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT name, line, at_ms, who FROM rule_override AS newest WHERE line <> '' AND version =
                       (SELECT max(version) FROM rule_override WHERE name = newest.name) ORDER BY at_ms, name";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), |row| {
                Ok(OverrideRow {
                    name: column(row, 0)?,
                    line: column(row, 1)?,
                    at: Timestamp::from_ms(column(row, 2)?),
                    who: column(row, 3)?,
                })
            })
        })
        .await
    }
}

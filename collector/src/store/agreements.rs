//! Agreements as they were declared: a version for each change, appended and never edited. An empty definition is the
//! end of one.

use rusqlite::{Connection, Row as Found, params};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    from_word, in_state,
    load::{collect, column},
    word,
};
use crate::domain::{record::AuditRow, time::Timestamp};

/// Where an agreement is declared, and so where it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredIn {
    /// In the configuration file.
    File,
    /// By the API.
    Api,
}

/// What was declared under a name, from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementVersion {
    /// The agreement's name.
    pub name: String,
    /// Counts its changes: 1, 2, 3...
    pub version: i64,
    /// When a collector first found it so.
    pub at: Timestamp,
    /// Its declarations in TOML; empty where it was withdrawn.
    pub definition: String,
    /// Where.
    pub declared_in: DeclaredIn,
}

impl Store {
    /// Adds the next version of an agreement.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn put_agreement(
        &self,
        name: String,
        definition: String,
        declared_in: DeclaredIn,
        by: AuditRow,
    ) -> Result<(), StoreError> {
        let declared_in = word(&declared_in)?;
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO agreement (name, version, at_ms, definition, source)
                 SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM agreement WHERE name = ?1",
                params![name, by.at.ms(), definition, declared_in],
            )?;
            append_audit(connection, &by)
        };
        self.write(write, |()| {}).await
    }

    /// The newest version of each agreement, by name; withdrawn ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn agreements(&self) -> Result<Vec<AgreementVersion>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT name, version, at_ms, definition, source FROM agreement AS newest WHERE version =
                       (SELECT max(version) FROM agreement WHERE name = newest.name) ORDER BY name";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), row)
        })
        .await
    }

    /// All versions of an agreement, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn agreement_versions(&self, name: String) -> Result<Vec<AgreementVersion>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT name, version, at_ms, definition, source FROM agreement WHERE name = ?1 ORDER BY version";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([name]), row)
        })
        .await
    }
}

fn row(found: &Found<'_>) -> Result<AgreementVersion, StoreError> {
    Ok(AgreementVersion {
        name: column(found, 0)?,
        version: column(found, 1)?,
        at: Timestamp::from_ms(column(found, 2)?),
        definition: column(found, 3)?,
        declared_in: from_word(&column::<String>(found, 4)?)?,
    })
}

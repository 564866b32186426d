//! The list of assets as imported last.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::execute,
    from_json, in_state, json,
    load::{collect, column},
};
use crate::domain::assets::{Asset, Assets};

impl Store {
    /// The list as imported last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn assets(&self) -> Result<Assets, StoreError> {
        self.read(load).await
    }
}

/// Puts a list in the place of the one before.
pub(super) fn replace(connection: &Connection, rows: &[Asset]) -> Result<(), StoreError> {
    execute(connection, "DELETE FROM asset", [])?;
    rows.iter().try_for_each(|row| {
        execute(connection, "INSERT INTO asset (host, says) VALUES (?1, ?2)", params![row.host, json(&row.says)?])
    })
}

/// The list.
pub(super) fn load(connection: &Connection) -> Result<Assets, StoreError> {
    let mut statement = connection.prepare("SELECT host, says FROM asset ORDER BY host").map_err(in_state)?;
    let rows = collect(statement.query([]), |row| {
        Ok(Asset { host: column(row, 0)?, says: from_json(&column::<String>(row, 1)?)? })
    })?;
    Ok(Assets::new(rows))
}

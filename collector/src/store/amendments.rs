//! What people add to the record of service levels afterwards: versions are appended, none is changed.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state, json,
    load::{body, collect, column},
};
use crate::domain::{ids::AmendmentNo, record::AuditRow, sla::amendment::Amendment};

impl Store {
    /// Adds an amendment, or its next version; one without a number is given the next. Answers with its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_amendment(&self, amendment: Amendment, by: AuditRow) -> Result<AmendmentNo, StoreError> {
        let write = move |connection: &Connection| {
            let mut amendment = amendment.clone();
            if amendment.no.0 == 0 {
                let mut last = connection.prepare_cached("SELECT max(no) FROM amendment").map_err(in_state)?;
                let last = collect(last.query([]), |row| column::<Option<i64>>(row, 0))?;
                amendment.no = AmendmentNo(last.first().copied().flatten().unwrap_or(0) + 1);
            }
            execute(
                connection,
                "INSERT INTO amendment (no, version, body) VALUES (?1, ?2, ?3)",
                params![amendment.no.0, amendment.version, json(&amendment)?],
            )?;
            append_audit(connection, &by)?;
            Ok(amendment.no)
        };
        self.write(write, |_| {}).await
    }

    /// All amendments as they stand, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn amendments(&self) -> Result<Vec<Amendment>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM amendment WHERE version =
                       (SELECT max(version) FROM amendment AS other WHERE other.no = amendment.no) ORDER BY no";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), body)
        })
        .await
    }
}

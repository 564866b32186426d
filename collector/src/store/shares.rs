//! Links that show agreements without signing in. None is forgotten, so that no number is given twice.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state, json,
    load::{body, collect, column},
};
use crate::domain::{record::AuditRow, sla::share::Share, time::Timestamp};

impl Store {
    /// Records a link and gives it a number.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn put_share(&self, share: Share, by: AuditRow) -> Result<Share, StoreError> {
        let write = move |connection: &Connection| {
            let mut last = connection.prepare_cached("SELECT max(no) FROM agreement_link").map_err(in_state)?;
            let last = collect(last.query([]), |row| column::<Option<i64>>(row, 0))?;
            let no = last.first().copied().flatten().unwrap_or(0) + 1;
            let share = Share { no, ..share.clone() };
            execute(connection, "INSERT INTO agreement_link (no, body) VALUES (?1, ?2)", params![no, json(&share)?])?;
            append_audit(connection, &AuditRow { subject: no.to_string(), ..by.clone() })?;
            Ok(share)
        };
        self.write(write, |_| {}).await
    }

    /// All links, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shares(&self) -> Result<Vec<Share>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM agreement_link ORDER BY no DESC";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), body)
        })
        .await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn share(&self, no: i64) -> Result<Option<Share>, StoreError> {
        self.read(move |connection| share(connection, no)).await
    }

    /// Revokes a link that still works. False where there is none.
    ///
    /// # Errors
    /// [`StoreError`]; it works as before.
    pub async fn revoke_share(&self, no: i64, at: Timestamp, by: AuditRow) -> Result<bool, StoreError> {
        let write = move |connection: &Connection| {
            let Some(share) = share(connection, no)?.filter(|share| share.revoked.is_none() && at < share.ends) else {
                return Ok(false);
            };
            let revoked = Share { revoked: Some((at, by.who.clone())), ..share };
            let sql = "UPDATE agreement_link SET body = ?2 WHERE no = ?1";
            execute(connection, sql, params![no, json(&revoked)?])?;
            append_audit(connection, &by)?;
            Ok(true)
        };
        self.write(write, |_| {}).await
    }
}

fn share(connection: &Connection, no: i64) -> Result<Option<Share>, StoreError> {
    let sql = "SELECT body FROM agreement_link WHERE no = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
    Ok(collect(statement.query([no]), body)?.pop())
}

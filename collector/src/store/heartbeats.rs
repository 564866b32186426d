//! The secrets under which jobs say that they have run. Each is made once and stays, so that what stands in a crontab works on,
//! until somebody has it renewed.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state,
    load::{collect, column},
};
use crate::domain::record::AuditRow;

impl Store {
    /// The secret of each heartbeat ever configured; those of `fresh` that have none yet get the one given here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn heartbeat_secrets(&self, fresh: Vec<(String, String)>) -> Result<Vec<(String, String)>, StoreError> {
        let write = move |connection: &Connection| {
            for (name, secret) in &fresh {
                execute(
                    connection,
                    "INSERT INTO heartbeat_secret (name, secret) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                    params![name, secret],
                )?;
            }
            let sql = "SELECT name, secret FROM heartbeat_secret ORDER BY name";
            let mut statement = connection.prepare(sql).map_err(in_state)?;
            collect(statement.query([]), |row| Ok((column(row, 0)?, column(row, 1)?)))
        };
        self.write(write, |_| {}).await
    }

    /// Gives a heartbeat another secret; `committed` runs in the order of commits, so that what is kept in memory follows it.
    ///
    /// # Errors
    /// [`StoreError`]; the old one works on.
    pub async fn renew_heartbeat_secret(
        &self,
        name: String,
        secret: String,
        by: AuditRow,
        committed: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            let sql = "INSERT INTO heartbeat_secret (name, secret) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET secret = excluded.secret";
            execute(connection, sql, params![name, secret])?;
            append_audit(connection, &by)
        };
        self.write(write, |()| committed()).await
    }
}

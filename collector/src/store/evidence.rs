//! Evidence in `facts.db`: records that a host sent when it was asked, found by the time at which they were taken.

use rusqlite::{Connection, params};

use super::{FACTS_FILE, Store, StoreError, storage_error};
use crate::domain::{ids::HostNo, time::Timestamp};

/// Records looked at for one that is wanted; a host is asked once a minute at most.
const LOOKED_AT: i64 = 100;

/// Which of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The oldest.
    First,
    /// The newest.
    Last,
}

impl Store {
    /// The first or last evidence of a host, taken between two instants, of which `read` makes something.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn evidence<T: Send + 'static>(
        &self,
        host: HostNo,
        span: (Timestamp, Timestamp),
        which: Which,
        read: fn(Timestamp, &str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        self.facts_reader().read(move |connection| find(connection, host, span, which, read)).await
    }
}

fn find<T>(
    connection: &Connection,
    host: HostNo,
    (from, to): (Timestamp, Timestamp),
    which: Which,
    read: fn(Timestamp, &str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let failed = |error| storage_error(FACTS_FILE, &error);
    let sql = match which {
        Which::First => {
            "SELECT at_ms, body FROM fact WHERE host = ?1 AND kind = 'evidence' AND at_ms >= ?2 AND at_ms <= ?3
             ORDER BY at_ms LIMIT ?4"
        }
        Which::Last => {
            "SELECT at_ms, body FROM fact WHERE host = ?1 AND kind = 'evidence' AND at_ms >= ?2 AND at_ms <= ?3
             ORDER BY at_ms DESC LIMIT ?4"
        }
    };
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![host.0, from.ms(), to.ms(), LOOKED_AT]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (at, body): (i64, String) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        if let Some(found) = read(Timestamp::from_ms(at), &body) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

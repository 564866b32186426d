//! How the deliveries of an incident's pages went.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError, in_state,
    load::{collect, column},
};
use crate::domain::{
    ids::{IncidentNo, PageId},
    record::AttemptRow,
    time::Timestamp,
};

/// The attempts to deliver one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    /// How many there were.
    pub made: i64,
    /// The latest.
    pub last: AttemptRow,
}

const LAST_OF_EACH_PAGE: &str = "SELECT a.page, a.n, a.at_ms, a.outcome, a.detail,
    (SELECT count(*) FROM attempt b WHERE b.page = a.page)
  FROM page p JOIN attempt a ON a.page = p.id
  WHERE p.incident = ?1 AND a.n = (SELECT max(c.n) FROM attempt c WHERE c.page = p.id) ORDER BY a.page";

impl Store {
    /// The attempts of all pages of an incident that were tried at least once, in the order of the pages.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn attempts(&self, incident: IncidentNo) -> Result<Vec<Attempts>, StoreError> {
        self.read(move |connection| read(connection, incident)).await
    }
}

fn read(connection: &Connection, incident: IncidentNo) -> Result<Vec<Attempts>, StoreError> {
    let mut statement = connection.prepare_cached(LAST_OF_EACH_PAGE).map_err(in_state)?;
    collect(statement.query(params![incident.0]), |row| {
        let last = AttemptRow {
            page: PageId(column(row, 0)?),
            n: column(row, 1)?,
            at: Timestamp::from_ms(column(row, 2)?),
            outcome: column(row, 3)?,
            detail: column(row, 4)?,
        };
        Ok(Attempts { made: column(row, 5)?, last })
    })
}

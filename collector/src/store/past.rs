//! Past incidents and the calls that they made, for looking at what a choice would have meant.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError, from_json, in_state,
    load::{body, collect, column, timeline},
};
use crate::domain::{
    dismissal::past::Past,
    ids::IncidentNo,
    record::{IncidentEventRow, IncidentRow, Page, PageKind},
    time::Timestamp,
};

/// Incidents looked at, newest first: some tenths of a second of the reader.
const MOST: i64 = 10_000;
/// Incidents whose calls are read.
const MOST_WITH_CALLS: usize = 1_000;

const INCIDENTS: &str = "SELECT body FROM incident WHERE opened_ms >= ?1 ORDER BY no DESC LIMIT ?2";
const HANDLED: &str = "SELECT count(*) FROM incident_event WHERE incident = ?1 AND person IS NOT NULL
    AND kind IN ('acknowledged', 'resolved')";
const PAGES: &str = "SELECT body FROM page WHERE incident = ?1 ORDER BY id";

/// An incident with its timeline and its pages, both in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The incident.
    pub row: IncidentRow,
    /// Its timeline.
    pub events: Vec<IncidentEventRow>,
    /// Its pages.
    pub pages: Vec<Page>,
}

impl Store {
    /// An incident, however long it has been over; none where it is kept no longer.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn incident(&self, no: IncidentNo) -> Result<Option<Whole>, StoreError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT body FROM incident WHERE no = ?1").map_err(in_state)?;
            let Some(row) = collect(statement.query([no.0]), body)?.pop() else { return Ok(None) };
            Ok(Some(Whole { row, events: timeline(connection, no)?, pages: pages(connection, no)? }))
        })
        .await
    }

    /// The incidents opened since then that `wanted` wants, newest first, with the calls that they made.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn past(
        &self,
        since: Timestamp,
        wanted: impl Fn(&IncidentRow) -> bool + Send + 'static,
    ) -> Result<Vec<Past>, StoreError> {
        self.read(move |connection| read(connection, since, wanted)).await
    }
}

fn read(
    connection: &Connection,
    since: Timestamp,
    wanted: impl Fn(&IncidentRow) -> bool,
) -> Result<Vec<Past>, StoreError> {
    let mut statement = connection.prepare_cached(INCIDENTS).map_err(in_state)?;
    let rows: Vec<IncidentRow> =
        collect(statement.query(params![since.ms(), MOST]), |row| from_json(&column::<String>(row, 0)?))?;
    rows.into_iter().filter(wanted).take(MOST_WITH_CALLS).map(|row| with_calls(connection, row)).collect()
}

fn with_calls(connection: &Connection, row: IncidentRow) -> Result<Past, StoreError> {
    Ok(Past { handled: is_handled(connection, row.no)?, calls: calls(connection, row.no)?, row })
}

fn is_handled(connection: &Connection, incident: IncidentNo) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(HANDLED).map_err(in_state)?;
    statement.query_row([incident.0], |found| found.get::<_, i64>(0)).map(|count| count > 0).map_err(in_state)
}

/// When people were called: what tells of an end, or of who has it, calls nobody.
fn calls(connection: &Connection, incident: IncidentNo) -> Result<Vec<Timestamp>, StoreError> {
    let pages = pages(connection, incident)?;
    let calls = pages.iter().filter(|page| matches!(page.kind, PageKind::Opened | PageKind::Updated));
    Ok(calls.map(|page| page.decided).collect())
}

fn pages(connection: &Connection, incident: IncidentNo) -> Result<Vec<Page>, StoreError> {
    let mut statement = connection.prepare_cached(PAGES).map_err(in_state)?;
    collect(statement.query([incident.0]), body)
}

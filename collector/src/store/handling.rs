//! Incidents about hosts' being there, as reports of service levels tell of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{
    Store, StoreError, from_json, in_state,
    load::{collect, column},
};
use crate::domain::{
    calendar::Span,
    ids::IncidentNo,
    record::{IncidentRow, Page, PageKind},
    sla::handling::{Incident, NOTICED_WITHIN_MS},
    time::Timestamp,
};

const INCIDENTS: &str = "SELECT body FROM incident
    WHERE opened_ms < ?2 AND (resolved_ms IS NULL OR resolved_ms > ?1) ORDER BY no";
const ACKNOWLEDGED: &str = "SELECT at_ms, coalesce(person, '') FROM incident_event
    WHERE incident = ?1 AND kind = 'acknowledged' ORDER BY n LIMIT 1";
const PAGES: &str = "SELECT body FROM page WHERE incident = ?1 ORDER BY id";

impl Store {
    /// Incidents that lasted at some time of a window, by the key of what they are about; of `wanted` keys only.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn handling(
        &self,
        window: Span,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<BTreeMap<String, Vec<Incident>>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(INCIDENTS).map_err(in_state)?;
            let until = window.until.plus_ms(NOTICED_WITHIN_MS).ms();
            let rows: Vec<IncidentRow> = collect(statement.query(params![window.from.ms(), until]), |row| {
                from_json(&column::<String>(row, 0)?)
            })?;
            let mut found: BTreeMap<String, Vec<Incident>> = BTreeMap::new();
            for row in rows.into_iter().filter(|row| wanted(&row.key)) {
                let incident = incident(connection, &row)?;
                found.entry(row.key).or_default().push(incident);
            }
            Ok(found)
        })
        .await
    }
}

/// An incident as reports tell of it.
pub(super) fn incident(connection: &Connection, row: &IncidentRow) -> Result<Incident, StoreError> {
    Ok(Incident {
        no: row.no,
        since: row.since,
        opened: row.opened,
        resolved: row.resolved,
        paged: paged(connection, row.no)?,
        acknowledged: acknowledged(connection, row.no)?,
    })
}

fn acknowledged(connection: &Connection, no: IncidentNo) -> Result<Option<(Timestamp, String)>, StoreError> {
    let mut statement = connection.prepare_cached(ACKNOWLEDGED).map_err(in_state)?;
    let found =
        collect(statement.query([no.0]), |row| Ok((Timestamp::from_ms(column(row, 0)?), column::<String>(row, 1)?)))?;
    Ok(found.into_iter().next())
}

/// When the first page to a person was taken by its receiver.
fn paged(connection: &Connection, no: IncidentNo) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = connection.prepare_cached(PAGES).map_err(in_state)?;
    let pages: Vec<Page> = collect(statement.query([no.0]), |row| from_json(&column::<String>(row, 0)?))?;
    let calls = pages.iter().filter(|page| matches!(page.kind, PageKind::Opened | PageKind::Updated));
    Ok(calls.filter(|page| page.person.is_some()).filter_map(|page| page.proof.accepted).min())
}

//! Who was called, and how the incidents went that called: read from pages, timelines and incidents.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    Store, StoreError, from_json, in_state,
    load::{collect, column},
};
use crate::domain::{
    calendar::Span,
    oncall::figures::{Called, Course},
    record::{Page, PageKind},
    time::Timestamp,
};

/// Pages of incidents within a time.
const PAGES: &str =
    "SELECT body FROM page WHERE decided_ms >= ?1 AND decided_ms < ?2 AND incident IS NOT NULL ORDER BY id";
/// Incidents whose first page fell into a time, with that page, their first acknowledgement and their end.
const COURSES: &str = "SELECT p.incident, min(p.decided_ms),
    (SELECT min(e.at_ms) FROM incident_event e WHERE e.incident = p.incident AND e.kind = 'acknowledged'),
    (SELECT i.resolved_ms FROM incident i WHERE i.no = p.incident)
  FROM page p WHERE p.incident IN
    (SELECT q.incident FROM page q WHERE q.decided_ms >= ?1 AND q.decided_ms < ?2 AND q.incident IS NOT NULL)
  GROUP BY p.incident HAVING min(p.decided_ms) >= ?1 ORDER BY p.incident";

/// What the figures are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Pages that called a person: of a problem or of its going on, not of its end.
    pub called: Vec<Called>,
    /// Incidents that paged first within the time.
    pub courses: Vec<Course>,
}

impl Store {
    /// Who was called within a time, and how the incidents went that began to page in it.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn calls(&self, span: Span) -> Result<Calls, StoreError> {
        self.read(move |connection| {
            Ok(Calls { called: called(connection, span)?, courses: courses(connection, span)? })
        })
        .await
    }
}

fn called(connection: &Connection, span: Span) -> Result<Vec<Called>, StoreError> {
    let mut statement = connection.prepare_cached(PAGES).map_err(in_state)?;
    let pages = collect(statement.query([span.from.ms(), span.until.ms()]), |row| {
        from_json::<Page>(&column::<String>(row, 0)?)
    })?;
    // One step may call a person by several ways at once: that wakes them once.
    let mut found: BTreeMap<(Timestamp, String), Called> = BTreeMap::new();
    for page in pages.into_iter().filter(|page| matches!(page.kind, PageKind::Opened | PageKind::Updated)) {
        let Some(person) = page.person else { continue };
        found.insert((page.decided, person.clone()), Called { person, at: page.decided });
    }
    Ok(found.into_values().collect())
}

fn courses(connection: &Connection, span: Span) -> Result<Vec<Course>, StoreError> {
    let mut statement = connection.prepare_cached(COURSES).map_err(in_state)?;
    collect(statement.query([span.from.ms(), span.until.ms()]), |row| {
        Ok(Course {
            paged: Timestamp::from_ms(column(row, 1)?),
            acknowledged: column::<Option<i64>>(row, 2)?.map(Timestamp::from_ms),
            resolved: column::<Option<i64>>(row, 3)?.map(Timestamp::from_ms),
        })
    })
}

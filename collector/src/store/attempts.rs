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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        record::{Delivery, IncidentState, Page, PageKind, Row},
        severity::Severity,
    };

    fn page(id: i64, incident: i64) -> Row {
        Row::Page(Box::new(Page {
            id: PageId(id),
            message_id: id.to_string(),
            receiver: "on-call".into(),
            to: None,
            person: None,
            incident: Some(IncidentNo(incident)),
            n: id,
            kind: PageKind::Opened,
            key: "key".into(),
            state: IncidentState::Open,
            severity: Severity::Critical,
            title: "web-3 is down".into(),
            host: "web-3".into(),
            component: "host".into(),
            since: Timestamp::from_ms(1),
            decided: Timestamp::from_ms(1),
            details: String::new(),
            path: String::new(),
            act: None,
            delivery: Delivery::Queued,
            facts: Default::default(),
            proof: Default::default(),
        }))
    }

    fn attempt(page: i64, n: i64, detail: &str) -> Row {
        let (page, at) = (PageId(page), Timestamp::from_ms(n));
        Row::Attempt(AttemptRow { page, n, at, outcome: "retrying".into(), detail: detail.into() })
    }

    #[tokio::test]
    async fn attempts_are_counted_by_page_and_the_latest_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Timestamp::from_ms(1)).unwrap();
        let pages = vec![page(1, 7), page(2, 7), page(3, 7), page(4, 8)];
        let tries = vec![
            attempt(1, 10, "503"),
            attempt(1, 30, "timeout"),
            attempt(1, 20, "502"),
            attempt(2, 5, ""),
            attempt(4, 9, "x"),
        ];
        store.commit(pages.into_iter().chain(tries).collect()).await.unwrap();
        let found = store.attempts(IncidentNo(7)).await.unwrap();
        let shown: Vec<_> = found.iter().map(|page| (page.last.page.0, page.made, page.last.detail.as_str())).collect();
        assert_eq!(shown, [(1, 3, "timeout"), (2, 1, "")]);
    }
}

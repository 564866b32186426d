//! Reports that were issued for delivery: each is durable, with its documents, before anything of it leaves. The documents
//! go when nothing of them is to be sent any more.

use rusqlite::{Connection, Row as Found, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    from_json, in_state, json,
    load::{body, collect, column},
    word,
};
use crate::domain::{
    record::AuditRow,
    sla::delivery::{Delivery, Document, Format, Issue},
    time::Timestamp,
};

/// Issues with what came of each delivery, by number; which ones follows.
const ISSUES: &str = "SELECT no, body FROM report_issue WHERE";
const DELIVERIES: &str = "SELECT body FROM report_delivery WHERE issue = ?1 ORDER BY n";

impl Store {
    /// Records an issue with its deliveries and what is to be delivered, and gives it a number. Nothing is recorded, and
    /// nothing answered, where the schedule had one over the period already.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn put_issue(
        &self,
        issue: Issue,
        documents: Vec<Document>,
        by: Option<AuditRow>,
    ) -> Result<Option<Issue>, StoreError> {
        let write = move |connection: &Connection| {
            let mut issue = issue.clone();
            if issue.asked_by.is_none() && is_known(connection, &issue)? {
                return Ok(None);
            }
            let mut last = connection.prepare_cached("SELECT max(no) FROM report_issue").map_err(in_state)?;
            let last = collect(last.query([]), |row| column::<Option<i64>>(row, 0))?;
            issue.no = last.first().copied().flatten().unwrap_or(0) + 1;
            let scheduled = i64::from(issue.asked_by.is_none());
            execute(
                connection,
                "INSERT INTO report_issue (no, report, agreement, period, due_ms, scheduled, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    issue.no,
                    issue.report,
                    issue.agreement,
                    issue.period,
                    issue.due.ms(),
                    scheduled,
                    json(&issue)?
                ],
            )?;
            for delivery in &issue.deliveries {
                execute(
                    connection,
                    "INSERT INTO report_delivery (issue, n, state, body) VALUES (?1, ?2, ?3, ?4)",
                    params![issue.no, delivery.n, word(&delivery.state)?, json(delivery)?],
                )?;
            }
            for document in &documents {
                execute(
                    connection,
                    "INSERT INTO report_document (issue, format, body) VALUES (?1, ?2, ?3)",
                    params![issue.no, document.format.word(), document.body],
                )?;
            }
            if let Some(by) = &by {
                append_audit(connection, by)?;
            }
            Ok(Some(issue))
        };
        self.write(write, |_| {}).await
    }

    /// Writes down how far a delivery is. With the last of an issue its documents go.
    ///
    /// # Errors
    /// [`StoreError`]; it stands as before.
    pub async fn put_delivery(&self, issue: i64, delivery: Delivery) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "UPDATE report_delivery SET state = ?3, body = ?4 WHERE issue = ?1 AND n = ?2",
                params![issue, delivery.n, word(&delivery.state)?, json(&delivery)?],
            )?;
            let open = "SELECT 1 FROM report_delivery WHERE issue = ?1 AND state IN ('waiting', 'under_way')";
            if !connection.prepare_cached(open).and_then(|mut open| open.exists([issue])).map_err(in_state)? {
                execute(connection, "DELETE FROM report_document WHERE issue = ?1", params![issue])?;
            }
            Ok(())
        };
        self.write(write, |()| {}).await
    }

    /// Issues of which something is still to be sent, or was being sent, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_issues(&self) -> Result<Vec<Issue>, StoreError> {
        let of = "no IN (SELECT issue FROM report_delivery WHERE state IN ('waiting', 'under_way')) ORDER BY no";
        self.read(move |connection| issues(connection, of, [])).await
    }

    /// The newest that was made of each agreement and report, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_issues(&self) -> Result<Vec<Issue>, StoreError> {
        let of = "no IN (SELECT max(issue.no) FROM report_issue AS issue
                  JOIN report_delivery AS delivery ON delivery.issue = issue.no AND delivery.n = 1
                  GROUP BY issue.report, issue.agreement) ORDER BY no DESC";
        self.read(move |connection| issues(connection, of, [])).await
    }

    /// Issues before a number, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn issues_before(&self, no: i64, limit: usize) -> Result<Vec<Issue>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| issues(connection, "no < ?1 ORDER BY no DESC LIMIT ?2", [no, limit])).await
    }

    /// These issues, as they stand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn issues_numbered(&self, numbers: Vec<i64>) -> Result<Vec<Issue>, StoreError> {
        self.read(move |connection| {
            let mut found = Vec::with_capacity(numbers.len());
            for no in numbers {
                found.extend(issues(connection, "no = ?1", [no])?);
            }
            Ok(found)
        })
        .await
    }

    /// When each report was due last, by schedule, for each agreement: issued or left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_due(&self) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT report, agreement, max(due_ms) FROM report_issue WHERE scheduled = 1 GROUP BY report, agreement";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([]), |row| {
                Ok((column(row, 0)?, column(row, 1)?, Timestamp::from_ms(column(row, 2)?)))
            })
        })
        .await
    }

    /// What is to be delivered of an issue; nothing once all of it is settled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn documents(&self, issue: i64) -> Result<Vec<Document>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT format, body FROM report_document WHERE issue = ?1";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            let mut found = collect(statement.query([issue]), document)?;
            found.sort_by_key(|document| document.format);
            Ok(found)
        })
        .await
    }
}

fn is_known(connection: &Connection, issue: &Issue) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM report_issue WHERE report = ?1 AND agreement = ?2 AND period = ?3 AND scheduled = 1";
    let known = |mut statement: rusqlite::CachedStatement<'_>| {
        statement.exists([&issue.report, &issue.agreement, &issue.period])
    };
    connection.prepare_cached(sql).and_then(known).map_err(in_state)
}

fn issues(connection: &Connection, of: &str, values: impl rusqlite::Params) -> Result<Vec<Issue>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{ISSUES} {of}")).map_err(in_state)?;
    let mut found = collect(statement.query(values), |row| {
        let issue: Issue = from_json(&column::<String>(row, 1)?)?;
        Ok(Issue { no: column(row, 0)?, ..issue })
    })?;
    let mut deliveries = connection.prepare_cached(DELIVERIES).map_err(in_state)?;
    for issue in &mut found {
        issue.deliveries = collect(deliveries.query([issue.no]), body)?;
    }
    Ok(found)
}

fn document(row: &Found<'_>) -> Result<Document, StoreError> {
    let format: String = column(row, 0)?;
    let unknown = || StoreError::Broken(format!("state.db: unknown format {format:?} of a report"));
    Ok(Document { format: Format::parse(&format).ok_or_else(unknown)?, body: column(row, 1)? })
}

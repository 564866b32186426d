//! The ledgers of checks: entries are numbered here, one chain for each check of a host.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row as Found, params};

use super::{
    Store, StoreError, chain,
    engine_rows::execute,
    from_word, in_state,
    load::{collect, column},
    word,
};
use crate::domain::{calendar::Span, host::check_ledger::CheckSpanRow, ids::HostNo, time::Timestamp};

/// Columns of an entry.
const COLUMNS: &str = "host, name, n, from_ms, to_ms, status, said, gone, learned_ms, hash";

/// The ledger of one check, as far as it touches a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckEntries {
    /// Whether it begins with the first of `rows`.
    pub from_its_beginning: bool,
    /// Entries that touch the window, and the one before them, by number.
    pub rows: Vec<CheckSpanRow>,
}

impl Store {
    /// What the ledgers of all checks of these hosts say of a window, by the checks' names; also of checks that are not
    /// defined any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check_ledgers(
        &self,
        hosts: Vec<HostNo>,
        window: Span,
    ) -> Result<BTreeMap<HostNo, BTreeMap<String, CheckEntries>>, StoreError> {
        self.read(move |connection| {
            let mut names =
                connection.prepare("SELECT DISTINCT name FROM check_span WHERE host = ?1").map_err(in_state)?;
            let mut before = connection
                .prepare(
                    "SELECT n FROM check_span WHERE host = ?1 AND name = ?2 AND to_ms <= ?3 ORDER BY n DESC LIMIT 1",
                )
                .map_err(in_state)?;
            let sql = format!(
                "SELECT {COLUMNS} FROM check_span WHERE host = ?1 AND name = ?2 AND n >= ?3 AND from_ms < ?4 ORDER BY n"
            );
            let mut entries = connection.prepare(&sql).map_err(in_state)?;
            let mut found = BTreeMap::new();
            for host in hosts {
                let mut of_host = BTreeMap::new();
                for name in collect(names.query([host.0]), |row| column::<String>(row, 0))? {
                    let since = collect(before.query(params![host.0, name, window.from.ms()]), |row| column(row, 0))?;
                    let since: i64 = since.first().copied().unwrap_or(0);
                    let numbered = collect(entries.query(params![host.0, name, since, window.until.ms()]), |row| {
                        Ok((column::<i64>(row, 2)?, entry(row)?))
                    })?;
                    let from_its_beginning = numbered.first().is_some_and(|(n, _)| *n == 1);
                    let rows = numbered.into_iter().map(|(_, row)| row).collect();
                    of_host.insert(name, CheckEntries { from_its_beginning, rows });
                }
                found.insert(host, of_host);
            }
            Ok(found)
        })
        .await
    }
}

/// Appends the next entry of a check's ledger. One that is there already to the last word was committed before: its commit
/// is tried again.
pub(super) fn append(connection: &Connection, row: &CheckSpanRow) -> Result<(), StoreError> {
    let status = word(&row.status)?;
    let same: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM check_span WHERE host = ?1 AND name = ?2 AND from_ms = ?3 AND to_ms = ?4 AND status = ?5
             AND said = ?6 AND gone = ?7 AND learned_ms = ?8",
        )
        .and_then(|mut statement| {
            let (from, to) = (row.from.ms(), row.to.ms());
            let values = params![
                row.host.0,
                row.check,
                from,
                to,
                status,
                row.said,
                i64::from(row.gone),
                row.learned.ms()
            ];
            statement.query_row(values, |found| found.get(0))
        })
        .map_err(in_state)?;
    if same > 0 {
        return Ok(());
    }
    let last: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT n, hash FROM check_span WHERE host = ?1 AND name = ?2 ORDER BY n DESC LIMIT 1")
        .and_then(|mut statement| {
            statement.query_row(params![row.host.0, row.check], |found| Ok((found.get(0)?, found.get(1)?))).optional()
        })
        .map_err(in_state)?;
    let (n, previous) = last.map_or_else(|| (1, chain::START.to_vec()), |(n, hash)| (n + 1, hash));
    execute(
        connection,
        "INSERT INTO check_span (host, name, n, from_ms, to_ms, status, said, gone, learned_ms, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            row.host.0,
            row.check,
            n,
            row.from.ms(),
            row.to.ms(),
            status,
            row.said,
            i64::from(row.gone),
            row.learned.ms(),
            hash(&previous, n, row, &status)
        ],
    )
}

/// Entries whose hash does not follow from the one before, or that have none before.
pub(super) fn broken_links(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM check_span ORDER BY host, name, n");
    let mut statement = connection.prepare(&sql).map_err(in_state)?;
    let mut rows = statement.query([]).map_err(in_state)?;
    let (mut of, mut expected_n, mut previous) = ((HostNo(i64::MIN), String::new()), 1, chain::START.to_vec());
    let mut broken = Vec::new();
    while let Some(found) = rows.next().map_err(in_state)? {
        let (row, n, stored) = (entry(found)?, column::<i64>(found, 2)?, column::<Vec<u8>>(found, 9)?);
        if (row.host, &row.check) != (of.0, &of.1) {
            (of, expected_n, previous) = ((row.host, row.check.clone()), 1, chain::START.to_vec());
        }
        if n != expected_n || hash(&previous, n, &row, &word(&row.status)?) != stored {
            let (host, check) = &of;
            broken.push(format!(
                "ledger entry {n} of check {check:?} of host {host} does not follow from the one before"
            ));
        }
        (expected_n, previous) = (n + 1, stored);
    }
    Ok(broken)
}

fn entry(row: &Found<'_>) -> Result<CheckSpanRow, StoreError> {
    let time = |index: usize| column(row, index).map(Timestamp::from_ms);
    Ok(CheckSpanRow {
        host: HostNo(column(row, 0)?),
        check: column(row, 1)?,
        from: time(3)?,
        to: time(4)?,
        status: from_word(&column::<String>(row, 5)?)?,
        said: column(row, 6)?,
        gone: column::<i64>(row, 7)? != 0,
        learned: time(8)?,
    })
}

fn hash(previous: &[u8], n: i64, row: &CheckSpanRow, status: &str) -> Vec<u8> {
    let number = |value: i64| value.to_be_bytes();
    chain::link(
        previous,
        &[
            &number(row.host.0),
            row.check.as_bytes(),
            &number(n),
            &number(row.from.ms()),
            &number(row.to.ms()),
            status.as_bytes(),
            row.said.as_bytes(),
            &number(i64::from(row.gone)),
            &number(row.learned.ms()),
        ],
    )
}

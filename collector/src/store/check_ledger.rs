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
use crate::domain::{
    calendar::Span,
    host::check_ledger::{CheckSpanRow, Counted},
    ids::HostNo,
    sla::{check_basis::KeptCheck, inputs::hex},
    time::Timestamp,
};

/// Columns of an entry.
const COLUMNS: &str = "host, name, n, from_ms, to_ms, status, said, gone, learned_ms, hash";

/// The ledger of one check, as far as it touches a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckEntries {
    /// Whether it begins with the first of `rows`.
    pub from_its_beginning: bool,
    /// Entries that touch the window, and the one before them, by number.
    pub rows: Vec<CheckSpanRow>,
    /// The newest entries, whatever the window: their numbers and when they begin, the newest first.
    pub newest: Vec<(i64, Timestamp)>,
}

/// Entries that may be written between a snapshot and the reading of a ledger, at the very most: a check runs once a second.
const NEWEST: i64 = 16;

impl CheckEntries {
    /// As it was when this was its open end: without what was written since.
    #[must_use]
    pub fn until(mut self, open: Option<&Counted>) -> Self {
        if let Some(open) = open {
            self.rows.retain(|row| row.from < open.from);
            self.newest.retain(|(_, from)| *from < open.from);
        }
        self
    }

    /// Its last entry; 0: none.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.newest.first().map_or(0, |(n, _)| *n)
    }
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
            let mut newest = connection
                .prepare("SELECT n, from_ms FROM check_span WHERE host = ?1 AND name = ?2 ORDER BY n DESC LIMIT ?3")
                .map_err(in_state)?;
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
                    let newest = collect(newest.query(params![host.0, name, NEWEST]), |row| {
                        Ok((column::<i64>(row, 0)?, Timestamp::from_ms(column(row, 1)?)))
                    })?;
                    of_host.insert(name, CheckEntries { from_its_beginning, rows, newest });
                }
                found.insert(host, of_host);
            }
            Ok(found)
        })
        .await
    }

    /// The links of the chain at these entries of checks' ledgers, in hexadecimal; those that there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check_positions(
        &self,
        entries: Vec<(HostNo, String, i64)>,
    ) -> Result<BTreeMap<(HostNo, String), String>, StoreError> {
        self.read(move |connection| {
            let mut hash = connection
                .prepare_cached("SELECT hash FROM check_span WHERE host = ?1 AND name = ?2 AND n = ?3")
                .map_err(in_state)?;
            let mut found = BTreeMap::new();
            for (host, name, n) in entries {
                let known = collect(hash.query(params![host.0, name, n]), |row| column::<Vec<u8>>(row, 0))?;
                found.extend(known.first().map(|hash| ((host, name), hex(hash))));
            }
            Ok(found)
        })
        .await
    }

    /// A check's ledger up to entry `n`: what of it touches a window, and whether its chain holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check_ledger_until(
        &self,
        (host, name): (HostNo, String),
        n: i64,
        window: Span,
    ) -> Result<KeptCheck, StoreError> {
        self.read(move |connection| kept(connection, (host, &name), n, window)).await
    }
}

fn kept(
    connection: &Connection,
    (host, name): (HostNo, &str),
    until: i64,
    window: Span,
) -> Result<KeptCheck, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM check_span WHERE host = ?1 AND name = ?2 ORDER BY n");
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    let mut rows = statement.query(params![host.0, name]).map_err(in_state)?;
    let (mut kept, mut before): (KeptCheck, Option<(i64, Vec<u8>)>) = (KeptCheck::default(), None);
    while let Some(found) = rows.next().map_err(in_state)? {
        let (row, n, stored) = (entry(found)?, column::<i64>(found, 2)?, column::<Vec<u8>>(found, 9)?);
        let follows = |previous: &[u8]| Ok::<_, StoreError>(hash(previous, n, &row, &word(&row.status)?) == stored);
        let holds = match &before {
            // The first that is kept of a ledger whose beginning is forgotten follows from what nobody has any more.
            None if n > 1 => true,
            None => follows(&chain::START)?,
            Some((last, previous)) => *last + 1 == n && follows(previous)?,
        };
        if !holds && kept.broken.is_none() {
            kept.broken = Some(n);
        }
        kept.first = kept.first.or(Some((n, row.from)));
        before = Some((n, stored.clone()));
        if n > until {
            kept.next = Some(row);
            break;
        }
        if n == until {
            kept.hash = Some(hex(&stored));
        }
        if row.to <= window.from {
            kept.rows.clear();
        }
        if kept.rows.is_empty() {
            kept.from_its_beginning = n == 1;
        }
        if row.from < window.until {
            kept.rows.push(row);
        }
    }
    Ok(kept)
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

//! The rows of trends: packed bytes with the list of series that they are about. What is in them is not known here.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};

use super::{DAY_MS, failed};
use crate::{
    domain::{ids::HostNo, time::Timestamp, trend::Series},
    store::StoreError,
};

/// What a row costs beside its bytes, in both the table and its key's index; measured.
const ROW_BYTES: u64 = 60;

/// Which of both tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// An hour of minutes.
    Minute,
    /// A day of hours.
    Hour,
}

/// The statements of one table.
struct Sql {
    word: &'static str,
    between: &'static str,
    size: &'static str,
    put: &'static str,
    delete: &'static str,
    oldest: &'static str,
}

impl Grain {
    const fn sql(self) -> Sql {
        match self {
            Self::Minute => Sql {
                word: "minute",
                between:
                    "SELECT t.from_ms, s.no, s.series, t.packed FROM trend_minute t JOIN trend_set s ON s.no = t.series
                          WHERE t.host = ?1 AND t.from_ms >= ?2 AND t.from_ms < ?3 ORDER BY t.from_ms",
                size: "SELECT length(packed) FROM trend_minute WHERE host = ?1 AND from_ms = ?2",
                put: "INSERT INTO trend_minute (host, from_ms, series, packed) VALUES (?1, ?2, ?3, ?4)
                      ON CONFLICT (host, from_ms) DO UPDATE SET series = excluded.series, packed = excluded.packed",
                delete: "DELETE FROM trend_minute WHERE host = ?1 AND from_ms = ?2",
                oldest: "SELECT from_ms, length(packed) FROM trend_minute
                         WHERE host = ?1 AND from_ms < ?2 ORDER BY from_ms LIMIT ?3",
            },
            Self::Hour => Sql {
                word: "hour",
                between:
                    "SELECT t.from_ms, s.no, s.series, t.packed FROM trend_hour t JOIN trend_set s ON s.no = t.series
                          WHERE t.host = ?1 AND t.from_ms >= ?2 AND t.from_ms < ?3 ORDER BY t.from_ms",
                size: "SELECT length(packed) FROM trend_hour WHERE host = ?1 AND from_ms = ?2",
                put: "INSERT INTO trend_hour (host, from_ms, series, packed) VALUES (?1, ?2, ?3, ?4)
                      ON CONFLICT (host, from_ms) DO UPDATE SET series = excluded.series, packed = excluded.packed",
                delete: "DELETE FROM trend_hour WHERE host = ?1 AND from_ms = ?2",
                oldest: "SELECT from_ms, length(packed) FROM trend_hour
                         WHERE host = ?1 AND from_ms < ?2 ORDER BY from_ms LIMIT ?3",
            },
        }
    }
}

/// One row as stored.
pub(super) struct Stored {
    pub(super) from_ms: i64,
    pub(super) series: Arc<[Option<Series>]>,
    pub(super) packed: Vec<u8>,
}

/// The rows of a host that begin from `from_ms` to before `to_ms`, oldest first.
pub(super) fn between(
    connection: &Connection,
    grain: Grain,
    host: HostNo,
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<Stored>, StoreError> {
    let mut statement = connection.prepare_cached(grain.sql().between).map_err(failed)?;
    let mut found = statement.query(params![host.0, from_ms, to_ms]).map_err(failed)?;
    let mut sets: HashMap<i64, Arc<[Option<Series>]>> = HashMap::new();
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let (from_ms, no, packed) =
            (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?, row.get(3).map_err(failed)?);
        let series = match sets.get(&no) {
            Some(known) => Arc::clone(known),
            None => {
                let text: String = row.get(2).map_err(failed)?;
                let list: Arc<[_]> = Series::list_from_text(&text).into();
                sets.insert(no, Arc::clone(&list));
                list
            }
        };
        rows.push(Stored { from_ms, series, packed });
    }
    Ok(rows)
}

/// Writes a row, instead of the one that begins at the same time.
pub(super) fn put(
    connection: &Connection,
    grain: Grain,
    host: HostNo,
    from_ms: i64,
    series: &[Series],
    packed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = grain.sql();
    let set = set_of(connection, series, now)?;
    let before: Option<i64> = connection
        .prepare_cached(sql.size)
        .and_then(|mut statement| statement.query_row(params![host.0, from_ms], |row| row.get(0)).optional())
        .map_err(failed)?;
    let grown = i64::try_from(packed.len()).unwrap_or(i64::MAX) - before.unwrap_or(0);
    connection
        .prepare_cached(sql.put)
        .and_then(|mut statement| statement.execute(params![host.0, from_ms, set, packed]))
        .map_err(failed)?;
    count(connection, grain, i64::from(before.is_none()), grown)
}

/// The number of this list of series; made when it is new.
fn set_of(connection: &Connection, series: &[Series], now: Timestamp) -> Result<i64, StoreError> {
    let text = Series::list_to_text(series);
    let known: Option<(i64, i64)> = connection
        .prepare_cached("SELECT no, used_ms FROM trend_set WHERE series = ?1")
        .and_then(|mut statement| statement.query_row([&text], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed)?;
    if let Some((no, used_ms)) = known {
        if used_ms < now.ms() - DAY_MS {
            connection
                .prepare_cached("UPDATE trend_set SET used_ms = ?2 WHERE no = ?1")
                .and_then(|mut statement| statement.execute([no, now.ms()]))
                .map_err(failed)?;
        }
        return Ok(no);
    }
    let no: i64 = connection
        .prepare_cached("SELECT coalesce(max(no), 0) + 1 FROM trend_set")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(failed)?;
    connection
        .prepare_cached("INSERT INTO trend_set (no, series, used_ms) VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute(params![no, text, now.ms()]))
        .map_err(failed)?;
    Ok(no)
}

/// Lists that no row can be about any more. Numbers are not given twice while the newest list stays.
pub(super) fn forget_sets(connection: &Connection, before: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM trend_set WHERE used_ms < ?1 AND no < (SELECT max(no) FROM trend_set)")
        .and_then(|mut statement| statement.execute([before.ms()]))
        .map_err(failed)?;
    Ok(())
}

/// When the oldest row of a host begins.
pub(super) fn oldest(connection: &Connection, grain: Grain, host: HostNo) -> Result<Option<i64>, StoreError> {
    Ok(oldest_rows(connection, grain, host, i64::MAX, 1)?.first().map(|(from_ms, _)| *from_ms))
}

fn oldest_rows(
    connection: &Connection,
    grain: Grain,
    host: HostNo,
    before_ms: i64,
    most: usize,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(grain.sql().oldest).map_err(failed)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = statement.query_map(params![host.0, before_ms, most], |row| Ok((row.get(0)?, row.get(1)?)));
    found.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

/// Deletes a host's rows that begin before an instant.
pub(super) fn delete_before(
    connection: &Connection,
    grain: Grain,
    host: HostNo,
    before_ms: i64,
) -> Result<(), StoreError> {
    let rows = oldest_rows(connection, grain, host, before_ms, usize::MAX)?;
    delete(connection, grain, host, &rows)
}

/// Deletes a host's row that begins at an instant.
pub(super) fn delete_at(connection: &Connection, grain: Grain, host: HostNo, from_ms: i64) -> Result<(), StoreError> {
    let size: Option<i64> = connection
        .prepare_cached(grain.sql().size)
        .and_then(|mut statement| statement.query_row(params![host.0, from_ms], |row| row.get(0)).optional())
        .map_err(failed)?;
    size.map_or(Ok(()), |bytes| delete(connection, grain, host, &[(from_ms, bytes)]))
}

/// Deletes a host's oldest rows; returns how many.
pub(super) fn delete_oldest(
    connection: &Connection,
    grain: Grain,
    host: HostNo,
    most: usize,
) -> Result<u64, StoreError> {
    let rows = oldest_rows(connection, grain, host, i64::MAX, most)?;
    delete(connection, grain, host, &rows)?;
    Ok(rows.len() as u64)
}

fn delete(connection: &Connection, grain: Grain, host: HostNo, rows: &[(i64, i64)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(grain.sql().delete).map_err(failed)?;
    for (from_ms, _) in rows {
        statement.execute(params![host.0, from_ms]).map_err(failed)?;
    }
    let bytes: i64 = rows.iter().map(|(_, bytes)| bytes).sum();
    count(connection, grain, -i64::try_from(rows.len()).unwrap_or(i64::MAX), -bytes)
}

fn count(connection: &Connection, grain: Grain, rows: i64, bytes: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE trend_size SET held = held + ?2, bytes = bytes + ?3 WHERE grain = ?1")
        .and_then(|mut statement| statement.execute(params![grain.sql().word, rows, bytes]))
        .map_err(failed)?;
    Ok(())
}

/// What all rows together take on disk.
pub(super) fn bytes(connection: &Connection) -> Result<u64, StoreError> {
    let (rows, bytes): (i64, i64) = connection
        .prepare_cached("SELECT coalesce(sum(held), 0), coalesce(sum(bytes), 0) FROM trend_size")
        .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(failed)?;
    Ok(u64::try_from(bytes).unwrap_or(0) + u64::try_from(rows).unwrap_or(0) * ROW_BYTES)
}

/// Hosts with minutes from before `before`, or any hours: found by leaps over the key, not by reading all rows.
pub(super) fn hosts_with_older(connection: &Connection, before: Timestamp) -> Result<Vec<HostNo>, StoreError> {
    let mut hosts = std::collections::BTreeSet::new();
    for sql in
        ["SELECT min(host) FROM trend_minute WHERE host > ?1", "SELECT min(host) FROM trend_hour WHERE host > ?1"]
    {
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        let mut last = i64::MIN;
        while let Some(host) = statement.query_row([last], |row| row.get::<_, Option<i64>>(0)).map_err(failed)? {
            last = host;
            let old_minutes =
                oldest(connection, Grain::Minute, HostNo(host))?.is_some_and(|oldest| oldest < before.ms());
            let silent = oldest(connection, Grain::Minute, HostNo(host))?.is_none();
            if old_minutes || silent {
                hosts.insert(HostNo(host));
            }
        }
    }
    Ok(hosts.into_iter().collect())
}

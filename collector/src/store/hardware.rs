//! Evidence of the hardware in `facts.db`: of each part what was found last, and enough of what was found before.
//!
//! Only what differs is a row. Of a part the latest are kept, and of older days the last one each; what a host has of all
//! parts together is bounded too. What is in a payload is not known here.

use std::{collections::BTreeSet, io::Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::read::GzDecoder;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::{FACTS_FILE, Fact, Store, StoreError, storage_error};
use crate::domain::{
    ids::HostNo,
    rules::{PROCESSES, hardware::standing::is_since_first},
    time::Timestamp,
};

/// Of a part, so many of the latest are kept whatever their age.
const LATEST: usize = 8;
/// The source of which each row says something of its own: what the kernel said since the row before.
pub(super) const EVENTS: &str = "kernel-log";
/// Of that, so many are kept.
const LATEST_EVENTS: usize = 200;
/// Of older ones the last of each day (UTC) is kept, for so many days: rules look for what grew within weeks.
const DAYS: i64 = 40;
const DAY_MS: i64 = 86_400_000;
/// Rows of one host: some hundred drives.
const ROWS_PER_HOST: i64 = 10_000;
/// Bytes of all payloads of one host.
const BYTES_PER_HOST: i64 = 64 * 1024 * 1024;
/// Rows deleted in one transaction.
const SLICE: i64 = 500;
/// `outcome` of what said something.
pub(super) const READ: &str = "read";
/// `outcome` where there is no such part.
pub(super) const NOT_PRESENT: &str = "not_present";
/// `format` of a payload that is compressed.
const GZIP: u32 = 2;
/// A payload is at most so long once it is decompressed, in bytes; the door lets no longer one in.
const PAYLOAD_BYTES: u64 = 512 * 1024;

/// What was found of one part at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What said it: `smartctl-json`, `mdstat`, ...
    pub source: String,
    /// Of which part; empty: of the machine.
    pub part: String,
    /// When, in collector time.
    pub at: Timestamp,
    /// `read`, `not_present`, `unreadable`, `failed` or `asleep`.
    pub outcome: String,
    /// Why it could not be read, or what is lacking; the host's word.
    pub reason: String,
    /// Bytes of the payload once it is decompressed.
    pub size: u64,
    /// How the payload is written.
    format: u32,
    payload: Vec<u8>,
}

impl Found {
    /// Why it could not be read, in a word (the reason begins with it); empty where it was.
    #[must_use]
    pub fn why(&self) -> &str {
        why(&self.outcome, &self.reason)
    }

    /// What was said; empty where nothing could be read.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        if self.format != GZIP {
            return self.payload.clone();
        }
        let mut plain = Vec::new();
        // It was whole when it came in; what of it can be read is better than nothing.
        let _ = GzDecoder::new(&self.payload[..]).take(PAYLOAD_BYTES).read_to_end(&mut plain);
        plain
    }
}

fn why<'a>(outcome: &str, reason: &'a str) -> &'a str {
    match reason.split_once(':') {
        Some((word, _)) if outcome != READ => word,
        _ => "",
    }
}

/// One row without its payload: that something was found of a part, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What said it.
    pub source: String,
    /// Of which part; empty: of the machine.
    pub part: String,
    /// The row's number among those of its part; a later one is greater.
    pub n: i64,
    /// When, in collector time.
    pub at: Timestamp,
    /// `read`, `not_present`, `unreadable`, `failed` or `asleep`.
    pub outcome: String,
    /// Why it could not be read, in a word; empty where it was.
    pub why: String,
}

/// Which rows of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// The latest of each part.
    AllParts,
    /// All that are kept of one part, the latest first.
    Part {
        /// Its source.
        source: String,
        /// Its name.
        part: String,
    },
    /// These, in their order; what is kept no more is left out.
    Marked(Vec<Mark>),
}

impl Store {
    /// What was found of a host's hardware.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn hardware(&self, host: HostNo, of: Of) -> Result<Vec<Found>, StoreError> {
        self.facts_reader().read(move |connection| find(connection, host, &of)).await
    }

    /// That something was found, without what: of each part of a host all rows that are kept, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn hardware_marks(&self, host: HostNo) -> Result<Vec<Mark>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let mut statement = connection
                    .prepare_cached(
                        "SELECT source, part, n, at_ms, outcome, reason FROM evidence WHERE host = ?1
                         ORDER BY source, part, n DESC",
                    )
                    .map_err(failed)?;
                let mark = |row: &rusqlite::Row<'_>| {
                    let at = Timestamp::from_ms(row.get(3)?);
                    let (outcome, reason): (String, String) = (row.get(4)?, row.get(5)?);
                    let why = why(&outcome, &reason).to_owned();
                    Ok(Mark { source: row.get(0)?, part: row.get(1)?, n: row.get(2)?, at, outcome, why })
                };
                statement.query_map([host.0], mark).and_then(Iterator::collect).map_err(failed)
            })
            .await
    }

    /// Hosts of whose hardware anything was found.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn hosts_with_hardware(&self) -> Result<BTreeSet<HostNo>, StoreError> {
        self.facts_reader()
            .read(|connection| {
                let mut statement = connection.prepare("SELECT DISTINCT host FROM evidence").map_err(failed)?;
                let hosts = statement.query_map([], |row| row.get(0).map(HostNo));
                hosts.and_then(Iterator::collect).map_err(failed)
            })
            .await
    }

    /// Deletes the oldest where a host has more than it may; returns how many.
    pub(super) async fn prune_hardware(&self, host: HostNo) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.facts_reader().read(move |connection| oldest_to_go(connection, host)).await?;
            if found.is_empty() {
                return Ok(deleted);
            }
            deleted += found.len() as u64;
            self.facts().write(move |connection| delete_all(connection, host, &found), |()| {}).await?;
        }
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

/// A record of kind `evidence`, as the door wrote it.
#[derive(Deserialize)]
struct Told {
    source: String,
    part: String,
    outcome: String,
    reason: String,
    format: u32,
    size: i64,
    #[serde(default)]
    payload: String,
    #[serde(default)]
    payload_base64: String,
}

/// Stores a fact if it is evidence of the hardware; returns whether it is.
pub(super) fn put(connection: &Connection, host: HostNo, fact: &Fact) -> Result<bool, StoreError> {
    let is_hardware = |told: &Told| !matches!(told.source.as_str(), "" | PROCESSES);
    let told = || serde_json::from_str(&fact.body).ok().filter(is_hardware);
    let Some(told) = (fact.kind == "evidence").then(told).flatten() else { return Ok(false) };
    let payload = match BASE64.decode(&told.payload_base64) {
        Ok(bytes) if !bytes.is_empty() => bytes,
        _ => told.payload.clone().into_bytes(),
    };
    let last: Option<(String, String, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT outcome, reason, payload FROM evidence WHERE host = ?1 AND source = ?2 AND part = ?3
             ORDER BY n DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement.query_row(params![host.0, told.source, told.part], row).optional()
        })
        .map_err(failed)?;
    if last.is_some_and(|(outcome, reason, last)| {
        (outcome, reason, last) == (told.outcome.clone(), told.reason.clone(), payload.clone())
    }) {
        return Ok(true);
    }
    connection
        .prepare_cached(
            "INSERT INTO evidence (host, source, part, n, at_ms, outcome, reason, format, size, payload)
             VALUES (?1, ?2, ?3,
                     (SELECT coalesce(max(n), 0) + 1 FROM evidence WHERE host = ?1 AND source = ?2 AND part = ?3),
                     ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                host.0,
                told.source,
                told.part,
                fact.at.ms(),
                told.outcome,
                told.reason,
                told.format,
                told.size,
                payload
            ])
        })
        .map_err(failed)?;
    thin(connection, host, &told.source, &told.part)?;
    Ok(true)
}

/// Deletes what is not kept of a part. Of a log that keeps what it said the first is kept, for what is new beyond it counts.
fn thin(connection: &Connection, host: HostNo, source: &str, part: &str) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT n, at_ms, outcome FROM evidence WHERE host = ?1 AND source = ?2 AND part = ?3 ORDER BY n DESC",
        )
        .map_err(failed)?;
    let row = |row: &rusqlite::Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<_, String>(2)? == READ));
    let rows = statement
        .query_map(params![host.0, source, part], row)
        .and_then(Iterator::collect::<Result<Vec<((i64, i64), bool)>, _>>)
        .map_err(failed)?;
    let first = rows.iter().rfind(|(_, is_read)| *is_read && is_since_first(source)).map(|((n, _), _)| *n);
    let rows: Vec<(i64, i64)> = rows.into_iter().map(|(row, _)| row).collect();
    let latest = if source == EVENTS { LATEST_EVENTS } else { LATEST };
    let gone = surplus(&rows, latest).into_iter().filter(|n| Some(*n) != first);
    let keys: Vec<Key> = gone.map(|n| (source.to_owned(), part.to_owned(), n)).collect();
    delete_all(connection, host, &keys)
}

/// The rows that go, of those of one part, the latest first: number and time.
fn surplus(rows: &[(i64, i64)], latest: usize) -> Vec<i64> {
    let Some((_, newest_ms)) = rows.first() else { return Vec::new() };
    let mut day_before = None;
    let mut gone = Vec::new();
    for (n, at_ms) in rows.iter().skip(latest) {
        let day = at_ms.div_euclid(DAY_MS);
        let is_last_of_its_day = day_before.replace(day) != Some(day);
        if !is_last_of_its_day || day <= newest_ms.div_euclid(DAY_MS) - DAYS {
            gone.push(*n);
        }
    }
    gone
}

/// Source, part and number of a row.
type Key = (String, String, i64);

fn delete_all(connection: &Connection, host: HostNo, keys: &[Key]) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("DELETE FROM evidence WHERE host = ?1 AND source = ?2 AND part = ?3 AND n = ?4")
        .map_err(failed)?;
    for (source, part, n) in keys {
        statement.execute(params![host.0, source, part, n]).map_err(failed)?;
    }
    Ok(())
}

fn oldest_to_go(connection: &Connection, host: HostNo) -> Result<Vec<Key>, StoreError> {
    let (rows, bytes): (i64, i64) = connection
        .prepare_cached("SELECT count(*), coalesce(sum(length(payload)), 0) FROM evidence WHERE host = ?1")
        .and_then(|mut statement| statement.query_row([host.0], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(failed)?;
    let too_many = (rows - ROWS_PER_HOST).max(0);
    let slice = if bytes > BYTES_PER_HOST { SLICE.max(too_many) } else { too_many }.min(SLICE);
    let mut statement = connection
        .prepare_cached("SELECT source, part, n FROM evidence WHERE host = ?1 ORDER BY at_ms LIMIT ?2")
        .map_err(failed)?;
    let keys = statement.query_map(params![host.0, slice], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    keys.and_then(Iterator::collect).map_err(failed)
}

fn find(connection: &Connection, host: HostNo, of: &Of) -> Result<Vec<Found>, StoreError> {
    let row = |row: &rusqlite::Row<'_>| {
        let size: i64 = row.get(5)?;
        Ok(Found {
            source: row.get(0)?,
            part: row.get(1)?,
            at: Timestamp::from_ms(row.get(2)?),
            outcome: row.get(3)?,
            reason: row.get(4)?,
            size: u64::try_from(size).unwrap_or(0),
            format: row.get(6)?,
            payload: row.get(7)?,
        })
    };
    let found = match of {
        Of::AllParts => connection
            .prepare_cached(
                "SELECT e.source, e.part, e.at_ms, e.outcome, e.reason, e.size, e.format, e.payload FROM evidence e
                 WHERE e.host = ?1 AND e.n = (SELECT max(l.n) FROM evidence l
                                              WHERE l.host = e.host AND l.source = e.source AND l.part = e.part)
                 ORDER BY e.source, e.part",
            )
            .and_then(|mut statement| statement.query_map([host.0], row).and_then(Iterator::collect)),
        Of::Part { source, part } => connection
            .prepare_cached(
                "SELECT source, part, at_ms, outcome, reason, size, format, payload FROM evidence
                 WHERE host = ?1 AND source = ?2 AND part = ?3 ORDER BY n DESC",
            )
            .and_then(|mut statement| {
                statement.query_map(params![host.0, source, part], row).and_then(Iterator::collect)
            }),
        Of::Marked(marks) => connection
            .prepare_cached(
                "SELECT source, part, at_ms, outcome, reason, size, format, payload FROM evidence
                 WHERE host = ?1 AND source = ?2 AND part = ?3 AND n = ?4",
            )
            .and_then(|mut statement| {
                let found = |mark: &Mark| {
                    statement.query_row(params![host.0, mark.source, mark.part, mark.n], row).optional().transpose()
                };
                marks.iter().filter_map(found).collect()
            }),
    };
    found.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_of_older_days_the_last() {
        let at = |day: i64, hour: i64| day * DAY_MS + hour * 3_600_000;
        // Two a day for fifty days, the latest first.
        let rows: Vec<(i64, i64)> =
            (0..100).map(|n| (100 - n, at(49 - n / 2, if n % 2 == 0 { 20 } else { 8 }))).collect();
        let gone = surplus(&rows, 8);
        let left: Vec<i64> = rows.iter().map(|(n, _)| *n).filter(|n| !gone.contains(n)).collect();
        // The eight latest are of days 49 to 46; of days 45 to 10, forty days before the newest and later, the last one.
        let expected: Vec<i64> = (93..=100).rev().chain((11..=46).rev().map(|day| day * 2)).collect();
        assert_eq!(left, expected);
        assert_eq!(surplus(&rows[..8], 8), [] as [i64; 0]);
        assert_eq!(surplus(&[], 8), [] as [i64; 0]);
    }
}

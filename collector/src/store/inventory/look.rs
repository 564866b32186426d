//! What is known of a section as a whole, and the rows of it that a difference is about.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Work, failed, held_of, intern};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{
            Fields,
            apply::Held,
            delta::{Delta, Refusal},
        },
        time::Timestamp,
    },
    store::StoreError,
};

/// Values without a history are at most so many bytes: a section at its limits.
const LATEST_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a host's values without a history as they are kept, which is some tenth of what they are: 60 000 rows of 1 KiB.
const PACKED_PER_HOST: usize = 8 * 1024 * 1024;

/// What has no history of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latest {
    /// Its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Fields,
    /// Where it was read, where that differs from its section.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) source: String,
}

/// The rows that are held and that a difference names or that are away; of a section that comes anew all.
pub(super) fn held(
    connection: &Connection,
    host: HostNo,
    section: i64,
    delta: &Delta,
) -> Result<BTreeMap<String, Held>, StoreError> {
    const COLUMNS: &str = "SELECT h.thing, t.key, i.body, h.away_ms, h.looks FROM holding h
        JOIN thing t ON t.no = h.thing JOIN item i ON i.no = h.item
        WHERE h.host = ?1 AND h.section = ?2 AND h.removed_ms IS NULL";
    let condition = if delta.full { "" } else { " AND h.away_ms IS NOT NULL" };
    let mut statement = connection.prepare_cached(&format!("{COLUMNS}{condition}")).map_err(failed)?;
    let rows = statement.query_map(params![host.0, section], held_of).map_err(failed)?;
    let mut held = BTreeMap::new();
    for row in rows {
        let (_, key, row) = row.map_err(failed)?;
        held.insert(key, row);
    }
    if delta.full {
        return Ok(held);
    }
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} AND h.thing = ?3")).map_err(failed)?;
    for key in delta.put.iter().map(|row| &row.key).chain(&delta.gone) {
        let Some(thing) = intern::known_thing(connection, section, key)? else { continue };
        let found = statement.query_row(params![host.0, section, thing], held_of).optional().map_err(failed)?;
        held.extend(found.map(|(_, key, row)| (key, row)));
    }
    Ok(held)
}

/// The values without a history of a section after a difference, as they are kept.
pub(super) fn next(
    connection: &Connection,
    host: HostNo,
    delta: &Delta,
) -> Result<Result<Vec<u8>, Refusal>, StoreError> {
    // No section has this number.
    let section = intern::section(connection, &delta.section)?.unwrap_or(-1);
    let mut latest = if delta.full { BTreeMap::new() } else { latest(connection, host, section)? };
    for key in &delta.gone {
        latest.remove(key);
    }
    for row in &delta.put {
        let value = Latest { fields: row.latest.clone(), source: row.source.clone() };
        if value == Latest::default() {
            latest.remove(&row.key)
        } else {
            latest.insert(row.key.clone(), value)
        };
    }
    let packed = packed(&latest);
    let others: i64 = connection
        .prepare_cached("SELECT coalesce(sum(length(body)), 0) FROM latest WHERE host = ?1 AND section <> ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, section], |row| row.get(0)))
        .map_err(failed)?;
    let bytes = packed.len() + usize::try_from(others).unwrap_or(0);
    if bytes > PACKED_PER_HOST {
        let what = "what the host tells without a history, packed,";
        return Ok(Err(Refusal::TooBig { what, bytes, most: PACKED_PER_HOST }));
    }
    Ok(Ok(packed))
}

/// Notes what the host told of the section as a whole, and the values without a history.
pub(super) fn note(connection: &Connection, host: HostNo, section: i64, work: &Work) -> Result<(), StoreError> {
    let Work { delta, after, at, latest, .. } = work;
    let head = &delta.head;
    connection
        .prepare_cached(
            "INSERT INTO latest
             (host, section, hash, rows_told, status, reason, source, first_ms, looked_ms, body, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10)
             ON CONFLICT (host, section) DO UPDATE SET hash = excluded.hash, rows_told = excluded.rows_told,
             status = excluded.status, reason = excluded.reason, source = excluded.source,
             looked_ms = excluded.looked_ms, body = excluded.body, bytes = excluded.bytes",
        )
        .and_then(|mut statement| {
            let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            let (rows, bytes, status) = (number(after.rows), number(after.bytes), head.status.number());
            let hash = after.hash;
            statement.execute(params![
                host.0,
                section,
                hash,
                rows,
                status,
                head.reason,
                head.source,
                at.ms(),
                latest,
                bytes
            ])
        })
        .map_err(failed)?;
    connection
        .prepare_cached("DELETE FROM inventory_refused WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.execute(params![host.0, delta.section]))
        .map_err(failed)?;
    Ok(())
}

/// Notes that a section was told and not taken.
pub(super) fn note_refused(
    connection: &Connection,
    host: HostNo,
    section: &str,
    at: Timestamp,
    reason: &str,
) -> Result<(), StoreError> {
    // A host that makes up names does not fill the table: each has as many as it may have sections.
    let known: i64 = connection
        .prepare_cached("SELECT count(*) FROM inventory_refused WHERE host = ?1 AND section <> ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, section], |row| row.get(0)))
        .map_err(failed)?;
    if known >= i64::try_from(crate::domain::inventory::SECTIONS).unwrap_or(i64::MAX) {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO inventory_refused (host, section, at_ms, reason) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (host, section) DO UPDATE SET at_ms = excluded.at_ms, reason = excluded.reason",
        )
        .and_then(|mut statement| statement.execute(params![host.0, section, at.ms(), reason]))
        .map_err(failed)?;
    Ok(())
}

/// The values without a history of a section, by key.
pub(super) fn latest(
    connection: &Connection,
    host: HostNo,
    section: i64,
) -> Result<BTreeMap<String, Latest>, StoreError> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body FROM latest WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, section], |row| row.get(0)).optional())
        .map_err(failed)?;
    Ok(body.map_or_else(BTreeMap::new, |body| unpacked(&body)))
}

fn packed(latest: &BTreeMap<String, Latest>) -> Vec<u8> {
    if latest.is_empty() {
        return Vec::new();
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let text = serde_json::to_vec(latest).unwrap_or_default();
    // Writing to a vector cannot fail.
    encoder.write_all(&text).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn unpacked(body: &[u8]) -> BTreeMap<String, Latest> {
    let mut text = Vec::new();
    // What cannot be read any more is told anew with the next change.
    let read = ZlibDecoder::new(body).take(LATEST_BYTES).read_to_end(&mut text);
    read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

//! Numbers of sections, of the things that keys name, and of their states.

use rusqlite::{Connection, OptionalExtension, params};

use super::failed;
use crate::{
    domain::{
        ids::HostNo,
        inventory::{Fields, hash, name},
    },
    store::StoreError,
};

/// A section's number, if it has one.
pub(super) fn section(connection: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached("SELECT no FROM inventory_section WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
        .map_err(failed)
}

/// A section's number.
pub(super) fn section_or_new(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    if let Some(no) = section(connection, name)? {
        return Ok(no);
    }
    connection
        .prepare_cached(
            "INSERT INTO inventory_section (no, name)
             VALUES ((SELECT coalesce(max(no), 0) + 1 FROM inventory_section), ?1) RETURNING no",
        )
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0)))
        .map_err(failed)
}

/// What a key names, if anybody ever had it.
pub(super) fn known_thing(connection: &Connection, section: i64, key: &str) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached("SELECT no FROM thing WHERE section = ?1 AND key = ?2")
        .and_then(|mut statement| statement.query_row(params![section, key], |row| row.get(0)).optional())
        .map_err(failed)
}

/// What a key names.
pub(super) fn thing(
    connection: &Connection,
    section: i64,
    key: &str,
    durable: &[(String, String)],
) -> Result<i64, StoreError> {
    if let Some(no) = known_thing(connection, section, key)? {
        return Ok(no);
    }
    // Searched for in any case.
    let name = name(key, durable).to_lowercase();
    connection
        .prepare_cached(
            "INSERT INTO thing (no, section, key, name)
             VALUES ((SELECT coalesce(max(no), 0) + 1 FROM thing), ?1, ?2, ?3) RETURNING no",
        )
        .and_then(|mut statement| statement.query_row(params![section, key, name], |row| row.get(0)))
        .map_err(failed)
}

/// A state of a thing that a host tells.
pub(super) fn item(
    connection: &Connection,
    host: HostNo,
    thing: i64,
    key: &str,
    durable: &[(String, String)],
) -> Result<i64, StoreError> {
    let hash = hash::row(key, durable);
    let known: Option<(i64, i64)> = connection
        .prepare_cached("SELECT no, host FROM item WHERE thing = ?1 AND hash = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![thing, hash], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failed)?;
    if let Some((no, teller)) = known {
        if teller != 0 && teller != host.0 {
            execute(connection, "UPDATE item SET host = 0 WHERE no = ?1", no)?;
        }
        if teller == 0 {
            execute(connection, "DELETE FROM inventory_loose WHERE item = ?1", no)?;
        }
        return Ok(no);
    }
    connection
        .prepare_cached(
            "INSERT INTO item (no, thing, hash, body, host)
             VALUES ((SELECT coalesce(max(no), 0) + 1 FROM item), ?1, ?2, ?3, ?4) RETURNING no",
        )
        .and_then(|mut statement| statement.query_row(params![thing, hash, body(durable), host.0], |row| row.get(0)))
        .map_err(failed)
}

/// Does something to what a number names; how many rows that was.
pub(super) fn execute(connection: &Connection, sql: &str, no: i64) -> Result<usize, StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([no])).map_err(failed)
}

/// Forgets a state that nobody has, and what it is a state of when that was its last one.
pub(super) fn forget(connection: &Connection, item: i64, thing: i64) -> Result<(), StoreError> {
    execute(connection, "DELETE FROM item WHERE no = ?1", item)?;
    execute(connection, "DELETE FROM thing WHERE no = ?1 AND NOT EXISTS (SELECT 1 FROM item WHERE thing = ?1)", thing)?;
    Ok(())
}

/// Fields as they are kept: names and values in turn.
fn body(fields: &[(String, String)]) -> String {
    let flat: Vec<&str> = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    serde_json::Value::from(flat).to_string()
}

/// Fields as they were kept.
pub(super) fn fields(body: &str) -> Fields {
    let flat: Vec<String> = serde_json::from_str(body).unwrap_or_default();
    flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

//! Numbers of sections, of the things that keys name, and of their states.

use rusqlite::{Connection, OptionalExtension, params};

use super::failed;
use crate::{
    domain::inventory::{Fields, hash, name},
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

/// A state of a thing.
pub(super) fn item(
    connection: &Connection,
    thing: i64,
    key: &str,
    durable: &[(String, String)],
) -> Result<i64, StoreError> {
    let hash = hash::row(key, durable);
    let known: Option<i64> = connection
        .prepare_cached("SELECT no FROM item WHERE thing = ?1 AND hash = ?2")
        .and_then(|mut statement| statement.query_row(params![thing, hash], |row| row.get(0)).optional())
        .map_err(failed)?;
    if let Some(no) = known {
        return Ok(no);
    }
    connection
        .prepare_cached(
            "INSERT INTO item (no, thing, hash, body)
             VALUES ((SELECT coalesce(max(no), 0) + 1 FROM item), ?1, ?2, ?3) RETURNING no",
        )
        .and_then(|mut statement| statement.query_row(params![thing, hash, body(durable)], |row| row.get(0)))
        .map_err(failed)
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

//! One row of what a difference makes of the rows that are held.

use rusqlite::{Connection, params};

use super::{failed, intern};
use crate::{
    domain::{ids::HostNo, inventory::apply::Step, time::Timestamp},
    store::StoreError,
};

pub(super) fn write(
    connection: &Connection,
    host: HostNo,
    section: i64,
    step: &Step,
    at: Timestamp,
) -> Result<(), StoreError> {
    match step {
        Step::Begin { key, durable } => {
            let thing = intern::thing(connection, section, key, durable)?;
            let item = intern::item(connection, host, thing, key, durable)?;
            connection
                .prepare_cached(
                    "INSERT INTO holding (host, section, thing, first_ms, item) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (host, section, thing, first_ms)
                     DO UPDATE SET item = excluded.item, removed_ms = NULL, away_ms = NULL, looks = NULL",
                )
                .and_then(|mut statement| statement.execute(params![host.0, section, thing, at.ms(), item]))
                .map_err(failed)?;
        }
        Step::End { key } => {
            let Some(thing) = intern::known_thing(connection, section, key)? else { return Ok(()) };
            end(connection, host, section, thing, at)?;
        }
        Step::Mark { key, away } => {
            let Some(thing) = intern::known_thing(connection, section, key)? else { return Ok(()) };
            let (since, looks) = (away.map(|away| away.since.ms()), away.map(|away| away.looks));
            connection
                .prepare_cached(
                    "UPDATE holding SET away_ms = ?4, looks = ?5
                     WHERE host = ?1 AND section = ?2 AND thing = ?3 AND removed_ms IS NULL",
                )
                .and_then(|mut statement| statement.execute(params![host.0, section, thing, since, looks]))
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Ends the row of a thing that is held.
pub(super) fn end(
    connection: &Connection,
    host: HostNo,
    section: i64,
    thing: i64,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE holding SET removed_ms = ?4, away_ms = NULL, looks = NULL
             WHERE host = ?1 AND section = ?2 AND thing = ?3 AND removed_ms IS NULL",
        )
        .and_then(|mut statement| statement.execute(params![host.0, section, thing, at.ms()]))
        .map_err(failed)?;
    Ok(())
}

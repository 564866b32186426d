//! Lives of drives in `facts.db`, kept for as long as the file: a row for each drive that was ever watched, and one for each
//! place in which it was.

use rusqlite::{Connection, OptionalExtension, params};

use super::{FACTS_FILE, Store, StoreError, storage_error};
use crate::domain::{ids::HostNo, reliability::Life, time::Timestamp};

/// Drives that are kept; beyond, new ones are not: a fleet of 10 000 hosts with 30 drives each over three generations.
const DRIVES: i64 = 1_000_000;
/// Places of one drive.
const PLACES: i64 = 100;

const COLUMNS: &str = "serial, model, firmware, host, device, entered_ms, entered_hours, seen_ms, hours, failing_ms, \
                       failed_ms, gone_ms";

/// Where a drive was from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Since when.
    pub at: Timestamp,
    /// In which host.
    pub host: HostNo,
    /// What that host called it.
    pub device: String,
}

impl Store {
    /// All lives, by serial number.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn lives(&self) -> Result<Vec<Life>, StoreError> {
        self.facts_reader()
            .read(|connection| {
                let sql = format!("SELECT {COLUMNS} FROM drive_life ORDER BY serial, model");
                let mut statement = connection.prepare(&sql).map_err(failed)?;
                statement.query_map([], life).and_then(Iterator::collect).map_err(failed)
            })
            .await
    }

    /// Lives of the drives in a host, and of drives with these serial numbers wherever they are.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn lives_around(&self, host: HostNo, serials: Vec<String>) -> Result<Vec<Life>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let select = |filter: &str| format!("SELECT {COLUMNS} FROM drive_life WHERE {filter}");
                let mut of_host = connection.prepare_cached(&select("host = ?1")).map_err(failed)?;
                let mut of_serial = connection.prepare_cached(&select("serial = ?1 AND host <> ?2")).map_err(failed)?;
                let found = of_host.query_map([host.0], life).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let mut lives = found.map_err(failed)?;
                for serial in serials {
                    let found = of_serial.query_map(params![serial, host.0], life);
                    lives.extend(found.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?);
                }
                Ok(lives)
            })
            .await
    }

    /// Writes lives down; a new place of a drive is one of its places from now on.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be written; then none is.
    pub async fn put_lives(&self, lives: Vec<Life>) -> Result<(), StoreError> {
        self.facts().write(move |connection| lives.iter().try_for_each(|life| put(connection, life)), |()| {}).await
    }

    /// Where drives with this serial number were, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn places(&self, serial: String, model: String) -> Result<Vec<Place>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let mut statement = connection
                    .prepare_cached(
                        "SELECT at_ms, host, device FROM drive_place WHERE serial = ?1 AND model = ?2 ORDER BY n DESC",
                    )
                    .map_err(failed)?;
                let place = |row: &rusqlite::Row<'_>| {
                    let at = Timestamp::from_ms(row.get(0)?);
                    Ok(Place { at, host: HostNo(row.get(1)?), device: row.get(2)? })
                };
                statement.query_map([&serial, &model], place).and_then(Iterator::collect).map_err(failed)
            })
            .await
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

fn life(row: &rusqlite::Row<'_>) -> rusqlite::Result<Life> {
    let hours =
        |column| row.get::<_, Option<i64>>(column).map(|hours| hours.and_then(|hours| u64::try_from(hours).ok()));
    let time = |column| row.get::<_, Option<i64>>(column).map(|ms| ms.map(Timestamp::from_ms));
    Ok(Life {
        serial: row.get(0)?,
        model: row.get(1)?,
        firmware: row.get(2)?,
        host: HostNo(row.get(3)?),
        device: row.get(4)?,
        entered: Timestamp::from_ms(row.get(5)?),
        entered_hours: hours(6)?,
        seen: Timestamp::from_ms(row.get(7)?),
        hours: hours(8)?,
        failing: time(9)?,
        failed: time(10)?,
        gone: time(11)?,
    })
}

fn put(connection: &Connection, life: &Life) -> Result<(), StoreError> {
    let known: Option<(i64, String)> = connection
        .prepare_cached("SELECT host, device FROM drive_life WHERE serial = ?1 AND model = ?2")
        .and_then(|mut statement| {
            statement.query_row([&life.serial, &life.model], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failed)?;
    if known.is_none() {
        let drives: i64 =
            connection.query_row("SELECT count(*) FROM drive_life", [], |row| row.get(0)).map_err(failed)?;
        if drives >= DRIVES {
            return Ok(());
        }
    }
    let hours = |hours: Option<u64>| hours.and_then(|hours| i64::try_from(hours).ok());
    let time = |at: Option<Timestamp>| at.map(Timestamp::ms);
    connection
        .prepare_cached(
            "INSERT INTO drive_life (serial, model, firmware, host, device, entered_ms, entered_hours, seen_ms, hours,
                                     failing_ms, failed_ms, gone_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (serial, model) DO UPDATE SET firmware = excluded.firmware, host = excluded.host,
             device = excluded.device, seen_ms = excluded.seen_ms, hours = excluded.hours,
             failing_ms = excluded.failing_ms, failed_ms = excluded.failed_ms, gone_ms = excluded.gone_ms",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                life.serial,
                life.model,
                life.firmware,
                life.host.0,
                life.device,
                life.entered.ms(),
                hours(life.entered_hours),
                life.seen.ms(),
                hours(life.hours),
                time(life.failing),
                time(life.failed),
                time(life.gone)
            ])
        })
        .map_err(failed)?;
    if known.as_ref() == Some(&(life.host.0, life.device.clone())) {
        return Ok(());
    }
    place(connection, life)
}

fn place(connection: &Connection, life: &Life) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO drive_place (serial, model, n, at_ms, host, device)
             VALUES (?1, ?2, (SELECT coalesce(max(n), 0) + 1 FROM drive_place WHERE serial = ?1 AND model = ?2),
                     ?3, ?4, ?5)",
        )
        .and_then(|mut statement| {
            statement.execute(params![life.serial, life.model, life.seen.ms(), life.host.0, life.device])
        })
        .map_err(failed)?;
    connection
        .prepare_cached(
            "DELETE FROM drive_place WHERE serial = ?1 AND model = ?2
             AND n <= (SELECT max(n) FROM drive_place WHERE serial = ?1 AND model = ?2) - ?3",
        )
        .and_then(|mut statement| statement.execute(params![life.serial, life.model, PLACES]))
        .map_err(failed)?;
    Ok(())
}

//! `facts.db`: what agents reported, each record once, with how far each host's spool was received.
//!
//! One table holds every kind of record but evidence of the hardware, which has one by part, and the inventory; roll-ups also fill the gaps in the trends, in the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::{FACTS_FILE, Fact, StoreError, hardware, inventory, storage_error, trends};
use crate::domain::ids::HostNo;

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The highest sequence of this epoch.
    pub through: u64,
    /// What became of sections of the inventory.
    pub inventory: Vec<inventory::Taken>,
}

fn failed(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

/// Stores the facts beyond what is known of this epoch and moves the mark; returns the mark and what became of the inventory.
pub(super) fn write(
    connection: &Connection,
    host: HostNo,
    epoch: [u8; 16],
    facts: &[Fact],
) -> Result<Stored, StoreError> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT through FROM received WHERE host = ?1 AND epoch = ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, epoch], |row| row.get(0)).optional())
        .map_err(failed)?;
    let known = known.unwrap_or(0);
    let mut through = known;
    let mut inventory = Vec::new();
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO fact (host, epoch, sequence, at_ms, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (host, epoch, sequence) DO NOTHING",
        )
        .map_err(failed)?;
    for fact in facts {
        let sequence = i64::try_from(fact.sequence).map_err(|_| {
            StoreError::Broken(format!("record number {} of host {host} is beyond {}", fact.sequence, i64::MAX))
        })?;
        if sequence > known && fact.kind == inventory::KIND {
            inventory.extend(inventory::put(connection, host, fact)?);
        } else if sequence > known && !hardware::put(connection, host, fact)? {
            insert.execute(params![host.0, epoch, sequence, fact.at.ms(), fact.kind, fact.body]).map_err(failed)?;
        }
        through = through.max(sequence);
    }
    let is_new = |fact: &&Fact| i64::try_from(fact.sequence).is_ok_and(|sequence| sequence > known);
    trends::put_rollups(connection, host, facts.iter().filter(is_new))?;
    if through > known {
        connection
            .prepare_cached(
                "INSERT INTO received (host, epoch, n, through)
                 VALUES (?1, ?2, (SELECT coalesce(max(n), 0) + 1 FROM received WHERE host = ?1), ?3)
                 ON CONFLICT (host, epoch) DO UPDATE SET n = excluded.n, through = excluded.through",
            )
            .and_then(|mut statement| statement.execute(params![host.0, epoch, through]))
            .map_err(failed)?;
    }
    Ok(Stored { through: u64::try_from(through).unwrap_or(0), inventory })
}

/// The epoch that a host last sent records of, and how far they are stored.
pub(super) fn received(connection: &Connection, host: HostNo) -> Result<Option<([u8; 16], u64)>, StoreError> {
    let found: Option<([u8; 16], i64)> = connection
        .prepare_cached("SELECT epoch, through FROM received WHERE host = ?1 ORDER BY n DESC LIMIT 1")
        .and_then(|mut statement| statement.query_row([host.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed)?;
    Ok(found.map(|(epoch, through)| (epoch, u64::try_from(through).unwrap_or(0))))
}

/// The highest number of a host of which anything is known here; 0 where nothing is.
pub(super) fn highest_host(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .query_row(
            "SELECT coalesce(max(host), 0) FROM (SELECT max(host) AS host FROM received
             UNION ALL SELECT max(host) FROM trend_minute UNION ALL SELECT max(host) FROM trend_hour) AS known",
            [],
            |row| row.get(0),
        )
        .map_err(failed)
}

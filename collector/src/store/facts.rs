//! `facts.db`: what agents reported, each record once, with how far each host's spool was received.
//!
//! One table holds every kind of record but evidence of the hardware, which has one by part, and the inventory; roll-ups also fill the gaps in the trends, in the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::{FACTS_FILE, Fact, Store, StoreError, hardware, inventory, storage_error, trends};
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

impl Store {
    /// Commits facts with their position; says how far this epoch is stored. Known ones are skipped. The inventory is
    /// taken one host at a time and in slices; everything else is one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; of the first facts some may have been stored.
    pub async fn commit_facts(&self, host: HostNo, epoch: [u8; 16], facts: Vec<Fact>) -> Result<Stored, StoreError> {
        if !facts.iter().any(inventory::writing::is_of_it) {
            return self.commit_in_one(host, epoch, facts).await;
        }
        let _turn = self.inventory_turn().await;
        let mut taken = Vec::new();
        match self.commit_in_turn(host, epoch, facts, &mut taken).await {
            Ok(through) => Ok(Stored { through, inventory: taken }),
            Err(error) if taken.is_empty() => Err(error),
            // What became of those that were taken has to be told; the others come again.
            Err(_) => {
                let through = self.facts_reader().read(move |db| through(db, host, epoch)).await?;
                Ok(Stored { through: u64::try_from(through).unwrap_or(0), inventory: taken })
            }
        }
    }

    /// The facts one after another, as far as that goes.
    async fn commit_in_turn(
        &self,
        host: HostNo,
        epoch: [u8; 16],
        facts: Vec<Fact>,
        taken: &mut Vec<inventory::Taken>,
    ) -> Result<u64, StoreError> {
        let mut others = Vec::new();
        for fact in facts {
            if !inventory::writing::is_of_it(&fact) {
                others.push(fact);
                continue;
            }
            if !others.is_empty() {
                self.commit_in_one(host, epoch, std::mem::take(&mut others)).await?;
            }
            taken.extend(inventory::writing::take(self, host, epoch, fact).await?);
        }
        Ok(self.commit_in_one(host, epoch, others).await?.through)
    }

    async fn commit_in_one(&self, host: HostNo, epoch: [u8; 16], facts: Vec<Fact>) -> Result<Stored, StoreError> {
        self.facts().write(move |db| write(db, host, epoch, &facts), |_| {}).await
    }

    /// The epoch and highest sequence received of a host.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn received(&self, host: HostNo) -> Result<Option<([u8; 16], u64)>, StoreError> {
        self.facts_reader().read(move |connection| received(connection, host)).await
    }
}

/// Whether a fact of this epoch is stored.
pub(super) fn is_known(
    connection: &Connection,
    host: HostNo,
    epoch: [u8; 16],
    sequence: u64,
) -> Result<bool, StoreError> {
    Ok(number(host, sequence)? <= through(connection, host, epoch)?)
}

/// How far this epoch is stored.
fn through(connection: &Connection, host: HostNo, epoch: [u8; 16]) -> Result<i64, StoreError> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT through FROM received WHERE host = ?1 AND epoch = ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, epoch], |row| row.get(0)).optional())
        .map_err(failed)?;
    Ok(known.unwrap_or(0))
}

/// Moves the mark of an epoch.
pub(super) fn receive(connection: &Connection, host: HostNo, epoch: [u8; 16], sequence: u64) -> Result<(), StoreError> {
    let through = number(host, sequence)?;
    connection
        .prepare_cached(
            "INSERT INTO received (host, epoch, n, through)
             VALUES (?1, ?2, (SELECT coalesce(max(n), 0) + 1 FROM received WHERE host = ?1), ?3)
             ON CONFLICT (host, epoch) DO UPDATE SET n = excluded.n, through = excluded.through",
        )
        .and_then(|mut statement| statement.execute(params![host.0, epoch, through]))
        .map(drop)
        .map_err(failed)
}

fn number(host: HostNo, sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence)
        .map_err(|_| StoreError::Broken(format!("record number {sequence} of host {host} is beyond {}", i64::MAX)))
}

/// Stores the facts beyond what is known of this epoch and moves the mark; returns the mark and what became of the inventory.
pub(super) fn write(
    connection: &Connection,
    host: HostNo,
    epoch: [u8; 16],
    facts: &[Fact],
) -> Result<Stored, StoreError> {
    let known = self::through(connection, host, epoch)?;
    let mut through = known;
    let mut inventory = Vec::new();
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO fact (host, epoch, sequence, at_ms, kind, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (host, epoch, sequence) DO NOTHING",
        )
        .map_err(failed)?;
    for fact in facts {
        let sequence = number(host, fact.sequence)?;
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
        receive(connection, host, epoch, u64::try_from(through).unwrap_or(0))?;
    }
    Ok(Stored { through: u64::try_from(through).unwrap_or(0), inventory })
}

/// The epoch that a host last sent records of, and how far they are stored.
fn received(connection: &Connection, host: HostNo) -> Result<Option<([u8; 16], u64)>, StoreError> {
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

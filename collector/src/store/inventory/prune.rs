//! Rows that are gone at last because they did not come back, and forgetting what is older than it is kept for.

use rusqlite::{Connection, params};

use super::{changes, end, failed, held_of};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{apply::Difference, change, guard},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Events of one host: some thirty a day for all that time; of more the oldest go.
const EVENTS_PER_HOST: i64 = 20_000;
/// Rows in one transaction: some 5 ms of the writer.
const SLICE: i64 = 500;

impl Store {
    /// Hosts with rows that have been away since before an instant.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_away(&self, since: Timestamp) -> Result<Vec<HostNo>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let mut statement = connection
                    .prepare_cached(
                        "SELECT DISTINCT host FROM holding WHERE away_ms IS NOT NULL AND away_ms < ?1 AND looks > 0",
                    )
                    .map_err(failed)?;
                let hosts = statement.query_map([since.ms()], |row| row.get(0).map(HostNo));
                hosts.and_then(Iterator::collect).map_err(failed)
            })
            .await
    }

    /// Ends the rows of a host that were away long enough; returns how many events that is. Ask only for one that is heard.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn settle_inventory(&self, host: HostNo, now: Timestamp) -> Result<usize, StoreError> {
        self.facts().write(move |connection| settle(connection, host, now), |_| {}).await
    }

    /// Forgets the oldest events of a host that has more than it may; returns how many.
    pub(in crate::store) async fn prune_changes(&self, host: HostNo) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.facts_reader().read(move |connection| surplus(connection, host)).await?;
            if found.is_empty() {
                return Ok(deleted);
            }
            deleted += found.len() as u64;
            self.facts().write(move |connection| delete_all(connection, OLD[1].1, &found), |()| {}).await?;
        }
    }

    /// Forgets what ended and what changed before an instant; returns how many rows.
    pub(in crate::store) async fn prune_inventory(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for (find, delete) in OLD {
            loop {
                let found = self.facts_reader().read(move |connection| keys(connection, find, before)).await?;
                if found.is_empty() {
                    break;
                }
                deleted += found.len() as u64;
                self.facts().write(move |connection| delete_all(connection, delete, &found), |()| {}).await?;
            }
        }
        Ok(deleted)
    }
}

type Key = (i64, i64, i64, i64);

/// How to find what is too old, and how to delete one.
const OLD: [(&str, &str); 2] = [
    (
        "SELECT host, section, thing, first_ms FROM holding WHERE removed_ms IS NOT NULL AND removed_ms < ?1 LIMIT ?2",
        "DELETE FROM holding WHERE host = ?1 AND section = ?2 AND thing = ?3 AND first_ms = ?4",
    ),
    (
        "SELECT host, at_ms, n, 0 FROM inventory_change WHERE at_ms < ?1 LIMIT ?2",
        "DELETE FROM inventory_change WHERE host = ?1 AND at_ms = ?2 AND n = ?3 AND ?4 = 0",
    ),
];

fn keys(connection: &Connection, find: &str, before: Timestamp) -> Result<Vec<Key>, StoreError> {
    let mut statement = connection.prepare_cached(find).map_err(failed)?;
    let key = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map(params![before.ms(), SLICE], key).and_then(Iterator::collect).map_err(failed)
}

/// The oldest events of a host beyond those that it may have, at most a slice of them.
fn surplus(connection: &Connection, host: HostNo) -> Result<Vec<Key>, StoreError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM inventory_change WHERE host = ?1")
        .and_then(|mut statement| statement.query_row([host.0], |row| row.get(0)))
        .map_err(failed)?;
    let slice = (count - EVENTS_PER_HOST).clamp(0, SLICE);
    let mut statement = connection
        .prepare_cached("SELECT host, at_ms, n, 0 FROM inventory_change WHERE host = ?1 ORDER BY at_ms, n LIMIT ?2")
        .map_err(failed)?;
    let key = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map(params![host.0, slice], key).and_then(Iterator::collect).map_err(failed)
}

fn delete_all(connection: &Connection, delete: &str, keys: &[Key]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(delete).map_err(failed)?;
    keys.iter().try_for_each(|key| statement.execute(params![key.0, key.1, key.2, key.3]).map(drop).map_err(failed))
}

fn settle(connection: &Connection, host: HostNo, now: Timestamp) -> Result<usize, StoreError> {
    let sections: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT s.no, s.name FROM inventory_section s JOIN latest l ON l.section = s.no
             WHERE l.host = ?1 ORDER BY s.no",
        )
        .and_then(|mut statement| {
            statement.query_map([host.0], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect)
        })
        .map_err(failed)?;
    let mut events = 0;
    for (section, name) in sections {
        let mut statement = connection
            .prepare_cached(
                "SELECT h.thing, t.key, i.body, h.away_ms, h.looks FROM holding h
                 JOIN thing t ON t.no = h.thing JOIN item i ON i.no = h.item
                 WHERE h.host = ?1 AND h.section = ?2 AND h.removed_ms IS NULL AND h.away_ms IS NOT NULL",
            )
            .map_err(failed)?;
        let rows = statement.query_map(params![host.0, section], held_of);
        let rows: Vec<super::HeldThing> = rows.and_then(Iterator::collect).map_err(failed)?;
        let mut gone = Vec::new();
        let mut since = now;
        for (thing, key, held) in rows {
            let Some(away) = held.away.filter(|away| guard::is_gone_by(*away, now)) else { continue };
            end(connection, host, section, thing, now)?;
            since = since.min(away.since);
            gone.push(Difference { key, before: Some(held.durable), after: None });
        }
        gone.sort_by(|a, b| a.key.cmp(&b.key));
        let changes = change::named(&name, &gone);
        changes::append(connection, host, since, now, &changes)?;
        events += changes.len();
    }
    Ok(events)
}

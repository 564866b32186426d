//! Rows that are gone at last because they did not come back, and forgetting what is older than it is kept for.

use rusqlite::{Connection, params};

use super::{
    changes, failed, held_of,
    past::{self, ENDED, Ended, Size},
    steps,
};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{apply::Difference, change, guard, size},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

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
        let _turn = self.inventory_turn().await;
        self.facts().write(move |connection| settle(connection, host, now), |_| {}).await
    }

    /// Forgets the oldest events of a host that has more than it may; returns how many.
    pub(in crate::store) async fn prune_changes(&self, host: HostNo) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.facts_reader().read(move |connection| surplus(connection, host)).await?;
            if found.is_empty() {
                break;
            }
            deleted += found.len() as u64;
            self.facts().write(move |connection| delete_events(connection, &found), |()| {}).await?;
        }
        let _turn = self.inventory_turn().await;
        Ok(deleted + self.cut_past(host).await?)
    }

    /// Forgets what ended and what changed before an instant, and the states that nobody has any more; returns how many
    /// rows.
    pub(in crate::store) async fn prune_inventory(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.facts_reader().read(move |connection| old_rows(connection, before)).await?;
            if found.is_empty() {
                break;
            }
            deleted += found.len() as u64;
            self.facts().write(move |connection| past::delete_ended(connection, &found), |()| {}).await?;
        }
        loop {
            let found = self.facts_reader().read(move |connection| old_events(connection, before)).await?;
            if found.is_empty() {
                break;
            }
            deleted += found.len() as u64;
            self.facts().write(move |connection| delete_events(connection, &found), |()| {}).await?;
        }
        self.sweep_inventory().await?;
        Ok(deleted)
    }
}

/// An event: host, instant, number there, bytes.
type Event = (i64, i64, i64, usize);

fn event_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Event> {
    let bytes: i64 = row.get(3)?;
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, usize::try_from(bytes).unwrap_or(0)))
}

/// Rows of all hosts that ended before an instant, at most a slice of them.
fn old_rows(connection: &Connection, before: Timestamp) -> Result<Vec<Ended>, StoreError> {
    let sql = format!(
        "{ENDED} FROM inventory_past p JOIN holding h ON h.host = p.host JOIN thing t ON t.no = h.thing
         JOIN item i ON i.no = h.item WHERE h.removed_ms IS NOT NULL AND h.removed_ms < ?1 LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params![before.ms(), SLICE], past::ended_of);
    rows.and_then(Iterator::collect).map_err(failed)
}

fn old_events(connection: &Connection, before: Timestamp) -> Result<Vec<Event>, StoreError> {
    let sql = "SELECT host, at_ms, n, length(body) FROM inventory_change WHERE at_ms < ?1 LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_map(params![before.ms(), SLICE], event_of).and_then(Iterator::collect).map_err(failed)
}

/// The oldest events of a host beyond those that it may have, at most a slice of them.
fn surplus(connection: &Connection, host: HostNo) -> Result<Vec<Event>, StoreError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM inventory_change WHERE host = ?1")
        .and_then(|mut statement| statement.query_row([host.0], |row| row.get(0)))
        .map_err(failed)?;
    let slice = (count - past::EVENTS_PER_HOST).clamp(0, SLICE);
    let sql = "SELECT host, at_ms, n, length(body) FROM inventory_change WHERE host = ?1 ORDER BY at_ms, n LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_map(params![host.0, slice], event_of).and_then(Iterator::collect).map_err(failed)
}

fn delete_events(connection: &Connection, events: &[Event]) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("DELETE FROM inventory_change WHERE host = ?1 AND at_ms = ?2 AND n = ?3")
        .map_err(failed)?;
    events.iter().try_for_each(|(host, at, n, bytes)| {
        statement.execute([host, at, n]).map_err(failed)?;
        past::take(connection, HostNo(*host), Size::default(), Size::default().plus(*bytes))
    })
}

fn settle(connection: &Connection, host: HostNo, now: Timestamp) -> Result<usize, StoreError> {
    let sections: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT s.no, s.name FROM inventory_section s JOIN latest l ON l.section = s.no
             WHERE l.host = ?1 AND NOT EXISTS
             (SELECT 1 FROM inventory_writing w WHERE w.host = l.host AND w.section = l.section) ORDER BY s.no",
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
        let (mut gone, mut ended) = (Vec::new(), Size::default());
        let mut since = now;
        for (thing, key, held) in rows {
            let Some(away) = held.away.filter(|away| guard::is_gone_by(*away, now)) else { continue };
            steps::end(connection, host, section, thing, now)?;
            ended = ended.plus(size(&key, &held.durable));
            since = since.min(away.since);
            gone.push(Difference { key, before: Some(held.durable), after: None });
        }
        if gone.is_empty() {
            continue;
        }
        // What differs next is later than this.
        connection
            .prepare_cached("UPDATE latest SET looked_ms = ?3 WHERE host = ?1 AND section = ?2 AND looked_ms < ?3")
            .and_then(|mut statement| statement.execute(params![host.0, section, now.ms()]))
            .map_err(failed)?;
        gone.sort_by(|a, b| a.key.cmp(&b.key));
        let changes = change::named(&name, &gone);
        let said = changes::append(connection, host, since, now, &changes)?;
        past::add(connection, host, ended, said)?;
        events += changes.len();
    }
    Ok(events)
}

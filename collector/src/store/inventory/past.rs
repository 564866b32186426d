//! How much of a host's past is kept, so that a host that changes all the time does not fill the disk: of more than this
//! the oldest goes, and since when all is known is said where its past is looked at.

use rusqlite::{Connection, OptionalExtension, params};

use super::{failed, intern};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{
            apply::{After, Before, Step},
            size,
        },
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Rows of one host that ended: 130 a day for 25 months.
const ENDED_PER_HOST: i64 = 100_000;
/// What these take, in bytes: as many rows of 300 bytes each.
const ENDED_BYTES_PER_HOST: i64 = 32 * 1024 * 1024;
/// Events of one host: some thirty a day for all that time.
pub(super) const EVENTS_PER_HOST: i64 = 20_000;
/// What these take: 3 KB each.
const EVENT_BYTES_PER_HOST: i64 = 64 * 1024 * 1024;
/// Rows in one transaction: some 5 ms of the writer.
const SLICE: i64 = 100;
/// States that are looked for at once: each at all hosts.
const LOOSE_AT_ONCE: i64 = 50;

/// How many, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    number: i64,
    bytes: i64,
}

impl Size {
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { number: self.number + 1, bytes: self.bytes + i64::try_from(bytes).unwrap_or(0) }
    }
}

/// A row of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) section: i64,
    pub(super) thing: i64,
    pub(super) first: i64,
    pub(super) item: i64,
}

/// A row that ended.
pub(super) struct Ended {
    host: HostNo,
    row: Row,
    removed: i64,
    bytes: i64,
}

/// As [`ended_of`] reads it.
pub(super) const ENDED: &str = "SELECT h.host, h.section, h.thing, h.first_ms, h.item, h.removed_ms, t.key, i.body";

/// A row of [`ENDED`].
pub(super) fn ended_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Ended> {
    let (key, body): (String, String) = (row.get(6)?, row.get(7)?);
    let bytes = size(&key, &intern::fields(&body));
    Ok(Ended {
        host: HostNo(row.get(0)?),
        row: Row { section: row.get(1)?, thing: row.get(2)?, first: row.get(3)?, item: row.get(4)? },
        removed: row.get(5)?,
        bytes: i64::try_from(bytes).unwrap_or(0),
    })
}

/// How much of a host's past is there.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    ended: Size,
    events: Size,
    from: Option<i64>,
}

impl Kept {
    fn has_too_much_that_ended(&self) -> bool {
        self.ended.number > ENDED_PER_HOST || self.ended.bytes > ENDED_BYTES_PER_HOST
    }

    fn has_too_many_events(&self) -> bool {
        self.events.number > EVENTS_PER_HOST || self.events.bytes > EVENT_BYTES_PER_HOST
    }
}

impl Store {
    /// Since when all that a host had is known, where it had more than is kept.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn inventory_known_since(&self, host: HostNo) -> Result<Option<Timestamp>, StoreError> {
        self.facts_reader().read(move |db| Ok(kept(db, host)?.from.map(Timestamp::from_ms))).await
    }

    /// Forgets the oldest of a host that has more of a past than is kept; returns how many rows. The caller holds the turn
    /// of the inventory.
    pub(in crate::store) async fn cut_past(&self, host: HostNo) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let kept = self.facts_reader().read(move |db| kept(db, host)).await?;
            if !kept.has_too_much_that_ended() && !kept.has_too_many_events() {
                return Ok(all);
            }
            all += self.facts().write(move |db| cut(db, host), |_| {}).await?;
        }
    }

    /// Forgets states that no host has or had any more; returns how many. Between a look at all hosts and the
    /// forgetting a host may tell one again, which takes it off the list.
    pub(in crate::store) async fn sweep_inventory(&self) -> Result<u64, StoreError> {
        let (mut after, mut all) = (0, 0);
        loop {
            let found = self.facts_reader().read(move |db| loose(db, after)).await?;
            let Some(last) = found.last() else { return Ok(all) };
            after = last.item;
            all += self.facts().write(move |db| forget_all(db, &found), |_| {}).await?;
        }
    }
}

fn kept(connection: &Connection, host: HostNo) -> Result<Kept, StoreError> {
    let kept = connection
        .prepare_cached("SELECT ended, ended_bytes, events, event_bytes, from_ms FROM inventory_past WHERE host = ?1")
        .and_then(|mut statement| {
            let kept = |row: &rusqlite::Row<'_>| {
                let ended = Size { number: row.get(0)?, bytes: row.get(1)? };
                let events = Size { number: row.get(2)?, bytes: row.get(3)? };
                Ok(Kept { ended, events, from: row.get(4)? })
            };
            statement.query_row([host.0], kept).optional()
        })
        .map_err(failed)?;
    Ok(kept.unwrap_or_default())
}

/// What ends with a difference.
pub(super) fn ended(before: &Before, after: &After) -> Size {
    let sizes = after.steps.iter().filter_map(|step| match step {
        Step::End { key } => Some(size(key, &before.held.get(key)?.durable)),
        Step::Begin { .. } | Step::Mark { .. } => None,
    });
    sizes.fold(Size::default(), Size::plus)
}

/// Counts what ended and what was said.
pub(super) fn add(connection: &Connection, host: HostNo, ended: Size, events: Size) -> Result<(), StoreError> {
    if (ended, events) == Default::default() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO inventory_past (host, ended, ended_bytes, events, event_bytes) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (host) DO UPDATE SET ended = ended + excluded.ended,
             ended_bytes = ended_bytes + excluded.ended_bytes, events = events + excluded.events,
             event_bytes = event_bytes + excluded.event_bytes",
        )
        .and_then(|mut statement| {
            statement.execute(params![host.0, ended.number, ended.bytes, events.number, events.bytes])
        })
        .map(drop)
        .map_err(failed)
}

/// Uncounts them.
pub(super) fn take(connection: &Connection, host: HostNo, ended: Size, events: Size) -> Result<(), StoreError> {
    let less = |size: Size| Size { number: -size.number, bytes: -size.bytes };
    add(connection, host, less(ended), less(events))
}

/// Deletes a row of a host, and its state unless another row has it. What several hosts told is looked for later.
pub(super) fn delete(connection: &Connection, host: HostNo, row: &Row) -> Result<(), StoreError> {
    let Row { section, thing, first, item } = row;
    connection
        .prepare_cached("DELETE FROM holding WHERE host = ?1 AND section = ?2 AND thing = ?3 AND first_ms = ?4")
        .and_then(|mut statement| statement.execute(params![host.0, section, thing, first]))
        .map_err(failed)?;
    let is_held = connection
        .prepare_cached("SELECT 1 FROM holding WHERE host = ?1 AND section = ?2 AND thing = ?3 AND item = ?4 LIMIT 1")
        .and_then(|mut statement| statement.query_row(params![host.0, section, thing, item], |_| Ok(())).optional())
        .map_err(failed)?;
    if is_held.is_some() {
        return Ok(());
    }
    let teller: Option<i64> = connection
        .prepare_cached("SELECT host FROM item WHERE no = ?1")
        .and_then(|mut statement| statement.query_row([item], |row| row.get(0)).optional())
        .map_err(failed)?;
    if teller == Some(host.0) {
        return intern::forget(connection, *item, *thing);
    }
    let sql = "INSERT INTO inventory_loose (item) VALUES (?1) ON CONFLICT (item) DO NOTHING";
    intern::execute(connection, sql, *item).map(drop)
}

/// Deletes rows that ended, and uncounts them.
pub(super) fn delete_ended(connection: &Connection, rows: &[Ended]) -> Result<(), StoreError> {
    rows.iter().try_for_each(|one| {
        delete(connection, one.host, &one.row)?;
        take(connection, one.host, Size { number: 1, bytes: one.bytes }, Size::default())
    })
}

/// One slice of the oldest that a host has too much of; how many rows that was.
fn cut(connection: &Connection, host: HostNo) -> Result<u64, StoreError> {
    let mut kept = kept(connection, host)?;
    let mut number = 0;
    if kept.has_too_much_that_ended() {
        let mut rows = oldest(connection, host)?;
        let mut most = 0;
        while let Some(one) = rows.get(most).filter(|_| kept.has_too_much_that_ended()) {
            kept.ended = Size { number: kept.ended.number - 1, bytes: kept.ended.bytes - one.bytes };
            most += 1;
        }
        rows.truncate(most);
        delete_ended(connection, &rows)?;
        number += rows.len() as u64;
        match rows.last() {
            Some(last) => {
                set(connection, "UPDATE inventory_past SET from_ms = ?2 WHERE host = ?1", host, last.removed)?
            }
            // It was counted wrongly.
            None => set(connection, "UPDATE inventory_past SET ended = ?2, ended_bytes = ?2 WHERE host = ?1", host, 0)?,
        }
    }
    if kept.has_too_many_events() {
        let events = oldest_events(connection, host)?;
        let mut gone = Size::default();
        for (at, n, bytes) in &events {
            if !kept.has_too_many_events() {
                break;
            }
            kept.events = Size { number: kept.events.number - 1, bytes: kept.events.bytes - bytes };
            gone = Size { number: gone.number + 1, bytes: gone.bytes + bytes };
            connection
                .prepare_cached("DELETE FROM inventory_change WHERE host = ?1 AND at_ms = ?2 AND n = ?3")
                .and_then(|mut statement| statement.execute(params![host.0, at, n]))
                .map_err(failed)?;
        }
        take(connection, host, Size::default(), gone)?;
        number += events.len() as u64;
        if events.is_empty() {
            set(connection, "UPDATE inventory_past SET events = ?2, event_bytes = ?2 WHERE host = ?1", host, 0)?;
        }
    }
    Ok(number)
}

fn set(connection: &Connection, sql: &str, host: HostNo, value: i64) -> Result<(), StoreError> {
    let set = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([host.0, value]));
    set.map(drop).map_err(failed)
}

fn oldest(connection: &Connection, host: HostNo) -> Result<Vec<Ended>, StoreError> {
    let sql = format!(
        "{ENDED} FROM holding h JOIN thing t ON t.no = h.thing JOIN item i ON i.no = h.item
         WHERE h.host = ?1 AND h.removed_ms IS NOT NULL ORDER BY h.removed_ms LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params![host.0, SLICE], ended_of);
    rows.and_then(Iterator::collect).map_err(failed)
}

fn oldest_events(connection: &Connection, host: HostNo) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let sql = "SELECT at_ms, n, length(body) FROM inventory_change WHERE host = ?1 ORDER BY at_ms, n LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(params![host.0, SLICE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.and_then(Iterator::collect).map_err(failed)
}

/// A state that nobody may have any more.
struct Loose {
    item: i64,
    thing: i64,
    is_held: bool,
}

/// Some of them after one, each looked for at all hosts.
fn loose(connection: &Connection, after: i64) -> Result<Vec<Loose>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT l.item, t.section, t.no FROM inventory_loose l JOIN item i ON i.no = l.item
             JOIN thing t ON t.no = i.thing WHERE l.item > ?1 ORDER BY l.item LIMIT ?2",
        )
        .map_err(failed)?;
    let rows = statement.query_map([after, LOOSE_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(i64, i64, i64)> = rows.and_then(Iterator::collect).map_err(failed)?;
    let last: Option<i64> =
        connection.query_row("SELECT max(host) FROM holding", [], |row| row.get(0)).map_err(failed)?;
    let blocks = 0..=last.unwrap_or(0) / super::search::BLOCK;
    let mut statement = connection
        .prepare_cached(
            "SELECT 1 FROM holding WHERE host / 32 = ?1 AND section = ?2 AND thing = ?3 AND item = ?4 LIMIT 1",
        )
        .map_err(failed)?;
    let mut all = Vec::new();
    for (item, section, thing) in rows {
        let mut is_held = false;
        for block in blocks.clone() {
            is_held = statement.exists(params![block, section, thing, item]).map_err(failed)?;
            if is_held {
                break;
            }
        }
        all.push(Loose { item, thing, is_held });
    }
    Ok(all)
}

fn forget_all(connection: &Connection, found: &[Loose]) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for Loose { item, thing, is_held } in found {
        // Not on the list any more: a host told it since.
        let was_loose = intern::execute(connection, "DELETE FROM inventory_loose WHERE item = ?1", *item)? == 1;
        if was_loose && !is_held {
            intern::forget(connection, *item, *thing)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

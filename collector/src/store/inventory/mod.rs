//! The living inventory in `facts.db`: what each host has and had, row by row, and what changed.
//!
//! Rows of all hosts are interned: ten thousand hosts have some ten thousand packages between them. A difference is taken
//! whole, and its last row with the note that its record is received; its parts wait until the last one is there.

pub mod changes;
mod intern;
pub mod lacking;
mod look;
mod past;
mod prune;
pub mod read;
pub mod search;
mod steps;
pub(super) mod writing;

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{FACTS_FILE, Fact, Store, StoreError, storage_error};
use crate::domain::{
    ids::HostNo,
    inventory::{
        Head, Status,
        apply::{After, Before, Held, apply},
        change,
        delta::{Delta, PARTS, Part, Refusal, whole},
        guard::Away,
        hash::Hash,
    },
    time::Timestamp,
};

/// The kind of facts that a difference of a section is.
pub(super) const KIND: &str = "inventory";
/// A host that is heard looks at each section at least this often, in milliseconds: each hour, and it may be late.
const LOOKS_EVERY_MS: i64 = 2 * 3_600_000;

/// What became of a section's difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Of which section.
    pub section: String,
    /// Why it was refused, if it was.
    pub refused: Option<Refusal>,
    /// Whether the section is to be asked for as a whole.
    pub ask: bool,
    /// Events that it is.
    pub changes: usize,
}

impl Store {
    /// Waits until nobody else writes the inventory.
    pub(super) async fn inventory_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.inventory_turn.lock().await
    }

    /// The sections that are known of a host, with their hashes.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_hashes(&self, host: HostNo) -> Result<Vec<(String, Hash)>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let mut statement = connection
                    .prepare_cached(
                        "SELECT s.name, l.hash FROM latest l JOIN inventory_section s ON s.no = l.section
                         WHERE l.host = ?1 ORDER BY s.name",
                    )
                    .map_err(failed)?;
                let rows = statement.query_map([host.0], |row| Ok((row.get(0)?, row.get(1)?)));
                rows.and_then(Iterator::collect).map_err(failed)
            })
            .await
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

/// Takes a fact of kind `inventory`: keeps it until all parts are there, then applies all of it or nothing.
pub(super) fn put(connection: &Connection, host: HostNo, fact: &Fact) -> Result<Option<Taken>, StoreError> {
    let Ok(part) = serde_json::from_str::<Part>(&fact.body) else { return Ok(None) };
    writing::undo(connection, host, &part.section, usize::MAX)?;
    let Some(parts) = gathered(connection, host, &part)? else {
        // Of more parts than are taken the first is refused: nobody waits for the last.
        if let Err(refusal) = part.check() {
            return refuse(connection, host, &part, fact.at, refusal).map(Some);
        }
        stage(connection, host, &part, &fact.body)?;
        return Ok(None);
    };
    match plan(connection, host, parts, fact.at)? {
        Ok(work) => {
            let section = intern::section_or_new(connection, &work.delta.section)?;
            work.after.steps.iter().try_for_each(|step| steps::write(connection, host, section, step, work.at))?;
            finish(connection, host, section, &work).map(Some)
        }
        Err(refusal) => refuse(connection, host, &part, fact.at, refusal).map(Some),
    }
}

/// All parts of the difference that this one completes; none while some are missing.
fn gathered(connection: &Connection, host: HostNo, part: &Part) -> Result<Option<Vec<Part>>, StoreError> {
    let (number, all) = part.place();
    if all == 1 {
        return Ok(Some(vec![part.clone()]));
    }
    let others: i64 = connection
        .prepare_cached("SELECT count(*) FROM inventory_part WHERE host = ?1 AND section = ?2 AND part <> ?3")
        .and_then(|mut statement| statement.query_row(params![host.0, part.section, number], |row| row.get(0)))
        .map_err(failed)?;
    if others + 1 != i64::from(all) {
        return Ok(None);
    }
    let bodies: Vec<String> = connection
        .prepare_cached("SELECT body FROM inventory_part WHERE host = ?1 AND section = ?2 AND part <> ?3")
        .and_then(|mut statement| {
            statement.query_map(params![host.0, part.section, number], |row| row.get(0)).and_then(Iterator::collect)
        })
        .map_err(failed)?;
    let mut parts: Vec<Part> = bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
    parts.push(part.clone());
    Ok(parts.iter().all(|staged| staged.belongs_to(part)).then_some(parts))
}

/// Keeps a part until all are there. Parts of another difference of the section are dropped.
fn stage(connection: &Connection, host: HostNo, part: &Part, body: &str) -> Result<(), StoreError> {
    let staged: Option<String> = connection
        .prepare_cached("SELECT body FROM inventory_part WHERE host = ?1 AND section = ?2 LIMIT 1")
        .and_then(|mut statement| statement.query_row(params![host.0, part.section], |row| row.get(0)).optional())
        .map_err(failed)?;
    let staged: Option<Part> = staged.and_then(|body| serde_json::from_str(&body).ok());
    if staged.is_some_and(|staged| !staged.belongs_to(part)) {
        connection
            .prepare_cached("DELETE FROM inventory_part WHERE host = ?1 AND section = ?2")
            .and_then(|mut statement| statement.execute(params![host.0, part.section]))
            .map_err(failed)?;
    }
    // A host that begins differences and never ends them does not fill the disk.
    let staged: i64 = connection
        .prepare_cached("SELECT count(*) FROM inventory_part WHERE host = ?1")
        .and_then(|mut statement| statement.query_row([host.0], |row| row.get(0)))
        .map_err(failed)?;
    if staged >= i64::from(PARTS) {
        connection
            .prepare_cached("DELETE FROM inventory_part WHERE host = ?1")
            .and_then(|mut statement| statement.execute([host.0]))
            .map_err(failed)?;
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO inventory_part (host, section, part, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (host, section, part) DO UPDATE SET body = excluded.body",
        )
        .and_then(|mut statement| statement.execute(params![host.0, part.section, part.place().0, body]))
        .map_err(failed)?;
    Ok(())
}

/// What is held of the section that a difference is about, as far as it is concerned.
fn before(connection: &Connection, host: HostNo, delta: &Delta) -> Result<Before, StoreError> {
    let Some(section) = intern::section(connection, &delta.section)? else {
        return others(connection, host, -1);
    };
    let others = others(connection, host, section)?;
    let told: Option<(Head, Hash, Timestamp, i64, i64)> = connection
        .prepare_cached(
            "SELECT status, reason, source, hash, looked_ms, rows_told, bytes FROM latest WHERE host = ?1 AND section = ?2",
        )
        .and_then(|mut statement| {
            let head = |row: &rusqlite::Row<'_>| {
                let head = Head { status: status(row.get(0)?), reason: row.get(1)?, source: row.get(2)? };
                Ok((head, row.get(3)?, Timestamp::from_ms(row.get(4)?), row.get(5)?, row.get(6)?))
            };
            statement.query_row(params![host.0, section], head).optional()
        })
        .map_err(failed)?;
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    let (rows, bytes) = told.as_ref().map_or((0, 0), |told| (number(told.3), number(told.4)));
    let told = told.map(|(head, hash, looked, ..)| (head, hash, looked));
    // A difference to something else is refused before its rows are looked at.
    let is_refused = !delta.full && told.as_ref().is_none_or(|(_, hash, _)| *hash != delta.base);
    let held = if is_refused { BTreeMap::new() } else { look::held(connection, host, section, delta)? };
    Ok(Before { told, rows, bytes, held, ..others })
}

/// What the host tells in other sections.
fn others(connection: &Connection, host: HostNo, section: i64) -> Result<Before, StoreError> {
    let (rows, bytes, sections): (i64, i64, i64) = connection
        .prepare_cached(
            "SELECT coalesce(sum(rows_told), 0), coalesce(sum(bytes), 0), count(*) FROM latest
             WHERE host = ?1 AND section <> ?2",
        )
        .and_then(|mut statement| {
            statement.query_row(params![host.0, section], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .map_err(failed)?;
    let number = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(Before {
        other_rows: number(rows),
        other_bytes: number(bytes),
        other_sections: number(sections),
        ..Before::default()
    })
}

fn status(number: u32) -> Status {
    Status::of_number(number).unwrap_or_default()
}

fn refuse(
    connection: &Connection,
    host: HostNo,
    part: &Part,
    at: Timestamp,
    refusal: Refusal,
) -> Result<Taken, StoreError> {
    connection
        .prepare_cached("DELETE FROM inventory_part WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.execute(params![host.0, part.section]))
        .map_err(failed)?;
    let differs = matches!(refusal, Refusal::OtherBase | Refusal::OtherHash);
    // What is asked for is not refused yet; a whole section that is wrong in itself would be asked for for ever.
    let ask = differs && !part.full;
    if !ask {
        look::note_refused(connection, host, &part.section, at, &refusal.to_string())?;
    }
    Ok(Taken { section: part.section.clone(), refused: Some(refusal), ask, changes: 0 })
}

/// What is to be written of a difference.
struct Work {
    delta: Delta,
    after: After,
    /// When it was looked at; no row of the section began or ended then or later.
    at: Timestamp,
    /// The look before.
    since: Timestamp,
    /// Values without a history, as they are kept.
    latest: Vec<u8>,
    /// What ends with it.
    ended: past::Size,
}

/// What a difference of all its parts comes to.
fn plan(
    connection: &Connection,
    host: HostNo,
    parts: Vec<Part>,
    at: Timestamp,
) -> Result<Result<Work, Refusal>, StoreError> {
    let delta = match whole(parts, at) {
        Ok(delta) => delta,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = before(connection, host, &delta)?;
    let after = match apply(&before, &delta) {
        Ok(after) => after,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let latest = match look::next(connection, host, &delta)? {
        Ok(latest) => latest,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Two differences within a millisecond must not share a key.
    let looked = before.told.as_ref().map(|(_, _, looked)| *looked);
    let at = looked.map_or(delta.at, |looked| delta.at.max(looked.plus_ms(1)));
    let since = looked.map_or(at, |looked| looked.max(at.plus_ms(-LOOKS_EVERY_MS)));
    let ended = past::ended(&before, &after);
    Ok(Ok(Work { delta, after, at, since, latest, ended }))
}

/// Notes what a difference came to, after its rows.
fn finish(connection: &Connection, host: HostNo, section: i64, work: &Work) -> Result<Taken, StoreError> {
    let events = change::named(&work.delta.section, &work.after.differences);
    let said = changes::append(connection, host, work.since, work.at, &events)?;
    past::add(connection, host, work.ended, said)?;
    look::note(connection, host, section, work)?;
    connection
        .prepare_cached("DELETE FROM inventory_part WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.execute(params![host.0, work.delta.section]))
        .map_err(failed)?;
    Ok(Taken { section: work.delta.section.clone(), refused: None, ask: false, changes: events.len() })
}

/// A row that is held, with the number of what it is.
type HeldThing = (i64, String, Held);

/// A held row of: thing, key, body, away since, looks.
fn held_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<HeldThing> {
    let since: Option<i64> = row.get(3)?;
    let looks: Option<u32> = row.get(4)?;
    let away = since.map(|since| Away { since: Timestamp::from_ms(since), looks: looks.unwrap_or(0) });
    Ok((row.get(0)?, row.get(1)?, Held { durable: intern::fields(&row.get::<_, String>(2)?), away }))
}

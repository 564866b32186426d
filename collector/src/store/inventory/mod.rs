//! The living inventory in `facts.db`: what each host has and had, row by row, and what changed.
//!
//! Rows of all hosts are interned: ten thousand hosts have some ten thousand packages between them. A difference is taken
//! whole, in the transaction that notes its record as received; its parts wait until the last one is there.

pub mod changes;
mod intern;
pub mod lacking;
mod look;
mod prune;
pub mod read;
pub mod search;

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{FACTS_FILE, Fact, Store, StoreError, storage_error};
use crate::domain::{
    ids::HostNo,
    inventory::{
        Head, Status,
        apply::{After, Before, Held, Step, apply},
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
    let Some(parts) = gathered(connection, host, part.clone(), &fact.body)? else { return Ok(None) };
    let delta = match whole(parts, fact.at) {
        Ok(delta) => delta,
        Err(refusal) => return refuse(connection, host, &part, fact.at, refusal).map(Some),
    };
    let before = before(connection, host, &delta)?;
    match apply(&before, &delta) {
        Ok(after) => write(connection, host, &before, delta, after).map(Some),
        Err(refusal) => refuse(connection, host, &part, fact.at, refusal).map(Some),
    }
}

/// All parts of the difference that this one completes; none while some are missing. Parts of another difference of the
/// section are dropped.
fn gathered(connection: &Connection, host: HostNo, part: Part, body: &str) -> Result<Option<Vec<Part>>, StoreError> {
    let (number, all) = part.place();
    let drop_stage = || {
        connection
            .prepare_cached("DELETE FROM inventory_part WHERE host = ?1 AND section = ?2")
            .and_then(|mut statement| statement.execute(params![host.0, part.section]))
            .map_err(failed)
    };
    if all == 1 {
        drop_stage()?;
        return Ok(Some(vec![part]));
    }
    let mut parts: Vec<Part> = {
        let mut statement = connection
            .prepare_cached("SELECT body FROM inventory_part WHERE host = ?1 AND section = ?2 ORDER BY part")
            .map_err(failed)?;
        let bodies = statement.query_map(params![host.0, part.section], |row| row.get::<_, String>(0));
        let bodies: Vec<String> = bodies.and_then(Iterator::collect).map_err(failed)?;
        bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect()
    };
    if parts.iter().any(|staged| !staged.belongs_to(&part)) {
        drop_stage()?;
        parts.clear();
    }
    parts.retain(|staged| staged.place().0 != number);
    parts.push(part.clone());
    if parts.len() == usize::try_from(all).unwrap_or(usize::MAX) {
        drop_stage()?;
        return Ok(Some(parts));
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
        return Ok(None);
    }
    connection
        .prepare_cached(
            "INSERT INTO inventory_part (host, section, part, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (host, section, part) DO UPDATE SET body = excluded.body",
        )
        .and_then(|mut statement| statement.execute(params![host.0, part.section, number, body]))
        .map_err(failed)?;
    Ok(None)
}

/// What is held of the section that a difference is about, as far as it is concerned.
fn before(connection: &Connection, host: HostNo, delta: &Delta) -> Result<Before, StoreError> {
    let Some(section) = intern::section(connection, &delta.section)? else {
        let (other_rows, other_sections) = others(connection, host, -1)?;
        return Ok(Before { other_rows, other_sections, ..Before::default() });
    };
    let (other_rows, other_sections) = others(connection, host, section)?;
    let told: Option<(Head, Hash, Timestamp, i64)> = connection
        .prepare_cached(
            "SELECT status, reason, source, hash, looked_ms, rows_told FROM latest WHERE host = ?1 AND section = ?2",
        )
        .and_then(|mut statement| {
            let head = |row: &rusqlite::Row<'_>| {
                let head = Head { status: status(row.get(0)?), reason: row.get(1)?, source: row.get(2)? };
                Ok((head, row.get(3)?, Timestamp::from_ms(row.get(4)?), row.get(5)?))
            };
            statement.query_row(params![host.0, section], head).optional()
        })
        .map_err(failed)?;
    let rows = told.as_ref().map_or(0, |told| usize::try_from(told.3).unwrap_or(0));
    let told = told.map(|(head, hash, looked, _)| (head, hash, looked));
    // A difference to something else is refused before its rows are looked at.
    let is_refused = !delta.full && told.as_ref().is_none_or(|(_, hash, _)| *hash != delta.base);
    let held = if is_refused { BTreeMap::new() } else { look::held(connection, host, section, delta)? };
    Ok(Before { told, rows, other_rows, other_sections, held })
}

fn others(connection: &Connection, host: HostNo, section: i64) -> Result<(usize, usize), StoreError> {
    let counts = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (rows, sections) = connection
        .prepare_cached("SELECT coalesce(sum(rows_told), 0), count(*) FROM latest WHERE host = ?1 AND section <> ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, section], counts))
        .map_err(failed)?;
    Ok((usize::try_from(rows).unwrap_or(0), usize::try_from(sections).unwrap_or(0)))
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

fn write(
    connection: &Connection,
    host: HostNo,
    before: &Before,
    delta: Delta,
    after: After,
) -> Result<Taken, StoreError> {
    let section = intern::section_or_new(connection, &delta.section)?;
    // Two differences within a millisecond must not share a key.
    let looked = before.told.as_ref().map(|(_, _, looked)| *looked);
    let at = looked.map_or(delta.at, |looked| delta.at.max(looked.plus_ms(1)));
    after.steps.iter().try_for_each(|step| write_step(connection, host, section, step, at))?;
    let events = change::named(&delta.section, &after.differences);
    let since = looked.map_or(at, |looked| looked.max(at.plus_ms(-LOOKS_EVERY_MS)));
    changes::append(connection, host, since, at, &events)?;
    look::note(connection, host, section, &delta, &after, at)?;
    Ok(Taken { section: delta.section, refused: None, ask: false, changes: events.len() })
}

fn write_step(
    connection: &Connection,
    host: HostNo,
    section: i64,
    step: &Step,
    at: Timestamp,
) -> Result<(), StoreError> {
    match step {
        Step::Begin { key, durable } => {
            let thing = intern::thing(connection, section, key, durable)?;
            let item = intern::item(connection, thing, key, durable)?;
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

fn end(connection: &Connection, host: HostNo, section: i64, thing: i64, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE holding SET removed_ms = ?4, away_ms = NULL, looks = NULL
             WHERE host = ?1 AND section = ?2 AND thing = ?3 AND removed_ms IS NULL",
        )
        .and_then(|mut statement| statement.execute(params![host.0, section, thing, at.ms()]))
        .map_err(failed)?;
    Ok(())
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

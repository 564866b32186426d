//! A section of many rows is written in slices, so that no record of another host waits for it: what begins or ends at its
//! instant or later is not seen until the last slice says so. Of a section that was not written to its end nothing was
//! ever seen; what there is of it is taken away before the next is written.

use std::{collections::BTreeMap, slice, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};

use super::{KIND, Taken, Work, failed, finish, gathered, intern, past, plan, steps};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{delta::Part, hash::Hash},
        time::Timestamp,
    },
    store::{Fact, Store, StoreError, facts},
};

/// Rows in one transaction: some 5 ms of the writer.
pub(super) const SLICE: usize = 100;
/// Nothing is being written: all is seen.
pub(super) const ALL: i64 = i64::MAX;

/// From when on what is written of a section is not seen yet.
pub(super) fn unseen_from(connection: &Connection, host: HostNo, section: i64) -> Result<i64, StoreError> {
    let at: Option<i64> = connection
        .prepare_cached("SELECT at_ms FROM inventory_writing WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, section], |row| row.get(0)).optional())
        .map_err(failed)?;
    Ok(at.unwrap_or(ALL))
}

/// The same of all hosts of which a section is being written.
pub(super) fn unseen_of_all(connection: &Connection, section: i64) -> Result<BTreeMap<i64, i64>, StoreError> {
    connection
        .prepare_cached("SELECT host, at_ms FROM inventory_writing WHERE section = ?1")
        .and_then(|mut statement| {
            statement.query_map([section], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect)
        })
        .map_err(failed)
}

/// Takes a fact of the inventory of which all before it are stored. The caller holds the turn of the inventory.
pub(in crate::store) async fn take(
    store: &Store,
    host: HostNo,
    epoch: [u8; 16],
    fact: Fact,
) -> Result<Vec<Taken>, StoreError> {
    let work = look(store, host, epoch, &fact).await?;
    let taken = match work {
        Some(work) => vec![in_slices(store, host, epoch, fact.sequence, work).await?],
        None => {
            store
                .facts()
                .write(move |db| facts::write(db, host, epoch, slice::from_ref(&fact)), |_| {})
                .await?
                .inventory
        }
    };
    // What was taken stands; what could not be cut is cut the next time.
    let _ = store.cut_past(host).await;
    Ok(taken)
}

/// What is to be written; none where it is known, waits for other parts or is refused.
async fn look(store: &Store, host: HostNo, epoch: [u8; 16], fact: &Fact) -> Result<Option<Work>, StoreError> {
    let Ok(part) = serde_json::from_str::<Part>(&fact.body) else { return Ok(None) };
    let section = part.section.clone();
    // What nobody finished is taken away first, so that what is compared with is as it was.
    loop {
        let of = section.clone();
        if !store.facts_reader().read(move |db| is_begun(db, host, &of)).await? {
            break;
        }
        let of = section.clone();
        store.facts().write(move |db| undo(db, host, &of, SLICE), |_| {}).await?;
    }
    let (sequence, at) = (fact.sequence, fact.at);
    let plan = move |db: &Connection| {
        if facts::is_known(db, host, epoch, sequence)? {
            return Ok(None);
        }
        let Some(parts) = gathered(db, host, &part)? else { return Ok(None) };
        // What is refused is refused where all is said of that.
        Ok(plan(db, host, parts, at)?.ok())
    };
    store.facts_reader().read(plan).await
}

async fn in_slices(
    store: &Store,
    host: HostNo,
    epoch: [u8; 16],
    sequence: u64,
    work: Work,
) -> Result<Taken, StoreError> {
    let work = Arc::new(work);
    let steps = work.after.steps.len();
    // What fits in one slice goes with the last.
    let apart = if steps > SLICE { steps } else { 0 };
    for from in (0..apart).step_by(SLICE) {
        let work = Arc::clone(&work);
        let some = move |db: &Connection| {
            let section = intern::section_or_new(db, &work.delta.section)?;
            begin(db, host, section, work.at)?;
            let some = &work.after.steps[from..steps.min(from + SLICE)];
            some.iter().try_for_each(|step| steps::write(db, host, section, step, work.at))
        };
        store.facts().write(some, |()| {}).await?;
    }
    let last = move |db: &Connection| {
        let section = intern::section_or_new(db, &work.delta.section)?;
        work.after.steps[apart..].iter().try_for_each(|step| steps::write(db, host, section, step, work.at))?;
        let taken = finish(db, host, section, &work)?;
        end(db, host, section)?;
        facts::receive(db, host, epoch, sequence)?;
        Ok(taken)
    };
    store.facts().write(last, |_| {}).await
}

fn begin(connection: &Connection, host: HostNo, section: i64, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO inventory_writing (host, section, at_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (host, section) DO NOTHING",
        )
        .and_then(|mut statement| statement.execute(params![host.0, section, at.ms()]))
        .map(drop)
        .map_err(failed)
}

fn end(connection: &Connection, host: HostNo, section: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM inventory_writing WHERE host = ?1 AND section = ?2")
        .and_then(|mut statement| statement.execute(params![host.0, section]))
        .map(drop)
        .map_err(failed)
}

/// Whether a section was begun and not written to its end.
fn is_begun(connection: &Connection, host: HostNo, section: &str) -> Result<bool, StoreError> {
    let Some(section) = intern::section(connection, section)? else { return Ok(false) };
    Ok(unseen_from(connection, host, section)? != ALL)
}

/// Takes away up to `most` rows of what was begun and not written to its end; false: there is no more of it.
pub(super) fn undo(connection: &Connection, host: HostNo, section: &str, most: usize) -> Result<bool, StoreError> {
    let Some(section) = intern::section(connection, section)? else { return Ok(false) };
    let at = unseen_from(connection, host, section)?;
    if at == ALL {
        return Ok(false);
    }
    let rows: Vec<(i64, i64, i64)> = connection
        .prepare_cached(
            "SELECT thing, first_ms, item FROM holding
             WHERE host = ?1 AND section = ?2 AND (first_ms >= ?3 OR removed_ms >= ?3) LIMIT ?4",
        )
        .and_then(|mut statement| {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement.query_map(params![host.0, section, at, most], row).and_then(Iterator::collect)
        })
        .map_err(failed)?;
    for (thing, first, item) in &rows {
        if *first >= at {
            past::delete(connection, host, &past::Row { section, thing: *thing, first: *first, item: *item })?;
            continue;
        }
        connection
            .prepare_cached(
                "UPDATE holding SET removed_ms = NULL WHERE host = ?1 AND section = ?2 AND thing = ?3 AND first_ms = ?4",
            )
            .and_then(|mut statement| statement.execute(params![host.0, section, thing, first]))
            .map_err(failed)?;
    }
    if rows.len() < most {
        // Marks of rows that are away are not taken back: the section is asked for as a whole.
        connection
            .prepare_cached("UPDATE latest SET hash = ?3 WHERE host = ?1 AND section = ?2")
            .and_then(|mut statement| statement.execute(params![host.0, section, Hash::default()]))
            .map_err(failed)?;
        end(connection, host, section)?;
        return Ok(false);
    }
    Ok(true)
}

/// Whether a fact is one of the inventory.
pub(in crate::store) fn is_of_it(fact: &Fact) -> bool {
    fact.kind == KIND
}

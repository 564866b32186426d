//! What is in a collector's store, read by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_collector::domain::time::Timestamp;
use muster_collector::store::Store;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::scene::ALERT;

/// A connection that changes nothing.
///
/// # Errors
/// The file cannot be opened.
pub fn reader(file: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Pages that are recorded as accepted by their receivers.
///
/// # Errors
/// The store cannot be read.
pub fn accepted(state: &Connection) -> Result<Vec<i64>> {
    let mut found = state.prepare_cached("SELECT id FROM page WHERE delivery LIKE '%accepted%'")?;
    let pages = found.query_map([], |row| row.get(0))?;
    Ok(pages.collect::<Result<_, _>>()?)
}

/// What a store holds of what was asked of it.
#[derive(Debug, Default)]
pub struct Held {
    /// What is wrong with the files themselves, or with the chains of what must not be changed.
    pub unsound: Vec<String>,
    /// What each record says, by the host's id and its number.
    pub records: BTreeMap<(String, u64), String>,
    /// How many incidents each alert has, and whether the last one is resolved.
    pub incidents: BTreeMap<String, (usize, bool)>,
    /// Alerts whose incident a person has taken.
    pub taken: BTreeSet<String>,
    /// Ids of hosts.
    pub hosts: BTreeSet<String>,
}

/// Reads a store that nobody has open.
///
/// # Errors
/// It cannot be read.
pub async fn held(directory: &Path) -> Result<Held> {
    let mut held = rows(directory)?;
    let store = Store::open(directory, Timestamp::from_ms(muster_agent::clock::now().wall_ms))?;
    held.unsound.extend(store.verify_chains().await?);
    Ok(held)
}

fn rows(directory: &Path) -> Result<Held> {
    let mut held = Held::default();
    let (state, facts) = (reader(&directory.join("state.db"))?, reader(&directory.join("facts.db"))?);
    for (name, file) in [("state.db", &state), ("facts.db", &facts)] {
        let said: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if said != "ok" {
            held.unsound.push(format!("{name}: {said}"));
        }
    }
    let mut ids = BTreeMap::new();
    let mut hosts = state.prepare("SELECT no, id FROM host")?;
    for row in hosts.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))? {
        let (no, id) = row?;
        held.hosts.insert(id.clone());
        ids.insert(no, id);
    }
    let mut records = facts.prepare("SELECT host, sequence, body FROM fact WHERE kind = 'kernel'")?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?));
    for row in records.query_map([], row)? {
        let (host, sequence, body) = row?;
        let id = ids.get(&host).with_context(|| format!("a record of a host that is not there: {host}"))?;
        let body: Value = serde_json::from_str(&body)?;
        let says = body["events"][0]["message"].as_str().unwrap_or_default().to_owned();
        held.records.insert((id.clone(), u64::try_from(sequence)?), says);
    }
    let mut incidents = state.prepare(
        "SELECT body, state, EXISTS (SELECT 1 FROM incident_event e WHERE e.incident = no AND e.kind = 'acknowledged') \
         FROM incident ORDER BY no",
    )?;
    let row =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
    for row in incidents.query_map([], row)? {
        let (body, state, is_taken) = row?;
        let body: Value = serde_json::from_str(&body)?;
        let name = body["component"].as_str().unwrap_or_default().to_owned();
        if name.starts_with(ALERT) {
            let of = held.incidents.entry(name.clone()).or_default();
            *of = (of.0 + 1, state.contains("resolved"));
            if is_taken {
                held.taken.insert(name);
            }
        }
    }
    Ok(held)
}

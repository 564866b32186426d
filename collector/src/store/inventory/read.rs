//! A host's inventory as it is, or as it was on a date.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{failed, intern, look, status, writing};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{Fields, Head},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// A section of a host without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What the host said last of it as a whole.
    pub head: Head,
    /// Rows that the host told last.
    pub rows: u64,
    /// When it was told first.
    pub first: Timestamp,
    /// When it was looked at last that something of it differed.
    pub looked: Timestamp,
}

/// A section that was told and not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name, as the host gave it.
    pub section: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A row that a host has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Its key.
    pub key: String,
    /// What is durable of it.
    pub durable: Fields,
    /// What has no history; of a past date nothing.
    pub latest: Fields,
    /// Where it was read, where that differs from its section.
    pub source: String,
    /// Since when it is so.
    pub first: Timestamp,
    /// Since when it is not seen, while it may be back.
    pub away: Option<Timestamp>,
}

/// A state that a row had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What was durable of it.
    pub durable: Fields,
    /// From when.
    pub first: Timestamp,
    /// Until when; none: it is so.
    pub removed: Option<Timestamp>,
}

impl Store {
    /// The sections of a host by name, and those that were not taken.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_sections(&self, host: HostNo) -> Result<(Vec<Section>, Vec<Refused>), StoreError> {
        self.facts_reader().read(move |connection| Ok((sections(connection, host)?, refused(connection, host)?))).await
    }

    /// The rows of a section of a host in the order of their keys, as they are or as they were then.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_rows(
        &self,
        host: HostNo,
        section: String,
        at: Option<Timestamp>,
    ) -> Result<Vec<HeldRow>, StoreError> {
        self.facts_reader().read(move |connection| rows(connection, host, &section, at)).await
    }

    /// All states that a row of a host had, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_history(&self, host: HostNo, section: String, key: String) -> Result<Vec<Past>, StoreError> {
        self.facts_reader().read(move |connection| history(connection, host, &section, &key)).await
    }

    /// A section of all hosts that have it, host by host: name, value and so on of each row. For what has one row or few.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_of_all(&self, section: &'static str) -> Result<BTreeMap<HostNo, Vec<Fields>>, StoreError> {
        self.facts_reader().read(move |connection| of_all(connection, section)).await
    }

    /// Whether any host has told any section.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn has_inventory(&self) -> Result<bool, StoreError> {
        self.facts_reader()
            .read(|connection| {
                let any = connection.query_row("SELECT 1 FROM latest LIMIT 1", [], |_| Ok(())).optional();
                any.map(|found| found.is_some()).map_err(failed)
            })
            .await
    }

    /// How many sections of all hosts have which status.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_states(&self) -> Result<BTreeMap<(String, &'static str), u64>, StoreError> {
        self.facts_reader().read(states).await
    }
}

fn sections(connection: &Connection, host: HostNo) -> Result<Vec<Section>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT s.name, l.status, l.reason, l.source, l.rows_told, l.first_ms, l.looked_ms
             FROM latest l JOIN inventory_section s ON s.no = l.section WHERE l.host = ?1 ORDER BY s.name",
        )
        .map_err(failed)?;
    let rows = statement.query_map([host.0], |row| {
        let rows: i64 = row.get(4)?;
        Ok(Section {
            name: row.get(0)?,
            head: Head { status: status(row.get(1)?), reason: row.get(2)?, source: row.get(3)? },
            rows: u64::try_from(rows).unwrap_or(0),
            first: Timestamp::from_ms(row.get(5)?),
            looked: Timestamp::from_ms(row.get(6)?),
        })
    });
    rows.and_then(Iterator::collect).map_err(failed)
}

fn refused(connection: &Connection, host: HostNo) -> Result<Vec<Refused>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT section, at_ms, reason FROM inventory_refused WHERE host = ?1 ORDER BY section")
        .map_err(failed)?;
    let rows = statement.query_map([host.0], |row| {
        Ok(Refused { section: row.get(0)?, at: Timestamp::from_ms(row.get(1)?), reason: row.get(2)? })
    });
    rows.and_then(Iterator::collect).map_err(failed)
}

fn rows(
    connection: &Connection,
    host: HostNo,
    section: &str,
    at: Option<Timestamp>,
) -> Result<Vec<HeldRow>, StoreError> {
    let Some(section) = intern::section(connection, section)? else { return Ok(Vec::new()) };
    let held = |row: &rusqlite::Row<'_>| {
        let away: Option<i64> = row.get(3)?;
        Ok(HeldRow {
            key: row.get(0)?,
            durable: intern::fields(&row.get::<_, String>(1)?),
            latest: Fields::new(),
            source: String::new(),
            first: Timestamp::from_ms(row.get(2)?),
            away: away.filter(|_| at.is_none()).map(Timestamp::from_ms),
        })
    };
    // What begins at an instant is there at it, what ends at it is not.
    let mut statement = connection
        .prepare_cached(
            "SELECT t.key, i.body, h.first_ms, h.away_ms FROM holding h
             JOIN thing t ON t.no = h.thing JOIN item i ON i.no = h.item
             WHERE h.host = ?1 AND h.section = ?2 AND h.first_ms <= ?3
             AND (h.removed_ms IS NULL OR h.removed_ms > ?3) ORDER BY t.key",
        )
        .map_err(failed)?;
    let seen = at.map_or(i64::MAX, Timestamp::ms).min(writing::unseen_from(connection, host, section)? - 1);
    let rows = statement.query_map(params![host.0, section, seen], held);
    let mut rows: Vec<HeldRow> = rows.and_then(Iterator::collect).map_err(failed)?;
    if at.is_some() {
        return Ok(rows);
    }
    let latest = look::latest(connection, host, section)?;
    for row in &mut rows {
        if let Some(known) = latest.get(&row.key) {
            (row.latest, row.source) = (known.fields.clone(), known.source.clone());
        }
    }
    Ok(rows)
}

fn history(connection: &Connection, host: HostNo, section: &str, key: &str) -> Result<Vec<Past>, StoreError> {
    let Some(section) = intern::section(connection, section)? else { return Ok(Vec::new()) };
    let Some(thing) = intern::known_thing(connection, section, key)? else { return Ok(Vec::new()) };
    let mut statement = connection
        .prepare_cached(
            "SELECT i.body, h.first_ms, h.removed_ms FROM holding h JOIN item i ON i.no = h.item
             WHERE h.host = ?1 AND h.section = ?2 AND h.thing = ?3 AND h.first_ms < ?4 ORDER BY h.first_ms",
        )
        .map_err(failed)?;
    let unseen = writing::unseen_from(connection, host, section)?;
    let rows = statement.query_map(params![host.0, section, thing, unseen], |row| {
        let removed: Option<i64> = row.get(2)?;
        let removed = removed.filter(|at| *at < unseen);
        Ok(Past {
            durable: intern::fields(&row.get::<_, String>(0)?),
            first: Timestamp::from_ms(row.get(1)?),
            removed: removed.map(Timestamp::from_ms),
        })
    });
    rows.and_then(Iterator::collect).map_err(failed)
}

fn of_all(connection: &Connection, section: &str) -> Result<BTreeMap<HostNo, Vec<Fields>>, StoreError> {
    let Some(section) = intern::section(connection, section)? else { return Ok(BTreeMap::new()) };
    let hosts: Vec<i64> = connection
        .prepare_cached("SELECT host FROM latest WHERE section = ?1")
        .and_then(|mut statement| statement.query_map([section], |row| row.get(0)).and_then(Iterator::collect))
        .map_err(failed)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT i.body FROM holding h JOIN item i ON i.no = h.item
             WHERE h.host = ?1 AND h.section = ?2 AND h.first_ms < ?3
             AND (h.removed_ms IS NULL OR h.removed_ms >= ?3)",
        )
        .map_err(failed)?;
    let unseen = writing::unseen_of_all(connection, section)?;
    let mut all = BTreeMap::new();
    for host in hosts {
        let unseen = unseen.get(&host).copied().unwrap_or(writing::ALL);
        let bodies = statement.query_map(params![host, section, unseen], |row| row.get::<_, String>(0));
        let bodies: Vec<String> = bodies.and_then(Iterator::collect).map_err(failed)?;
        all.insert(HostNo(host), bodies.iter().map(|body| intern::fields(body)).collect());
    }
    Ok(all)
}

fn states(connection: &Connection) -> Result<BTreeMap<(String, &'static str), u64>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT s.name, l.status, count(*) FROM latest l JOIN inventory_section s ON s.no = l.section
             GROUP BY s.name, l.status",
        )
        .map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(String, u32, i64)> = rows.and_then(Iterator::collect).map_err(failed)?;
    let entry = |(name, number, count)| ((name, status(number).word()), u64::try_from(count).unwrap_or(0));
    Ok(rows.into_iter().map(entry).collect())
}

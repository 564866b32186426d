//! Which hosts have or had something: packages of a version, disks of a model.
//!
//! What is searched for is first found among the things that there are, of which all hosts together have some ten
//! thousand; then it is looked up which hosts have them, 32 hosts at a time, whose rows of a thing lie together. A search
//! that would read too much stops, and goes on from there when it is asked again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::{failed, intern, writing};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{Fields, field, pattern::Pattern},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Hosts whose rows of a thing lie together, as the index `holding_block` has them.
pub(super) const BLOCK: i64 = 32;
/// Things that are looked up one by one; of more all rows are read: 32 hosts have some thousands between them.
const ASKED_FOR: usize = 1_000;
/// Rows and look-ups of one answer: some 200 ms.
const READS: usize = 300_000;
/// Items of which the fields are looked at in one answer.
const ITEMS: usize = 200_000;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Search {
    /// In which section.
    pub section: String,
    /// By name.
    pub name: Option<Pattern>,
    /// By other fields.
    pub fields: Vec<(String, Pattern)>,
    /// Held at some instant from here; none: held now.
    pub from: Option<Timestamp>,
    /// Until here.
    pub to: Option<Timestamp>,
    /// Hosts after this one.
    pub after: Option<HostNo>,
    /// Rows at most; those of one host stay together.
    pub limit: usize,
}

/// A row that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// On which host.
    pub host: HostNo,
    /// Its key.
    pub key: String,
    /// What is or was durable of it.
    pub durable: Fields,
    /// From when.
    pub first: Timestamp,
    /// Until when; none: it is so.
    pub removed: Option<Timestamp>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    /// Host by host.
    pub rows: Vec<Hit>,
    /// The host after which to go on; none: that was all.
    pub next: Option<HostNo>,
}

impl Store {
    /// Searches the inventory of all hosts.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn inventory_search(&self, search: Search) -> Result<Hits, StoreError> {
        self.facts_reader().read(move |connection| find(connection, &search)).await
    }
}

/// A state that is searched for.
struct Wanted {
    key: String,
    durable: Fields,
}

/// A row of a state that is searched for.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    host: i64,
    thing: i64,
    first: i64,
    item: i64,
    removed: Option<i64>,
}

fn find(connection: &Connection, search: &Search) -> Result<Hits, StoreError> {
    let Some(section) = intern::section(connection, &search.section)? else { return Ok(Hits::default()) };
    let wanted = wanted(connection, section, search)?;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(host) FROM latest WHERE section = ?1")
        .and_then(|mut statement| statement.query_row([section], |row| row.get(0)))
        .map_err(failed)?;
    let Some(last) = last.filter(|_| !wanted.is_empty()) else { return Ok(Hits::default()) };
    let after = search.after.map_or(0, |host| host.0).clamp(0, last);
    let mut looking = Looking::of(connection, section, search, &wanted)?;
    let mut hits = Hits::default();
    for block in (after + 1) / BLOCK..=last / BLOCK {
        if hits.rows.len() >= search.limit || looking.reads >= READS {
            hits.next = Some(HostNo((block * BLOCK - 1).max(after)));
            break;
        }
        let mut found = looking.block(block)?;
        found.retain(|one| one.host > after);
        found.sort();
        for rows in found.chunk_by(|one, other| one.host == other.host) {
            if hits.rows.len() >= search.limit {
                hits.next = Some(HostNo(rows[0].host - 1));
                return Ok(hits);
            }
            hits.rows.extend(rows.iter().filter_map(|one| Some(hit(one, wanted.get(&(one.thing, one.item))?))));
        }
    }
    Ok(hits)
}

fn hit(found: &Found, state: &Wanted) -> Hit {
    Hit {
        host: HostNo(found.host),
        key: state.key.clone(),
        durable: state.durable.clone(),
        first: Timestamp::from_ms(found.first),
        removed: found.removed.map(Timestamp::from_ms),
    }
}

/// A search through blocks of hosts.
struct Looking<'a> {
    search: &'a Search,
    wanted: &'a BTreeMap<(i64, i64), Wanted>,
    statement: CachedStatement<'a>,
    section: i64,
    /// What is looked up one by one; nothing: all rows are read.
    things: Vec<i64>,
    unseen: BTreeMap<i64, i64>,
    reads: usize,
}

impl<'a> Looking<'a> {
    fn of(
        connection: &'a Connection,
        section: i64,
        search: &'a Search,
        wanted: &'a BTreeMap<(i64, i64), Wanted>,
    ) -> Result<Self, StoreError> {
        let things: BTreeSet<i64> = wanted.keys().map(|(thing, _)| *thing).collect();
        let (one, things) = match things.len() <= ASKED_FOR {
            true => (" AND thing = ?3", things.into_iter().collect()),
            false => ("", Vec::new()),
        };
        let sql = format!(
            "SELECT host, thing, item, first_ms, removed_ms FROM holding WHERE host / 32 = ?1 AND section = ?2{one}"
        );
        let statement = connection.prepare_cached(&sql).map_err(failed)?;
        let unseen = writing::unseen_of_all(connection, section)?;
        Ok(Self { search, wanted, statement, section, things, unseen, reads: 0 })
    }

    /// What 32 hosts have of what is searched for.
    fn block(&mut self, block: i64) -> Result<Vec<Found>, StoreError> {
        let asked: Vec<Option<i64>> = match self.things.is_empty() {
            true => vec![None],
            false => self.things.iter().copied().map(Some).collect(),
        };
        let mut all = Vec::new();
        for thing in asked {
            let values = [Some(block), Some(self.section), thing];
            let mut rows = self.statement.query(params_from_iter(values.into_iter().flatten())).map_err(failed)?;
            self.reads += 1;
            while let Some(row) = rows.next().map_err(failed)? {
                self.reads += 1;
                let found = found_of(row).map_err(failed)?;
                let seen = seen(found, self.search, &self.unseen);
                all.extend(seen.filter(|one| self.wanted.contains_key(&(one.thing, one.item))));
            }
        }
        Ok(all)
    }
}

fn found_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { host: row.get(0)?, thing: row.get(1)?, item: row.get(2)?, first: row.get(3)?, removed: row.get(4)? })
}

/// A row as it is seen, where it is at the time that is asked for.
fn seen(mut found: Found, search: &Search, unseen: &BTreeMap<i64, i64>) -> Option<Found> {
    if let Some(from) = unseen.get(&found.host) {
        found.removed = found.removed.filter(|removed| removed < from);
        if found.first >= *from {
            return None;
        }
    }
    let is_then = match (search.from, search.to) {
        (None, None) => found.removed.is_none(),
        (from, to) => {
            to.is_none_or(|to| found.first < to.ms())
                && from.is_none_or(|from| found.removed.is_none_or(|removed| removed > from.ms()))
        }
    };
    is_then.then_some(found)
}

/// The states that fit, by thing and item.
fn wanted(connection: &Connection, section: i64, search: &Search) -> Result<BTreeMap<(i64, i64), Wanted>, StoreError> {
    let exact = search.name.as_ref().and_then(Pattern::exact).map(str::to_owned);
    let condition = if exact.is_some() { " AND t.name = ?2" } else { "" };
    let sql = format!(
        "SELECT t.no, i.no, t.key, t.name, i.body FROM thing t JOIN item i ON i.thing = t.no
         WHERE t.section = ?1{condition}"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let values: Vec<rusqlite::types::Value> =
        [Some(section.into()), exact.map(Into::into)].into_iter().flatten().collect();
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut wanted = BTreeMap::new();
    let mut looked_at = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        looked_at += 1;
        if looked_at > ITEMS {
            break;
        }
        let name: String = row.get(3).map_err(failed)?;
        if search.name.as_ref().is_some_and(|pattern| !pattern.fits(&name)) {
            continue;
        }
        let durable = intern::fields(&row.get::<_, String>(4).map_err(failed)?);
        let fits = |(name, pattern): &(String, Pattern)| field(&durable, name).is_some_and(|value| pattern.fits(value));
        if search.fields.iter().all(fits) {
            let of = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
            wanted.insert(of, Wanted { key: row.get(2).map_err(failed)?, durable });
        }
    }
    Ok(wanted)
}

//! Which hosts have or had something: packages of a version, disks of a model.
//!
//! Rows are stored host by host. What is searched for is first found among the things that there are, of which all hosts
//! together have some ten thousand; then each host is asked for them. A search that would read too much stops, and goes on
//! from there when it is asked again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params, params_from_iter};

use super::{failed, intern};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{Fields, field, pattern::Pattern},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Things that each host is asked for one by one; of more all its rows are read.
const ASKED_FOR: usize = 24;
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

fn find(connection: &Connection, search: &Search) -> Result<Hits, StoreError> {
    let Some(section) = intern::section(connection, &search.section)? else { return Ok(Hits::default()) };
    let wanted = wanted(connection, section, search)?;
    if wanted.is_empty() {
        return Ok(Hits::default());
    }
    let things: BTreeSet<i64> = wanted.keys().map(|(thing, _)| *thing).collect();
    let hosts: Vec<i64> = connection
        .prepare_cached("SELECT host FROM latest WHERE section = ?1 AND host > ?2 ORDER BY host")
        .and_then(|mut statement| {
            let after = search.after.map_or(0, |host| host.0);
            statement.query_map(params![section, after], |row| row.get(0)).and_then(Iterator::collect)
        })
        .map_err(failed)?;
    let time = match (search.from, search.to) {
        (None, None) => " AND removed_ms IS NULL",
        _ => " AND first_ms < ?4 AND (removed_ms IS NULL OR removed_ms > ?3)",
    };
    let one = if things.len() <= ASKED_FOR { " AND thing = ?5" } else { "" };
    let sql = format!(
        "SELECT thing, item, first_ms, removed_ms FROM holding
         WHERE host = ?1 AND section = ?2 AND ?3 <= ?4 AND ?5 IS NOT NULL{one}{time} ORDER BY thing, first_ms"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let from = search.from.map_or(i64::MIN, Timestamp::ms);
    let to = search.to.map_or(i64::MAX, Timestamp::ms);
    let asked: Vec<i64> = if one.is_empty() { vec![0] } else { things.into_iter().collect() };
    let (mut hits, mut reads) = (Hits::default(), 0);
    for host in hosts {
        if hits.rows.len() >= search.limit || reads >= READS {
            hits.next = Some(HostNo(host - 1));
            break;
        }
        for thing in &asked {
            reads += 1;
            let mut rows = statement.query(params![host, section, from, to, thing]).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                reads += 1;
                let of = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
                let Some(state) = wanted.get(&of) else { continue };
                let removed: Option<i64> = row.get(3).map_err(failed)?;
                hits.rows.push(Hit {
                    host: HostNo(host),
                    key: state.key.clone(),
                    durable: state.durable.clone(),
                    first: Timestamp::from_ms(row.get(2).map_err(failed)?),
                    removed: removed.map(Timestamp::from_ms),
                });
            }
        }
    }
    Ok(hits)
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

//! Ledgers up to an entry, with their chains looked at, for reckoning a report again.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    Store, StoreError,
    chain::START,
    engine_rows::hash_of,
    in_state,
    load::{collect, column, span},
};
use crate::domain::{
    calendar::Span,
    ids::HostNo,
    sla::{inputs::hex, verification::Kept},
    time::Timestamp,
};

/// What a position in a ledger is known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// When the ledger begins; none while it has no entry.
    pub begun: Option<Timestamp>,
    /// The entry's link of the chain, in hexadecimal; empty without an entry.
    pub hash: String,
}

impl Store {
    /// These entries of ledgers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn positions(&self, entries: Vec<(HostNo, i64)>) -> Result<BTreeMap<HostNo, Known>, StoreError> {
        self.read(move |connection| {
            let mut hash =
                connection.prepare_cached("SELECT hash FROM span WHERE host = ?1 AND n = ?2").map_err(in_state)?;
            let mut first = connection
                .prepare_cached("SELECT from_ms FROM span WHERE host = ?1 ORDER BY n LIMIT 1")
                .map_err(in_state)?;
            let mut found = BTreeMap::new();
            for (host, n) in entries {
                let hash = collect(hash.query([host.0, n]), |row| column::<Vec<u8>>(row, 0))?;
                let begun = collect(first.query([host.0]), |row| column::<i64>(row, 0))?;
                let begun = begun.first().copied().map(Timestamp::from_ms);
                found.insert(host, Known { begun, hash: hash.first().map(|hash| hex(hash)).unwrap_or_default() });
            }
            Ok(found)
        })
        .await
    }

    /// A ledger up to entry `n`: what of it touches a window, and whether its chain holds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_until(&self, host: HostNo, n: i64, window: Span) -> Result<Kept, StoreError> {
        self.read(move |connection| kept(connection, host, n, window)).await
    }
}

fn kept(connection: &Connection, host: HostNo, n: i64, window: Span) -> Result<Kept, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces, hash FROM span
             WHERE host = ?1 ORDER BY n",
        )
        .map_err(in_state)?;
    let mut rows = statement.query([host.0]).map_err(in_state)?;
    let (mut kept, mut before): (Kept, Option<(i64, Vec<u8>)>) = (Kept::default(), None);
    let mut end = Timestamp::from_ms(i64::MIN);
    while let Some(found) = rows.next().map_err(in_state)? {
        let row = span(found)?;
        let hash: Vec<u8> = column(found, 9)?;
        // The first that is kept of a ledger whose beginning is forgotten follows from what nobody has any more.
        let anchor = before.is_none() && row.n > 1;
        let follows = |previous: &[u8]| Ok::<_, StoreError>(hash_of(previous, &row)? == hash);
        let holds = match &before {
            _ if anchor => true,
            Some((last, previous)) if *last + 1 == row.n => follows(previous)?,
            // After a gap that the ledger itself has, a new chain begins.
            _ => follows(&START)?,
        };
        if !holds && kept.broken.is_none() {
            kept.broken = Some(row.n);
        }
        kept.first = kept.first.or(Some((row.n, row.from)));
        before = Some((row.n, hash.clone()));
        if row.n > n {
            if row.replaces.is_none() {
                kept.next = Some(row);
                break;
            }
            continue;
        }
        end = end.max(row.to);
        if row.n == n {
            kept.last = Some((end, hex(&hash)));
        }
        if row.to > window.from && row.from < window.until {
            kept.rows.push(row);
        }
    }
    Ok(kept)
}

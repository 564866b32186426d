//! How long things are kept, and forgetting them in small slices, so that nobody waits for it.
//!
//! Keys are looked up by the readers and deleted by the writers, a few hundred in one transaction. Of what people are
//! told, only the details of old incidents go; incidents themselves, the ledger and the audit log stay.

use rusqlite::{Connection, params};

use super::{FACTS_FILE, Store, StoreError, in_state, storage_error};
use crate::domain::{ids::HostNo, time::Timestamp};

const DAY_MS: i64 = 86_400_000;
/// A month and the days that people take to ask about it: facts that only fill in a past silence.
const FACTS_KEPT_MS: i64 = 35 * DAY_MS;
/// What is worthless after [`FACTS_KEPT_MS`]; other kinds are evidence and bounded by their number alone.
const SHORT_LIVED: [&str; 3] = ["rollup", "gap", "clock_step"];
/// Every kind of fact, as [`super::Fact`] names them.
const KINDS: [&str; 7] = ["rollup", "gap", "clock_step", "kernel", "evidence", "checks", "inventory"];
/// Facts of one host; beyond, the oldest go. Some 200 MB of roll-ups.
const MOST_FACTS_PER_HOST: i64 = 200_000;
/// Thirteen months: a year's report can still be drawn up a month after its end.
const INCIDENTS_KEPT_MS: i64 = 396 * DAY_MS;
/// Rows in one transaction: some 5 ms of the writer.
const SLICE: i64 = 500;

/// How much was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Facts of agents.
    pub facts: u64,
    /// Attempts, timeline entries and pages of old incidents.
    pub details: u64,
}

/// What of a host's facts has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Excess {
    /// Short-lived facts from before this.
    short_lived_before: Timestamp,
    /// This many of the oldest of those that are left.
    oldest: i64,
}

/// Decides what to delete of a host that has `facts` facts after its short-lived ones are gone.
fn excess(facts: i64, now: Timestamp) -> Excess {
    Excess { short_lived_before: now.plus_ms(-FACTS_KEPT_MS), oldest: (facts - MOST_FACTS_PER_HOST).max(0) }
}

/// A fact's place: epoch and sequence.
type Place = (Vec<u8>, i64);

/// What changed on hosts before `?1`, the details of incidents resolved before it, and pages about none: how to find their
/// keys, and how to delete one. The newest page stays, since pages are numbered on from it.
const DETAILS: [(&str, &str); 6] = [
    (
        "SELECT DISTINCT host, at_ms FROM host_change WHERE at_ms < ?1 LIMIT ?2",
        "DELETE FROM host_change WHERE host = ?1 AND at_ms = ?2",
    ),
    (
        "SELECT a.page, a.n FROM incident i JOIN page p ON p.incident = i.no JOIN attempt a ON a.page = p.id
         WHERE i.state = 'resolved' AND i.resolved_ms < ?1 LIMIT ?2",
        "DELETE FROM attempt WHERE page = ?1 AND n = ?2",
    ),
    (
        "SELECT e.incident, e.n FROM incident i JOIN incident_event e ON e.incident = i.no
         WHERE i.state = 'resolved' AND i.resolved_ms < ?1 LIMIT ?2",
        "DELETE FROM incident_event WHERE incident = ?1 AND n = ?2",
    ),
    (
        "SELECT p.id, p.incident FROM incident i JOIN page p ON p.incident = i.no
         WHERE i.state = 'resolved' AND i.resolved_ms < ?1 AND p.id < (SELECT max(id) FROM page) LIMIT ?2",
        "DELETE FROM page WHERE id = ?1 AND incident = ?2",
    ),
    // Tests and notices are about no incident.
    (
        "SELECT a.page, a.n FROM page p JOIN attempt a ON a.page = p.id
         WHERE p.incident IS NULL AND p.decided_ms < ?1 AND p.delivery <> 'queued' LIMIT ?2",
        "DELETE FROM attempt WHERE page = ?1 AND n = ?2",
    ),
    (
        "SELECT p.id, p.n FROM page p WHERE p.incident IS NULL AND p.decided_ms < ?1 AND p.delivery <> 'queued'
         AND p.id < (SELECT max(id) FROM page) LIMIT ?2",
        "DELETE FROM page WHERE id = ?1 AND n = ?2",
    ),
];

impl Store {
    /// Forgets what is older than it is kept for; asked once an hour. Other writes go in between.
    ///
    /// # Errors
    /// [`StoreError`]; what was deleted until then stays deleted, the rest goes the next time.
    pub async fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        for host in self.facts_reader().read(hosts_with_facts).await? {
            pruned.facts += self.prune_facts(host, now).await?;
            pruned.facts += self.prune_hardware(host).await?;
            pruned.facts += self.prune_changes(host).await?;
        }
        pruned.facts += self.prune_inventory(now).await?;
        for (find, delete) in DETAILS {
            pruned.details += self.prune_details(find, delete, now.plus_ms(-INCIDENTS_KEPT_MS)).await?;
        }
        Ok(pruned)
    }

    async fn prune_facts(&self, host: HostNo, now: Timestamp) -> Result<u64, StoreError> {
        let before = excess(0, now).short_lived_before;
        let mut deleted = 0;
        for kind in SHORT_LIVED {
            deleted += self.delete_facts(host, kind, before, i64::MAX).await?;
        }
        let facts = self.facts_reader().read(move |connection| count(connection, host)).await?;
        let mut left = excess(facts, now).oldest;
        if left == 0 {
            return Ok(deleted);
        }
        let newest_to_go = self.facts_reader().read(move |connection| nth_oldest(connection, host, left)).await?;
        for kind in KINDS {
            let gone = self.delete_facts(host, kind, newest_to_go.plus_ms(1), left).await?;
            left -= i64::try_from(gone).unwrap_or(left);
            deleted += gone;
        }
        Ok(deleted)
    }

    /// Deletes up to `most` facts of one kind from before an instant, oldest first.
    async fn delete_facts(
        &self,
        host: HostNo,
        kind: &'static str,
        before: Timestamp,
        most: i64,
    ) -> Result<u64, StoreError> {
        let mut left = most;
        while left > 0 {
            let limit = left.min(SLICE);
            let found =
                self.facts_reader().read(move |connection| places(connection, host, kind, before, limit)).await?;
            let number = i64::try_from(found.len()).unwrap_or(SLICE);
            if number > 0 {
                self.facts().write(move |connection| delete_places(connection, host, &found), |()| {}).await?;
            }
            left -= number;
            if number < limit {
                break;
            }
        }
        Ok(u64::try_from(most - left).unwrap_or(0))
    }

    async fn prune_details(
        &self,
        find: &'static str,
        delete: &'static str,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.read(move |connection| keys(connection, find, before)).await?;
            let number = found.len();
            if number == 0 {
                return Ok(deleted);
            }
            self.write(move |connection| delete_keys(connection, delete, &found), |()| {}).await?;
            deleted += number as u64;
        }
    }
}

fn in_facts(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

fn hosts_with_facts(connection: &Connection) -> Result<Vec<HostNo>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT host FROM received ORDER BY host").map_err(in_facts)?;
    let hosts = statement.query_map([], |row| row.get(0).map(HostNo)).map_err(in_facts)?;
    hosts.collect::<Result<_, _>>().map_err(in_facts)
}

fn count(connection: &Connection, host: HostNo) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT count(*) FROM fact WHERE host = ?1")
        .and_then(|mut statement| statement.query_row([host.0], |row| row.get(0)))
        .map_err(in_facts)
}

/// The instant of the `n`th oldest fact of a host.
fn nth_oldest(connection: &Connection, host: HostNo, n: i64) -> Result<Timestamp, StoreError> {
    connection
        .prepare_cached("SELECT at_ms FROM fact WHERE host = ?1 ORDER BY at_ms LIMIT 1 OFFSET ?2")
        .and_then(|mut statement| statement.query_row(params![host.0, n - 1], |row| row.get(0)))
        .map(Timestamp::from_ms)
        .map_err(in_facts)
}

fn places(
    connection: &Connection,
    host: HostNo,
    kind: &str,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Place>, StoreError> {
    let sql = "SELECT epoch, sequence FROM fact WHERE host = ?1 AND kind = ?2 AND at_ms < ?3 ORDER BY at_ms LIMIT ?4";
    let mut statement = connection.prepare_cached(sql).map_err(in_facts)?;
    let found = statement
        .query_map(params![host.0, kind, before.ms(), limit], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(in_facts)?;
    found.collect::<Result<_, _>>().map_err(in_facts)
}

fn delete_places(connection: &Connection, host: HostNo, places: &[Place]) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("DELETE FROM fact WHERE host = ?1 AND epoch = ?2 AND sequence = ?3")
        .map_err(in_facts)?;
    places.iter().try_for_each(|(epoch, sequence)| {
        statement.execute(params![host.0, epoch, sequence]).map(drop).map_err(in_facts)
    })
}

fn keys(connection: &Connection, find: &str, before: Timestamp) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(find).map_err(in_state)?;
    let found =
        statement.query_map(params![before.ms(), SLICE], |row| Ok((row.get(0)?, row.get(1)?))).map_err(in_state)?;
    found.collect::<Result<_, _>>().map_err(in_state)
}

fn delete_keys(connection: &Connection, delete: &str, keys: &[(i64, i64)]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(delete).map_err(in_state)?;
    keys.iter().try_for_each(|(first, second)| statement.execute(params![first, second]).map(drop).map_err(in_state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gives_up_what_is_older_than_35_days_and_what_is_beyond_200_000() {
        let now = Timestamp::from_ms(1_795_000_000_000);
        let before = Timestamp::from_ms(1_795_000_000_000 - 35 * 86_400_000);
        for (facts, oldest) in [(0, 0), (199_999, 0), (200_000, 0), (200_001, 1), (1_000_000, 800_000)] {
            assert_eq!(excess(facts, now), Excess { short_lived_before: before, oldest });
        }
    }
}

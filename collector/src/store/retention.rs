//! Forgetting what is older than it is kept for, in small slices, so that nobody waits for it.
//!
//! Keys are looked up by the readers and deleted by the writers, a few hundred in one transaction. Ledgers stay: agreements are
//! reckoned from them, and issued reports cite them, with the versions of agreements, windows, corrections and what was said
//! of incidents, which stay too and say themselves who entered them. Incidents that a report may cite stay for as long as
//! it is kept. Of the audit log the oldest whole days go, and what its chain follows from then on is kept.

use rusqlite::{Connection, params};

use super::{FACTS_FILE, Store, StoreError, backup, chain, in_state, storage_error};
use crate::domain::{
    calendar::Span,
    ids::HostNo,
    retention::Retention,
    sla::cited::{self, free},
    time::Timestamp,
};

const DAY_MS: i64 = 86_400_000;
/// A month and the days that people take to ask about it: facts that only fill in a past silence.
const FACTS_KEPT_MS: i64 = 35 * DAY_MS;
/// What is worthless after [`FACTS_KEPT_MS`]; other kinds are evidence and bounded by their number alone.
const SHORT_LIVED: [&str; 3] = ["rollup", "gap", "clock_step"];
/// Every kind of fact, as [`super::Fact`] names them.
const KINDS: [&str; 7] = ["rollup", "gap", "clock_step", "kernel", "evidence", "checks", "inventory"];
/// Facts of one host; beyond, the oldest go. Some 200 MB of roll-ups.
const MOST_FACTS_PER_HOST: i64 = 200_000;
/// In `meta`: the hash that the oldest entry of the audit log follows, in hex, once older ones are gone.
pub(super) const AUDIT_BASE: &str = "audit_base";
/// Rows in one transaction: some 5 ms of the writer.
const SLICE: i64 = 500;

/// How much was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Facts of agents.
    pub facts: u64,
    /// Incidents with attempts, timeline entries and pages; closed findings, changes, delivered reports.
    pub details: u64,
    /// Entries of the audit log.
    pub audit: u64,
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

/// How to find keys of what is from `?1` on and from before `?2`, at most `?3`; and how to delete one.
type Old = (&'static str, &'static str);

/// Those before an incident have been collected and stay with it, so that it shows them for as long as it is kept.
const CHANGES: [Old; 1] = [(
    "SELECT DISTINCT host, at_ms FROM host_change WHERE at_ms >= ?1 AND at_ms < ?2 LIMIT ?3",
    "DELETE FROM host_change WHERE host = ?1 AND at_ms = ?2",
)];

/// Which reports were delivered: of each the newest stays, since what is due follows from it, and what is still to be sent.
const REPORTS: [Old; 2] = [
    (
        "SELECT d.issue, d.n FROM report_issue i JOIN report_delivery d ON d.issue = i.no
         WHERE i.due_ms >= ?1 AND i.due_ms < ?2
         AND i.no NOT IN (SELECT max(no) FROM report_issue GROUP BY report, agreement, scheduled)
         AND i.no NOT IN (SELECT issue FROM report_delivery WHERE state IN ('waiting', 'under_way')) LIMIT ?3",
        "DELETE FROM report_delivery WHERE issue = ?1 AND n = ?2",
    ),
    (
        "SELECT i.no, i.due_ms FROM report_issue i WHERE i.due_ms >= ?1 AND i.due_ms < ?2
         AND i.no NOT IN (SELECT max(no) FROM report_issue GROUP BY report, agreement, scheduled)
         AND i.no NOT IN (SELECT issue FROM report_delivery) LIMIT ?3",
        "DELETE FROM report_issue WHERE no = ?1 AND due_ms = ?2",
    ),
];

/// Incidents that were opened and resolved within that time with their details, and findings that began within it and are
/// closed. The newest incident and the newest page stay, since numbers go on from them, and so do incidents that somebody
/// called no problem.
const INCIDENTS: [Old; 5] = [
    (
        "SELECT a.page, a.n FROM incident i JOIN page p ON p.incident = i.no JOIN attempt a ON a.page = p.id
         WHERE i.state = 'resolved' AND i.opened_ms >= ?1 AND i.resolved_ms < ?2 LIMIT ?3",
        "DELETE FROM attempt WHERE page = ?1 AND n = ?2",
    ),
    (
        "SELECT e.incident, e.n FROM incident i JOIN incident_event e ON e.incident = i.no
         WHERE i.state = 'resolved' AND i.opened_ms >= ?1 AND i.resolved_ms < ?2 LIMIT ?3",
        "DELETE FROM incident_event WHERE incident = ?1 AND n = ?2",
    ),
    (
        "SELECT p.id, p.incident FROM incident i JOIN page p ON p.incident = i.no
         WHERE i.state = 'resolved' AND i.opened_ms >= ?1 AND i.resolved_ms < ?2
         AND p.id < (SELECT max(id) FROM page) LIMIT ?3",
        "DELETE FROM page WHERE id = ?1 AND incident = ?2",
    ),
    (
        "SELECT i.no, i.resolved_ms FROM incident i WHERE i.state = 'resolved' AND i.opened_ms >= ?1 AND i.resolved_ms < ?2
         AND i.no < (SELECT max(no) FROM incident) AND i.no NOT IN (SELECT incident FROM dismissal)
         AND NOT EXISTS (SELECT 1 FROM page p WHERE p.incident = i.no) LIMIT ?3",
        "DELETE FROM incident WHERE no = ?1 AND resolved_ms = ?2",
    ),
    (
        "SELECT host, since_ms FROM finding WHERE open = 0 AND since_ms >= ?1 AND since_ms < ?2 LIMIT ?3",
        "DELETE FROM finding WHERE host = ?1 AND since_ms = ?2 AND open = 0",
    ),
];

/// Pages about no incident: tests and notices.
const TESTS: [Old; 2] = [
    (
        "SELECT a.page, a.n FROM page p JOIN attempt a ON a.page = p.id
         WHERE p.incident IS NULL AND p.decided_ms >= ?1 AND p.decided_ms < ?2 AND p.delivery <> 'queued' LIMIT ?3",
        "DELETE FROM attempt WHERE page = ?1 AND n = ?2",
    ),
    (
        "SELECT p.id, p.n FROM page p WHERE p.incident IS NULL AND p.decided_ms >= ?1 AND p.decided_ms < ?2
         AND p.delivery <> 'queued' AND p.id < (SELECT max(id) FROM page) LIMIT ?3",
        "DELETE FROM page WHERE id = ?1 AND n = ?2",
    ),
];

/// Reports that are kept: what was made of which period, and when.
const KEPT_REPORTS: &str = "SELECT DISTINCT i.period, i.due_ms FROM report_issue i
    WHERE EXISTS (SELECT 1 FROM report_delivery d WHERE d.issue = i.no)";

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
        let kept = self.retention();
        let before = |kept_ms: i64| now.plus_ms(-kept_ms);
        pruned.facts += self.prune_inventory(before(kept.inventory_ms)).await?;
        pruned.details += self.prune_details(&CHANGES, free(Vec::new(), before(kept.inventory_ms))).await?;
        pruned.details += self.prune_details(&REPORTS, free(Vec::new(), before(kept.reports_ms))).await?;
        pruned.details += self.prune_details(&TESTS, free(Vec::new(), before(kept.incidents_ms))).await?;
        let cited = self.read(cited_by_reports).await?;
        pruned.details += self.prune_details(&INCIDENTS, free(cited, before(kept.incidents_ms))).await?;
        pruned.audit = self.prune_audit(now.plus_ms(-kept.audit_ms)).await?;
        Ok(pruned)
    }

    /// Sets how long things are kept, once; until then it is the default.
    pub fn keep(&self, retention: Retention) {
        // Said twice by nobody; the first counts.
        let _ = self.inner.retention.set(retention);
    }

    /// How long things are kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.inner.retention.get().copied().unwrap_or_default()
    }

    /// Forgets whole days of the audit log, oldest first.
    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let day = before.ms().div_euclid(DAY_MS);
        let mut deleted = 0;
        loop {
            let gone = self.write(move |connection| forget_audit(connection, day), |_| {}).await?;
            deleted += gone;
            if gone == 0 {
                return Ok(deleted);
            }
        }
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

    /// Deletes what lies within one of these times, each kind of it before the next.
    async fn prune_details(&self, kinds: &'static [Old], times: Vec<Span>) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for time in times {
            for old in kinds {
                deleted += self.prune_kind(*old, time).await?;
            }
        }
        Ok(deleted)
    }

    async fn prune_kind(&self, (find, delete): Old, time: Span) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let found = self.read(move |connection| keys(connection, find, time)).await?;
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

/// The times that reports are about which are kept.
fn cited_by_reports(connection: &Connection) -> Result<Vec<Span>, StoreError> {
    let mut statement = connection.prepare_cached(KEPT_REPORTS).map_err(in_state)?;
    let row = |row: &rusqlite::Row<'_>| Ok(cited::span(&row.get::<_, String>(0)?, Timestamp::from_ms(row.get(1)?)));
    statement.query_map([], row).and_then(Iterator::collect).map_err(in_state)
}

/// Deletes a slice of the oldest entries of days before `day`, and notes what the next one follows.
fn forget_audit(connection: &Connection, day: i64) -> Result<u64, StoreError> {
    let sql = "SELECT day, n, hash FROM audit WHERE day < ?1 ORDER BY day, n LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Vec<(i64, i64, Vec<u8>)> =
        statement.query_map(params![day, SLICE], row).and_then(Iterator::collect).map_err(in_state)?;
    let Some((_, _, hash)) = found.last() else { return Ok(0) };
    let base: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    backup::put_meta(connection, AUDIT_BASE, &base)?;
    let mut statement = connection.prepare_cached("DELETE FROM audit WHERE day = ?1 AND n = ?2").map_err(in_state)?;
    for (day, n, _) in &found {
        statement.execute(params![day, n]).map_err(in_state)?;
    }
    Ok(found.len() as u64)
}

/// What the oldest entry of the audit log follows.
pub(super) fn audit_base(connection: &Connection) -> Result<Vec<u8>, StoreError> {
    let Some(text) = backup::get_meta(connection, AUDIT_BASE)? else { return Ok(chain::START.to_vec()) };
    let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len())
        .step_by(2)
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| StoreError::Broken("state.db: what the audit log follows cannot be read".into()))
}

fn keys(connection: &Connection, find: &str, within: Span) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(find).map_err(in_state)?;
    let found = statement
        .query_map(params![within.from.ms(), within.until.ms(), SLICE], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(in_state)?;
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

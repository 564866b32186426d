//! The rows that the engine owns, as they are written.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::{AuditOf, StoreError, chain, in_state, json, word};
use crate::domain::{
    finding::FindingRow,
    host::checks::CheckRow,
    labels::Profile,
    record::{AttemptRow, AuditRow, IncidentEventRow, IncidentRow, LivenessRow, Page, ProblemRow, Row, SpanRow},
    time::Timestamp,
};

const DAY_MS: i64 = 86_400_000;

/// Writes one row.
pub(super) fn write(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Host(profile) => put_host(connection, profile),
        Row::Liveness(row) => put_liveness(connection, row),
        Row::Span(row) => append_span(connection, row),
        Row::Finding(row) => put_finding(connection, row),
        Row::Check(row) => put_check(connection, row),
        Row::CheckGone(host, check) => {
            execute(connection, "DELETE FROM check_state WHERE host = ?1 AND name = ?2", params![host.0, check])
        }
        Row::CheckSpan(row) => super::check_ledger::append(connection, row),
        Row::Device(device) => execute(
            connection,
            "INSERT INTO device (host, body) VALUES (?1, ?2) ON CONFLICT (host) DO UPDATE SET body = excluded.body",
            params![device.host.0, json(device)?],
        ),
        Row::Parent(host, Some(parent)) => execute(
            connection,
            "INSERT INTO parent (host, parent) VALUES (?1, ?2) ON CONFLICT (host) DO UPDATE SET parent = excluded.parent",
            params![host.0, parent.0],
        ),
        Row::Parent(host, None) => execute(connection, "DELETE FROM parent WHERE host = ?1", params![host.0]),
        Row::Problem(row) => put_problem(connection, row),
        Row::ProblemCleared(key) => execute(connection, "DELETE FROM problem WHERE key = ?1", params![key]),
        Row::Incident(row) => put_incident(connection, row),
        Row::IncidentEvent(row) => append_incident_event(connection, row),
        Row::Page(page) => put_page(connection, page),
        Row::Attempt(row) => append_attempt(connection, row),
        Row::Override(_) | Row::Absence(_) | Row::Handoff(_) | Row::Heartbeat(_) | Row::TestPage(_) => {
            put_standing(connection, row)
        }
        Row::Hold(hold) => append(
            connection,
            &format!("version {} of {} {}", hold.version, hold.kind.word(), hold.no),
            "INSERT INTO hold (no, version, kind, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (no, version) DO NOTHING",
            "SELECT count(*) FROM hold WHERE no = ?1 AND version = ?2 AND kind = ?3 AND body = ?4",
            params![hold.no.0, hold.version, hold.kind.word(), json(hold)?],
        ),
        Row::Changed(row) => execute(
            connection,
            "INSERT INTO host_change (host, at_ms, body) VALUES (?1, ?2, ?3) ON CONFLICT (host, at_ms, body) DO NOTHING",
            params![row.host.0, row.changed.at.ms(), json(&row.changed)?],
        ),
        Row::Dismissal(row) => append(
            connection,
            &format!("version {} of what was said of incident {}", row.version, row.incident),
            "INSERT INTO dismissal (no, version, incident, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (no, version) DO NOTHING",
            "SELECT count(*) FROM dismissal WHERE no = ?1 AND version = ?2 AND incident = ?3 AND body = ?4",
            params![row.no.0, row.version, row.incident.0, json(row)?],
        ),
        Row::Audit(row) if is_in_audit(connection, row)? => Ok(()),
        Row::Audit(row) => append_audit(connection, row),
        Row::Assets(rows) => super::assets::replace(connection, rows),
    }
}

/// What is kept as it stands, one row for each name or number.
fn put_standing(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    match row {
        Row::Override(row) => execute(
            connection,
            "INSERT INTO on_call_override (no, body) VALUES (?1, ?2) ON CONFLICT (no) DO UPDATE SET body = excluded.body",
            params![row.no.0, json(row)?],
        ),
        Row::Absence(row) => execute(
            connection,
            "INSERT INTO absence (no, body) VALUES (?1, ?2) ON CONFLICT (no) DO UPDATE SET body = excluded.body",
            params![row.no.0, json(row)?],
        ),
        Row::Handoff(row) => execute(
            connection,
            "INSERT INTO handoff (rotation, body) VALUES (?1, ?2)
             ON CONFLICT (rotation) DO UPDATE SET body = excluded.body",
            params![row.rotation, json(row)?],
        ),
        Row::Heartbeat(row) => execute(
            connection,
            "INSERT INTO heartbeat (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            params![row.name, json(row)?],
        ),
        Row::TestPage(row) => execute(
            connection,
            "INSERT INTO test_page (person, body) VALUES (?1, ?2) ON CONFLICT (person) DO UPDATE SET body = excluded.body",
            params![row.person, json(row)?],
        ),
        _ => Ok(()),
    }
}

pub(super) fn execute(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(in_state)?;
    Ok(())
}

/// Appends a row once: a commit whose answer was lost is tried again, so an equal row under the same key is no error.
/// `same` counts the rows that equal `values`.
fn append(
    connection: &Connection,
    what: &str,
    insert: &str,
    same: &str,
    values: &[&dyn ToSql],
) -> Result<(), StoreError> {
    let added =
        connection.prepare_cached(insert).and_then(|mut statement| statement.execute(values)).map_err(in_state)?;
    if added > 0 {
        return Ok(());
    }
    let equal: i64 = connection
        .prepare_cached(same)
        .and_then(|mut statement| statement.query_row(values, |found| found.get(0)))
        .map_err(in_state)?;
    if equal > 0 {
        return Ok(());
    }
    Err(StoreError::Broken(format!("state.db: {what} is there already and says something else")))
}

/// Adds or replaces a host; what the identity side keeps beside the profile (fingerprint, generation) stays.
pub(super) fn put_host(connection: &Connection, profile: &Profile) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO host (no, id, name, class, site, watch, labels, layers, admission, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (no) DO UPDATE SET name = excluded.name, class = excluded.class, site = excluded.site,
         watch = excluded.watch, labels = excluded.labels, layers = excluded.layers,
         admission = excluded.admission, facts = excluded.facts",
        params![
            profile.no.0,
            profile.id.to_string(),
            profile.name,
            profile.class.word(),
            profile.site,
            profile.watch.word(),
            json(&profile.labels)?,
            json(&profile.layers)?,
            word(&profile.admission)?,
            json(&profile.facts)?,
        ],
    )
}

fn put_liveness(connection: &Connection, row: &LivenessRow) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO liveness (host, state, since_ms, cause, boot_id, proof_ms, peer, answered_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (host) DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms, cause = excluded.cause,
         boot_id = excluded.boot_id, proof_ms = excluded.proof_ms, peer = excluded.peer,
         answered_ms = excluded.answered_ms",
        params![
            row.host.0,
            row.state.word(),
            row.since.ms(),
            json(&row.cause)?,
            row.boot_id,
            row.proof.ms(),
            row.peer,
            row.answered.map(Timestamp::ms)
        ],
    )
}

/// Appends to a host's ledger. An entry whose predecessor is missing begins a new chain: recording goes on, and the
/// missing number stays visible.
fn append_span(connection: &Connection, row: &SpanRow) -> Result<(), StoreError> {
    let previous: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM span WHERE host = ?1 AND n = ?2")
        .and_then(|mut statement| statement.query_row(params![row.host.0, row.n - 1], |found| found.get(0)).optional())
        .map_err(in_state)?;
    if previous.is_none() && row.n != 1 {
        tracing::warn!("ledger entry {} of host {} has no entry before it and begins a new chain", row.n, row.host);
    }
    let previous = previous.unwrap_or_else(|| chain::START.to_vec());
    let (state, cause) = (word(&row.state)?, json(&row.cause)?);
    append(
        connection,
        &format!("ledger entry {} of host {}", row.n, row.host),
        "INSERT INTO span (host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (host, n) DO NOTHING",
        "SELECT count(*) FROM span WHERE host = ?1 AND n = ?2 AND from_ms = ?3 AND to_ms = ?4 AND state = ?5
         AND cause = ?6 AND evidence = ?7 AND learned_ms = ?8 AND coalesce(replaces, 0) = coalesce(?9, 0)
         AND hash = ?10",
        params![
            row.host.0,
            row.n,
            row.from.ms(),
            row.to.ms(),
            state,
            cause,
            row.evidence,
            row.learned.ms(),
            row.replaces,
            span_hash(&previous, row, &state, &cause)
        ],
    )
}

/// The link of a ledger's entry that follows from another.
pub(super) fn hash_of(previous: &[u8], row: &SpanRow) -> Result<Vec<u8>, StoreError> {
    Ok(span_hash(previous, row, &word(&row.state)?, &json(&row.cause)?))
}

fn span_hash(previous: &[u8], row: &SpanRow, state: &str, cause: &str) -> Vec<u8> {
    let number = |value: i64| value.to_be_bytes();
    chain::link(
        previous,
        &[
            &number(row.host.0),
            &number(row.n),
            &number(row.from.ms()),
            &number(row.to.ms()),
            state.as_bytes(),
            cause.as_bytes(),
            row.evidence.as_bytes(),
            &number(row.learned.ms()),
            &number(row.replaces.unwrap_or(0)),
        ],
    )
}

fn put_finding(connection: &Connection, row: &FindingRow) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO finding (host, part, rule, open, severity, since_ms, evidence, cause)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (host, part, rule) DO UPDATE SET open = excluded.open, severity = excluded.severity,
         since_ms = excluded.since_ms, evidence = excluded.evidence, cause = excluded.cause",
        params![
            row.host.0,
            row.part,
            row.rule,
            i64::from(row.open),
            row.severity.word(),
            row.since.ms(),
            row.evidence,
            row.cause.as_deref().unwrap_or_default()
        ],
    )
}

fn put_check(connection: &Connection, row: &CheckRow) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO check_state (host, name, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (host, name) DO UPDATE SET body = excluded.body",
        params![row.host.0, row.check, json(row)?],
    )
}

fn put_problem(connection: &Connection, row: &ProblemRow) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO problem (key, host, severity, since_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO UPDATE SET host = excluded.host, severity = excluded.severity,
         since_ms = excluded.since_ms, body = excluded.body",
        params![row.key, row.host.map(|host| host.0), row.severity.word(), row.since.ms(), json(row)?],
    )
}

fn put_incident(connection: &Connection, row: &IncidentRow) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO incident (no, id, state, severity, opened_ms, resolved_ms, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (no) DO UPDATE SET state = excluded.state, severity = excluded.severity,
         opened_ms = excluded.opened_ms, resolved_ms = excluded.resolved_ms, body = excluded.body",
        params![
            row.no.0,
            row.id,
            row.state.word(),
            row.severity.word(),
            row.opened.ms(),
            row.resolved.map(Timestamp::ms),
            json(row)?
        ],
    )
}

fn append_incident_event(connection: &Connection, row: &IncidentEventRow) -> Result<(), StoreError> {
    append(
        connection,
        &format!("entry {} of incident {}", row.n, row.incident.0),
        "INSERT INTO incident_event (incident, n, at_ms, kind, text, person) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (incident, n) DO NOTHING",
        "SELECT count(*) FROM incident_event WHERE incident = ?1 AND n = ?2 AND at_ms = ?3 AND kind = ?4 AND text = ?5
         AND coalesce(person, '') = coalesce(?6, '')",
        params![row.incident.0, row.n, row.at.ms(), row.kind, row.text, row.by],
    )
}

fn put_page(connection: &Connection, page: &Page) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO page (id, incident, receiver, n, delivery, decided_ms, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET delivery = excluded.delivery, body = excluded.body",
        params![
            page.id.0,
            page.incident.map(|incident| incident.0),
            page.receiver,
            page.n,
            word(&page.delivery)?,
            page.decided.ms(),
            json(page)?
        ],
    )
}

fn append_attempt(connection: &Connection, row: &AttemptRow) -> Result<(), StoreError> {
    append(
        connection,
        &format!("attempt {} of page {}", row.n, row.page.0),
        "INSERT INTO attempt (page, n, at_ms, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (page, n) DO NOTHING",
        "SELECT count(*) FROM attempt WHERE page = ?1 AND n = ?2 AND at_ms = ?3 AND outcome = ?4 AND detail = ?5",
        params![row.page.0, row.n, row.at.ms(), row.outcome, row.detail],
    )
}

/// Whether the audit log has this very line, to the millisecond: then its commit is tried again. Two equal lines within
/// one millisecond say nothing that one does not.
fn is_in_audit(connection: &Connection, row: &AuditRow) -> Result<bool, StoreError> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM audit WHERE day >= ?1 AND at_ms = ?2 AND who = ?3 AND origin = ?4 AND action = ?5
             AND subject = ?6 AND detail = ?7",
        )
        .and_then(|mut statement| {
            let today = row.at.ms().div_euclid(DAY_MS);
            let values = params![today, row.at.ms(), row.who, row.from, row.action, row.subject, row.detail];
            statement.query_row(values, |found| found.get::<_, i64>(0))
        })
        .map(|count| count > 0)
        .map_err(in_state)
}

/// Appends to the audit log. Days never go back, so that the chain has one order even when the clock had not.
pub(crate) fn append_audit(connection: &Connection, row: &AuditRow) -> Result<(), StoreError> {
    let last: Option<(i64, i64, Vec<u8>)> = connection
        .prepare_cached("SELECT day, n, hash FROM audit ORDER BY day DESC, n DESC LIMIT 1")
        .and_then(|mut statement| {
            statement.query_row([], |found| Ok((found.get(0)?, found.get(1)?, found.get(2)?))).optional()
        })
        .map_err(in_state)?;
    let today = row.at.ms().div_euclid(DAY_MS);
    let (day, n, previous) = match last {
        Some((day, n, hash)) if day >= today => (day, n + 1, hash),
        Some((_, _, hash)) => (today, 1, hash),
        None => (today, 1, super::retention::audit_base(connection)?),
    };
    execute(
        connection,
        "INSERT INTO audit (day, n, at_ms, who, origin, action, subject, detail, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            day,
            n,
            row.at.ms(),
            row.who,
            row.from,
            row.action,
            row.subject,
            row.detail,
            audit_hash(&previous, day, n, row)
        ],
    )
}

fn audit_hash(previous: &[u8], day: i64, n: i64, row: &AuditRow) -> Vec<u8> {
    let texts = [&row.who, &row.from, &row.action, &row.subject, &row.detail];
    let numbers = [day.to_be_bytes(), n.to_be_bytes(), row.at.ms().to_be_bytes()];
    let fields: Vec<&[u8]> =
        numbers.iter().map(<[u8; 8]>::as_slice).chain(texts.iter().map(|text| text.as_bytes())).collect();
    chain::link(previous, &fields)
}

const AUDIT_COLUMNS: &str = "SELECT at_ms, who, origin, action, subject, detail, day, n, hash FROM audit";

fn audit_row(found: &rusqlite::Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        at: Timestamp::from_ms(found.get(0)?),
        who: found.get(1)?,
        from: found.get(2)?,
        action: found.get(3)?,
        subject: found.get(4)?,
        detail: found.get(5)?,
    })
}

/// The newest lines of the audit log that fit.
pub(super) fn last_audit(connection: &Connection, of: &AuditOf, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
    let sql = format!(
        "{AUDIT_COLUMNS} WHERE who = coalesce(?1, who) AND action = coalesce(?2, action)
         AND subject = coalesce(?3, subject) ORDER BY day DESC, n DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![of.who, of.action, of.subject, limit], audit_row).map_err(in_state)?;
    rows.collect::<Result<_, _>>().map_err(in_state)
}

/// Entries of the audit log and of the ledgers whose hash does not follow from the entry before. After a gap in the
/// ledger a new chain begins; an entry that was taken out is seen, because the one after it follows it still.
pub(super) fn broken_links(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut broken = broken_audit(connection)?;
    let mut statement = connection
        .prepare("SELECT host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces, hash FROM span ORDER BY host, n")
        .map_err(in_state)?;
    let mut rows = statement.query([]).map_err(in_state)?;
    let (mut host, mut expected_n, mut previous) = (i64::MIN, 1, chain::START.to_vec());
    while let Some(found) = rows.next().map_err(in_state)? {
        let row = super::load::span(found)?;
        if row.host.0 != host {
            (host, expected_n, previous) = (row.host.0, 1, chain::START.to_vec());
        }
        if row.n != expected_n {
            previous = chain::START.to_vec();
        }
        let stored: Vec<u8> = found.get(9).map_err(in_state)?;
        if hash_of(&previous, &row)? != stored {
            broken.push(format!("ledger entry {} of host {} does not follow from the one before", row.n, row.host));
        }
        (expected_n, previous) = (row.n + 1, stored);
    }
    broken.extend(super::check_ledger::broken_links(connection)?);
    Ok(broken)
}

fn broken_audit(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut broken = Vec::new();
    let mut statement = connection.prepare(&format!("{AUDIT_COLUMNS} ORDER BY day, n")).map_err(in_state)?;
    let mut rows = statement.query([]).map_err(in_state)?;
    let mut previous = super::retention::audit_base(connection)?;
    while let Some(found) = rows.next().map_err(in_state)? {
        let row = audit_row(found).map_err(in_state)?;
        let (day, n) = (found.get(6).map_err(in_state)?, found.get(7).map_err(in_state)?);
        let stored: Vec<u8> = found.get(8).map_err(in_state)?;
        if audit_hash(&previous, day, n, &row) != stored {
            broken.push(format!("audit entry {n} of {} does not follow from the one before", row.at));
        }
        previous = stored;
    }
    Ok(broken)
}

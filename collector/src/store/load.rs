//! What a starting engine is given back, read in one consistent state.

use rusqlite::{Connection, OptionalExtension, Row as Found, params};

use super::{StoreError, from_json, from_word, in_state};
use crate::domain::{
    changed::{self, ChangedRow},
    desk::{handoffs::HandoffRow, recent},
    device::Device,
    dismissal::Dismissal,
    finding::FindingRow,
    heartbeat::HeartbeatRow,
    hold::Hold,
    host::checks::CheckRow,
    ids::{HostNo, IncidentNo},
    labels::{Class, Profile},
    oncall::{absence::Absence, rotation::Override, test_page::TestPageRow},
    record::{IncidentEventRow, IncidentRow, LivenessRow, Loaded, Page, ProblemRow, SpanRow},
    time::Timestamp,
    watch::Watch,
};

/// Open incidents, recent ones, and those with pages still to be sent: an outcome finds its page only through its
/// incident.
const INCIDENTS: &str = "SELECT body FROM incident WHERE state <> 'resolved' OR resolved_ms >= ?1
    OR no IN (SELECT no FROM incident WHERE state = 'resolved' AND resolved_ms >= ?2 ORDER BY resolved_ms DESC LIMIT ?3)
    OR no IN (SELECT incident FROM page WHERE delivery = 'queued') ORDER BY no";

/// Incidents that are over are given back for this long, the latest of them: their details are kept no longer either.
const PAST_MS: i64 = 396 * 86_400_000;
const PAST: &str = "SELECT body FROM incident WHERE state = 'resolved' AND resolved_ms >= ?1
    ORDER BY resolved_ms DESC LIMIT 20000";

/// Everything the engine goes on from; `run` is the present run, `opened` when it began.
pub(super) fn load(connection: &Connection, run: i64, opened: Timestamp) -> Result<Loaded, StoreError> {
    let incidents = incidents(connection, opened)?;
    Ok(Loaded {
        hosts: hosts(connection)?,
        liveness: all(
            connection,
            "SELECT host, state, since_ms, cause, boot_id, proof_ms, peer, answered_ms FROM liveness ORDER BY host",
            liveness,
        )?,
        // Up without its agent, which has a cause of these two kinds, is no proof of the machine's own.
        last_spans: all(
            connection,
            "SELECT span.host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces FROM host
             JOIN span ON span.host = host.no AND n >= coalesce((SELECT max(n) FROM span AS up
                 WHERE up.host = host.no AND up.state = 'up' AND up.replaces IS NULL
                 AND up.cause NOT LIKE '{_stream%' AND up.cause NOT LIKE '{_looked%'), 1)
             ORDER BY span.host, n",
            span,
        )?,
        assets: super::assets::load(connection)?,
        findings: all(
            connection,
            "SELECT host, part, rule, open, severity, since_ms, evidence, cause FROM finding WHERE open = 1 ORDER BY host, part, rule",
            finding,
        )?,
        checks: all(connection, "SELECT body FROM check_state ORDER BY host, name", body::<CheckRow>)?,
        devices: devices(connection)?,
        parents: parents(connection)?,
        problems: all(connection, "SELECT body FROM problem ORDER BY key", body::<ProblemRow>)?,
        past: past(connection, opened)?,
        pages: pages(connection, &incidents)?,
        incidents,
        holds: all(
            connection,
            "SELECT body FROM hold WHERE version = (SELECT max(version) FROM hold AS other WHERE other.no = hold.no) ORDER BY no",
            body::<Hold>,
        )?,
        dismissals: all(
            connection,
            "SELECT body FROM dismissal WHERE version = (SELECT max(version) FROM dismissal AS other WHERE other.no = dismissal.no) ORDER BY no",
            body::<Dismissal>,
        )?,
        changes: changes(connection, opened.plus_ms(-changed::LOOKS_BACK_MS))?,
        overrides: all(connection, "SELECT body FROM on_call_override ORDER BY no", body::<Override>)?,
        absences: all(connection, "SELECT body FROM absence ORDER BY no", body::<Absence>)?,
        handoffs: all(connection, "SELECT body FROM handoff ORDER BY rotation", body::<HandoffRow>)?,
        heartbeats: all(connection, "SELECT body FROM heartbeat ORDER BY name", body::<HeartbeatRow>)?,
        test_pages: all(connection, "SELECT body FROM test_page ORDER BY person", body::<TestPageRow>)?,
        last_hold: number(connection, "SELECT coalesce(max(no), 0) FROM hold")?,
        last_incident: number(connection, "SELECT coalesce(max(no), 0) FROM incident")?,
        last_page: number(connection, "SELECT coalesce(max(id), 0) FROM page")?,
        last_ran: connection
            .query_row("SELECT max(to_ms) FROM collector_run WHERE id < ?1", [run], |row| row.get::<_, Option<i64>>(0))
            .optional()
            .map_err(in_state)?
            .flatten()
            .map(Timestamp::from_ms),
    })
}

/// What changed on hosts since then, oldest first.
fn changes(connection: &Connection, since: Timestamp) -> Result<Vec<ChangedRow>, StoreError> {
    let sql = "SELECT host, body FROM host_change WHERE at_ms >= ?1 ORDER BY at_ms, host";
    let mut statement = connection.prepare(sql).map_err(in_state)?;
    collect(statement.query([since.ms()]), |row| {
        Ok(ChangedRow { host: HostNo(column(row, 0)?), changed: from_json(&column::<String>(row, 1)?)? })
    })
}

/// All devices.
pub(super) fn devices(connection: &Connection) -> Result<Vec<Device>, StoreError> {
    all(connection, "SELECT body FROM device ORDER BY host", body::<Device>)
}

/// What hosts are behind: child and parent.
pub(super) fn parents(connection: &Connection) -> Result<Vec<(HostNo, HostNo)>, StoreError> {
    all(connection, "SELECT host, parent FROM parent ORDER BY host", |row| {
        Ok((HostNo(column(row, 0)?), HostNo(column(row, 1)?)))
    })
}

/// All hosts.
pub(super) fn hosts(connection: &Connection) -> Result<Vec<Profile>, StoreError> {
    all(
        connection,
        "SELECT no, id, name, class, site, watch, labels, layers, admission, facts FROM host ORDER BY no",
        profile,
    )
}

/// A host from the columns `no, id, name, class, site, watch, labels, layers, admission, facts`.
pub(super) fn profile(row: &Found<'_>) -> Result<Profile, StoreError> {
    let (class, watch): (String, String) = (column(row, 3)?, column(row, 5)?);
    let unknown = |what: &str, word: &str| StoreError::Broken(format!("state.db: unknown {what} {word:?} of a host"));
    let id: String = column(row, 1)?;
    Ok(Profile {
        no: HostNo(column(row, 0)?),
        id: id.parse().map_err(|_| unknown("id", &id))?,
        name: column(row, 2)?,
        class: Class::from_word(&class).ok_or_else(|| unknown("class", &class))?,
        site: column(row, 4)?,
        watch: Watch::from_word(&watch).ok_or_else(|| unknown("watch level", &watch))?,
        labels: from_json(&column::<String>(row, 6)?)?,
        layers: from_json(&column::<String>(row, 7)?)?,
        admission: from_word(&column::<String>(row, 8)?)?,
        facts: from_json(&column::<String>(row, 9)?)?,
    })
}

fn liveness(row: &Found<'_>) -> Result<LivenessRow, StoreError> {
    Ok(LivenessRow {
        host: HostNo(column(row, 0)?),
        state: from_word(&column::<String>(row, 1)?)?,
        since: time(row, 2)?,
        cause: from_json(&column::<String>(row, 3)?)?,
        boot_id: column(row, 4)?,
        proof: time(row, 5)?,
        peer: column(row, 6)?,
        answered: column::<Option<i64>>(row, 7)?.map(Timestamp::from_ms),
    })
}

/// A ledger entry from the columns `host, n, from_ms, to_ms, state, cause, evidence, learned_ms, replaces`.
pub(super) fn span(row: &Found<'_>) -> Result<SpanRow, StoreError> {
    Ok(SpanRow {
        host: HostNo(column(row, 0)?),
        n: column(row, 1)?,
        from: time(row, 2)?,
        to: time(row, 3)?,
        state: from_word(&column::<String>(row, 4)?)?,
        cause: from_json(&column::<String>(row, 5)?)?,
        evidence: column(row, 6)?,
        learned: time(row, 7)?,
        replaces: column(row, 8)?,
    })
}

fn finding(row: &Found<'_>) -> Result<FindingRow, StoreError> {
    Ok(FindingRow {
        host: HostNo(column(row, 0)?),
        part: column(row, 1)?,
        rule: column(row, 2)?,
        open: column::<i64>(row, 3)? != 0,
        severity: from_word(&column::<String>(row, 4)?)?,
        since: time(row, 5)?,
        evidence: column(row, 6)?,
        cause: Some(column::<String>(row, 7)?).filter(|cause| !cause.is_empty()),
    })
}

fn incidents(
    connection: &Connection,
    opened: Timestamp,
) -> Result<Vec<(IncidentRow, Vec<IncidentEventRow>)>, StoreError> {
    let mut statement = connection.prepare(INCIDENTS).map_err(in_state)?;
    let (all, most) = (opened.plus_ms(-recent::ALL_FOR_MS).ms(), opened.plus_ms(-recent::FOR_MS).ms());
    let rows: Vec<IncidentRow> = collect(statement.query(params![all, most, recent::MOST as i64]), body)?;
    rows.into_iter()
        .map(|incident| {
            let timeline = timeline(connection, incident.no)?;
            Ok((incident, timeline))
        })
        .collect()
}

/// What happened in an incident, in its order.
pub(super) fn timeline(connection: &Connection, incident: IncidentNo) -> Result<Vec<IncidentEventRow>, StoreError> {
    let sql = "SELECT n, at_ms, kind, text, person FROM incident_event WHERE incident = ?1 ORDER BY n";
    let mut events = connection.prepare_cached(sql).map_err(in_state)?;
    collect(events.query([incident.0]), |row| incident_event(row, incident))
}

fn past(connection: &Connection, opened: Timestamp) -> Result<Vec<IncidentRow>, StoreError> {
    let mut statement = connection.prepare(PAST).map_err(in_state)?;
    collect(statement.query([opened.plus_ms(-PAST_MS).ms()]), body)
}

fn incident_event(row: &Found<'_>, incident: IncidentNo) -> Result<IncidentEventRow, StoreError> {
    Ok(IncidentEventRow {
        incident,
        n: column(row, 0)?,
        at: time(row, 1)?,
        kind: column(row, 2)?,
        text: column(row, 3)?,
        by: column(row, 4)?,
    })
}

/// Pages still to be sent, and those of the given incidents, by number.
fn pages(connection: &Connection, incidents: &[(IncidentRow, Vec<IncidentEventRow>)]) -> Result<Vec<Page>, StoreError> {
    let mut pages: Vec<Page> = all(connection, "SELECT body FROM page WHERE delivery = 'queued'", body)?;
    let mut statement =
        connection.prepare("SELECT body FROM page WHERE incident = ?1 AND delivery <> 'queued'").map_err(in_state)?;
    for (incident, _) in incidents {
        pages.extend(collect(statement.query(params![incident.no.0]), body::<Page>)?);
    }
    pages.sort_by_key(|page| page.id);
    Ok(pages)
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Found<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(in_state)?;
    collect(statement.query([]), read)
}

/// Reads every row of a query.
pub(super) fn collect<T>(
    rows: rusqlite::Result<rusqlite::Rows<'_>>,
    read: impl Fn(&Found<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = rows.map_err(in_state)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next().map_err(in_state)? {
        values.push(read(row)?);
    }
    Ok(values)
}

pub(super) fn body<T: serde::de::DeserializeOwned>(row: &Found<'_>) -> Result<T, StoreError> {
    from_json(&column::<String>(row, 0)?)
}

/// One column's value.
pub(super) fn column<T: rusqlite::types::FromSql>(row: &Found<'_>, index: usize) -> Result<T, StoreError> {
    row.get(index).map_err(in_state)
}

fn time(row: &Found<'_>, index: usize) -> Result<Timestamp, StoreError> {
    column(row, index).map(Timestamp::from_ms)
}

fn number(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    connection.query_row(sql, [], |row| row.get(0)).map_err(in_state)
}

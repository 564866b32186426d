//! Rows of incidents that tests store.

use super::*;

/// An incident.
pub(super) fn incident(no: i64, state: IncidentState, resolved: Option<i64>) -> Row {
    Row::Incident(Box::new(IncidentRow {
        no: IncidentNo(no),
        id: uuid::Uuid::from_u128(u128::from(no.unsigned_abs())).to_string(),
        key: format!("liveness/web-{no}/down"),
        state,
        severity: Severity::Critical,
        title: "web is down".into(),
        host: Some(HostNo(no)),
        component: String::new(),
        since: at(0),
        opened: at(1),
        resolved: resolved.map(at),
        closed: None,
        acknowledged_by: None,
        acknowledged_until: None,
        page_at: at(30_000),
        paged: true,
        part_of: None,
        followed: Vec::new(),
        escalations: Vec::new(),
        calls: Vec::new(),
        alert: None,
        changes: Vec::new(),
        swings: Default::default(),
        priority: None,
    }))
}

/// One line of its timeline.
pub(super) fn incident_event(no: i64, n: i64) -> Row {
    Row::IncidentEvent(IncidentEventRow {
        incident: IncidentNo(no),
        n,
        at: at(n),
        kind: "opened".into(),
        text: "opened".into(),
        by: None,
    })
}

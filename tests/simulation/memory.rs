//! A store in memory: applies rows like the real one, so that an engine can be loaded from it after a crash.

use std::collections::BTreeMap;

use muster_collector::domain::{
    assets::Assets,
    changed::ChangedRow,
    desk::handoffs::HandoffRow,
    device::Device,
    dismissal::Dismissal,
    finding::FindingRow,
    heartbeat::HeartbeatRow,
    hold::Hold,
    host::checks::CheckRow,
    ids::{AbsenceNo, DismissalNo, HoldNo, HostNo, IncidentNo, OverrideNo, PageId},
    labels::Profile,
    oncall::{absence::Absence, rotation::Override, test_page::TestPageRow},
    record::{IncidentEventRow, IncidentRow, LivenessRow, Loaded, Observed, Page, ProblemRow, Row, SpanRow},
    time::Timestamp,
};

/// The tables, and every row ever committed in order.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) journal: Vec<Row>,
    pub(crate) hosts: BTreeMap<HostNo, Profile>,
    liveness: BTreeMap<HostNo, LivenessRow>,
    pub(crate) spans: BTreeMap<HostNo, Vec<SpanRow>>,
    findings: BTreeMap<(HostNo, String, String), FindingRow>,
    checks: BTreeMap<(HostNo, String), CheckRow>,
    devices: BTreeMap<HostNo, Device>,
    parents: BTreeMap<HostNo, HostNo>,
    problems: BTreeMap<String, ProblemRow>,
    pub(crate) incidents: BTreeMap<IncidentNo, IncidentRow>,
    events: BTreeMap<(IncidentNo, i64), IncidentEventRow>,
    pages: BTreeMap<PageId, Page>,
    assets: Assets,
    holds: BTreeMap<HoldNo, Hold>,
    dismissals: BTreeMap<DismissalNo, Dismissal>,
    changes: Vec<ChangedRow>,
    overrides: BTreeMap<OverrideNo, Override>,
    absences: BTreeMap<AbsenceNo, Absence>,
    handoffs: BTreeMap<String, HandoffRow>,
    heartbeats: BTreeMap<String, HeartbeatRow>,
    test_pages: BTreeMap<String, TestPageRow>,
    pub(crate) last_ran: Option<Timestamp>,
}

impl Memory {
    pub(crate) fn commit(&mut self, rows: Vec<Row>) {
        for row in rows {
            self.journal.push(row.clone());
            match row {
                Row::Host(profile) => drop(self.hosts.insert(profile.no, *profile)),
                Row::Liveness(row) => drop(self.liveness.insert(row.host, row)),
                Row::Span(row) => self.spans.entry(row.host).or_default().push(row),
                Row::Finding(row) => {
                    drop(self.findings.insert((row.host, row.part.clone(), row.rule.clone()), row));
                }
                Row::Check(row) => drop(self.checks.insert((row.host, row.check.clone()), row)),
                Row::CheckGone(host, check) => drop(self.checks.remove(&(host, check))),
                Row::Problem(row) => drop(self.problems.insert(row.key.clone(), row)),
                Row::ProblemCleared(key) => drop(self.problems.remove(&key)),
                Row::Incident(row) => drop(self.incidents.insert(row.no, *row)),
                Row::IncidentEvent(row) => {
                    assert!(self.events.insert((row.incident, row.n), row).is_none(), "an event number was used twice");
                }
                Row::Page(page) => drop(self.pages.insert(page.id, *page)),
                Row::Assets(rows) => self.assets = Assets::new(rows),
                Row::Device(device) => drop(self.devices.insert(device.host, *device)),
                Row::Parent(host, Some(parent)) => drop(self.parents.insert(host, parent)),
                Row::Parent(host, None) => drop(self.parents.remove(&host)),
                Row::Override(row) => drop(self.overrides.insert(row.no, *row)),
                Row::Absence(row) => drop(self.absences.insert(row.no, *row)),
                Row::Handoff(row) => drop(self.handoffs.insert(row.rotation.clone(), *row)),
                Row::Heartbeat(row) => drop(self.heartbeats.insert(row.name.clone(), *row)),
                Row::TestPage(row) => drop(self.test_pages.insert(row.person.clone(), *row)),
                Row::Hold(hold) => drop(self.holds.insert(hold.no, *hold)),
                Row::Changed(row) => self.changes.push(*row),
                Row::Dismissal(row) => drop(self.dismissals.insert(row.no, *row)),
                Row::Attempt(_) | Row::Audit(_) | Row::CheckSpan(_) => {}
            }
        }
    }

    pub(crate) fn load(&self) -> Loaded {
        let with_events = |row: &IncidentRow| {
            let events = self.events.values().filter(|event| event.incident == row.no).cloned().collect();
            (row.clone(), events)
        };
        Loaded {
            hosts: self.hosts.values().cloned().collect(),
            liveness: self.liveness.values().cloned().collect(),
            last_spans: self.spans.values().flat_map(|spans| since_up(spans)).cloned().collect(),
            assets: self.assets.clone(),
            findings: self.findings.values().filter(|row| row.open).cloned().collect(),
            checks: self.checks.values().cloned().collect(),
            devices: self.devices.values().cloned().collect(),
            parents: self.parents.iter().map(|(child, parent)| (*child, *parent)).collect(),
            problems: self.problems.values().cloned().collect(),
            incidents: self.incidents.values().map(with_events).collect(),
            past: self.incidents.values().filter(|row| row.resolved.is_some()).cloned().collect(),
            pages: self.pages.values().cloned().collect(),
            holds: self.holds.values().cloned().collect(),
            last_hold: self.holds.keys().last().map_or(0, |no| no.0),
            changes: self.changes.clone(),
            dismissals: self.dismissals.values().cloned().collect(),
            overrides: self.overrides.values().cloned().collect(),
            absences: self.absences.values().cloned().collect(),
            handoffs: self.handoffs.values().cloned().collect(),
            heartbeats: self.heartbeats.values().cloned().collect(),
            test_pages: self.test_pages.values().cloned().collect(),
            last_incident: self.incidents.keys().last().map_or(0, |no| no.0),
            last_page: self.pages.keys().last().map_or(0, |id| id.0),
            last_ran: self.last_ran,
        }
    }
}

/// The last proof of being up and what follows it.
fn since_up(spans: &[SpanRow]) -> &[SpanRow] {
    let up = spans
        .iter()
        .rposition(|span| span.state == Observed::Up && span.replaces.is_none() && !span.cause.is_without_agent());
    &spans[up.unwrap_or(0)..]
}

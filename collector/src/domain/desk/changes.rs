//! What changed on each host lately, as the desk hears it, and what of it stays with an incident that opens.

use std::collections::BTreeMap;

use super::{Desk, incident::Incident};
use crate::domain::{
    changed::{Changed, ChangedRow, Kind, LOOKS_BACK_MS, listed},
    event::Effect,
    hold::{self, Hold},
    ids::{HostNo, IncidentNo},
    record::Row,
    time::Timestamp,
};

/// Changes kept of one host; beyond, the oldest go.
const KEPT: usize = 60;

/// The changes of the last day, by host, oldest first.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<HostNo, Vec<Changed>>);

impl Changes {
    /// As loaded.
    pub(super) fn loaded(rows: &[ChangedRow]) -> Self {
        let mut changes = Self::default();
        rows.iter().for_each(|row| changes.note(row.host, row.changed.clone()));
        changes
    }

    fn note(&mut self, host: HostNo, changed: Changed) {
        let of_host = self.0.entry(host).or_default();
        let since = changed.at.plus_ms(-LOOKS_BACK_MS);
        of_host.retain(|known| known.at >= since);
        if of_host.len() >= KEPT {
            of_host.remove(0);
        }
        of_host.push(changed);
    }

    fn of(&self, host: HostNo) -> impl Iterator<Item = &Changed> {
        self.0.get(&host).into_iter().flatten()
    }
}

impl Desk {
    /// Something changed on a host.
    pub(in crate::domain) fn note_change(&mut self, host: HostNo, changed: Changed, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(Row::Changed(Box::new(ChangedRow { host, changed: changed.clone() }))));
        self.changes.note(host, changed);
    }

    /// What changed on a host in the day before its trouble began, and since.
    pub(super) fn what_changed(&self, host: HostNo, since: Timestamp, now: Timestamp) -> Vec<Changed> {
        let Some(member) = self.fleet.get(host) else { return Vec::new() };
        let subject = member.subject();
        let noted = self.changes.of(host).cloned();
        let holds = self.holds.iter().filter(|hold| hold.scope.fits_host(&subject)).flat_map(|hold| turns(hold, now));
        let above = self.fleet.family.above(host);
        let incidents = self
            .incidents
            .values()
            .filter(|incident| incident.row.host.is_some_and(|of| of == host || above.contains(&of)));
        let incidents = incidents.flat_map(|incident| self.of_incident(incident, host));
        listed(noted.chain(holds).chain(incidents), since.plus_ms(-LOOKS_BACK_MS), now)
    }

    /// Another incident of the host, or of what it is behind, and what people did about it.
    fn of_incident(&self, incident: &Incident, host: HostNo) -> Vec<Changed> {
        let row = &incident.row;
        let of = row.host.filter(|of| *of != host).and_then(|of| self.fleet.get(of));
        let of = of.map_or_else(String::new, |member| format!(" ({}, before it)", member.name));
        let opened = format!("#{}{of}: {}", row.no, row.title);
        let mut changes = vec![Changed::new(row.opened, Kind::Incident, &opened, None)];
        changes.extend(row.resolved.map(|at| Changed::new(at, Kind::Incident, &over(row.no, &of), None)));
        let done = incident.events.iter().filter(|event| event.by.is_some());
        changes.extend(done.map(|event| {
            Changed::new(event.at, Kind::Person, &format!("#{}{of}: {}", row.no, event.text), event.by.clone())
        }));
        changes
    }
}

fn over(no: IncidentNo, of: &str) -> String {
    format!("#{no}{of} is over")
}

/// When a window or silence that covers the host was made, began and ended.
fn turns(hold: &Hold, now: Timestamp) -> Vec<Changed> {
    let kind = match hold.kind {
        hold::Kind::Maintenance => Kind::Maintenance,
        hold::Kind::Silence => Kind::Silence,
    };
    let said = |at: Timestamp, what: &str, by: Option<&String>| {
        Changed::new(at, kind, &format!("{} {what}: {}", hold.name(), hold.reason), by.cloned())
    };
    let mut turns = vec![said(hold.made, "made", Some(&hold.by))];
    turns.extend(hold.at(now).map(|span| said(span.from, "began", None)));
    turns.extend(hold.outcome.as_ref().map(|outcome| said(outcome.at, "ended", None)));
    turns.extend(hold.ended.as_ref().map(|(at, by)| said(*at, "called off", Some(by))));
    turns
}

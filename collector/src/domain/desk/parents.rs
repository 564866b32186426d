//! Parents: what is behind a device that dies falls silent with it, and belongs to its incident.
//!
//! A host that is gone waits, bounded, until the state of what it is behind is newer than its own failure. Where that is
//! gone too the host's problem joins its incident; when it is back and the host is not, the host gets an incident of its
//! own after a while in which hosts connect again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desk, DeskStep, burn, fleet::Fleet, incident::Incident, problem::Problem};
use crate::domain::{
    device::plan::ancestors,
    event::Effect,
    host::State,
    ids::{HostNo, IncidentNo},
    record::{ProblemRow, Row},
    time::Timestamp,
};

/// Hosts behind a device that is back have this long to connect again: agents that were refused for a while try again
/// within 60 s, and then have to shake hands.
pub(super) const BACK_WITHIN_MS: i64 = 70_000;

/// How a device is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// How long after its death that is known.
    pub detect_ms: i64,
    /// Who watches it.
    pub watchers: Vec<HostNo>,
}

/// Who is behind whom.
#[derive(Debug, Default)]
pub struct Family {
    parents: BTreeMap<HostNo, HostNo>,
    children: BTreeMap<HostNo, BTreeSet<HostNo>>,
    watched: BTreeMap<HostNo, Watched>,
}

impl Family {
    /// The family with these parents of hosts and these devices.
    #[must_use]
    pub fn new(parents: &BTreeMap<HostNo, HostNo>, watched: BTreeMap<HostNo, Watched>) -> Self {
        let mut children: BTreeMap<HostNo, BTreeSet<HostNo>> = BTreeMap::new();
        // A parent that is a device no more explains nothing.
        let parents: BTreeMap<HostNo, HostNo> = parents
            .iter()
            .filter(|(_, parent)| watched.contains_key(parent))
            .map(|(child, parent)| (*child, *parent))
            .collect();
        for (child, parent) in &parents {
            children.entry(*parent).or_default().insert(*child);
        }
        Self { parents, children, watched }
    }

    /// What a host is behind, the nearest first.
    #[must_use]
    pub fn above(&self, host: HostNo) -> Vec<HostNo> {
        ancestors(host, &self.parents).collect()
    }

    pub(super) fn detect_ms(&self, device: HostNo) -> i64 {
        self.watched.get(&device).map_or(0, |watched| watched.detect_ms)
    }

    /// Everything behind a device, however far.
    pub(super) fn behind(&self, device: HostNo) -> BTreeSet<HostNo> {
        let (mut all, mut next) = (BTreeSet::new(), vec![device]);
        while let Some(parent) = next.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if all.insert(*child) {
                    next.push(*child);
                }
            }
        }
        all
    }

    /// Whether somebody is heard who can say whether a device is there.
    pub(super) fn is_told(&self, device: HostNo, silent: &BTreeSet<HostNo>, fleet: &Fleet) -> bool {
        let watchers = self.watched.get(&device).map(|watched| watched.watchers.as_slice()).unwrap_or_default();
        let mut heard = watchers.iter().filter(|watcher| !silent.contains(watcher));
        heard.any(|watcher| fleet.get(*watcher).is_some_and(|member| member.state == State::Up))
    }

    /// Whether one device explains that all these fell silent: they are behind it, and somebody is heard who can say
    /// whether it is there.
    #[must_use]
    pub fn explains(&self, silent: &BTreeSet<HostNo>, fleet: &Fleet) -> bool {
        let Some(first) = silent.first() else { return false };
        let is_above_all = |device: &HostNo| {
            silent.iter().all(|host| ancestors(*host, &self.parents).any(|ancestor| ancestor == *device))
        };
        let is_told = |device: &HostNo| self.is_told(*device, silent, fleet);
        ancestors(*first, &self.parents).any(|device| is_above_all(&device) && is_told(&device))
    }
}

impl Desk {
    /// Who is behind whom from now on.
    pub fn set_family(&mut self, family: Family) {
        self.fleet.family = family;
    }

    /// A host that is gone waits until what it is behind has been asked after its failure, each of the chain in turn.
    pub(super) fn wait_for_parents(&self, problem: &mut Problem, state: State) {
        let Some(host) = problem.row.host.filter(|_| state == State::Down) else { return };
        let family = &self.fleet.family;
        let wait_ms: i64 = ancestors(host, &family.parents).map(|device| family.detect_ms(device)).sum();
        let wait_ms = wait_ms.max(self.wait_for_groups_ms(host));
        if wait_ms > 0 {
            let fold_until = problem.row.fold_until.max(problem.row.since.plus_ms(wait_ms));
            problem.row.fold_until = fold_until;
        }
    }

    /// The open incident of the nearest device that a host is behind and that is gone, if the host was not gone long
    /// before it. One of which nobody can tell is passed over, one that is there explains nothing.
    pub(super) fn incident_of_parents(&self, problem: &ProblemRow) -> Option<IncidentNo> {
        let host = problem.host.filter(|_| problem.kind == "liveness")?;
        self.fleet.get(host).filter(|member| member.state == State::Down)?;
        let family = &self.fleet.family;
        for device in ancestors(host, &family.parents) {
            let member = self.fleet.get(device)?;
            match member.state {
                State::Unknown => {}
                State::Down => {
                    let own = self.liveness_of(device).filter(|own| with_it(problem, own, family.detect_ms(device)));
                    return own?.incident.filter(|no| self.incidents.get(no).is_some_and(Incident::is_open));
                }
                _ => return None,
            }
        }
        None
    }

    fn liveness_of(&self, host: HostNo) -> Option<&ProblemRow> {
        let mut problems = self.problems.values().map(|problem| &problem.row);
        problems.find(|row| row.host == Some(host) && row.kind == "liveness")
    }

    /// A device's incident takes those that are behind it and gone with it.
    pub(super) fn take_children(&mut self, device: HostNo, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        if !self.fleet.family.children.contains_key(&device) {
            return;
        }
        let behind = self.fleet.family.behind(device);
        let is_child = |row: &ProblemRow| row.kind == "liveness" && row.host.is_some_and(|host| behind.contains(&host));
        let children: Vec<(String, Option<IncidentNo>)> = self
            .problems
            .values()
            .filter(|problem| is_child(&problem.row) && problem.row.incident != Some(no))
            .map(|problem| (problem.row.key.clone(), problem.row.incident))
            .collect();
        for (key, own) in children {
            let Some(problem) = self.problems.get_mut(&key) else { continue };
            problem.row.incident = None;
            let row = problem.row.clone();
            if self.incident_of_parents(&row) != Some(no) {
                // It was gone long before, or is gone for a reason of its own.
                if let Some(problem) = self.problems.get_mut(&key) {
                    problem.row.incident = own;
                }
                continue;
            }
            self.open_or_join(&key, now, step);
            if let Some(own) = own {
                self.become_part(own, no, now, step);
            }
        }
    }

    /// The device is back: whatever is behind it and is not gets some time, and then an incident of its own.
    pub(super) fn leave_children(
        &mut self,
        device: HostNo,
        no: IncidentNo,
        key: &str,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        if self.incidents.get(&no).is_none_or(|incident| incident.row.key != key) {
            return;
        }
        let is_other = |row: &ProblemRow| row.incident == Some(no) && !burn::is_guest(row);
        let others = self.problems.values_mut().filter(|problem| is_other(&problem.row));
        for problem in others.filter(|problem| problem.row.host != Some(device)) {
            problem.row.incident = None;
            problem.row.part_of = None;
            problem.row.fold_until = now.plus_ms(BACK_WITHIN_MS);
            step.effects.push(Effect::Record(Row::Problem(problem.row.clone())));
        }
    }
}

/// Whether a host fell silent with a device, or after it, and not long before.
pub(super) fn with_it(host: &ProblemRow, device: &ProblemRow, detect_ms: i64) -> bool {
    host.since.plus_ms(detect_ms) >= device.since
}

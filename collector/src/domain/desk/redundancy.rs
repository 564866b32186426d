//! Redundancy groups on the desk: a member's loss wakes nobody while the group holds, and a broken group is one cause.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Desk, DeskStep, burn,
    fleet::{Fleet, Member as HostMember},
    incident::Incident,
    parents::{BACK_WITHIN_MS, with_it},
    problem,
};
use crate::domain::{
    event::Effect,
    host::{
        State,
        checks::{CheckRow, Status},
    },
    ids::{HostNo, IncidentNo},
    record::{ProblemRow, Row},
    redundancy::{Count, Group, Known, Member, Standing},
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};

/// All groups, and how the checks in them stand.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Groups by the name of a member's host in lower case.
    of_host: BTreeMap<String, BTreeSet<usize>>,
    checks: BTreeMap<(HostNo, String), bool>,
}

impl Groups {
    /// These groups; what is known of checks was loaded.
    pub(super) fn new(groups: &[Group], checks: &[CheckRow]) -> Self {
        let mut of_host: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            for member in &group.members {
                of_host.entry(member.host.to_lowercase()).or_default().insert(at);
            }
        }
        let mut all = Self { groups: groups.to_vec(), of_host, checks: BTreeMap::new() };
        if !groups.is_empty() {
            checks.iter().for_each(|row| all.checked(row, row.hard && row.status != Status::Ok));
        }
        all
    }

    /// A check turned out so; one that is gone is known no more.
    pub(super) fn checked(&mut self, row: &CheckRow, open: bool) {
        let key = (row.host, row.check.clone());
        match (open, row.status) {
            (true, Status::Critical | Status::Unknown) => self.checks.insert(key, false),
            (true, _) | (false, Status::Ok) => self.checks.insert(key, true),
            (false, _) => self.checks.remove(&key),
        };
    }

    fn of(&self, host: &str) -> impl Iterator<Item = &Group> {
        let at = self.of_host.get(&host.to_lowercase());
        at.into_iter().flatten().filter_map(|at| self.groups.get(*at))
    }

    fn known(&self, member: &Member, fleet: &Fleet) -> Known {
        let Some((no, host)) = fleet.named(&member.host).and_then(|no| Some((no, fleet.get(no)?))) else {
            return Known::Unknown;
        };
        match (known_host(host), &member.check) {
            (Known::Up, Some(check)) => match self.checks.get(&(no, check.clone())) {
                Some(true) => Known::Up,
                Some(false) => Known::Lost,
                None => Known::Unknown,
            },
            (known, _) => known,
        }
    }

    fn count(&self, group: &Group, fleet: &Fleet) -> Count {
        group.count(|member| self.known(member, fleet))
    }

    /// Hosts of the lost members of the group with this key.
    fn lost_hosts(&self, key: &str, fleet: &Fleet) -> Vec<HostNo> {
        let group = self.groups.iter().find(|group| group.key() == key);
        let lost = group.into_iter().flat_map(|group| &group.members);
        let lost = lost.filter(|member| self.known(member, fleet) == Known::Lost);
        lost.filter_map(|member| fleet.named(&member.host)).collect()
    }
}

/// An agent that is lost on a machine that answers says nothing of what the machine does, unless it is watched as closely
/// as that its loss is an outage.
fn known_host(host: &HostMember) -> Known {
    match host.state {
        State::Up | State::Suspect => Known::Up,
        State::Unknown => Known::Unknown,
        State::AgentLost if host.watch != Watch::Fast => Known::Unknown,
        _ => Known::Lost,
    }
}

/// Groups that hosts are behind.
pub(super) fn alternatives(groups: &[Group]) -> Vec<Group> {
    groups.iter().filter(|group| !group.behind.is_empty()).cloned().collect()
}

impl Fleet {
    /// Whether all these are behind one group, and somebody is heard who can say whether its members are there.
    pub(super) fn a_group_explains(&self, silent: &BTreeSet<HostNo>) -> bool {
        let is_behind = |group: &Group, no: &HostNo| self.get(*no).is_some_and(|host| group.is_before(&host.name));
        let is_told = |group: &Group| {
            let mut members = group.members.iter().filter_map(|member| self.named(&member.host));
            members.any(|no| self.family.is_told(no, silent, self))
        };
        self.alternatives().iter().any(|group| silent.iter().all(|no| is_behind(group, no)) && is_told(group))
    }
}

impl Desk {
    /// A host or a check changed: the groups in which it is hold, or break; what then pages waits until `fold_until`.
    pub(super) fn weigh_groups(&mut self, host: HostNo, fold_until: Timestamp, now: Timestamp, step: &mut DeskStep) {
        let Some(name) = self.fleet.get(host).map(|member| member.name.clone()) else { return };
        let groups: Vec<Group> = self.groups.of(&name).cloned().collect();
        for group in groups {
            self.weigh_group(&group, fold_until, now, step);
        }
    }

    /// Groups are as the configuration has them now: one that is not there any more is nobody's trouble.
    pub fn regroup(&mut self, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let groups = self.groups.groups.clone();
        let is_gone = |row: &ProblemRow| row.kind == "redundancy" && groups.iter().all(|group| group.key() != row.key);
        let problems = self.problems.values().map(|problem| &problem.row);
        let gone: Vec<String> = problems.filter(|row| is_gone(row)).map(|row| row.key.clone()).collect();
        for key in gone {
            self.release(&key, |_| false, now, &mut step);
            self.weigh(key, None, now, &mut step);
        }
        // After a start hosts are unknown: what was broken stays so until they are heard.
        for group in
            groups.iter().filter(|group| !self.problems.contains_key(&group.key())).cloned().collect::<Vec<_>>()
        {
            self.weigh_group(&group, now, now, &mut step);
        }
        step
    }

    fn weigh_group(&mut self, group: &Group, fold_until: Timestamp, now: Timestamp, step: &mut DeskStep) {
        let count = self.groups.count(group, &self.fleet);
        let key = group.key();
        match group.standing(&count) {
            Standing::CannotTell => {}
            Standing::Holds => {
                self.release(&key, |host| group.is_before(host), now, step);
                self.weigh(key, None, now, step);
            }
            Standing::Broken => {
                let broken = problem::of_group(group, &count, now, fold_until);
                self.weigh(key, Some(broken), now, step);
            }
        }
        let lost = self.groups.lost_hosts(&group.key(), &self.fleet);
        step.touched.extend(lost.into_iter().filter_map(|host| self.incident_of(host)));
    }

    /// How long after its death the loss of a group's slowest member is known.
    fn detect_ms(&self, group: &Group) -> i64 {
        let members = group.members.iter().filter_map(|member| self.fleet.named(&member.host));
        members.map(|no| self.member_detect_ms(no)).max().unwrap_or(0)
    }

    fn member_detect_ms(&self, no: HostNo) -> i64 {
        let timers = self.fleet.get(no).map(|member| member.watch.timers());
        let own = timers.map_or(0, |timers| timers.suspect_ms + timers.confirm_ms + timers.fold_ms);
        self.fleet.family.detect_ms(no).max(own)
    }

    /// How long a host that is behind groups waits for word of them.
    pub(super) fn wait_for_groups_ms(&self, host: HostNo) -> i64 {
        let Some(name) = self.fleet.get(host).map(|member| member.name.as_str()) else { return 0 };
        let before = self.groups.groups.iter().filter(|group| group.is_before(name));
        before.map(|group| self.detect_ms(group)).max().unwrap_or(0)
    }

    /// The page of a broken group waits as long as that of its most closely watched member.
    pub(super) fn page_group_after_ms(&self, key: &str) -> i64 {
        let lost = self.groups.lost_hosts(key, &self.fleet).into_iter().filter_map(|host| self.fleet.get(host));
        lost.map(|member| member.watch.timers().page_after_ms).min().unwrap_or(0)
    }

    /// Groups that a problem touches as the loss of a member.
    fn groups_of<'a>(&'a self, problem: &'a ProblemRow) -> impl Iterator<Item = &'a Group> {
        let host = problem.host.and_then(|no| self.fleet.get(no)).map(|member| member.name.as_str());
        let check = problem.key.rsplit_once('/').map(|(_, check)| check).filter(|_| problem.kind == "check");
        let is_member = move |member: &Member| {
            let same_host = host.is_some_and(|host| member.host.eq_ignore_ascii_case(host));
            same_host && (problem.kind == "liveness" || (check.is_some() && member.check.as_deref() == check))
        };
        self.groups.of(host.unwrap_or_default()).filter(move |group| group.members.iter().any(is_member))
    }

    /// How bad a problem is as a cause of its own: the loss of a member wakes nobody while its groups hold. And why.
    pub(super) fn weight(&self, problem: &ProblemRow) -> (Severity, Option<String>) {
        let mut words = Vec::new();
        for group in self.groups_of(problem) {
            let count = self.groups.count(group, &self.fleet);
            if group.standing(&count) != Standing::Holds {
                return (problem.severity, None);
            }
            words.push(group.words(&count));
        }
        if words.is_empty() || problem.severity <= Severity::Warning {
            return (problem.severity, None);
        }
        (Severity::Warning, Some(words.join("; ")))
    }

    /// How bad something about a host is: it wakes nobody while the host is a member of groups and all of them hold.
    pub(super) fn spared(&self, severity: Severity, host: HostNo) -> Severity {
        let Some(name) = self.fleet.get(host).map(|member| member.name.as_str()) else { return severity };
        let is_member = |member: &Member| member.check.is_none() && member.host.eq_ignore_ascii_case(name);
        let mut groups = self.groups.of(name).filter(|group| group.members.iter().any(is_member)).peekable();
        let is_in_one = groups.peek().is_some();
        let hold = |group: &Group| group.standing(&self.groups.count(group, &self.fleet)) == Standing::Holds;
        if is_in_one && groups.all(hold) { severity.min(Severity::Warning) } else { severity }
    }

    /// Whether a host is a member of the group with this key, or behind it.
    pub(super) fn is_of_group(&self, key: &str, host: &str) -> bool {
        let is_member = |group: &Group| group.members.iter().any(|member| member.host.eq_ignore_ascii_case(host));
        self.groups.groups.iter().any(|group| group.key() == key && (is_member(group) || group.is_before(host)))
    }

    /// The incident of a broken group that explains a problem: of a member, or of a host behind it that fell with it.
    pub(super) fn incident_of_groups(
        &mut self,
        problem: &ProblemRow,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Option<IncidentNo> {
        let mut keys: Vec<String> = self.groups_of(problem).map(Group::key).collect();
        let host = problem.host.filter(|_| problem.kind == "liveness").and_then(|no| self.fleet.get(no));
        if let Some(name) = host.map(|member| member.name.as_str()) {
            let before = self.groups.groups.iter().filter(|group| group.is_before(name));
            let fell = before.filter(|group| {
                let broken = self.problems.get(&group.key());
                broken.is_some_and(|broken| with_it(problem, &broken.row, self.detect_ms(group)))
            });
            keys.extend(fell.map(Group::key));
        }
        for key in keys {
            if self.problems.get(&key).is_some_and(|broken| broken.row.incident.is_none()) {
                self.open_or_join(&key, now, step);
            }
            let no = self.problems.get(&key).and_then(|broken| broken.row.incident);
            if let Some(no) = no.filter(|no| self.incidents.get(no).is_some_and(Incident::is_open)) {
                return Some(no);
            }
        }
        None
    }

    /// What took a member along explains that its group is broken: a cut, or what the member is behind.
    pub(super) fn cause_of_group(&self, problem: &ProblemRow) -> Option<IncidentNo> {
        let lost = self.groups.lost_hosts(&problem.key, &self.fleet);
        let open = |no: &IncidentNo| self.incidents.get(no).is_some_and(Incident::is_open);
        let of_another = |host: HostNo| {
            let mut own = self.problems.values().map(|problem| &problem.row).filter(|row| row.host == Some(host));
            let own = own.find(|row| row.kind == "liveness")?;
            own.incident.filter(|no| self.incidents.get(no).is_some_and(|incident| incident.row.key != own.key))
        };
        lost.iter().find_map(|host| self.cuts.incident_of(*host).or_else(|| of_another(*host)).filter(open))
    }

    /// A broken group takes those that are behind it and fell with it.
    pub(super) fn take_behind(&mut self, key: &str, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(group) = self.groups.groups.iter().find(|group| group.key() == key) else { return };
        if group.behind.is_empty() {
            return;
        }
        let detect_ms = self.detect_ms(group);
        let Some(broken) = self.problems.get(key).map(|problem| problem.row.clone()) else { return };
        let is_behind = |host: HostNo| self.fleet.get(host).is_some_and(|member| group.is_before(&member.name));
        let fell = |row: &ProblemRow| row.kind == "liveness" && row.host.is_some_and(is_behind);
        let fell: Vec<(String, Option<IncidentNo>)> = self
            .problems
            .values()
            .map(|problem| &problem.row)
            .filter(|row| fell(row) && row.incident != Some(no) && with_it(row, &broken, detect_ms))
            .map(|row| (row.key.clone(), row.incident))
            .collect();
        for (key, own) in fell {
            if let Some(problem) = self.problems.get_mut(&key) {
                problem.row.incident = None;
            }
            self.open_or_join(&key, now, step);
            if let Some(own) = own {
                self.become_part(own, no, now, step);
            }
        }
    }

    /// The group holds again: what is still wrong in its incident is a cause of its own, and a host behind it has some time
    /// to connect again first.
    fn release(&mut self, key: &str, is_behind: impl Fn(&str) -> bool, now: Timestamp, step: &mut DeskStep) {
        let Some(no) = self.problems.get(key).and_then(|problem| problem.row.incident) else { return };
        if self.incidents.get(&no).is_none_or(|incident| incident.row.key != key) {
            return;
        }
        let is_behind = |no: HostNo| self.fleet.get(no).is_some_and(|member| is_behind(&member.name));
        let behind: BTreeMap<String, bool> = self
            .problems
            .values()
            .filter(|problem| problem.row.incident == Some(no) && problem.row.key != key)
            .filter(|problem| !burn::is_guest(&problem.row))
            .map(|problem| (problem.row.key.clone(), problem.row.host.is_some_and(is_behind)))
            .collect();
        for (key, is_behind) in behind {
            let Some(problem) = self.problems.get_mut(&key) else { continue };
            (problem.row.incident, problem.row.part_of) = (None, None);
            problem.row.fold_until = now.plus_ms(if is_behind { BACK_WITHIN_MS } else { 0 });
            step.effects.push(Effect::Record(Row::Problem(problem.row.clone())));
        }
    }

    /// Hosts whose loss broke the group that an incident is about.
    pub(super) fn lost_of_group(&self, no: IncidentNo) -> Vec<HostNo> {
        let key = self.incidents.get(&no).map(|incident| incident.row.key.as_str());
        key.filter(|key| key.starts_with("redundancy/"))
            .map(|key| self.groups.lost_hosts(key, &self.fleet))
            .unwrap_or_default()
    }

    /// How the groups stand that an incident touches: what redundancy is left.
    #[must_use]
    pub fn redundancy_left(&self, no: IncidentNo) -> Vec<String> {
        let problems = self.problems.values().filter(|problem| problem.row.incident == Some(no));
        let groups = problems.flat_map(|problem| {
            let own = self.groups.groups.iter().filter(|group| group.key() == problem.row.key);
            self.groups_of(&problem.row).chain(own).map(|group| group.words(&self.groups.count(group, &self.fleet)))
        });
        groups.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

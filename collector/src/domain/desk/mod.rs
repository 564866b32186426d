//! The fleet decided: problems become incidents, incidents become pages, mass silence becomes a cut.
//!
//! The desk hears nothing of hosts but their [`HostChange`]s. Maintenance, silence and acknowledgement act on incidents
//! at the moment of paging, never on problems.

mod alerts;
mod batches;
mod burn;
mod calls;
mod changes;
pub mod cut;
mod deliveries;
pub mod dismissals;
mod facts;
mod flaps;
pub mod fleet;
pub mod handoffs;
pub mod heartbeats;
pub mod holds;
pub mod incident;
mod own;
pub mod pages;
pub mod parents;
pub mod past;
mod priorities;
pub mod problem;
pub mod recent;
mod redundancy;
pub mod standins;
mod test_pages;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    changes::Changes, cut::Cuts, dismissals::Dismissals, fleet::Fleet, handoffs::Handoffs, heartbeats::Heartbeats,
    holds::Holds, incident::Incident, past::Pasts, problem::Problem, redundancy::Groups,
};
use super::{
    changed::Changed,
    dismissal::Dismissal,
    event::{Answer, Command, Effect, HostEvent, Principal},
    hold::Hold,
    host::{Cause, State, change::HostChange},
    ids::{HostNo, IncidentNo, PageId},
    labels::Profile,
    oncall::{Roster, absence::Exceptions},
    record::{IncidentState, Loaded, Page, ProblemRow, Row},
    severity::Severity,
    time::Timestamp,
};

/// What the desk wants of the engine besides effects: an event for hosts of a scope.
#[derive(Debug, Clone)]
pub struct ForHosts {
    /// Which hosts.
    pub hosts: Vec<HostNo>,
    /// What happens to them.
    pub event: HostEvent,
}

/// What a step of the desk leads to.
#[derive(Debug, Default)]
pub struct DeskStep {
    /// For the edges.
    pub effects: Vec<Effect>,
    /// For hosts.
    pub for_hosts: Vec<ForHosts>,
    /// Incidents whose views changed.
    pub touched: BTreeSet<IncidentNo>,
    /// Maintenance windows or silences changed.
    pub holds: bool,
    /// Other people's jobs changed.
    pub heartbeats: bool,
    /// Something was said to be no problem, or that was taken back.
    pub dismissals: bool,
}

/// The desk. One for the fleet.
#[derive(Debug)]
pub struct Desk {
    roster: Roster,
    exceptions: Exceptions,
    last_override: i64,
    last_absence: i64,
    handoffs: Handoffs,
    problems: BTreeMap<String, Problem>,
    incidents: BTreeMap<IncidentNo, Incident>,
    cuts: Cuts,
    fleet: Fleet,
    holds: Holds,
    dismissals: Dismissals,
    changes: Changes,
    heartbeats: Heartbeats,
    groups: Groups,
    burn_said: burn::Said,
    past: Pasts,
    tests: BTreeMap<PageId, Page>,
    test_pages: test_pages::TestPages,
    last_incident: i64,
    last_page: i64,
    hold_until: Timestamp,
}

impl Desk {
    /// A desk as loaded.
    #[must_use]
    pub fn loaded(loaded: &Loaded, roster: Roster) -> Self {
        let mut incidents: BTreeMap<IncidentNo, Incident> = loaded
            .incidents
            .iter()
            .map(|(row, events)| (row.no, Incident::loaded(row.clone(), events.clone())))
            .collect();
        for page in &loaded.pages {
            if let Some(incident) = page.incident.and_then(|no| incidents.get_mut(&no)) {
                incident.pages.insert(page.id, page.clone());
            }
        }
        let problems = loaded.problems.iter().map(|row| (row.key.clone(), Problem::loaded(row.clone()))).collect();
        Self {
            groups: Groups::new(&roster.groups, &loaded.checks),
            handoffs: Handoffs::loaded(&loaded.handoffs, !roster.rotations.is_empty()),
            last_override: loaded.overrides.iter().map(|known| known.no.0).max().unwrap_or(0),
            last_absence: loaded.absences.iter().map(|known| known.no.0).max().unwrap_or(0),
            exceptions: Exceptions { overrides: loaded.overrides.clone(), absences: loaded.absences.clone() },
            problems,
            incidents,
            cuts: Cuts::default(),
            fleet: Fleet::behind(redundancy::alternatives(&roster.groups)),
            holds: Holds::loaded(&loaded.holds, loaded.last_hold),
            dismissals: Dismissals::loaded(&loaded.dismissals),
            changes: Changes::loaded(&loaded.changes),
            heartbeats: Heartbeats::loaded(&loaded.heartbeats),
            burn_said: burn::Said::default(),
            past: Pasts::loaded(&loaded.past),
            roster,
            tests: loaded
                .pages
                .iter()
                .filter(|page| page.incident.is_none())
                .map(|page| (page.id, page.clone()))
                .collect(),
            test_pages: loaded.test_pages.iter().map(|row| (row.person.clone(), row.clone())).collect(),
            last_incident: loaded.last_incident,
            last_page: loaded.last_page,
            hold_until: Timestamp::default(),
        }
    }

    /// No new page before this: hosts are given time to come back after the collector was away.
    pub fn hold(&mut self, until: Timestamp) {
        self.hold_until = until;
    }

    /// A host as it stands, so that names, levels and counts are right.
    pub fn know(&mut self, profile: &Profile, state: State, now: Timestamp) {
        self.fleet.know(profile, now);
        self.fleet.turn(profile.no, state, now);
    }

    /// Problems of hosts that the store knows no more are over.
    pub fn problems_without_hosts_go(&mut self, hosts: &BTreeSet<HostNo>, effects: &mut Vec<Effect>) {
        let known = |problem: &Problem| problem.row.host.is_none_or(|host| hosts.contains(&host));
        let gone: Vec<String> =
            self.problems.iter().filter(|(_, problem)| !known(problem)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.problems.remove(&key);
            effects.push(Effect::Record(Row::ProblemCleared(key)));
        }
    }

    /// A host's change.
    pub fn host_changed(&mut self, profile: &Profile, change: &HostChange, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        self.fleet.know(profile, now);
        match change {
            HostChange::Suspected { proof, .. } => self.fleet.proven(profile.no, *proof),
            HostChange::Liveness { to, since, .. } => self.fleet.turn(profile.no, *to, *since),
            HostChange::Ran { .. } | HostChange::Finding(_) | HostChange::Check { .. } | HostChange::Changed(_) => {}
        }
        self.cuts.heard(profile.no, change, &self.fleet, now, &mut step);
        match change {
            HostChange::Suspected { .. } => {}
            HostChange::Ran { out_ms, ran_ms } => self.ran_unseen(profile, *out_ms, *ran_ms, now, &mut step),
            HostChange::Changed(changes) => changes.iter().for_each(|(kind, text)| {
                self.note_change(profile.no, Changed::new(now, *kind, text, None), &mut step.effects);
            }),
            HostChange::Liveness { to: State::Unreachable, cause: Cause::Cut(scope), .. } => {
                self.join_cut(profile, scope, now, &mut step);
                let fold_until = now.plus_ms(profile.watch.timers().fold_ms);
                self.weigh_groups(profile.no, fold_until, now, &mut step);
            }
            // A suspicion changes nothing, nor does a device of which nobody can tell: what was a problem before stays one.
            HostChange::Liveness { to: State::Suspect, .. }
            | HostChange::Liveness { cause: Cause::WatchersSilent | Cause::Unwatched, .. } => {}
            HostChange::Liveness { to, cause, since, .. } => {
                let mut problem = problem::of_liveness(profile, *to, cause, *since, now);
                problem.iter_mut().for_each(|problem| self.wait_for_parents(problem, *to));
                let fold_until = problem.as_ref().map_or(now, |problem| problem.row.fold_until);
                self.weigh_groups(profile.no, fold_until, now, &mut step);
                self.weigh(problem::liveness_key(profile), problem, now, &mut step);
            }
            HostChange::Finding(finding) => {
                let problem = finding.open.then(|| problem::of_finding(profile, finding, now));
                self.weigh(problem::finding_key(profile, finding), problem, now, &mut step);
            }
            HostChange::Check { open, row } => {
                let problem = problem::of_check(profile, row, now).filter(|_| *open);
                self.groups.checked(row, *open);
                self.weigh_groups(profile.no, now, now, &mut step);
                self.weigh(problem::check_key(profile, row), problem, now, &mut step);
            }
        }
        step
    }

    /// The clock was set by this much: what waits goes on waiting for as long as it would have.
    pub fn stepped(&mut self, by_ms: i64, effects: &mut Vec<Effect>) {
        self.hold_until = self.hold_until.plus_ms(by_ms);
        for problem in self.problems.values_mut().filter(|problem| problem.row.incident.is_none()) {
            problem.row.fold_until = problem.row.fold_until.plus_ms(by_ms);
            effects.push(Effect::Record(Row::Problem(problem.row.clone())));
        }
        let waits = |incident: &&mut Incident| {
            let due = incident.page_due().or(incident.call_due()).or(incident.runs_out());
            due.or(incident.stable_at()).is_some()
        };
        for incident in self.incidents.values_mut().filter(waits) {
            incident.row.swings.stepped(by_ms);
            incident.row.page_at = incident.row.page_at.plus_ms(by_ms);
            let steps = incident.row.escalations.iter_mut().map(|step| &mut step.due);
            let calls = incident.row.calls.iter_mut().map(|call| &mut call.due);
            steps.chain(calls).chain(&mut incident.row.acknowledged_until).for_each(|due| *due = due.plus_ms(by_ms));
            effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        }
        self.alerts_stepped(by_ms);
        self.cuts.stepped(by_ms);
        self.heartbeats.stepped(by_ms, effects);
        self.handoffs.look_anew();
    }

    /// Something about the collector itself.
    pub fn self_check(&mut self, what: &str, trouble: Option<(Severity, String)>, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let problem = trouble.map(|(severity, text)| problem::of_self(what, severity, text, now));
        self.weigh(problem::self_key(what), problem, now, &mut step);
        step
    }

    /// Looks at what is due.
    pub fn tick(&mut self, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        self.settle_cuts(now, &mut step);
        self.cuts.tick(&self.fleet, now, &mut step);
        self.alerts_run_out(now, &mut step);
        let folded: Vec<String> = self
            .problems
            .values()
            .filter(|problem| problem.row.incident.is_none() && problem.row.fold_until <= now)
            .filter(|problem| problem.row.severity > Severity::Info)
            .map(|problem| problem.row.key.clone())
            .collect();
        for key in folded {
            self.open_or_join(&key, now, &mut step);
        }
        self.run_out(now, &mut step);
        self.settle_flapping(now, &mut step);
        self.judge_heartbeats(now, &mut step);
        self.hand_over(now, &mut step);
        self.test_pages_fall_due(now, &mut step);
        if self.holds.due().is_some_and(|due| due <= now) {
            self.holds_changed(now, &mut step);
        }
        if now >= self.hold_until {
            let ready: Vec<IncidentNo> = self
                .incidents
                .values()
                .filter(|incident| incident.to_be_paged(now))
                .map(|incident| incident.row.no)
                .collect();
            for no in ready {
                self.page_unless_held(no, now, &mut step);
            }
            let calls = self.incidents.values().filter(|incident| incident.call_due().is_some_and(|due| due <= now));
            let calls: Vec<IncidentNo> = calls.map(|incident| incident.row.no).collect();
            for no in calls {
                self.call_due(no, now, &mut step);
            }
        }
        recent::forget_others(&mut self.incidents, now);
        step
    }

    /// When the desk wants to be looked at next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let folds = self
            .problems
            .values()
            .filter(|problem| problem.row.incident.is_none() && problem.row.severity > Severity::Info)
            .map(|problem| problem.row.fold_until);
        let pages = self.incidents.values().filter_map(Incident::page_due).map(|at| at.max(self.hold_until));
        let calls = self.incidents.values().filter_map(Incident::call_due).map(|at| at.max(self.hold_until));
        let acknowledged = self.incidents.values().filter_map(Incident::runs_out);
        let stable = self.incidents.values().filter_map(Incident::stable_at).map(|at| at.max(self.hold_until));
        let alerts = self.problems.values().filter_map(|problem| problem.until);
        folds
            .chain(alerts)
            .chain(pages)
            .chain(calls)
            .chain(acknowledged)
            .chain(stable)
            .chain(self.cuts.due())
            .chain(self.holds.due())
            .chain(self.heartbeats.due())
            .chain(self.handoffs.due())
            .chain(self.test_pages_due())
            .min()
    }

    /// A person's command about an incident or a receiver.
    pub fn command(&mut self, by: &Principal, command: &Command, now: Timestamp) -> (DeskStep, Answer) {
        let mut step = DeskStep::default();
        let answer = match command {
            Command::Acknowledge { incident, note, for_ms } => {
                self.acknowledge(*incident, by, note, *for_ms, now, &mut step)
            }
            Command::Answer { incident, page, at } => self.answer(by, *incident, *page, *at, now, &mut step),
            Command::AddHold(hold) => self.add_hold(by, hold, now, &mut step),
            Command::AddOverride(asked) => self.add_override(by, asked, now, &mut step),
            Command::EndOverride(no) => self.end_override(by, *no, now, &mut step),
            Command::Swap(asked) => self.swap(by, asked, now, &mut step),
            Command::AddAbsences(asked) => self.add_absences(by, asked, now, &mut step),
            Command::EndAbsence(no) => self.end_absence(by, *no, now, &mut step),
            Command::Alerts(alerts) => self.take_alerts(alerts, now, &mut step),
            Command::BeginOwn(asked) => self.begin_own(by, asked, now, &mut step),
            Command::EndOwn(host) => self.end_own(by, *host, now, &mut step),
            Command::EndHold(no) => self.end_hold(by, *no, now, &mut step),
            Command::Dismiss(asked) => self.dismiss(by, asked, now, &mut step),
            Command::TakeBack { incident, dismissal } => self.take_back(by, *incident, *dismissal, now, &mut step),
            Command::Ping(ping) => self.pinged(ping, now, &mut step),
            Command::Resolve { incident, note } => self.resolve_by_hand(*incident, by, note, now, &mut step),
            Command::TestPerson(name) => self.test_person(name, now, &mut step),
            Command::ConfirmTest(page) => self.confirm_test(by, *page, now, &mut step),
            Command::Prioritise { incident, priority, note } => {
                self.prioritise(*incident, by, (*priority, note), now, &mut step)
            }
            Command::TestPage { receiver } => self.test_page(receiver, now, &mut step),
            Command::AreYouThere
            | Command::Label { .. }
            | Command::Assets { .. }
            | Command::Admit { .. }
            | Command::Device { .. }
            | Command::Parent { .. } => Answer::Refused("not the desk's".into()),
        };
        (step, answer)
    }

    /// Maintenance windows and silences that are to come, last, or ended lately.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter()
    }

    /// What was said to be no problem.
    pub fn dismissals(&self) -> impl Iterator<Item = &Dismissal> {
        self.dismissals.iter()
    }

    /// Scopes that are cut now: name and since.
    pub fn cuts(&self) -> impl Iterator<Item = (String, Timestamp)> {
        self.cuts.open()
    }

    /// One incident.
    #[must_use]
    pub fn incident(&self, no: IncidentNo) -> Option<&Incident> {
        self.incidents.get(&no)
    }

    /// All incidents that are open or were resolved lately.
    pub fn incidents(&self) -> impl ExactSizeIterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Hosts that an incident is about.
    #[must_use]
    pub fn hosts_of(&self, no: IncidentNo) -> BTreeSet<HostNo> {
        let own = self.incidents.get(&no).and_then(|incident| incident.row.host);
        let problems = self.problems.values().map(|problem| &problem.row).filter(|row| row.incident == Some(no));
        problems
            .filter(|row| !burn::is_guest(row))
            .flat_map(|row| row.host.iter().chain(&row.hosts))
            .copied()
            .chain(own)
            .chain(self.cuts.members(no))
            .chain(self.lost_of_group(no))
            .collect()
    }

    /// The open incident that a host is in.
    #[must_use]
    pub fn incident_of(&self, host: HostNo) -> Option<IncidentNo> {
        let open = |no: &IncidentNo| self.incidents.get(no).is_some_and(|incident| incident.is_open());
        let problems = || self.problems.values().map(|problem| &problem.row);
        let own = problems().filter(|row| row.host == Some(host)).filter_map(|row| row.incident).find(open);
        let burns = |row: &&ProblemRow| row.hosts.contains(&host) && !burn::is_guest(row);
        let burning = || problems().filter(burns).filter_map(|row| row.incident).find(open);
        own.or_else(|| self.cuts.incident_of(host)).or_else(burning)
    }

    /// The problem with this key is now so, or gone.
    fn weigh(&mut self, key: String, problem: Option<Problem>, now: Timestamp, step: &mut DeskStep) {
        match (self.problems.get_mut(&key), problem) {
            (None, None) => {}
            (None, Some(problem)) => {
                step.effects.push(Effect::Record(Row::Problem(problem.row.clone())));
                self.problems.insert(key.clone(), problem);
                self.fold_now(&key, now, step);
            }
            (Some(known), Some(problem)) => {
                let worse = problem.row.severity > known.row.severity;
                if known.become_like(problem) {
                    let open = |no: &IncidentNo| self.incidents.get(no).is_some_and(Incident::is_open);
                    if worse && !known.row.incident.as_ref().is_some_and(open) && known.row.incident.is_some() {
                        // Closed by hand, and now it is worse: that is news.
                        known.row.incident = None;
                        known.row.fold_until = now;
                    }
                    step.effects.push(Effect::Record(Row::Problem(known.row.clone())));
                    let row = known.row.clone();
                    self.changed(&row, now, step);
                    self.fold_now(&key, now, step);
                }
            }
            (Some(_), None) => {
                let Some(gone) = self.problems.remove(&key) else { return };
                step.effects.push(Effect::Record(Row::ProblemCleared(key)));
                if let Some(no) = gone.row.incident {
                    if let Some(host) = gone.row.host {
                        self.leave_children(host, no, &gone.row.key, now, step);
                    }
                    self.cleared(no, &gone.row, now, step);
                }
            }
        }
    }

    /// Where nothing has to be waited for the incident opens with the problem, and its page with it.
    fn fold_now(&mut self, key: &str, now: Timestamp, step: &mut DeskStep) {
        let ready = self.problems.get(key).is_some_and(|problem| {
            problem.row.incident.is_none() && problem.row.fold_until <= now && problem.row.severity > Severity::Info
        });
        if ready {
            self.open_or_join(key, now, step);
        }
    }

    fn cleared(&mut self, no: IncidentNo, gone: &ProblemRow, now: Timestamp, step: &mut DeskStep) {
        let left = self.has_problems(no);
        let Some(incident) = self.incidents.get_mut(&no).filter(|incident| incident.is_open()) else { return };
        step.effects.push(incident.note(now, "cleared", gone.summary.clone(), None));
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        let (is_own, is_part) = (incident.row.key == gone.key, incident.row.part_of.is_some());
        if !self.flaps_and_waits(no, is_own, left, now, step) && !left && !is_part {
            self.resolve(no, now, step);
        }
    }

    fn resolve(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no).filter(|incident| incident.is_open()) else { return };
        incident.row.state = IncidentState::Resolved;
        incident.call_nobody();
        incident.row.resolved = Some(now);
        let flapped = incident.end_changes(now);
        self.past.learn(&incident.row);
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        if incident.row.closed.is_none() {
            step.effects.push(incident.note(now, "resolved", format!("all its problems are over{flapped}"), None));
        }
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        self.page_told(no, super::record::PageKind::Resolved, now, step);
        let parts: Vec<IncidentNo> =
            self.incidents.values().filter(|part| part.row.part_of == Some(no)).map(|part| part.row.no).collect();
        for part in parts {
            self.resolve(part, now, step);
        }
    }
}

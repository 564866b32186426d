//! Calling people: policies are followed until somebody has the incident; who cannot be reached is passed over.

use std::collections::BTreeSet;

use super::{Desk, DeskStep, incident::Incident};
use crate::domain::{
    event::Effect,
    hold::{Subject, what_of},
    ids::{IncidentNo, PageId},
    oncall::{
        Destination,
        plan::Plan,
        policy::{Step, Target},
        route::About,
    },
    record::{Call, Delivery, Escalation, IncidentRow, IncidentState, Page, PageKind, Row},
    time::Timestamp,
};

/// A page to a person that nobody has taken after this long counts as lost, in milliseconds: the next way is tried, and
/// this one goes on being tried. As long as a receiver's trouble lasts before it is a problem of its own.
const UNDELIVERED_MS: i64 = 60_000;
/// A page that was taken, and of which its receiver was to say whether it arrived, counts as lost this long after that, in
/// milliseconds: text messages arrive within seconds, and a call that is not taken ends within a minute.
const RECEIPT_MS: i64 = 120_000;

impl Incident {
    /// When the next step, contact or lost page is due.
    #[must_use]
    pub fn call_due(&self) -> Option<Timestamp> {
        if self.row.state != IncidentState::Open || self.row.part_of.is_some() || self.is_well() {
            return None;
        }
        let steps = self.row.escalations.iter().map(|escalation| escalation.due);
        let calls = self.row.calls.iter().map(|call| call.due);
        let waiting = self.undelivered().map(|(_, due, _)| due);
        let held = self.held.map(|held| held.until);
        let due = steps.chain(calls).chain(waiting).min()?;
        Some(held.map_or(due, |held| due.max(held)))
    }

    /// Pages to people of which nobody knows that they arrived and nothing was done about: until when that is waited for,
    /// and what is missing.
    fn undelivered(&self) -> impl Iterator<Item = (PageId, Timestamp, &'static str)> {
        let waits = |page: &&Page| page.person.is_some() && !page.proof.missed && !self.passed_over.contains(&page.id);
        self.pages.values().filter(waits).filter_map(|page| match (page.delivery, page.proof.accepted) {
            (Delivery::Queued, _) => {
                Some((page.id, page.decided.plus_ms(UNDELIVERED_MS), "nobody has taken it for a minute"))
            }
            (Delivery::Accepted, Some(at)) if page.proof.awaited => {
                Some((page.id, at.plus_ms(RECEIPT_MS), "it has not arrived within two minutes"))
            }
            _ => None,
        })
    }

    /// Nobody has to be called any more.
    pub fn call_nobody(&mut self) {
        self.row.escalations.clear();
        self.row.calls.clear();
        self.row.followed.clear();
    }

    /// Everybody who was told.
    #[must_use]
    pub fn told(&self) -> BTreeSet<Destination> {
        self.pages.values().map(Page::destination).collect()
    }
}

impl Desk {
    /// An incident as routes know it.
    pub(in crate::domain) fn about(&self, no: IncidentNo) -> Option<About<'_>> {
        let row = &self.incidents.get(&no)?.row;
        let priority = self.priority(no)?;
        Some(About { hosts: self.subjects_of(row), what: what_of(&row.key), severity: row.severity, priority })
    }

    /// Hosts that an incident is about, or whose job it is.
    pub(super) fn subjects_of<'a>(&'a self, row: &'a IncidentRow) -> Vec<Subject<'a>> {
        let hosts = self.hosts_of(row.no).into_iter().filter_map(|host| Some(self.fleet.get(host)?.subject()));
        hosts.chain(self.own_subject(row)).collect()
    }

    /// Follows what the routes say: receivers at once, policies from their first step.
    pub(super) fn follow(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(plan) = self.about(no).map(|about| self.roster.plan(&about, now)) else { return };
        let Plan { destinations, policies, .. } = plan;
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        let told = incident.told();
        // Whoever is told at once is told who comes next.
        let news: Vec<String> = policies.into_iter().filter(|name| !incident.row.followed.contains(name)).collect();
        for name in news {
            let Some(policy) = self.roster.policies.get(&name) else { continue };
            let due = now.plus_ms(policy.steps.first().map_or(0, |first| first.after_ms));
            incident.row.followed.push(name.clone());
            incident.row.escalations.push(Escalation { policy: name, step: 0, round: 0, due });
        }
        for destination in destinations.into_iter().filter(|one| !told.contains(one)) {
            self.page(no, destination, PageKind::Opened, now, step);
        }
        let Some(incident) = self.incidents.get(&no) else { return };
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        self.call_due(no, now, step);
    }

    /// Takes the steps and contacts that are due, and passes over who was not reached.
    pub(super) fn call_due(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        // Each round takes one thing; a policy whose steps all come at once ends all the same.
        for _ in 0..1_000 {
            let due = self.incidents.get(&no).and_then(Incident::call_due).is_some_and(|due| due <= now);
            if !due || self.hold_back(no, now, step) {
                return;
            }
            self.pass_over_lost(no, now, step);
            self.take_contacts(no, now, step);
            self.take_steps(no, now, step);
            if let Some(incident) = self.incidents.get(&no) {
                step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
                step.touched.insert(no);
                step.effects.push(Effect::Publish);
            }
        }
    }

    fn pass_over_lost(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get(&no) else { return };
        let lost: Vec<(PageId, Timestamp, &str)> = incident.undelivered().filter(|(_, due, _)| *due <= now).collect();
        for (page, _, why) in lost {
            self.not_reached(no, page, why, now, step);
        }
    }

    fn take_contacts(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        let (due, later): (Vec<Call>, Vec<Call>) =
            std::mem::take(&mut incident.row.calls).into_iter().partition(|call| call.due <= now);
        incident.row.calls = later;
        for call in due {
            let person = Some(call.person);
            self.call(no, Destination { receiver: call.receiver, to: call.to, person }, now, step);
        }
    }

    fn take_steps(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        let (due, later): (Vec<Escalation>, Vec<Escalation>) =
            std::mem::take(&mut incident.row.escalations).into_iter().partition(|one| one.due <= now);
        incident.row.escalations = later;
        for escalation in due {
            let policy = self.roster.policies.get(&escalation.policy);
            let taken = policy.and_then(|policy| policy.steps.get(escalation.step)).cloned();
            let next = policy.and_then(|policy| policy.after(escalation.step, escalation.round));
            let name = &escalation.policy;
            // A policy that the configuration has no more calls nobody; what it called stays called.
            let Some(taken) = taken else { continue };
            let next = next.map(|(next, round, wait_ms)| Escalation {
                policy: name.clone(),
                step: next,
                round,
                due: now.plus_ms(wait_ms),
            });
            let Some(incident) = self.incidents.get_mut(&no) else { return };
            // Known before anybody is told, who is told of it.
            incident.row.escalations.extend(next.clone());
            let reached = self.take_step(no, name, escalation.step, &taken, now, step);
            let Some(incident) = self.incidents.get_mut(&no) else { return };
            match next {
                // Nobody there: the next step is not waited for.
                Some(next) if !reached && next.round == escalation.round => {
                    let same = incident.row.escalations.iter_mut().filter(|one| **one == next);
                    same.for_each(|one| one.due = now);
                }
                Some(_) => {}
                None => {
                    let text = format!("policy {name} has come to its end and nobody has it");
                    step.effects.push(incident.note(now, "escalated", text, None));
                }
            }
        }
    }

    /// Whether there was anybody to call.
    fn take_step(
        &mut self,
        no: IncidentNo,
        policy: &str,
        n: usize,
        taken: &Step,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> bool {
        let mut called = Vec::new();
        for target in &taken.targets {
            let person = self.roster.person_of(target, now, &self.exceptions);
            let words = match (target, person) {
                (Target::Receiver(name), _) => {
                    self.call(no, Destination::receiver(name), now, step);
                    name.clone()
                }
                (Target::Rotation(rotation), None) => format!("nobody (no one is on call in {rotation})"),
                (_, None) => "nobody".to_owned(),
                (_, Some(name)) if self.is_missing_test_of(no, &name) => format!("nobody ({name} may not be reached)"),
                (target, Some(name)) => {
                    self.call_person(no, &name, now, step);
                    if matches!(target, Target::Rotation(_)) { format!("{name} ({})", target.words()) } else { name }
                }
            };
            called.push(words);
        }
        let Some(incident) = self.incidents.get_mut(&no) else { return false };
        let text = format!("policy {policy}, step {}: {}", n + 1, called.join(", "));
        step.effects.push(incident.note(now, "escalated", text, None));
        called.iter().any(|words| !words.starts_with("nobody"))
    }

    fn call_person(&mut self, no: IncidentNo, name: &str, now: Timestamp, step: &mut DeskStep) {
        let Some(severity) = self.incidents.get(&no).map(|incident| incident.row.severity) else { return };
        let Some(person) = self.roster.people.get(name) else { return };
        let (first, later): (Vec<_>, Vec<_>) =
            person.contacts(severity).iter().cloned().partition(|contact| contact.after_ms == 0);
        if let Some(incident) = self.incidents.get_mut(&no) {
            incident.row.calls.retain(|call| call.person != name);
            incident.row.calls.extend(later.into_iter().map(|contact| Call {
                person: name.to_owned(),
                receiver: contact.receiver,
                to: contact.to,
                due: now.plus_ms(contact.after_ms),
            }));
        }
        for contact in first {
            let person = Some(name.to_owned());
            self.call(no, Destination { receiver: contact.receiver, to: contact.to, person }, now, step);
        }
    }

    /// Tells somebody; who was told before hears that it goes on.
    fn call(&mut self, no: IncidentNo, destination: Destination, now: Timestamp, step: &mut DeskStep) {
        let told = self.incidents.get(&no).is_some_and(|incident| incident.told().contains(&destination));
        self.page(no, destination, if told { PageKind::Updated } else { PageKind::Opened }, now, step);
    }

    /// A page did not reach its person: their next way is tried now, and where there is none the next step is taken.
    pub(super) fn not_reached(&mut self, no: IncidentNo, page: PageId, why: &str, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        let Some(page) = incident.pages.get(&page) else { return };
        let (Some(person), receiver, id) = (page.person.clone(), page.receiver.clone(), page.id) else { return };
        if incident.row.state != IncidentState::Open || !incident.passed_over.insert(id) {
            return;
        }
        if let Some(page) = incident.pages.get_mut(&id) {
            page.proof.missed = true;
            step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
        }
        let next = incident.row.calls.iter_mut().filter(|call| call.person == person).min_by_key(|call| call.due);
        let then = match next {
            Some(call) => {
                call.due = now;
                format!("{} is tried", call.receiver)
            }
            None => {
                let next = incident.row.escalations.iter_mut().min_by_key(|one| one.due);
                next.map_or_else(
                    || "there is nobody after them".to_owned(),
                    |one| {
                        one.due = now;
                        format!("the next step of policy {} is taken", one.policy)
                    },
                )
            }
        };
        let text = format!("{person} was not reached through {receiver} ({why}): {then}");
        step.effects.push(incident.note(now, "escalated", text, None));
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        step.touched.insert(no);
    }
}

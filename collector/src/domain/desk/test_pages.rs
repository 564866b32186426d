//! Test pages to people: sent when they are due, missed when nobody says that one came.

use std::collections::BTreeMap;

use super::{Desk, DeskStep, problem};
use crate::domain::{
    event::{Answer, Effect, Principal},
    ids::{IncidentNo, PageId},
    oncall::{
        Contact,
        test_page::{CONFIRMED_WITHIN_MS, TestPageRow, ways},
    },
    proof::Proof,
    record::{Delivery, IncidentState, Page, PageFacts, PageKind, Row},
    severity::Severity,
    time::Timestamp,
};

/// All of them, by person.
pub(super) type TestPages = BTreeMap<String, TestPageRow>;

fn what(person: &str) -> String {
    format!("test_page/{person}")
}

impl Desk {
    /// Tests people as the roster says from now on. What is missed of somebody who is tested no more is over.
    pub fn test_people(&mut self, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let names: Vec<String> = self.test_pages.keys().cloned().collect();
        self.test_pages.retain(|name, _| self.roster.people.contains_key(name));
        for (name, person) in &self.roster.people {
            let known = self.test_pages.get(name).cloned();
            if known.is_none() && person.test_page.is_none() {
                continue;
            }
            let row = known.clone().unwrap_or_else(|| TestPageRow::new(name)).reread(person, now);
            if known.as_ref() != Some(&row) {
                step.effects.push(Effect::Record(Row::TestPage(Box::new(row.clone()))));
            }
            self.test_pages.insert(name.clone(), row);
        }
        for name in names {
            if self.test_pages.get(&name).is_none_or(|row| row.is_confirmed) {
                self.weigh(problem::self_key(&what(&name)), None, now, &mut step);
            }
        }
        step.holds = true;
        step
    }

    /// When one is to be sent or was to be confirmed.
    pub(super) fn test_pages_due(&self) -> Option<Timestamp> {
        let is_open = |name: &str| self.problems.contains_key(&problem::self_key(&what(name)));
        let waits = self.test_pages.values().filter(|row| !is_open(&row.person)).filter_map(TestPageRow::waits_until);
        self.test_pages.values().filter_map(|row| row.due).chain(waits).min()
    }

    /// Sends those that are due; says which were not confirmed in time.
    pub(super) fn test_pages_fall_due(&mut self, now: Timestamp, step: &mut DeskStep) {
        let names: Vec<String> = self.test_pages.keys().cloned().collect();
        for name in names {
            let (Some(row), Some(person)) = (self.test_pages.get_mut(&name), self.roster.people.get(&name)) else {
                continue;
            };
            if row.due.is_some_and(|due| due <= now) {
                let is_sent = row.fall_due(person, now);
                if is_sent {
                    self.send_test(&name, now, step);
                } else {
                    step.effects.push(Effect::Record(Row::TestPage(Box::new(row.clone()))));
                    step.holds = true;
                }
            }
            self.miss_test(&name, now, step);
        }
    }

    fn miss_test(&mut self, name: &str, now: Timestamp, step: &mut DeskStep) {
        let key = problem::self_key(&what(name));
        let Some(row) = self.test_pages.get(name) else { return };
        let is_missed = row.waits_until().is_some_and(|until| until <= now);
        if !is_missed || self.problems.contains_key(&key) {
            return;
        }
        let sent = row.sent.map(|at| at.to_string()).unwrap_or_default();
        let last = row.confirmed.map_or_else(|| "none was ever".to_owned(), |at| format!("the last was on {at}"));
        let text =
            format!("test page to {name} is not confirmed: sent {sent}, {last}; a real one may not arrive either");
        self.weigh(key, Some(problem::of_self(&what(name), Severity::Warning, text, now)), now, step);
    }

    /// Whether this incident says that pages do not reach this person.
    pub(super) fn is_missing_test_of(&self, no: IncidentNo, name: &str) -> bool {
        self.incidents.get(&no).is_some_and(|incident| incident.row.key == problem::self_key(&what(name)))
    }

    /// Sends somebody a test page by all of their ways.
    pub(super) fn test_person(&mut self, name: &str, now: Timestamp, step: &mut DeskStep) -> Answer {
        if !self.roster.people.contains_key(name) {
            return Answer::NotFound(format!("person {name:?} in collector.toml"));
        }
        self.send_test(name, now, step);
        Answer::Done
    }

    fn send_test(&mut self, name: &str, now: Timestamp, step: &mut DeskStep) {
        let contacts: Vec<Contact> =
            self.roster.people.get(name).map(|person| ways(person).into_iter().cloned().collect()).unwrap_or_default();
        let mut pages = Vec::new();
        for contact in contacts {
            let page = self.person_test(name, contact, now);
            pages.push((page.id, page.receiver.clone()));
            self.tests.insert(page.id, page.clone());
            step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
            step.effects.push(Effect::Notify(Box::new(page)));
        }
        let row = self.test_pages.entry(name.to_owned()).or_insert_with(|| TestPageRow::new(name));
        row.send(pages, now);
        step.effects.push(Effect::Record(Row::TestPage(Box::new(row.clone()))));
        step.effects.push(Effect::Publish);
        step.holds = true;
    }

    fn person_test(&mut self, name: &str, contact: Contact, now: Timestamp) -> Page {
        self.last_page += 1;
        let id = PageId(self.last_page);
        let until = now.plus_ms(CONFIRMED_WITHIN_MS);
        Page {
            id,
            message_id: format!("test-{id}-{}-{}", now.ms(), contact.receiver),
            facts: PageFacts { paged: vec![name.to_owned()], ..PageFacts::default() },
            receiver: contact.receiver,
            to: contact.to,
            person: Some(name.to_owned()),
            incident: None,
            n: 1,
            kind: PageKind::Test,
            key: format!("test/{name}/page"),
            state: IncidentState::Open,
            severity: Severity::Info,
            title: format!("Test page to {name}: nothing is wrong"),
            host: String::new(),
            component: "test".into(),
            since: now,
            decided: now,
            details: format!(
                "Open the link and say that this arrived, until {until}. Otherwise others are told that pages may not reach you."
            ),
            path: "/on-call".into(),
            act: None,
            delivery: Delivery::Queued,
            proof: Proof::default(),
        }
    }

    /// Somebody says that a test page came.
    pub(super) fn confirm_test(&mut self, by: &Principal, page: PageId, now: Timestamp, step: &mut DeskStep) -> Answer {
        let name = &by.name;
        let Some(row) = self.test_pages.get_mut(name) else {
            return Answer::NotFound(format!("test page to {name:?}"));
        };
        if !row.confirm(page, now) {
            return Answer::Refused("this page belongs to an older test: confirm the last one".into());
        }
        step.effects.push(Effect::Record(Row::TestPage(Box::new(row.clone()))));
        step.effects.push(Effect::Publish);
        step.holds = true;
        self.weigh(problem::self_key(&what(name)), None, now, step);
        Answer::Done
    }

    /// All of them.
    pub fn test_pages(&self) -> impl Iterator<Item = &TestPageRow> {
        self.test_pages.values()
    }
}

//! Pages: who is told what of an incident. Whoever was told of the outage is told of its end.

use std::collections::BTreeSet;

use super::{Desk, DeskStep, facts::in_full};
use crate::domain::{
    changed,
    event::{Answer, Effect},
    ids::{IncidentNo, PageId},
    oncall::Destination,
    page::{NAMES_TOLD, PageFacts},
    proof::Proof,
    record::{Delivery, IncidentRow, IncidentState, Page, PageKind, Row},
    severity::Severity,
    time::Timestamp,
};

impl Desk {
    /// Tells everybody who is to know now: who was told before hears that it goes on.
    pub(super) fn page_now(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let told = |page: &Page| page.kind == PageKind::Opened && page.decided < now;
        let again = self.incidents.get(&no).is_some_and(|incident| incident.pages.values().any(told));
        self.page_open(no, now, step);
        if again {
            self.page_told(no, PageKind::Updated, now, step);
        }
    }

    /// It became worse: who was told hears of it, and who is told of worse things only. What is held back comes later.
    pub(super) fn page_worse(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        if self.hold_back(no, now, step) {
            if let Some(incident) = self.incidents.get_mut(&no) {
                (incident.row.paged, incident.row.page_at) = (false, now);
                step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
            }
            return;
        }
        self.page_open(no, now, step);
        self.page_told(no, PageKind::Updated, now, step);
    }

    /// Tells every receiver that wants this severity and has not been told yet.
    pub(super) fn page_open(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        if !incident.row.paged {
            incident.row.paged = true;
            step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
            step.touched.insert(no);
            step.effects.push(Effect::Publish);
        }
        self.follow(no, now, step);
    }

    /// Tells everybody who was told of this incident.
    pub(super) fn page_told(&mut self, no: IncidentNo, kind: PageKind, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get(&no) else { return };
        // Who is told so this very moment, by a route or a policy, need not hear it twice.
        let says_it = |page: &&Page| {
            kind == PageKind::Updated
                && page.decided == now
                && page.severity == incident.row.severity
                && matches!(page.kind, PageKind::Opened | PageKind::Updated)
        };
        let knows: BTreeSet<Destination> = incident.pages.values().filter(says_it).map(Page::destination).collect();
        for destination in incident.told().difference(&knows).cloned().collect::<Vec<_>>() {
            self.page(no, destination, kind, now, step);
        }
    }

    pub(super) fn page(
        &mut self,
        no: IncidentNo,
        destination: Destination,
        kind: PageKind,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        let facts = self.facts(no, kind, &destination);
        let Destination { receiver, to, person } = destination;
        let details = self.details(no);
        let names = self.host_names(no);
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        self.last_page += 1;
        let id = PageId(self.last_page);
        let n =
            1 + incident.pages.values().filter(|page| page.receiver == receiver).map(|page| page.n).max().unwrap_or(0);
        let row = &incident.row;
        let page = Page {
            id,
            message_id: format!("{}-{n}-{receiver}", row.id),
            receiver,
            to,
            person,
            incident: Some(no),
            n,
            kind,
            key: row.key.clone(),
            state: row.state,
            severity: row.severity,
            title: titled(row),
            host: if names.len() == 1 { names.first().cloned().unwrap_or_default() } else { String::new() },
            component: row.component.clone(),
            since: row.since,
            decided: now,
            details,
            path: format!("/incidents/{no}"),
            act: None,
            delivery: Delivery::Queued,
            proof: Proof::default(),
            facts,
        };
        incident.pages.insert(id, page.clone());
        step.touched.insert(no);
        step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
        step.effects.push(Effect::Notify(Box::new(page)));
    }

    /// A page that is no incident.
    pub(super) fn test_page(&mut self, receiver: &str, now: Timestamp, step: &mut DeskStep) -> Answer {
        if !self.roster.messengers.iter().any(|known| known.receiver == receiver) {
            let known: Vec<&str> = self.roster.messengers.iter().map(|known| known.receiver.as_str()).collect();
            return Answer::NotFound(format!("receiver {receiver:?}; configured are: {}", known.join(", ")));
        }
        self.last_page += 1;
        let id = PageId(self.last_page);
        let page = Page {
            id,
            message_id: format!("test-{id}-{}-{receiver}", now.ms()),
            receiver: receiver.to_owned(),
            to: None,
            person: None,
            incident: None,
            n: 1,
            kind: PageKind::Test,
            key: "test/collector/page".into(),
            state: IncidentState::Open,
            severity: Severity::Info,
            title: "Test page from Muster: nothing is wrong".into(),
            host: String::new(),
            component: "test".into(),
            since: now,
            decided: now,
            details: "Somebody asked whether pages arrive here. They do.".into(),
            path: "/settings".into(),
            act: None,
            delivery: Delivery::Queued,
            proof: Proof::default(),
            facts: PageFacts { paged: vec![receiver.to_owned()], ..PageFacts::default() },
        };
        self.tests.insert(id, page.clone());
        step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
        step.effects.push(Effect::Notify(Box::new(page)));
        Answer::Done
    }

    fn details(&self, no: IncidentNo) -> String {
        let problems = self.problems.values().filter(|problem| problem.row.incident == Some(no));
        let mut lines: Vec<String> = problems.map(|problem| in_full(&problem.row)).collect();
        let names = self.host_names(no);
        if names.len() > 1 {
            let more = names.len().saturating_sub(NAMES_TOLD);
            let listed: Vec<&str> = names.iter().take(NAMES_TOLD).map(String::as_str).collect();
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("hosts: {}{tail}", listed.join(", ")));
        }
        let row = self.incidents.get(&no).map(|incident| &incident.row);
        lines.extend(
            row.filter(|row| row.state != IncidentState::Resolved)
                .and_then(|row| changed::line(&row.changes, row.since)),
        );
        lines.extend(self.incidents.get(&no).and_then(|incident| quiet_words(&incident.row)));
        if lines.is_empty() {
            let last = self.incidents.get(&no).and_then(|incident| incident.events.last());
            lines.extend(last.map(|event| event.text.clone()));
        }
        lines.join("\n")
    }

    /// The one site at which all hosts of an incident stand, if they do; a host's own word does not count.
    pub(super) fn site_of(&self, no: IncidentNo) -> String {
        let hosts = self.hosts_of(no).into_iter().filter_map(|host| self.fleet.get(host));
        let sites: BTreeSet<&str> = hosts.map(|member| member.site.as_deref().unwrap_or_default()).collect();
        if sites.len() == 1 { sites.first().copied().unwrap_or_default().to_owned() } else { String::new() }
    }

    /// Display names of the hosts of an incident.
    #[must_use]
    pub fn host_names(&self, no: IncidentNo) -> Vec<String> {
        self.hosts_of(no)
            .into_iter()
            .filter_map(|host| self.fleet.get(host))
            .map(|member| member.name.clone())
            .collect()
    }
}

/// Its title, and whether it flaps.
fn titled(row: &IncidentRow) -> String {
    let flapping = row.swings.flapping.map(|flapping| format!(" ({})", flapping.words()));
    format!("{}{}", row.title, flapping.unwrap_or_default())
}

/// Why nobody will hear of the next changes, and for how long.
fn quiet_words(row: &IncidentRow) -> Option<String> {
    let flapping = row.swings.flapping.filter(|flapping| flapping.stable_minutes.is_none())?;
    let minutes = row.swings.stable_minutes();
    Some(format!(
        "it flaps since {}: nobody is told of each change until it is stable for {minutes} min",
        flapping.since
    ))
}

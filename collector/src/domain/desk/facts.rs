//! What a page tells of an incident besides what happened: what it takes with it, what shows it best, how the last one
//! like it ended, where the instructions stand, and who is called next.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{Desk, fleet::Member};
use crate::domain::{
    alert,
    ids::{HostNo, IncidentNo},
    oncall::{Destination, runbook},
    page::{EVIDENCE_TOLD, NAMES_TOLD, Next, PageFacts},
    record::{IncidentRow, Page, PageKind, ProblemRow},
};

/// The label that says which service a host is a part of.
const SERVICE: &str = "service";

impl Desk {
    /// What a page of this kind to this destination says besides, as things stand now.
    pub(super) fn facts(&self, no: IncidentNo, kind: PageKind, to: &Destination) -> PageFacts {
        let Some(incident) = self.incidents.get(&no) else { return PageFacts::default() };
        let row = &incident.row;
        // What is part of another tells of that.
        let cause = row.part_of.and_then(|no| self.incidents.get(&no)).map_or(row, |cause| &cause.row);
        let hosts = self.hosts_of(cause.no);
        let named = |page: &Page| page.person.clone().unwrap_or_else(|| page.receiver.clone());
        let mut paged: BTreeSet<String> = incident.pages.values().map(named).collect();
        paged.insert(to.person.clone().unwrap_or_else(|| to.receiver.clone()));
        let mut names = self.host_names(no);
        let count = names.len();
        names.truncate(if count > 1 { NAMES_TOLD } else { 0 });
        let goes_on = matches!(kind, PageKind::Opened | PageKind::Updated);
        let mut evidence = if kind == PageKind::Resolved { Vec::new() } else { self.evidence(cause, &hosts) };
        let evidence_left = evidence.len().saturating_sub(EVIDENCE_TOLD);
        evidence.truncate(EVIDENCE_TOLD);
        PageFacts {
            site: self.site_of(no),
            hosts: count,
            names,
            redundancy: self.redundancy_left(no).join("; "),
            priority: self.priority(no),
            acknowledged_by: row.acknowledged_by.clone(),
            paged: paged.into_iter().collect(),
            impact: self.impact(&hosts),
            evidence,
            evidence_left,
            last: self.past.similar(&cause.key).cloned(),
            runbook: self.runbook_of(cause),
            next: if goes_on { self.next_after(row, to.person.as_deref()) } else { None },
        }
    }

    /// What goes with these hosts, the weightiest first.
    fn impact(&self, hosts: &BTreeSet<HostNo>) -> Vec<String> {
        let members = hosts.iter().filter_map(|host| self.fleet.get(*host));
        let services: BTreeSet<&str> = members.filter_map(|member| label(member, SERVICE)).collect();
        let behind: BTreeSet<HostNo> = hosts.iter().flat_map(|host| self.fleet.family.behind(*host)).collect();
        let mut impact = Vec::new();
        match services.len() {
            0 => {}
            1 => impact.push(format!("service {}", services.into_iter().collect::<String>())),
            _ => impact.push(format!("services {}", services.into_iter().collect::<Vec<_>>().join(", "))),
        }
        match behind.difference(hosts).count() {
            0 => {}
            1 => impact.push("1 host behind it".into()),
            more => impact.push(format!("{more} hosts behind it")),
        }
        impact
    }

    /// What shows it, the strongest first: the worst of its own problems, before others what it began with, then what
    /// began first; at last what else is wrong with its only host and may be why.
    fn evidence(&self, row: &IncidentRow, hosts: &BTreeSet<HostNo>) -> Vec<String> {
        let rank = |problem: &&ProblemRow| (Reverse(problem.severity), problem.key != row.key, problem.since);
        let problems = || self.problems.values().map(|problem| &problem.row);
        let mut own: Vec<&ProblemRow> = problems().filter(|problem| problem.incident == Some(row.no)).collect();
        own.sort_by_key(rank);
        let only = hosts.first().copied().filter(|_| hosts.len() == 1);
        let elsewhere = |problem: &&ProblemRow| problem.incident != Some(row.no);
        let mut also: Vec<&ProblemRow> =
            problems().filter(|problem| only.is_some() && problem.host == only).filter(elsewhere).collect();
        also.sort_by_key(rank);
        let own = own.into_iter().filter_map(|problem| shown(problem, &row.title));
        own.chain(also.into_iter().map(|problem| format!("also: {}", in_full(problem)))).collect()
    }

    /// Where the instructions stand: what the alert itself names, then the configuration, then the host's label.
    fn runbook_of(&self, row: &IncidentRow) -> Option<String> {
        let links = row.alert.iter().flat_map(|alert| &alert.links);
        let own = links.filter(|(name, _)| name == "runbook").map(|(_, url)| url.clone()).next();
        let configured = || self.about(row.no).and_then(|about| self.roster.runbook(&about).map(str::to_owned));
        let of_host = || alert::link(label(self.fleet.get(row.host?)?, runbook::LABEL)?);
        own.or_else(configured).or_else(of_host)
    }

    /// Who comes next if nobody takes it; of several rather somebody else than who is told now.
    fn next_after(&self, row: &IncidentRow, person: Option<&str>) -> Option<Next> {
        let calls = row.calls.iter().map(|call| Next { who: call.person.clone(), at: call.due });
        let steps = row.escalations.iter().filter_map(|step| self.roster.next_step(step, &self.exceptions));
        calls.chain(steps).min_by_key(|next| (person == Some(&next.who), next.at))
    }
}

fn label<'a>(member: &'a Member, name: &str) -> Option<&'a str> {
    member.subject().labels.get(name).filter(|value| !value.is_empty())
}

/// A problem and what shows it; what is said once is not said twice.
pub(super) fn in_full(row: &ProblemRow) -> String {
    if row.summary.contains(&row.evidence) { row.summary.clone() } else { format!("{}: {}", row.summary, row.evidence) }
}

/// The same below a title, which may say all of it.
fn shown(row: &ProblemRow, title: &str) -> Option<String> {
    if row.summary != title {
        return Some(in_full(row));
    }
    (!title.contains(&row.evidence)).then(|| row.evidence.clone())
}

//! Incidents: one cause's problems, their timeline, and who was told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desk, DeskStep, batches, burn, holds::HeldBy, problem};
use crate::domain::{
    event::{Answer, Effect, Principal},
    ids::{IncidentNo, PageId},
    labels::Profile,
    record::{Delivery, IncidentEventRow, IncidentRow, IncidentState, Page, PageKind, ProblemRow, Row},
    time::Timestamp,
    watch::Watch,
};

/// Lines of a timeline that are kept; a flapping incident does not grow without bound.
const EVENTS_KEPT: usize = 500;

/// One incident.
#[derive(Debug, Clone)]
pub struct Incident {
    /// As stored.
    pub row: IncidentRow,
    /// Its timeline.
    pub events: Vec<IncidentEventRow>,
    /// Its pages.
    pub pages: BTreeMap<PageId, Page>,
    /// What holds its pages back, as of when that was last looked at.
    pub held: Option<HeldBy>,
    /// Pages to people that were not taken, and whose next way was tried because of that.
    pub passed_over: BTreeSet<PageId>,
    attempts: BTreeMap<PageId, i64>,
    last_event: i64,
}

impl Incident {
    /// As loaded.
    #[must_use]
    pub fn loaded(row: IncidentRow, events: Vec<IncidentEventRow>) -> Self {
        let last_event = events.last().map_or(0, |event| event.n);
        Self {
            row,
            events,
            pages: BTreeMap::new(),
            held: None,
            passed_over: BTreeSet::new(),
            attempts: BTreeMap::new(),
            last_event,
        }
    }

    /// Whether it is not over.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.row.state != IncidentState::Resolved
    }

    /// Whether pages are to go out now.
    #[must_use]
    pub fn to_be_paged(&self, now: Timestamp) -> bool {
        self.page_due().is_some_and(|at| at <= now)
    }

    /// When pages are to go out, if they have not. An acknowledged incident has somebody: nobody is called.
    #[must_use]
    pub fn page_due(&self) -> Option<Timestamp> {
        let held = self.held.map_or(self.row.page_at, |held| held.until);
        (self.waits_for_page() && !self.is_well()).then_some(self.row.page_at.max(held))
    }

    /// Whether its pages are still to go out, now or later.
    #[must_use]
    pub fn waits_for_page(&self) -> bool {
        self.row.state == IncidentState::Open && !self.row.paged && self.row.part_of.is_none()
    }

    /// When whoever has it has it no more.
    #[must_use]
    pub fn runs_out(&self) -> Option<Timestamp> {
        self.row.acknowledged_until.filter(|_| self.row.state == IncidentState::Acknowledged)
    }

    /// Whether a page is still to be sent.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        self.pages.values().any(|page| page.delivery == Delivery::Queued)
    }

    /// Numbers the attempts of a page: ascending, also over restarts (which forget how many there were).
    pub fn next_attempt(&mut self, page: PageId, now: Timestamp) -> i64 {
        let n = self.attempts.entry(page).or_insert(0);
        *n = now.ms().max(*n + 1);
        *n
    }

    /// Adds a line to the timeline.
    pub fn note(&mut self, at: Timestamp, kind: &str, text: String, by: Option<String>) -> Effect {
        self.last_event += 1;
        let event = IncidentEventRow { incident: self.row.no, n: self.last_event, at, kind: kind.into(), text, by };
        if self.events.len() >= EVENTS_KEPT {
            self.events.remove(1);
        }
        self.events.push(event.clone());
        Effect::Record(Row::IncidentEvent(event))
    }
}

impl Desk {
    /// A problem joins the open incident of its cause, or opens one.
    pub(super) fn open_or_join(&mut self, key: &str, now: Timestamp, step: &mut DeskStep) {
        let Some(problem) = self.problems.get(key).map(|problem| problem.row.clone()) else { return };
        let joins = self.cause_of(&problem).or_else(|| self.incident_of_groups(&problem, now, step));
        let joins = joins.or_else(|| self.flaps_on(&problem, now, step));
        let no = match joins {
            Some(no) => {
                if let Some(incident) = self.incidents.get_mut(&no) {
                    step.effects.push(incident.note(now, "problem", problem.summary.clone(), None));
                }
                no
            }
            None => self.reopen_flapping(&problem, now, step).unwrap_or_else(|| self.open(&problem, now, step)),
        };
        let of = joins.and_then(|no| self.incidents.get(&no)).map(|incident| incident.row.key.clone());
        if let Some(problem) = self.problems.get_mut(key) {
            problem.row.incident = Some(no);
            problem.row.part_of = of.filter(|of| of != key);
            step.effects.push(Effect::Record(Row::Problem(problem.row.clone())));
        }
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        if let Some(host) = problem.host.filter(|_| problem.kind == "liveness") {
            self.take_children(host, no, now, step);
            self.take_host_alerts(&problem, no, now, step);
        }
        self.take_behind(key, no, now, step);
        if joins.is_some() {
            self.changed(&problem, now, step);
        } else if !self.hold_back(no, now, step)
            && now >= self.hold_until
            && self.incidents.get(&no).is_some_and(|incident| incident.to_be_paged(now))
        {
            self.page_now(no, now, step);
        }
    }

    /// A finding on a host that is down belongs to that, and such a host to a device before it that is down too; what shares
    /// its cause with another belongs to that one's. Everything else is its own cause.
    fn cause_of(&self, problem: &ProblemRow) -> Option<IncidentNo> {
        match problem.kind.as_str() {
            "redundancy" => return self.cause_of_group(problem),
            burn::KIND => return self.cause_of_burn(problem),
            _ => {}
        }
        let host = problem.host?;
        let open = |no: &IncidentNo| self.incidents.get(no).is_some_and(Incident::is_open);
        let mut same_host = self.problems.values().filter(|other| other.row.host == Some(host));
        let of_host = same_host.find(|other| other.row.kind == "liveness").and_then(|other| other.row.incident);
        let shares = |other: &&problem::Problem| other.row.cause == problem.cause && other.row.key != problem.key;
        let same_cause = || {
            let others = self.problems.values().filter(|other| problem.cause.is_some() && other.row.host == Some(host));
            others.filter(shares).filter_map(|other| other.row.incident).find(open)
        };
        of_host.filter(open).or_else(same_cause).or_else(|| self.incident_of_parents(problem)).or_else(|| {
            // A host that is cut off has no problem of its own.
            self.cuts.incident_of(host).filter(|no| problem.kind == "alert" && open(no))
        })
    }

    fn open(&mut self, problem: &ProblemRow, now: Timestamp, step: &mut DeskStep) -> IncidentNo {
        self.last_incident += 1;
        let no = IncidentNo(self.last_incident);
        let page_after_ms = self.page_after_ms(problem);
        let (severity, spared) = self.weight(problem);
        let component = match problem.kind.as_str() {
            "finding" => problem.key.rsplit_once('/').map_or("", |_| component_of(&problem.key)).to_owned(),
            "check" => problem.key.rsplit_once('/').map_or("", |(_, check)| check).to_owned(),
            "self" => "collector".into(),
            "heartbeat" | "redundancy" => problem.key.split('/').nth(1).unwrap_or_default().to_owned(),
            burn::KIND => burn::agreement_of(&problem.key).unwrap_or_default().to_owned(),
            batches::KIND => batches::model_of(&problem.key).unwrap_or_default().to_owned(),
            "alert" => problem.alert.as_ref().map_or_else(String::new, |alert| alert.name.clone()),
            _ => "host".into(),
        };
        let changes = problem.host.map(|host| self.what_changed(host, problem.since, now)).unwrap_or_default();
        let row = IncidentRow {
            no,
            id: incident_uuid(no, now),
            key: problem.key.clone(),
            state: IncidentState::Open,
            severity,
            title: problem.summary.clone(),
            host: problem.host,
            component,
            since: problem.since,
            opened: now,
            resolved: None,
            closed: None,
            acknowledged_by: None,
            acknowledged_until: None,
            page_at: now.plus_ms(page_after_ms),
            paged: false,
            part_of: None,
            followed: Vec::new(),
            escalations: Vec::new(),
            calls: Vec::new(),
            alert: problem.alert.clone(),
            changes,
            swings: self.swings_of(&problem.key, now),
            priority: None,
        };
        let mut incident = Incident::loaded(row.clone(), Vec::new());
        step.effects.push(Effect::Record(Row::Incident(Box::new(row))));
        step.effects.push(incident.note(now, "opened", format!("{} ({})", problem.summary, problem.evidence), None));
        if let Some(left) = spared {
            let text = format!("nobody is woken, a warning is all: redundancy group {left}");
            step.effects.push(incident.note(now, "held", text, None));
        }
        self.incidents.insert(no, incident);
        no
    }

    /// How long the page of a problem that is its own cause waits.
    pub(super) fn page_after_ms(&self, problem: &ProblemRow) -> i64 {
        match problem.host {
            Some(host) => self.fleet.get(host).map_or(Watch::Normal, |member| member.watch).timers().page_after_ms,
            None if problem.kind == "redundancy" => self.page_group_after_ms(&problem.key),
            None => self.cuts.page_after_ms(&problem.key, &self.fleet).unwrap_or(0),
        }
    }

    /// A problem of an incident changed: title, severity; who was told hears of it when it got worse.
    pub(super) fn changed(&mut self, problem: &ProblemRow, now: Timestamp, step: &mut DeskStep) {
        let (severity, _) = self.weight(problem);
        let no = problem.incident.or_else(|| self.problems.get(&problem.key).and_then(|known| known.row.incident));
        let Some(incident) = no.and_then(|no| self.incidents.get_mut(&no)).filter(|incident| incident.is_open()) else {
            return;
        };
        let worse = severity > incident.row.severity;
        if incident.row.key == problem.key {
            incident.row.title.clone_from(&problem.summary);
        }
        incident.row.severity = incident.row.severity.max(severity);
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        step.touched.insert(incident.row.no);
        step.effects.push(Effect::Publish);
        if worse {
            let text = format!("{} ({})", problem.summary, severity.word());
            step.effects.push(incident.note(now, "problem", text, None));
            let no = incident.row.no;
            // Whoever has it may have looked at the lesser trouble only.
            if incident.row.paged || incident.row.state == IncidentState::Acknowledged {
                self.page_worse(no, now, step);
            }
        }
    }

    /// Somebody has it.
    pub(super) fn acknowledge(
        &mut self,
        no: IncidentNo,
        by: &Principal,
        note: &str,
        for_ms: Option<i64>,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let Some(incident) = self.incidents.get_mut(&no) else {
            return Answer::NotFound(format!("incident #{no}"));
        };
        let until = for_ms.map(|ms| now.plus_ms(ms));
        let same = incident.row.acknowledged_by.as_deref() == Some(&*by.name);
        match incident.row.state {
            IncidentState::Resolved => return Answer::Refused(format!("incident #{no} is already resolved")),
            IncidentState::Acknowledged if same && incident.row.acknowledged_until == until => return Answer::Done,
            IncidentState::Acknowledged | IncidentState::Open => {}
        }
        incident.row.state = IncidentState::Acknowledged;
        incident.row.acknowledged_by = Some(by.name.clone());
        incident.row.acknowledged_until = until;
        incident.call_nobody();
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let text = format!("{} has it{}{until}{note}", by.name, by.through());
        step.effects.push(incident.note(now, "acknowledged", text, Some(by.name.clone())));
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        self.page_told(no, PageKind::Acknowledged, now, step);
        Answer::Done
    }

    /// Nobody has what was acknowledged for a time that is over: everybody is told again.
    pub(super) fn run_out(&mut self, now: Timestamp, step: &mut DeskStep) {
        let over = |incident: &&mut Incident| incident.runs_out().is_some_and(|until| until <= now);
        for incident in self.incidents.values_mut().filter(over) {
            let who = incident.row.acknowledged_by.take().unwrap_or_default();
            incident.row.state = IncidentState::Open;
            incident.row.acknowledged_until = None;
            (incident.row.paged, incident.row.page_at) = (false, now);
            step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
            step.effects.push(incident.note(
                now,
                "reopened",
                format!("{who} had it until now, and it is not over"),
                None,
            ));
            step.touched.insert(incident.row.no);
        }
    }

    /// What was taken for an outage was none: whoever reads the incident is told what that does to service levels.
    pub(super) fn ran_unseen(
        &mut self,
        profile: &Profile,
        out_ms: i64,
        ran_ms: i64,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        let problem = self.problems.get(&problem::liveness_key(profile));
        let Some(incident) = problem.and_then(|problem| self.incidents.get_mut(&problem.row.incident?)) else { return };
        let seconds = |ms: i64| ms.div_euclid(1_000);
        let text = format!(
            "its own log proves that it ran, unseen from here, for {} s of the {} s that counted as an outage: service \
             levels have these as unreachable now and {} s as down",
            seconds(ran_ms),
            seconds(out_ms),
            seconds(out_ms - ran_ms)
        );
        step.effects.push(incident.note(now, "corrected", text, None));
        step.touched.insert(incident.row.no);
    }

    /// Closed by hand.
    pub(super) fn resolve_by_hand(
        &mut self,
        no: IncidentNo,
        by: &Principal,
        note: &str,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let Some(incident) = self.incidents.get_mut(&no) else {
            return Answer::NotFound(format!("incident #{no}"));
        };
        if !incident.is_open() {
            return Answer::Done;
        }
        let text = format!("closed by {}: {}", by.name, if note.is_empty() { "no reason given" } else { note });
        incident.row.closed = Some(text.clone());
        step.effects.push(incident.note(now, "resolved", text, Some(by.name.clone())));
        self.resolve(no, now, step);
        Answer::Done
    }
}

/// `finding/<host>/<rule>:<part>` -> `<part>`; the part itself may hold slashes and colons.
fn component_of(key: &str) -> &str {
    key.splitn(3, '/').nth(2).and_then(|rest| rest.split_once(':')).map_or("", |(_, part)| part)
}

/// A UUID v7 of the incident: its opening time and its number, so that the same events give the same id.
fn incident_uuid(no: IncidentNo, opened: Timestamp) -> String {
    let mut bytes = [0_u8; 10];
    bytes[2..].copy_from_slice(&no.0.to_be_bytes());
    let ms = u64::try_from(opened.ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid().as_hyphenated().to_string()
}

//! Maintenance windows and silences at the moment of paging: what is held back, until when, and what happens at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desk, DeskStep, fleet::Fleet, incident::Incident};
use crate::domain::{
    event::{Answer, Effect, Principal},
    hold::{Hold, NAMES_KEPT, Outcome, Subject, what_of},
    ids::{HoldNo, HostNo, IncidentNo},
    record::{IncidentState, Row},
    time::Timestamp,
};

/// Ended ones stay on the desk for this long after they turned last, for views: 40 days, a month and its report.
const KEEP_ENDED_MS: i64 = 40 * 86_400_000;

/// All maintenance windows and silences that may still matter.
#[derive(Debug, Default)]
pub struct Holds {
    known: BTreeMap<HoldNo, Hold>,
    last: i64,
    /// When one begins or ends next.
    turns: Option<Timestamp>,
    /// Those that lasted when looked at last.
    lasting: BTreeSet<HoldNo>,
}

/// What holds an incident's pages back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBy {
    /// Which window or silence.
    pub hold: HoldNo,
    /// Until when.
    pub until: Timestamp,
}

impl Holds {
    /// As loaded.
    pub fn loaded(holds: &[Hold], last: i64) -> Self {
        let known = holds.iter().map(|hold| (hold.no, hold.clone())).collect();
        Self { known, last, ..Self::default() }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.known.values()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, no: HoldNo) -> Option<&Hold> {
        self.known.get(&no)
    }

    /// When one begins or ends next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.turns
    }

    fn look_ahead(&mut self, now: Timestamp) {
        self.turns = self.known.values().filter_map(|hold| hold.turns_after(now)).min();
        self.lasting = self.known.values().filter(|hold| hold.at(now).is_some()).map(|hold| hold.no).collect();
    }

    /// The one that holds an incident back the longest.
    fn covering(
        &self,
        incident: &Incident,
        members: &BTreeSet<HostNo>,
        fleet: &Fleet,
        job: Option<&Subject<'_>>,
        now: Timestamp,
    ) -> Option<HeldBy> {
        let fits = |hold: &&Hold| covers(hold, incident, members, fleet, job);
        let lasting = self.known.values().filter_map(|hold| Some((hold, hold.at(now)?.until)));
        let covering = lasting.filter(|(hold, _)| fits(hold)).max_by_key(|(_, until)| *until);
        covering.map(|(hold, until)| HeldBy { hold: hold.no, until })
    }
}

/// An incident is covered with the host that it is about, or with all of its hosts when it is about several; what others say
/// also by what they say of it.
fn covers(
    hold: &Hold,
    incident: &Incident,
    members: &BTreeSet<HostNo>,
    fleet: &Fleet,
    job: Option<&Subject<'_>>,
) -> bool {
    let fits = |no: &HostNo| fleet.get(*no).is_some_and(|member| hold.scope.fits_host(&member.subject()));
    let hosts = match &incident.row.host {
        Some(host) => fits(host) || job.is_some_and(|job| hold.scope.fits_host(job)),
        None if members.is_empty() => hold.scope.fits_no_host() || job.is_some_and(|job| hold.scope.fits_host(job)),
        None => members.iter().all(fits),
    };
    hosts && hold.scope.fits_what(&what_of(&incident.row.key))
}

impl Desk {
    /// What holds an incident's pages back now; trouble in the time of a flexible window begins it.
    pub(super) fn held(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) -> Option<HeldBy> {
        let members = self.hosts_of(no);
        let incident = self.incidents.get(&no)?;
        let job = self.own_subject(&incident.row);
        let waiting: Vec<HoldNo> = self
            .holds
            .iter()
            .filter(|hold| {
                hold.when.waits_for_trouble(now) && covers(hold, incident, &members, &self.fleet, job.as_ref())
            })
            .map(|hold| hold.no)
            .collect();
        for hold in waiting {
            if let Some(hold) = self.holds.known.get_mut(&hold) {
                hold.when.begin(now);
                hold.version += 1;
                step.effects.push(Effect::Record(Row::Hold(Box::new(hold.clone()))));
                step.effects.push(Effect::Publish);
            }
            self.holds.look_ahead(now);
        }
        let incident = self.incidents.get(&no)?;
        let job = self.own_subject(&incident.row);
        self.holds.covering(incident, &members, &self.fleet, job.as_ref(), now)
    }

    /// Pages go out now, unless something holds them back.
    pub(super) fn page_unless_held(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        if !self.hold_back(no, now, step) {
            self.page_now(no, now, step);
        }
    }

    /// Whether something holds an incident's pages back now; its timeline says what.
    pub(super) fn hold_back(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) -> bool {
        let held = self.held(no, now, step);
        let name = held.and_then(|held| self.holds.get(held.hold)).map(Hold::name).unwrap_or_default();
        let Some(incident) = self.incidents.get_mut(&no) else { return false };
        let before = std::mem::replace(&mut incident.held, held);
        if before == held {
            return held.is_some();
        }
        let said = match (before, held) {
            (_, Some(held)) => format!("nobody is paged: {name} until {}", held.until),
            (_, None) => "what held pages back has ended, the trouble has not".to_owned(),
        };
        step.effects.push(incident.note(now, "held", said, None));
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        held.is_some()
    }

    /// What holds pages back as things stand after a start; nothing is said of what was so before.
    pub(in crate::domain) fn weigh_holds(&mut self, now: Timestamp) {
        self.holds.look_ahead(now);
        for no in self.incidents.keys().copied().collect::<Vec<_>>() {
            let members = self.hosts_of(no);
            let Some(incident) = self.incidents.get(&no) else { continue };
            let job = self.own_subject(&incident.row);
            let held = self.holds.covering(incident, &members, &self.fleet, job.as_ref(), now);
            if let Some(incident) = self.incidents.get_mut(&no) {
                incident.held = held.filter(|_| incident.waits_for_page());
            }
        }
    }

    /// A window or silence as asked for; its number and author are filled in.
    pub(super) fn add_hold(&mut self, by: &Principal, asked: &Hold, now: Timestamp, step: &mut DeskStep) -> Answer {
        self.holds.last += 1;
        let no = HoldNo(self.holds.last);
        let hold = Hold { no, version: 1, by: by.name.clone(), made: now, ended: None, outcome: None, ..asked.clone() };
        step.effects.push(Effect::Record(Row::Hold(Box::new(hold.clone()))));
        self.holds.known.insert(no, hold);
        self.holds_changed(now, step);
        Answer::Made(no.0)
    }

    /// One ends before its time.
    pub(super) fn end_hold(&mut self, by: &Principal, no: HoldNo, now: Timestamp, step: &mut DeskStep) -> Answer {
        let Some(hold) = self.holds.known.get_mut(&no) else {
            return Answer::NotFound(format!("maintenance window or silence {no}"));
        };
        if hold.is_over(now) {
            return Answer::Refused(format!("{} is over already", hold.name()));
        }
        hold.version += 1;
        hold.ended = Some((now, by.name.clone()));
        step.effects.push(Effect::Record(Row::Hold(Box::new(hold.clone()))));
        self.holds_changed(now, step);
        Answer::Done
    }

    /// Some may begin or end now: what is held back is looked at again, and what an end leaves behind is written down.
    pub(super) fn holds_changed(&mut self, now: Timestamp, step: &mut DeskStep) {
        let before = std::mem::take(&mut self.holds.lasting);
        self.holds.look_ahead(now);
        let ended: Vec<HoldNo> = before.difference(&self.holds.lasting).copied().collect();
        for no in ended {
            self.hold_ended(no, now, step);
        }
        let open: Vec<IncidentNo> = self
            .incidents
            .values()
            // Those of which people are being called wait as well.
            .filter(|incident| incident.waits_for_page() || (incident.is_open() && incident.held.is_some()))
            .map(|incident| incident.row.no)
            .collect();
        for no in open {
            self.hold_back(no, now, step);
        }
        let keeps = |hold: &Hold| {
            let last = hold.ended.as_ref().map(|(at, _)| *at).max(hold.outcome.as_ref().map(|outcome| outcome.at));
            !hold.is_over(now) || now.since_ms(last.unwrap_or(hold.made)) < KEEP_ENDED_MS
        };
        self.holds.known.retain(|_, hold| keeps(hold));
        step.holds = true;
        step.effects.push(Effect::Publish);
    }

    fn hold_ended(&mut self, no: HoldNo, now: Timestamp, step: &mut DeskStep) {
        let held = self.incidents.values().filter(|incident| {
            incident.row.state != IncidentState::Resolved && incident.held.is_some_and(|held| held.hold == no)
        });
        let names: BTreeSet<String> = held.flat_map(|incident| self.host_names(incident.row.no)).collect();
        let Some(hold) = self.holds.known.get_mut(&no) else { return };
        hold.version += 1;
        hold.outcome = Some(Outcome { at: now, not_back: names.into_iter().take(NAMES_KEPT).collect() });
        step.effects.push(Effect::Record(Row::Hold(Box::new(hold.clone()))));
    }
}

//! Hand-overs: who comes on call is told so with what is open, who leaves is told that too, each of them once.
//!
//! What was told is stored, so that a start tells nothing again, and tells what came while no collector ran. A notice goes
//! by a way that wakes nobody, and at night only to somebody who is on call.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Desk, DeskStep};
use crate::domain::{
    calendar::{self, Edge, NIGHT, Span, date_at},
    event::Effect,
    ids::PageId,
    oncall::rotation::Rotation,
    proof::Proof,
    record::{Delivery, IncidentState, Page, PageFacts, PageKind, Row},
    severity::Severity,
    time::Timestamp,
};

/// Incidents named in a notice; more are counted.
const LISTED: usize = 10;
/// How far back a hand-over is looked for that came while no collector ran, in milliseconds: 40 days.
const LOOKED_BACK_MS: i64 = 40 * 86_400_000;

/// What was told of a rotation last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffRow {
    /// Which rotation.
    pub rotation: String,
    /// Who had it when looked at last.
    pub person: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Who had it before and is still to be told that they have it no more, and since when.
    pub leaving: Vec<(String, Timestamp)>,
}

/// A word to a person that needs no hurry.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// To whom.
    pub person: String,
    /// Stable over retries and restarts.
    pub message_id: String,
    /// One line.
    pub title: String,
    /// More of them.
    pub lines: Vec<String>,
    /// Since when it is so.
    pub since: Timestamp,
}

/// All rotations, and when to look at them next.
#[derive(Debug, Default)]
pub struct Handoffs {
    known: BTreeMap<String, HandoffRow>,
    due: Option<Timestamp>,
}

impl Handoffs {
    /// As loaded: all of them are looked at at once.
    pub fn loaded(rows: &[HandoffRow], any: bool) -> Self {
        let known = rows.iter().map(|row| (row.rotation.clone(), row.clone())).collect();
        Self { known, due: any.then(Timestamp::default) }
    }

    /// When one hands over next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Who has them may be others now.
    pub fn look_anew(&mut self) {
        self.due = self.due.map(|_| Timestamp::default());
    }
}

/// The end of the night that an instant lies in.
fn morning(at: Timestamp, zone: &TimeZone) -> Timestamp {
    let end = calendar::hour(NIGHT.1);
    let today = date_at(at, zone);
    let this = calendar::at(today, end, zone, Edge::Start);
    if this > at { this } else { calendar::at(today.tomorrow().unwrap_or(today), end, zone, Edge::Start) }
}

/// `Mon 2026-12-07 09:00 (Europe/Berlin)`
pub(super) fn clock(at: Timestamp, zone: &str) -> String {
    let known = calendar::zone(zone).unwrap_or(TimeZone::UTC);
    format!("{} ({zone})", calendar::instant(at).to_zoned(known).strftime("%a %Y-%m-%d %H:%M"))
}

impl Desk {
    /// Looks at the rotations that may have handed over.
    pub(super) fn hand_over(&mut self, now: Timestamp, step: &mut DeskStep) {
        if self.handoffs.due.is_none_or(|due| due > now) {
            return;
        }
        let names: Vec<String> = self.roster.rotations.keys().cloned().collect();
        let due = names.iter().filter_map(|name| self.look_at_rotation(name, now, step)).min();
        self.handoffs.due = due;
    }

    /// Tells what is to be told of a rotation, and says when to look at it again.
    fn look_at_rotation(&mut self, name: &str, now: Timestamp, step: &mut DeskStep) -> Option<Timestamp> {
        let rotation = self.roster.rotations.get(name)?.clone();
        let person = rotation.at(now, &self.exceptions).0;
        let next = rotation.changes_after(now, &self.exceptions);
        let Some(mut row) = self.handoffs.known.get(name).cloned() else {
            // Seen for the first time: nobody handed anything over.
            let row = HandoffRow { rotation: name.into(), person, since: now, leaving: Vec::new() };
            self.keep_handoff(row, step);
            return next;
        };
        let before = row.clone();
        if row.person != person {
            let since = self.began(&rotation, row.since, now);
            let left = std::mem::replace(&mut row.person, person.clone());
            row.since = since;
            row.leaving.retain(|(who, _)| person.as_ref() != Some(who));
            row.leaving.extend(left.clone().map(|who| (who, since)));
            if rotation.handoff_notice {
                self.tell_coming(&rotation, left.as_deref(), since, now, step);
            } else {
                row.leaving.clear();
            }
        }
        let (told, waiting): (Vec<_>, Vec<_>) =
            row.leaving.into_iter().partition(|(who, _)| self.may_be_told(who, &rotation, now));
        row.leaving = waiting;
        for (who, since) in told {
            self.tell_leaving(&rotation, &who, since, now, step);
        }
        let waits = row.leaving.iter().map(|(who, _)| morning(now, &self.zone_of(who, &rotation)));
        let due = waits.chain(next).min();
        if row != before {
            self.keep_handoff(row, step);
        }
        due
    }

    fn keep_handoff(&mut self, row: HandoffRow, step: &mut DeskStep) {
        step.effects.push(Effect::Record(Row::Handoff(Box::new(row.clone()))));
        self.handoffs.known.insert(row.rotation.clone(), row);
    }

    /// When whoever has it now took it.
    fn began(&self, rotation: &Rotation, since: Timestamp, now: Timestamp) -> Timestamp {
        let from = since.max(now.plus_ms(-LOOKED_BACK_MS)).min(now);
        let shifts = rotation.shifts(Span { from, until: now.plus_ms(1) }, &self.exceptions);
        shifts.last().map_or(now, |shift| shift.span.from)
    }

    fn zone_of(&self, person: &str, rotation: &Rotation) -> TimeZone {
        let own = self.roster.people.get(person).and_then(|person| person.zone.as_deref());
        calendar::zone(own.unwrap_or(&rotation.zone)).unwrap_or(TimeZone::UTC)
    }

    /// By day everybody may be told; at night whoever is on call anyway.
    fn may_be_told(&self, person: &str, rotation: &Rotation, now: Timestamp) -> bool {
        let on_call = |one: &Rotation| one.at(now, &self.exceptions).0.as_deref() == Some(person);
        !calendar::is_night(now, &self.zone_of(person, rotation)) || self.roster.rotations.values().any(on_call)
    }

    fn tell_coming(
        &mut self,
        rotation: &Rotation,
        left: Option<&str>,
        since: Timestamp,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        let (person, override_no) = rotation.at(now, &self.exceptions);
        let Some(person) = person else { return };
        let until = rotation.until(now, &self.exceptions);
        let until = until.map_or("further notice".to_owned(), |until| clock(until, &rotation.zone));
        let mut lines = vec![match (left, override_no) {
            (Some(left), Some(_)) => format!("You stand in; {left} had it before you."),
            (Some(left), None) => format!("{left} had it before you."),
            (None, _) => "Nobody had it before you.".to_owned(),
        }];
        lines.extend(self.open_lines());
        let title = format!("You are on call for {} until {until}", rotation.name);
        let id = format!("handoff-{}-{}-on-{person}", rotation.name, since.ms());
        self.notify(Notice { person, message_id: id, title, lines, since }, now, step);
    }

    fn tell_leaving(
        &mut self,
        rotation: &Rotation,
        person: &str,
        since: Timestamp,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        let now_has = rotation.at(now, &self.exceptions).0;
        let whose = match (&now_has, rotation.until(now, &self.exceptions)) {
            (None, _) => "nobody has it".to_owned(),
            (Some(who), None) => format!("{who} has it"),
            (Some(who), Some(until)) => format!("{who} has it until {}", clock(until, &rotation.zone)),
        };
        let mut lines = vec![format!("You had it until {}.", clock(since, &rotation.zone))];
        lines.extend(self.open_lines());
        let title = format!("You are no longer on call for {}: {whose}", rotation.name);
        let id = format!("handoff-{}-{}-off-{person}", rotation.name, since.ms());
        self.notify(Notice { person: person.to_owned(), message_id: id, title, lines, since }, now, step);
    }

    /// What is open, the worst first, in lines.
    fn open_lines(&self) -> Vec<String> {
        let mut open: Vec<_> = self
            .incidents
            .values()
            .map(|incident| &incident.row)
            .filter(|row| row.state != IncidentState::Resolved && row.part_of.is_none())
            .collect();
        open.sort_by_key(|row| (std::cmp::Reverse(row.severity), row.no));
        let mut lines = vec![match open.len() {
            0 => "No incident is open.".to_owned(),
            1 => "One incident is open:".to_owned(),
            many => format!("{many} incidents are open:"),
        }];
        lines.extend(open.iter().take(LISTED).map(|row| {
            let who = row.acknowledged_by.as_ref().map_or_else(String::new, |who| format!(", {who} has it"));
            format!("#{} {}: {}, since {}{who}", row.no, row.severity.word(), row.title, row.since)
        }));
        lines.extend((open.len() > LISTED).then(|| format!("and {} more", open.len() - LISTED)));
        lines
    }

    /// A word to a person that needs no hurry, by the way of theirs that wakes nobody; without such a way there is none.
    pub(super) fn notify(&mut self, notice: Notice, now: Timestamp, step: &mut DeskStep) {
        let Notice { person, message_id, title, lines, since } = notice;
        let way = self.roster.people.get(&person).and_then(|person| person.notices.clone());
        let Some(way) = way else { return };
        self.last_page += 1;
        let id = PageId(self.last_page);
        let page = Page {
            id,
            key: format!("notice/{person}/{message_id}"),
            message_id,
            receiver: way.receiver,
            to: way.to,
            person: Some(person.clone()),
            incident: None,
            n: 1,
            kind: PageKind::Notice,
            state: IncidentState::Open,
            severity: Severity::Info,
            title,
            host: String::new(),
            component: "on call".into(),
            since,
            decided: now,
            details: lines.join("\n"),
            path: "/on-call".into(),
            act: None,
            delivery: Delivery::Queued,
            proof: Proof::default(),
            facts: PageFacts { paged: vec![person], ..PageFacts::default() },
        };
        self.tests.insert(id, page.clone());
        step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
        step.effects.push(Effect::Notify(Box::new(page)));
    }
}

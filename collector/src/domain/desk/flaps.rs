//! What flaps stays one incident: paged once, told once more that it flaps, and then not until it is stable.
//!
//! How it ended is told to everybody who was told of it. Nothing of what was observed changes: the time in which it was down
//! is down, and each change stands in the timeline. While it is well nobody is called; while it is not, policies go on until
//! somebody has it.

use super::{Desk, DeskStep, incident::Incident};
use crate::domain::{
    event::Effect,
    flapping::Changes,
    ids::IncidentNo,
    record::{IncidentState, PageKind, ProblemRow, Row},
    time::Timestamp,
};

impl Incident {
    /// Whether it is open only because it flaps.
    pub(super) fn is_well(&self) -> bool {
        self.row.swings.flapping.is_some_and(|flapping| flapping.well.is_some())
    }

    /// When it is stable again, if it flaps.
    #[must_use]
    pub fn stable_at(&self) -> Option<Timestamp> {
        self.row.swings.stable_at().filter(|_| self.is_open() && self.row.part_of.is_none())
    }

    /// It is over: the last change, and how it flapped, in words.
    pub(super) fn end_changes(&mut self, now: Timestamp) -> String {
        if !self.is_well() {
            self.row.swings.push(now);
        }
        let flapped = self.row.swings.flapping.take();
        flapped.map_or_else(String::new, |flapping| format!("; {}", flapping.words()))
    }
}

impl Desk {
    /// When what a problem is about came and went before, as the last incident about it knows.
    pub(super) fn swings_of(&self, key: &str, now: Timestamp) -> Changes {
        let mut changes = self.last_about(key).map(|incident| incident.row.swings.clone()).unwrap_or_default();
        changes.flapping = None;
        changes.push(now);
        changes
    }

    fn last_about(&self, key: &str) -> Option<&Incident> {
        self.incidents.values().rev().find(|incident| incident.row.key == key)
    }

    /// The open incident of what flaps, when the trouble is back: no news.
    pub(super) fn flaps_on(&mut self, problem: &ProblemRow, now: Timestamp, step: &mut DeskStep) -> Option<IncidentNo> {
        let no = self.last_about(&problem.key)?.row.no;
        // One that became part of another ends with that.
        let goes_on = |incident: &&mut Incident| incident.is_open() && incident.row.part_of.is_none();
        let incident = self.incidents.get_mut(&no).filter(goes_on)?;
        incident.row.swings.flapping.as_mut()?.well = None;
        incident.row.swings.push(now);
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        Some(no)
    }

    /// The incident of what was over a moment ago and flaps, which is open again.
    pub(super) fn reopen_flapping(
        &mut self,
        problem: &ProblemRow,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Option<IncidentNo> {
        let changes = self.swings_of(&problem.key, now);
        if self.roster.tells_each_change || !changes.begins(now) {
            return None;
        }
        let no = self.last_about(&problem.key).filter(|incident| !incident.is_open())?.row.no;
        let (page_at, (severity, _)) = (now.plus_ms(self.page_after_ms(problem)), self.weight(problem));
        let incident = self.incidents.get_mut(&no)?;
        let row = &mut incident.row;
        (row.state, row.resolved, row.part_of) = (IncidentState::Open, None, None);
        (row.acknowledged_by, row.acknowledged_until, row.priority) = (None, None, None);
        (row.paged, row.page_at, row.severity) = (false, page_at, severity);
        row.title.clone_from(&problem.summary);
        row.swings = changes;
        step.effects.push(incident.note(now, "problem", problem.summary.clone(), None));
        self.begins_to_flap(no, None, now, step);
        Some(no)
    }

    /// The trouble is over for now: whether its incident stays open because it flaps.
    pub(super) fn flaps_and_waits(
        &mut self,
        no: IncidentNo,
        is_own: bool,
        left: bool,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> bool {
        let each = self.roster.tells_each_change;
        let Some(incident) = self.incidents.get_mut(&no).filter(|incident| incident.row.part_of.is_none()) else {
            return false;
        };
        let changes = &mut incident.row.swings;
        if changes.flapping.is_none() {
            let mut counted = changes.clone();
            counted.push(now);
            if each || left || !is_own || !counted.begins(now) {
                return false;
            }
            *changes = counted;
            self.begins_to_flap(no, Some(now), now, step);
            self.page_told(no, PageKind::Updated, now, step);
            return true;
        }
        if is_own {
            changes.push(now);
        }
        if let Some(flapping) = changes.flapping.as_mut().filter(|_| !left) {
            flapping.well = Some(now);
        }
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        true
    }

    fn begins_to_flap(&mut self, no: IncidentNo, well: Option<Timestamp>, now: Timestamp, step: &mut DeskStep) {
        let Some(incident) = self.incidents.get_mut(&no) else { return };
        incident.row.swings.begin(well);
        let words = incident.row.swings.flapping.map(|flapping| flapping.words()).unwrap_or_default();
        let minutes = incident.row.swings.stable_minutes();
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        let text = format!("{words}; told once, then quiet until it is stable for {minutes} min");
        step.effects.push(incident.note(now, "flapping", text, None));
    }

    /// What has not changed for long enough flaps no more: those who were told hear how it ended.
    pub(super) fn settle_flapping(&mut self, now: Timestamp, step: &mut DeskStep) {
        if now < self.hold_until {
            return;
        }
        let stable = self.incidents.values().filter(|incident| incident.stable_at().is_some_and(|at| at <= now));
        let stable: Vec<IncidentNo> = stable.map(|incident| incident.row.no).collect();
        for no in stable {
            let left = self.has_problems(no);
            let Some(incident) = self.incidents.get_mut(&no) else { continue };
            let (well, minutes) = (incident.is_well() && !left, incident.row.swings.stable_minutes());
            let Some(flapping) = &mut incident.row.swings.flapping else { continue };
            flapping.stable_minutes = Some(minutes);
            if well {
                self.resolve(no, now, step);
                continue;
            }
            let text = format!("{}; the trouble is there", flapping.words());
            step.effects.push(incident.note(now, "flapping", text, None));
            step.touched.insert(no);
            step.effects.push(Effect::Publish);
            self.page_told(no, PageKind::Updated, now, step);
            if let Some(incident) = self.incidents.get_mut(&no) {
                incident.row.swings.flapping = None;
                step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
            }
        }
    }
}

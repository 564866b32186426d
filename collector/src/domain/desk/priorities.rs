//! Priorities of incidents on the desk: derived from what is touched, unless a person says otherwise.

use super::{Desk, DeskStep};
use crate::domain::{
    event::{Answer, Effect, Principal},
    ids::IncidentNo,
    priority::{Priority, derived},
    record::{IncidentRow, IncidentState, Row},
    time::Timestamp,
};

impl Desk {
    /// When somebody must act on an incident.
    #[must_use]
    pub fn priority(&self, no: IncidentNo) -> Option<Priority> {
        let row = &self.incidents.get(&no)?.row;
        Some(row.priority.unwrap_or_else(|| derived(row.severity, &self.subjects_of(row), is_whole(row))))
    }

    /// A person says so, or (without one) that it is derived again. Who is told only of more urgent things is told now.
    pub(super) fn prioritise(
        &mut self,
        no: IncidentNo,
        by: &Principal,
        (priority, note): (Option<Priority>, &str),
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let Some(before) = self.priority(no) else { return Answer::NotFound(format!("incident #{no}")) };
        let Some(incident) = self.incidents.get_mut(&no) else { return Answer::NotFound(format!("incident #{no}")) };
        if !incident.is_open() {
            return Answer::Refused(format!("incident #{no} is already resolved"));
        }
        if incident.row.priority == priority {
            return Answer::Done;
        }
        incident.row.priority = priority;
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        let is = self.priority(no).unwrap_or(before);
        let Some(incident) = self.incidents.get_mut(&no) else { return Answer::NotFound(format!("incident #{no}")) };
        let what = if priority.is_some() { "is" } else { "is by its rules" };
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let text = format!("it {what} {}, before {}{note}", is.word(), before.word());
        step.effects.push(incident.note(now, "priority", text, Some(by.name.clone())));
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        if is < before
            && incident.row.paged
            && incident.row.state == IncidentState::Open
            && !self.hold_back(no, now, step)
        {
            self.page_open(no, now, step);
        }
        Answer::Done
    }
}

/// Whether it is about a whole site, network or redundancy group.
fn is_whole(row: &IncidentRow) -> bool {
    row.key.starts_with("redundancy/") || (row.key.starts_with("liveness/") && row.key.ends_with("/cut"))
}

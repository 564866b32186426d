//! What becomes of pages: how each try went, and who answered.

use super::{Desk, DeskStep};
use crate::domain::{
    event::{Answer, Effect, Outcome, Principal},
    ids::{IncidentNo, PageId},
    record::{AttemptRow, Delivery, Row},
    time::Timestamp,
};

impl Desk {
    /// A page was tried, or what became of it later is known.
    pub fn delivered(&mut self, id: PageId, outcome: &Outcome, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let (word, detail) = match outcome {
            Outcome::Accepted { provider_id } => ("accepted", provider_id.clone().unwrap_or_default()),
            Outcome::Retrying { error, .. } => ("retrying", error.clone()),
            Outcome::Failed { error } => ("failed", error.clone()),
            Outcome::Awaited => ("awaited", String::new()),
            Outcome::Delivered { receipt } => ("delivered", receipt.clone()),
            Outcome::Lost { error } => ("lost", error.clone()),
        };
        // What becomes of it later is no try.
        let is_try = matches!(word, "accepted" | "retrying" | "failed");
        let attempt = |n| AttemptRow { page: id, n, at: now, outcome: word.into(), detail: detail.clone() };
        let Some(incident) = self.incidents.values_mut().find(|incident| incident.pages.contains_key(&id)) else {
            if let Some(page) = self.tests.get_mut(&id)
                && page.learn(outcome, now)
            {
                step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
            }
            self.tests.retain(|_, page| page.delivery == Delivery::Queued);
            step.effects.extend(is_try.then(|| Effect::Record(Row::Attempt(attempt(now.ms())))));
            return step;
        };
        let (no, n) = (incident.row.no, incident.next_attempt(id, now));
        step.effects.extend(is_try.then(|| Effect::Record(Row::Attempt(attempt(n)))));
        if let Some(page) = incident.pages.get_mut(&id)
            && page.learn(outcome, now)
        {
            step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
            let said = if detail.is_empty() || detail == word { String::new() } else { format!(": {detail}") };
            let text = format!("{word} by {}{said}", page.receiver);
            if !matches!(outcome, Outcome::Retrying { .. } | Outcome::Awaited) {
                step.effects.push(incident.note(now, "paged", text, None));
            }
        }
        if matches!(outcome, Outcome::Failed { .. } | Outcome::Lost { .. }) {
            self.not_reached(no, id, &detail, now, &mut step);
            self.call_due(no, now, &mut step);
        }
        step.touched.insert(no);
        step.effects.push(Effect::Publish);
        step
    }

    /// The button of a page was pressed; what was heard before changes nothing.
    pub(super) fn answer(
        &mut self,
        by: &Principal,
        no: IncidentNo,
        id: PageId,
        at: Timestamp,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let page = self.incidents.get(&no).and_then(|incident| incident.pages.get(&id));
        let Some(page) = page else { return Answer::NotFound(format!("page {id} of incident #{no}")) };
        if page.proof.answered.is_some_and(|before| at <= before) {
            return Answer::Refused(format!("page {id} was answered already"));
        }
        let answer = self.acknowledge(no, by, "", None, now, step);
        if answer == Answer::Done
            && let Some(page) = self.incidents.get_mut(&no).and_then(|incident| incident.pages.get_mut(&id))
        {
            page.proof.answered = Some(at);
            step.effects.push(Effect::Record(Row::Page(Box::new(page.clone()))));
        }
        answer
    }
}

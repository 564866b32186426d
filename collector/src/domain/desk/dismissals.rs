//! What people say was no problem: recorded with what is made of it, shown in the incident's timeline, taken back.

use std::collections::BTreeMap;

use super::{Desk, DeskStep};
use crate::domain::{
    dismissal::{Asked, AskedChoice, Choice, Dismissal},
    event::{Answer, Effect, Principal},
    ids::{DismissalNo, HoldNo, IncidentNo},
    record::Row,
    time::Timestamp,
};

/// All that was said.
#[derive(Debug, Default)]
pub struct Dismissals {
    known: BTreeMap<DismissalNo, Dismissal>,
    last: i64,
}

impl Dismissals {
    /// As loaded.
    pub fn loaded(dismissals: &[Dismissal]) -> Self {
        let known: BTreeMap<_, _> = dismissals.iter().map(|one| (one.no, one.clone())).collect();
        Self { last: known.keys().next_back().map_or(0, |no| no.0), known }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Dismissal> {
        self.known.values()
    }
}

impl Desk {
    /// It was no problem. What is chosen holds from now on; a false alarm is over with it.
    pub(super) fn dismiss(&mut self, by: &Principal, asked: &Asked, now: Timestamp, step: &mut DeskStep) -> Answer {
        let no = asked.incident;
        let Some(row) = self.incidents.get(&no).map(|incident| incident.row.clone()) else {
            return Answer::NotFound(format!("incident #{no}"));
        };
        let again = |known: &&Dismissal| {
            known.incident == no && known.holds() && known.choice.word() == asked.choice.made(HoldNo(0)).word()
        };
        if let Some(known) = self.dismissals.iter().find(again) {
            let (by, choice) = (&known.by, known.choice.words());
            return Answer::Refused(format!(
                "{by} has said so already ({choice}): take that back first, number {}",
                known.no
            ));
        }
        let made = match asked.choice.hold().map(|hold| self.add_hold(by, hold, now, step)) {
            Some(Answer::Made(made)) => HoldNo(made),
            Some(other) => return other,
            None => HoldNo(0),
        };
        self.dismissals.last += 1;
        let dismissal = Dismissal {
            no: DismissalNo(self.dismissals.last),
            version: 1,
            incident: no,
            key: row.key,
            host: row.host,
            from: row.since,
            until: row.resolved.unwrap_or(now),
            choice: asked.choice.made(made),
            reason: asked.reason.clone(),
            by: by.name.clone(),
            via: by.via.clone(),
            made: now,
            tally: asked.tally.clone(),
            withdrawn: None,
        };
        let text = format!("{}: {}", dismissal.choice.words(), dismissal.reason);
        self.said(&dismissal, now, "not a problem", text, by, step);
        let made = Answer::Made(dismissal.no.0);
        self.dismissals.known.insert(dismissal.no, dismissal);
        if matches!(asked.choice, AskedChoice::FalseAlarm) {
            if let Some(incident) = self.incidents.get_mut(&no).filter(|incident| incident.is_open()) {
                // So that the last page says who closed it, and not that the trouble is over.
                incident.row.closed = Some(format!("closed by {}, the monitor was wrong: {}", by.name, asked.reason));
            }
            self.resolve(no, now, step);
        }
        made
    }

    /// It was one, after all. Windows and silences that were made with it end; what a false alarm had closed and what is
    /// still there opens again.
    pub(super) fn take_back(
        &mut self,
        by: &Principal,
        incident: IncidentNo,
        no: DismissalNo,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let known = self.dismissals.known.get_mut(&no).filter(|known| known.incident == incident);
        let Some(known) = known else {
            return Answer::NotFound(format!("number {no} among what was said of incident #{incident}"));
        };
        if let Some((at, who)) = &known.withdrawn {
            return Answer::Refused(format!("{who} took that back at {at} already"));
        }
        known.version += 1;
        known.withdrawn = Some((now, by.name.clone()));
        let known = known.clone();
        let text = format!("taken back: {}", known.choice.words());
        self.said(&known, now, "taken back", text, by, step);
        match known.choice {
            // One that is over by itself needs no end.
            Choice::Expected { hold, .. } | Choice::Never { hold, .. } => drop(self.end_hold(by, hold, now, step)),
            Choice::FalseAlarm => self.open_again(incident, now, step),
            Choice::Threshold { .. } => {}
        }
        Answer::Done
    }

    fn said(
        &mut self,
        dismissal: &Dismissal,
        now: Timestamp,
        kind: &str,
        text: String,
        by: &Principal,
        step: &mut DeskStep,
    ) {
        step.effects.push(Effect::Record(Row::Dismissal(Box::new(dismissal.clone()))));
        if let Some(incident) = self.incidents.get_mut(&dismissal.incident) {
            step.effects.push(incident.note(now, kind, text, Some(by.name.clone())));
            step.touched.insert(dismissal.incident);
        }
        step.dismissals = true;
        step.effects.push(Effect::Publish);
    }

    /// What is still wrong of an incident that was closed opens another.
    fn open_again(&mut self, no: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        let keys = self.problems.iter().filter(|(_, problem)| problem.row.incident == Some(no));
        let keys: Vec<String> = keys.map(|(key, _)| key.clone()).collect();
        if self.incidents.get(&no).is_some_and(super::Incident::is_open) {
            return;
        }
        for key in keys {
            if let Some(problem) = self.problems.get_mut(&key) {
                problem.row.incident = None;
                problem.row.fold_until = now;
                step.effects.push(Effect::Record(Row::Problem(problem.row.clone())));
            }
            self.fold_now(&key, now, step);
        }
    }
}

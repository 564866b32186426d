//! Who stands in, who exchanges turns with whom, and who is away: what people change of a rotation from day to day.

use super::{Desk, DeskStep, handoffs::Notice};
use crate::domain::{
    calendar::Span,
    event::{Answer, Effect, Principal},
    ids::{AbsenceNo, OverrideNo},
    oncall::{
        absence::{Absence, Exceptions},
        ical::Entry,
        rotation::{Override, Rotation},
        swap::{Exchanged, Swap},
    },
    record::Row,
    time::Timestamp,
};

/// Times without anybody named in a refusal.
const NAMED: usize = 5;

impl Desk {
    /// What makes rotations other than they are planned.
    #[must_use]
    pub fn exceptions(&self) -> &Exceptions {
        &self.exceptions
    }

    /// Somebody else is on call for a time; number and author are filled in.
    pub(super) fn add_override(
        &mut self,
        by: &Principal,
        asked: &Override,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        if !self.roster.rotations.contains_key(&asked.rotation) {
            return Answer::NotFound(format!("rotation {:?}", asked.rotation));
        }
        if let Some(unknown) = std::iter::once(&asked.person).chain(&asked.instead_of).find_map(|one| self.unknown(one))
        {
            return unknown;
        }
        if let Some(away) = self.exceptions.absence_within(&asked.person, asked.span) {
            return Answer::Refused(format!(
                "{} is away from {} to {} (absence {}): name somebody else, or a time outside of it",
                asked.person, away.span.from, away.span.until, away.no
            ));
        }
        let no = self.put_override(by, asked, now, step);
        self.rotations_changed(step);
        Answer::Made(no.0)
    }

    /// Whoever has it by the rotation has it again.
    pub(super) fn end_override(
        &mut self,
        by: &Principal,
        no: OverrideNo,
        now: Timestamp,
        step: &mut DeskStep,
    ) -> Answer {
        let Some(known) = self.exceptions.overrides.iter_mut().find(|known| known.no == no) else {
            return Answer::NotFound(format!("override {no}"));
        };
        if known.withdrawn.is_some() {
            return Answer::Refused(format!("override {no} was withdrawn already"));
        }
        known.withdrawn = Some((now, by.name.clone()));
        step.effects.push(Effect::Record(Row::Override(Box::new(known.clone()))));
        self.rotations_changed(step);
        Answer::Done
    }

    /// Two people exchange turns: both overrides or none, and both are told.
    pub(super) fn swap(&mut self, by: &Principal, asked: &Swap, now: Timestamp, step: &mut DeskStep) -> Answer {
        let Some(rotation) = self.roster.rotations.get(&asked.rotation) else {
            return Answer::NotFound(format!("rotation {:?}", asked.rotation));
        };
        if let Some(unknown) = [&asked.one.0, &asked.other.0].into_iter().find_map(|one| self.unknown(one)) {
            return unknown;
        }
        let turns = match asked.turns(rotation, &self.exceptions, now) {
            Ok(turns) => turns,
            Err(why) => return Answer::Refused(why),
        };
        let [first, second] = asked.overrides(turns, now);
        let no = self.put_override(by, &first, now, step);
        self.put_override(by, &second, now, step);
        self.rotations_changed(step);
        self.tell_swapped(asked, turns, no, now, step);
        Answer::Made(no.0)
    }

    fn tell_swapped(&mut self, asked: &Swap, turns: Exchanged, no: OverrideNo, now: Timestamp, step: &mut DeskStep) {
        let Some(zone) = self.roster.rotations.get(&asked.rotation).map(|rotation| rotation.zone.clone()) else {
            return;
        };
        let sides = [
            (&asked.one.0, &asked.other.0, turns.one, turns.other),
            (&asked.other.0, &asked.one.0, turns.other, turns.one),
        ];
        for (person, with, given, taken) in sides {
            let words = |span: Span| {
                format!(
                    "from {} to {}",
                    super::handoffs::clock(span.from, &zone),
                    super::handoffs::clock(span.until, &zone)
                )
            };
            let notice = Notice {
                person: person.clone(),
                message_id: format!("swap-{no}-{person}"),
                title: format!("{with} and you exchange turns in {}", asked.rotation),
                lines: vec![format!("You have it {}.", words(taken)), format!("{with} has it {}.", words(given))],
                since: now,
            };
            self.notify(notice, now, step);
        }
    }

    /// A person is away at these times; what is known of an entry of their calendar already is brought up to date.
    pub(super) fn add_absences(&mut self, by: &Principal, asked: &Away, now: Timestamp, step: &mut DeskStep) -> Answer {
        if let Some(unknown) = self.unknown(&asked.person) {
            return unknown;
        }
        let (mut after, mut rows, mut made) = (self.exceptions.clone(), Vec::new(), 0);
        for entry in &asked.entries {
            let known = after.absences.iter_mut().find(|one| {
                one.withdrawn.is_none() && one.person == asked.person && !entry.uid.is_empty() && one.uid == entry.uid
            });
            if let Some(known) = known {
                if known.span == entry.span {
                    continue;
                }
                known.withdrawn = Some((now, by.name.clone()));
                rows.push(known.clone());
            }
            made += 1;
            let no = AbsenceNo(self.last_absence + made);
            let (person, span, summary) = (asked.person.clone(), entry.span, entry.summary.clone());
            let (uid, by) = (entry.uid.clone(), by.name.clone());
            let absence = Absence { no, person, span, summary, uid, by, made: now, withdrawn: None };
            after.absences.push(absence.clone());
            rows.push(absence);
        }
        let gaps = self.new_gaps(&after, asked, now);
        if !gaps.is_empty() && !asked.gaps_confirmed {
            return Answer::Refused(gap_words(&gaps));
        }
        self.last_absence += made;
        self.exceptions = after;
        step.effects.extend(rows.into_iter().map(|row| Effect::Record(Row::Absence(Box::new(row)))));
        self.rotations_changed(step);
        Answer::Made(made)
    }

    /// They are there after all.
    pub(super) fn end_absence(&mut self, by: &Principal, no: AbsenceNo, now: Timestamp, step: &mut DeskStep) -> Answer {
        let Some(known) = self.exceptions.absences.iter_mut().find(|known| known.no == no) else {
            return Answer::NotFound(format!("absence {no}"));
        };
        if known.withdrawn.is_some() {
            return Answer::Refused(format!("absence {no} was withdrawn already"));
        }
        known.withdrawn = Some((now, by.name.clone()));
        step.effects.push(Effect::Record(Row::Absence(Box::new(known.clone()))));
        self.rotations_changed(step);
        Answer::Done
    }

    fn unknown(&self, person: &str) -> Option<Answer> {
        let known = self.roster.people.contains_key(person);
        (!known).then(|| Answer::NotFound(format!("person {person:?} in the configuration")))
    }

    fn put_override(&mut self, by: &Principal, asked: &Override, now: Timestamp, step: &mut DeskStep) -> OverrideNo {
        self.last_override += 1;
        let no = OverrideNo(self.last_override);
        let made = Override { no, by: by.name.clone(), made: now, withdrawn: None, ..asked.clone() };
        step.effects.push(Effect::Record(Row::Override(Box::new(made.clone()))));
        self.exceptions.overrides.push(made);
        no
    }

    fn rotations_changed(&mut self, step: &mut DeskStep) {
        self.handoffs.look_anew();
        step.holds = true;
        step.effects.push(Effect::Publish);
    }

    /// Times to come at which nobody would be on call who is now.
    fn new_gaps(&self, after: &Exceptions, asked: &Away, now: Timestamp) -> Vec<(String, Span)> {
        let mut gaps = Vec::new();
        for rotation in self.roster.rotations.values() {
            for entry in asked.entries.iter().filter(|entry| entry.span.until > now) {
                let span = Span { from: entry.span.from.max(now), until: entry.span.until };
                let without = rotation.shifts(span, after).into_iter().filter(|shift| shift.person.is_none());
                let news = without.filter(|shift| has_somebody(rotation, shift.span, &self.exceptions));
                gaps.extend(news.map(|shift| (rotation.name.clone(), shift.span)));
            }
        }
        gaps
    }
}

fn has_somebody(rotation: &Rotation, span: Span, exceptions: &Exceptions) -> bool {
    rotation.shifts(span, exceptions).iter().any(|shift| shift.person.is_some())
}

fn gap_words(gaps: &[(String, Span)]) -> String {
    let named: Vec<String> = gaps
        .iter()
        .take(NAMED)
        .map(|(rotation, span)| format!("in {rotation} from {} to {}", span.from, span.until))
        .collect();
    let more = if gaps.len() > NAMED { format!(" and {} more times", gaps.len() - NAMED) } else { String::new() };
    format!(
        "nobody would be on call {}{more}: let somebody stand in first (muster-collector on-call override ROTATION PERSON), \
         or say that it is meant (--confirm-gaps)",
        named.join(", ")
    )
}

/// When a person is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Who.
    pub person: String,
    /// The entries of their calendar.
    pub entries: Vec<Entry>,
    /// There may be nobody on call then.
    pub gaps_confirmed: bool,
}

impl Away {
    /// From when to when.
    #[must_use]
    pub fn words(&self) -> String {
        let spans = self.entries.iter().map(|one| format!("{} to {}", one.span.from, one.span.until));
        spans.collect::<Vec<_>>().join(", ")
    }
}

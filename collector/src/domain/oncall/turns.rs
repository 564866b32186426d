//! Turns as entries of a calendar.

use super::{Roster, absence::Exceptions, ical::Event, rotation::Shift};
use crate::domain::{calendar::Span, time::Timestamp};

/// How far back the beginning of a turn is looked for, in milliseconds: longer than most turns are.
const BEGINS_WITHIN_MS: i64 = 62 * 86_400_000;

impl Roster {
    /// The turns within a span: of one rotation or all, of one person or all. `collector` makes their ids its own.
    #[must_use]
    pub fn turns(
        &self,
        rotation: Option<&str>,
        person: Option<&str>,
        span: Span,
        exceptions: &Exceptions,
        collector: &str,
    ) -> Vec<Event> {
        let before = Span { from: span.from.plus_ms(-BEGINS_WITHIN_MS), until: span.until };
        let rotations = self.rotations.values().filter(|one| rotation.is_none_or(|name| name == one.name));
        let shifts = rotations
            .flat_map(|one| one.shifts(before, exceptions).into_iter().map(move |shift| (one.name.as_str(), shift)));
        let asked = |shift: &Shift| {
            shift.span.until > span.from && person.is_none_or(|name| shift.person.as_deref() == Some(name))
        };
        shifts
            .filter(|(_, shift)| asked(shift))
            .filter_map(|(name, shift)| event(name, shift, before.from, collector))
            .collect()
    }
}

/// Nobody's turn is no entry. One that began before what was looked at is the same whenever it is looked at.
fn event(rotation: &str, shift: Shift, looked_from: Timestamp, collector: &str) -> Option<Event> {
    let person = shift.person?;
    let begins = if shift.span.from == looked_from { 0 } else { shift.span.from.ms() / 1_000 };
    Some(Event {
        uid: format!("{rotation}-{person}-{begins}@{collector}.muster.internal"),
        span: shift.span,
        summary: format!("{person} on call ({rotation})"),
        description: shift.override_no.map_or_else(String::new, |no| format!("Stands in (override {no}).")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oncall::rotation::{Layer, Length, Rotation};

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn rotation(name: &str, people: &[&str]) -> (String, Rotation) {
        let layer = Layer {
            people: people.iter().map(|name| (*name).to_owned()).collect(),
            from: "2026-01-05".parse().unwrap(),
            handoff: "09:00".parse().unwrap(),
            every: Length::Days(7),
            hours: None,
        };
        let (zone, layers) = ("Europe/Berlin".into(), vec![layer]);
        (name.into(), Rotation { name: name.into(), zone, layers, gaps_confirmed: false, handoff_notice: true })
    }

    #[test]
    fn a_turn_has_the_same_id_and_times_whenever_it_is_written_and_a_person_gets_theirs_of_all_rotations() {
        let rotations = [rotation("ops", &["ann", "bob"]), rotation("web", &["ann"])].into();
        let roster = Roster { rotations, ..Roster::default() };
        let at = |day: &str| Span { from: ms(day), until: ms(day).plus_ms(20 * 86_400_000) };
        let turns = |rotation, person, day| roster.turns(rotation, person, at(day), &Exceptions::default(), "c1");
        let first = turns(Some("ops"), None, "2026-10-20T12:00:00Z");
        let later = turns(Some("ops"), None, "2026-10-25T03:00:00Z");
        // Monday 2026-10-19 at 9:00 in Berlin is 7:00 UTC, a week later it is 8:00.
        assert_eq!(first[0].span, Span { from: ms("2026-10-19T07:00:00Z"), until: ms("2026-10-26T08:00:00Z") });
        assert_eq!(first[0], later[0]);
        assert_eq!(first[0].uid, format!("ops-bob-{}@c1.muster.internal", ms("2026-10-19T07:00:00Z").ms() / 1_000));
        let mine: Vec<String> =
            turns(None, Some("ann"), "2026-10-20T12:00:00Z").into_iter().map(|one| one.uid).collect();
        assert_eq!(mine.len(), 3, "{mine:?}");
        assert!(mine.contains(&"web-ann-0@c1.muster.internal".to_owned()), "one that always has it: {mine:?}");
    }
}

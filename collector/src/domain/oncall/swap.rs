//! Two people exchange turns: each stands in for the other once.

use super::{
    absence::Exceptions,
    rotation::{Override, Rotation},
};
use crate::domain::{calendar::Span, ids::OverrideNo, time::Timestamp};

/// Whose turns are exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// In which rotation.
    pub rotation: String,
    /// One of the two, and an instant in the turn that they give away; without it their present or next one.
    pub one: (String, Option<Timestamp>),
    /// The other; without an instant their next one after that.
    pub other: (String, Option<Timestamp>),
}

/// What is exchanged: the turn of each, as far as it is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchanged {
    /// The turn that the one gives away.
    pub one: Span,
    /// And the other.
    pub other: Span,
}

impl Swap {
    /// The two turns, or why they cannot be exchanged.
    ///
    /// # Errors
    /// In words, with what was expected.
    pub fn turns(&self, rotation: &Rotation, exceptions: &Exceptions, now: Timestamp) -> Result<Exchanged, String> {
        let ((one, one_at), (other, other_at)) = (&self.one, &self.other);
        if one == other {
            return Err(format!("{one} cannot exchange turns with {other}: name two people"));
        }
        let first = turn(rotation, one, *one_at, now)?;
        let second = turn(rotation, other, *other_at, if one_at.is_some() { now } else { first.from })?;
        for (person, span) in [(one, second), (other, first)] {
            if let Some(away) = exceptions.absence_within(person, span) {
                return Err(format!(
                    "{person} is away from {} to {} (absence {}): nobody would have it then. Exchange another turn, or let \
                     somebody else stand in: muster-collector on-call override {} PERSON",
                    away.span.from, away.span.until, away.no, rotation.name
                ));
            }
        }
        Ok(Exchanged { one: first, other: second })
    }

    /// Who with whom, and which turns where they are named.
    #[must_use]
    pub fn words(&self) -> String {
        let side = |(person, at): &(String, Option<Timestamp>)| {
            at.map_or_else(|| person.clone(), |at| format!("{person} at {at}"))
        };
        format!("{} with {}", side(&self.one), side(&self.other))
    }

    /// As two overrides; numbers and author are filled in.
    #[must_use]
    pub fn overrides(&self, turns: Exchanged, now: Timestamp) -> [Override; 2] {
        let stands_in = |person: &str, instead_of: &str, span| Override {
            no: OverrideNo(0),
            rotation: self.rotation.clone(),
            person: person.to_owned(),
            span,
            instead_of: Some(instead_of.to_owned()),
            by: String::new(),
            made: now,
            withdrawn: None,
        };
        [stands_in(&self.other.0, &self.one.0, turns.one), stands_in(&self.one.0, &self.other.0, turns.other)]
    }
}

/// A person's turn that holds an instant, or their present or next one after another; what is over of it is left out.
fn turn(rotation: &Rotation, person: &str, at: Option<Timestamp>, after: Timestamp) -> Result<Span, String> {
    let found = rotation.turn_of(person, at.unwrap_or(after));
    let span = found.ok_or_else(|| format!("{person} takes no turns in rotation {}", rotation.name))?;
    match at {
        Some(at) if !span.holds(at) => Err(format!(
            "{person} does not have rotation {} at {at}: their next turn is from {} to {}",
            rotation.name, span.from, span.until
        )),
        Some(_) if span.until <= after => {
            Err(format!("that turn of {person} is over: it was from {} to {}", span.from, span.until))
        }
        _ => Ok(Span { from: span.from.max(after), ..span }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::AbsenceNo,
        oncall::{
            absence::Absence,
            rotation::{Layer, Length},
        },
    };

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// Ann, Bob and Cleo by weeks from Monday 2026-10-19 at 9:00 in Berlin; the clock is set back on the 25th.
    fn weekly() -> Rotation {
        let layer = Layer {
            people: vec!["ann".into(), "bob".into(), "cleo".into()],
            from: "2026-10-19".parse().unwrap(),
            handoff: "09:00".parse().unwrap(),
            every: Length::Days(7),
            hours: None,
        };
        let zone = "Europe/Berlin".into();
        Rotation { name: "ops".into(), zone, layers: vec![layer], gaps_confirmed: false, handoff_notice: true }
    }

    fn swap(one: (&str, Option<&str>), other: (&str, Option<&str>)) -> Swap {
        let side = |(name, at): (&str, Option<&str>)| (name.to_owned(), at.map(ms));
        Swap { rotation: "ops".into(), one: side(one), other: side(other) }
    }

    fn names(exceptions: &Exceptions) -> Vec<String> {
        let span = Span { from: ms("2026-10-19T07:00:00Z"), until: ms("2026-11-16T08:00:00Z") };
        weekly().shifts(span, exceptions).into_iter().map(|shift| shift.person.unwrap()).collect()
    }

    #[test]
    fn each_has_the_others_turn_whole_over_a_change_of_the_clock_and_nobody_elses_changes() {
        let now = ms("2026-10-20T12:00:00Z");
        let asked = swap(("bob", None), ("cleo", None));
        let turns = asked.turns(&weekly(), &Exceptions::default(), now).unwrap();
        assert_eq!(turns.one, Span { from: ms("2026-10-26T08:00:00Z"), until: ms("2026-11-02T08:00:00Z") });
        assert_eq!(turns.other, Span { from: ms("2026-11-02T08:00:00Z"), until: ms("2026-11-09T08:00:00Z") });
        let [mut first, mut second] = asked.overrides(turns, now);
        (first.no, second.no) = (OverrideNo(1), OverrideNo(2));
        let exceptions = Exceptions { overrides: vec![first, second], absences: vec![] };
        assert_eq!(names(&exceptions), ["ann", "cleo", "bob", "ann"]);
    }

    #[test]
    fn of_a_turn_that_has_begun_the_rest_is_exchanged_and_turns_may_be_named() {
        let now = ms("2026-10-20T12:00:00Z");
        let of = |asked: Swap| asked.turns(&weekly(), &Exceptions::default(), now);
        let begun = of(swap(("ann", None), ("cleo", None))).unwrap();
        assert_eq!(begun.one, Span { from: now, until: ms("2026-10-26T08:00:00Z") });
        let named = of(swap(("cleo", Some("2026-11-03T00:00:00Z")), ("ann", Some("2026-11-10T00:00:00Z")))).unwrap();
        assert_eq!(named.other.from, ms("2026-11-09T08:00:00Z"));
        let wrong = of(swap(("cleo", Some("2026-10-27T00:00:00Z")), ("ann", None))).unwrap_err();
        assert!(
            wrong.contains("cleo does not have rotation ops at 2026-10-27") && wrong.contains("from 2026-11-02T08:00"),
            "{wrong}"
        );
        assert!(of(swap(("dora", None), ("ann", None))).unwrap_err().contains("dora takes no turns"));
        assert!(of(swap(("ann", None), ("ann", None))).unwrap_err().contains("two people"));
        let over = of(swap(("ann", Some("2026-10-19T08:00:00Z")), ("bob", None)));
        assert!(over.is_ok(), "the turn that holds it still lasts");
    }

    #[test]
    fn who_is_away_then_cannot_take_it() {
        let now = ms("2026-10-20T12:00:00Z");
        let absence = Absence {
            no: AbsenceNo(4),
            person: "cleo".into(),
            span: Span { from: ms("2026-10-30T00:00:00Z"), until: ms("2026-11-02T00:00:00Z") },
            summary: String::new(),
            uid: String::new(),
            by: "cleo".into(),
            made: now,
            withdrawn: None,
        };
        let mut exceptions = Exceptions { overrides: vec![], absences: vec![absence] };
        let asked = swap(("bob", None), ("cleo", None));
        let refused = asked.turns(&weekly(), &exceptions, now).unwrap_err();
        assert!(
            refused.starts_with("cleo is away from 2026-10-30T00:00") && refused.contains("(absence 4)"),
            "{refused}"
        );
        exceptions.absences[0].withdrawn = Some((now, "cleo".into()));
        assert!(asked.turns(&weekly(), &exceptions, now).is_ok());
    }
}

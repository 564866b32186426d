//! Who is on call during something that is planned.

use super::{Roster, absence::Exceptions, rotation::Shift};
use crate::domain::calendar::Span;

/// A shift of a rotation, as far as it lies within what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDuty {
    /// Which rotation.
    pub rotation: String,
    /// Who has it; nobody where that is a gap.
    pub shift: Shift,
}

impl Roster {
    /// Who has each rotation within a span, without holes.
    #[must_use]
    pub fn on_duty(&self, span: Span, exceptions: &Exceptions) -> Vec<OnDuty> {
        let of = |name: &str, shift| OnDuty { rotation: name.to_owned(), shift };
        let rotations = self.rotations.values();
        rotations.flat_map(|one| one.shifts(span, exceptions).into_iter().map(|shift| of(&one.name, shift))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::OverrideNo,
        oncall::rotation::{Layer, Length, Override, Rotation},
        time::Timestamp,
    };

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn rotation(name: &str, people: &[&str], from: &str) -> (String, Rotation) {
        let people = people.iter().map(|name| (*name).to_owned()).collect();
        let (from, handoff) = (from.parse().unwrap(), "09:00".parse().unwrap());
        let layers = vec![Layer { people, from, handoff, every: Length::Days(7), hours: None }];
        (
            name.into(),
            Rotation {
                name: name.into(),
                zone: "Europe/Berlin".into(),
                layers,
                gaps_confirmed: true,
                handoff_notice: true,
            },
        )
    }

    #[test]
    fn each_rotation_says_who_has_it_then_over_a_hand_over_a_stand_in_and_a_gap() {
        // Monday 2026-10-26 09:00 in Berlin is 08:00 UTC: the clock was set back the day before.
        let ops = rotation("ops", &["ann", "bob"], "2026-10-19");
        let roster = Roster { rotations: [ops, rotation("web", &["cleo"], "2026-10-26")].into(), ..Roster::default() };
        let window = Span { from: ms("2026-10-26T06:00:00Z"), until: ms("2026-10-26T12:00:00Z") };
        let stands_in = Override {
            no: OverrideNo(7),
            rotation: "ops".into(),
            person: "dora".into(),
            span: Span { from: ms("2026-10-26T10:00:00Z"), until: ms("2026-10-27T00:00:00Z") },
            instead_of: None,
            by: "ann".into(),
            made: window.from,
            withdrawn: None,
        };
        let duty = roster.on_duty(window, &Exceptions { overrides: vec![stands_in], ..Exceptions::default() });
        let said: Vec<String> = duty
            .iter()
            .map(|one| {
                let shift = &one.shift;
                format!(
                    "{} {} {}..{}",
                    one.rotation,
                    shift.person.as_deref().unwrap_or("nobody"),
                    shift.span.from,
                    shift.span.until
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "ops ann 2026-10-26T06:00:00.000Z..2026-10-26T08:00:00.000Z",
                "ops bob 2026-10-26T08:00:00.000Z..2026-10-26T10:00:00.000Z",
                "ops dora 2026-10-26T10:00:00.000Z..2026-10-26T12:00:00.000Z",
                "web nobody 2026-10-26T06:00:00.000Z..2026-10-26T08:00:00.000Z",
                "web cleo 2026-10-26T08:00:00.000Z..2026-10-26T12:00:00.000Z",
            ]
        );
    }
}

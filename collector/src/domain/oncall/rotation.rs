//! Rotations: who is on call when. Layers hand over by the clocks of a zone; later layers, then overrides, win.

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::absence::Exceptions;
use crate::domain::{
    calendar::{self, Edge, Recurring, Span, date_at},
    ids::OverrideNo,
    time::Timestamp,
};

/// How far gaps are looked for, in milliseconds: a year with both changes of the clock, and the holidays after it.
pub const GAPS_WITHIN_MS: i64 = 400 * 86_400_000;
/// Most changes that are looked at, whatever the rotation.
const CHANGES: usize = 50_000;

/// How long a shift is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many days; the clock shows the same time at each hand-over.
    Days(i32),
    /// So many hours, as they pass.
    Hours(i32),
}

/// People who take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// In the order of their turns.
    pub people: Vec<String>,
    /// The day of the first hand-over.
    pub from: Date,
    /// When they hand over.
    pub handoff: Time,
    /// How long each has it.
    pub every: Length,
    /// Only at these times.
    pub hours: Option<Recurring>,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Its name.
    pub name: String,
    /// The zone whose clocks count.
    pub zone: String,
    /// Later ones win where they have somebody.
    pub layers: Vec<Layer>,
    /// There may be times without anybody.
    pub gaps_confirmed: bool,
    /// Whether who comes and who leaves is told at each hand-over.
    pub handoff_notice: bool,
}

/// Somebody else has it for a time. As stored; it is withdrawn, never edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its number.
    pub no: OverrideNo,
    /// In which rotation.
    pub rotation: String,
    /// Who has it.
    pub person: String,
    /// When.
    pub span: Span,
    /// Only where this person would have it; none: whoever would.
    pub instead_of: Option<String>,
    /// Who made it.
    pub by: String,
    /// When it was made.
    pub made: Timestamp,
    /// When it was withdrawn, and by whom.
    pub withdrawn: Option<(Timestamp, String)>,
}

/// A stretch in which one person has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Who; nobody: a gap.
    pub person: Option<String>,
    /// When.
    pub span: Span,
    /// Through which override, if any.
    pub override_no: Option<OverrideNo>,
}

impl Layer {
    /// The instant of hand-over `turn`, counted from the first.
    fn handover(&self, turn: i64, zone: &TimeZone) -> Timestamp {
        let first = |date: Date| calendar::at(date, self.handoff, zone, Edge::Start);
        match self.every {
            Length::Hours(hours) => first(self.from).plus_ms(turn * i64::from(hours) * 3_600_000),
            Length::Days(days) => {
                let span = jiff::Span::new().days(turn.saturating_mul(i64::from(days)).clamp(-3_000_000, 3_000_000));
                first(self.from.checked_add(span).unwrap_or(Date::MAX))
            }
        }
    }

    /// The turn that an instant lies in; negative before the first.
    fn turn_at(&self, now: Timestamp, zone: &TimeZone) -> i64 {
        let about = match self.every {
            Length::Hours(hours) => {
                now.since_ms(self.handover(0, zone)).div_euclid(i64::from(hours.max(1)) * 3_600_000)
            }
            Length::Days(days) => {
                let passed = self.from.until(date_at(now, zone)).map_or(0, |span| i64::from(span.get_days()));
                passed.div_euclid(i64::from(days.max(1)))
            }
        };
        // On the day of a hand-over it may be still to come.
        (about - 1..=about + 1).rev().find(|turn| self.handover(*turn, zone) <= now).unwrap_or(about - 1)
    }

    /// Whose turn it is, or who comes next where they may not have it.
    fn at(&self, now: Timestamp, zone: &TimeZone, may: impl Fn(&str) -> bool) -> Option<&str> {
        let turn = usize::try_from(self.turn_at(now, zone)).ok()?;
        let on = self.hours.as_ref().is_none_or(|hours| hours.at(now).is_some());
        let many = self.people.len();
        let mut in_turn = (0..many).filter_map(|n| self.people.get((turn + n) % many)).map(String::as_str);
        in_turn.find(|person| on && may(person))
    }

    /// When it may have somebody else next.
    fn changes_after(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let turn = self.turn_at(now, zone).max(-1);
        let next = self.handover(turn + 1, zone);
        let hours = self.hours.as_ref().and_then(|hours| match hours.at(now) {
            Some(span) => Some(span.until),
            None => hours.following(now).next().map(|span| span.from),
        });
        hours.map_or(next, |at| at.min(next))
    }
}

impl Rotation {
    /// Who has it at an instant. Where whoever would is away the next one of their layer has it, then the layer below.
    #[must_use]
    pub fn at(&self, now: Timestamp, exceptions: &Exceptions) -> (Option<String>, Option<OverrideNo>) {
        let Some(zone) = calendar::zone(&self.zone) else { return (None, None) };
        let planned = self.layers.iter().rev().find_map(|layer| layer.at(now, &zone, |_| true));
        let is_there = |person: &str| exceptions.absence(person, now).is_none();
        let fits = |other: &&Override| {
            other.rotation == self.name
                && other.withdrawn.is_none()
                && other.span.holds(now)
                && other.instead_of.as_deref().is_none_or(|person| planned == Some(person))
                && is_there(&other.person)
        };
        match exceptions.overrides.iter().filter(fits).max_by_key(|other| other.no) {
            Some(other) => (Some(other.person.clone()), Some(other.no)),
            None => {
                let there = self.layers.iter().rev().find_map(|layer| layer.at(now, &zone, is_there));
                (there.map(str::to_owned), None)
            }
        }
    }

    /// The first turn of a person that is not over at an instant, from one hand-over of their layer to the next.
    #[must_use]
    pub fn turn_of(&self, person: &str, at: Timestamp) -> Option<Span> {
        let zone = calendar::zone(&self.zone)?;
        let of = |layer: &Layer| {
            let (begin, many) = (layer.turn_at(at, &zone).max(0), i64::try_from(layer.people.len()).ok()?);
            let theirs = |turn: &i64| {
                let place = usize::try_from(turn % many).ok();
                place.and_then(|place| layer.people.get(place)).is_some_and(|name| name == person)
            };
            let turn = (begin..begin + many).find(theirs)?;
            Some(Span { from: layer.handover(turn, &zone), until: layer.handover(turn + 1, &zone) })
        };
        self.layers.iter().filter_map(of).min_by_key(|span| span.from)
    }

    /// When it may be somebody else next.
    #[must_use]
    pub fn changes_after(&self, now: Timestamp, exceptions: &Exceptions) -> Option<Timestamp> {
        let zone = calendar::zone(&self.zone)?;
        let layers = self.layers.iter().map(|layer| layer.changes_after(now, &zone));
        layers.chain(exceptions.edges(&self.name)).filter(|at| *at > now).min()
    }

    /// Who has it from one instant to another, without holes: where nobody has it, that is said.
    #[must_use]
    pub fn shifts(&self, span: Span, exceptions: &Exceptions) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = Vec::new();
        let mut at = span.from;
        for _ in 0..CHANGES {
            if at >= span.until {
                break;
            }
            let (person, override_no) = self.at(at, exceptions);
            let until = self.changes_after(at, exceptions).unwrap_or(span.until).min(span.until);
            match shifts.last_mut() {
                Some(last) if last.person == person && last.override_no == override_no => last.span.until = until,
                _ => shifts.push(Shift { person, span: Span { from: at, until }, override_no }),
            }
            at = until;
        }
        shifts
    }

    /// Until when whoever has it now has it.
    #[must_use]
    pub fn until(&self, now: Timestamp, exceptions: &Exceptions) -> Option<Timestamp> {
        let within = Span { from: now, until: now.plus_ms(GAPS_WITHIN_MS) };
        // A shift that goes on after this is as good as one without end.
        let mut shifts = self.shifts(Span { until: now.plus_ms(62 * 86_400_000), ..within }, exceptions).into_iter();
        let first = shifts.next()?;
        (first.span.until < now.plus_ms(62 * 86_400_000)).then_some(first.span.until)
    }

    /// When nobody has it, from its beginning on, or from `since` on.
    #[must_use]
    pub fn gaps(&self, since: Option<Timestamp>, exceptions: &Exceptions) -> Vec<Span> {
        let Some(zone) = calendar::zone(&self.zone) else { return Vec::new() };
        // Layers with hours of their own only add to the others, if there are others.
        let begin = |layer: &Layer| layer.handover(0, &zone);
        let always = self.layers.iter().filter(|layer| layer.hours.is_none()).map(begin).min();
        let begins = always.or_else(|| self.layers.iter().map(begin).min());
        let Some(from) = since.or(begins) else { return Vec::new() };
        let shifts = self.shifts(Span { from, until: from.plus_ms(GAPS_WITHIN_MS) }, exceptions);
        shifts.into_iter().filter(|shift| shift.person.is_none()).map(|shift| shift.span).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::AbsenceNo, oncall::absence::Absence};

    const DAY: i64 = 86_400_000;

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn layer(people: &[&str], from: &str, handoff: &str, every: Length) -> Layer {
        let people = people.iter().map(|name| (*name).to_owned()).collect();
        Layer { people, from: from.parse().unwrap(), handoff: handoff.parse().unwrap(), every, hours: None }
    }

    fn rotation(layers: Vec<Layer>) -> Rotation {
        Rotation {
            name: "ops".into(),
            zone: "Europe/Berlin".into(),
            layers,
            gaps_confirmed: false,
            handoff_notice: true,
        }
    }

    fn hours(start: &str, end: &str, weekdays: &[i8]) -> Option<Recurring> {
        let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
        Some(Recurring { zone: "Europe/Berlin".into(), weekdays: weekdays.to_vec(), month_days: vec![], start, end })
    }

    fn standing_in(overrides: &[Override]) -> Exceptions {
        Exceptions { overrides: overrides.to_vec(), ..Exceptions::default() }
    }

    fn named(rotation: &Rotation, at: &str) -> Option<String> {
        rotation.at(ms(at), &Exceptions::default()).0
    }

    #[test]
    fn a_weekly_hand_over_stays_at_nine_by_the_clock_over_both_changes() {
        let weekly = rotation(vec![layer(&["ann", "bob"], "2026-03-23", "09:00", Length::Days(7))]);
        // 9:00 is 8:00 UTC in winter and 7:00 in summer.
        assert_eq!(named(&weekly, "2026-03-23T07:59:59Z"), None, "before the first nobody has it");
        assert_eq!(named(&weekly, "2026-03-23T08:00:00Z").as_deref(), Some("ann"));
        assert_eq!(named(&weekly, "2026-03-30T06:59:59Z").as_deref(), Some("ann"));
        assert_eq!(named(&weekly, "2026-03-30T07:00:00Z").as_deref(), Some("bob"));
        assert_eq!(named(&weekly, "2026-10-26T07:59:59Z").as_deref(), Some("ann"), "31 weeks later, winter again");
        assert_eq!(named(&weekly, "2026-10-26T08:00:00Z").as_deref(), Some("bob"));
        assert_eq!(weekly.gaps(None, &Exceptions::default()), []);
        let week = Span { from: ms("2026-03-23T08:00:00Z"), until: ms("2026-03-30T07:00:00Z") };
        let shifts = weekly.shifts(Span { until: ms("2026-04-06T07:00:00Z"), ..week }, &Exceptions::default());
        assert_eq!(shifts[0].span, week, "a week of 167 hours");
        assert_eq!(shifts[1].span.until.since_ms(shifts[1].span.from), 7 * DAY);
    }

    #[test]
    fn a_hand_over_at_a_time_that_does_not_come_or_comes_twice_leaves_no_hole() {
        for handoff in ["02:30", "02:00", "03:00"] {
            let daily = rotation(vec![layer(&["ann", "bob", "cleo"], "2026-03-01", handoff, Length::Days(1))]);
            assert_eq!(daily.gaps(None, &Exceptions::default()), [], "{handoff}");
            let spring = daily.shifts(
                Span { from: ms("2026-03-28T12:00:00Z"), until: ms("2026-03-29T12:00:00Z") },
                &Exceptions::default(),
            );
            assert_eq!(spring[1].span.from, ms("2026-03-29T01:00:00Z"), "{handoff}: the first instant after the gap");
        }
        let daily = rotation(vec![layer(&["ann", "bob"], "2026-10-01", "02:30", Length::Days(1))]);
        let autumn = daily.shifts(
            Span { from: ms("2026-10-24T12:00:00Z"), until: ms("2026-10-25T12:00:00Z") },
            &Exceptions::default(),
        );
        assert_eq!(autumn[1].span.from, ms("2026-10-25T00:30:00Z"), "at its first occurrence");
    }

    #[test]
    fn a_later_layer_has_its_hours_and_what_nobody_covers_is_a_gap() {
        let mut nights = layer(&["cleo"], "2026-11-01", "00:00", Length::Days(1));
        nights.hours = hours("18:00", "08:00", &[]);
        let days = layer(&["ann"], "2026-11-01", "00:00", Length::Days(7));
        let both = rotation(vec![days.clone(), nights.clone()]);
        assert_eq!(named(&both, "2026-11-29T20:00:00Z").as_deref(), Some("cleo"));
        assert_eq!(named(&both, "2026-11-29T12:00:00Z").as_deref(), Some("ann"));
        assert_eq!(both.gaps(None, &Exceptions::default()), []);
        let only_nights = rotation(vec![nights]);
        let gaps = only_nights.gaps(Some(ms("2026-11-29T00:00:00Z")), &Exceptions::default());
        assert_eq!(gaps[0], Span { from: ms("2026-11-29T07:00:00Z"), until: ms("2026-11-29T17:00:00Z") });
        assert!(gaps.len() > 390, "one each day");
    }

    #[test]
    fn an_override_wins_for_its_time_and_the_newest_of_two() {
        let weekly = rotation(vec![layer(&["ann", "bob"], "2026-11-02", "09:00", Length::Days(7))]);
        let span = Span { from: ms("2026-11-03T00:00:00Z"), until: ms("2026-11-04T00:00:00Z") };
        let other = |no: i64, person: &str, instead_of: Option<&str>| Override {
            no: OverrideNo(no),
            rotation: "ops".into(),
            person: person.into(),
            span,
            instead_of: instead_of.map(str::to_owned),
            by: "ann".into(),
            made: span.from,
            withdrawn: None,
        };
        let overrides = [other(1, "cleo", None), other(2, "dora", Some("bob"))];
        let noon = ms("2026-11-03T12:00:00Z");
        assert_eq!(
            weekly.at(noon, &standing_in(&overrides)),
            (Some("cleo".into()), Some(OverrideNo(1))),
            "bob does not have it then"
        );
        let newest = [other(1, "cleo", None), other(2, "dora", Some("ann"))];
        assert_eq!(weekly.at(noon, &standing_in(&newest)).0.as_deref(), Some("dora"));
        let names: Vec<String> = weekly
            .shifts(
                Span { from: ms("2026-11-02T12:00:00Z"), until: ms("2026-11-10T12:00:00Z") },
                &standing_in(&overrides[..1]),
            )
            .into_iter()
            .filter_map(|shift| shift.person)
            .collect();
        assert_eq!(names, ["ann", "cleo", "ann", "bob"]);
        assert_eq!(weekly.until(noon, &standing_in(&overrides[..1])), Some(span.until));
    }

    #[test]
    fn who_is_away_is_passed_over_for_the_next_one_then_for_the_layer_below_then_for_nobody() {
        let mut nights = layer(&["cleo", "dora"], "2026-11-02", "00:00", Length::Days(1));
        nights.hours = hours("18:00", "08:00", &[]);
        let both = rotation(vec![layer(&["ann"], "2026-11-02", "00:00", Length::Days(7)), nights]);
        let away = |person: &str| Absence {
            no: AbsenceNo(1),
            person: person.into(),
            span: Span { from: ms("2026-11-02T20:00:00Z"), until: ms("2026-11-03T04:00:00Z") },
            summary: String::new(),
            uid: String::new(),
            by: String::new(),
            made: ms("2026-11-01T00:00:00Z"),
            withdrawn: None,
        };
        let at = |people: &[&str], at: &str| {
            let exceptions =
                Exceptions { absences: people.iter().map(|one| away(one)).collect(), ..Exceptions::default() };
            both.at(ms(at), &exceptions).0.unwrap_or_else(|| "nobody".into())
        };
        let within = "2026-11-02T20:00:00Z";
        assert_eq!(at(&["cleo"], "2026-11-02T19:59:59Z"), "cleo", "still there");
        assert_eq!(at(&["cleo"], within), "dora");
        assert_eq!(at(&["cleo", "dora"], within), "ann");
        assert_eq!(at(&["cleo", "dora", "ann"], within), "nobody");
        assert_eq!(at(&["cleo", "dora", "ann"], "2026-11-03T04:00:00Z"), "dora", "back: it is the next night's turn");
        let exceptions = Exceptions { absences: vec![away("cleo")], ..Exceptions::default() };
        let span = Span { from: ms("2026-11-02T18:00:00Z"), until: ms("2026-11-03T07:00:00Z") };
        let names: Vec<_> = both.shifts(span, &exceptions).into_iter().filter_map(|shift| shift.person).collect();
        assert_eq!(names, ["cleo", "dora"]);
    }

    #[test]
    fn hours_pass_where_days_are_counted_by_the_clock() {
        let twelve = rotation(vec![layer(&["ann", "bob"], "2026-03-28", "08:00", Length::Hours(12))]);
        let shifts = twelve.shifts(
            Span { from: ms("2026-03-28T07:00:00Z"), until: ms("2026-03-30T07:00:00Z") },
            &Exceptions::default(),
        );
        assert!(shifts.iter().all(|shift| shift.span.until.since_ms(shift.span.from) == DAY / 2), "{shifts:?}");
    }

    proptest::proptest! {
        #[test]
        fn a_rotation_without_hours_has_no_gap_and_its_shifts_follow_each_other(
            people in 1_usize..5, days in 1_i32..15, hour in 0_i8..24, minute in 0_i8..60, start in 0_i64..365,
            zone in proptest::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
        ) {
            let names: Vec<String> = (0..people).map(|n| format!("p{n}")).collect();
            let from = Date::constant(2026, 1, 1).checked_add(jiff::Span::new().days(start)).unwrap();
            let handoff = Time::new(hour, minute, 0, 0).unwrap();
            let layer = Layer { people: names, from, handoff, every: Length::Days(days), hours: None };
            let rotation = Rotation { zone: zone.into(), ..rotation(vec![layer]) };
            proptest::prop_assert_eq!(rotation.gaps(None, &Exceptions::default()), Vec::new());
            let zone = calendar::zone(zone).unwrap();
            let begin = rotation.layers[0].handover(0, &zone);
            let all = Span { from: begin, until: begin.plus_ms(GAPS_WITHIN_MS) };
            let shifts = rotation.shifts(all, &Exceptions::default());
            let mut at = all.from;
            for shift in &shifts {
                proptest::prop_assert_eq!(shift.span.from, at);
                proptest::prop_assert!(shift.span.until > at);
                at = shift.span.until;
            }
            proptest::prop_assert_eq!(at, all.until);
        }

        #[test]
        fn shifts_of_hours_last_so_many_hours_over_changes_of_the_clock_and_follow_the_list_of_people(
            people in 1_usize..6, hours in 1_i32..100, hour in 0_i8..24, minute in 0_i8..60, start in 0_i64..365,
            look in 0_i64..600 * 24 * 60,
            zone in proptest::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
        ) {
            let names: Vec<String> = (0..people).map(|n| format!("p{n}")).collect();
            let from = Date::constant(2026, 1, 1).checked_add(jiff::Span::new().days(start)).unwrap();
            let handoff = Time::new(hour, minute, 0, 0).unwrap();
            let layer = Layer { people: names.clone(), from, handoff, every: Length::Hours(hours), hours: None };
            let rotation = Rotation { zone: zone.into(), ..rotation(vec![layer]) };
            let zone = calendar::zone(zone).unwrap();
            let begin = calendar::at(from, handoff, &zone, Edge::Start);
            let at = begin.plus_ms(look * 60_000);
            // So many whole shifts have passed: hours are counted as they pass, whatever the clock shows.
            let turn = look / (i64::from(hours) * 60);
            let expected = &names[usize::try_from(turn).unwrap() % people];
            let none = Exceptions::default();
            proptest::prop_assert_eq!(rotation.at(at, &none).0, Some(expected.clone()));
            let shift = begin.plus_ms(turn * i64::from(hours) * 3_600_000);
            proptest::prop_assert_eq!(rotation.turn_of(expected, at).map(|span| span.from), Some(shift));
            proptest::prop_assert_eq!(
                rotation.changes_after(at, &none), Some(shift.plus_ms(i64::from(hours) * 3_600_000))
            );
            proptest::prop_assert_eq!(rotation.at(begin.plus_ms(-1), &none).0, None);
        }
    }
}

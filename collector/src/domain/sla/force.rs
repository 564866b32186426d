//! From when until when an agreement is in force, and which of several declarations under one name counts for a period.

use jiff::civil::{Date, Time};

use super::{period::Period, report::Declared};
use crate::domain::{
    calendar::{Edge, Span, at, zone},
    time::Timestamp,
};

/// Dates between which an agreement is in force, half-open, in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Force {
    /// The first of them; none: it always was.
    pub from: Option<Date>,
    /// The first after them; none: without end.
    pub until: Option<Date>,
}

impl Force {
    /// Whether there is a date that belongs to both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let before = |end: Option<Date>, begin: Option<Date>| end.zip(begin).is_some_and(|(end, begin)| end <= begin);
        !before(self.until, other.from) && !before(other.until, self.from)
    }

    /// The instants between them by the calendars of a zone.
    #[must_use]
    pub fn span(&self, name: &str) -> Span {
        let (least, most) = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        let Some(zone) = zone(name) else { return Span { from: least, until: least } };
        let midnight = |date: Date| at(date, Time::midnight(), &zone, Edge::Start);
        Span { from: self.from.map_or(least, midnight), until: self.until.map_or(most, midnight) }
    }

    /// In words: `from 2026-01-01 until before 2027-01-01`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.from, self.until) {
            (None, None) => "always".into(),
            (Some(from), None) => format!("from {from} on"),
            (None, Some(until)) => format!("until before {until}"),
            (Some(from), Some(until)) => format!("from {from} until before {until}"),
        }
    }
}

/// What a report is about.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// The declaration that counts.
    pub declared: &'a Declared,
    /// The period, as its calendar has it.
    pub period: Period,
    /// Others under its name that are in force in a part of the period.
    pub others: Vec<&'a Declared>,
}

/// Which of the declarations under one name counts for a period: the one that is in force at the first instant of it at
/// which any is. Without a period it is the present one, of the declaration that is in force now; `on` is the date of
/// another choice. Nothing where there is no such period.
#[must_use]
pub fn choose<'a>(
    named: &[&'a Declared],
    period: Option<&str>,
    on: Option<Date>,
    now: Timestamp,
) -> Option<Chosen<'a>> {
    let over = |declared: &Declared| {
        let zone = zone(&declared.agreement.zone)?;
        period.map_or_else(|| Some(declared.period.at(now, &zone)), |name| Period::named(name, &zone, now))
    };
    let declared = match (on, period) {
        (Some(date), _) => nearest(named, |declared| {
            zone(&declared.agreement.zone).map_or(now, |zone| at(date, Time::midnight(), &zone, Edge::Start))
        }),
        (None, None) => nearest(named, |_| now),
        (None, Some(_)) => {
            let first = |declared: &Declared| Some(shared(in_force(declared), over(declared)?.span)?.from);
            let touching = named.iter().filter_map(|declared| Some((first(declared)?, *declared)));
            let first = touching.min_by_key(|(from, _)| *from).map(|(_, declared)| declared);
            first.or_else(|| nearest(named, |declared| over(declared).map_or(now, |period| period.span.from)))
        }
    }?;
    let period = over(declared)?;
    let others = others(named, declared, period.span);
    Some(Chosen { declared, period, others })
}

/// Those besides one that are in force in a part of a period.
#[must_use]
pub fn others<'a>(named: &[&'a Declared], than: &Declared, period: Span) -> Vec<&'a Declared> {
    let touches = |other: &&Declared| !std::ptr::eq(*other, than) && shared(in_force(other), period).is_some();
    named.iter().copied().filter(touches).collect()
}

/// One declaration for each name, in the order of their first: the one that is in force at an instant.
#[must_use]
pub fn present(all: &[Declared], now: Timestamp) -> Vec<&Declared> {
    let mut names: Vec<&str> = Vec::new();
    for declared in all {
        let name = declared.agreement.name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().filter_map(|name| nearest(&named(all, name), |_| now)).collect()
}

/// The declarations under a name.
#[must_use]
pub fn named<'a>(all: &'a [Declared], name: &str) -> Vec<&'a Declared> {
    all.iter().filter(|declared| declared.agreement.name == name).collect()
}

/// Whether a declaration is in force in a part of a period.
#[must_use]
pub fn is_in_force(declared: &Declared, period: Span) -> bool {
    shared(in_force(declared), period).is_some()
}

/// The instants at which a declaration is in force.
fn in_force(declared: &Declared) -> Span {
    declared.agreement.force.span(&declared.agreement.zone)
}

/// What belongs to both.
fn shared(one: Span, other: Span) -> Option<Span> {
    let both = Span { from: one.from.max(other.from), until: one.until.min(other.until) };
    (both.from < both.until).then_some(both)
}

/// The one in force at an instant; else the one that was last; else the one that will be first.
fn nearest<'a>(named: &[&'a Declared], at: impl Fn(&Declared) -> Timestamp) -> Option<&'a Declared> {
    let now = named.iter().find(|declared| in_force(declared).holds(at(declared)));
    let over = || named.iter().filter(|declared| in_force(declared).until <= at(declared));
    let last = || over().max_by_key(|declared| in_force(declared).until);
    now.or_else(last).or_else(|| named.iter().min_by_key(|declared| in_force(declared).from)).copied()
}

//! Who is called: people and how they are reached, rotations, escalation policies, and the routes that lead to them.
//!
//! All of it stands in `collector.toml` but [`absence::Exceptions`]: who stands in and who is away, which people say from day to day.

pub mod absence;
pub mod during;
pub mod figures;
pub mod ical;
pub mod plan;
pub mod policy;
pub mod rotation;
pub mod route;
pub mod runbook;
pub mod swap;
pub mod test_page;
pub mod turns;

use std::collections::BTreeMap;

use self::{policy::Policy, rotation::Rotation, route::RouteRule, runbook::Runbook};
use super::{heartbeat::schedule::Schedule, redundancy::Group, severity::Severity};

/// A way to reach a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The receiver that carries it.
    pub receiver: String,
    /// Their address or number there, where the receiver serves several people.
    pub to: Option<String>,
    /// Tried so long after the person was called, in milliseconds, unless somebody has the incident by then.
    pub after_ms: i64,
}

/// Somebody who can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name; the same as that of their account here, if they have one.
    pub name: String,
    /// The zone whose clocks say when it is night for them; none: that of whatever rotation they are in.
    pub zone: Option<String>,
    /// How they are reached, in the order of their delays.
    pub contacts: Vec<Contact>,
    /// How they are reached when it is critical; none: as otherwise.
    pub important: Vec<Contact>,
    /// How they are told of what needs no hurry: the first of their contacts that rings for nobody.
    pub notices: Option<Contact>,
    /// When they are sent a test page.
    pub test_page: Option<Box<Schedule>>,
}

impl Person {
    /// How they are reached at a severity.
    #[must_use]
    pub fn contacts(&self, severity: Severity) -> &[Contact] {
        if severity == Severity::Critical && !self.important.is_empty() { &self.important } else { &self.contacts }
    }
}

/// A messenger, as the desk needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messenger {
    /// The receiver's name.
    pub receiver: String,
    /// Where no route says otherwise, incidents of at least this severity are sent there; without it only test pages are.
    pub least: Option<Severity>,
}

/// Everything by which it is decided who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// All messengers.
    pub messengers: Vec<Messenger>,
    /// People by name.
    pub people: BTreeMap<String, Person>,
    /// Rotations by name.
    pub rotations: BTreeMap<String, Rotation>,
    /// Escalation policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// Routes, in order.
    pub routes: Vec<RouteRule>,
    /// Redundancy groups.
    pub groups: Vec<Group>,
    /// Whether each change of what flaps is told, instead of once that it flaps and once how that ended.
    pub tells_each_change: bool,
    /// Runbooks, in order.
    pub runbooks: Vec<Runbook>,
}

impl Roster {
    /// The zone by whose clocks it is night for a person: their own, or that of the first rotation that they are in.
    #[must_use]
    pub fn zone_of(&self, person: &str) -> Option<&str> {
        let own = self.people.get(person).and_then(|person| person.zone.as_deref());
        let takes_turns =
            |one: &&Rotation| one.layers.iter().flat_map(|layer| &layer.people).any(|name| name == person);
        own.or_else(|| self.rotations.values().find(takes_turns).map(|rotation| rotation.zone.as_str()))
    }
}

/// Where a page goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// Which receiver.
    pub receiver: String,
    /// Whose address or number there.
    pub to: Option<String>,
    /// Which person is called.
    pub person: Option<String>,
}

impl Destination {
    /// A receiver that is told as such.
    #[must_use]
    pub fn receiver(name: &str) -> Self {
        Self { receiver: name.to_owned(), to: None, person: None }
    }
}

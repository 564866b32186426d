//! Who watches the watcher: what this collector says of itself to something outside that misses it when it falls silent.
//!
//! It says that it is well only while the whole way to a person is: the engine answers, the store writes, somebody takes the
//! pages. What it says tells *cut off* from *dead*: which hosts' networks it has lost, which other watchdog it does not reach,
//! and, once it is heard again, for how long it did not run or was not heard although it ran.

use std::collections::BTreeMap;

use super::{
    event::Event,
    record::Delivery,
    severity::Severity,
    snapshot::{IncidentView, Snapshot},
    time::Timestamp,
};

/// A page that nobody has taken for this long should have gone, in milliseconds.
const STUCK_MS: i64 = 600_000;
/// A watchdog that was not reached so many times in a row is a trouble of its own; less ends by itself.
const ROUNDS: u32 = 3;
/// The trouble that the collector itself is not well.
const OWN: &str = "way_to_page";
/// Most incidents that are named.
const NAMED: usize = 5;

/// Whether the collector can do what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The whole way is well.
    Well,
    /// Something on the way is not.
    Unwell {
        /// How bad.
        severity: Severity,
        /// What, in words.
        why: String,
    },
}

impl Health {
    /// What was found: `troubles` of engine and store, and the pages that are still to be sent.
    #[must_use]
    pub fn found(mut troubles: Vec<String>, snapshot: &Snapshot, now: Timestamp) -> Self {
        let stuck: Vec<&IncidentView> =
            snapshot.incidents.values().map(AsRef::as_ref).filter(|incident| is_stuck(incident, now)).collect();
        let own = (!troubles.is_empty()).then_some(Severity::Critical);
        let worst = stuck.iter().map(|incident| incident.row.severity).chain(own).max();
        if !stuck.is_empty() {
            let named = stuck.iter().take(NAMED).map(|incident| format!("#{}", incident.row.no));
            let more = if stuck.len() > NAMED { format!(" and {} more", stuck.len() - NAMED) } else { String::new() };
            let named = named.collect::<Vec<_>>().join(", ");
            troubles.push(format!("nobody has taken the pages of {named}{more} for 10 min"));
        }
        worst.map_or(Self::Well, |severity| Self::Unwell { severity, why: troubles.join("; ") })
    }

    /// What the desk is to know of it.
    #[must_use]
    pub fn event(&self) -> Event {
        let trouble = match self {
            Self::Well => None,
            Self::Unwell { severity, why } => Some((*severity, format!("pages may reach nobody: {why}"))),
        };
        Event::SelfCheck { what: OWN.into(), trouble }
    }
}

/// Whether a page of an incident should have gone long ago and nobody has taken it, or a later one, elsewhere.
fn is_stuck(incident: &IncidentView, now: Timestamp) -> bool {
    let pages = &incident.pages;
    let taken = pages.iter().filter(|page| page.delivery == Delivery::Accepted).map(|page| page.decided).max();
    // That this very trouble is not told either says nothing new.
    let is_own = incident.row.key == super::desk::problem::self_key(OWN);
    let mut queued = pages.iter().filter(|page| page.delivery == Delivery::Queued);
    !is_own
        && queued.any(|page| now.since_ms(page.decided) > STUCK_MS && taken.is_none_or(|taken| taken < page.decided))
}

/// One time in which a watchdog heard nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    from: Timestamp,
    to: Timestamp,
}

/// How one watchdog is reached.
#[derive(Debug)]
pub struct Reach {
    name: String,
    place: String,
    /// No collector ran in this time; told until it is heard.
    not_running: Option<Gap>,
    failing: Option<Failing>,
    /// Whether the desk knows how it stands; a trouble of an earlier life may be open.
    told: Option<bool>,
}

#[derive(Debug)]
struct Failing {
    since: Timestamp,
    rounds: u32,
}

impl Reach {
    /// A watchdog called `name` that stands at `place`, not told anything yet.
    #[must_use]
    pub fn new(name: &str, place: &str, snapshot: &Snapshot) -> Self {
        let not_running = snapshot.last_ran.map(|from| Gap { from, to: snapshot.started });
        Self { name: name.to_owned(), place: place.to_owned(), not_running, failing: None, told: None }
    }

    /// Since when it is not reached.
    #[must_use]
    pub fn unreached_since(&self) -> Option<Timestamp> {
        self.failing.as_ref().map(|failing| failing.since)
    }

    /// What it is told by the collector whose views stand at `own`; the last line says all that holds now. `others` are the
    /// watchdogs that are not reached, and since when.
    #[must_use]
    pub fn words(
        &self,
        own: &str,
        health: &Health,
        snapshot: &Snapshot,
        others: &BTreeMap<String, Timestamp>,
    ) -> String {
        let mut lines = vec![format!("muster-collector at {own}")];
        lines.extend(self.not_running.map(|gap| format!("it did not run from {} to {}", gap.from, gap.to)));
        lines.extend(
            self.unreached_since().map(|since| format!("it was cut off from here since {since}, and ran all the time")),
        );
        let mut now_true = vec![match health {
            Health::Well => "well".to_owned(),
            Health::Unwell { why, .. } => format!("not well: {why}"),
        }];
        now_true.extend(snapshot.cuts.iter().map(|(scope, since)| format!("cut off from {scope} since {since}")));
        let others = others.iter().filter(|(name, _)| **name != self.name);
        now_true.extend(others.map(|(name, since)| format!("cut off from watchdog {name} since {since}")));
        lines.push(now_true.join("; "));
        lines.join("\n")
    }

    /// It heard us. Answers what the desk is to know now.
    pub fn heard(&mut self) -> Option<Event> {
        (self.not_running, self.failing) = (None, None);
        (self.told != Some(false)).then(|| {
            self.told = Some(false);
            self.event(None)
        })
    }

    /// It was not reached, or did not take the word. Answers what the desk is to know now.
    pub fn unheard(&mut self, error: &str, now: Timestamp) -> Option<Event> {
        let failing = self.failing.get_or_insert(Failing { since: now, rounds: 0 });
        failing.rounds += 1;
        let (since, is_long) = (failing.since, failing.rounds >= ROUNDS);
        (is_long && self.told != Some(true)).then(|| {
            self.told = Some(true);
            let (name, place) = (&self.name, &self.place);
            self.event(Some(format!(
                "watchdog {name} at {place} is not reached since {since}: {error}; there this collector is taken for dead"
            )))
        })
    }

    /// The desk could not be told.
    pub fn forgotten(&mut self) {
        self.told = None;
    }

    fn event(&self, trouble: Option<String>) -> Event {
        let trouble = trouble.map(|text| (Severity::Warning, text));
        Event::SelfCheck { what: format!("watchdog/{}", self.name), trouble }
    }
}

/// Says that what is wrong with watchdogs that are not among `names` any more is over.
#[must_use]
pub fn left_over(snapshot: &Snapshot, names: &[&str]) -> Vec<Event> {
    let open = snapshot.incidents.values().filter(|incident| incident.row.resolved.is_none());
    let whats = open.filter_map(|incident| incident.row.key.strip_prefix("self/collector/"));
    let is_gone = |what: &&str| match what.strip_prefix("watchdog/") {
        Some(name) => !names.contains(&name),
        None => *what == OWN && names.is_empty(),
    };
    whats.filter(is_gone).map(|what| Event::SelfCheck { what: what.to_owned(), trouble: None }).collect()
}

#[cfg(test)]
#[path = "watchdog_tests.rs"]
mod tests;

//! What a choice would have meant for the pages of the last 90 days: how many it would have spared, and how many of
//! those were about something real.
//!
//! A page is a call: a message that an incident began, goes on or got worse; what only tells of its end or of who has it
//! is none. An incident counts as real when somebody took it or closed it by hand, or when it lasted for more than an
//! hour; what was said not to be a problem is not, nor is the incident that is looked at. So a long trouble that nobody
//! cared for counts as real: the figure rather warns too often.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::{
    hold::{Hold, When},
    ids::IncidentNo,
    record::IncidentRow,
    time::Timestamp,
};

/// How far back pages are looked at, in milliseconds: 90 days.
pub const LOOKS_BACK_MS: i64 = 90 * 86_400_000;
/// What lasts for longer is taken for real.
pub const REAL_AFTER_MS: i64 = 3_600_000;
/// Real incidents that are named; more are counted.
const NAMED: usize = 10;

/// A past incident with its calls.
#[derive(Debug, Clone)]
pub struct Past {
    /// The incident.
    pub row: IncidentRow,
    /// Whether somebody ever took it, or closed it by hand.
    pub handled: bool,
    /// When people were called, oldest first.
    pub calls: Vec<Timestamp>,
}

impl Past {
    /// How long it lasted, so far.
    #[must_use]
    pub fn lasted_ms(&self, now: Timestamp) -> i64 {
        self.row.resolved.unwrap_or(now).since_ms(self.row.since).max(0)
    }

    /// Whether it was about something real, as far as anybody can tell.
    #[must_use]
    pub fn is_real(&self, dismissed: &BTreeSet<IncidentNo>, now: Timestamp) -> bool {
        !dismissed.contains(&self.row.no) && (self.handled || self.lasted_ms(now) > REAL_AFTER_MS)
    }
}

/// What would have become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nobody would have been called.
    Spared,
    /// It would have come all the same, or later.
    Kept,
    /// Nobody knows: the figures of that time are not kept.
    CannotTell,
}

/// What a choice would have meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls about what the choice is about.
    pub pages: usize,
    /// Of these, calls that it would have spared.
    pub spared: usize,
    /// Of those, calls about something real.
    pub missed: usize,
    /// Calls of which nobody can tell.
    pub cannot_tell: usize,
    /// Real incidents of which nobody would have been told at all: how many, and the first of them.
    pub missed_incidents: usize,
    /// The newest of them.
    pub missed_numbers: Vec<IncidentNo>,
}

/// Counts; `dismissed` are the incidents that are known not to be real, the one that is looked at among them.
#[must_use]
pub fn tally(
    past: &[Past],
    dismissed: &BTreeSet<IncidentNo>,
    now: Timestamp,
    fate: impl Fn(&Past, Timestamp) -> Fate,
) -> Tally {
    let mut tally = Tally::default();
    for incident in past {
        let fates: Vec<Fate> = incident.calls.iter().map(|at| fate(incident, *at)).collect();
        let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        let spared = count(Fate::Spared);
        tally.pages += fates.len();
        tally.spared += spared;
        tally.cannot_tell += count(Fate::CannotTell);
        if incident.is_real(dismissed, now) {
            tally.missed += spared;
            if spared > 0 && spared == fates.len() {
                tally.missed_incidents += 1;
                tally.missed_numbers.push(incident.row.no);
            }
        }
    }
    tally.missed_numbers.sort_unstable_by(|a, b| b.cmp(a));
    tally.missed_numbers.truncate(NAMED);
    tally
}

/// What a hold that covers an incident would have made of a call. A silence is taken as if it had always lasted; what a
/// window holds back comes at its end if the trouble is still there.
#[must_use]
pub fn under_hold(hold: &Hold, incident: &Past, at: Timestamp) -> Fate {
    let When::Recurring(recurring) = &hold.when else { return Fate::Spared };
    let over_by = |end: Timestamp| incident.row.resolved.is_some_and(|resolved| resolved <= end);
    match recurring.at(at) {
        Some(span) if over_by(span.until) => Fate::Spared,
        _ => Fate::Kept,
    }
}

impl Tally {
    /// In words: `it would have spared 12 of 14 pages of the last 90 days; 2 of these were about something real (#7)`.
    #[must_use]
    pub fn words(&self) -> String {
        if self.pages == 0 {
            return "nobody was paged for this in the last 90 days".into();
        }
        let of = |n: usize| if n == 1 { "1 page".to_owned() } else { format!("{n} pages") };
        let mut words = format!("it would have spared {} of {} of the last 90 days", self.spared, of(self.pages));
        words.push_str(&match self.missed {
            0 if self.spared == 0 => String::new(),
            0 => "; none of them was about something real".to_owned(),
            1 => "; 1 of them was about something real".to_owned(),
            n => format!("; {n} of them were about something real"),
        });
        if self.missed_incidents > 0 {
            let mut named: Vec<String> = self.missed_numbers.iter().map(|no| format!("#{no}")).collect();
            let more = self.missed_incidents.saturating_sub(named.len());
            named.extend((more > 0).then(|| format!("{more} more")));
            words.push_str(&format!(", and nobody would have heard of {}", named.join(", ")));
        }
        if self.cannot_tell > 0 {
            words.push_str(&format!("; of {} nobody can tell, their figures are not kept", of(self.cannot_tell)));
        }
        words
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;

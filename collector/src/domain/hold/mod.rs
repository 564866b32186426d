//! Holds: maintenance windows (planned) and silences (a person's word). While one lasts, incidents that it covers page
//! nobody; they are seen all the same, and page when it ends with the trouble still there.

pub mod own;
mod scope;
mod when;

use serde::{Deserialize, Serialize};

pub use self::{
    scope::{Labels, Scope, Subject, confirmed_labels, what_of},
    when::When,
};
use super::{
    calendar::Span,
    ids::{HoldNo, HostNo},
    time::Timestamp,
};

/// Longest single maintenance window, in milliseconds: 31 days.
pub const LONGEST_WINDOW_MS: i64 = 31 * 86_400_000;
/// Longest silence, in milliseconds: one that is forgotten ends within 30 days.
pub const LONGEST_SILENCE_MS: i64 = 30 * 86_400_000;
/// Hosts that are named as not back; more are counted.
pub const NAMES_KEPT: usize = 50;

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Planned work: also left out of service levels.
    Maintenance,
    /// Nobody wants to be told for now.
    Silence,
}

impl Kind {
    /// The kind's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Silence => "silence",
        }
    }
}

/// A maintenance window or a silence, as stored. Versions are appended, never edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its number.
    pub no: HoldNo,
    /// Counts its changes: 1, 2, 3...
    pub version: i64,
    /// Which of the two.
    pub kind: Kind,
    /// What it covers.
    pub scope: Scope,
    /// When.
    pub when: When,
    /// Why.
    pub reason: String,
    /// The change it belongs to, such as `CHG123`; empty: none.
    pub change: String,
    /// Who made it.
    pub by: String,
    /// When it was made.
    pub made: Timestamp,
    /// When somebody ended it before its time, and who.
    pub ended: Option<(Timestamp, String)>,
    /// How its last occurrence ended.
    pub outcome: Option<Outcome>,
    /// The host that began it over itself.
    #[serde(default)]
    pub own: Option<HostNo>,
}

/// How an occurrence ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When it ended.
    pub at: Timestamp,
    /// Hosts with an open incident that it had held back, by name.
    pub not_back: Vec<String>,
}

impl Hold {
    /// The occurrence that an instant lies in.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Span> {
        let end = self.ended.as_ref().map(|(at, _)| *at);
        let span = self.when.at(now).filter(|_| end.is_none_or(|end| now < end))?;
        Some(Span { until: end.map_or(span.until, |end| span.until.min(end)), ..span })
    }

    /// Its occurrences that begin after an instant.
    pub fn following(&self, now: Timestamp) -> impl Iterator<Item = Span> {
        let end = self.ended.as_ref().map(|(at, _)| *at);
        self.when.following(now).take_while(move |span| end.is_none_or(|end| span.from < end))
    }

    /// What of its occurrences lies in a stretch of time.
    #[must_use]
    pub fn within(&self, within: Span) -> Vec<Span> {
        let end = self.ended.as_ref().map_or(within.until, |(at, _)| within.until.min(*at));
        let cut = |span: Span| Span { from: span.from.max(within.from), until: span.until.min(end) };
        self.when.within(within).into_iter().map(cut).filter(|span| span.from < span.until).collect()
    }

    /// Whether it has ended for good.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.at(now).is_none() && self.following(now).next().is_none()
    }

    /// When it next begins or ends.
    #[must_use]
    pub fn turns_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self.at(now) {
            Some(span) => Some(span.until),
            // One that waits for trouble turns when its time is over.
            None => self.following(now).next().map(|span| if span.from > now { span.from } else { span.until }),
        }
    }

    /// `maintenance 3 (CHG123)`
    #[must_use]
    pub fn name(&self) -> String {
        let change = if self.change.is_empty() { String::new() } else { format!(" ({})", self.change) };
        format!("{} {}{change}", self.kind.word(), self.no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn window(when: When) -> Hold {
        let (scope, by, reason) = (Scope::default(), "ann".into(), "new disks".into());
        let (made, no) = (Timestamp::from_ms(0), HoldNo(3));
        let (kind, change) = (Kind::Maintenance, "CHG123".to_owned());
        Hold { no, version: 1, kind, scope, when, reason, change, by, made, ended: None, outcome: None, own: None }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_ms(hours * HOUR)
    }

    #[test]
    fn a_window_holds_from_its_first_instant_to_the_one_before_its_end() {
        let hold = window(When::Once(Span { from: at(10), until: at(12) }));
        let holds = |hours: i64, ms: i64| hold.at(at(hours).plus_ms(ms)).is_some();
        assert_eq!([holds(9, HOUR - 1), holds(10, 0), holds(11, HOUR - 1), holds(12, 0)], [false, true, true, false]);
        assert_eq!(
            [hold.turns_after(at(9)), hold.turns_after(at(11)), hold.turns_after(at(12))],
            [Some(at(10)), Some(at(12)), None]
        );
        assert!(!hold.is_over(at(11)) && hold.is_over(at(12)));
        assert_eq!(hold.name(), "maintenance 3 (CHG123)");
    }

    #[test]
    fn one_that_was_ended_early_gives_the_rest_back() {
        let mut hold = window(When::Once(Span { from: at(10), until: at(12) }));
        hold.ended = Some((at(11), "bob".into()));
        assert_eq!(hold.at(at(10)), Some(Span { from: at(10), until: at(11) }));
        assert!(hold.at(at(11)).is_none() && hold.is_over(at(11)));
        hold.ended = Some((at(9), "bob".into()));
        assert!(hold.is_over(at(9)), "one that never began");
    }

    #[test]
    fn a_flexible_one_begins_with_the_first_trouble_and_lasts_its_time() {
        let mut hold =
            window(When::Flexible { within: Span { from: at(10), until: at(20) }, lasts_ms: HOUR, began: None });
        assert!(hold.at(at(11)).is_none(), "nothing has happened yet");
        assert_eq!([hold.turns_after(at(5)), hold.turns_after(at(11))], [Some(at(10)), Some(at(20))]);
        assert!(!hold.when.begin(at(9)), "not in its time");
        assert!(hold.when.begin(at(19)) && !hold.when.begin(at(19)), "once");
        assert_eq!(hold.at(at(19)), Some(Span { from: at(19), until: at(20) }));
        assert!(hold.is_over(at(20)));
        let unused =
            window(When::Flexible { within: Span { from: at(10), until: at(20) }, lasts_ms: HOUR, began: None });
        assert!(!unused.is_over(at(19)) && unused.is_over(at(20)));
    }
}

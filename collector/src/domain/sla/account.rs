//! The account of a subject: every stretch that was not simply up, what it counts as, why, and which window was over it.
//! Its entries are the stretches of the reckoning themselves, so their lengths add up to its buckets.

use super::{
    agreement::{Agreement, Policy},
    history::Observation,
    lattice::{Bucket, Stretch},
    report::Line,
};
use crate::domain::{calendar::Span, time::Timestamp};

/// Reasons kept of one entry: what flaps for days has thousands.
const REASONS: usize = 5;

/// A stretch that was not simply up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From when to when.
    pub span: Span,
    /// What it was.
    pub bucket: Bucket,
    /// What it does to the figure.
    pub counts: Policy,
    /// Whether it goes on.
    pub open: bool,
    /// Why, and what proves it, in order.
    pub reasons: Vec<Reason>,
    /// Further reasons that are not in the list.
    pub more: usize,
    /// Windows of planned work over it; of a service, over what it is made of.
    pub windows: Vec<String>,
    /// How much of planned work the subject was observed to be down in, in milliseconds; 0 outside of planned work.
    pub down_within_ms: i64,
}

/// Why something was observed, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In words.
    pub cause: String,
    /// What proves it.
    pub evidence: String,
}

impl Entry {
    /// How long it is, in milliseconds.
    #[must_use]
    pub const fn length_ms(&self) -> i64 {
        self.span.until.since_ms(self.span.from)
    }

    /// Whether it is missing from what was promised.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.counts == Policy::AsDown
    }

    /// Whether nobody can prove it either way.
    #[must_use]
    pub const fn is_unproven(&self) -> bool {
        matches!(self.bucket, Bucket::Unreachable | Bucket::CollectorDown | Bucket::Unknown)
    }
}

/// The entries of a line, in order: all of its window that was measured to be neither up nor outside of what was agreed.
#[must_use]
pub fn entries(agreement: &Agreement, line: &Line, now: Timestamp) -> Vec<Entry> {
    let observed = InOrder::of(&line.known.observed);
    let shown = |bucket: Bucket| !matches!(bucket, Bucket::Up | Bucket::OutsideHours);
    let stretches = line.reckoning.stretches.iter().filter(|stretch| shown(stretch.bucket));
    stretches
        .map(|Stretch { span, bucket }| {
            let is_planned = *bucket == Bucket::Maintenance;
            let says_why = |entry: &&Observation| match entry.stretch.bucket {
                // What planned work hides.
                Bucket::Down | Bucket::CleanStop if is_planned => true,
                other => other == *bucket,
            };
            let why: Vec<&Observation> = observed.within(*span).filter(says_why).collect();
            let (reasons, more) = reasons(&why);
            let down = why.iter().map(|entry| overlap_ms(entry.stretch.span, *span)).sum();
            Entry {
                span: *span,
                bucket: *bucket,
                counts: agreement.policy(*bucket),
                open: span.until == now,
                reasons,
                more,
                windows: if is_planned { windows(line, *span) } else { Vec::new() },
                down_within_ms: if is_planned { down } else { 0 },
            }
        })
        .collect()
}

/// Observations by when they begin, each with the latest end of all up to it.
pub(super) struct InOrder<'a>(Vec<(&'a Observation, Timestamp)>);

impl<'a> InOrder<'a> {
    pub(super) fn of(observed: &'a [Observation]) -> Self {
        let mut sorted: Vec<&Observation> = observed.iter().collect();
        sorted.sort_by_key(|entry| entry.stretch.span.from);
        let latest = sorted.into_iter().scan(Timestamp::from_ms(i64::MIN), |latest, entry| {
            *latest = entry.stretch.span.until.max(*latest);
            Some((entry, *latest))
        });
        Self(latest.collect())
    }

    /// Those that share time with a span.
    pub(super) fn within(&self, span: Span) -> impl Iterator<Item = &'a Observation> {
        let first = self.0.partition_point(|(_, latest)| *latest <= span.from);
        let begun = self.0[first..].iter().take_while(move |(entry, _)| entry.stretch.span.from < span.until);
        begun.map(|(entry, _)| *entry).filter(move |entry| overlap_ms(entry.stretch.span, span) > 0)
    }
}

/// The first different ones, and how many more there are.
fn reasons(why: &[&Observation]) -> (Vec<Reason>, usize) {
    let mut reasons: Vec<Reason> = Vec::new();
    for entry in why {
        let reason = Reason { cause: entry.cause.clone(), evidence: entry.evidence.clone() };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let more = reasons.len().saturating_sub(REASONS);
    reasons.truncate(REASONS);
    (reasons, more)
}

fn windows(line: &Line, span: Span) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let leaves = line.known.leaves();
    for planned in leaves.iter().flat_map(|leaf| &leaf.maintenance).filter(|planned| planned.is_measured()) {
        if overlap_ms(planned.span, span) > 0 && !names.contains(&planned.window) {
            names.push(planned.window.clone());
        }
    }
    names
}

fn overlap_ms(one: Span, other: Span) -> i64 {
    one.until.min(other.until).since_ms(one.from.max(other.from)).max(0)
}

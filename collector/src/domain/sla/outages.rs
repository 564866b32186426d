//! Outages: unbroken stretches that an agreement counts against itself, and what is usually asked of them.

use super::{
    agreement::{Agreement, Policy},
    amendment::{Category, Note},
    figures::Figures,
    history::Observation,
    lattice::{Bucket, Stretch},
};
use crate::domain::{calendar::Span, time::Timestamp};

/// One.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// From the last proof of life to the first after it, as far as the window reaches.
    pub span: Span,
    /// Whether it still goes on.
    pub open: bool,
    /// Why, in words.
    pub cause: String,
    /// What proves it.
    pub evidence: String,
    /// What people say of it.
    pub notes: Vec<String>,
    /// What kind of cause people say it had.
    pub category: Option<Category>,
    /// Whether the parties disagree on it.
    pub disputed: bool,
}

/// Means of restored outages (ITIL's words), in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Means {
    /// How many there were, an open one too.
    pub outages: i64,
    /// Longest.
    pub longest_ms: i64,
    /// Mean time to restore service; none without a restored outage.
    pub mtrs_ms: Option<i64>,
    /// The middle one.
    pub median_ms: Option<i64>,
    /// Nine of ten are no longer.
    pub p90_ms: Option<i64>,
    /// Mean time between failures: served for each outage.
    pub mtbf_ms: Option<i64>,
    /// Mean time between service incidents: agreed for each outage.
    pub mtbsi_ms: Option<i64>,
}

/// The outages of a window, in order.
#[must_use]
pub fn outages(agreement: &Agreement, stretches: &[Stretch], observed: &[Observation], now: Timestamp) -> Vec<Outage> {
    let counts = |bucket| match bucket {
        Bucket::Down => true,
        Bucket::CleanStop => agreement.clean_stop == Policy::AsDown,
        _ => false,
    };
    let mut found: Vec<Outage> = Vec::new();
    for stretch in stretches.iter().filter(|stretch| counts(stretch.bucket)) {
        match found.last_mut() {
            Some(last) if last.span.until == stretch.span.from => last.span.until = stretch.span.until,
            _ => found.push(outage(stretch.span, observed)),
        }
    }
    for outage in &mut found {
        outage.open = outage.span.until == now;
    }
    found
}

fn outage(span: Span, observed: &[Observation]) -> Outage {
    let why = observed.iter().find(|entry| {
        matches!(entry.stretch.bucket, Bucket::Down | Bucket::CleanStop) && entry.stretch.span.holds(span.from)
    });
    let (cause, evidence) = why.map(|entry| (entry.cause.clone(), entry.evidence.clone())).unwrap_or_default();
    Outage { span, open: false, cause, evidence, notes: Vec::new(), category: None, disputed: false }
}

/// Adds what people say of outages: a word belongs to the one that its instant lies in, and the last one counts.
pub fn annotate(outages: &mut [Outage], notes: &[Note]) {
    for note in notes {
        let Some(outage) = outages.iter_mut().find(|outage| outage.span.holds(note.at)) else { continue };
        outage.notes.push(note.text.clone());
        outage.category = note.cause.or(outage.category);
        outage.disputed = note.disputed.unwrap_or(outage.disputed);
    }
}

impl Means {
    /// Of outages in agreed time.
    #[must_use]
    pub fn of(outages: &[Outage], figures: &Figures) -> Self {
        let length = |outage: &Outage| outage.span.until.since_ms(outage.span.from);
        let mut restored: Vec<i64> = outages.iter().filter(|outage| !outage.open).map(length).collect();
        restored.sort_unstable();
        let count = i64::try_from(outages.len()).unwrap_or(i64::MAX);
        let each = |total: i64| (count > 0).then(|| total / count);
        let whole = i64::try_from(restored.len()).unwrap_or(i64::MAX);
        Self {
            outages: count,
            longest_ms: outages.iter().map(length).max().unwrap_or(0),
            mtrs_ms: (whole > 0).then(|| restored.iter().sum::<i64>() / whole),
            median_ms: rank(&restored, 50),
            p90_ms: rank(&restored, 90),
            mtbf_ms: each(figures.served_ms),
            mtbsi_ms: each(figures.agreed_ms),
        }
    }
}

/// The value that so many percent of the sorted ones do not exceed (nearest rank); none of none.
pub(super) fn rank(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied()
}

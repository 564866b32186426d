//! Which of the things that are true of an instant it counts as.

use serde::{Deserialize, Serialize};

use crate::domain::{calendar::Span, time::Timestamp};

/// What an instant counts as. Where several are true of it, the first in this order wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// The agreement does not cover it.
    OutsideHours,
    /// Planned work.
    Maintenance,
    /// Proven not to serve, unplanned.
    Down,
    /// Down after a shutdown, a reboot or a suspension that was asked for.
    CleanStop,
    /// Proven to serve.
    Up,
    /// Cut off from the collector; no proof either way.
    Unreachable,
    /// The collector did not run; no proof either way.
    CollectorDown,
    /// Nobody can say. Time of which nothing is known is this.
    Unknown,
}

impl Bucket {
    /// All, in the order in which they win.
    pub const ALL: [Self; 8] = [
        Self::OutsideHours,
        Self::Maintenance,
        Self::Down,
        Self::CleanStop,
        Self::Up,
        Self::Unreachable,
        Self::CollectorDown,
        Self::Unknown,
    ];

    /// As records, files and metrics write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OutsideHours => "outside_hours",
            Self::Maintenance => "maintenance",
            Self::Down => "down",
            Self::CleanStop => "clean_stop",
            Self::Up => "up",
            Self::Unreachable => "unreachable",
            Self::CollectorDown => "collector_down",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of time and what it counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When.
    pub span: Span,
    /// What it counts as.
    pub bucket: Bucket,
}

impl Stretch {
    /// From here to there.
    #[must_use]
    pub const fn new(from: Timestamp, until: Timestamp, bucket: Bucket) -> Self {
        Self { span: Span { from, until }, bucket }
    }
}

/// The window cut into stretches, without gap or overlap and in order: each instant counts as the first bucket that is true
/// of it, and as unknown where none is. What lies outside of the window is cut off; equal neighbours are one stretch.
#[must_use]
pub fn lay(given: impl Iterator<Item = Stretch>, window: Span) -> Vec<Stretch> {
    let mut edges: Vec<(Timestamp, Bucket, bool)> = Vec::new();
    for Stretch { span, bucket } in given {
        let (from, until) = (span.from.max(window.from), span.until.min(window.until));
        if from < until {
            edges.push((from, bucket, true));
            edges.push((until, bucket, false));
        }
    }
    edges.sort_unstable();
    let mut open = [0_u32; Bucket::ALL.len()];
    let mut laid: Vec<Stretch> = Vec::new();
    let mut at = window.from;
    for (edge, bucket, begins) in edges {
        push(&mut laid, at, edge, first(&open));
        at = edge;
        let count = &mut open[bucket as usize];
        // An end never comes before its beginning: edges are sorted by time, and empty spans were left out.
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
    }
    push(&mut laid, at, window.until, first(&open));
    laid
}

fn first(open: &[u32; Bucket::ALL.len()]) -> Bucket {
    let found = Bucket::ALL.into_iter().zip(open).find(|(_, count)| **count > 0);
    found.map_or(Bucket::Unknown, |(bucket, _)| bucket)
}

fn push(laid: &mut Vec<Stretch>, from: Timestamp, until: Timestamp, bucket: Bucket) {
    if from >= until {
        return;
    }
    match laid.last_mut() {
        Some(last) if last.bucket == bucket => last.span.until = until,
        _ => laid.push(Stretch::new(from, until, bucket)),
    }
}

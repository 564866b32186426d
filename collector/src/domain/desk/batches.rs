//! Batches of drives that fail together: one problem for each, whatever hosts they are in. It is a warning: what a single drive
//! endangers is told of that drive, and a batch is a letter to a vendor.

use std::collections::BTreeSet;

use super::{Desk, DeskStep, problem::Problem};
use crate::domain::{record::ProblemRow, reliability::Batch, severity::Severity, time::Timestamp};

/// What kind of problem it is.
pub(super) const KIND: &str = "batch";
/// Longest model and firmware in a key, in characters; agents' text is not trusted to be short.
const NAME_CHARS: usize = 80;

impl Desk {
    /// All batches that stand now; others are nobody's trouble any more.
    pub fn batches(&mut self, batches: &[Batch], now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let known: BTreeSet<String> = batches.iter().map(key).collect();
        let problems = self.problems.values().map(|problem| &problem.row).filter(|row| row.kind == KIND);
        let over: Vec<String> = problems.map(|row| row.key.clone()).filter(|key| !known.contains(key)).collect();
        for key in over {
            self.weigh(key, None, now, &mut step);
        }
        for batch in batches {
            self.weigh(key(batch), Some(of_batch(batch, now)), now, &mut step);
        }
        step
    }
}

/// `batch/<model>/<firmware>`
fn key(batch: &Batch) -> String {
    let name = |text: &str| -> String {
        text.chars()
            .filter(|sign| !sign.is_control())
            .map(|sign| if sign == '/' { '_' } else { sign })
            .take(NAME_CHARS)
            .collect()
    };
    format!("{KIND}/{}/{}", name(&batch.model), name(&batch.firmware))
}

/// The model that an incident with this key is about.
pub(super) fn model_of(key: &str) -> Option<&str> {
    key.strip_prefix(KIND)?.strip_prefix('/')?.split('/').next()
}

fn of_batch(batch: &Batch, now: Timestamp) -> Problem {
    let row = ProblemRow {
        key: key(batch),
        host: None,
        hosts: batch.hosts.clone(),
        kind: KIND.into(),
        severity: Severity::Warning,
        since: batch.since,
        summary: batch.summary.clone(),
        evidence: batch.evidence.clone(),
        cause: None,
        part_of: None,
        incident: None,
        fold_until: now,
        alert: None,
    };
    Problem { row, until: None }
}

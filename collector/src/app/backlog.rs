//! What could not be recorded yet. Nothing of it is published, acknowledged or answered; paging alone fails open.

use std::collections::VecDeque;

use crate::domain::{
    event::Effect,
    record::{Page, Row},
    time::Timestamp,
};

/// A page that could not be recorded for this long is sent unrecorded, in milliseconds.
const FAIL_OPEN_MS: i64 = 5_000;
/// Between two tries to record, in milliseconds.
const RETRY_MS: i64 = 1_000;
/// Rows that are kept; beyond them the oldest batches of rows are given up, counted by the caller.
const ROWS_KEPT: usize = 200_000;

/// Batches that wait for the store, oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    batches: VecDeque<Batch>,
    rows: usize,
    retry_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Batch {
    since: Timestamp,
    rows: Vec<Row>,
    effects: Vec<Effect>,
}

impl Backlog {
    /// Whether everything is recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Adds a batch that could not be recorded. Returns how many rows were given up to keep within the bound.
    pub(super) fn push(&mut self, rows: Vec<Row>, effects: Vec<Effect>, now: Timestamp) -> usize {
        self.rows += rows.len();
        self.batches.push_back(Batch { since: now, rows, effects });
        self.retry_at.get_or_insert(now.plus_ms(RETRY_MS));
        let mut lost = 0;
        for batch in &mut self.batches {
            if self.rows <= ROWS_KEPT {
                break;
            }
            lost += batch.rows.len();
            self.rows -= batch.rows.len();
            batch.rows.clear();
        }
        lost
    }

    /// Whether it is time to try again.
    pub(super) fn retry_due(&self, now: Timestamp) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    /// All rows in order, for one more try.
    pub(super) fn all_rows(&self) -> Vec<Row> {
        self.batches.iter().flat_map(|batch| batch.rows.iter().cloned()).collect()
    }

    /// The try failed again.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.retry_at = Some(now.plus_ms(RETRY_MS));
    }

    /// Everything is recorded: what waited for it, in order.
    pub(super) fn recorded(&mut self) -> Vec<Effect> {
        self.rows = 0;
        self.retry_at = None;
        self.batches.drain(..).flat_map(|batch| batch.effects).collect()
    }

    /// Pages that have waited too long: they go out unrecorded, with the key they would have had, marked so.
    pub(super) fn pages_to_send_anyway(&mut self, now: Timestamp) -> Vec<Page> {
        let mut pages = Vec::new();
        for batch in self.batches.iter_mut().filter(|batch| now.since_ms(batch.since) >= FAIL_OPEN_MS) {
            for effect in std::mem::take(&mut batch.effects) {
                match effect {
                    Effect::Notify(mut page) => {
                        page.details.push_str("\n(sent before it could be recorded: the collector's disk fails)");
                        pages.push(*page);
                    }
                    other => batch.effects.push(other),
                }
            }
        }
        pages
    }
}

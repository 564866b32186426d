//! PURE. The record lane of one session: what was taken, what is being committed, what may be acknowledged.
//!
//! Facts are committed in groups, one commit in flight, and acknowledged only by what the store returned. A fact that
//! the store cannot take is tried alone and then replaced by a note of its place, so that the lane goes on; if not even
//! the note can be stored it is the store that fails, and nothing is put aside.
//! When the lane is full nothing more is taken on this stream (readings go on); once it is empty again the agent is
//! asked to open a new stream and sends the rest again.

use std::collections::VecDeque;

use crate::store::{Fact, StoreError};

/// Facts waiting for their commit (at most 256 un-acknowledged).
pub const WAITING: usize = 256;
/// Their bytes.
pub const WAITING_BYTES: usize = 1024 * 1024;
/// Facts in one commit.
pub const GROUP: usize = 64;
/// How far a sequence may be ahead of what the agent has said to hold.
pub const JUMP: u64 = 1_000_000;
/// Tries of a commit after which the store's trouble may be one fact's.
const TRIES: u32 = 3;
/// First and longest wait after a failed commit, milliseconds.
const BACKOFF_MS: (u64, u64) = (1_000, 30_000);

/// What became of a record that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its commit.
    Waiting,
    /// It is known already: the acknowledgement is said again.
    Known,
    /// The lane is full; it is not taken and never acknowledged on this stream.
    Full,
    /// Its number is absurd.
    TooFar,
}

/// The lane.
#[derive(Debug)]
pub struct Lane {
    through: u64,
    last: u64,
    furthest: u64,
    waiting: VecDeque<Fact>,
    bytes: usize,
    tries: u32,
    noted: bool,
    overflowed: bool,
    refused: Vec<(u64, String)>,
}

impl Lane {
    /// A lane that is durable `through` a sequence, of an agent that holds records up to `last_record`.
    #[must_use]
    pub fn new(through: u64, last_record: u64) -> Self {
        Self {
            through,
            last: through,
            furthest: through.max(last_record),
            waiting: VecDeque::new(),
            bytes: 0,
            tries: 0,
            noted: false,
            overflowed: false,
            refused: Vec::new(),
        }
    }

    /// What may be acknowledged.
    #[must_use]
    pub const fn through(&self) -> u64 {
        self.through
    }

    /// Takes a fact.
    pub fn take(&mut self, fact: Fact) -> Taken {
        if fact.sequence <= self.last {
            return Taken::Known;
        }
        if fact.sequence > self.furthest.saturating_add(JUMP) {
            return Taken::TooFar;
        }
        if self.overflowed || self.waiting.len() >= WAITING || self.bytes >= WAITING_BYTES {
            self.overflowed = true;
            return Taken::Full;
        }
        self.last = fact.sequence;
        self.furthest = self.furthest.max(fact.sequence);
        self.bytes += fact.body.len();
        self.waiting.push_back(fact);
        Taken::Waiting
    }

    /// The agent is told that this record was put aside.
    pub fn refuse(&mut self, sequence: u64, reason: String) {
        if self.refused.len() < WAITING {
            self.refused.push((sequence, reason));
        }
    }

    /// What to tell about records put aside, once.
    pub fn take_refused(&mut self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.refused)
    }

    /// Whether something waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the agent must open a new stream to go on: the lane was full and is empty again.
    #[must_use]
    pub fn wants_new_stream(&self) -> bool {
        self.overflowed && self.waiting.is_empty()
    }

    /// The next group to commit: one fact alone while the last group keeps failing.
    #[must_use]
    pub fn group(&self) -> Vec<Fact> {
        let size = if self.tries >= TRIES { 1 } else { GROUP };
        self.waiting.iter().take(size).cloned().collect()
    }

    /// The store has everything through this sequence.
    pub fn committed(&mut self, through: u64) {
        self.through = self.through.max(through);
        while self.waiting.front().is_some_and(|fact| fact.sequence <= self.through) {
            self.bytes -= self.waiting.pop_front().map_or(0, |fact| fact.body.len());
        }
        if std::mem::take(&mut self.noted) {
            self.refused.push((self.through, "the store could not take it; it was put aside".into()));
        }
        self.tries = 0;
    }

    /// A commit failed: what to do is in the lane, when to try again is the answer, in milliseconds.
    pub fn failed(&mut self, error: &StoreError) -> u64 {
        self.tries = self.tries.saturating_add(1);
        let alone_and_broken = self.tries > 2 * TRIES && matches!(error, StoreError::Broken(_));
        if alone_and_broken && !self.noted {
            self.note_front(error);
        }
        BACKOFF_MS.0.saturating_mul(1 << (self.tries - 1).min(5)).min(BACKOFF_MS.1)
    }

    fn note_front(&mut self, error: &StoreError) {
        if let Some(front) = self.waiting.front_mut() {
            self.bytes -= front.body.len();
            let note = serde_json::json!({
                "kind": front.kind, "size_bytes": front.body.len(), "reason": error.to_string(),
            });
            (front.kind, front.body) = ("refused", note.to_string());
            self.bytes += front.body.len();
            self.noted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn fact(sequence: u64) -> Fact {
        Fact { sequence, at: Timestamp::from_ms(0), kind: "gap", body: "{}".into() }
    }

    #[test]
    fn a_record_is_acknowledged_only_after_its_commit() {
        let mut lane = Lane::new(4, 6);
        assert_eq!(lane.take(fact(5)), Taken::Waiting);
        assert_eq!(lane.through(), 4);
        lane.committed(5);
        assert_eq!((lane.through(), lane.is_empty()), (5, true));
    }

    #[test]
    fn a_replayed_record_is_known_and_a_far_one_refused() {
        let mut lane = Lane::new(4, 6);
        assert_eq!(lane.take(fact(4)), Taken::Known);
        assert_eq!(lane.take(fact(7)), Taken::Waiting);
        assert_eq!(lane.take(fact(6)), Taken::Known);
        assert_eq!(lane.take(fact(7 + JUMP + 1)), Taken::TooFar);
        assert_eq!(lane.take(fact(1 << 63)), Taken::TooFar);
    }

    #[test]
    fn a_collector_restored_from_yesterday_takes_records_from_far_ahead() {
        let mut lane = Lane::new(4, 5_000_000);
        assert_eq!(lane.take(fact(4_999_999)), Taken::Waiting);
    }

    #[test]
    fn a_full_lane_takes_nothing_more_and_then_asks_for_a_new_stream() {
        let mut lane = Lane::new(0, 1_000);
        assert!((1..=256).all(|n| lane.take(fact(n)) == Taken::Waiting));
        assert_eq!(lane.take(fact(257)), Taken::Full);
        lane.committed(10);
        assert_eq!(lane.take(fact(258)), Taken::Full, "a later one would leave a hole");
        assert!(!lane.wants_new_stream());
        lane.committed(256);
        assert!(lane.wants_new_stream());
    }

    #[test]
    fn a_full_disk_puts_nothing_aside() {
        let mut lane = Lane::new(0, 10);
        lane.take(fact(1));
        let waits: Vec<u64> = (0..20).map(|_| lane.failed(&StoreError::Full("facts.db".into()))).collect();
        assert_eq!(waits[..6], [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
        assert_eq!(lane.group(), [fact(1)]);
        lane.committed(1);
        assert!(lane.take_refused().is_empty());
    }

    #[test]
    fn a_record_that_breaks_the_store_is_put_aside_and_the_next_ones_go_on() {
        let mut lane = Lane::new(0, 10);
        (1..=3).for_each(|n| assert_eq!(lane.take(fact(n)), Taken::Waiting));
        let broken = StoreError::Broken("no such column".into());
        (0..3).for_each(|_| assert!(lane.failed(&broken) > 0));
        assert_eq!(lane.group(), [fact(1)], "alone, to see whether it is this one");
        (0..4).for_each(|_| assert!(lane.failed(&broken) > 0));
        assert_eq!(lane.group()[0].kind, "refused");
        lane.committed(1);
        assert_eq!(lane.take_refused()[0].0, 1);
        assert_eq!(lane.group(), [fact(2), fact(3)]);
    }
}

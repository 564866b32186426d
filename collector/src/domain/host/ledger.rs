//! The open end of one host's ledger: what is being observed now, and the entries that follow when that changes.
//!
//! Stores only what was observed; maintenance, service hours and lifetime are laid over it later. Spans are
//! half-open and never edited; an entry that ends nowhere is not written. What is learned later replaces an entry by new
//! ones that together cover the same time.

use super::{
    Cause, State,
    testimony::{Piece, Testimony},
};
use crate::domain::{
    calendar::Span,
    ids::HostNo,
    record::{Observed, Row, SpanRow},
    time::Timestamp,
};

/// Entries of one absence that may still be corrected; of the oldest beyond them nothing can be proven any more: each is a
/// run of the collector, and a host's own log reaches back seven days.
const UNSETTLED_MOST: usize = 256;

/// What is being observed of a host, not closed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSpan {
    /// The last entry before it; 0: none.
    pub after: i64,
    /// Since when.
    pub from: Timestamp,
    /// What.
    pub state: Observed,
    /// Why.
    pub cause: Cause,
}

/// The open span of one host.
#[derive(Debug, Clone)]
pub struct Ledger {
    host: HostNo,
    n: i64,
    from: Timestamp,
    observed: Observed,
    cause: Cause,
    /// Standing entries since it was last proven up, oldest first: whoever comes back may correct them.
    unsettled: Vec<SpanRow>,
}

/// What the ledger says of a host in this state. Suspect extends what was before and is never asked for.
#[must_use]
pub const fn observed(state: State, cause: &Cause) -> Observed {
    match state {
        State::Up | State::Suspect | State::AgentLost => Observed::Up,
        State::Down | State::Shutdown | State::Rebooting | State::Asleep => Observed::Down,
        State::Unreachable => Observed::Unreachable,
        State::Unknown => match cause {
            Cause::CollectorAway | Cause::Awaited => Observed::CollectorDown,
            _ => Observed::Unknown,
        },
    }
}

/// Whether what was observed may still be corrected by the host. Up without its agent may turn out to have been a crash.
fn is_unsettled(row: &SpanRow) -> bool {
    row.state != Observed::Up || row.cause.is_without_agent()
}

impl Ledger {
    /// Opens a host's ledger.
    #[must_use]
    pub fn new(host: HostNo, from: Timestamp, state: State, cause: Cause) -> Self {
        let observed = observed(state, &cause);
        Self { host, n: 0, from, observed, cause, unsettled: Vec::new() }
    }

    /// Goes on with a host's ledger after `entries`: its last proof of being up, if any, and all after it. Before the first
    /// entry it was `since`.
    #[must_use]
    pub fn loaded(host: HostNo, entries: &[SpanRow], since: Timestamp, state: State, cause: Cause) -> Self {
        // Whoever is waited for was waited for since the collector's last start: that is where the entries end.
        let cause = if cause == Cause::CollectorAway { Cause::Awaited } else { cause };
        let observed = observed(state, &cause);
        let stands = |row: &&SpanRow| !entries.iter().any(|other| other.replaces == Some(row.n));
        let unsettled = entries.iter().filter(stands).filter(|row| is_unsettled(row));
        let mut ledger = Self {
            host,
            n: entries.iter().map(|row| row.n).max().unwrap_or(0),
            from: entries.iter().map(|row| row.to).max().unwrap_or(since),
            observed,
            cause,
            unsettled: unsettled.cloned().collect(),
        };
        ledger.forget_the_oldest();
        ledger
    }

    /// What it is at.
    #[must_use]
    pub fn open(&self) -> OpenSpan {
        OpenSpan { after: self.n, from: self.from, state: self.observed, cause: self.cause.clone() }
    }

    /// From `at` on the host is observed differently. `at` may lie in the past (proof), never before the open span. What it
    /// proves itself corrects what was written while it was away.
    pub fn turn(
        &mut self,
        state: State,
        cause: &Cause,
        at: Timestamp,
        testimony: &Testimony,
        now: Timestamp,
    ) -> Vec<Row> {
        let next = observed(state, cause);
        // Also from up to up: that the machine answers while its agent is lost is another proof, and nobody checks there.
        if next == self.observed && *cause == self.cause {
            return Vec::new();
        }
        let mut rows = self.settle(testimony, at, (next, cause), now);
        rows.extend(self.close(at, testimony, now));
        self.observed = next;
        self.cause = cause.clone();
        rows
    }

    /// Nobody was watching from `from` to `to`. A host that was up is awaited since; others are what they were.
    pub fn away(&mut self, from: Timestamp, to: Timestamp, was_up: bool, now: Timestamp) -> Vec<Row> {
        let before = (self.observed, self.cause.clone());
        let mut rows = self.close(from, &Testimony::default(), now);
        (self.observed, self.cause) = (Observed::CollectorDown, Cause::CollectorAway);
        rows.extend(self.close(to, &Testimony::default(), now));
        (self.observed, self.cause) = if was_up { (Observed::CollectorDown, Cause::Awaited) } else { before };
        rows
    }

    /// It had not been heard since `proof` when the collector's run ended: what it was since then nobody can say yet.
    pub fn doubt(&mut self, proof: Timestamp, now: Timestamp) -> Vec<Row> {
        if self.observed != Observed::Up {
            return Vec::new();
        }
        let rows = self.close(proof, &Testimony::default(), now);
        (self.observed, self.cause) = (Observed::Unknown, Cause::Doubted);
        rows
    }

    /// Corrects what was written of its absence: by what it proves, or else by what it turns out to have been since `at`. Of
    /// the time in which nobody watched only a proof says more.
    fn settle(
        &mut self,
        testimony: &Testimony,
        at: Timestamp,
        (next, why): (Observed, &Cause),
        now: Timestamp,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        for entry in std::mem::take(&mut self.unsettled) {
            let span = Span { from: entry.from, until: entry.to };
            let mut pieces = testimony.pieces(span, entry.state, &entry.cause);
            let turns = entry.from >= at && entry.cause != Cause::CollectorAway && entry.cause != *why;
            for piece in pieces.iter_mut().filter(|piece| turns && piece.proven.is_none()) {
                (piece.state, piece.proven) = (next, Some(why.clone()));
            }
            if pieces.iter().all(|piece| piece.proven.is_none()) {
                self.unsettled.push(entry);
                continue;
            }
            for piece in pieces {
                rows.extend(self.entry(piece, &entry.cause, Some(entry.n), now));
            }
        }
        rows
    }

    fn close(&mut self, to: Timestamp, testimony: &Testimony, now: Timestamp) -> Vec<Row> {
        let to = to.max(self.from);
        let cause = self.cause.clone();
        let pieces = testimony.pieces(Span { from: self.from, until: to }, self.observed, &cause);
        self.from = to;
        pieces.into_iter().filter_map(|piece| self.entry(piece, &cause, None, now)).collect()
    }

    fn entry(&mut self, piece: Piece, was: &Cause, replaces: Option<i64>, now: Timestamp) -> Option<Row> {
        let Span { from, until: to } = piece.span;
        if from >= to {
            return None;
        }
        self.n += 1;
        let cause = piece.proven.unwrap_or_else(|| was.clone());
        let row = SpanRow {
            host: self.host,
            n: self.n,
            from,
            to,
            state: piece.state,
            evidence: cause.evidence(),
            cause,
            learned: now,
            replaces,
        };
        if is_unsettled(&row) {
            self.unsettled.push(row.clone());
            self.forget_the_oldest();
        } else if replaces.is_none() {
            // It has been up since, with its agent: what it had to say of before it has said.
            self.unsettled.clear();
        }
        Some(Row::Span(row))
    }

    fn forget_the_oldest(&mut self) {
        let beyond = self.unsettled.len().saturating_sub(UNSETTLED_MOST);
        self.unsettled.drain(..beyond);
    }
}

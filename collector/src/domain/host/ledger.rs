//! The open end of one host's ledger: what is being observed now, and the entries that follow when that changes.
//!
//! Stores only what was observed; maintenance, service hours and lifetime are laid over it later. Spans are
//! half-open and never edited; an entry that ends nowhere is not written.

use super::{Cause, State};
use crate::domain::{
    event::AliveProof,
    ids::HostNo,
    record::{Observed, Row, SpanRow},
    time::Timestamp,
};

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
}

/// What the ledger says of a host in this state. Suspect extends what was before and is never asked for.
#[must_use]
pub const fn observed(state: State, cause: &Cause) -> Observed {
    match state {
        State::Up | State::Suspect | State::AgentLost => Observed::Up,
        State::Down | State::Shutdown | State::Rebooting | State::Asleep => Observed::Down,
        State::Unreachable => Observed::Unreachable,
        State::Unknown => match cause {
            Cause::CollectorAway => Observed::CollectorDown,
            _ => Observed::Unknown,
        },
    }
}

impl Ledger {
    /// Opens (or goes on with) a host's ledger after entry `n`.
    #[must_use]
    pub fn new(host: HostNo, n: i64, from: Timestamp, state: State, cause: Cause) -> Self {
        Self { host, n, from, observed: observed(state, &cause), cause }
    }

    /// What it is at.
    #[must_use]
    pub fn open(&self) -> OpenSpan {
        OpenSpan { after: self.n, from: self.from, state: self.observed, cause: self.cause.clone() }
    }

    /// From `at` on the host is observed differently. `at` may lie in the past (proof), never before the open span.
    /// `alive` are the host's own proofs: they turn what we took for down or unknown into unreachable-from-here.
    pub fn turn(
        &mut self,
        state: State,
        cause: &Cause,
        at: Timestamp,
        alive: &[AliveProof],
        now: Timestamp,
    ) -> Vec<Row> {
        let next = observed(state, cause);
        // Also from up to up: that the machine answers while its agent is lost is another proof, and nobody checks there.
        if next == self.observed && *cause == self.cause {
            return Vec::new();
        }
        let at = at.max(self.from);
        let rows = self.close(at, alive, now);
        self.from = at;
        self.observed = next;
        self.cause = cause.clone();
        rows
    }

    fn close(&mut self, to: Timestamp, alive: &[AliveProof], now: Timestamp) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut at = self.from;
        if matches!(self.observed, Observed::Down | Observed::Unknown | Observed::Unreachable) {
            for proof in alive {
                let (from, until) = (proof.from.max(at), proof.to.min(to));
                if from < until {
                    rows.extend(self.entry(at, from, self.observed, None, now));
                    let says = "the host's own alive log: it ran, unseen from here";
                    rows.extend(self.entry(from, until, Observed::Unreachable, Some(says), now));
                    at = until;
                }
            }
        }
        rows.extend(self.entry(at, to, self.observed, None, now));
        rows
    }

    fn entry(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        state: Observed,
        says: Option<&str>,
        now: Timestamp,
    ) -> Option<Row> {
        if from >= to {
            return None;
        }
        self.n += 1;
        let cause = if says.is_some() { Cause::AliveLog } else { self.cause.clone() };
        let evidence = says.map_or_else(|| cause.words(), str::to_owned);
        Some(Row::Span(SpanRow {
            host: self.host,
            n: self.n,
            from,
            to,
            state,
            cause,
            evidence,
            learned: now,
            replaces: None,
        }))
    }
}

//! What a step of a host leads to: effects for the edges, and changes, which are all that the desk ever hears of it.

use super::{Cause, State, checks::CheckRow};
use crate::domain::{changed::Kind, event::Effect, finding::FindingRow, time::Timestamp};

/// All that the desk ever hears of a host.
#[derive(Debug, Clone, PartialEq)]
pub enum HostChange {
    /// It became suspect by silence (or lost, and a look failed too): counts for the cuts.
    Suspected {
        /// It did not come back after the collector was away: that many fall due at once proves little.
        not_back: bool,
        /// Its last proof of life.
        proof: Timestamp,
    },
    /// Its liveness changed.
    Liveness {
        /// From.
        from: State,
        /// To.
        to: State,
        /// Why.
        cause: Cause,
        /// Since when: the last proof of life for an outage.
        since: Timestamp,
    },
    /// What the ledger had as an outage was none: its own alive log proves that it ran, unseen from here. Comes before the
    /// change of its liveness.
    Ran {
        /// For how long the outage was taken for one, in milliseconds.
        out_ms: i64,
        /// For how long of that it ran, in milliseconds.
        ran_ms: i64,
    },
    /// A finding opened, changed or cleared.
    Finding(FindingRow),
    /// Something about the machine is other than it was: no judgement, what may explain one.
    Changed(Vec<(Kind, String)>),
    /// A check turned out so, often enough for that to count.
    Check {
        /// Whether that is a problem.
        open: bool,
        /// Where it stands.
        row: CheckRow,
    },
}

/// What a step leads to.
#[derive(Debug, Default)]
pub struct Step {
    /// For the desk.
    pub changes: Vec<HostChange>,
    /// For the edges.
    pub effects: Vec<Effect>,
}

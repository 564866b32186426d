//! What counts of a check since when: the open end of its ledger, and the entry that follows when that changes.
//!
//! An entry says what the check itself said. That its host was not there to say anything is the host's ledger's to tell; it
//! is laid over this one when somebody reckons. What is soft is no entry: once it counts, it counts from the last proof that
//! the check was ok, and a failure that heals before was none.

use serde::{Deserialize, Serialize};

use super::checks::{CheckRow, Status};
use crate::domain::{ids::HostNo, time::Timestamp};

/// What is kept of what a check said, in bytes.
const SAID_BYTES: usize = 256;
/// A failure reaches back no further than this from when it was told, in milliseconds: thirteen months.
const REACHES_BACK_MS: i64 = 396 * 86_400_000;

/// One entry of a check's ledger: how it stood from `from` to `to` (half-open). Its number is given by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSpanRow {
    /// Which host.
    pub host: HostNo,
    /// The check's name on it.
    pub check: String,
    /// Begins.
    pub from: Timestamp,
    /// Ends.
    pub to: Timestamp,
    /// How it stood.
    pub status: Status,
    /// What it said when it began to stand so, the first line.
    pub said: String,
    /// Whether there was no such check afterwards.
    pub gone: bool,
    /// When it was learned that it ended.
    pub learned: Timestamp,
}

/// How a check stands, as far as that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How.
    pub status: Status,
    /// Since when.
    pub from: Timestamp,
    /// What it said then, the first line.
    pub said: String,
}

/// The open end of a check's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckLedger {
    /// How it stands; none before anything has counted.
    pub counted: Option<Counted>,
    /// While it is soft: the last proof that it was ok.
    ok_until: Option<Timestamp>,
}

/// One outcome as a ledger takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// How it turned out.
    pub(super) status: Status,
    /// Whether that counts.
    pub(super) hard: bool,
    /// When it was so.
    pub(super) at: Timestamp,
    /// How long before that it was last known to be ok, in milliseconds.
    pub(super) ok_ago_ms: i64,
    /// In words.
    pub(super) output: &'a str,
}

impl CheckLedger {
    /// That of a check that was kept before there were ledgers: what counted goes on since then.
    #[must_use]
    pub fn of(row: &CheckRow) -> Self {
        let counted = row.hard.then(|| Counted::new(row.status, row.since, &row.output));
        Self { counted, ok_until: None }
    }

    /// Takes an outcome in. Returns what stood until now and until when it did, if that changed.
    pub(super) fn take(&mut self, said: &Said<'_>) -> Option<(Counted, Timestamp)> {
        let was_ok = self.counted.as_ref().is_none_or(|counted| counted.status == Status::Ok);
        let reaches_to = said.at.plus_ms(-said.ok_ago_ms.clamp(0, REACHES_BACK_MS));
        let ok_until = self.ok_until.take().unwrap_or(reaches_to);
        if !said.hard {
            self.ok_until = Some(ok_until);
            return None;
        }
        if self.counted.as_ref().is_some_and(|counted| counted.status == said.status) {
            return None;
        }
        let fails_anew = said.status != Status::Ok && was_ok;
        let from = if fails_anew { ok_until } else { said.at };
        let from = self.counted.as_ref().map_or(from, |counted| from.max(counted.from));
        let before = self.counted.replace(Counted::new(said.status, from, said.output));
        before.filter(|before| before.from < from).map(|before| (before, from))
    }
}

impl Counted {
    fn new(status: Status, from: Timestamp, output: &str) -> Self {
        let line = output.lines().next().unwrap_or_default();
        Self { status, from, said: line[..line.floor_char_boundary(SAID_BYTES)].to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: i64) -> Timestamp {
        Timestamp::from_ms(at)
    }

    type Entries = Vec<(Status, i64, i64)>;

    /// What a ledger comes to: closed entries as status, from, to; then what is open.
    fn played(outcomes: &[(Status, bool, i64, i64)]) -> (Entries, Option<(Status, i64)>) {
        let mut ledger = CheckLedger::default();
        let closed = outcomes.iter().filter_map(|(status, hard, at, ok_ago_ms)| {
            let said = Said { status: *status, hard: *hard, at: ms(*at), ok_ago_ms: *ok_ago_ms, output: "x\ny" };
            ledger.take(&said).map(|(before, until)| (before.status, before.from.ms(), until.ms()))
        });
        let closed = closed.collect();
        (closed, ledger.counted.map(|counted| (counted.status, counted.from.ms())))
    }

    #[test]
    fn a_failure_that_counts_began_at_the_last_proof_that_the_check_was_ok() {
        use Status::{Critical, Ok, Warning};
        let soft = [(Ok, true, 1000, 0), (Warning, false, 2000, 60), (Critical, false, 2100, 160)];
        assert_eq!(played(&soft), (vec![], Some((Ok, 1000))), "soft: it says nothing yet");
        let hard = [soft.to_vec(), vec![(Critical, true, 2200, 260), (Critical, true, 2300, 360)]].concat();
        assert_eq!(played(&hard), (vec![(Ok, 1000, 1940)], Some((Critical, 1940))));
        let worse = [hard.clone(), vec![(Warning, true, 2400, 460), (Ok, true, 2500, 0)]].concat();
        let closed = vec![(Ok, 1000, 1940), (Critical, 1940, 2400), (Warning, 2400, 2500)];
        assert_eq!(played(&worse), (closed, Some((Ok, 2500))), "it is ok again from the first proof on");
        let healed = [soft.to_vec(), vec![(Ok, true, 2200, 0), (Critical, true, 3000, 10)]].concat();
        assert_eq!(played(&healed), (vec![(Ok, 1000, 2990)], Some((Critical, 2990))), "what healed was none");
    }

    #[test]
    fn what_is_said_of_the_past_never_reaches_before_what_stands() {
        use Status::{Critical, Ok};
        assert_eq!(played(&[(Critical, true, 500, 100)]), (vec![], Some((Critical, 400))), "since it was first run");
        let boastful = [(Ok, true, 1000, 0), (Critical, true, 2000, i64::MAX)];
        assert_eq!(played(&boastful), (vec![], Some((Critical, 1000))), "an empty entry is none");
        let back = [(Ok, true, 1000, 0), (Critical, true, 900, 0), (Ok, true, 800, 0)];
        assert_eq!(played(&back), (vec![], Some((Ok, 1000))), "a clock that was set back");
    }

    #[test]
    fn of_what_it_said_a_line_of_bounded_length_is_kept() {
        let kept = Counted::new(Status::Critical, ms(0), &format!("{}\nmore", "ä".repeat(300)));
        assert_eq!(kept.said, "ä".repeat(128));
    }
}

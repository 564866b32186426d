//! Service checks of one host: outcomes that its agent reports become check states, and hard ones problems.
//!
//! A check that is not ok is soft until it was so as often in a row as its definition asks for; soft ones open nothing and
//! clear nothing. Each new stream says all outcomes again, so that whatever was missed is made good by saying it twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    State,
    change::{HostChange, Step},
    check_ledger::{CheckLedger, CheckSpanRow, Counted, Said},
    machine::Host,
};
use crate::domain::{
    event::Effect,
    ids::HostNo,
    labels::{Class, Profile},
    record::Row,
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};

/// Checks of one host; agents define at most as many.
const CHECKS_MOST: usize = 256;
/// Output kept of a check, in bytes.
const OUTPUT_BYTES: usize = 2_048;
/// `CheckResult.status` of a check that is no longer defined.
const GONE: u64 = 4;

/// How a check turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Warning,
    /// Out of service.
    Critical,
    /// It could not be told.
    Unknown,
}

impl Status {
    /// The status's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    const fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Ok),
            1 => Some(Self::Warning),
            2 => Some(Self::Critical),
            3 => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// Where one check of a host stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Which host.
    pub host: HostNo,
    /// The check's name on it.
    pub check: String,
    /// How it turned out last.
    pub status: Status,
    /// Whether that counts: ok, or not ok often enough.
    pub hard: bool,
    /// How often in a row it was not ok, at most `attempts`.
    pub attempt: u32,
    /// How often is often enough.
    pub attempts: u32,
    /// Since when it has this status.
    pub since: Timestamp,
    /// What it said.
    pub output: String,
    /// The open end of its ledger.
    #[serde(default)]
    pub ledger: CheckLedger,
}

impl CheckRow {
    /// How bad it is, once that counts. Nobody is woken by a workstation.
    #[must_use]
    pub fn severity(&self, profile: &Profile) -> Option<Severity> {
        if !self.hard || self.status == Status::Ok {
            return None;
        }
        Some(match self.status {
            _ if profile.class == Class::Workstation || profile.watch == Watch::None => Severity::Info,
            Status::Critical => Severity::Critical,
            _ => Severity::Warning,
        })
    }

    /// The first line of what it said.
    #[must_use]
    pub fn headline(&self) -> &str {
        self.output.lines().next().unwrap_or_default()
    }
}

/// One outcome as an agent reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The check's name.
    pub check: String,
    /// How it turned out; `None` when there is no such check any more.
    pub status: Option<Status>,
    /// How often in a row it was not ok.
    pub attempt: u32,
    /// How often is often enough.
    pub attempts: u32,
    /// How long before `at` it was last known to be ok, in milliseconds; 0 where it is ok, or the agent does not say.
    pub ok_ago_ms: i64,
    /// What it said.
    pub output: String,
    /// When it was so.
    pub at: Timestamp,
}

/// A record of check results as it is kept.
#[derive(Deserialize)]
struct Results {
    results: Vec<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    check: String,
    status: u64,
    attempt: u32,
    // Of an agent that does not say it every failure counts.
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    ok_ago_ms: u64,
    output: String,
}

/// The last outcome of each check in these records, oldest first. A status that nobody knows is passed over, and
/// what is no name.
#[must_use]
pub fn outcomes<'a>(records: impl IntoIterator<Item = (Timestamp, &'a str)>) -> Vec<Outcome> {
    let mut last: BTreeMap<String, Outcome> = BTreeMap::new();
    for (at, body) in records {
        let Ok(record) = serde_json::from_str::<Results>(body) else { continue };
        for said in record.results {
            let status = Status::of(said.status);
            let is_name = !said.check.is_empty() && !said.check.contains(char::is_control);
            if !is_name || (status.is_none() && said.status != GONE) {
                continue;
            }
            let ok_ago_ms = i64::try_from(said.ok_ago_ms).unwrap_or(i64::MAX);
            let (attempt, attempts, output) = (said.attempt, said.attempts, said.output);
            let outcome = Outcome { check: said.check, status, attempt, attempts, ok_ago_ms, output, at };
            last.insert(outcome.check.clone(), outcome);
        }
    }
    last.into_values().collect()
}

impl Host {
    /// Its checks as they were left, by name.
    pub fn checks(&self) -> impl Iterator<Item = &CheckRow> {
        self.checks.values()
    }

    pub(super) fn checked(&mut self, outcomes: Vec<Outcome>, now: Timestamp, step: &mut Step) {
        for outcome in outcomes {
            match outcome.status {
                Some(status) => self.check_said(outcome, status, now, step),
                None => self.check_gone(&outcome.check, outcome.at.min(now), now, step),
            }
        }
    }

    fn check_said(&mut self, outcome: Outcome, status: Status, now: Timestamp, step: &mut Step) {
        let known = self.checks.get(&outcome.check);
        if known.is_none() && self.checks.len() >= CHECKS_MOST {
            return;
        }
        // An agent that was restarted counts anew; what counted already goes on counting.
        let counted = known.is_some_and(|known| known.hard && known.status != Status::Ok);
        let hard = status == Status::Ok || outcome.attempt >= outcome.attempts || counted;
        let at = outcome.at.min(now);
        let since = known.filter(|known| known.status == status).map_or(at, |known| known.since);
        // Shown to people and written into mails: of what steers a terminal only the end of a line is left.
        let mut output = outcome.output.replace(|c: char| c.is_control() && c != '\n', " ");
        output.truncate(output.floor_char_boundary(OUTPUT_BYTES));
        let mut ledger = known.map(|known| known.ledger.clone()).unwrap_or_default();
        let before = ledger.take(&Said { status, hard, at, ok_ago_ms: outcome.ok_ago_ms, output: &output });
        let entry = before.map(|(before, until)| self.entry(&outcome.check, before, until, false, now));
        let row = CheckRow {
            host: self.profile.no,
            check: outcome.check,
            status,
            hard,
            attempt: outcome.attempt,
            attempts: outcome.attempts,
            since,
            output,
            ledger,
        };
        step.effects.extend(entry.map(Effect::Record));
        if known != Some(&row) {
            self.checks.insert(row.check.clone(), row.clone());
            step.effects.push(Effect::Record(Row::Check(row.clone())));
            step.effects.push(Effect::Publish);
        }
        // What is soft says nothing yet; of a host that is not there nothing new is begun.
        if row.hard && (status == Status::Ok || self.is_there()) {
            step.changes.push(HostChange::Check { open: status != Status::Ok, row });
        }
    }

    fn check_gone(&mut self, check: &str, at: Timestamp, now: Timestamp, step: &mut Step) {
        let Some(row) = self.checks.remove(check) else { return };
        if let Some(stood) = row.ledger.counted.clone() {
            let to = at.max(stood.from);
            step.effects.push(Effect::Record(self.entry(check, stood, to, true, now)));
        }
        step.effects.push(Effect::Record(Row::CheckGone(self.profile.no, row.check.clone())));
        step.effects.push(Effect::Publish);
        step.changes.push(HostChange::Check { open: false, row });
    }

    /// The host may not report any more.
    pub(super) fn checks_end(&mut self, now: Timestamp, step: &mut Step) {
        for check in self.checks.keys().cloned().collect::<Vec<_>>() {
            self.check_gone(&check, now, now, step);
        }
    }

    fn entry(&self, check: &str, stood: Counted, to: Timestamp, gone: bool, now: Timestamp) -> Row {
        let (host, check, Counted { status, from, said }) = (self.profile.no, check.to_owned(), stood);
        Row::CheckSpan(CheckSpanRow { host, check, from, to, status, said, gone, learned: now })
    }

    fn is_there(&self) -> bool {
        matches!(self.state(), State::Up | State::Suspect | State::Unknown | State::AgentLost)
    }
}

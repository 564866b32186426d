//! Heartbeats of other people's jobs: a cron job or backup says that it has run, and is missed when it does not.
//!
//! A job that has never said anything is no trouble. Once it has, a success is due each period, by a time of the day, or
//! after each time at which a crontab or a timer begins it; when that and the grace have passed without one, it is late. What could not be heard because the collector itself was
//! away is not held against the job: [`Heartbeat::away`].

pub mod expectation;
pub mod schedule;
pub mod secrets;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::expectation::Expectation;
use super::time::Timestamp;
use crate::domain::{
    hold::{Labels, Subject},
    severity::Severity,
};

/// Most of what a job says that is kept, in bytes; of more the end, where the error stands.
pub const SAID_BYTES: usize = 4_096;

/// A job that is expected to say that it has run, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its name.
    pub name: String,
    /// When a success is due.
    pub expected: Expectation,
    /// How much later it may come, and how long a run may take once it has said that it starts.
    pub grace_ms: i64,
    /// How bad it is when it does not come.
    pub severity: Severity,
    /// The host that it runs on, by name.
    pub host: Option<String>,
    /// Where it belongs, for routes and maintenance windows.
    pub site: Option<String>,
    /// What else routes and maintenance windows may ask for.
    pub labels: Vec<(String, String)>,
}

/// What a job says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A run begins.
    Start,
    /// A run ended well.
    Success,
    /// A run failed, with this exit status if it said one.
    Fail(Option<u8>),
}

/// Something that a job said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Which heartbeat.
    pub name: String,
    /// What.
    pub signal: Signal,
    /// The end of what it said besides, at most [`SAID_BYTES`].
    pub said: String,
}

/// How a heartbeat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has never said anything.
    New,
    /// The last run ended well and the next is not late.
    Up,
    /// A run is under way.
    Running,
    /// A success has not come in time.
    Late,
    /// A run was begun and has not ended in time.
    Overrun,
    /// A run said that it failed.
    Failed,
}

impl State {
    /// Whether something is wrong.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::Late | Self::Overrun | Self::Failed)
    }

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Running => "running",
            Self::Late => "late",
            Self::Overrun => "overrun",
            Self::Failed => "failed",
        }
    }
}

/// What is known of a heartbeat; durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatRow {
    /// Its name.
    pub name: String,
    /// What the times below follow from: another expectation in the configuration makes them anew.
    pub rule: String,
    /// When it said something last.
    pub pinged: Timestamp,
    /// What that was.
    pub signal: Signal,
    /// The end of what it said besides.
    pub said: String,
    /// When a run ended well last.
    pub success: Option<Timestamp>,
    /// When a success is due next.
    pub due: Timestamp,
    /// How long before it was due the last success came.
    pub lead_ms: i64,
    /// When the run began that has not ended yet.
    pub started: Option<Timestamp>,
    /// How long the last run took, if it said when it began.
    pub took_ms: Option<i64>,
    /// When a run failed that no success has followed.
    pub failed: Option<Timestamp>,
}

/// A heartbeat as the faces see it.
#[derive(Debug, Clone)]
pub struct HeartbeatView {
    /// As configured.
    pub heartbeat: Heartbeat,
    /// What is known; nothing before its first word.
    pub row: Option<HeartbeatRow>,
    /// How it stands.
    pub state: State,
}

impl Heartbeat {
    /// The key of its problem, the same over restarts.
    #[must_use]
    pub fn key(&self) -> String {
        format!("heartbeat/{}/late", self.name)
    }

    /// As routes and maintenance windows know it where it belongs to no host that is known.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.host.as_deref().unwrap_or_default(),
            site: self.site.as_deref(),
            class: None,
            labels: Labels(&self.labels),
        }
    }

    /// Whether it says whose it is, so that routes and windows for hosts, sites or labels may mean it.
    #[must_use]
    pub fn has_subject(&self) -> bool {
        self.host.is_some() || self.site.is_some() || !self.labels.is_empty()
    }

    /// How it stands at an instant, and since when.
    #[must_use]
    pub fn standing(&self, row: Option<&HeartbeatRow>, now: Timestamp) -> (State, Timestamp) {
        let Some(row) = row else { return (State::New, now) };
        if let Some(failed) = row.failed {
            return (State::Failed, failed);
        }
        let (alarm, run) = self.alarm(row);
        match (alarm <= now, run) {
            (true, Some(_)) => (State::Overrun, alarm),
            (true, None) => (State::Late, alarm),
            (false, Some(started)) => (State::Running, started),
            (false, None) => (State::Up, row.success.unwrap_or(row.pinged)),
        }
    }

    /// When it will be in trouble if nothing is heard, unless it is already.
    #[must_use]
    pub fn alarm_at(&self, row: &HeartbeatRow) -> Timestamp {
        row.failed.unwrap_or_else(|| self.alarm(row).0)
    }

    /// When the silence is too long, and the run that it is measured from. A run that began when a success was late
    /// already excuses nothing.
    fn alarm(&self, row: &HeartbeatRow) -> (Timestamp, Option<Timestamp>) {
        let late = row.due.plus_ms(self.grace_ms);
        match row.started.filter(|started| *started < late) {
            Some(started) => (started.plus_ms(self.grace_ms), Some(started)),
            None => (late, None),
        }
    }

    /// What is known after a word of the job.
    #[must_use]
    pub fn heard(&self, row: Option<&HeartbeatRow>, ping: &Ping, now: Timestamp) -> HeartbeatRow {
        let mut next = row.cloned().unwrap_or_else(|| HeartbeatRow {
            name: self.name.clone(),
            rule: self.expected.words(),
            pinged: now,
            signal: ping.signal,
            said: String::new(),
            success: None,
            due: self.expected.first_due(now, self.grace_ms),
            lead_ms: 0,
            started: None,
            took_ms: None,
            failed: None,
        });
        (next.pinged, next.signal) = (now, ping.signal);
        next.said.clone_from(&ping.said);
        match ping.signal {
            Signal::Start => next.started = Some(now),
            Signal::Fail(_) => {
                next.failed = next.failed.or(Some(now));
                next.ended(now);
            }
            Signal::Success => {
                let met = self.expected.met(row.map(|row| row.due), now, self.grace_ms);
                next.due = met.next;
                next.lead_ms = met.lead_ms.unwrap_or(next.lead_ms);
                next.success = Some(now);
                next.failed = None;
                next.ended(now);
            }
        }
        next
    }

    /// The same row where the configuration now expects something else of it.
    #[must_use]
    pub fn reread(&self, row: &HeartbeatRow) -> HeartbeatRow {
        let rule = self.expected.words();
        if rule == row.rule {
            return row.clone();
        }
        let from = row.success.unwrap_or(row.pinged);
        let met = self.expected.met(None, from, self.grace_ms);
        HeartbeatRow { rule, due: met.next, lead_ms: met.lead_ms.unwrap_or(0), ..row.clone() }
    }

    /// The collector heard nothing for a time: whatever may have been said in it counts as said.
    #[must_use]
    pub fn away(&self, row: &HeartbeatRow, from: Timestamp, to: Timestamp) -> HeartbeatRow {
        let mut next = row.clone();
        if self.standing(Some(row), from).0.is_trouble() {
            return next;
        }
        if row.started.is_some_and(|started| from <= started.plus_ms(self.grace_ms)) {
            next.started = None;
        }
        let earliest = self.expected.earliest(row.due, row.lead_ms, self.grace_ms);
        let latest = row.due.plus_ms(self.grace_ms);
        let ends = row.started.map(|started| started.plus_ms(self.grace_ms));
        if from <= ends.map_or(latest, |ends| ends.max(latest)) && earliest <= to {
            next.due = self.expected.due_after_absence(row.due, to);
        }
        next
    }

    /// What is wrong, in words: a summary and the evidence.
    #[must_use]
    pub fn trouble(&self, row: &HeartbeatRow, state: State) -> (String, String) {
        let name = &self.name;
        let summary = match (state, row.signal) {
            (State::Failed, Signal::Fail(Some(status))) => format!("{name} failed with exit status {status}"),
            (State::Failed, _) => format!("{name} failed"),
            (State::Overrun, _) => format!("{name} was begun and has not ended"),
            _ => format!("{name} has not said that it ran"),
        };
        let success = row.success.map_or_else(|| "never yet".to_owned(), |at| at.to_string());
        let begun = row.started.map_or_else(String::new, |at| format!("; begun {at}"));
        let line = row.said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
        let said = if line.is_empty() { String::new() } else { format!("; it said: {line}") };
        let evidence = format!("expected {}; last success {success}{begun}{said}", self.expected.words());
        (summary, evidence)
    }
}

impl HeartbeatRow {
    fn ended(&mut self, now: Timestamp) {
        if let Some(started) = self.started.take() {
            self.took_ms = Some(now.since_ms(started));
        }
    }

    /// The wall clock was set by this much: what is measured from the last word moves with it.
    pub fn stepped(&mut self, by_ms: i64, expected: &Expectation) {
        self.started = self.started.map(|at| at.plus_ms(by_ms));
        if matches!(expected, Expectation::Every(_)) {
            self.due = self.due.plus_ms(by_ms);
        }
    }
}

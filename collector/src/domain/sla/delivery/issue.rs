//! A report that was issued, and what came of each of its deliveries.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Waits after the first, second... try that failed, in milliseconds; the last one repeats.
const WAITS_MS: [i64; 5] = [10_000, 30_000, 120_000, 600_000, 1_800_000];
/// What was not taken for so long since it was issued is given up.
const GIVE_UP_MS: i64 = 24 * 3_600_000;
/// Most deliveries told of in one trouble.
const TOLD: usize = 5;

/// A report over a period, issued or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Counts them: 1, 2, 3...; 0 before it is recorded.
    pub no: i64,
    /// Which `[[report]]`.
    pub report: String,
    /// Of which agreement.
    pub agreement: String,
    /// The name of the period.
    pub period: String,
    /// When it was due.
    pub due: Timestamp,
    /// Who asked for it; nobody: the schedule.
    pub asked_by: Option<String>,
    /// When it was issued or left out.
    pub at: Timestamp,
    /// What was made; none where it was left out.
    pub made: Option<Made>,
    /// Why it was left out; empty where it was not.
    pub why: String,
    /// Where it goes; kept beside it.
    #[serde(skip)]
    pub deliveries: Vec<Delivery>,
}

/// What was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The version of the agreement.
    pub version: i64,
    /// The digest that the report in JSON carries.
    pub digest: String,
    /// What came of the promise: met, missed, undetermined.
    pub verdict: String,
    /// In a line.
    pub title: String,
    /// In some sentences.
    pub text: String,
    /// The name of its files, without their ends.
    pub stem: String,
}

/// A way on which reports go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Files in a directory.
    Directory,
    /// A mail.
    Mail,
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// By which way.
    pub way: Way,
    /// A path, or an address.
    pub to: String,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is tried when it is due.
    Waiting,
    /// It is being tried.
    UnderWay,
    /// It was taken.
    Delivered,
    /// It was not taken, and is not tried again.
    Failed,
    /// Nobody knows: the collector stopped while it was being tried.
    Unclear,
}

impl State {
    /// As the API writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under_way",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
        }
    }

    /// Whether nothing more will be tried.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Unclear)
    }
}

/// A report on its way to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the issue, from 1.
    pub n: i64,
    /// Where it goes.
    pub destination: Destination,
    /// How far it is.
    pub state: State,
    /// How often it was tried.
    pub tries: usize,
    /// When it got there.
    pub at: Timestamp,
    /// When it is tried next, while it waits.
    pub next: Option<Timestamp>,
    /// What was said last: by the mail server, by the file system, or which files were written.
    pub said: String,
}

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken; what was said.
    Taken(String),
    /// It may be taken later; why.
    Later(String),
    /// It will never be taken; why.
    Never(String),
}

impl Issue {
    /// With a delivery to each of these places.
    #[must_use]
    pub fn to(mut self, destinations: Vec<Destination>) -> Self {
        let fresh = |(n, destination)| Delivery {
            n,
            destination,
            state: State::Waiting,
            tries: 0,
            at: self.at,
            next: Some(self.at),
            said: String::new(),
        };
        self.deliveries = (1..).zip(destinations).map(fresh).collect();
        self
    }

    /// What people type to have it sent again.
    #[must_use]
    pub fn again(&self) -> String {
        let quoted = |word: &str| match word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            true => word.to_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        };
        let (report, agreement) = (quoted(&self.report), quoted(&self.agreement));
        format!("muster-collector sla deliver {report} --period {} --agreement {agreement}", self.period)
    }
}

impl Delivery {
    /// It is being tried from now on.
    pub fn begin(&mut self, now: Timestamp) {
        (self.state, self.at, self.next) = (State::UnderWay, now, None);
        self.tries += 1;
    }

    /// A try of what was issued then has ended.
    pub fn end(&mut self, outcome: Outcome, issued: Timestamp, now: Timestamp) {
        self.at = now;
        self.next = None;
        (self.state, self.said) = match outcome {
            Outcome::Taken(said) => (State::Delivered, said),
            Outcome::Never(why) => (State::Failed, why),
            Outcome::Later(why) if now.since_ms(issued) >= GIVE_UP_MS => {
                (State::Failed, format!("{why}; tried {} times in a day", self.tries))
            }
            Outcome::Later(why) => {
                let wait = WAITS_MS[self.tries.clamp(1, WAITS_MS.len()) - 1];
                self.next = Some(now.plus_ms(wait));
                (State::Waiting, why)
            }
        };
    }

    /// How it stands where the collector has just started. Files are written again, which changes nothing where they are
    /// there already; a mail is not.
    pub fn resume(&mut self, now: Timestamp) {
        if self.state != State::UnderWay {
            return;
        }
        match self.destination.way {
            Way::Directory => (self.state, self.next) = (State::Waiting, Some(now)),
            Way::Mail => {
                self.state = State::Unclear;
                self.said =
                    "the collector stopped while this was being sent: whether the mail server has it is not known, \
                             and it is not sent again by itself"
                        .into();
            }
        }
    }
}

/// What is wrong with the deliveries of a report, given its issues, newest first; a newer issue of an agreement makes what
/// went wrong with older ones a thing of the past.
#[must_use]
pub fn trouble(report: &str, issues: &[Issue]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let made = issues.iter().filter(|issue| issue.report == report && issue.made.is_some());
    let newest = made.filter(|issue| seen.insert(issue.agreement.as_str()));
    let wrong: Vec<String> =
        newest.flat_map(|issue| issue.deliveries.iter().filter_map(|one| wrong(issue, one))).collect();
    if wrong.is_empty() {
        return None;
    }
    let more = if wrong.len() > TOLD { format!("; and {} more", wrong.len() - TOLD) } else { String::new() };
    let told = wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    Some(format!("report {report} is not where it should be: {told}{more}"))
}

fn wrong(issue: &Issue, delivery: &Delivery) -> Option<String> {
    let what = match delivery.state {
        State::Failed => "not taken by",
        State::Unclear => "perhaps not sent to",
        State::Waiting | State::UnderWay | State::Delivered => return None,
    };
    let (Issue { agreement, period, .. }, Delivery { destination, said, .. }) = (issue, delivery);
    Some(format!("{agreement} {period} {what} {} ({said}); {} sends it again", destination.to, issue.again()))
}

//! "Not a problem": what a person says of an incident that should not have called anybody, and what follows from it.
//!
//! Each is a record of its own, with who, why and what it would have spared and missed; versions are appended, none is
//! changed, and each can be taken back. What is chosen works through what there is: an override of a rule, a recurring
//! maintenance window, a silence. A false alarm is a correction: service levels are to read its time as one in which
//! nothing was wrong with what it was about.

pub mod limits;
pub mod past;
pub mod usual;

use serde::{Deserialize, Serialize};

use self::past::Tally;
use super::{
    hold::Hold,
    ids::{DismissalNo, HoldNo, HostNo, IncidentNo},
    time::Timestamp,
};

/// Longest time for which nobody is paged for something: a year, and then somebody looks at it again.
pub const LONGEST_NEVER_MS: i64 = 366 * 86_400_000;

/// What was said of an incident, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dismissal {
    /// Its number.
    pub no: DismissalNo,
    /// Counts its changes: 1, and 2 when it was taken back.
    pub version: i64,
    /// Of which incident.
    pub incident: IncidentNo,
    /// The incident's key.
    pub key: String,
    /// The incident's host.
    pub host: Option<HostNo>,
    /// When the trouble began.
    pub from: Timestamp,
    /// When it was over: when the incident was resolved, or when this was said.
    pub until: Timestamp,
    /// What was chosen.
    pub choice: Choice,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Through which door.
    pub via: String,
    /// When.
    pub made: Timestamp,
    /// What it would have spared and missed, as it was shown beforehand.
    pub tally: Tally,
    /// When somebody took it back, and who.
    pub withdrawn: Option<(Timestamp, String)>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Other limits, by an override.
    Threshold {
        /// The override's name.
        name: String,
        /// Its line.
        line: String,
    },
    /// It is expected then: a recurring maintenance window.
    Expected {
        /// Its number.
        hold: HoldNo,
        /// When, in words.
        when: String,
    },
    /// Nobody is to be paged for it: a silence that somebody answers for.
    Never {
        /// Its number.
        hold: HoldNo,
        /// Who answers for it.
        owner: String,
        /// It ends then.
        until: Timestamp,
    },
    /// Nothing was wrong: the monitor was.
    FalseAlarm,
}

impl Choice {
    /// The choice's word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Threshold { .. } => "threshold",
            Self::Expected { .. } => "expected",
            Self::Never { .. } => "never",
            Self::FalseAlarm => "false_alarm",
        }
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Threshold { name, line } => {
                let said = line.split_once('=').map_or("", |(_, said)| said.trim());
                format!("other limits from now on: override {name}: {said}")
            }
            Self::Expected { hold, when } => format!("expected {when}: maintenance {hold}"),
            Self::Never { hold, owner, until } => {
                format!("nobody is paged for it until {until}, {owner} answers for that: silence {hold}")
            }
            Self::FalseAlarm => "the monitor was wrong: nothing was the matter".into(),
        }
    }
}

impl Dismissal {
    /// Whether it still holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.withdrawn.is_none()
    }

    /// The time that service levels are to read as one in which nothing was wrong, if that is what was said.
    #[must_use]
    pub fn corrects(&self) -> Option<(Timestamp, Timestamp)> {
        (self.choice == Choice::FalseAlarm && self.holds()).then_some((self.from, self.until))
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of which incident.
    pub incident: IncidentNo,
    /// What is chosen.
    pub choice: AskedChoice,
    /// Why.
    pub reason: String,
    /// What it would have spared and missed.
    pub tally: Tally,
}

/// What is chosen; windows and silences are made with it.
#[derive(Debug, Clone)]
pub enum AskedChoice {
    /// Other limits: the override is durable already.
    Threshold {
        /// Its name.
        name: String,
        /// Its line.
        line: String,
    },
    /// This window is made.
    Expected(Box<Hold>),
    /// This silence is made.
    Never {
        /// The silence.
        hold: Box<Hold>,
        /// Who answers for it.
        owner: String,
    },
    /// Nothing was wrong.
    FalseAlarm,
}

impl AskedChoice {
    /// The choice that it becomes, with the number of what is made with it.
    #[must_use]
    pub fn made(&self, made: HoldNo) -> Choice {
        match self {
            Self::Threshold { name, line } => Choice::Threshold { name: name.clone(), line: line.clone() },
            Self::Expected(hold) => Choice::Expected { hold: made, when: hold.when.words() },
            Self::Never { hold, owner } => {
                let until = hold.at(hold.made).map_or(hold.made, |span| span.until);
                Choice::Never { hold: made, owner: owner.clone(), until }
            }
            Self::FalseAlarm => Choice::FalseAlarm,
        }
    }

    /// The window or silence that is made with it.
    #[must_use]
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Expected(hold) | Self::Never { hold, .. } => Some(hold),
            Self::Threshold { .. } | Self::FalseAlarm => None,
        }
    }
}

impl Asked {
    /// Action, subject and detail as the audit log says them.
    #[must_use]
    pub fn audit(&self) -> (&'static str, String, String) {
        let covers = self.choice.hold().map_or_else(String::new, |hold| format!(" ({})", hold.scope.words()));
        // The number of what is made is in the timeline; when it lasts says which it is.
        let what = match &self.choice {
            AskedChoice::Threshold { line, .. } => format!("threshold {line}"),
            AskedChoice::Expected(hold) => format!("expected {}{covers}", hold.when.words()),
            AskedChoice::Never { hold, owner } => {
                format!("never, {owner} answers for it, {}{covers}", hold.when.words())
            }
            AskedChoice::FalseAlarm => "false alarm".to_owned(),
        };
        ("incident.not_a_problem", format!("#{}", self.incident), format!("{what}: {}", self.reason))
    }
}

//! What named people add to the record afterwards: a stretch that was otherwise than it was observed, a maintenance window
//! that does not count, a word about an outage.
//!
//! Nothing that was observed is edited. An amendment is laid over it when a figure is reckoned, and that figure - the
//! *agreed* one - stands beside the *measured* one, which no amendment touches.

use serde::{Deserialize, Serialize};

use super::{
    history::Observation,
    lattice::{Bucket, Stretch},
};
use crate::domain::{
    calendar::Span,
    dismissal::Dismissal,
    ids::{AmendmentNo, HoldNo},
    time::Timestamp,
};

/// Longest stretch that one amendment corrects, in milliseconds: a year, leap days included.
pub const LONGEST_MS: i64 = 366 * 86_400_000;

/// What somebody added, as stored. Versions are appended, none is changed: the second is its withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// Its number.
    pub no: AmendmentNo,
    /// 1, and 2 when it was withdrawn.
    pub version: i64,
    /// What is said.
    pub says: Says,
    /// Why; of a note, the note itself.
    pub reason: String,
    /// The ticket that says more; empty: none.
    pub ticket: String,
    /// Who.
    pub by: String,
    /// When it was said.
    pub made: Timestamp,
    /// When somebody withdrew it, who, and why.
    pub withdrawn: Option<Withdrawn>,
}

/// That it holds no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Since when.
    pub at: Timestamp,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What is said. Subjects are named by their keys, which stay the same when a host is renamed: `host/ID`, `check/ID/NAME`,
/// `service/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// These subjects were so in this time, whatever was observed.
    Was {
        /// Which.
        subjects: Vec<String>,
        /// When.
        span: Span,
        /// How.
        state: Was,
    },
    /// This maintenance window counts for nothing.
    Disregard {
        /// Which.
        window: HoldNo,
    },
    /// About the outage of a subject that an instant lies in.
    Note {
        /// Which subject.
        subject: String,
        /// An instant of the outage.
        at: Timestamp,
        /// What kind of cause it had.
        cause: Option<Category>,
        /// Whether the parties disagree on it.
        disputed: Option<bool>,
    },
}

/// How a subject was after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// It served: an outage that was none.
    Up,
    /// It did not: an outage that nobody but its users saw.
    Down,
}

impl Was {
    /// The words there are.
    pub const EXPECTED: &str = "up or down";

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Up, Self::Down].into_iter().find(|was| was.word() == word)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    const fn bucket(self) -> Bucket {
        match self {
            Self::Up => Bucket::Up,
            Self::Down => Bucket::Down,
        }
    }
}

/// Kinds of causes of outages, as problem management sorts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A part broke.
    Hardware,
    /// A program or the operating system.
    Software,
    /// The way there.
    Network,
    /// Electricity or cooling.
    Power,
    /// Too little of something.
    Capacity,
    /// A change that was made.
    Change,
    /// Somebody's hand.
    HumanError,
    /// An attack or its defence.
    Security,
    /// Somebody else's service.
    ThirdParty,
    /// None of these.
    Other,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Hardware,
        Self::Software,
        Self::Network,
        Self::Power,
        Self::Capacity,
        Self::Change,
        Self::HumanError,
        Self::Security,
        Self::ThirdParty,
        Self::Other,
    ];
    /// The words there are.
    pub const EXPECTED: &str =
        "hardware, software, network, power, capacity, change, human_error, security, third_party or other";

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.word() == word)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Software => "software",
            Self::Network => "network",
            Self::Power => "power",
            Self::Capacity => "capacity",
            Self::Change => "change",
            Self::HumanError => "human_error",
            Self::Security => "security",
            Self::ThirdParty => "third_party",
            Self::Other => "other",
        }
    }
}

impl Amendment {
    /// Whether it still holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.withdrawn.is_none()
    }

    /// What it says, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.says {
            Says::Was { span, state, .. } => format!("{} from {} to {}", state.word(), span.from, span.until),
            Says::Disregard { window } => format!("maintenance {window} does not count"),
            Says::Note { at, cause, disputed, .. } => {
                let cause = cause.map_or_else(String::new, |cause| format!(", cause {}", cause.word()));
                let disputed = match disputed {
                    Some(true) => ", disputed",
                    Some(false) => ", not disputed any more",
                    None => "",
                };
                format!("about the outage at {at}{cause}{disputed}")
            }
        }
    }
}

/// A stretch of one subject that people say was otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// When, and what it was.
    pub stretch: Stretch,
    /// Which amendment or incident says so.
    pub source: String,
    /// Why, who, and which ticket.
    pub reason: String,
    /// When it was said.
    pub made: Timestamp,
}

/// A word about an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// An instant of it.
    pub at: Timestamp,
    /// The word, who said it when, and which ticket.
    pub text: String,
    /// What kind of cause it had.
    pub cause: Option<Category>,
    /// Whether the parties disagree on it.
    pub disputed: Option<bool>,
}

/// What people say of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amended {
    /// What was otherwise, in the order in which it was said: the later word wins.
    pub corrections: Vec<Correction>,
    /// Words about outages, in that order too.
    pub notes: Vec<Note>,
}

impl Amended {
    /// What is said of the subject with this key. False alarms of incidents about just that are corrections too.
    #[must_use]
    pub fn of(subject: &str, amendments: &[Amendment], dismissals: &[Dismissal]) -> Self {
        let mut amended = Self::default();
        for one in amendments.iter().filter(|one| one.holds()) {
            let ticket = if one.ticket.is_empty() { String::new() } else { format!(", {}", one.ticket) };
            match &one.says {
                Says::Was { subjects, span, state } if subjects.iter().any(|known| known == subject) => {
                    amended.corrections.push(Correction {
                        stretch: Stretch { span: *span, bucket: state.bucket() },
                        source: format!("amendment {}", one.no),
                        reason: format!("{} ({}{ticket})", one.reason, one.by),
                        made: one.made,
                    });
                }
                Says::Note { subject: about, at, cause, disputed } if about == subject => amended.notes.push(Note {
                    at: *at,
                    text: format!("{} ({} at {}{ticket})", one.reason, one.by, one.made),
                    cause: *cause,
                    disputed: *disputed,
                }),
                _ => {}
            }
        }
        for alarm in dismissals.iter().filter(|alarm| about(&alarm.key) == Some(subject.to_owned())) {
            let Some((from, until)) = alarm.corrects() else { continue };
            amended.corrections.push(Correction {
                stretch: Stretch::new(from, until, Bucket::Up),
                source: format!("incident #{} was a false alarm", alarm.incident),
                reason: format!("{} ({})", alarm.reason, alarm.by),
                made: alarm.made,
            });
        }
        amended.corrections.sort_by_key(|correction| correction.made);
        amended
    }

    /// What was observed, with what people say in its place. Nobody's word brings a subject into service before its time.
    #[must_use]
    pub fn over(&self, observed: &[Observation]) -> Vec<Observation> {
        let mut said = observed.to_vec();
        for correction in &self.corrections {
            let span = correction.stretch.span;
            said = said.into_iter().flat_map(|entry| without(entry, span)).collect();
            said.push(Observation {
                stretch: correction.stretch,
                cause: correction.reason.clone(),
                evidence: correction.source.clone(),
                learned: correction.made,
                unattended: false,
            });
        }
        said
    }
}

/// The subject whose being there an incident is about.
#[must_use]
pub fn about(key: &str) -> Option<String> {
    let mut parts = key.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("liveness"), Some(host), Some("host")) => Some(format!("host/{host}")),
        (Some("check"), Some(host), Some(check)) => Some(format!("check/{host}/{check}")),
        _ => None,
    }
}

/// What of an entry lies before and after a span.
fn without(entry: Observation, span: Span) -> Vec<Observation> {
    let Stretch { span: own, bucket } = entry.stretch;
    // Planned work is laid over what was observed, and of a service it is a part of that.
    if matches!(bucket, Bucket::OutsideHours | Bucket::Maintenance) {
        return vec![entry];
    }
    let before = Stretch::new(own.from, own.until.min(span.from), bucket);
    let after = Stretch::new(own.from.max(span.until), own.until, bucket);
    let some = [before, after].into_iter().filter(|stretch| stretch.span.from < stretch.span.until);
    some.map(|stretch| Observation { stretch, ..entry.clone() }).collect()
}

//! One host: what it was last heard to say ([`slot`]) and what is decided of it ([`machine`]).

mod away;
mod back;
pub mod change;
pub mod check_ledger;
pub mod checks;
pub mod device;
#[cfg(test)]
mod drain_tests;
mod findings;
pub mod ledger;
pub mod machine;
pub mod parts;
mod sealed;
pub mod slot;
pub mod slots;
pub mod suspicion;
pub mod testimony;

use serde::{Deserialize, Serialize};

use super::event::{Ending, Look, Why};

/// The observed axis: is it there?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// We were not watching.
    Unknown,
    /// Heard of within its level's time.
    Up,
    /// Silent or lost for a moment; extends what was before.
    Suspect,
    /// Silent, and nothing answers for it.
    Down,
    /// Its agent is gone, the machine answers.
    AgentLost,
    /// Its scope is cut off from here.
    Unreachable,
    /// It said that it shuts down.
    Shutdown,
    /// It said that it reboots.
    Rebooting,
    /// It said that it goes to sleep.
    Asleep,
}

impl State {
    /// All states, in the order in which views list them.
    pub const ALL: [Self; 9] = [
        Self::Down,
        Self::AgentLost,
        Self::Unreachable,
        Self::Suspect,
        Self::Unknown,
        Self::Rebooting,
        Self::Shutdown,
        Self::Asleep,
        Self::Up,
    ];

    /// The state's word, as in `muster_host_liveness{state}`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::AgentLost => "agent_lost",
            Self::Unreachable => "unreachable",
            Self::Shutdown => "shutdown",
            Self::Rebooting => "rebooting",
            Self::Asleep => "asleep",
        }
    }

    /// Whether `muster_host_up` is 1: up, or suspect (not yet believed gone).
    #[must_use]
    pub const fn counts_as_up(self) -> bool {
        matches!(self, Self::Up | Self::Suspect)
    }
}

/// Why a host is in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Never heard of yet.
    Enrolled,
    /// A session reports.
    Reporting,
    /// The stream ended.
    Stream(Ending),
    /// No message for the level's time.
    Silence,
    /// A look was made.
    Looked(Look),
    /// It said goodbye.
    Goodbye(Why),
    /// Its scope is cut.
    Cut(String),
    /// A reboot took too long.
    RebootOverdue,
    /// The collector started or was suspended; hosts are given time to come back.
    CollectorAway,
    /// It did not come back after the collector's start.
    NotBack,
    /// Its scope is back after a cut, it is not.
    StayedAway,
    /// It was suspended, revoked or retired.
    NotAdmitted,
    /// Proven by the host's own alive log.
    AliveLog,
    /// Its boot id changed: it was down between the two boots.
    BootedAnew,
    /// It is in the boot in which it was before, its agent started anew or its stream the same: the machine was not off,
    /// whatever was seen from here. Only in ledgers.
    SameBoot,
    /// The collector runs again, it has not come back yet. Only in ledgers.
    Awaited,
    /// It had not been heard for a moment when the collector's run ended. Only in ledgers.
    Doubted,
    /// A device that answers its watchers.
    Answers,
    /// A device that answers none of its watchers, in the words of one.
    NoAnswer(String),
    /// A device none of whose watchers is heard or can tell.
    WatchersSilent,
    /// A device that nobody watches.
    Unwatched,
}

impl Cause {
    /// In words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Enrolled => "enrolled, not heard of yet".into(),
            Self::Reporting => "reporting".into(),
            Self::Stream(Ending::Fin) => "its connection was closed by the machine".into(),
            Self::Stream(Ending::Reset) => "its connection was reset by the machine".into(),
            Self::Stream(Ending::TimedOut) => "its connection timed out".into(),
            Self::Stream(Ending::Drained) => "its session was moved".into(),
            Self::Stream(Ending::Goodbye(why)) | Self::Goodbye(why) => match why {
                Why::Shutdown => "it said that it shuts down".into(),
                Why::Reboot => "it said that it reboots".into(),
                Why::Sleep => "it said that it goes to sleep".into(),
                Why::AgentStop => "its agent was stopped".into(),
                Why::AgentRestart => "its agent restarts".into(),
                Why::Uninstall => "its agent was removed".into(),
                Why::Unknown => "it said goodbye".into(),
            },
            Self::Silence => "silent".into(),
            Self::Looked(Look::Answers) => "its agent is silent, the machine answers".into(),
            Self::Looked(Look::Silent) => "silent, and nothing answers at its address".into(),
            Self::Looked(Look::CannotTell) => "silent, and its address cannot be looked at".into(),
            Self::Cut(scope) => format!("{scope} is cut off from here"),
            Self::RebootOverdue => "it said that it reboots and did not come back in time".into(),
            Self::CollectorAway => "the collector was not watching; waiting for it to report".into(),
            Self::NotBack => "it did not come back after the collector's start".into(),
            Self::StayedAway => "others are back after the cut, it is not".into(),
            Self::NotAdmitted => "it may not report".into(),
            Self::AliveLog => "its own alive log proves it".into(),
            Self::BootedAnew => "it was between two boots".into(),
            Self::SameBoot => "it was not off, but not seen from here".into(),
            Self::Awaited => "the collector runs again and waits for it to report".into(),
            Self::Doubted => "not heard for a moment when the collector's run ended".into(),
            Self::Answers => "it answers".into(),
            Self::NoAnswer(words) => format!("it does not answer: {words}"),
            Self::WatchersSilent => "none of its watchers is heard and can tell".into(),
            Self::Unwatched => "nobody watches it: there is no agent at its site that could, name one".into(),
        }
    }

    /// What proves an entry of a ledger that has this cause, in words.
    #[must_use]
    pub fn evidence(&self) -> String {
        match self {
            Self::AliveLog => "the host's own alive log: it ran, unseen from here".into(),
            Self::BootedAnew => {
                "its boot id changed: down from its last sign of life to its first after the boot".into()
            }
            Self::SameBoot => {
                "the same boot before and after: it was not off, nothing says whether it could be reached".into()
            }
            cause => cause.words(),
        }
    }

    /// Whether it was seen from here only, by what did not come or did not answer.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Silence | Self::Looked(_) | Self::NotBack | Self::StayedAway)
    }

    /// Whether a host that is up is so without its agent, by what its machine showed.
    #[must_use]
    pub const fn is_without_agent(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Looked(_))
    }
}

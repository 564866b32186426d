//! Watch levels: how closely a host is watched, and the timers that follow.

use serde::{Deserialize, Serialize};

/// How closely a host is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// Some hundreds of hosts at most: a dead agent is paged at once, a silent host within 1.5 s.
    Fast,
    /// Servers: silence is seen within 10 s and paged 30 s later.
    Normal,
    /// Workstations: a closed lid is not an outage.
    Relaxed,
    /// Recorded, never a problem.
    None,
}

/// The timers of a level, all in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// Between two reports.
    pub report_ms: u32,
    /// Between two messages of any kind.
    pub beat_ms: u32,
    /// First TCP keep-alive probe after this idle time, and between probes; three are sent.
    pub keep_alive_ms: u32,
    /// `TCP_USER_TIMEOUT` (RFC 5482) on both ends.
    pub user_timeout_ms: u32,
    /// Without any message for this long an up host is suspect.
    pub suspect_ms: i64,
    /// A suspect host whose looks are silent is down after this.
    pub confirm_ms: i64,
    /// When the looks are made, from the moment of suspicion.
    pub looks_at_ms: &'static [i64],
    /// A problem waits this long for the cut that may explain it.
    pub fold_ms: i64,
    /// How long a lost stream (FIN, RST) is held before it is agent_lost.
    pub agent_hold_lost_ms: i64,
    /// The same after silence.
    pub agent_hold_silent_ms: i64,
    /// From seeing to paging.
    pub page_after_ms: i64,
    /// How long a reboot may take.
    pub reboot_ms: i64,
}

const FAST: Timers = Timers {
    report_ms: 5_000,
    beat_ms: 400,
    keep_alive_ms: 1_000,
    user_timeout_ms: 3_000,
    suspect_ms: 500,
    confirm_ms: 600,
    looks_at_ms: &[0, 300],
    fold_ms: 200,
    agent_hold_lost_ms: 0,
    agent_hold_silent_ms: 1_500,
    page_after_ms: 0,
    reboot_ms: 300_000,
};
const NORMAL: Timers = Timers {
    report_ms: 15_000,
    beat_ms: 5_000,
    keep_alive_ms: 1_000,
    user_timeout_ms: 3_000,
    suspect_ms: 7_000,
    confirm_ms: 2_000,
    looks_at_ms: &[0, 1_000],
    fold_ms: 2_000,
    agent_hold_lost_ms: 10_000,
    agent_hold_silent_ms: 10_000,
    page_after_ms: 30_000,
    reboot_ms: 600_000,
};
const RELAXED: Timers = Timers {
    report_ms: 60_000,
    beat_ms: 30_000,
    keep_alive_ms: 30_000,
    user_timeout_ms: 90_000,
    suspect_ms: 75_000,
    confirm_ms: 0,
    looks_at_ms: &[],
    fold_ms: 0,
    agent_hold_lost_ms: 600_000,
    agent_hold_silent_ms: 600_000,
    page_after_ms: 0,
    reboot_ms: 0,
};

impl Timers {
    /// How long after its last message a host that falls silent is told of, if nothing explains it, in milliseconds.
    #[must_use]
    pub const fn told_after_ms(&self) -> i64 {
        self.suspect_ms + self.confirm_ms + self.fold_ms + self.page_after_ms
    }
}

impl Watch {
    /// The level's timers.
    #[must_use]
    pub const fn timers(self) -> &'static Timers {
        match self {
            Self::Fast => &FAST,
            Self::Normal => &NORMAL,
            Self::Relaxed | Self::None => &RELAXED,
        }
    }

    /// The level's word: `fast`, `normal`, `relaxed`, `none`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Relaxed => "relaxed",
            Self::None => "none",
        }
    }

    /// The level named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Fast, Self::Normal, Self::Relaxed, Self::None].into_iter().find(|level| level.word() == word)
    }
}

//! What is built of several parts: RAID arrays, pools and volumes with their members, the controllers above and their
//! batteries. All tools that show such things are read into this, so that the rules for them are written once.

/// Arrays, members, controllers, batteries as one output shows them, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assembly {
    /// All of them.
    pub pieces: Vec<Piece>,
    /// What the tool said beside them that matters, such as files that are lost.
    pub losses: Vec<String>,
}

/// One part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// What it is.
    pub role: Role,
    /// Its name: array, device node, identifier of the tool.
    pub name: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Firmware revision.
    pub firmware: String,
    /// Where it sits, as the tool writes it.
    pub slot: String,
    /// How it is.
    pub state: State,
    /// The tool's words for that.
    pub words: String,
    /// What more members it could lose without losing data; `None` where the tool does not show it.
    pub spare_members: Option<u64>,
    /// How full its metadata is, in percent, where it has a place of its own that can be full.
    pub metadata_percent: Option<u64>,
    /// Counts of errors; zeros are left out.
    pub counters: Vec<(Count, u64)>,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// An array, a pool, a volume, or a group within one.
    #[default]
    Array,
    /// A drive or device in it.
    Member,
    /// The controller.
    Controller,
    /// The battery or capacitor behind the controller's cache.
    Battery,
    /// An enclosure, its fans and power supplies.
    Enclosure,
    /// A way to a device, one of several.
    Path,
}

/// How a piece is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not said, or in words that nobody knows.
    #[default]
    Unsaid,
    /// There is no such part, and there need not be.
    NotPresent,
    /// As it should be; also spare, unused, being checked.
    Good,
    /// Being brought in step without having lost anything: the first synchronisation.
    Syncing,
    /// The device predicts its own failure.
    Predicted,
    /// A lost part is being replaced.
    Rebuilding,
    /// It works with less than it needs.
    Degraded,
    /// It should be there and is not.
    Missing,
    /// It has failed or is taken out.
    Failed,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Errors of the medium.
    Media,
    /// The device predicted its failure so often.
    Predicted,
    /// Errors of the bus and of commands.
    Other,
    /// Reads that failed.
    Read,
    /// Writes that failed.
    Write,
    /// Blocks whose checksum was wrong.
    Checksum,
    /// Blocks whose copies differ.
    Mismatch,
    /// Writes and flushes that were given up: what is there is old or lacking.
    Dropped,
    /// Blocks that are older than they should be: a write before was lost.
    Stale,
    /// Sectors that an array knows to be bad and does not use.
    BadBlocks,
    /// Hours in which a synchronisation did not move.
    Unmoved,
}

impl Count {
    /// Its name in evidence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Media => "media errors",
            Self::Predicted => "predicted failures",
            Self::Other => "other errors",
            Self::Read => "read errors",
            Self::Write => "write errors",
            Self::Checksum => "checksum errors",
            Self::Mismatch => "mismatches",
            Self::Dropped => "write errors",
            Self::Stale => "stale blocks",
            Self::BadBlocks => "bad sectors",
            Self::Unmoved => "hours without progress",
        }
    }
}

impl Piece {
    /// A piece with a state in the tool's words.
    pub(super) fn new(role: Role, name: &str, words: &str) -> Self {
        let (name, words) = (super::text::short(name), super::text::short(words));
        Self { role, name, state: State::of(&words), words, ..Self::default() }
    }

    /// With this state whatever the words say.
    pub(super) const fn being(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Takes a count if it is one.
    pub(super) fn count(&mut self, count: Count, value: Option<u64>) {
        if let Some(value) = value.filter(|value| *value > 0) {
            self.counters.push((count, value));
        }
    }
}

impl Assembly {
    /// Whether it shows the state of anything.
    #[must_use]
    pub fn tells_of_health(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| !matches!(piece.state, State::Unsaid | State::NotPresent) || !piece.counters.is_empty())
    }
}

/// Words up to this many letters are looked for as whole words.
const WHOLE_WORD: usize = 3;

/// Words of tools for states, the first that fits wins: what is worse stands first where one word holds another.
const STATES: &[(State, &[&str])] = &[
    (
        State::NotPresent,
        &["not-present", "not present", "not-installed", "not installed", "no-device", "not-reportable"],
    ),
    (State::NotPresent, &["not supported", "not configured", "unsupported", "absent", "n/a", "not applicable"]),
    (State::Predicted, &["predictive", "predicted fail", "smart-failure", "smart failure", "smrt", "about to fail"]),
    (
        State::Rebuilding,
        &["rebuild", "rbld", "recover", "reconstruct", "interim", "resilver", "replacing", "copyback", "cpybck"],
    ),
    (
        State::Degraded,
        &["degraded", "dgrd", "pdgd", "degrade", "impacted", "suboptimal", "sub-optimal", "non-optimal", "not optimal"],
    ),
    (
        State::Degraded,
        &["weak", "warning", "needs attention", "critical", "exposed", "partial", "low batter", "maintenance"],
    ),
    (State::Missing, &["missing", "msng", "msg ", "removed", "unavail", "disconnected", "unplugged", "drive-removed"]),
    (
        State::Failed,
        &["fail", "offline", "offln", "ofln", "unconfigured(bad)", "unconfigured bad", "unconfbad", "ubad"],
    ),
    (
        State::Failed,
        &["faulty", "fault", "inoperable", "inactive", "dead", "broken", "ecc-error", "replace", "lost", "bad"],
    ),
    (State::Failed, &["blocked", "suspended", "unrecoverable", "exceeded", "ugunsp", "crash", "unresolvable"]),
    (State::Syncing, &["initializ", "initialis", "init", "sync in", "resync", "migrat", "expand"]),
    (
        State::Good,
        &[
            "optimal", "optl", "online", "onln", "ok", "okay", "oky", "good", "ugood", "healthy", "normal", "ready",
            "active",
        ],
    ),
    (
        State::Good,
        &["spare", "spr", "ghs", "dhs", "jbod", "unconfigured", "raw", "avail", "available", "clean", "up", "valid"],
    ),
    (
        State::Good,
        &["verif", "check", "present", "operational", "charged", "full", "enabled", "standby", "on", "in use"],
    ),
    (
        State::Good,
        &["charging", "learn", "relearn", "recharging", "rdy", "passed", "yes", "connected", "hot", "hotspare"],
    ),
];

impl State {
    /// The state that a tool's words mean.
    pub(super) fn of(words: &str) -> Self {
        let words = words.trim().to_ascii_lowercase();
        let fits = |part: &str| match part {
            _ if part.contains(|c: char| !c.is_ascii_alphanumeric()) => words.contains(part),
            // Short words only as whole ones, longer ones also as the beginning of one: "on" is not in "none".
            _ => words
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word == part || part.len() > WHOLE_WORD && word.starts_with(part)),
        };
        STATES.iter().find(|(_, parts)| parts.iter().any(|part| fits(part))).map_or(Self::Unsaid, |(state, _)| *state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_tools_mean_states() {
        for (words, state) in [
            ("Optimal", State::Good),
            ("Onln", State::Good),
            ("Online, Spun Up", State::Good),
            ("Unconfigured(good), Spun Up", State::Good),
            ("Unconfigured(bad)", State::Failed),
            ("UBad", State::Failed),
            ("Hotspare, Spun down", State::Good),
            ("OK", State::Good),
            ("Okay (OKY)", State::Good),
            ("Ready (RDY)", State::Good),
            ("Optimal (OPT)", State::Good),
            ("Failed (FLD)", State::Failed),
            ("Missing (MIS)", State::Missing),
            ("Interim Recovery Mode", State::Rebuilding),
            ("DRIVE-REMOVED", State::Missing),
            ("NOT-PRESENT", State::NotPresent),
            ("Failed (Replace Batteries)", State::Failed),
            ("Predictive Failure", State::Predicted),
            ("Dgrd", State::Degraded),
            ("Partially Degraded", State::Degraded),
            ("VERIFYING", State::Good),
            ("None", State::Unsaid),
            ("", State::Unsaid),
        ] {
            assert_eq!(State::of(words), state, "{words}");
        }
    }
}

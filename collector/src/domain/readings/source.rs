//! What the sources of a host's readings say of themselves.

/// What a source of readings last said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// It answers.
    Ok,
    /// This machine has no such thing.
    Absent,
    /// It is there, but may not be looked at.
    Unreadable,
    /// It answered with an error.
    Failed,
    /// It missed its deadline.
    Late,
    /// It has not come back from a call.
    Stuck,
}

impl SourceState {
    /// By its number on the wire; unknown numbers are failures.
    #[must_use]
    pub const fn from_wire(number: u32) -> Self {
        match number {
            0 => Self::Ok,
            1 => Self::Absent,
            2 => Self::Unreadable,
            4 => Self::Late,
            5 => Self::Stuck,
            _ => Self::Failed,
        }
    }

    /// The state's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent => "absent",
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Stuck => "stuck",
        }
    }
}

/// A source of readings, such as `filesystem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: Box<str>,
    /// What it last said.
    pub state: SourceState,
    /// Why, if not ok; cleaned.
    pub reason: Box<str>,
}

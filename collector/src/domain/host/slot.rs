//! The slot: the latest readings of one host, judged where they arrive. (bodies to come)

use crate::domain::{event::Judgement, host::dictionary::DictionaryUpdate, ids::SessionId, time::Timestamp};

/// One readings message, as decoded: gaps and differences as the wire's comments say.
#[derive(Debug, Clone, Default)]
pub struct ReadingsUpdate {
    /// The agent's wall clock, milliseconds.
    pub agent_wall_ms: i64,
    /// Whether every live series is here.
    pub full: bool,
    /// Gaps of the whole numbers.
    pub whole_gaps: Vec<u32>,
    /// Differences of the whole numbers.
    pub whole_diffs: Vec<i64>,
    /// Gaps of the others.
    pub real_gaps: Vec<u32>,
    /// The others.
    pub reals: Vec<f64>,
    /// Source states that changed: source, state number, reason.
    pub sources: Vec<(String, u32, String)>,
}

/// Why an update was not applied (bounded kinds for the counter).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The stream breaks its own dictionary: unknown id, lists of unequal length.
    #[error("malformed update: {0}")]
    Malformed(String),
    /// A newer session has the slot.
    #[error("a newer session reports for this host")]
    Superseded,
}

/// The latest readings of one host.
#[derive(Debug)]
pub struct Slot {}

/// What applying readings led to.
#[derive(Debug, Default)]
pub struct Applied {
    /// Judgements that differ from before.
    pub judgements: Vec<Judgement>,
    /// The engine must be told `Heard`: first readings of the session, or first message after `Silent`.
    pub tell_heard: bool,
}

impl Slot {
    /// Notes that any message arrived. True when the engine must be told (it was silent).
    pub fn heard(&self, _session: SessionId, _now: Timestamp) -> bool {
        unimplemented!()
    }

    /// Grows or retires series. Over the caps whole families are left out and counted, never an error.
    ///
    /// # Errors
    /// [`SlotError`] when the stream is malformed or superseded.
    pub fn grow(&self, _session: SessionId, _update: DictionaryUpdate, _now: Timestamp) -> Result<(), SlotError> {
        unimplemented!()
    }

    /// Applies readings and judges them.
    ///
    /// # Errors
    /// [`SlotError`] when the stream is malformed or superseded.
    pub fn apply(&self, _session: SessionId, _update: &ReadingsUpdate, _now: Timestamp) -> Result<Applied, SlotError> {
        unimplemented!()
    }
}

//! The hardware's evidence as one JSON document: what each source says, and what cannot be seen.

use serde_json::{Value, json};

use super::{Batch, Found, Memory, Outcome, SOURCES};
use crate::clock;
use crate::host::Host;

/// Looks at every source once.
#[must_use]
pub fn look(host: &Host) -> Vec<Batch> {
    SOURCES.iter().map(|source| source.look(host, &mut Memory::default(), clock::now().boottime_ms)).collect()
}

/// The document: `sources` with outcome, reason and payload (JSON as it is, else text), and `coverage`, which is of what
/// cannot be seen and why.
#[must_use]
pub fn json(batches: &[Batch]) -> String {
    let found = || batches.iter().flat_map(|batch| &batch.found);
    let coverage: Vec<Value> = found().filter_map(unseen).collect();
    let document = json!({ "schema": 1, "sources": found().map(source).collect::<Vec<_>>(), "coverage": coverage });
    format!("{document:#}\n")
}

fn source(found: &Found) -> Value {
    let (outcome, reason, payload) = match &found.outcome {
        Outcome::Read { payload, note, .. } => ("read", note.clone(), Some(payload_of(payload))),
        Outcome::Unseen { why, reason } => (why.outcome().1, format!("{}: {reason}", why.word()), None),
        Outcome::Unasked { reason } => ("unasked", reason.clone(), None),
    };
    let mut value = json!({ "source": found.source, "part": found.part, "outcome": outcome, "reason": reason });
    if let Some(payload) = payload {
        value["payload"] = payload;
    }
    value
}

fn payload_of(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into())
}

fn unseen(found: &Found) -> Option<Value> {
    let (why, reason) = match &found.outcome {
        Outcome::Read { .. } => return None,
        Outcome::Unseen { why, reason } => (why.word(), reason),
        Outcome::Unasked { reason } => ("idle", reason),
    };
    Some(json!({ "source": found.source, "part": found.part, "why": why, "reason": reason }))
}

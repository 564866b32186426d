//! Schemas of what was found of the hardware.

use serde_json::{Value, json};

use super::{list_of, object};

/// Answers.
pub(super) fn answers() -> Value {
    let text = json!({ "type": "string" });
    json!({ "EvidenceList": list_of(object(
        &["source", "part", "outcome", "reason", "at", "size"],
        json!({
            "source": text, "part": text, "reason": text, "size": { "type": "integer" },
            "outcome": { "enum": ["read", "not_present", "unreadable", "failed", "asleep"] },
            "at": { "type": "string", "format": "date-time" },
            "payload": { "description": "JSON as the tool wrote it, else text" } }),
    )) })
}

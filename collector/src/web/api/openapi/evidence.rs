//! Schemas of what was found of the hardware.

use serde_json::{Value, json};

use super::{list_of, object};

/// Answers.
pub(super) fn answers() -> Value {
    let (text, count) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let number = json!({ "type": ["number", "null"] });
    let interval = object(&["value", "low", "high"], json!({ "value": number, "low": number, "high": number }));
    json!({ "EvidenceList": list_of(object(
        &["source", "part", "outcome", "reason", "at", "size"],
        json!({
            "source": text, "part": text, "reason": text, "size": { "type": "integer" },
            "outcome": { "enum": ["read", "not_present", "unreadable", "failed", "asleep"] },
            "at": { "type": "string", "format": "date-time" },
            "payload": { "description": "JSON as the tool wrote it, else text" } }),
    )),
    "DriveList": list_of(object(
        &["serial", "model", "firmware", "device", "watched_since", "seen"],
        json!({
            "serial": text, "model": text, "firmware": text, "device": text,
            "host": { "type": ["string", "null"] }, "host_name": { "type": ["string", "null"] },
            "watched_since": time(false), "seen": time(false), "power_on_hours": { "type": ["integer", "null"] },
            "failing_since": time(true), "failed": time(true), "gone": time(true) }),
    )),
    "DriveModelList": list_of(object(
        &["model", "firmware", "drives", "in_use", "failures", "failing", "retired", "years", "figures"],
        json!({
            "model": text, "firmware": { "description": "empty: all of the model", "type": "string" },
            "drives": count, "in_use": count, "failures": count, "failing": count, "retired": count,
            "years": { "type": "number", "description": "for which they were watched, together" },
            "figures": { "description": "null for fewer than ten drives", "oneOf": [{ "type": "null" }, object(
                &["per_year", "bad", "survival", "is_worse", "batch"],
                json!({
                    "per_year": interval, "bad": interval, "is_worse": { "type": "boolean" },
                    "survival": { "type": "array", "items": { "type": "array" } },
                    "batch": { "type": ["integer", "null"] } }),
            )] } }),
    )) })
}

fn time(may_lack: bool) -> Value {
    let kind = if may_lack { json!(["string", "null"]) } else { json!("string") };
    json!({ "type": kind, "format": "date-time" })
}

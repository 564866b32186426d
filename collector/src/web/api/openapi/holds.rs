//! Descriptions of maintenance windows and silences.

use serde_json::{Value, json};

use super::{closed, list_of, object};

/// One of them; more of it when it was just made.
fn hold(more: &Value) -> Value {
    let (text, maybe_text) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let (time, maybe_time) = (super::time(), json!({ "type": ["string", "null"], "format": "date-time" }));
    let mut described = object(
        &["number", "kind", "state", "covers", "when", "reason", "made"],
        json!({
        "number": { "type": ["integer", "null"] }, "kind": { "enum": ["maintenance", "silence"] },
        "state": { "enum": ["to_come", "lasting", "over"] }, "covers": text, "when": text, "from": maybe_time,
        "until": maybe_time, "reason": text, "change": text, "by": text, "made": time, "ended": maybe_time,
        "ended_by": maybe_text, "not_back": { "type": ["array", "null"], "items": text } }),
    );
    for (name, schema) in more.as_object().into_iter().flatten() {
        described["properties"][name] = schema.clone();
    }
    described
}

pub(super) fn answers() -> Value {
    let time = super::time();
    json!({
        "HoldList": list_of(hold(&json!({}))),
        "HoldMade": hold(&json!({
            "hosts": { "type": "array", "items": { "type": "string" } }, "host_count": { "type": "integer" },
            "on_call": { "type": "array", "items": object(&["person", "rotation", "from", "until"], json!({
                "person": { "type": ["string", "null"] }, "rotation": { "type": "string" }, "from": time, "until": time })) },
            "occurrences": { "type": "array", "items": object(&["from", "until"], json!({ "from": time, "until": time })) } })),
    })
}

pub(super) fn questions() -> Value {
    let (text, flag) = (json!({ "type": "string" }), json!({ "type": "boolean" }));
    let texts = json!({ "type": "array", "items": text, "maxItems": 200 });
    let time = super::time();
    let seconds = json!({ "type": "integer", "minimum": 1 });
    json!({
        "NewHold": closed(&["reason"], json!({
            "hosts": texts, "sites": texts, "class": { "enum": ["server", "workstation", "device"] },
            "labels": { "type": "object", "additionalProperties": text }, "what": text, "all": flag,
            "reason": { "type": "string", "maxLength": 1000 }, "change": { "type": "string", "maxLength": 1000 },
            "from": time, "until": time, "for_seconds": seconds, "flexible_seconds": seconds, "dry_run": flag,
            "every": closed(&["start", "end", "zone"], json!({
                "days": { "type": "array", "items": { "enum": crate::domain::calendar::WEEKDAYS } },
                "month_days": { "type": "array", "items": { "type": "integer", "minimum": -31, "maximum": 31 } },
                "start": text, "end": text, "zone": text })) })),
    })
}

//! Descriptions of what is said of incidents that were no problem.

use serde_json::{Value, json};

use super::{closed, object};

/// What was said of an incident.
pub(super) fn said() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let (time, maybe_time) = (super::time(), json!({ "type": ["string", "null"], "format": "date-time" }));
    let one = object(
        &["number", "choice", "does", "reason", "by", "made"],
        json!({
        "number": whole, "choice": choices(), "does": text, "reason": text, "by": text, "via": text, "made": time,
        "from": time, "until": time, "says": text, "taken_back": maybe_time,
        "taken_back_by": { "type": ["string", "null"] } }),
    );
    json!({ "type": "array", "items": one })
}

/// What changed on an incident's host before it.
pub(super) fn changes() -> Value {
    let text = json!({ "type": "string" });
    let kinds = json!({ "enum": ["boot", "system", "agent", "part", "service", "label", "limit", "setting", "maintenance",
                                 "silence", "incident", "person"] });
    let one = object(
        &["at", "kind", "text"],
        json!({ "at": super::time(), "kind": kinds, "text": text, "by": { "type": ["string", "null"] } }),
    );
    json!({ "type": "array", "items": one })
}

fn choices() -> Value {
    json!({ "enum": ["threshold", "expected", "never", "false_alarm"] })
}

fn every() -> Value {
    let text = json!({ "type": "string" });
    closed(
        &["start", "end", "zone"],
        json!({
        "days": { "type": "array", "items": { "enum": crate::domain::calendar::WEEKDAYS } },
        "month_days": { "type": "array", "items": { "type": "integer", "minimum": -31, "maximum": 31 } },
        "start": text, "end": text, "zone": text }),
    )
}

pub(super) fn answers() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let texts = json!({ "type": "array", "items": text });
    let limit = object(
        &["key", "says", "value", "needed"],
        json!({ "key": text, "says": text, "value": text, "needed": { "type": ["string", "null"] } }),
    );
    json!({
        "DismissalOffer": object(&["limits", "every", "labels", "said"], json!({
            "limits": { "type": "array", "items": limit }, "every": { "oneOf": [every(), { "type": "null" }] },
            "labels": texts, "said": said() })),
        "DismissalMade": object(&["number", "choice", "does", "says", "pages", "spared", "missed", "cannot_tell"], json!({
            "number": { "type": ["integer", "null"] }, "choice": choices(), "does": text, "notes": texts, "says": text,
            "pages": whole, "spared": whole, "missed": whole, "cannot_tell": whole, "missed_incidents": whole })),
    })
}

pub(super) fn questions() -> Value {
    let text = json!({ "type": "string", "maxLength": 1000 });
    json!({
        "NewDismissal": closed(&["choice", "reason"], json!({
            "choice": choices(), "reason": text, "label": text,
            "limits": { "type": "object", "maxProperties": 64, "additionalProperties": { "type": "string", "maxLength": 256 } },
            "severity": { "enum": ["info"] }, "every": every(), "owner": text, "until": super::time(),
            "for_seconds": { "type": "integer", "minimum": 1 }, "dry_run": { "type": "boolean" } })),
    })
}

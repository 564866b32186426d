//! Schemas of the parts of the hardware.

use serde_json::{Value, json};

use super::{list_of, object, time};

/// Answers.
pub(super) fn answers() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let texts = json!({ "type": "array", "items": text });
    let named = json!({ "type": "array", "items": object(&["name", "value"], json!({ "name": text, "value": text })) });
    let list = |item: Value| json!({ "type": "array", "items": item });
    let summary = json!({
        "part": text, "kind": text, "device": text, "model": text, "serial": text, "firmware": text, "slot": text,
        "source": text, "outcome": text, "at": { "type": ["string", "null"], "format": "date-time" },
        "verdict": { "enum": ["healthy", "failing", "failed", "unknown"] }, "why": maybe,
        "severity": { "enum": ["critical", "warning", "info", null] } });
    let known = ["part", "kind", "device", "model", "serial", "firmware", "slot", "source", "outcome", "verdict"];
    let mut part = summary.clone();
    let way = object(&["devices", "mounts"], json!({ "devices": texts, "mounts": texts }));
    let group = object(
        &["name", "level", "state", "member", "can_still_lose"],
        json!({ "name": text, "level": text, "state": text, "member": text,
                "can_still_lose": { "type": ["integer", "null"] } }),
    );
    let open = object(
        &["part", "rule", "severity", "since", "evidence"],
        json!({ "part": text, "rule": text, "severity": text, "since": time(), "evidence": text, "documented": maybe }),
    );
    let point = object(&["at", "value"], json!({ "at": time(), "value": { "type": "integer" } }));
    let counter = object(&["name", "unit", "points"], json!({ "name": text, "unit": text, "points": list(point) }));
    for (name, schema) in [
        ("description", named.clone()),
        ("place", named),
        ("carries", list(way)),
        ("groups", list(group)),
        ("open", list(open)),
        ("findings", list(json!({ "type": "object", "description": "as `hardware judge` prints them" }))),
        ("counters", list(counter)),
    ] {
        part[name] = schema;
    }
    json!({
        "PartList": list_of(object(&known, summary)),
        "Part": object(&known, part),
        "HardwareCoverage": list_of(object(
            &["host", "name", "source", "outcome", "reason", "meaning", "parts"],
            json!({ "host": text, "name": text, "source": text, "outcome": text, "reason": text, "meaning": text,
                    "parts": { "type": "integer" } }),
        )),
    })
}

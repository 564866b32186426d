//! Descriptions of what is asked of reports that were issued.

use serde_json::{Value, json};

use super::{agreements::joined, closed, list_of, object};

pub(super) fn answers() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let verification = json!({
        "outcome": { "enum": ["verified", "differs", "cannot"] }, "notes": texts, "why": text, "path": text,
        "stated": {}, "recomputed": {},
    });
    let version = json!({
        "version": { "type": "integer" }, "since": { "type": "string", "format": "date-time" },
        "withdrawn": { "type": "boolean" }, "definition": text,
    });
    let version = object(&["version", "since", "withdrawn", "definition"], version);
    json!({
        "AgreementVersions": list_of(version), "Comparison": comparison(), "WhatIf": what_if(),
        "WhatIfAnswer": what_if_answer(), "Verification": object(&["outcome", "notes"], verification),
    })
}

/// What a report was reckoned from.
pub(super) fn inputs() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let time = json!({ "type": "string", "format": "date-time" });
    let version = object(&["number", "version"], json!({ "number": whole, "version": whole }));
    let versions = json!({ "type": "array", "items": version });
    let open = json!({ "from": time, "state": text, "cause": {} });
    let ledger = json!({ "n": whole, "hash": text, "begun": time, "open": object(&["from", "state", "cause"], open) });
    let mut ledger = object(&["n", "hash", "begun", "open"], ledger);
    ledger["type"] = json!(["object", "null"]);
    // A service has members, which are the same again, instead of a host and a ledger.
    let subject = json!({
        "subject": text, "host": { "type": ["string", "null"] }, "ledger": ledger, "windows": versions,
        "amendments": versions, "false_alarms": versions, "members": { "type": "array", "items": { "type": "object" } },
    });
    let subject = object(&["subject", "host", "ledger", "windows", "amendments", "false_alarms"], subject);
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let incident = json!({
        "about": text, "number": whole, "since": time, "opened": time, "resolved": maybe_time, "paged": maybe_time,
        "acknowledged": maybe_time, "acknowledged_by": { "type": ["string", "null"] },
    });
    let incident = object(&["about", "number", "since", "opened"], incident);
    let definition = json!({
        "name": text, "version": whole, "sha256": text, "in_force_from": { "type": ["string", "null"] },
    });
    let definition = object(&["name", "version", "sha256", "in_force_from"], definition);
    let needed = ["as_of", "program", "tzdata", "definition", "period", "subjects", "incidents"];
    object(
        &needed,
        json!({
            "as_of": time, "program": text, "tzdata": text, "definition": definition, "period": text,
            "subjects": { "type": "array", "items": subject }, "incidents": { "type": "array", "items": incident },
        }),
    )
}

/// Figures of two reports side by side, under two names; null where one has no such subject.
fn side_by_side(names: [&str; 2], more: &Value) -> Value {
    let [first, second] = names;
    let figures = json!({ "type": ["object", "null"] });
    let properties = json!({
        "subject": { "type": "string" }, first: figures, second: figures, "verdict_changes": { "type": "boolean" },
    });
    object(&["subject", first, second, "verdict_changes"], joined(&[&properties, more]))
}

/// A report then and now.
fn comparison() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let maybe = json!({ "type": ["integer", "null"] });
    let time = json!({ "type": "string", "format": "date-time" });
    let version = json!({ "number": whole, "then": maybe, "now": maybe, "says": text });
    let versions = json!({ "type": "array", "items": object(&["number", "says"], version) });
    let entry = json!({
        "of": text, "n": whole, "from": time, "to": time, "state": text, "cause": text, "evidence": text, "learned": time,
        "replaces": maybe,
    });
    let entries = json!({ "type": "array", "items": object(&["n", "from", "to", "state", "learned"], entry) });
    let more = json!({ "windows": versions, "amendments": versions, "false_alarms": versions, "entries": entries });
    let figures = json!({ "type": "object" });
    object(
        &["name", "period", "then", "now", "subjects"],
        json!({
            "name": text, "period": text, "then": figures, "now": figures, "then_as_of": time, "now_as_of": time,
            "then_version": whole, "now_version": whole, "then_tzdata": text, "now_tzdata": text,
            "subjects": { "type": "array", "items": side_by_side(["then", "now"], &more) },
        }),
    )
}

/// What might have been otherwise.
fn what_if() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let time = json!({ "type": "string", "format": "date-time" });
    let hosts = json!({ "type": "array", "minItems": 1, "items": text });
    let added = closed(&["from", "until", "hosts"], json!({ "from": time, "until": time, "hosts": hosts }));
    closed(
        &[],
        json!({
            "period": text, "on": text, "definition": text, "target": { "type": "number" },
            "without_windows": { "type": "array", "maxItems": 100, "items": whole },
            "add_windows": { "type": "array", "maxItems": 100, "items": added },
        }),
    )
}

fn what_if_answer() -> Value {
    let (text, yes) = (json!({ "type": "string" }), json!({ "type": "boolean" }));
    let figures = json!({ "type": "object" });
    let subject = side_by_side(["present", "what_if"], &json!({}));
    object(
        &["name", "period", "present", "what_if", "verdict_changes", "subjects_that_change_verdict", "subjects"],
        json!({
            "name": text, "period": text, "as_of": { "type": "string", "format": "date-time" }, "present": figures,
            "what_if": figures, "verdict_changes": yes, "subjects_that_change_verdict": { "type": "integer" },
            "subjects": { "type": "array", "items": subject }, "notes": { "type": "array", "items": text },
        }),
    )
}

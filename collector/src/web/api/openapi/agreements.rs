//! Descriptions of agreements and their reports.

use serde_json::{Value, json};

use super::{list_of, object};

pub(super) fn answers() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let maybe_text = json!({ "type": ["string", "null"] });
    let (whole, maybe_whole) = (json!({ "type": "integer" }), json!({ "type": ["integer", "null"] }));
    let ratio = json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 });
    let (time, yes) = (json!({ "type": "string", "format": "date-time" }), json!({ "type": "boolean" }));
    let verdict = json!({ "enum": ["met", "missed", "undetermined"] });
    let figures = json!({
        "window_ms": whole, "outside_hours_ms": whole, "up_ms": whole, "down_ms": whole, "maintenance_ms": whole,
        "unreachable_ms": whole, "collector_down_ms": whole, "unknown_ms": whole, "clean_stop_ms": whole,
        "agreed_ms": whole, "served_ms": whole, "availability_ratio": ratio, "coverage_ratio": ratio,
        "optimistic_ratio": ratio, "pessimistic_ratio": ratio, "verdict": verdict,
    });
    let policy = json!({ "enum": ["exclude", "as_up", "as_down"] });
    let agreement = json!({
        "name": text, "target": { "type": "number" }, "applies_to": text, "length": text, "zone": text,
        "service_hours": texts, "holidays": texts,
        "policies": { "type": "object", "additionalProperties": policy },
        "period": text, "period_from": time, "period_to": time, "from": time, "to": time, "complete": yes,
        "subject_count": whole,
    });
    let budget = json!({
        "budget_ms": whole, "budget_left_ms": whole,
        "if_nothing_more_happens": object(&["verdict"], json!({ "availability_ratio": ratio, "verdict": verdict })),
    });
    let total = joined(&[&budget, &figures]);
    let agreed_total = json!({ "agreed": { "type": ["object", "null"], "properties": total } });
    let outage = object(
        &["from", "to", "open", "length_ms", "cause", "evidence", "incidents"],
        json!({ "from": time, "to": time, "open": yes, "length_ms": whole, "cause": text, "evidence": text,
                "notes": texts, "category": maybe_text, "disputed": yes,
                "incidents": { "type": "array", "items": incident() } }),
    );
    let window = object(
        &["from", "to", "window"],
        json!({ "from": time, "to": time, "window": text, "reason": text, "entered_afterwards": maybe_text,
                "disregarded": maybe_text }),
    );
    let correction = json!({ "from": time, "to": time, "state": text, "source": text, "reason": text, "made": time });
    let means = object(
        &["outages", "longest_ms"],
        json!({ "outages": whole, "longest_ms": whole, "mtrs_ms": maybe_whole, "median_ms": maybe_whole,
                "p90_ms": maybe_whole, "mtbf_ms": maybe_whole, "mtbsi_ms": maybe_whole, "incidents": whole,
                "detected": whole, "mttd_ms": maybe_whole, "mttd_median_ms": maybe_whole, "mttd_p90_ms": maybe_whole,
                "acknowledged": whole, "mtta_ms": maybe_whole, "mtta_median_ms": maybe_whole,
                "mtta_p90_ms": maybe_whole }),
    );
    let counted = json!({ "outages": { "type": "array", "items": outage }, "means": &means });
    let agreed = joined(&[&counted, &figures]);
    let subject = joined(&[
        &json!({ "subject": text, "kind": { "enum": ["host", "check"] }, "host": text, "agreement": text,
                 "target": { "type": "number" }, "from": time, "to": time,
                 "maintenance": { "type": "array", "items": window },
                 "corrections": { "type": "array", "items": object(&["from", "to", "state", "source"], correction) },
                 "agreed": { "type": ["object", "null"], "properties": agreed } }),
        &counted,
        &figures,
    ]);
    let subject = object(&["subject", "kind", "window_ms", "agreed_ms", "verdict", "outages", "means"], subject);
    let needed = ["name", "target", "period", "from", "to", "agreed_ms", "availability_ratio", "verdict"];
    let item = joined(&[&agreement, &total, &agreed_total]);
    let report = joined(&[&item, &json!({ "means": means, "subjects": { "type": "array", "items": subject } })]);
    json!({ "AgreementList": list_of(object(&needed, item)), "AgreementReport": object(&needed, report),
            "Document": { "type": "string" } })
}

/// An incident that told of an outage.
fn incident() -> Value {
    let (time, maybe_time) = (
        json!({ "type": "string", "format": "date-time" }),
        json!({ "type": ["string", "null"], "format": "date-time" }),
    );
    object(
        &["number", "since", "opened"],
        json!({ "number": { "type": "integer" }, "since": time, "opened": time, "resolved": maybe_time,
                "paged": maybe_time, "acknowledged": maybe_time, "acknowledged_by": { "type": ["string", "null"] } }),
    )
}

fn joined(parts: &[&Value]) -> Value {
    parts
        .iter()
        .filter_map(|part| part.as_object())
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

//! Descriptions of agreements and their reports.

use serde_json::{Value, json};

use super::{closed, list_of, object, proofs};

pub(super) fn answers() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let maybe_text = json!({ "type": ["string", "null"] });
    let (whole, maybe_whole) = (json!({ "type": "integer" }), json!({ "type": ["integer", "null"] }));
    let ratio = json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 });
    let (time, yes) = (json!({ "type": "string", "format": "date-time" }), json!({ "type": "boolean" }));
    let verdict = json!({ "enum": ["met", "missed", "undetermined"] });
    let figures = figures(&whole, &ratio, &verdict);
    let policy = json!({ "enum": ["exclude", "as_up", "as_down"] });
    let agreement = json!({
        "name": text, "applies_to": text, "length": text, "zone": text,
        "service_hours": texts, "holidays": texts,
        "policies": { "type": "object", "additionalProperties": policy },
        "period": text, "period_from": time, "period_to": time, "from": time, "to": time, "complete": yes,
        "availability_verdict": verdict, "outage_count_verdict": verdict, "subject_count": whole,
        "burn_alerts": { "enum": ["off", "tickets", "pages"] }, "burn": burn(), "forecast": forecast(),
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
        &json!({ "subject": text, "kind": kind(), "host": maybe_text, "agreement": text, "needs": text,
                 "members": { "type": "array", "items": member(&figures) }, "target": { "type": "number" }, "from": time, "to": time,
                 "availability_verdict": verdict, "outage_count": count(&verdict),
                 "maintenance": { "type": "array", "items": window },
                 "corrections": { "type": "array", "items": object(&["from", "to", "state", "source"], correction) },
                 "agreed": { "type": ["object", "null"], "properties": agreed } }),
        &counted,
        &figures,
    ]);
    let subject = object(&["subject", "kind", "window_ms", "agreed_ms", "verdict", "outages", "means"], subject);
    let needed = ["name", "target", "period", "from", "to", "agreed_ms", "availability_ratio", "verdict"];
    let item = joined(&[&agreement, &promise(), &kept(), &total, &agreed_total]);
    let report = json!({
        "means": means, "subjects": { "type": "array", "items": subject },
        "others_in_force": { "type": "array", "items": object(&["target"], promise()) }, "inputs": proofs::inputs(),
        "digest": text,
    });
    let report = joined(&[&item, &report]);
    let declared = joined(&[&item, &json!({ "did": { "enum": ["declare", "change", "same", "nothing"] } })]);
    json!({ "AgreementDeclared": object(&needed, declared),
            "NewAgreement": closed(&["definition"], json!({ "definition": text, "dry_run": yes })),
            "AgreementList": list_of(object(&needed, item)), "AgreementReport": object(&needed, report),
            "Document": { "type": "string" } })
}

/// What is asked, and from when until when.
fn promise() -> Value {
    let maybe_whole = json!({ "type": ["integer", "null"] });
    let maybe_date = json!({ "type": ["string", "null"], "format": "date" });
    json!({
        "target": { "type": "number" }, "max_outages": maybe_whole, "min_outage_ms": maybe_whole,
        "in_force_from": maybe_date, "in_force_until": maybe_date,
    })
}

/// Which version of its definition it is, and since when.
fn kept() -> Value {
    json!({
        "version": { "type": ["integer", "null"] }, "since": { "type": ["string", "null"], "format": "date-time" },
    })
}

fn kind() -> Value {
    json!({ "enum": ["host", "check", "service"] })
}

/// What a service is made of, as if it were promised alone; a service among them has members itself.
fn member(figures: &Value) -> Value {
    let (text, maybe_text) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let members = json!({ "type": "array", "items": { "type": "object" } });
    let about = json!({ "subject": text, "kind": kind(), "host": maybe_text, "needs": text, "members": members });
    object(&["subject", "kind", "window_ms", "agreed_ms", "verdict"], joined(&[&about, figures]))
}

/// How many outages there were, between two bounds.
fn count(verdict: &Value) -> Value {
    let whole = json!({ "type": "integer" });
    object(&["at_least", "at_most", "verdict"], json!({ "at_least": whole, "at_most": whole, "verdict": verdict }))
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

/// Every bucket of a window and what they mean.
fn figures(whole: &Value, ratio: &Value, verdict: &Value) -> Value {
    json!({
        "window_ms": whole, "outside_hours_ms": whole, "up_ms": whole, "down_ms": whole, "maintenance_ms": whole,
        "unreachable_ms": whole, "collector_down_ms": whole, "unknown_ms": whole, "clean_stop_ms": whole,
        "agreed_ms": whole, "served_ms": whole, "availability_ratio": ratio, "coverage_ratio": ratio,
        "optimistic_ratio": ratio, "pessimistic_ratio": ratio, "verdict": verdict,
    })
}

/// How fast the budget of the worst subject is spent now.
fn burn() -> Value {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
    let rate = json!({ "window": text, "rate": { "type": ["number", "null"] } });
    let rule = json!({
        "percent": { "type": "integer" }, "window": text, "short_window": text, "severity": text, "limit": number,
        "broken": { "type": "boolean" },
    });
    let mut burn = object(
        &["at", "rates", "rules"],
        json!({
            "at": { "type": "string", "format": "date-time" },
            "rates": { "type": "array", "items": object(&["window", "rate"], rate) },
            "rules": { "type": "array", "items": object(&["window", "limit", "broken"], rule) },
        }),
    );
    burn["type"] = json!(["object", "null"]);
    burn
}

/// What the subject with least budget left can still afford; null of what is over.
fn forecast() -> Value {
    let (whole, maybe_whole) = (json!({ "type": "integer" }), json!({ "type": ["integer", "null"] }));
    let mut forecast = object(
        &["subject", "budget_ms", "budget_left_ms"],
        json!({
            "subject": { "type": "string" }, "budget_ms": whole, "budget_left_ms": whole, "median_outage_ms": maybe_whole,
            "outages_left": maybe_whole, "budget_gone": { "type": ["string", "null"], "format": "date-time" },
        }),
    );
    forecast["type"] = json!(["object", "null"]);
    forecast
}

/// Members of several.
pub(super) fn joined(parts: &[&Value]) -> Value {
    parts
        .iter()
        .filter_map(|part| part.as_object())
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

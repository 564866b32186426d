//! Descriptions of reports that are delivered.

use serde_json::{Value, json};

use super::{closed, list_of, object, time};

pub(super) fn schemas() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let (maybe_text, whole) = (json!({ "type": ["string", "null"] }), json!({ "type": "integer" }));
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let next = object(&["agreement", "period", "due"], json!({ "agreement": text, "period": text, "due": time() }));
    let plan = object(
        &["name", "agreements", "every", "at", "formats", "next"],
        json!({
            "name": text, "agreements": texts, "every": { "enum": ["day", "week", "month", "quarter", "year"] },
            "at": text, "formats": { "type": "array", "items": { "enum": ["html", "csv", "xlsx", "json"] } },
            "directory": maybe_text, "receiver": maybe_text, "to": texts, "next": { "type": "array", "items": next },
        }),
    );
    let way = json!({ "enum": ["directory", "mail"] });
    let state = json!({ "enum": ["waiting", "under_way", "delivered", "failed", "unclear"] });
    let delivery = object(
        &["way", "to"],
        json!({ "way": way, "to": text, "state": state, "tries": whole, "at": time(), "next": maybe_time, "said": text }),
    );
    let issue = object(
        &["report", "agreement", "period", "deliveries"],
        json!({
            "number": whole, "report": text, "agreement": text, "period": text, "due": time(), "asked_by": maybe_text,
            "at": time(), "state": { "enum": ["issued", "left_out"] }, "why": text,
            "version": { "type": ["integer", "null"] }, "digest": maybe_text, "verdict": maybe_text, "title": maybe_text,
            "files": texts, "deliveries": { "type": "array", "items": delivery },
        }),
    );
    let asked = json!({ "period": maybe_text, "agreement": maybe_text, "dry_run": { "type": "boolean" } });
    let made = json!({ "dry_run": { "type": "boolean" }, "items": { "type": "array", "items": issue } });
    json!({
        "ReportPlanList": list_of(plan), "ReportIssueList": list_of(issue), "DeliverReport": closed(&[], asked),
        "ReportsIssued": object(&["dry_run", "items"], made),
    })
}

//! Descriptions of alerts from elsewhere.

use serde_json::{Value, json};

use super::object;

/// Where more of an incident is shown.
pub(super) fn links() -> Value {
    let text = json!({ "type": "string" });
    json!({ "type": "array", "items": object(&["name", "url"], json!({ "name": text, "url": text })) })
}

pub(super) fn questions() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let words = json!({ "type": "object", "additionalProperties": text });
    let alert = object(
        &["labels"],
        json!({
        "labels": words, "annotations": words, "startsAt": text, "endsAt": text, "generatorURL": text }),
    );
    let mut forwarded = alert.clone();
    forwarded["properties"]["status"] = json!({ "enum": ["firing", "resolved"] });
    json!({
        "PostedAlerts": { "type": "array", "maxItems": 2_000, "items": alert },
        "AlertWebhook": object(&["alerts"], json!({
            "version": text, "status": text, "alerts": { "type": "array", "maxItems": 2_000, "items": forwarded } })),
        "AlertsTaken": object(&["firing", "resolved", "own"], json!({
            "firing": whole, "resolved": whole, "own": whole })),
    })
}

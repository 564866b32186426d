//! Descriptions of links that show some agreements.

use serde_json::{Value, json};

use super::{closed, list_of, object, time};

pub(super) fn schemas() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let maybe_text = json!({ "type": ["string", "null"] });
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let properties = json!({
        "number": { "type": "integer" }, "agreements": texts, "for": text, "made": time(), "by": text, "expires": time(),
        "state": { "enum": ["works", "ended", "revoked"] }, "revoked": maybe_time, "revoked_by": maybe_text,
    });
    let mut made = properties.clone();
    made["url"] = json!({ "type": "string", "format": "uri" });
    let names = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 50 });
    let asked = json!({ "agreements": names, "ttl_seconds": { "type": ["integer", "null"] }, "for": text });
    json!({
        "AgreementLinkList": list_of(object(&["number", "agreements", "expires", "state"], properties)),
        "NewAgreementLink": closed(&["agreements"], asked),
        "AgreementLink": object(&["number", "agreements", "expires", "state", "url"], made),
    })
}

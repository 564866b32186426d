//! Descriptions of what people say of service levels afterwards.

use serde_json::{Value, json};

use super::{closed, list_of, object, time};
use crate::domain::sla::amendment::Category;

pub(super) fn schemas() -> Value {
    let (text, texts) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
    let (maybe_whole, flag) = (json!({ "type": ["integer", "null"] }), json!({ "type": "boolean" }));
    let amendment = object(
        &["number", "says", "subjects", "reason", "by", "made", "holds"],
        json!({
            "number": maybe_whole, "about": text, "says": text, "subjects": texts, "window": maybe_whole, "reason": text,
            "ticket": text, "by": text, "made": time(), "holds": flag, "agreements": texts,
            "withdrawn": { "type": ["object", "null"], "properties": { "at": time(), "by": text, "reason": text } },
        }),
    );
    json!({
        "AmendmentList": list_of(amendment.clone()),
        "Amendment": amendment,
        "NewCorrection": closed(&["subjects", "state", "from", "until", "reason"], json!({
            "subjects": texts, "state": { "enum": ["up", "down"] }, "from": time(), "until": time(), "reason": text,
            "ticket": text, "dry_run": flag })),
        "NewDisregard": closed(&["window", "reason"], json!({
            "window": { "type": "integer" }, "reason": text, "ticket": text, "dry_run": flag })),
        "NewNote": closed(&["subject", "at", "text"], json!({
            "subject": text, "at": time(), "text": text, "ticket": text, "disputed": { "type": ["boolean", "null"] },
            "cause": { "enum": Category::ALL.map(Category::word) } })),
    })
}

//! Schemas of the inventory.

use serde_json::{Value, json};

use super::{closed, list_of, object, time};

/// Answers and questions.
pub(super) fn schemas() -> Value {
    let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let maybe = json!({ "type": ["string", "null"] });
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let fields = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let list = |item: Value| json!({ "type": "array", "items": item });
    let head = json!({
        "status": { "enum": ["complete", "partial", "unreadable", "absent", "switched_off"] }, "reason": text,
        "source": text, "collected_at": time(), "first_collected_at": time(), "rows_told": whole });
    let mut section = head.clone();
    section["rows"] = list(fields.clone());
    let section = object(&["status", "reason", "source", "collected_at", "rows"], section);
    let refused = object(&["section", "at", "reason"], json!({ "section": text, "at": time(), "reason": text }));
    let row = object(
        &["key", "since", "fields"],
        json!({ "key": text, "since": time(), "away_since": maybe_time, "source": text, "fields": fields, "latest": fields }),
    );
    let past = object(&["from", "fields"], json!({ "from": time(), "to": maybe_time, "fields": fields }));
    let mut one = head;
    for (name, schema) in [
        ("section", text.clone()),
        ("at", maybe_time.clone()),
        ("key", text.clone()),
        ("rows", list(row)),
        ("history", list(past)),
    ] {
        one[name] = schema;
    }
    let change_field = object(&["name"], json!({ "name": text, "before": maybe, "after": maybe }));
    let change_row =
        object(&["key", "class", "fields"], json!({ "key": text, "class": text, "fields": list(change_field) }));
    let reason = json!({
        "type": ["object", "null"], "required": ["text", "by", "at"],
        "properties": { "text": text, "by": text, "at": time() } });
    json!({
        "Inventory": object(&["schema", "host", "sections"], json!({
            "schema": whole, "host": text, "host_id": text, "at": maybe_time,
            "sections": { "type": "object", "additionalProperties": section }, "refused": list(refused) })),
        "InventorySection": object(&["section", "status", "reason", "source", "collected_at"], one),
        "InventoryHitList": list_of(object(&["host", "host_id", "key", "from", "fields"], json!({
            "host": text, "host_id": text, "key": text, "from": time(), "to": maybe_time, "fields": fields }))),
        "InventoryChangeList": list_of(object(
            &["id", "host", "host_id", "at", "class", "section", "title", "rows_changed", "rows", "kind"],
            json!({
                "id": text, "host": text, "host_id": text, "at": time(), "not_before": time(), "class": text,
                "section": text, "title": text, "rows_changed": whole, "rows": list(change_row),
                "kind": { "enum": ["expected", "unplanned", "new"] }, "change": maybe, "reason": reason }),
        )),
        "NeighbourList": list_of(object(
            &["id", "mac", "name", "addresses", "made_up", "since", "met_by", "foreign"],
            json!({
                "id": text, "mac": text, "name": text, "addresses": list(text.clone()), "made_up": { "type": "boolean" }, "since": time(),
                "met_by": list(object(&["host", "interface"], json!({
                    "host": text, "site": maybe, "interface": text }))),
                "foreign": { "type": "boolean" },
                "said": {
                    "type": ["object", "null"], "required": ["foreign", "reason", "by", "at"],
                    "properties": { "foreign": { "type": "boolean" }, "reason": text, "by": text, "at": time() } } }),
        )),
        "NewMark": closed(&["foreign", "reason"], json!({
            "foreign": { "type": "boolean" }, "reason": { "type": "string", "minLength": 1, "maxLength": 200 } })),
        "NewReason": closed(&["reason"], json!({ "reason": { "type": "string", "minLength": 1, "maxLength": 200 } })),
    })
}

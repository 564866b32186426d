//! Descriptions of what is asked and answered about labels.

use serde_json::{Value, json};

use super::{closed, list_of, object};
use crate::domain::layers::Layer;

fn words() -> Value {
    json!({ "type": "object", "maxProperties": 64, "additionalProperties": { "type": "string", "maxLength": 256 } })
}

fn layer() -> Value {
    json!({ "enum": Layer::ALL.map(Layer::word) })
}

/// Which source each value comes from.
pub(super) fn sources() -> Value {
    json!({ "type": "object", "additionalProperties": layer() })
}

/// What each source says.
pub(super) fn layers() -> Value {
    json!({ "type": "object", "propertyNames": layer(), "additionalProperties": words() })
}

pub(super) fn answers() -> Value {
    let (text, whole, flag) = (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "boolean" }));
    let said = object(&["value", "from"], json!({ "value": text, "from": layer() }));
    let side = json!({ "oneOf": [said, { "type": "null" }] });
    let turned = object(&["label", "before", "after"], json!({ "label": text, "before": side, "after": side }));
    let host = object(
        &["id", "name", "change", "labels"],
        json!({ "id": text, "name": text, "change": text, "labels": { "type": "array", "items": turned } }),
    );
    json!({
        "AssetRows": list_of(object(&["name", "says", "hosts"], json!({
            "name": text, "says": words(), "hosts": { "type": "array", "items": text } }))),
        "Relabelled": object(&["done", "preview", "hits", "changed", "hosts"], json!({
            "done": flag, "preview": text, "hits": whole, "changed": whole, "rows": whole,
            "hosts": { "type": "array", "items": host }, "waiting": { "type": "array", "items": text } })),
    })
}

pub(super) fn questions() -> Value {
    let (text, flag) = (json!({ "type": "string" }), json!({ "type": "boolean" }));
    let class = json!({ "enum": ["", "server", "workstation", "device"] });
    let watch = json!({ "enum": ["", "fast", "normal", "relaxed", "none"] });
    let preview =
        json!({ "type": ["string", "null"], "description": "the `preview` of a dry run: done only if it still holds" });
    json!({
        "HostChange": closed(&[], json!({ "class": class, "site": text, "watch": watch, "labels": words() })),
        "ManyLabels": closed(&["set"], json!({
            "where": closed(&[], json!({
                "state": text, "site": text, "unsorted": flag, "class": text, "labels": words(), "name": text, "search": text })),
            "set": words(), "all": flag, "dry_run": flag, "preview": preview })),
        "AssetList": closed(&["csv"], json!({ "csv": text, "dry_run": flag, "preview": preview })),
    })
}

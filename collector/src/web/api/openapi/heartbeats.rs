//! Descriptions of other people's jobs.

use serde_json::{Value, json};

use super::{list_of, object};

pub(super) fn answers() -> Value {
    let (text, maybe_text) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let (whole, maybe_whole) = (json!({ "type": "integer" }), json!({ "type": ["integer", "null"] }));
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let heartbeat = object(
        &["name", "state", "severity", "expected", "grace_seconds", "last_ping", "due", "url"],
        json!({
            "name": text, "state": { "enum": ["new", "up", "running", "late", "overrun", "failed"] },
            "severity": { "enum": ["info", "warning", "critical"] }, "expected": text, "grace_seconds": whole,
            "host": maybe_text, "site": maybe_text,
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "last_ping": maybe_time, "last_signal": maybe_text, "last_success": maybe_time, "due": maybe_time,
            "alarm": maybe_time, "next_run": maybe_time, "started": maybe_time, "took_seconds": maybe_whole, "said": maybe_text,
            "url": maybe_text }),
    );
    json!({ "HeartbeatList": list_of(heartbeat.clone()), "Heartbeat": heartbeat })
}

//! Descriptions of who is on call and who would be told.

use serde_json::{Value, json};

use super::{closed, list_of, object};

pub(super) fn answers() -> Value {
    let (text, maybe_text) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let maybe_time = json!({ "type": ["string", "null"], "format": "date-time" });
    let (whole, time) = (json!({ "type": "integer" }), super::time());
    let (number, day) = (json!({ "type": "number" }), json!({ "type": "string", "format": "date" }));
    let (maybe_number, maybe_whole) = (json!({ "type": ["number", "null"] }), json!({ "type": ["integer", "null"] }));
    let shift = object(
        &["person", "from", "until"],
        json!({ "person": maybe_text, "from": time, "until": time, "override": { "type": ["integer", "null"] } }),
    );
    let told = object(
        &["after_seconds", "at", "who", "through", "why"],
        json!({ "after_seconds": whole, "at": time, "who": text, "through": text, "why": text }),
    );
    json!({
        "OnCallList": list_of(object(&["rotation", "zone", "on_call", "shifts"], json!({
            "rotation": text, "zone": text, "on_call": maybe_text, "until": { "type": ["string", "null"], "format": "date-time" },
            "next": maybe_text, "shifts": { "type": "array", "items": shift } }))),
        "StandInList": list_of(object(&["number", "rotation", "person", "from", "until", "by"], json!({
            "number": whole, "rotation": text, "person": text, "instead_of": maybe_text, "from": time, "until": time,
            "by": text, "made": time }))),
        "OnCallFigures": object(&["from", "until", "people", "answers"], json!({
            "from": time, "until": time,
            "people": { "type": "array", "items": object(&["person", "from", "until", "days", "pages", "pages_at_night", "nights"], json!({
                "person": text, "from": day, "until": day, "days": whole, "pages": whole, "pages_at_night": whole,
                "nights": whole, "pages_per_day": number, "pages_per_night": number, "zone": maybe_text })) },
            "answers": object(&["incidents", "acknowledged", "nobody", "by_itself"], json!({
                "incidents": whole, "acknowledged": whole, "nobody": whole, "by_itself": whole,
                "nobody_ratio": maybe_number, "by_itself_ratio": maybe_number,
                "median_seconds": maybe_whole, "p90_seconds": maybe_whole })) })),
        "AbsenceList": list_of(object(&["number", "person", "from", "until"], json!({
            "number": whole, "person": text, "from": time, "until": time, "summary": text, "by": text, "made": time }))),
        "AbsencesMade": object(&["done", "added", "known", "over", "entries"], json!({
            "done": { "type": "boolean" }, "added": whole, "known": whole, "over": whole,
            "entries": { "type": "array", "items": object(&["from", "until"], json!({
                "from": time, "until": time, "summary": text })) } })),
        "Calendar": { "type": "string" },
        "CalendarAddress": object(&["url"], json!({ "url": text })),
        "TestPageList": list_of(object(&["person", "schedule", "due", "sent", "confirmed"], json!({
            "person": text, "schedule": text, "due": maybe_time, "sent": maybe_time, "waits_until": maybe_time,
            "confirmed": maybe_time, "through": text }))),
        "StandInMade": object(&["number", "done"], json!({
            "number": { "type": ["integer", "null"] }, "done": { "type": "boolean" } })),
        "RouteTest": object(&["at", "about", "severity", "why", "told"], json!({
            "at": time, "about": text, "severity": { "enum": ["info", "warning", "critical"] },
            "why": { "type": "array", "items": text }, "told": { "type": "array", "items": told } })),
    })
}

pub(super) fn questions() -> Value {
    let (text, time) = (json!({ "type": "string" }), super::time());
    json!({
        "NewTestPage": closed(&["person"], json!({ "person": text })),
        "NewStandIn": closed(&["rotation", "person"], json!({
            "rotation": text, "person": text, "instead_of": text, "from": time, "until": time,
            "for_seconds": { "type": "integer", "minimum": 1 } })),
        "NewSwap": closed(&["rotation", "person", "with"], json!({
            "rotation": text, "person": text, "with": text, "turn": time, "for_turn": time })),
        "NewAbsence": closed(&["person"], json!({
            "person": text, "from": time, "until": time, "summary": text, "calendar": text,
            "confirm_gaps": { "type": "boolean" } })),
    })
}

//! The JSON of storage arrays of Dell and Dot Hill (ME4, MSA): lists of parts, each with its health.

use serde_json::Value;

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role, State},
    text::string,
};

/// The parts in a document.
pub(in crate::domain::hardware) fn read(document: &Value) -> Assembly {
    let mut builder = Builder::default();
    for (list, rows) in document.as_object().into_iter().flatten() {
        let role = match list.as_str() {
            "drives" => Role::Member,
            "pools" | "volumes" | "disk-groups" => Role::Array,
            "controllers" | "system" => Role::Controller,
            _ => Role::Enclosure,
        };
        for row in rows.as_array().into_iter().flatten() {
            // Sensors and replaceable units have a status of the same words instead.
            let health = [&row["health"], &row["fru-status"], &row["status"]].into_iter().find_map(Value::as_str);
            let Some(health) = health else { continue };
            let first = |keys: &[&str]| {
                keys.iter().map(|key| string(&row[*key])).find(|text| !text.is_empty()).unwrap_or_default()
            };
            // In the array's own words: OK, Degraded, Fault, Unknown, N/A.
            let state = match health {
                "OK" | "Up" => State::Good,
                "Degraded" | "Warning" => State::Degraded,
                "Fault" | "Critical" | "Failed" => State::Failed,
                _ => State::Unsaid,
            };
            let name = first(&["name", "volume-name", "durable-id", "system-name"]);
            let mut piece =
                Piece::new(role, &name, &format!("{health} {}", string(&row["health-reason"]))).being(state);
            if state == State::Unsaid {
                piece.words = String::new();
            }
            piece.model = first(&["model", "product-id"]);
            piece.serial = first(&["serial-number", "midplane-serial-number"]);
            piece.slot = string(&row["location"]);
            builder.add(piece);
        }
    }
    builder.finish()
}

/// Whether a document is of these.
pub(in crate::domain::hardware) fn is_one(document: &Value) -> bool {
    let response = &document["status"][0];
    !response["response-type"].is_null() && !response["return-code"].is_null()
}

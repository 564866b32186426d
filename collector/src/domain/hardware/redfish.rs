//! Redfish: every part of a document that has a `Status` with a `Health` (DSP0266).

use serde_json::Value;

use super::{
    assembly::{Assembly, Piece, Role, State},
    text::string,
};

/// Documents nest no deeper than this, and have no more parts.
const DEPTH: usize = 16;
const PIECES: usize = 4_096;

/// The parts in a document.
pub(super) fn read(document: &Value) -> Assembly {
    let mut found = Assembly::default();
    walk(document, "", 0, &mut found);
    found
}

fn walk(value: &Value, name: &str, depth: usize, found: &mut Assembly) {
    if depth > DEPTH || found.pieces.len() >= PIECES {
        return;
    }
    match value {
        Value::Array(rows) => rows.iter().for_each(|row| walk(row, name, depth + 1, found)),
        Value::Object(members) => {
            found.pieces.extend(piece(value, name));
            members.iter().for_each(|(name, value)| walk(value, name, depth + 1, found));
        }
        _ => {}
    }
}

fn piece(row: &Value, name: &str) -> Option<Piece> {
    let status = &row["Status"];
    let state = match status["Health"].as_str()? {
        // A part that is absent has no health whatever it says.
        _ if status["State"] == "Absent" => State::NotPresent,
        "OK" => State::Good,
        "Warning" => State::Degraded,
        "Critical" => State::Failed,
        _ => return None,
    };
    let kind = format!("{} {name}", string(&row["@odata.type"]));
    let role = match () {
        () if kind.contains("Drive") => Role::Member,
        () if kind.contains("Volume") => Role::Array,
        () if kind.contains("Battery") || kind.contains("Capacitor") => Role::Battery,
        () if kind.contains("StorageController") => Role::Controller,
        () => Role::Enclosure,
    };
    let words = format!("{} {}", string(&status["Health"]), string(&status["State"]));
    let title = [&row["Name"], &row["MemberId"], &row["Id"]].into_iter().map(string).find(|text| !text.is_empty());
    let mut piece = Piece::new(role, &title.unwrap_or_default(), &words).being(state);
    if role == Role::Member && row["FailurePredicted"] == true {
        piece.state = State::Predicted;
    }
    piece.model = string(&row["Model"]);
    piece.serial = string(&row["SerialNumber"]);
    piece.slot = string(&row["PhysicalLocation"]["PartLocation"]["ServiceLabel"]);
    Some(piece)
}

/// Whether a document is of Redfish.
pub(super) fn is_one(document: &Value) -> bool {
    !document["@odata.id"].is_null() || !document["@odata.type"].is_null() || !document["Status"]["Health"].is_null()
}

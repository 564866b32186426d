//! storcli and perccli, as JSON (`J`) and as tables.

use serde_json::Value;

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, short, string, whole},
};

/// Documents nest no deeper than this.
const DEPTH: usize = 16;

/// The controllers in a document.
pub(in crate::domain::hardware) fn read_json(document: &Value) -> Assembly {
    let mut builder = Builder::default();
    for controller in document["Controllers"].as_array().into_iter().flatten() {
        let response = &controller["Response Data"];
        let number = string(&controller["Command Status"]["Controller"]);
        let status = &response["Status"];
        if let Some(words) = status["Controller Status"].as_str() {
            let mut piece = Piece::new(Role::Controller, &number, words);
            piece.model = string(&response["Basics"]["Model"]);
            piece.serial = string(&response["Basics"]["Serial Number"]);
            piece.firmware = string(&response["Version"]["Firmware Version"]);
            builder.add(piece);
        }
        walk(response, "", 0, &mut builder);
    }
    builder.finish()
}

fn walk(value: &Value, name: &str, depth: usize, builder: &mut Builder) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::Array(rows) => rows.iter().for_each(|row| walk(row, name, depth + 1, builder)),
        Value::Object(members) => {
            if let Some(piece) = piece(value, name) {
                builder.add(piece);
                return;
            }
            members.iter().for_each(|(name, value)| walk(value, name, depth + 1, builder));
        }
        _ => {}
    }
}

/// The piece that an object is, by the columns that it has.
fn piece(row: &Value, name: &str) -> Option<Piece> {
    if let Some(drive) = name.strip_prefix("Drive ").and_then(|name| name.strip_suffix(" - Detailed Information")) {
        return Some(detailed(row, drive));
    }
    let words = row["State"].as_str()?;
    if !row["Row"].is_null() {
        // The topology repeats all drives; only those that are missing are shown nowhere else.
        return (State::of(words) == State::Missing).then(|| Piece::new(Role::Member, &string(&row["DG"]), words));
    }
    let (role, key) = match () {
        () if !row["EID:Slt"].is_null() => (Role::Member, "EID:Slt"),
        () if !row["DG/VD"].is_null() => (Role::Array, "DG/VD"),
        () if name.contains("BBU") || name.contains("Cachevault") || name.contains("Energy") => {
            (Role::Battery, "Model")
        }
        () => return None,
    };
    let mut piece = Piece::new(role, &string(&row[key]), words);
    match role {
        Role::Member => {
            piece.slot = std::mem::take(&mut piece.name);
            piece.model = string(&row["Model"]);
        }
        Role::Array => piece.model = string(&row["TYPE"]),
        _ => {}
    }
    Some(piece)
}

/// What is counted of a drive, and who it is: `Drive /c0/e252/s0 State` beside `Drive /c0/e252/s0 Device attributes`.
fn detailed(row: &Value, drive: &str) -> Piece {
    let (counts, who) = (&row[format!("Drive {drive} State")], &row[format!("Drive {drive} Device attributes")]);
    let mut piece = Piece::new(Role::Member, drive, "");
    piece.count(Count::Media, whole(&counts["Media Error Count"]));
    piece.count(Count::Other, whole(&counts["Other Error Count"]));
    piece.count(Count::Predicted, whole(&counts["Predictive Failure Count"]));
    if counts["S.M.A.R.T alert flagged by drive"] == "Yes" {
        piece.count(Count::Predicted, Some(1));
    }
    piece.serial = string(&who["SN"]);
    piece.model = string(&who["Model Number"]);
    piece.firmware = string(&who["Firmware Revision"]);
    piece.slot = place(drive);
    piece
}

/// `/c0/e252/s0` as lists write it: `252:0`.
fn place(drive: &str) -> String {
    let part = |letter| drive.split('/').find_map(|part: &str| part.strip_prefix(letter)).unwrap_or_default();
    format!("{}:{}", part('e'), part('s'))
}

/// The controllers in tables.
pub(in crate::domain::hardware) fn read_text(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let mut is_battery_table = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.starts_with(&["Model", "State"]) {
            is_battery_table = true;
            continue;
        }
        if let Some((key, value)) = line.split_once(" = ") {
            assigned(&mut builder, key.trim(), value.trim());
            continue;
        }
        if let Some(drive) = line.trim().strip_prefix("Drive ").and_then(|rest| rest.strip_suffix(" State :")) {
            builder.begin(Role::Member, drive);
            if let Some(piece) = builder.of(&[Role::Member]) {
                piece.slot = place(drive);
            }
            continue;
        }
        let is_pair = |text: &str, by: char| {
            text.split_once(by)
                .is_some_and(|(a, b)| (a.is_empty() || digits(a).is_some() || a == "-") && digits(b).is_some())
        };
        match words[..] {
            [place, _, state, ..] if is_pair(place, '/') && words.len() > 6 => {
                builder.add(Piece { model: words[1].to_owned(), ..Piece::new(Role::Array, place, state) });
            }
            [place, _, state, ..] if is_pair(place, ':') && words.len() > 8 => {
                let model =
                    words.iter().skip(11).take_while(|word| word.len() > 1).copied().collect::<Vec<_>>().join(" ");
                builder.add(Piece { slot: place.to_owned(), model, ..Piece::new(Role::Member, "", state) });
            }
            [model, state, ..] if is_battery_table && !line.starts_with('-') => {
                is_battery_table = false;
                builder.add(Piece { model: short(model), ..Piece::new(Role::Battery, "", state) });
            }
            _ => {}
        }
    }
    builder.finish()
}

fn assigned(builder: &mut Builder, key: &str, value: &str) {
    if key == "Controller Status" {
        builder.add(Piece::new(Role::Controller, "", value));
    }
    let Some(piece) = builder.of(&[Role::Member]) else { return };
    match key {
        "Media Error Count" => piece.count(Count::Media, digits(value)),
        "Other Error Count" => piece.count(Count::Other, digits(value)),
        "Predictive Failure Count" => piece.count(Count::Predicted, digits(value)),
        "S.M.A.R.T alert flagged by drive" if value == "Yes" => piece.count(Count::Predicted, Some(1)),
        "SN" => piece.serial = short(value),
        "Model Number" => piece.model = short(value),
        "Firmware Revision" => piece.firmware = short(value),
        _ => {}
    }
}

//! omreport of Dell: `storage pdisk`, `storage vdisk`, `storage battery`, `chassis ...`: blocks of `Key : Value`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{pair, short},
};

/// The parts in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let role = match () {
        () if text.contains("Physical Disk") => Role::Member,
        () if text.contains("Virtual Disk") => Role::Array,
        () if text.contains("Batter") => Role::Battery,
        () if text.contains("Controller") => Role::Controller,
        () => Role::Enclosure,
    };
    let mut is_overview = false;
    for line in text.lines() {
        let Some((key, value)) = pair(line) else { continue };
        // `omreport chassis`: the severity stands first and the component after it.
        if key == "SEVERITY" {
            is_overview = true;
        } else if is_overview {
            builder.add(Piece::new(Role::Enclosure, value, key).being(rated(key)));
            continue;
        }
        match key {
            "ID" | "Index" => builder.begin(role, value),
            "Status" => {
                if builder.current.is_none() {
                    builder.begin(role, "");
                }
                if let Some(piece) = builder.of(&[role]) {
                    piece.words = short(value);
                    piece.state = rated(value);
                }
            }
            _ => more(&mut builder, role, key, value),
        }
    }
    builder.finish()
}

/// The severities of OpenManage.
fn rated(severity: &str) -> State {
    match severity {
        "Ok" => State::Good,
        "Non-Critical" => State::Degraded,
        "Critical" | "Non-Recoverable" => State::Failed,
        _ => State::Unsaid,
    }
}

fn more(builder: &mut Builder, role: Role, key: &str, value: &str) {
    let Some(piece) = builder.of(&[role]) else { return };
    match key {
        "State" => {
            // The status may be Ok beside a state that is not.
            let state = State::of(value);
            if state > piece.state {
                (piece.words, piece.state) = (short(value), state);
            }
        }
        "Failure Predicted" if value == "Yes" => piece.count(Count::Predicted, Some(1)),
        "Name" | "Probe Name" | "Connector Name" if piece.slot.is_empty() => piece.slot = short(value),
        "Product ID" => piece.model = short(value),
        "Serial No." => piece.serial = short(value),
        "Revision" => piece.firmware = short(value),
        _ => {}
    }
}

//! ssacli, hpssacli and hpacucli: `ctrl all show config detail` and its shorter forms.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role, State},
    text::{pair, short},
};

/// The controllers in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let mut controller = String::new();
    for line in text.lines().map(str::trim) {
        if (line.starts_with("Smart Array") || line.starts_with("Smart HBA") || line.contains(" in Slot "))
            && !line.contains(": ")
        {
            controller = short(line);
            builder.end();
        } else if let Some(piece) = inline(line) {
            // With its state in brackets it stands in a list; details follow under a line without.
            builder.add(piece);
        } else if let Some(name) = line.strip_prefix("physicaldrive ").filter(|name| !name.contains('(')) {
            builder.begin(Role::Member, name);
        } else if let Some((key, value)) = pair(line) {
            said(&mut builder, &controller, key, value);
        } else if line.is_empty() {
            // Details have no blank lines within them.
            if builder.of(&[Role::Member]).is_some() {
                builder.end();
            }
        }
    }
    builder.finish()
}

/// `physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SATA HDD, 250 GB, OK)`, `logicaldrive 1 (136.7 GB, RAID 1, OK)`.
fn inline(line: &str) -> Option<Piece> {
    let (name, inside) = line.split_once(" (")?;
    let inside = inside.strip_suffix(')')?;
    let (role, name) = match name.split_once(' ')? {
        ("physicaldrive", name) => (Role::Member, name),
        ("logicaldrive", name) => (Role::Array, name),
        _ => return None,
    };
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    // A spare says so after its state, and a rebuild its progress: the worst of the words counts.
    let words = parts.iter().skip(2).copied().collect::<Vec<_>>().join(", ");
    let state = parts.iter().skip(2).map(|part| State::of(part)).max()?;
    let place = parts.first().filter(|_| role == Role::Member).map(|place| short(place)).unwrap_or_default();
    Some(Piece { slot: place, ..Piece::new(role, name, &words).being(state) })
}

fn said(builder: &mut Builder, controller: &str, key: &str, value: &str) {
    match key {
        "Controller Status" => {
            builder.add(Piece { model: short(controller), ..Piece::new(Role::Controller, "", value) })
        }
        "Battery/Capacitor Status" => {
            builder.add(Piece { slot: short(controller), ..Piece::new(Role::Battery, "", value) });
        }
        // Disabled for good is a fault; for now it is charging, or its battery says why.
        "Cache Status" if value.starts_with("Permanently") => {
            let piece = Piece::new(Role::Battery, "cache", value).being(State::Degraded);
            builder.add(Piece { slot: short(controller), ..piece });
        }
        "Logical Drive" | "logicaldrive" => builder.begin(Role::Array, &format!("logical drive {value}")),
        "Array" => builder.begin(Role::Array, &format!("array {value}")),
        "Status" => {
            if let Some(piece) = builder.of(&[Role::Array, Role::Member]).filter(|piece| piece.words.is_empty()) {
                piece.says(value);
            }
        }
        "Fault Tolerance" => {
            if let Some(piece) = builder.of(&[Role::Array]) {
                piece.model = format!("RAID {value}");
            }
        }
        "Model" | "Serial Number" | "Firmware Revision" | "Bay" => {
            if let Some(piece) = builder.of(&[Role::Member]) {
                match key {
                    "Model" => piece.model = value.split_whitespace().collect::<Vec<_>>().join(" "),
                    "Serial Number" => piece.serial = short(value),
                    "Bay" => piece.slot = format!("bay {}", short(value)),
                    _ => piece.firmware = short(value),
                }
            }
        }
        _ => {}
    }
}

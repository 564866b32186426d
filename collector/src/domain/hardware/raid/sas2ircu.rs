//! sas2ircu and sas3ircu: `N DISPLAY`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Role},
    text::{pair, short},
};

/// The volumes and drives in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines().map(str::trim) {
        if let Some(number) = line.strip_prefix("IR volume ") {
            builder.begin(Role::Array, &format!("IR volume {number}"));
        } else if line.starts_with("Device is a Hard disk") || line.starts_with("Device is a hard disk") {
            builder.begin(Role::Member, "");
        } else if line.starts_with("Device is ") || line.starts_with("---") {
            builder.end();
        } else if let Some((key, value)) = pair(line) {
            said(&mut builder, key, value);
        }
    }
    builder.finish()
}

fn said(builder: &mut Builder, key: &str, value: &str) {
    if let Some(piece) = builder.of(&[Role::Array]) {
        match key {
            "Status of volume" => piece.says(value),
            "RAID level" => piece.model = short(value),
            _ => {}
        }
    } else if let Some(piece) = builder.of(&[Role::Member]) {
        match key {
            "State" => piece.says(value),
            "Enclosure #" => piece.slot = short(value),
            "Slot #" => piece.slot = format!("{}:{}", piece.slot, short(value)),
            "Model Number" => piece.model = short(value),
            "Serial No" => piece.serial = short(value),
            "Firmware Revision" => piece.firmware = short(value),
            _ => {}
        }
    }
}

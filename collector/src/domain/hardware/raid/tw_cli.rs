//! tw_cli of 3ware controllers: tables whose rows begin with what they are: `u0`, `p0`, `bbu`, `c0`, `fan0`, `pwrs0`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role, State},
    text::digits,
};

/// The controllers in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        row(&mut builder, &words);
    }
    builder.finish()
}

fn row(builder: &mut Builder, words: &[&str]) {
    let [name, rest @ ..] = words else { return };
    let numbered =
        |letters: &str| name.strip_prefix(letters).is_some_and(|number| digits(number).is_some() && number.len() < 4);
    match rest {
        // Unit UnitType Status; below it the parts of a mirror: u0-1 DISK OK.
        [kind, status, ..] if is_unit(name) => {
            let role = if *kind == "DISK" { Role::Member } else { Role::Array };
            builder.add(Piece { model: (*kind).to_owned(), ..Piece::new(role, name, status) });
        }
        // Port Status Unit Size; a port without a drive is NOT-PRESENT.
        [status, unit, size @ ..] if numbered("p") => {
            let serial = size.last().filter(|_| size.len() > 2).copied().unwrap_or_default();
            let piece = Piece::new(Role::Member, name, status);
            builder.add(Piece { slot: format!("{name} {unit}"), model: serial.to_owned(), ..piece });
        }
        // Name OnlineState BBUReady Status
        [_, _, status, ..] if *name == "bbu" => builder.add(Piece::new(Role::Battery, name, status)),
        // Ctl Model Ports Drives Units NotOpt RRate VRate BBU; also a unit that is being verified is "not optimal".
        [model, _, _, _, not_optimal, ..] if numbered("c") && rest.len() >= 7 => {
            if let Some(count) = digits(not_optimal) {
                let state = if count == 0 { State::Good } else { State::Unsaid };
                let said = format!("{count} units are not optimal");
                let role = if count == 0 { Role::Controller } else { Role::Array };
                builder.add(Piece { model: (*model).to_owned(), ..Piece::new(role, name, &said).being(state) });
            }
        }
        [status, ..] if numbered("fan") || numbered("pwrs") || numbered("temp") => {
            builder.add(Piece::new(Role::Enclosure, name, status));
        }
        [.., "Status", "=", status] | [.., "status", "=", status] if name.starts_with("/c") => {
            let role = if name.contains("/p") { Role::Member } else { Role::Array };
            builder.add(Piece::new(role, name, status));
        }
        _ => {}
    }
}

/// `u0`, and `u0-1` below it.
fn is_unit(name: &str) -> bool {
    name.strip_prefix('u').is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '-'))
}

//! cli64 of Areca controllers: `vsf info`, `rsf info`, `disk info`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role, State},
    text::digits,
};

/// The volumes or drives in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let is_disks = text.contains("ModelName");
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [number, name, .., last] = words[..] else { continue };
        if digits(number).is_none() || !number.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        if !is_disks {
            builder.add(Piece::new(Role::Array, name, last));
            continue;
        }
        // The last column is what a drive is used for: a set's name, Free, HotSpare, Failed; an empty bay is N.A.
        let state = match last {
            "N.A." => State::NotPresent,
            "Failed" | "Offline" => State::Failed,
            _ => State::Good,
        };
        let piece = Piece::new(Role::Member, number, last).being(state);
        builder.add(Piece { slot: words[1..words.len().min(4)].join(" "), ..piece });
    }
    builder.finish()
}

//! megarc of LSI controllers before MegaCli: `-dispCfg`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role},
    text::digits,
};

/// The logical drives in a text, and the physical ones below them.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some((name, status)) = line.split_once("Status:").filter(|(name, _)| name.contains("Logical Drive")) {
            builder.add(Piece::new(Role::Array, name.trim_matches([' ', ':', '\t']), status));
        } else if let [channel, target, first, _, status] = words[..]
            && first.starts_with("0x")
            && digits(channel).is_some()
        {
            builder.add(Piece { slot: format!("{channel}:{target}"), ..Piece::new(Role::Member, "", status) });
        }
    }
    builder.finish()
}

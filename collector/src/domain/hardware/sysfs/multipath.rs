//! `/sys/block/dm-*/slaves/*/device/state`: how SCSI finds the devices that a multipath goes through. It says less than device
//! mapper itself, and everybody may read it.

use super::lines;
use crate::domain::hardware::{
    assembly::{Assembly, Piece, Role, State},
    text::short,
};

const NAMES: [&str; 3] = ["name", "uuid", "state"];
/// Most devices of all of them.
const DEVICES: usize = 4_096;

/// The multipaths in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut found: Vec<(String, Vec<Piece>)> = Vec::new();
    for line in lines(text, &NAMES).take(DEVICES) {
        match (line.name, line.directory.strip_suffix("/device").and_then(|place| place.rsplit_once("/slaves/"))) {
            ("name", _) => found.push((short(line.value), Vec::new())),
            ("state", Some((_, device))) => {
                let Some((name, paths)) = found.last_mut() else { continue };
                // drivers/scsi/scsi_sysfs.c, sdev_states.
                let state = match line.value {
                    "running" | "quiesce" | "created" => State::Good,
                    "offline" | "transport-offline" | "deleted" | "cancel" => State::Failed,
                    _ => State::Unsaid,
                };
                let mut path = Piece::new(Role::Path, &format!("{name} {device}"), line.value).being(state);
                path.slot.clone_from(name);
                paths.push(path);
            }
            _ => {}
        }
    }
    let pieces = found.into_iter().filter(|(_, paths)| !paths.is_empty()).flat_map(|(name, paths)| {
        let whole = whole(&name, &paths);
        std::iter::once(whole).chain(paths)
    });
    Assembly { pieces: pieces.collect(), losses: Vec::new() }
}

fn whole(name: &str, paths: &[Piece]) -> Piece {
    let lost = paths.iter().filter(|path| path.state == State::Failed).count();
    let state = match lost {
        0 => State::Good,
        lost if lost == paths.len() => State::Failed,
        _ => State::Degraded,
    };
    let left = paths.len() - lost;
    let mut piece = Piece::new(Role::Array, name, &format!("{left} of {} paths", paths.len())).being(state);
    piece.spare_members = Some((left as u64).saturating_sub(1));
    piece
}

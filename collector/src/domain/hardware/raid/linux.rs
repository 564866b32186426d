//! What Linux builds besides md: LVM, device mapper, DRBD.

use serde_json::Value;

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, string},
};

/// Metadata of a thin pool beyond this stops it when full, in percent.
const METADATA_PERCENT: f64 = 95.0;

/// `lvs --reportformat json`: the health is the ninth letter of `lv_attr`, and a column of its own where asked for.
pub(in crate::domain::hardware) fn lvs(document: &Value) -> Assembly {
    let mut builder = Builder::default();
    let reports = document["report"].as_array().into_iter().flatten();
    for volume in reports.flat_map(|report| report["lv"].as_array().into_iter().flatten()) {
        let name = format!("{}/{}", string(&volume["vg_name"]), string(&volume["lv_name"]));
        let attributes = string(&volume["lv_attr"]);
        let said = string(&volume["lv_health_status"]);
        let metadata = string(&volume["metadata_percent"]).parse::<f64>().unwrap_or(0.0);
        // lvs(8), "volume health": p partial, r refresh needed, m mismatches, F failed, D out of data, M read-only metadata.
        let (state, words) = match attributes.chars().nth(8) {
            Some('p') => (State::Degraded, "partial"),
            Some('r') => (State::Degraded, "refresh needed"),
            Some('F') => (State::Failed, "failed"),
            Some('D') => (State::Failed, "out of data space"),
            Some('M') => (State::Failed, "metadata read only"),
            Some('m') => (State::Unsaid, "mismatches exist"),
            Some(_) if metadata > METADATA_PERCENT => (State::Degraded, "metadata nearly full"),
            Some(_) => (State::Good, "well"),
            None if said.is_empty() => continue,
            None => (State::of(&said), said.as_str()),
        };
        builder.add(Piece::new(Role::Array, &name, words).being(state));
    }
    builder.finish()
}

/// `dmsetup status`: RAID and mirrors show a letter for each member, multipath for each path.
pub(in crate::domain::hardware) fn dmsetup(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, _, _, target, rest @ ..] = &words[..] else { continue };
        let letters = match *target {
            // raid1 2 AA 2097152/2097152 idle 0: A alive, a not in step, D dead.
            "raid" => rest.get(2),
            // 2 254:57 254:58 2048/2048 1 AA: A alive, D and F failed, S out of step, R unreadable.
            "mirror" => rest.first().and_then(|count| digits(count)).and_then(|count| {
                let at = usize::try_from(count).ok()?.checked_add(3)?;
                rest.get(at)
            }),
            _ => continue,
        };
        let Some(letters) = letters else { continue };
        let state = match () {
            () if letters.contains(['D', 'F', 'R']) => State::Degraded,
            () if letters.contains(['a', 'S']) => State::Rebuilding,
            () if letters.chars().all(|c| c == 'A') => State::Good,
            () => State::Unsaid,
        };
        builder.add(Piece::new(Role::Array, name.trim_end_matches(':'), letters).being(state));
    }
    builder.finish()
}

/// `/proc/drbd`: connection state, states of both disks, and how much is out of step.
pub(in crate::domain::hardware) fn drbd(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        if let (Some(connection), Some(disks)) = (value("cs:"), value("ds:")) {
            let number = words.first().copied().unwrap_or_default().trim_end_matches(':');
            builder.begin(Role::Array, &format!("drbd{number}"));
            let state = match () {
                () if disks.starts_with("Failed") || disks.starts_with("Diskless") => State::Failed,
                () if disks == "UpToDate/UpToDate" && connection == "Connected" => State::Good,
                () if connection.starts_with("Sync") => State::Rebuilding,
                () => State::Degraded,
            };
            if let Some(piece) = builder.of(&[Role::Array]) {
                *piece = Piece::new(Role::Array, &piece.name, &format!("{connection} {disks}")).being(state);
            }
        }
        if let (Some(out_of_step), Some(piece)) = (value("oos:"), builder.of(&[Role::Array])) {
            piece.count(Count::Mismatch, digits(out_of_step));
        }
    }
    builder.finish()
}

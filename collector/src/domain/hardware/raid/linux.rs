//! What Linux builds besides md: LVM, device mapper, DRBD.

use serde_json::Value;

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    mdstat::tolerance,
    text::{digits, short, string},
};

/// `lvs --reportformat json`: the health is the ninth letter of `lv_attr`, and a column of its own where asked for.
pub(in crate::domain::hardware) fn lvs(document: &Value) -> Assembly {
    let mut builder = Builder::default();
    let reports = document["report"].as_array().into_iter().flatten();
    for volume in reports.flat_map(|report| report["lv"].as_array().into_iter().flatten()) {
        let name = format!("{}/{}", string(&volume["vg_name"]), string(&volume["lv_name"]));
        let attributes = string(&volume["lv_attr"]);
        let said = string(&volume["lv_health_status"]);
        let metadata = digits(&string(&volume["metadata_percent"]));
        // lvs(8), "volume health": p partial, r refresh needed, m mismatches, F failed, D out of data, M read-only metadata.
        let (state, words) = match attributes.chars().nth(8) {
            Some('p') => (State::Degraded, "partial"),
            Some('r') => (State::Degraded, "refresh needed"),
            Some('F') => (State::Failed, "failed"),
            Some('D') => (State::Failed, "out of data space"),
            Some('M') => (State::Failed, "metadata read only"),
            Some('m') => (State::Unsaid, "mismatches exist"),
            Some(_) => (State::Good, "well"),
            None if said.is_empty() => continue,
            None => (State::of(&said), said.as_str()),
        };
        builder.add(Piece { metadata_percent: metadata, ..Piece::new(Role::Array, &name, words).being(state) });
    }
    builder.finish()
}

/// `dmsetup status`: RAID and mirrors show a letter for each member, multipath for each path, thin pools how full they are
/// (Documentation/admin-guide/device-mapper).
pub(in crate::domain::hardware) fn dmsetup(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, _, _, target, rest @ ..] = &words[..] else { continue };
        let name = name.trim_end_matches(':');
        match *target {
            // raid1 2 AA 2097152/2097152 idle 0: A alive, a not in step, D dead.
            "raid" => rest.get(2).into_iter().for_each(|letters| builder.add(raid(name, letters, rest))),
            // 2 254:57 254:58 2048/2048 1 AA: A alive, D and F failed, S out of step, R unreadable.
            "mirror" => {
                let count = rest.first().and_then(|count| digits(count)).and_then(|count| usize::try_from(count).ok());
                let letters = count.and_then(|count| rest.get(count.checked_add(3)?));
                letters.into_iter().for_each(|letters| builder.add(of_letters(name, letters)));
            }
            "multipath" => multipath(&mut builder, name, rest),
            "thin-pool" | "cache" => builder.add(filled(name, target, rest)),
            _ => {}
        }
    }
    builder.finish()
}

fn of_letters(name: &str, letters: &str) -> Piece {
    let state = match () {
        () if letters.contains(['D', 'F', 'R']) => State::Degraded,
        () if letters.contains(['a', 'S']) => State::Rebuilding,
        () if letters.chars().all(|c| c == 'A') => State::Good,
        () => State::Unsaid,
    };
    Piece::new(Role::Array, name, letters).being(state)
}

/// `raid5_ls 3 AAD 100/100 idle 0`: type, members, a letter for each, how far, what it does, sectors that differ.
fn raid(name: &str, letters: &str, rest: &[&str]) -> Piece {
    let mut piece = of_letters(name, letters);
    let level = rest.first().and_then(|kind| kind.split('_').next()).unwrap_or_default();
    let dead = letters.matches('D').count() as u64;
    piece.model = short(level);
    piece.spare_members = tolerance(level, letters.len() as u64).map(|tolerance| tolerance.saturating_sub(dead));
    piece.count(Count::Mismatch, rest.get(5).and_then(|count| digits(count)));
    piece
}

/// `2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 F 3 0 1`: each path is a device's numbers and a letter, A active, F failed.
fn multipath(builder: &mut Builder, name: &str, rest: &[&str]) {
    let is_device = |word: &str| word.split_once(':').is_some_and(|(a, b)| digits(a).is_some() && digits(b).is_some());
    let paths: Vec<(&str, bool)> = rest
        .windows(2)
        .filter(|pair| is_device(pair[0]) && matches!(pair[1], "A" | "F"))
        .map(|pair| (pair[0], pair[1] == "A"))
        .collect();
    let good = paths.iter().filter(|(_, is_good)| *is_good).count() as u64;
    let state = match good {
        _ if paths.is_empty() => return,
        0 => State::Failed,
        good if good < paths.len() as u64 => State::Degraded,
        _ => State::Good,
    };
    let mut whole = Piece::new(Role::Array, name, &format!("{good} of {} paths", paths.len())).being(state);
    whole.spare_members = Some(good.saturating_sub(1));
    builder.add(whole);
    for (device, is_good) in paths {
        let (state, words) = if is_good { (State::Good, "active") } else { (State::Failed, "failed") };
        let mut path = Piece::new(Role::Path, &format!("{name} {device}"), words).being(state);
        path.slot = short(name);
        builder.add(path);
    }
}

/// `1 412/1024 33/800 - rw no_discard_passdown queue_if_no_space - 1024` of a thin pool, `8 27/1024 128 9/100 ... rw -` of a
/// cache: blocks of metadata used first; `Fail` where it has ended.
fn filled(name: &str, target: &str, rest: &[&str]) -> Piece {
    let has = |wanted: &str| rest.contains(&wanted);
    let (state, words) = match () {
        () if has("Fail") || has("Error") => (State::Failed, "failed"),
        () if has("out_of_data_space") => (State::Failed, "out of data space"),
        () if has("needs_check") => (State::Degraded, "its metadata needs a check"),
        () if has("ro") => (State::Degraded, "metadata read only"),
        () => (State::Good, target),
    };
    let mut piece = Piece::new(Role::Array, name, words).being(state);
    piece.metadata_percent = rest.get(1).and_then(|blocks| {
        let (used, all) = blocks.split_once('/')?;
        digits(used)?.checked_mul(100)?.checked_div(digits(all)?)
    });
    piece
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

//! `mdadm --detail` and `--examine`: one array, or what a member's superblock knows of it.

use super::{
    assembly::{Assembly, Piece, Role, State},
    mdstat::tolerance,
    text::{digits, pair, short},
};

/// The array in a text.
pub(super) fn read(text: &str) -> Assembly {
    let mut found = Assembly::default();
    let (mut array, mut is_examined) = (Piece { role: Role::Array, ..Piece::default() }, false);
    let (mut wanted, mut active) = (None, None);
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| name.starts_with("/dev/")) {
            name.clone_into(&mut array.name);
        }
        if let Some(member) = member(line) {
            found.pieces.push(Piece { slot: array.name.clone(), ..member });
            continue;
        }
        let Some((key, value)) = pair(line) else { continue };
        match key {
            "Magic" => is_examined = true,
            "Raid Level" => value.clone_into(&mut array.model),
            "Raid Devices" => wanted = digits(value),
            "Active Devices" => active = digits(value),
            "State" => array.words = short(value),
            "Array State" => {
                is_examined = true;
                let map = value.split_whitespace().next().unwrap_or_default();
                array.words = short(&format!("{}, members {map}", array.words));
            }
            _ if key.starts_with("state[") => array.words = short(value),
            _ => {}
        }
    }
    array.state = if is_examined { examined(&array.words) } else { of(&array.words) };
    let lost = wanted.zip(active).map(|(wanted, active): (u64, u64)| wanted.saturating_sub(active));
    array.spare_members =
        tolerance(&array.model, wanted.unwrap_or(0)).zip(lost).map(|(most, lost)| most.saturating_sub(lost));
    if array.state != State::Unsaid || is_examined && !array.words.is_empty() {
        found.pieces.insert(0, array);
    }
    if is_examined {
        // What the superblock remembers of the other members is as old as it.
        found.pieces.retain(|piece| piece.role == Role::Array || piece.state == State::Good);
    }
    found
}

fn of(words: &str) -> State {
    let has = |part: &str| words.to_ascii_lowercase().contains(part);
    match () {
        () if has("failed") || has("inactive") => State::Failed,
        () if has("recover") || has("reshap") && has("degraded") => State::Rebuilding,
        () if has("degraded") => State::Degraded,
        () if has("resync") => State::Syncing,
        () if has("clean") || has("active") || has("optimal") || has("checking") => State::Good,
        () => State::Unsaid,
    }
}

/// A superblock tells how the array was when this member was last written: members that it misses may be back since, or it
/// is this member that was left behind. It is a reason to ask the array, no more.
fn examined(words: &str) -> State {
    let map = words.split("members ").nth(1).unwrap_or_default();
    match of(words) {
        State::Good | State::Syncing if map.contains('.') => State::Unsaid,
        state => state,
    }
}

/// A row of the table of members: number, major, minor, role, state, device.
fn member(line: &str) -> Option<Piece> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [number, major, minor, role, state @ ..] = &words[..] else { return None };
    let is_number = |text: &str| text == "-" || digits(text).is_some();
    if ![number, major, minor, role].into_iter().all(|text| is_number(text)) || state.is_empty() {
        return None;
    }
    let (device, state) = match state.split_last() {
        Some((device, state)) if device.starts_with("/dev/") => (*device, state.join(" ")),
        _ => ("", state.join(" ")),
    };
    if state.is_empty() {
        return None;
    }
    let found = match () {
        () if state.contains("faulty") => State::Failed,
        () if state.contains("removed") => State::Missing,
        () if state.contains("rebuilding") => State::Rebuilding,
        () => State::Good,
    };
    let name = if device.is_empty() { format!("member {role}") } else { device.to_owned() };
    Some(Piece::new(Role::Member, &name, &state).being(found))
}

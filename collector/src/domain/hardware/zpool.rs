//! `zpool status`, `zpool list`, and the kernel's word for a pool's state.

use serde_json::Value;

use super::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, pair, short, string, whole},
};

/// The states of pools and of what is in them (zpoolconcepts(7)).
const STATES: [&str; 9] =
    ["ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "UNAVAIL", "REMOVED", "SUSPENDED", "AVAIL", "INUSE"];
/// Names of what groups devices and is no device itself.
const GROUPS: [&str; 8] = ["mirror", "raidz", "draid", "replacing", "spare", "logs", "special", "indirect"];

/// All that `zpool status -x` says then.
pub(super) const ALL_WELL: &str = "all pools are healthy";

/// The pools in a text.
pub(super) fn read(text: &str) -> Assembly {
    let mut found = Assembly::default();
    let mut pool = String::new();
    if text.trim() == ALL_WELL {
        found.pieces.push(Piece::new(Role::Array, "", ALL_WELL).being(State::Good));
    }
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [state] = words[..]
            && STATES.contains(&state)
            && text.lines().count() < 3
        {
            // `/proc/spl/kstat/zfs/POOL/state`: one word.
            found.pieces.push(piece("pool", state, &[], true));
            continue;
        }
        match pair(line) {
            Some(("pool", name)) => {
                pool = short(name);
                continue;
            }
            Some(("state", state)) => {
                found.pieces.push(piece(&pool, state, &[], true));
                continue;
            }
            Some(("errors", said)) if !said.starts_with("No known") => found.losses.push(short(said)),
            _ => {}
        }
        device(line, &words, &pool, &mut found);
    }
    found
}

/// The pools in `zpool status -j`: vdevs within vdevs, each with its state and counts.
pub(super) fn read_json(document: &Value) -> Assembly {
    let mut found = Assembly::default();
    for (name, pool) in document["pools"].as_object().into_iter().flatten() {
        found.pieces.push(piece(name, pool["state"].as_str().unwrap_or_default(), &[], true));
        vdevs(&pool["vdevs"], name, 0, &mut found);
        if whole(&pool["error_count"]).is_some_and(|count| count > 0) {
            found.losses.push(format!("{name}: {} errors", string(&pool["error_count"])));
        }
    }
    found
}

/// Deeper than a spare within a replacement within a mirror within a group nothing is nested.
const DEPTH: usize = 8;

fn vdevs(vdevs: &Value, pool: &str, depth: usize, found: &mut Assembly) {
    for (name, vdev) in vdevs.as_object().into_iter().flatten().filter(|_| depth < DEPTH) {
        let is_group = vdev["vdevs"].is_object();
        let counts = ["read_errors", "write_errors", "checksum_errors"].map(|key| string(&vdev[key]));
        let counts: Vec<&str> = counts.iter().map(String::as_str).collect();
        if name != pool {
            let mut piece = piece(name, vdev["state"].as_str().unwrap_or_default(), &counts, is_group);
            pool.clone_into(&mut piece.slot);
            found.pieces.push(piece);
        }
        self::vdevs(&vdev["vdevs"], pool, depth + 1, found);
    }
}

/// Whether a text is of these.
pub(super) fn is_list(text: &str) -> bool {
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    head.starts_with("NAME") && head.contains("HEALTH")
}

/// A row of the table: name, somewhere a state, after it three counts.
fn device(line: &str, words: &[&str], pool: &str, found: &mut Assembly) {
    let [name, rest @ ..] = words else { return };
    let Some(at) = rest.iter().position(|word| STATES.contains(word)) else { return };
    // In a sentence a state has other words beside it; in the table they are columns of figures.
    let is_figure = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if !rest[..at].iter().all(is_figure) || name.ends_with(':') {
        return;
    }
    let is_group = *name == pool || GROUPS.iter().any(|group| name.starts_with(group));
    let is_group = is_group || !line.starts_with(char::is_whitespace);
    let mut piece = piece(name, rest[at], &rest[at + 1..], is_group);
    if piece.role == Role::Array
        && *name == pool
        && found.pieces.iter().any(|known| known.name == *name && known.words == piece.words)
    {
        return;
    }
    pool.clone_into(&mut piece.slot);
    found.pieces.push(piece);
}

fn piece(name: &str, state: &str, rest: &[&str], is_group: bool) -> Piece {
    let mut words = state.to_owned();
    for word in rest.iter().skip(3) {
        words.push(' ');
        words.push_str(word);
    }
    let role = if is_group { Role::Array } else { Role::Member };
    let state = match state {
        "ONLINE" | "AVAIL" | "INUSE" => State::Good,
        "DEGRADED" => State::Degraded,
        "REMOVED" | "UNAVAIL" => State::Missing,
        "OFFLINE" | "FAULTED" | "SUSPENDED" => State::Failed,
        _ => State::Unsaid,
    };
    // "was /dev/sdb1" beside 0 0 0: the device has another name since a boot, and is not broken (openzfs#9229).
    let is_renamed = state == State::Missing && words.contains(" was /dev/");
    let mut piece = Piece::new(role, name, &words).being(if is_renamed { State::Degraded } else { state });
    let counts = [Count::Read, Count::Write, Count::Checksum];
    for (count, word) in counts.into_iter().zip(rest) {
        // 1.2K stands for more than a thousand.
        let times = if word.ends_with('K') {
            1_000
        } else if word.ends_with('M') {
            1_000_000
        } else {
            1
        };
        piece.count(count, digits(word).map(|value| value.saturating_mul(times)));
    }
    piece
}

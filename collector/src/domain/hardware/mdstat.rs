//! `/proc/mdstat`: the arrays of Linux' md driver.

use super::{
    assembly::{Assembly, Piece, Role, State},
    text::digits,
};

/// Most arrays that are read.
const ARRAYS: usize = 1_000;

/// The arrays in a text.
pub(super) fn read(text: &str) -> Assembly {
    let mut found = Assembly::default();
    let mut lines = text.lines().peekable();
    let mut arrays = 0;
    while let Some(line) = lines.next() {
        let Some((name, rest)) = line.split_once(" : ").filter(|(name, _)| is_array(name)) else { continue };
        arrays += 1;
        if arrays > ARRAYS {
            break;
        }
        let mut below = Vec::new();
        while let Some(next) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            below.push(next.trim());
        }
        array(name.trim(), rest, &below, &mut found);
    }
    found
}

fn is_array(name: &str) -> bool {
    let name = name.trim();
    name.starts_with("md") && !name.contains(char::is_whitespace)
}

fn array(name: &str, rest: &str, below: &[&str], found: &mut Assembly) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let is_active = words.first() == Some(&"active");
    let members: Vec<&str> = words.iter().copied().filter(|word| word.contains('[')).collect();
    let level = words.iter().find(|word| word.starts_with("raid") || **word == "linear").copied().unwrap_or_default();
    // A container of external metadata holds arrays and is always "inactive", all of its members "spare". An array of md's own
    // that could not be started looks alike but for its metadata.
    let is_container = !is_active && below.iter().any(|line| line.contains("super external:"));
    let counts = below.iter().find_map(|line| counts(line));
    let (wanted, working) = counts.unwrap_or((0, 0));
    let lost = wanted.saturating_sub(working);
    let progress = below
        .iter()
        .find(|line| line.contains('=') && (line.contains('%') || line.contains("=P") || line.contains("=D")));
    let is_rebuilding = progress.is_some_and(|line| line.contains("recovery") || line.contains("reshape") && lost > 0);
    let is_syncing = progress.is_some_and(|line| line.contains("resync"));
    let state = if is_container {
        State::Good
    } else if !is_active {
        State::Failed
    } else if lost > 0 && (is_rebuilding || is_syncing) {
        State::Rebuilding
    } else if lost > 0 {
        State::Degraded
    } else if is_rebuilding {
        State::Rebuilding
    } else if is_syncing {
        State::Syncing
    } else {
        State::Good
    };
    let said = counts.map_or_else(String::new, |(wanted, working)| format!(" [{wanted}/{working}]"));
    let words = format!(
        "{}{said}{}",
        rest.split(" raid").next().unwrap_or(rest),
        progress.map_or(String::new(), |line| format!(" {line}"))
    );
    let mut piece = Piece::new(Role::Array, name, &words).being(state);
    piece.model = level.to_owned();
    piece.spare_members = tolerance(level, wanted).map(|tolerance| tolerance.saturating_sub(lost));
    found.pieces.push(piece);
    for member in members {
        let device = member.split('[').next().unwrap_or(member);
        let (state, words) = match member.rsplit_once('(') {
            Some((_, "F)")) => (State::Failed, "(F) faulty"),
            Some((_, "S)")) => (State::Good, "(S) spare"),
            Some((_, "R)")) => (State::Good, "(R) replacement"),
            _ => (State::Good, "in use"),
        };
        let mut piece = Piece::new(Role::Member, device, words).being(state);
        piece.slot = name.to_owned();
        found.pieces.push(piece);
    }
}

/// `[6/4]` of a line: wanted and working members.
fn counts(line: &str) -> Option<(u64, u64)> {
    line.split_whitespace().find_map(|word| {
        let (wanted, working) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
        Some((digits(wanted)?, digits(working)?))
    })
}

/// How many members a level can lose.
pub(super) fn tolerance(level: &str, members: u64) -> Option<u64> {
    match level {
        "raid1" => Some(members.saturating_sub(1)),
        "raid4" | "raid5" => Some(1),
        "raid6" => Some(2),
        // Two copies of everything unless it was made otherwise; the table does not say which.
        "raid10" => Some(1),
        "raid0" | "linear" => Some(0),
        _ => None,
    }
}

//! `/sys/block/md*/md/`: what Linux' md driver says of arrays and their members (Documentation/admin-guide/md.rst), more than
//! `/proc/mdstat` has: copies that differ, bad blocks, members that made errors.

use super::lines;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    mdstat::tolerance,
    text::{digits, short},
};

const NAMES: [&str; 14] = [
    "level",
    "raid_disks",
    "array_state",
    "degraded",
    "mismatch_cnt",
    "sync_action",
    "sync_unchanged_hours",
    "last_sync_action",
    "metadata_version",
    "state",
    "slot",
    "errors",
    "bad_blocks",
    "unacknowledged_bad_blocks",
];
/// Most arrays that are read, and most members of them.
const ARRAYS: usize = 1_000;
const MEMBERS: usize = 4_096;

/// What an array says.
#[derive(Default)]
struct Array<'a> {
    name: &'a str,
    level: &'a str,
    state: &'a str,
    metadata: &'a str,
    action: &'a str,
    last_action: &'a str,
    disks: u64,
    degraded: u64,
    mismatches: Option<u64>,
    /// So long the synchronisation has not moved, as the agent watched it.
    unmoved_hours: Option<u64>,
}

/// What a member says.
#[derive(Default)]
struct Member<'a> {
    array: &'a str,
    name: &'a str,
    state: &'a str,
    errors: Option<u64>,
    bad_sectors: u64,
}

/// The arrays in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let (mut arrays, mut members): (Vec<Array<'_>>, Vec<Member<'_>>) = (Vec::new(), Vec::new());
    for line in lines(text, &NAMES) {
        let (before, last) = line.place();
        let array = if last == "md" { before } else { before.strip_suffix("/md").unwrap_or_default() };
        let array = array.rsplit('/').next().unwrap_or_default();
        if array.is_empty() {
            continue;
        }
        if last == "md" {
            if arrays.last().is_none_or(|known| known.name != array) && arrays.len() < ARRAYS {
                arrays.push(Array { name: array, ..Array::default() });
            }
            if let Some(known) = arrays.last_mut().filter(|known| known.name == array) {
                known.take(line.name, line.value);
            }
        } else if let Some(name) = last.strip_prefix("dev-") {
            let is_known = |known: &Member<'_>| known.name == name && known.array == array;
            if members.last().is_none_or(|known| !is_known(known)) && members.len() < MEMBERS {
                members.push(Member { array, name, ..Member::default() });
            }
            if let Some(known) = members.last_mut().filter(|known| is_known(known)) {
                known.take(line.name, line.value);
            }
        }
    }
    let pieces = arrays.iter().map(Array::piece).chain(members.iter().map(Member::piece)).collect();
    Assembly { pieces, losses: Vec::new() }
}

impl<'a> Array<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        match name {
            "level" => self.level = value,
            "raid_disks" => self.disks = digits(value).unwrap_or(0),
            "array_state" => self.state = value,
            "degraded" => self.degraded = digits(value).unwrap_or(0),
            "mismatch_cnt" => self.mismatches = digits(value),
            "sync_action" => self.action = value,
            "sync_unchanged_hours" => self.unmoved_hours = digits(value),
            "last_sync_action" => self.last_action = value,
            "metadata_version" => self.metadata = value,
            _ => {}
        }
    }

    fn state(&self) -> State {
        // A container of external metadata holds arrays and is always inactive; an array in one names it after a slash or hyphen.
        let is_container = self.metadata.strip_prefix("external:").is_some_and(|rest| !rest.starts_with(['/', '-']));
        match (self.state, self.action) {
            ("clear", _) => State::NotPresent,
            ("inactive", _) if is_container => State::Good,
            ("inactive" | "broken", _) => State::Failed,
            (_, "recover" | "resync" | "reshape") if self.degraded > 0 => State::Rebuilding,
            _ if self.degraded > 0 => State::Degraded,
            (_, "recover") => State::Rebuilding,
            (_, "resync") => State::Syncing,
            ("", _) => State::Unsaid,
            _ => State::Good,
        }
    }

    fn piece(&self) -> Piece {
        let lacking = if self.degraded > 0 { format!(" {} members lacking", self.degraded) } else { String::new() };
        let words = format!("{}{lacking} {}", self.state, self.action);
        let mut piece = Piece::new(Role::Array, self.name, &words).being(self.state());
        piece.model = short(self.level);
        piece.spare_members =
            tolerance(self.level, self.disks).map(|tolerance| tolerance.saturating_sub(self.degraded));
        // What a repair or the first synchronisation counted was rewritten by it; only a check leaves it as it is.
        if matches!(self.last_action, "check" | "") {
            piece.count(Count::Mismatch, self.mismatches);
        }
        piece.count(Count::Unmoved, self.unmoved_hours);
        piece
    }
}

impl<'a> Member<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        match name {
            "state" => self.state = value,
            "errors" => self.errors = digits(value),
            // First sector and how many, one range a line.
            "bad_blocks" | "unacknowledged_bad_blocks" => {
                let sectors = value.split_whitespace().nth(1).and_then(digits).unwrap_or(0);
                self.bad_sectors = self.bad_sectors.saturating_add(sectors);
            }
            _ => {}
        }
    }

    fn piece(&self) -> Piece {
        let is = |flag: &str| self.state.split(',').any(|one| one.trim() == flag);
        let state = match () {
            () if is("faulty") => State::Failed,
            () if is("write_error") || is("want_replacement") => State::Degraded,
            () if self.state.is_empty() => State::Unsaid,
            () => State::Good,
        };
        let mut piece = Piece::new(Role::Member, self.name, self.state).being(state);
        piece.slot = short(self.array);
        piece.count(Count::Read, self.errors);
        piece.count(Count::BadBlocks, Some(self.bad_sectors));
        piece
    }
}

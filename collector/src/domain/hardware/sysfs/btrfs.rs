//! `/sys/fs/btrfs/UUID/`: the devices of a file system and what they did wrong (fs/btrfs/sysfs.c). The counts are kept in the
//! file system until somebody resets them, so that old ones say little.

use super::lines;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, short},
};

/// `devices`, `data` and `metadata` are directories: the agent says what is in them.
const NAMES: [&str; 8] =
    ["label", "devices", "data", "metadata", "error_stats", "missing", "in_fs_metadata", "writeable"];
/// Most devices of all file systems.
const DEVICES: usize = 4_096;
/// Counts of `error_stats`.
const COUNTS: [(&str, Count); 5] = [
    ("write_errs", Count::Dropped),
    ("flush_errs", Count::Dropped),
    ("read_errs", Count::Read),
    ("corruption_errs", Count::Checksum),
    ("generation_errs", Count::Stale),
];

/// A file system.
#[derive(Default)]
struct Pool<'a> {
    uuid: &'a str,
    label: &'a str,
    devices: &'a str,
    /// How many devices data and metadata outlive, the least of them; `None` where no profile is known.
    tolerance: Option<u64>,
    members: Vec<Member<'a>>,
}

#[derive(Default)]
struct Member<'a> {
    id: &'a str,
    is_missing: bool,
    counts: Vec<(Count, u64)>,
}

/// The file systems in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut pools: Vec<Pool<'_>> = Vec::new();
    let mut devices = 0;
    for line in lines(text, &NAMES) {
        let (before, last) = line.place();
        let (root, id) = match before.strip_suffix("/devinfo") {
            Some(root) => (root, Some(last)),
            None if last == "allocation" => (before, None),
            None => (line.directory, None),
        };
        let uuid = root.rsplit('/').next().unwrap_or_default();
        if pools.last().is_none_or(|known| known.uuid != uuid) {
            devices += 1;
            pools.push(Pool { uuid, ..Pool::default() });
        }
        let Some(pool) = pools.last_mut() else { continue };
        match id {
            Some(id) => {
                if pool.members.last().is_none_or(|known| known.id != id) {
                    devices += 1;
                    pool.members.push(Member { id, ..Member::default() });
                }
                if let Some(member) = pool.members.last_mut() {
                    member.take(line.name, line.value);
                }
            }
            None => pool.take(line.name, line.value),
        }
        if devices > DEVICES {
            break;
        }
    }
    Assembly { pieces: pools.iter().flat_map(Pool::pieces).collect(), losses: Vec::new() }
}

/// How many devices a profile outlives (mkfs.btrfs(8), PROFILES).
fn outlives(profile: &str) -> Option<u64> {
    match profile {
        "single" | "dup" | "raid0" => Some(0),
        "raid1" | "raid10" | "raid5" => Some(1),
        "raid1c3" | "raid6" => Some(2),
        "raid1c4" => Some(3),
        _ => None,
    }
}

impl<'a> Pool<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        match name {
            "label" => self.label = value,
            "devices" => self.devices = value,
            // Both at once while they are converted.
            "data" | "metadata" => {
                let least = value.split_whitespace().filter_map(outlives).min();
                self.tolerance = self.tolerance.into_iter().chain(least).min();
            }
            _ => {}
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        let missing = self.members.iter().filter(|member| member.is_missing).count() as u64;
        let name = if self.label.is_empty() { self.uuid } else { self.label };
        let (state, words) = match missing {
            0 if self.members.is_empty() => (State::Unsaid, String::new()),
            0 => (State::Good, "all devices are here".to_owned()),
            _ => (State::Degraded, format!("{missing} devices are missing")),
        };
        let mut pool = Piece::new(Role::Array, name, &words).being(state);
        pool.slot = short(self.devices);
        pool.spare_members = self.tolerance.map(|tolerance| tolerance.saturating_sub(missing));
        let mut pieces = vec![pool];
        pieces.extend(self.members.iter().map(|member| self.member(name, member)));
        pieces
    }

    fn member(&self, pool: &str, member: &Member<'_>) -> Piece {
        // Which device has which number is said nowhere but where there is one.
        let mut devices = self.devices.split_whitespace();
        let only = devices.next().filter(|_| self.members.len() == 1 && devices.next().is_none());
        let name = only.map_or_else(|| format!("{pool} device {}", member.id), str::to_owned);
        let (state, words) = if member.is_missing { (State::Missing, "missing") } else { (State::Good, "here") };
        let mut piece = Piece::new(Role::Member, &name, words).being(state);
        piece.slot = short(pool);
        for (count, value) in &member.counts {
            piece.count(*count, Some(*value));
        }
        piece
    }
}

impl Member<'_> {
    fn take(&mut self, name: &str, value: &str) {
        match name {
            "missing" => self.is_missing = digits(value).is_some_and(|is| is > 0),
            "error_stats" => {
                let counted = value.split_once(' ').and_then(|(name, value)| {
                    let (_, count) = COUNTS.iter().find(|(known, _)| *known == name)?;
                    Some((*count, digits(value)?))
                });
                let Some((count, value)) = counted else { return };
                match self.counts.iter_mut().find(|(known, _)| *known == count) {
                    Some((_, sum)) => *sum = sum.saturating_add(value),
                    None => self.counts.push((count, value)),
                }
            }
            _ => {}
        }
    }
}

//! When the power fails, and what of the deeds that nobody made durable is on the disk then.

use std::collections::BTreeMap;

use super::disk::{Deed, Disk, Luck, Op};
use crate::measure::random::Random;

/// What is left of what was not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaves {
    /// Nothing.
    Nothing,
    /// All of it.
    All,
    /// Names and sizes, no bytes.
    Names,
    /// Bytes and sizes, no names.
    Bytes,
    /// Any sectors (512 bytes), names and sizes.
    Sectors,
    /// Any pages (4 KiB), names and sizes.
    Pages,
    /// A beginning: all up to some deed, and the first sectors of that one.
    Beginning,
}

impl Leaves {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Nothing, Self::All, Self::Names, Self::Bytes, Self::Sectors, Self::Pages, Self::Beginning];

    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::All => "all",
            Self::Names => "names and sizes",
            Self::Bytes => "bytes, no names",
            Self::Sectors => "any sectors",
            Self::Pages => "any pages",
            Self::Beginning => "a beginning",
        }
    }
}

/// One power cut.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Its number.
    pub n: usize,
    /// When, nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// In the middle of what.
    pub what: (usize, &'static str),
    /// What is left.
    pub leaves: Leaves,
    seed: u64,
}

impl Cut {
    /// The same, but at this instant at the earliest.
    #[must_use]
    pub fn not_before(self, at_ns: u64) -> Self {
        Self { at_ns: self.at_ns.max(at_ns), ..self }
    }
}

/// A sector, which a disk writes whole or not at all, in bytes.
const SECTOR: u64 = 512;
const PAGE: u64 = 4_096;
/// Whatever is told ends a moment that is worth a cut of its own.
const TOLD: &str = "just after a promise";

/// What a deed is for the program.
#[must_use]
pub fn kind(op: &Op) -> &'static str {
    let name = op.path.as_os_str().as_encoded_bytes();
    let (log, database) = (name.ends_with(b"-wal"), name.ends_with(b".db"));
    match &op.deed {
        Deed::Names(_) => "a name made, moved or removed",
        Deed::Write { at: 0, .. } | Deed::Size { .. } if log => "a log that begins anew",
        Deed::Write { .. } if log => "a write to a log",
        Deed::Sync(_) if log => "a sync of a log",
        _ if database => "a checkpoint",
        Deed::Sync(_) => "another sync",
        _ => "a write to another file",
    }
}

/// Chooses as many cuts: each kind of moment in each phase (`phases` are when they begin) as often as any other, however rare.
#[must_use]
pub fn choose(disk: &Disk, phases: &[u64], told_ns: &[u64], count: usize, seed: u64) -> Vec<Cut> {
    let phase = |at_ns: u64| phases.iter().rposition(|begins_ns| *begins_ns <= at_ns).unwrap_or(0);
    let mut moments: BTreeMap<(usize, &'static str), Vec<(u64, u64)>> = BTreeMap::new();
    for op in &disk.ops {
        moments.entry((phase(op.from_ns), kind(op))).or_default().push((op.from_ns, op.to_ns));
    }
    for at_ns in told_ns {
        moments.entry((phase(*at_ns), TOLD)).or_default().push((*at_ns, *at_ns));
    }
    let moments: Vec<_> = moments.into_iter().collect();
    let cut = |n: usize| {
        let mut random = Random::of(seed.wrapping_mul(1_000_003).wrapping_add(n as u64));
        let (what, of) = &moments[n % moments.len()];
        let (from_ns, to_ns) = of[random.index(of.len())];
        // In the middle of it, or as it has just ended.
        let at_ns = if random.below(2) == 0 { from_ns + random.below((to_ns - from_ns).max(1)) } else { to_ns };
        let leaves = Leaves::ALL[random.index(Leaves::ALL.len())];
        Cut { n, at_ns, what: *what, leaves, seed: random.below(u64::MAX) }
    };
    if moments.is_empty() { Vec::new() } else { (0..count).map(cut).collect() }
}

/// The luck of one cut.
#[derive(Debug)]
pub struct Dice {
    leaves: Leaves,
    random: Random,
    /// The first deed that is not there, of those that are left by order; how much of it is.
    until: (usize, u64),
}

impl Dice {
    /// The luck of this cut.
    #[must_use]
    pub fn of(cut: &Cut, disk: &Disk) -> Self {
        let mut random = Random::of(cut.seed);
        let open = |(_, op): &(usize, &Op)| op.from_ns <= cut.at_ns && op.kept_ns > cut.at_ns;
        let open: Vec<usize> = disk.ops.iter().enumerate().filter(open).map(|(at, _)| at).collect();
        let first = random.index(open.len() + 1);
        let until = open.get(first).copied().unwrap_or(usize::MAX);
        let torn = match disk.ops.get(until).map(|op| &op.deed) {
            Some(Deed::Write { at, bytes, .. }) => {
                let end = at + random.below(bytes.len() as u64 + 1);
                end / SECTOR * SECTOR
            }
            _ => 0,
        };
        Self { leaves: cut.leaves, random, until: (until, torn) }
    }

    fn coin(&mut self) -> bool {
        self.random.below(2) == 0
    }
}

impl Luck for Dice {
    fn names(&mut self, op: usize) -> bool {
        match self.leaves {
            Leaves::Nothing | Leaves::Bytes => false,
            Leaves::All | Leaves::Names => true,
            Leaves::Sectors | Leaves::Pages => self.coin(),
            Leaves::Beginning => op < self.until.0,
        }
    }

    fn size(&mut self, ops: &[usize]) -> usize {
        match self.leaves {
            Leaves::Nothing => 0,
            Leaves::All | Leaves::Names | Leaves::Bytes => ops.len(),
            Leaves::Sectors | Leaves::Pages => self.random.index(ops.len() + 1),
            Leaves::Beginning => ops.iter().filter(|op| **op <= self.until.0).count(),
        }
    }

    fn piece(&mut self, op: usize, at: u64, length: usize) -> bool {
        match self.leaves {
            Leaves::Nothing | Leaves::Names => false,
            Leaves::All | Leaves::Bytes => true,
            Leaves::Sectors | Leaves::Pages => self.coin(),
            Leaves::Beginning => op < self.until.0 || op == self.until.0 && at + length as u64 <= self.until.1,
        }
    }

    fn grain(&self) -> u64 {
        if self.leaves == Leaves::Pages { PAGE } else { SECTOR }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::power::trace::Call;

    /// A file of 2 000 bytes, written in two halves and never synced.
    fn disk() -> Disk {
        let call = |at: u64, name: &str, words: &[&str], answer: i64, opened: Option<&str>| Call {
            from_ns: at,
            to_ns: at + 5,
            name: name.to_owned(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            answer,
            opened: opened.map(PathBuf::from),
        };
        let half = format!("\"{}\"", "\\x41".repeat(1_000));
        let mut disk = Disk::new(Path::new("/s"));
        let calls = [
            call(10, "openat", &["-100<d>", "\"\"", "O_RDWR|O_CREAT", "0600"], 5, Some("/s/a.db-wal")),
            call(
                20,
                "write",
                &["5<\\x2f\\x73\\x2f\\x61\\x2e\\x64\\x62\\x2d\\x77\\x61\\x6c>", &half, "1000"],
                1_000,
                None,
            ),
            call(
                30,
                "write",
                &["5<\\x2f\\x73\\x2f\\x61\\x2e\\x64\\x62\\x2d\\x77\\x61\\x6c>", &half, "1000"],
                1_000,
                None,
            ),
        ];
        disk.add(&calls).unwrap();
        disk
    }

    fn left(leaves: Leaves, seed: u64) -> Option<Vec<u8>> {
        let disk = disk();
        let cut = Cut { n: 0, at_ns: 99, what: (0, ""), leaves, seed };
        let image = disk.left(cut.at_ns, &mut Dice::of(&cut, &disk));
        image.files.get(Path::new("a.db-wal")).map(|(_, bytes)| bytes.clone())
    }

    #[test]
    fn each_kind_leaves_what_it_says() {
        assert_eq!(left(Leaves::Nothing, 1), None);
        assert_eq!(left(Leaves::Bytes, 1), None);
        assert_eq!(left(Leaves::All, 1), Some(vec![0x41; 2_000]));
        assert_eq!(left(Leaves::Names, 1), Some(vec![0; 2_000]));
        let seen: Vec<_> = (0..64).map(|seed| left(Leaves::Beginning, seed)).collect();
        for bytes in seen.iter().flatten() {
            let whole = bytes.iter().take_while(|byte| **byte == 0x41).count();
            assert!(bytes[whole..].iter().all(|byte| *byte == 0), "a hole");
            // Of a write that was torn: its first whole sectors.
            assert!([0, 512, 1_000, 1_024, 1_536, 2_000].contains(&whole), "{whole}");
        }
        assert!(seen.contains(&None) && seen.contains(&Some(vec![0x41; 2_000])));
        let torn = (0..64).filter_map(|seed| left(Leaves::Sectors, seed)).filter(|bytes| bytes.starts_with(&[0; 512]));
        assert!(torn.filter(|bytes| bytes.contains(&0x41)).count() > 0, "a later sector without the first");
    }

    #[test]
    fn every_kind_of_moment_in_every_phase_gets_its_share_and_a_seed_chooses_the_same_again() {
        let disk = disk();
        let cuts = choose(&disk, &[0, 25], &[40, 50], 8, 7);
        let kinds = [
            (0, "a log that begins anew"),
            (0, "a name made, moved or removed"),
            (1, "a write to a log"),
            (1, "just after a promise"),
        ];
        assert_eq!(cuts.iter().map(|cut| cut.what).collect::<Vec<_>>(), [kinds, kinds].concat());
        for cut in &cuts {
            let range = match cut.what {
                (_, "a name made, moved or removed") => 10..=15,
                (_, "a log that begins anew") => 20..=25,
                (_, "a write to a log") => 30..=35,
                _ => 40..=50,
            };
            assert!(range.contains(&cut.at_ns), "{cut:?}");
        }
        let again = choose(&disk, &[0, 25], &[40, 50], 8, 7);
        assert_eq!(format!("{cuts:?}"), format!("{again:?}"));
        assert_ne!(format!("{cuts:?}"), format!("{:?}", choose(&disk, &[0, 25], &[40, 50], 8, 8)));
    }
}

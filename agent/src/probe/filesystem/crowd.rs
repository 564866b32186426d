//! Of too many mounts of one type each file system is said once, where it was mounted first by the shortest path, as
//! containers mount one again and again. Are there still too many, only their sum is said, and the fullest of them.

use std::collections::{BTreeMap, HashMap};

use super::{FsStat, Kind, Mount, Seen, Sink, say_error, say_sizes};
use crate::host::rolled;

/// Where the sum of all is mounted: no path begins so.
const EVERYWHERE: &str = "(rolled up)";

/// What is left of many mounts.
#[derive(Debug, Default)]
pub(super) struct Thinned {
    /// How many there are of each type of which there are too many.
    pub(super) counts: Vec<(String, usize)>,
    /// Those that are asked, and whether only their sum is said.
    pub(super) mounts: Vec<(Mount, bool)>,
}

/// Leaves out what is too much.
pub(super) fn thin_out(mounts: Vec<Mount>, limit: usize) -> Thinned {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for mount in &mounts {
        *counts.entry(mount.kind.clone()).or_default() += 1;
    }
    counts.retain(|_, count| *count > limit);
    if counts.is_empty() {
        return Thinned { mounts: mounts.into_iter().map(|mount| (mount, false)).collect(), ..Thinned::default() };
    }
    let mut shown: HashMap<String, (usize, usize)> = HashMap::new();
    for (place, mount) in mounts.iter().enumerate().filter(|(_, mount)| counts.contains_key(&mount.kind)) {
        let best = shown.entry(mount.system.clone()).or_insert((place, mount.point.len()));
        if mount.point.len() < best.1 {
            *best = (place, mount.point.len());
        }
    }
    let is_shown = |(place, mount): &(usize, Mount)| shown.get(&mount.system).is_none_or(|(best, _)| best == place);
    let mounts: Vec<Mount> = mounts.into_iter().enumerate().filter(is_shown).map(|(_, mount)| mount).collect();
    let mut systems: HashMap<String, usize> = HashMap::new();
    for mount in &mounts {
        *systems.entry(mount.kind.clone()).or_default() += 1;
    }
    let rolled_up = |mount: &Mount| systems.get(&mount.kind).is_some_and(|count| *count > limit);
    let mounts = mounts
        .into_iter()
        .map(|mount| {
            let all = rolled_up(&mount);
            (mount, all)
        })
        .collect();
    Thinned { counts: counts.into_iter().collect(), mounts }
}

/// The sums of those of which nothing else is said, by type.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<String, Sum>);

#[derive(Debug)]
struct Sum {
    all: FsStat,
    failed: usize,
    read_only: bool,
    /// The least part of one that is available.
    fullest: f64,
}

impl Sums {
    pub(super) fn add(&mut self, mount: &Seen<'_>, answer: Option<FsStat>) {
        let none =
            || Sum { all: FsStat { block_bytes: 1, ..FsStat::default() }, failed: 0, read_only: true, fullest: 1.0 };
        if !self.0.contains_key(mount.kind) {
            self.0.insert(mount.kind.to_owned(), none());
        }
        let Some(sum) = self.0.get_mut(mount.kind) else { return };
        let Some(stat) = answer else {
            sum.failed += 1;
            return;
        };
        // Sizes of blocks differ, so bytes are added.
        for (into, blocks) in [
            (&mut sum.all.blocks, stat.blocks),
            (&mut sum.all.free, stat.free),
            (&mut sum.all.available, stat.available),
        ] {
            *into = into.saturating_add(blocks.saturating_mul(stat.block_bytes));
        }
        sum.all.files = sum.all.files.saturating_add(stat.files);
        sum.all.files_free = sum.all.files_free.saturating_add(stat.files_free);
        sum.read_only &= mount.read_only;
        if stat.blocks > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a part of a whole needs no 53 bits")]
            let part = stat.available as f64 / stat.blocks as f64;
            sum.fullest = sum.fullest.min(part);
        }
    }

    pub(super) fn say(&self, sink: &mut Sink<'_>) {
        for (kind, sum) in &self.0 {
            let all = rolled::name_of_all(kind);
            let labels = [("device", &*all), ("fstype", kind), ("mountpoint", EVERYWHERE)];
            say_error(sink, &labels, if sum.failed > 0 { 1.0 } else { 0.0 });
            say_sizes(sink, &labels, &sum.all, sum.read_only);
            sink.family(
                "muster_filesystem_rolled_up_avail_ratio_min",
                Kind::Gauge,
                "Available part of the fullest of the filesystems that are said as one.",
            );
            sink.sample(&[("fstype", kind)], sum.fullest);
        }
    }
}

/// Says how many mounts there are of each type of which there are too many.
pub(super) fn say_counts(sink: &mut Sink<'_>, counts: &str) {
    let mut fields = counts.split('\0');
    while let (Some(kind), Some(count)) = (fields.next(), fields.next().and_then(super::super::parse_number)) {
        sink.family(
            "muster_filesystem_rolled_up_mounts",
            Kind::Gauge,
            "Mounts of a type of which there are so many that not each of them is said.",
        );
        sink.sample(&[("fstype", kind)], count);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::Section;
    use super::super::super::testing::{ask, lines, machine};
    use crate::host::Crowding;

    fn line(system: &str, point: &str, kind: &str) -> String {
        format!("36 35 {system} / {point} rw - {kind} dev{system} rw\n")
    }

    /// What a machine with these mounts says, whose file systems have `blocks` of 10 bytes, a tenth of them available.
    fn of(mounts: &str, points: &[(&str, u64)], limit: usize) -> Vec<String> {
        let stat = |(point, blocks): &(&str, u64)| {
            let available = blocks / 10;
            format!("\"{point}\": {{\"block_bytes\": 10, \"blocks\": {blocks}, \"available\": {available}}}")
        };
        let stats = format!("{{{}}}", points.iter().map(stat).collect::<Vec<_>>().join(","));
        let lines = limited(&[("proc/1/mountinfo", mounts), (".muster/statfs.json", &stats)], limit);
        lines
            .into_iter()
            .filter(|line| ["size_bytes", "rolled_up", "/pods"].iter().any(|word| line.contains(word)))
            .collect()
    }

    fn limited(files: &[(&str, &str)], limit: usize) -> Vec<String> {
        let (_root, host) = machine(files);
        let host = host.with_crowding(Crowding { mounts_per_type: limit, ..Crowding::default() });
        let mut section = Section::new("filesystem", Arc::default());
        let (notes, outcome) = ask(super::super::read, &host, &mut section);
        assert_eq!((notes, outcome), (Vec::new(), Ok(())));
        lines(&section)
    }

    #[test]
    fn one_file_system_mounted_again_and_again_is_said_once_by_its_shortest_path() {
        let mounts = line("8:1", "/pods/a/data", "ext4")
            + &line("8:1", "/data", "ext4")
            + &line("8:1", "/pods/b", "ext4")
            + &line("8:2", "/srv", "xfs");
        let told = of(&mounts, &[("/data", 100), ("/srv", 7)], 2);
        assert_eq!(
            told,
            [
                "node_filesystem_size_bytes{device=\"dev8:1\",fstype=\"ext4\",mountpoint=\"/data\"} 1000",
                "node_filesystem_size_bytes{device=\"dev8:2\",fstype=\"xfs\",mountpoint=\"/srv\"} 70",
                "muster_filesystem_rolled_up_mounts{fstype=\"ext4\"} 3",
            ]
        );
    }

    #[test]
    fn of_too_many_file_systems_of_a_type_the_sum_is_said_and_how_full_the_fullest_is() {
        let mounts = line("0:1", "/a", "tmpfs")
            + &line("0:2", "/b", "tmpfs")
            + &line("0:3", "/c", "tmpfs")
            + &line("8:2", "/srv", "xfs");
        let told = of(&mounts, &[("/a", 5), ("/b", 200), ("/c", 100), ("/srv", 7)], 2);
        assert_eq!(
            told,
            [
                "node_filesystem_size_bytes{device=\"dev8:2\",fstype=\"xfs\",mountpoint=\"/srv\"} 70",
                "node_filesystem_size_bytes{device=\"tmpfs (rolled up)\",fstype=\"tmpfs\",mountpoint=\"(rolled up)\"} 3050",
                "muster_filesystem_rolled_up_avail_ratio_min{fstype=\"tmpfs\"} 0",
                "muster_filesystem_rolled_up_mounts{fstype=\"tmpfs\"} 3",
            ]
        );
    }
}

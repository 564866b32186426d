//! Space of each Btrfs file system, from `/sys/fs/btrfs` (Documentation/filesystems/btrfs, `Documentation/ABI`). Once a
//! minute: space moves slowly. What only an ioctl on the mount tells (errors per device) is not read.

use super::folder::{Folder, counter, finite, gauge};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/fs/btrfs";
/// Bytes of a sector in `size`, whatever the device uses (Documentation/ABI/stable/sysfs-block).
const SECTOR_BYTES: f64 = 512.0;
const BLOCK_GROUPS: [&str; 3] = ["data", "metadata", "system"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let systems = host.list(DIRECTORY)?;
    let mut folder = Folder::new(host, "btrfs", DIRECTORY);
    let mut found = false;
    for entry in systems.iter().filter(|name| name.contains('-')) {
        found = true;
        let path = format!("{DIRECTORY}/{entry}");
        folder.go(&path);
        let uuid = folder.fact("metadata_uuid").filter(|uuid| !uuid.is_empty());
        let uuid = uuid.as_deref().unwrap_or(entry);
        let devices = host.names(&format!("{path}/devices")).unwrap_or_default();
        say_system(sink, &mut folder, uuid, &devices);
        for group in BLOCK_GROUPS {
            folder.go(&format!("{path}/allocation/{group}"));
            say_group(sink, &mut folder, uuid, group, devices.lines().count());
        }
    }
    if found { Ok(()) } else { Err(ProbeError::Absent("no Btrfs is mounted".to_owned())) }
}

fn say_system(sink: &mut Sink<'_>, folder: &mut Folder<'_>, uuid: &str, devices: &str) {
    let label = folder.fact("label").unwrap_or_default();
    gauge(sink, "node_btrfs_info", "Filesystem information", &[("uuid", uuid), ("label", &label)], 1.0);
    let reserve = folder.number(sink, "allocation/global_rsv_size").unwrap_or(0.0);
    gauge(sink, "node_btrfs_global_rsv_size_bytes", "Size of global reserve.", &[("uuid", uuid)], reserve);
    say_commits(sink, folder, uuid);
    for device in devices.lines() {
        let sectors = folder.fixed(&format!("devices/{device}/size")).unwrap_or(0.0);
        let help = "Size of a device that is part of the filesystem.";
        let labels = [("uuid", uuid), ("device", device)];
        gauge(sink, "node_btrfs_device_size_bytes", help, &labels, sectors * SECTOR_BYTES);
    }
}

/// `commits 4`, `last_commit_ms 1`, ...: Linux 6.0 and later; named as by `node_exporter` 1.10.
fn say_commits(sink: &mut Sink<'_>, folder: &mut Folder<'_>, uuid: &str) {
    let Some(text) = folder.word(sink, "commit_stats") else { return };
    let number = |key: &str| text.lines().find_map(|line| finite(line.strip_prefix(key)?.strip_prefix(' ')?.trim()));
    let labels = [("uuid", uuid)];
    if let Some(commits) = number("commits") {
        let help = "The total number of commits that have occurred.";
        counter(sink, "node_btrfs_commits_total", help, &labels, commits);
    }
    if let Some(ms) = number("last_commit_ms") {
        let help = "Duration of the most recent commit, in seconds.";
        gauge(sink, "node_btrfs_last_commit_seconds", help, &labels, ms / 1000.0);
    }
    if let Some(ms) = number("max_commit_ms") {
        let help = "Duration of the slowest commit, in seconds.";
        gauge(sink, "node_btrfs_max_commit_seconds", help, &labels, ms / 1000.0);
    }
    if let Some(ms) = number("total_commit_ms") {
        let help = "Sum of the duration of all commits, in seconds.";
        counter(sink, "node_btrfs_commit_seconds_total", help, &labels, ms / 1000.0);
    }
}

fn say_group(sink: &mut Sink<'_>, folder: &mut Folder<'_>, uuid: &str, group: &str, devices: usize) {
    let reserved = folder.number(sink, "bytes_reserved").unwrap_or(0.0);
    let help = "Amount of space reserved for a data type";
    gauge(sink, "node_btrfs_reserved_bytes", help, &[("uuid", uuid), ("block_group_type", group)], reserved);
    let names = folder.names();
    for (profile, ratio) in names.lines().filter_map(|name| Some((name, copies(name, devices)?))) {
        let labels = [("uuid", uuid), ("block_group_type", group), ("mode", profile)];
        let used = folder.number(sink, &format!("{profile}/used_bytes")).unwrap_or(0.0);
        gauge(sink, "node_btrfs_used_bytes", "Amount of used space by a layout/data type", &labels, used);
        let size = folder.number(sink, &format!("{profile}/total_bytes")).unwrap_or(0.0);
        gauge(sink, "node_btrfs_size_bytes", "Amount of space allocated for a layout/data type", &labels, size);
        let help = "Data allocation ratio for a layout/data type";
        gauge(sink, "node_btrfs_allocation_ratio", help, &labels, ratio);
    }
}

/// Bytes on devices per byte of data (fs/btrfs/volumes.c, `btrfs_raid_array`); `None` for what is no profile.
/// (`node_exporter` says 0 of raid1c3 and raid1c4.)
fn copies(profile: &str, devices: usize) -> Option<f64> {
    let devices = f64::from(u32::try_from(devices).unwrap_or(u32::MAX));
    Some(match profile {
        "single" | "raid0" => 1.0,
        "dup" | "raid1" | "raid10" => 2.0,
        "raid1c3" => 3.0,
        "raid1c4" => 4.0,
        "raid5" => devices / (devices - 1.0),
        "raid6" => devices / (devices - 2.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn redundancy_costs_space() {
        for (profile, devices, expected) in
            [("single", 1, 1.0), ("dup", 1, 2.0), ("raid1c3", 5, 3.0), ("raid5", 4, 4.0 / 3.0), ("raid6", 6, 1.5)]
        {
            assert_eq!(copies(profile, devices), Some(expected), "{profile}");
        }
        assert_eq!(copies("bytes_used", 3), None);
    }

    #[test]
    fn a_system_without_an_id_of_its_own_is_called_by_its_directory() {
        let machine = Machine::new(&[
            ("sys/fs/btrfs/features/raid56", "0"),
            ("sys/fs/btrfs/aa-bb/label", "home\n"),
            ("sys/fs/btrfs/aa-bb/devices/sda/size", "2048\n"),
            ("sys/fs/btrfs/aa-bb/allocation/data/raid1/used_bytes", "7\n"),
            ("sys/fs/btrfs/aa-bb/allocation/data/flags", "1\n"),
            ("sys/fs/btrfs/aa-bb/allocation/data/bytes_reserved", "many\n"),
            ("sys/fs/btrfs/aa-bb/commit_stats", "commits 4\nmax_commit_ms x\n"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.value(r#"node_btrfs_info{label="home",uuid="aa-bb"}"#), 1.0);
        assert_eq!(said.value(r#"node_btrfs_device_size_bytes{device="sda",uuid="aa-bb"}"#), 1_048_576.0);
        assert_eq!(said.value(r#"node_btrfs_used_bytes{block_group_type="data",mode="raid1",uuid="aa-bb"}"#), 7.0);
        assert_eq!(said.value(r#"node_btrfs_commits_total{uuid="aa-bb"}"#), 4.0);
        assert!(said.family("node_btrfs_max_commit_seconds").is_empty());
        assert_eq!(said.noted(), ["btrfs/sys/fs/btrfs/aa-bb/allocation/data/bytes_reserved"]);
        let none = Machine::new(&[("sys/fs/btrfs/features/raid56", "0")]);
        assert!(matches!(none.read(read).outcome, Err(ProbeError::Absent(_))));
    }
}

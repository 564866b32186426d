//! Which block device is what: where drives are attached, what is made of them and what is mounted, as the agent reads it from
//! sysfs. It judges nothing; it is how `ata3`, `2:0:0:0`, `sda1` and `md0` come to be one drive.

mod ways;

use std::collections::{BTreeMap, BTreeSet};

pub use self::ways::{Ports, Way};
use super::text::short;

/// Most devices that are kept; the agent tells of no more.
const DEVICES: usize = 1_000;

/// The block devices of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// By name: `sda`, `nvme0n1`, `md0`, `dm-0`.
    pub devices: BTreeMap<String, Device>,
    /// What is made of a device or partition, by its name: `sda1` holds `md0`.
    holders: BTreeMap<String, BTreeSet<String>>,
    /// Where a device or partition is mounted: `/var`, `[swap]`.
    mounts: BTreeMap<String, BTreeSet<String>>,
}

/// A block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Its place among the devices of sysfs: `../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda`.
    pub place: String,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// Vendor and model, as the kernel knows them.
    pub model: String,
    /// Its serial number, where the kernel knows it.
    pub serial: String,
    /// The bay of an enclosure or the slot of a card in which it sits.
    pub bay: String,
    /// What device mapper calls it.
    pub mapped: String,
}

/// Reads lines `path:value`.
pub(super) fn read(text: &str) -> Topology {
    let mut topology = Topology::default();
    let mut slots: Vec<(&str, &str)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("/sys/block/") {
            // The kernel's names of block devices have no colon.
            if let Some((path, value)) = rest.split_once(':') {
                topology.value(path, value);
            }
        } else if let Some(rest) = line.strip_prefix("/sys/class/enclosure/") {
            let (place, device) = rest.rsplit_once("/device/block:").unwrap_or_default();
            if let Some((enclosure, bay)) = place.split_once('/') {
                topology.set(device, |device| device.bay = short(&format!("{bay} of enclosure {enclosure}")));
            }
        } else if let Some(rest) = line.strip_prefix("/sys/bus/pci/slots/") {
            slots.extend(rest.split_once("/address:").map(|(slot, address)| (address, slot)));
        } else if let Some((device, point)) = line.strip_prefix("/dev/").and_then(|rest| rest.split_once(':')) {
            topology.mounts.entry(short(device)).or_default().insert(short(point));
        }
    }
    for device in topology.devices.values_mut().filter(|device| device.bay.is_empty()) {
        let mut above = slots.iter().filter(|(address, _)| device.place.contains(&format!("/{address}.")));
        if let Some((_, slot)) = above.next() {
            device.bay = short(&format!("PCI slot {slot}"));
        }
    }
    topology
}

impl Topology {
    fn set(&mut self, name: &str, change: impl FnOnce(&mut Device)) {
        if !name.is_empty() && (self.devices.len() < DEVICES || self.devices.contains_key(name)) {
            change(self.devices.entry(short(name)).or_default());
        }
    }

    /// A value of `sda`, `sda/size`, `sda/sda1/holders`.
    fn value(&mut self, path: &str, value: &str) {
        let (name, file) = path.split_once('/').unwrap_or((path, ""));
        match file {
            "" => self.set(name, |device| device.place = short(value)),
            // Sectors of 512 bytes, whatever the device's own are (Documentation/ABI/stable/sysfs-block).
            "size" => self.set(name, |device| device.bytes = value.parse::<u64>().ok().map(|sectors| sectors * 512)),
            "device/vendor" => self.set(name, |device| device.model = short(&format!("{value} {}", device.model))),
            "device/model" => self.set(name, |device| device.model = short(&format!("{} {value}", device.model))),
            "device/serial" => self.set(name, |device| device.serial = short(value)),
            "device/wwid" => self.set(name, |device| {
                // `t10.ATA     MODEL        SERIAL` (SPC-4, T10 vendor ID based designator).
                let serial = value.strip_prefix("t10.").and_then(|rest| rest.split_whitespace().next_back());
                if let Some(serial) = serial.filter(|_| device.serial.is_empty()) {
                    device.serial = short(serial);
                }
            }),
            "dm/name" => self.set(name, |device| device.mapped = short(value)),
            _ => {
                let below = file.strip_suffix("holders").map(|partition| partition.trim_end_matches('/'));
                if let Some(partition) = below {
                    let holds = if partition.is_empty() { name } else { partition };
                    self.holders.entry(short(holds)).or_default().insert(short(value));
                    self.set(name, |_| {});
                }
            }
        }
    }

    /// The drive that a source calls so: `/dev/sda`, `sda1`, `nvme0`, `nvme0n1p2`, `ata3`, `ata3.00`, `2:0:0:0`. Its name.
    #[must_use]
    pub fn drive(&self, called: &str) -> Option<&str> {
        let called = called.trim_start_matches("/dev/").trim_start_matches("sd ").trim_matches(['[', ']']);
        let named = self.devices.keys().filter(|name| is_of(called, name)).max_by_key(|name| name.len());
        if let Some(name) = named {
            return Some(name);
        }
        let (port, number) = called.split_once('.').unwrap_or((called, ""));
        let is_there = |device: &&Device| match called.split_once(':') {
            Some(_) => device.place.split('/').any(|part| part == called),
            None => called.starts_with("ata") && device.place.split('/').any(|part| part == port),
        };
        let mut there = self.devices.iter().filter(|(_, device)| is_there(device)).map(|(name, _)| name.as_str());
        let first = there.next()?;
        let others: Vec<&str> = there.collect();
        if others.is_empty() {
            return Some(first);
        }
        // Behind a port multiplier, or on one cable: the number is the last or the middle of its address.
        let number: u64 = number.parse().ok()?;
        let address = |name: &str| -> Option<Vec<u64>> {
            let place = &self.devices.get(name)?.place;
            let part = place.split('/').find(|part| part.split(':').count() == 4)?;
            part.split(':').map(|one| one.parse().ok()).collect()
        };
        let fits = |name: &&str| address(name).is_some_and(|address| address[1] == number || address[2] == number);
        std::iter::once(first).chain(others).find(fits)
    }

    /// The adapter that a drive hangs on: the address of the last PCI device in its place. None of NVMe, which is its own.
    #[must_use]
    pub fn adapter(&self, drive: &str) -> Option<&str> {
        if drive.starts_with("nvme") {
            return None;
        }
        let place = &self.devices.get(drive)?.place;
        place.split('/').rfind(|part| is_pci(part))
    }

    /// Everything that is made of a drive or of its partitions, the nearest first: `md0`, `dm-0`.
    #[must_use]
    pub fn above(&self, drive: &str) -> Vec<&str> {
        let mut above: Vec<&str> = Vec::new();
        let first = self.holders.iter().filter(|(name, _)| is_of(name, drive));
        let mut next: Vec<&str> = first.flat_map(|(_, holders)| holders).map(String::as_str).collect();
        while let Some(name) = next.pop() {
            if !above.contains(&name) {
                above.push(name);
                next.extend(self.holders.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        above
    }

    /// Whether anything but these arrays uses a drive: a file system on a partition of it, a volume.
    #[must_use]
    pub fn is_used_beside(&self, drive: &str, arrays: &BTreeSet<&str>) -> bool {
        let mut holders = self.holders.iter().filter(|(name, _)| is_of(name, drive)).flat_map(|(_, holders)| holders);
        holders.any(|holder| !arrays.contains(holder.as_str())) || self.mounts.keys().any(|device| is_of(device, drive))
    }

    /// The drives of which a device is made, and itself if it is one.
    #[must_use]
    pub fn below(&self, called: &str) -> Vec<&str> {
        let called = called.trim_start_matches("/dev/");
        let mapped = called.trim_start_matches("mapper/");
        let by_mapped = self.devices.iter().find(|(_, device)| !device.mapped.is_empty() && device.mapped == mapped);
        let called = by_mapped.map_or(called, |(name, _)| name.as_str());
        let drives = self.devices.keys().map(String::as_str).filter(|name| !is_made(name));
        drives.filter(|drive| is_of(called, drive) || self.above(drive).contains(&called)).collect()
    }

    /// Where a drive, its partitions or what is made of it is mounted.
    #[must_use]
    pub fn mounted(&self, drive: &str) -> BTreeSet<&str> {
        let above = self.above(drive);
        let is_here = |device: &str| {
            let mapped = device.strip_prefix("mapper/");
            let is_mapped = |name: &&&str| self.devices.get(**name).is_some_and(|made| Some(&*made.mapped) == mapped);
            is_of(device, drive) || above.contains(&device) || above.iter().any(|name| is_mapped(&name))
        };
        self.mounts.iter().filter(|(device, _)| is_here(device)).flat_map(|(_, at)| at).map(String::as_str).collect()
    }
}

/// Made of others.
fn is_made(name: &str) -> bool {
    ["dm-", "md", "bcache", "drbd"].iter().any(|made| name.starts_with(made))
}

/// `0000:3b:00.0`
fn is_pci(part: &str) -> bool {
    let numbers: Vec<&str> = part.split([':', '.']).collect();
    numbers.len() == 4 && part.contains('.') && numbers.iter().all(|one| u64::from_str_radix(one, 16).is_ok())
}

/// Whether a name is the drive's or one of its partitions': `sda1` and `sda` of `sda`; `nvme0n1p2` and `nvme0` of `nvme0n1`.
fn is_of(name: &str, drive: &str) -> bool {
    if name.starts_with("nvme") && drive.strip_prefix(name).is_some_and(|rest| rest.starts_with('n')) {
        return true;
    }
    let ends_with_digit = drive.ends_with(|c: char| c.is_ascii_digit());
    name.strip_prefix(drive).is_some_and(|rest| {
        let number = if ends_with_digit { rest.strip_prefix('p') } else { Some(rest) };
        rest.is_empty() || number.is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
/sys/block/sda:../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda
/sys/block/sda/size:7814037168
/sys/block/sda/device/vendor:ATA
/sys/block/sda/device/model:MADE UP 4000
/sys/block/sda/device/wwid:t10.ATA     MADE UP 4000                     MU-0001
/sys/block/sda/sda1/holders:md0
/sys/block/sdb:../devices/pci0000:00/0000:00:17.0/ata4/host3/target3:0:0/3:0:0:0/block/sdb
/sys/block/sdb/sdb1/holders:md0
/sys/block/sdaa:../devices/pci0000:00/0000:00:1c.0/0000:3b:00.0/host9/port-9:0/end_device-9:0/target9:0:4/9:0:4:0/block/sdaa
/sys/block/nvme0n1:../devices/pci0000:64/0000:64:02.0/0000:65:00.0/nvme/nvme0/nvme0n1
/sys/block/nvme0n1/device/serial:MU-NVME-1
/sys/block/md0/holders:dm-0
/sys/block/dm-0/dm/name:vg-var
/sys/class/enclosure/9:0:10:0/Slot 03/device/block:sdaa
/sys/bus/pci/slots/7/address:0000:65:00
/dev/mapper/vg-var:/var
/dev/sdb2:[swap]
/dev/nvme0n1p2:/
";

    #[test]
    fn a_drive_is_found_by_every_name_that_a_log_or_a_tool_gives_it() {
        let topology = read(TEXT);
        for (called, drive) in [
            ("/dev/sda", Some("sda")),
            ("sda1", Some("sda")),
            ("sdaa", Some("sdaa")),
            ("ata3", Some("sda")),
            ("ata3.00", Some("sda")),
            ("ata4.00", Some("sdb")),
            ("2:0:0:0", Some("sda")),
            ("9:0:4:0", Some("sdaa")),
            ("nvme0", Some("nvme0n1")),
            ("nvme0n1p2", Some("nvme0n1")),
            ("md0", Some("md0")),
            ("ata5", None),
            ("sdc", None),
            ("nvme1", None),
            ("", None),
        ] {
            assert_eq!(topology.drive(called), drive, "{called}");
        }
        let sda = &topology.devices["sda"];
        assert_eq!(
            (sda.bytes, sda.model.as_str(), sda.serial.as_str()),
            (Some(4_000_787_030_016), "ATA MADE UP 4000", "MU-0001")
        );
        assert_eq!(topology.devices["sdaa"].bay, "Slot 03 of enclosure 9:0:10:0");
        assert_eq!(topology.devices["nvme0n1"].bay, "PCI slot 7");
    }

    #[test]
    fn what_hangs_on_a_drive_and_what_it_hangs_on_is_known() {
        let topology = read(TEXT);
        assert_eq!(topology.above("sda"), ["md0", "dm-0"]);
        assert_eq!(topology.mounted("sda").into_iter().collect::<Vec<_>>(), ["/var"]);
        assert_eq!(topology.mounted("sdb").into_iter().collect::<Vec<_>>(), ["/var", "[swap]"]);
        assert_eq!(topology.mounted("nvme0n1").into_iter().collect::<Vec<_>>(), ["/"]);
        for (called, below) in [
            ("md0", vec!["sda", "sdb"]),
            ("dm-0", vec!["sda", "sdb"]),
            ("mapper/vg-var", vec!["sda", "sdb"]),
            ("sdb2", vec!["sdb"]),
        ] {
            assert_eq!(topology.below(called), below, "{called}");
        }
        assert_eq!(topology.adapter("sda"), Some("0000:00:17.0"));
        assert_eq!(topology.adapter("sdaa"), Some("0000:3b:00.0"));
        assert_eq!(topology.adapter("nvme0n1"), None);
    }

    #[test]
    fn two_drives_on_one_port_are_told_apart_by_their_number() {
        let of = |name: &str, address: &str| {
            format!("/sys/block/{name}:../devices/0000:00:1f.2/ata1/host0/target/{address}/block/{name}\n")
        };
        let topology = read(&(of("sda", "0:0:0:0") + &of("sdb", "0:0:1:0")));
        assert_eq!(
            (topology.drive("ata1.00"), topology.drive("ata1.01"), topology.drive("ata1")),
            (Some("sda"), Some("sdb"), None)
        );
    }
}

//! Which block device is what: where a drive is attached, what is made of it, and what is mounted, so that what different
//! sources say of `ata3`, `2:0:0:0`, `sda1` and `md0` can be told to be about one drive. No device is asked anything.

use super::{Found, Look};
use crate::host::Host;

/// Values of sysfs, one `path:value` a line; a directory that is a list has one line for each entry.
const SOURCE: &str = "block-sysfs";
/// Names that hold nothing of interest (Documentation/admin-guide/devices.txt).
const IDLE: [&str; 5] = ["loop", "ram", "zram", "nbd", "fd"];
/// Devices of one machine, and partitions of one device.
const DEVICES_MAX: usize = 512;
const PARTITIONS_MAX: usize = 64;
/// All of it, in bytes; beyond, the rest is left out. A hundred drives with three partitions each take half.
const TEXT_MAX: usize = 128 * 1024;
/// What a device is called and how large it is (Documentation/ABI/stable/sysfs-block); of NVMe the names lie deeper.
const VALUES: [&str; 9] = [
    "size",
    "queue/rotational",
    "device/vendor",
    "device/model",
    "device/serial",
    "device/wwid",
    "wwid",
    "dm/name",
    "dm/uuid",
];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let mut text = Text { host: look.host, said: String::new() };
    text.devices();
    if text.said.is_empty() {
        return Vec::new();
    }
    text.bays();
    text.mounts();
    let note = if text.is_full() { format!("cut after {TEXT_MAX} bytes") } else { String::new() };
    vec![Found::read(SOURCE, String::new(), text.said.into_bytes(), note)]
}

struct Text<'a> {
    host: &'a Host,
    said: String,
}

impl Text<'_> {
    fn is_full(&self) -> bool {
        self.said.len() >= TEXT_MAX
    }

    fn say(&mut self, path: &str, value: &str) {
        let value = value.trim();
        if !self.is_full() && !value.is_empty() {
            self.said.push_str(&format!("{path}:{value}\n"));
        }
    }

    fn devices(&mut self) {
        let names = self.host.list("/sys/block").unwrap_or_default();
        let of_interest = |name: &&String| !IDLE.iter().any(|idle| name.starts_with(idle));
        for name in names.iter().filter(of_interest).take(DEVICES_MAX) {
            let directory = format!("/sys/block/{name}");
            if let Ok(place) = self.host.link_target(&directory) {
                self.say(&directory, &place);
            }
            for value in VALUES {
                let path = format!("{directory}/{value}");
                if let Ok(said) = self.host.read_text(&path) {
                    self.say(&path, &said);
                }
            }
            self.holders(&directory);
            let entries = self.host.list(&directory).unwrap_or_default();
            for partition in entries.iter().filter(|entry| entry.starts_with(name.as_str())).take(PARTITIONS_MAX) {
                self.holders(&format!("{directory}/{partition}"));
            }
        }
    }

    /// What is made of a device or partition.
    fn holders(&mut self, directory: &str) {
        let path = format!("{directory}/holders");
        for holder in self.host.list(&path).unwrap_or_default() {
            self.say(&path, &holder);
        }
    }

    /// Bays of enclosures (drivers/misc/enclosure.c) and slots of PCI cards, by which NVMe drives are found.
    fn bays(&mut self) {
        const ENCLOSURES: &str = "/sys/class/enclosure";
        for enclosure in self.host.list(ENCLOSURES).unwrap_or_default() {
            for bay in self.host.list(&format!("{ENCLOSURES}/{enclosure}")).unwrap_or_default() {
                let path = format!("{ENCLOSURES}/{enclosure}/{bay}/device/block");
                for device in self.host.list(&path).unwrap_or_default() {
                    self.say(&path, &device);
                }
            }
        }
        const SLOTS: &str = "/sys/bus/pci/slots";
        for slot in self.host.list(SLOTS).unwrap_or_default() {
            let path = format!("{SLOTS}/{slot}/address");
            if let Ok(address) = self.host.read_text(&path) {
                self.say(&path, &address);
            }
        }
    }

    /// What is mounted or swapped to: `/dev/sda1:/var`.
    fn mounts(&mut self) {
        // Fields of proc_pid_mountinfo(5): the mount point is the fifth, the device the second after the dash.
        for line in self.host.read_text("/proc/1/mountinfo").unwrap_or_default().lines() {
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let (point, device) = (before.split(' ').nth(4), after.split(' ').nth(1));
            if let Some((point, device)) = point.zip(device).filter(|(_, device)| device.starts_with("/dev/")) {
                self.say(device, point);
            }
        }
        for line in self.host.read_text("/proc/swaps").unwrap_or_default().lines().skip(1) {
            if let Some(device) = line.split_ascii_whitespace().next().filter(|device| device.starts_with("/dev/")) {
                self.say(device, "[swap]");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::testing::Machine;
    use super::*;

    fn said(found: &[Found]) -> String {
        match found {
            [Found { outcome: Outcome::Read { payload, .. }, .. }] => String::from_utf8(payload.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_drive_is_known_by_where_it_is_attached_and_what_is_made_of_it() {
        let mut machine = Machine::new();
        machine.file("sys/block/sda/size", "7814037168\n");
        machine.file("sys/block/sda/device/model", "MADE UP 4000    \n");
        machine.file("sys/block/sda/sda1/holders/md0", "");
        machine.file("sys/block/sda/sda1/size", "7814035086\n");
        machine.file("sys/block/loop0/size", "8\n");
        machine.file("sys/class/enclosure/0:0:10:0/Slot 03/device/block/sda", "");
        machine.file("sys/bus/pci/slots/3/address", "0000:3b:00\n");
        machine.file(
            "proc/1/mountinfo",
            "28 1 9:0 / / rw,relatime shared:1 - ext4 /dev/md0 rw\n29 28 0:5 / /proc rw - proc proc rw\n",
        );
        machine.file("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 8 0 -2\n");
        let expected = "/sys/block/sda/size:7814037168\n/sys/block/sda/device/model:MADE UP 4000\n\
                        /sys/block/sda/sda1/holders:md0\n/sys/class/enclosure/0:0:10:0/Slot 03/device/block:sda\n\
                        /sys/bus/pci/slots/3/address:0000:3b:00\n/dev/md0:/\n/dev/sda2:[swap]\n";
        assert_eq!(said(&machine.look("block devices", 0)), expected);
    }

    #[test]
    fn a_machine_without_drives_says_nothing() {
        let mut machine = Machine::new();
        machine.file("sys/block/loop0/size", "8\n");
        machine.file("proc/1/mountinfo", "28 1 7:0 / / rw - ext4 /dev/loop0 rw\n");
        assert_eq!(machine.look("block devices", 0), []);
    }
}

//! Which block device is what: where a drive is attached, what is made of it, and what is mounted, so that what different
//! sources say of `ata3`, `2:0:0:0`, `sda1` and `md0` can be told to be about one drive. No device is asked anything.

use super::text::Text;
use super::{Found, Look};
use crate::host::Host;

/// Files of sysfs, one `path:value` a line; a directory that is a list has one line for each entry.
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
    let mut text = Text::up_to(look.host, TEXT_MAX);
    devices(&mut text, look.host);
    if text.so_far().is_empty() {
        return Vec::new();
    }
    bays(&mut text, look.host);
    mounts(&mut text, look.host);
    text.found(SOURCE, "").into_iter().collect()
}

fn devices(text: &mut Text<'_>, host: &Host) {
    let names = host.list("/sys/block").unwrap_or_default();
    let of_interest = |name: &&String| !IDLE.iter().any(|idle| name.starts_with(idle));
    for name in names.iter().filter(of_interest).take(DEVICES_MAX) {
        let directory = format!("/sys/block/{name}");
        if let Ok(place) = host.link_target(&directory) {
            text.add(&format!("{directory}:{place}\n"));
        }
        text.values(&directory, &VALUES);
        each(text, host, &directory, "holders");
        let entries = host.list(&directory).unwrap_or_default();
        for partition in entries.iter().filter(|entry| entry.starts_with(name.as_str())).take(PARTITIONS_MAX) {
            each(text, host, &format!("{directory}/{partition}"), "holders");
        }
    }
}

/// Each entry of a directory, such as what is made of a device or partition.
fn each(text: &mut Text<'_>, host: &Host, directory: &str, name: &str) {
    for entry in host.list(&format!("{directory}/{name}")).unwrap_or_default() {
        text.say(directory, name, &entry);
    }
}

/// Bays of enclosures (drivers/misc/enclosure.c) and slots of PCI cards, by which NVMe drives are found.
fn bays(text: &mut Text<'_>, host: &Host) {
    const ENCLOSURES: &str = "/sys/class/enclosure";
    for enclosure in host.list(ENCLOSURES).unwrap_or_default() {
        for bay in host.list(&format!("{ENCLOSURES}/{enclosure}")).unwrap_or_default() {
            each(text, host, &format!("{ENCLOSURES}/{enclosure}/{bay}/device"), "block");
        }
    }
    const SLOTS: &str = "/sys/bus/pci/slots";
    for slot in host.list(SLOTS).unwrap_or_default() {
        text.values(&format!("{SLOTS}/{slot}"), &["address"]);
    }
}

/// What is mounted or swapped to: `/dev/sda1:/var`.
fn mounts(text: &mut Text<'_>, host: &Host) {
    // Fields of proc_pid_mountinfo(5): the mount point is the fifth, the device the second after the dash.
    for line in host.read_text("/proc/1/mountinfo").unwrap_or_default().lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let (point, device) = (before.split(' ').nth(4), after.split(' ').nth(1));
        if let Some((point, device)) = point.zip(device).filter(|(_, device)| device.starts_with("/dev/")) {
            text.add(&format!("{device}:{point}\n"));
        }
    }
    for line in host.read_text("/proc/swaps").unwrap_or_default().lines().skip(1) {
        if let Some(device) = line.split_ascii_whitespace().next().filter(|device| device.starts_with("/dev/")) {
            text.add(&format!("{device}:[swap]\n"));
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

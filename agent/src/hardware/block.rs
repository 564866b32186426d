//! Block devices as sysfs describes them, without asking any.

use crate::host::Host;

/// Beginnings of names that are no drives but made of drives, files or memory (Documentation/admin-guide/devices.txt).
const MADE: [&str; 16] = [
    "loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "zd", "mtdblock", "bcache", "rbd", "drbd", "nullb", "ublk",
    "mmcblk",
];
/// What hypervisors and storage networks call their disks, in vendor or model, in small letters.
const VIRTUAL: [&str; 13] = [
    "qemu",
    "vmware",
    "vbox",
    "virtual",
    "msft",
    "google",
    "persistentdisk",
    "elastic block store",
    "lio-org",
    "nutanix",
    "parallels",
    "bhyve",
    "xen",
];
/// Of these the emulated NVMe controllers, which answer for their health as any other does: what they say is what whoever
/// runs the hypervisor has them say.
const ANSWERING: [&str; 2] = ["qemu", "vmware"];
/// What RAID controllers call their volumes, in vendor or model, in small letters.
const VOLUMES: [&str; 14] = [
    "perc",
    "megaraid",
    "mr9",
    "logical volume",
    "lsi",
    "avago",
    "broadcom",
    "serveraid",
    "adaptec",
    "asr",
    "areca",
    "arc-",
    "amcc",
    "3ware",
];
/// Drives of one machine; beyond, the rest is not asked. A storage server has at most some hundred.
const DRIVES_MAX: usize = 256;

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An NVMe controller.
    Nvme,
    /// A drive that speaks ATA.
    Ata,
    /// A drive that speaks SCSI.
    Scsi,
    /// Anything behind a USB bridge.
    Usb,
    /// No hardware.
    Virtual,
    /// Made by a RAID controller of drives that are not seen.
    Volume,
}

/// One drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drive {
    /// `sda`, or `nvme0`: the controller, however many namespaces it has.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Vendor and model, as the device says them.
    pub(super) called: String,
    /// It has a motor that may stand still.
    pub(super) turns: bool,
    /// The kernel has put it to sleep itself (Documentation/power/runtime_pm.rst).
    pub(super) suspended: bool,
    /// Reads and writes completed since boot (Documentation/block/stat.rst); `None` where that is not said.
    pub(super) completed: Option<u64>,
    /// `vendor:product` of its USB bridge.
    pub(super) bridge: String,
}

/// All drives, by name.
pub(super) fn drives(host: &Host) -> Vec<Drive> {
    let names = host.list("/sys/block").unwrap_or_default();
    let mut drives: Vec<Drive> = Vec::new();
    for name in names.iter().filter(|name| !MADE.iter().any(|made| name.starts_with(made))).take(DRIVES_MAX) {
        let drive = drive(host, name);
        if !drives.iter().any(|known| known.name == drive.name) {
            drives.push(drive);
        }
    }
    drives
}

fn drive(host: &Host, name: &str) -> Drive {
    let below = |file: &str| host.read_text(&format!("/sys/block/{name}/{file}")).unwrap_or_default();
    let called = format!("{} {}", below("device/vendor"), below("device/model")).trim().to_owned();
    let place = host.link_target(&format!("/sys/block/{name}")).unwrap_or_default();
    let numbers: Vec<u64> = below("stat").split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
    let kind = kind(name, &place, &called);
    Drive {
        name: if kind == Kind::Nvme { controller(name) } else { name.to_owned() },
        kind,
        turns: below("queue/rotational") == "1",
        suspended: below("device/power/runtime_status") == "suspended",
        completed: numbers.first().zip(numbers.get(4)).map(|(reads, writes)| reads.saturating_add(*writes)),
        bridge: if kind == Kind::Usb { bridge(host, &place) } else { String::new() },
        called,
    }
}

fn kind(name: &str, place: &str, called: &str) -> Kind {
    let called = called.to_ascii_lowercase();
    // A name begins a word: "lsi" is none in the middle of another.
    let words = format!(" {called}");
    let is_called = |names: &[&str]| names.iter().any(|one| words.contains(&format!(" {one}")));
    if name.starts_with("nvme") && is_called(&ANSWERING) {
        Kind::Nvme
    } else if name.starts_with("vd") || name.starts_with("xvd") || place.contains("/virtio") || is_called(&VIRTUAL) {
        Kind::Virtual
    } else if name.starts_with("nvme") {
        Kind::Nvme
    } else if place.contains("/usb") {
        Kind::Usb
    } else if called.split(' ').next() == Some("ata") {
        Kind::Ata
    } else if is_called(&VOLUMES) {
        Kind::Volume
    } else {
        Kind::Scsi
    }
}

/// `nvme0` of `nvme0n1`, and of `nvme0c1n1`, one path of several.
fn controller(name: &str) -> String {
    let rest = name.trim_start_matches("nvme");
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    format!("nvme{}", &rest[..digits])
}

/// The ids of the USB device in whose directory a block device lies: `.../usb1/1-2/1-2:1.0/host6/target6:0:0/...`.
fn bridge(host: &Host, place: &str) -> String {
    let Some((before, _)) = place.split_once(":1.") else { return String::new() };
    let Some((device, _)) = before.rsplit_once('/') else { return String::new() };
    let device = device.trim_start_matches("../");
    let id = |file: &str| host.read_text(&format!("/sys/{device}/{file}")).unwrap_or_default();
    let (vendor, product) = (id("idVendor"), id("idProduct"));
    if vendor.is_empty() { vendor } else { format!("{vendor}:{product}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_is_shows_in_its_name_its_place_and_what_it_is_called() {
        let usb = "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
        let virtio = "../devices/pci0000:00/0000:00:05.0/virtio2/host2/target2:0:0/2:0:0:0/block/sda";
        for (name, place, called, expected) in [
            ("sda", "", "ATA WDC WD40EFRX-68", Kind::Ata),
            ("sdb", usb, "ATA WDC WD40EFRX-68", Kind::Usb),
            ("sda", virtio, "", Kind::Virtual),
            ("vda", "", "", Kind::Virtual),
            ("sdc", "", "SEAGATE ST4000NM0023", Kind::Scsi),
            ("sdc", "", "DELL PERC H730 Mini", Kind::Volume),
            ("sdc", "", "HP LOGICAL VOLUME", Kind::Volume),
            ("sdc", "", "QEMU QEMU HARDDISK", Kind::Virtual),
            ("nvme0n1", "", "Amazon Elastic Block Store", Kind::Virtual),
            ("nvme0n1", "", "QEMU NVMe Ctrl", Kind::Nvme),
            ("nvme10n2", "", "Samsung SSD 990", Kind::Nvme),
        ] {
            assert_eq!(kind(name, place, called), expected, "{name} {called}");
        }
        assert_eq!((controller("nvme10n2"), controller("nvme0c1n1")), ("nvme10".to_owned(), "nvme0".to_owned()));
    }
}

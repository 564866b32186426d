//! File systems and swap, what they lie on, and whether that is encrypted: a walk from the mount down through
//! device-mapper, whose uuids begin with `CRYPT-` where dm-crypt is (libcryptsetup's convention). It takes no rights.

use std::collections::BTreeSet;

use super::disks::udev;
use super::{Row, Sheet, Unread};
use crate::host::Host;

/// Mounts of the whole machine, not of a unit's own view.
const MOUNTS: [&str; 2] = ["/proc/1/mountinfo", "/proc/self/mountinfo"];
/// Milliseconds in which a file system says its size.
const STATFS_MS: u64 = 1_000;
/// Devices below a device; more is a loop.
const DEPTH_MAX: usize = 16;
/// File systems that lie on no block device but hold data.
const OTHERS: [&str; 10] = ["zfs", "nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "virtiofs", "glusterfs", "bcachefs"];
/// Mounts of packages, images and containers, which come and go.
const PASSING: [&str; 5] = ["/snap/", "/var/lib/docker/", "/var/lib/containers/", "/run/user/", "/var/lib/kubelet/"];

/// What lies below a mount.
#[derive(Default)]
struct Below {
    encryption: Option<String>,
    layers: BTreeSet<&'static str>,
    disks: BTreeSet<String>,
}

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let (path, mounts) = match host.read_text(MOUNTS[0]) {
        Ok(text) => (MOUNTS[0], text),
        Err(_) => (MOUNTS[1], host.read_text(MOUNTS[1])?),
    };
    sheet.read_in(path);
    let mut seen = BTreeSet::new();
    // The last mount at a place covers those before it.
    for line in mounts.lines().rev() {
        let Some(mount) = Mount::parse(line) else { continue };
        let counts = mount.source.starts_with("/dev/") || OTHERS.contains(&mount.kind);
        let passes = PASSING.iter().any(|place| mount.place.starts_with(place)) || mount.kind == "squashfs";
        if counts && !passes && seen.insert(mount.place.clone()) {
            sheet.row(volume(host, &mount));
        }
    }
    swap(host, sheet);
    Ok(())
}

struct Mount<'a> {
    number: &'a str,
    place: String,
    options: &'a str,
    kind: &'a str,
    source: String,
}

impl<'a> Mount<'a> {
    /// proc_pid_mountinfo(5).
    fn parse(line: &'a str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let front: Vec<&str> = front.split(' ').collect();
        let mut back = back.split(' ');
        Some(Self {
            number: front.get(2)?,
            place: unescaped(front.get(4)?),
            options: front.get(5)?,
            kind: back.next()?,
            source: unescaped(back.next()?),
        })
    }
}

/// Blanks and the like are `\040` there.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if byte.is_ascii() => plain.extend([char::from(byte).to_string().as_str(), &part[3..]]),
            _ => plain.extend(["\\", part]),
        }
    }
    plain
}

fn volume(host: &Host, mount: &Mount<'_>) -> Row {
    // btrfs has a number of its own; its source is the device.
    let by_name = mount.source.strip_prefix("/dev/").and_then(|name| device_number(host, name));
    let number = by_name.unwrap_or_else(|| mount.number.to_owned());
    let on_device = mount.source.starts_with("/dev/");
    let below = if on_device { below(host, &number) } else { Below::default() };
    let udev = udev(host, &number);
    let known = |key: &str| udev.iter().find_map(|(name, value)| (name == key).then_some(value.as_str()));
    let row = Row::new(&mount.place)
        .durable("mount_point", &mount.place)
        .durable("device", &mount.source)
        .durable("file_system", mount.kind)
        .durable("read_only", if mount.options.split(',').any(|option| option == "ro") { "yes" } else { "" })
        .known("uuid", known("ID_FS_UUID"))
        .known("label", known("ID_FS_LABEL"));
    let row = if on_device { described(row, &below) } else { row };
    // What hangs would hold up nothing but this.
    let Ok(stat) = host.statfs(&mount.place, STATFS_MS) else { return row };
    let bytes = |blocks: u64| blocks.saturating_mul(stat.block_bytes);
    let row = row.latest("free_bytes", free(bytes(stat.available)));
    // Where many share a pool, the size is what the others leave.
    let is_own = on_device && mount.kind != "btrfs";
    if is_own {
        row.durable("size_bytes", bytes(stat.blocks))
    } else {
        row.latest("size_bytes", free(bytes(stat.blocks)))
    }
}

/// Free space in steps of a GiB: it is no figure to follow here.
fn free(bytes: u64) -> u64 {
    bytes >> 30 << 30
}

fn described(row: Row, below: &Below) -> Row {
    let encrypted = if below.encryption.is_some() { "yes" } else { "no" };
    row.durable("encrypted", encrypted)
        .known("encryption", below.encryption.as_deref())
        .durable("layers", below.layers.iter().copied().collect::<Vec<_>>().join(","))
        .durable("disks", below.disks.iter().map(String::as_str).collect::<Vec<_>>().join(","))
}

fn swap(host: &Host, sheet: &mut Sheet) {
    let text = host.read_text("/proc/swaps").unwrap_or_default();
    for line in text.lines().skip(1) {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(kind), Some(size)) = (words.next(), words.next(), words.next()) else { continue };
        let name = unescaped(name);
        let number = name.strip_prefix("/dev/").and_then(|name| device_number(host, name));
        let row = Row::new(format_args!("swap/{name}"))
            .durable("device", &name)
            .durable("file_system", "swap")
            .known("size_bytes", size.parse::<u64>().ok().map(|kib| kib << 10));
        sheet.row(match number {
            Some(_) if name.starts_with("/dev/zram") => row.durable("layers", "zram"),
            Some(number) => described(row, &below(host, &number)),
            None => row.durable("layers", kind),
        });
    }
}

/// `major:minor` of what is called so in /dev.
fn device_number(host: &Host, name: &str) -> Option<String> {
    let name =
        match name.strip_prefix("mapper/") {
            // The names of device-mapper are links to dm-N.
            Some(mapped) => host.list("/sys/block").ok()?.into_iter().find(|block| {
                host.read_text(&format!("/sys/block/{block}/dm/name")).is_ok_and(|known| known == mapped)
            })?,
            None => name.to_owned(),
        };
    host.read_text(&format!("/sys/class/block/{name}/dev")).ok()
}

/// Walks down from a device, by number.
fn below(host: &Host, number: &str) -> Below {
    let mut below = Below::default();
    walk(host, &format!("/sys/dev/block/{number}"), &mut below, 0);
    below
}

fn walk(host: &Host, device: &str, below: &mut Below, depth: usize) {
    let said = |file: &str| host.read_text(&format!("{device}/{file}")).ok();
    if let Some(uuid) = said("dm/uuid") {
        match uuid.split('-').next().unwrap_or_default() {
            "CRYPT" => {
                // CRYPT-LUKS2-uuid-name
                let kind = uuid.split('-').nth(1).unwrap_or_default().to_ascii_lowercase();
                below.encryption.get_or_insert(if kind.is_empty() { "dm-crypt".to_owned() } else { kind });
                below.layers.insert("crypt");
            }
            "LVM" => drop(below.layers.insert("lvm")),
            "mpath" => drop(below.layers.insert("multipath")),
            _ => drop(below.layers.insert("device-mapper")),
        }
    } else if said("md/level").is_some() {
        below.layers.insert("raid");
    }
    let under = host.list(&format!("{device}/slaves")).unwrap_or_default();
    if under.is_empty() {
        let name = said("uevent")
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix("DEVNAME=").map(str::to_owned)));
        // A partition's disk is the directory above it.
        let whole = said("partition").and_then(|_| {
            let text = host.read_text(&format!("{device}/../uevent")).ok()?;
            text.lines().find_map(|line| line.strip_prefix("DEVNAME=").map(str::to_owned))
        });
        below.disks.extend(whole.or(name));
    }
    for name in under.iter().filter(|_| depth < DEPTH_MAX) {
        walk(host, &format!("/sys/class/block/{name}"), below, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    /// vg-root on LUKS on a partition, boot beside it, and swap in memory.
    fn machine() -> Machine {
        let machine = Machine::new();
        let devices = [
            ("8:1", "sda1", "devices/pci/block/sda/sda1"),
            ("8:2", "sda2", "devices/pci/block/sda/sda2"),
            ("253:0", "dm-0", "devices/virtual/block/dm-0"),
            ("253:1", "dm-1", "devices/virtual/block/dm-1"),
            ("252:0", "zram0", "devices/virtual/block/zram0"),
        ];
        for (number, name, place) in devices {
            machine.file(&format!("sys/{place}/dev"), number);
            machine.file(&format!("sys/{place}/uevent"), format!("DEVNAME={name}\n"));
            machine.link(&format!("sys/dev/block/{number}"), &format!("../../{place}"));
            machine.link(&format!("sys/class/block/{name}"), &format!("../../{place}"));
            if name.starts_with("dm") {
                machine.link(&format!("sys/block/{name}"), &format!("../{place}"));
            }
        }
        machine.files(&[
            ("sys/devices/pci/block/sda/uevent", "DEVNAME=sda\n"),
            ("sys/devices/pci/block/sda/sda1/partition", "1\n"),
            ("sys/devices/pci/block/sda/sda2/partition", "2\n"),
            ("sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-LUKS2-0a1b-cryptroot\n"),
            ("sys/devices/virtual/block/dm-0/dm/name", "cryptroot\n"),
            ("sys/devices/virtual/block/dm-0/slaves/sda2", ""),
            ("sys/devices/virtual/block/dm-1/dm/uuid", "LVM-abcdef\n"),
            ("sys/devices/virtual/block/dm-1/dm/name", "vg-root\n"),
            ("sys/devices/virtual/block/dm-1/slaves/dm-0", ""),
            ("run/udev/data/b253:1", "E:ID_FS_UUID=1234-5\nE:ID_FS_LABEL=root\n"),
            (
                "proc/1/mountinfo",
                "22 1 0:21 / /proc rw - proc proc rw\n\
                 23 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n\
                 24 1 8:1 / /boot ro - ext4 /dev/sda1 rw\n\
                 25 1 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro\n\
                 26 1 0:50 / /mnt/a\\040b rw - nfs4 nas:/a\\040b rw\n",
            ),
            (
                "proc/swaps",
                "Filename Type Size Used Priority\n/dev/zram0 partition 1024 0 100\n/swap.img file 2048 0 -2\n",
            ),
        ]);
        machine
    }

    #[test]
    fn encryption_is_found_below_a_logical_volume_and_not_beside_it() {
        assert_eq!(
            machine().lines("volumes"),
            [
                "/: device=/dev/mapper/vg-root disks=sda encrypted=yes encryption=luks2 file_system=ext4 label=root \
                 layers=crypt,lvm mount_point=/ uuid=1234-5",
                "/boot: device=/dev/sda1 disks=sda encrypted=no file_system=ext4 mount_point=/boot read_only=yes",
                "/mnt/a b: device=nas:/a b file_system=nfs4 mount_point=/mnt/a b",
                "swap//dev/zram0: device=/dev/zram0 file_system=swap layers=zram size_bytes=1048576",
                "swap//swap.img: device=/swap.img file_system=swap layers=file size_bytes=2097152",
            ]
        );
    }

    #[test]
    fn places_with_blanks_are_read_as_they_are() {
        assert_eq!(unescaped("/a\\040b\\011c"), "/a b\tc");
        assert_eq!(unescaped("/a\\04"), "/a\\04");
        assert_eq!(unescaped("/\\377x"), "/\\377x");
    }
}

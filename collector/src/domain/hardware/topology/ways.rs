//! From a drive up to what is mounted, way by way, and from a drive down to the ports that it hangs on: for people who have
//! to find it and to know what goes with it.

use std::collections::BTreeSet;

use super::{Device, Topology, is_of, is_pci};

/// Most ways up from one drive.
const WAYS: usize = 64;
/// A file system on encrypted volumes of a pool of arrays of partitions stands on six; deeper is a loop.
const DEPTH: usize = 12;

/// One way from a drive up.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Devices, from the drive's partition up: `sda1`, `md0`, `vg-data`.
    pub devices: Vec<String>,
    /// Where that is mounted; `[swap]` where pages lie.
    pub mounts: Vec<String>,
}

/// What a place says of ports and buses, each with its value.
pub type Ports = Vec<(&'static str, String)>;

impl Topology {
    /// Everything that lies on a drive, each way up once.
    #[must_use]
    pub fn ways(&self, drive: &str) -> Vec<Way> {
        let named = self.holders.keys().chain(self.mounts.keys()).filter(|name| is_of(name, drive));
        let mut ways = BTreeSet::new();
        for name in named.collect::<BTreeSet<_>>() {
            self.climb(name, &mut Vec::new(), &mut ways);
        }
        ways.into_iter().take(WAYS).collect()
    }

    fn climb(&self, name: &str, below: &mut Vec<String>, ways: &mut BTreeSet<Way>) {
        if below.len() >= DEPTH || ways.len() >= WAYS {
            return;
        }
        let mapped = self.devices.get(name).map(|device| device.mapped.as_str()).filter(|mapped| !mapped.is_empty());
        below.push(mapped.unwrap_or(name).to_owned());
        let by_mapped = mapped.and_then(|mapped| self.mounts.get(&format!("mapper/{mapped}")));
        let mounts: BTreeSet<&String> = self.mounts.get(name).into_iter().chain(by_mapped).flatten().collect();
        let holders = self.holders.get(name).filter(|holders| !holders.is_empty());
        if !mounts.is_empty() || holders.is_none() {
            ways.insert(Way { devices: below.clone(), mounts: mounts.into_iter().cloned().collect() });
        }
        for holder in holders.into_iter().flatten() {
            self.climb(holder, below, ways);
        }
        below.pop();
    }
}

impl Device {
    /// Ports and buses on the way to it, from the drive's to the machine's.
    #[must_use]
    pub fn ports(&self) -> Ports {
        let steps: Vec<&str> = self.place.split('/').collect();
        let find =
            |fits: &dyn Fn(&str) -> bool| steps.iter().rev().find(|step| fits(step)).map(|step| (*step).to_owned());
        let is_ata = |step: &str| {
            step.strip_prefix("ata").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        };
        let is_scsi = |step: &str| {
            let parts: Vec<&str> = step.split(':').collect();
            parts.len() == 4 && parts.iter().all(|part| part.parse::<u64>().is_ok())
        };
        let is_usb =
            |step: &str| step.contains('-') && step.starts_with(|c: char| c.is_ascii_digit()) && !step.contains(':');
        let found = [
            ("ATA port", find(&is_ata)),
            ("SAS device", find(&|step| step.starts_with("end_device-"))),
            ("USB port", find(&is_usb)),
            ("SCSI address", find(&is_scsi)),
            ("PCI address", find(&is_pci)),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn way(devices: &[&str], mounts: &[&str]) -> Way {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Way { devices: all(devices), mounts: all(mounts) }
    }

    #[test]
    fn what_lies_on_a_drive_is_followed_up_to_what_is_mounted() {
        let topology = read(
            "/sys/block/sda:../devices/ata3/block/sda\n/sys/block/sda/sda1/holders:md0\n/sys/block/md0/holders:dm-0\n\
             /sys/block/md0/holders:dm-1\n/sys/block/dm-0/dm/name:vg-data\n/sys/block/dm-1/dm/name:vg-free\n\
             /dev/mapper/vg-data:/srv\n/dev/sda2:[swap]\n/dev/nvme1n1p1:/var\n\
             /sys/block/loop/holders:loop\n",
        );
        let expected = [
            way(&["sda1", "md0", "vg-data"], &["/srv"]),
            way(&["sda1", "md0", "vg-free"], &[]),
            way(&["sda2"], &["[swap]"]),
        ];
        assert_eq!(topology.ways("sda"), expected);
        assert_eq!(topology.ways("nvme1n1"), [way(&["nvme1n1p1"], &["/var"])]);
        assert_eq!((topology.ways("sdb"), topology.ways("loop")), (vec![], vec![]), "a device on itself ends");
    }

    #[test]
    fn the_way_to_a_drive_names_its_ports() {
        let ports = |place: &str| Device { place: place.into(), ..Device::default() }.ports();
        let of = |all: &[(&'static str, &str)]| -> Ports { all.iter().map(|(n, v)| (*n, (*v).to_owned())).collect() };
        let sata = "../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda";
        let expected = [("ATA port", "ata3"), ("SCSI address", "2:0:0:0"), ("PCI address", "0000:00:17.0")];
        assert_eq!(ports(sata), of(&expected));
        let nvme = "../devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/nvme/nvme0/nvme0n1";
        assert_eq!(ports(nvme), of(&[("PCI address", "0000:3b:00.0")]));
        let usb = "../devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
        let expected = [("USB port", "2-1"), ("SCSI address", "6:0:0:0"), ("PCI address", "0000:00:14.0")];
        assert_eq!(ports(usb), of(&expected));
        assert_eq!(ports(""), of(&[]));
    }
}

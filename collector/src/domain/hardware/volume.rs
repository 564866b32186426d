//! Disks that are none: volumes of RAID controllers and of virtual machines.

/// Words in the model of what is a volume and not a drive, in lower case.
const VOLUMES: &[&str] = &[
    "virtual",
    "vbox",
    "vmware",
    "qemu",
    "virtio",
    "logical volume",
    "perc ",
    "megaraid",
    "serveraid",
    "smart array",
    "msft",
    "xen",
    "amazon elastic block",
    "persistentdisk",
    "iscsi",
    "luns",
    "bhyve",
    "propolis",
];

/// Whether a drive's model says that it is a volume.
pub(super) fn is_virtual(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    VOLUMES.iter().any(|word| model.contains(word))
}

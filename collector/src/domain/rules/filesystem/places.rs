//! Which file systems of a host are judged, and where their readings are.

use std::collections::{BTreeMap, HashMap};

use crate::domain::readings::dictionary::Dictionary;

/// Where one file system's readings are.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain::rules) struct Places {
    pub(in crate::domain::rules) size: u32,
    pub(in crate::domain::rules) avail: u32,
    pub(in crate::domain::rules) readonly: Option<u32>,
    pub(in crate::domain::rules) files: Option<u32>,
    pub(in crate::domain::rules) files_free: Option<u32>,
}

/// The file systems that are judged: one mount point per device, the shortest, since bind mounts and subvolumes of one
/// device fill together; of two mounts on one mount point the later, which hides the other.
pub(in crate::domain::rules) fn places(dictionary: &Dictionary) -> Box<[Places]> {
    let sizes = by_labels(dictionary, "node_filesystem_size_bytes");
    let avails = by_labels(dictionary, "node_filesystem_avail_bytes");
    let optional = ["node_filesystem_readonly", "node_filesystem_files", "node_filesystem_files_free"]
        .map(|metric| by_labels(dictionary, metric));
    let mut by_mount_point: BTreeMap<&str, (u32, Places)> = BTreeMap::new();
    for (labels, size) in &sizes {
        let Some(avail) = avails.get(labels) else { continue };
        let [readonly, files, files_free] = [0, 1, 2].map(|n: usize| optional[n].get(labels).copied());
        let found = Places { size: *size, avail: *avail, readonly, files, files_free };
        let known = by_mount_point.entry(dictionary.label(*size, "mountpoint")).or_insert((*size, found));
        if known.0 < *size {
            *known = (*size, found);
        }
    }
    let mut by_device: HashMap<&str, (&str, Places)> = HashMap::new();
    let mut judged = Vec::new();
    for (mount_point, (_, found)) in by_mount_point {
        let device = dictionary.label(found.size, "device");
        if !names_one_filesystem(device) {
            judged.push(found);
            continue;
        }
        let known = by_device.entry(device).or_insert((mount_point, found));
        if mount_point.len() < known.0.len() {
            *known = (mount_point, found);
        }
    }
    judged.extend(by_device.into_values().map(|(_, found)| found));
    judged.sort_unstable_by_key(|found| found.size);
    judged.into()
}

/// `tmpfs` and its like name many file systems, and so does the device node of all FUSE mounts.
fn names_one_filesystem(device: &str) -> bool {
    (device.starts_with("/dev/") && device != "/dev/fuse") || device.contains(":/") || device.starts_with("//")
}

fn by_labels<'a>(dictionary: &'a Dictionary, metric: &str) -> BTreeMap<[&'a str; 3], u32> {
    let mut found = Vec::new();
    dictionary.each(metric, &mut |place, _| found.push(place));
    let labels = |place| ["mountpoint", "device", "fstype"].map(|label| dictionary.label(place, label));
    found.into_iter().map(|place| (labels(place), place)).collect()
}

/// Where the readings are that say of a file system that it could not be asked.
pub(in crate::domain::rules) fn errors(dictionary: &Dictionary) -> Box<[u32]> {
    by_labels(dictionary, "node_filesystem_device_error").into_values().collect()
}

//! The parts of a machine that come and go: file systems, disks, interfaces and services, as its readings name them.
//!
//! What a container engine or a desktop session makes by the dozen does not count, and a kind of which nothing was or
//! is known (its source does not answer, or answers for the first time) has not changed.

use std::collections::BTreeSet;

use crate::domain::readings::dictionary::{Dictionary, is_absent};

/// Names said of one kind; more are counted.
const NAMED: usize = 3;

/// A kind of part: what it is called, the family that names it, and the label.
struct Kind {
    one: &'static str,
    many: &'static str,
    family: &'static str,
    label: &'static str,
    /// Whether a name of it counts; given with the type of its file system, where it has one.
    counts: fn(&str, &str) -> bool,
}

const KINDS: [Kind; 4] = [
    Kind {
        one: "file system",
        many: "file systems",
        family: "node_filesystem_size_bytes",
        label: "mountpoint",
        counts: is_own_file_system,
    },
    Kind { one: "disk", many: "disks", family: "node_disk_io_now", label: "device", counts: is_own_disk },
    Kind { one: "interface", many: "interfaces", family: "node_network_up", label: "device", counts: is_own_interface },
    Kind { one: "unit", many: "units", family: "node_systemd_unit_state", label: "name", counts: is_own_service },
];

const PASSING_FILE_SYSTEMS: [&str; 10] =
    ["tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs", "nsfs", "proc", "autofs", "efivarfs", "fuse.portal"];
const PASSING_PLACES: [&str; 5] = ["/run/", "/var/lib/docker/", "/var/lib/kubelet/", "/var/lib/containers/", "/snap/"];
const PASSING_DISKS: [&str; 5] = ["loop", "ram", "zram", "fd", "sr"];
const PASSING_INTERFACES: [&str; 9] = ["lo", "veth", "docker", "br-", "cni", "cali", "flannel", "tap", "vnet"];

fn is_own_file_system(mount: &str, kind: &str) -> bool {
    !PASSING_FILE_SYSTEMS.contains(&kind) && !PASSING_PLACES.iter().any(|place| mount.starts_with(place))
}

fn is_own_disk(device: &str, _: &str) -> bool {
    !PASSING_DISKS.iter().any(|start| device.starts_with(start))
}

fn is_own_interface(device: &str, _: &str) -> bool {
    !PASSING_INTERFACES.iter().any(|start| device.starts_with(start))
}

/// Instances (`user@1000.service`) and what `systemd-run` makes come and go with what people do.
fn is_own_service(unit: &str, _: &str) -> bool {
    unit.ends_with(".service") && !unit.contains('@') && !unit.starts_with("run-")
}

/// What a machine has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parts([BTreeSet<String>; 4]);

impl Parts {
    /// The parts that readings name: those that have a value.
    #[must_use]
    pub fn of(dictionary: &Dictionary, values: &[f64]) -> Self {
        let mut parts = Self::default();
        for (names, kind) in parts.0.iter_mut().zip(&KINDS) {
            dictionary.each(kind.family, &mut |place, labels| {
                let label = |wanted: &str| {
                    labels.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
                };
                let is_there = values.get(place as usize).is_some_and(|value| !is_absent(*value));
                if is_there && (kind.counts)(label(kind.label), label("fstype")) {
                    names.insert(label(kind.label).to_owned());
                }
            });
        }
        parts
    }

    /// What came and what went since `before`, in words.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<String> {
        let kinds = before.0.iter().zip(&self.0).zip(&KINDS);
        let known = kinds.filter(|((before, after), _)| !before.is_empty() && !after.is_empty());
        let words = known.flat_map(|((before, after), kind)| {
            [said(kind, after.difference(before), "new"), said(kind, before.difference(after), "gone")]
        });
        words.flatten().collect()
    }
}

fn said<'a>(kind: &Kind, names: impl Iterator<Item = &'a String>, how: &str) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    match names[..] {
        [] => None,
        [name] => Some(format!("{} {name} is {how}", kind.one)),
        _ => {
            let more = names.len().saturating_sub(NAMED);
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            Some(format!("{} {} are {how}: {first}{tail}", names.len(), kind.many))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(file_systems: &[&str], disks: &[&str]) -> Parts {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Parts([set(file_systems), set(disks), BTreeSet::new(), BTreeSet::new()])
    }

    #[test]
    fn what_came_and_went_is_named_and_many_are_counted() {
        let before = parts(&["/", "/backup"], &["sda", "sdb"]);
        let after = parts(&["/", "/a", "/b", "/c", "/d"], &["sda"]);
        let expected =
            ["4 file systems are new: /a, /b, /c and 1 more", "file system /backup is gone", "disk sdb is gone"];
        assert_eq!(after.since(&before), expected);
        assert!(after.since(&after).is_empty());
    }

    #[test]
    fn a_kind_of_which_nothing_is_known_has_not_changed() {
        let before = parts(&["/"], &["sda"]);
        assert!(parts(&["/"], &[]).since(&before).is_empty(), "its source does not answer");
        assert!(before.since(&parts(&[], &[])).is_empty(), "it answers for the first time");
    }

    #[test]
    fn what_containers_and_sessions_make_does_not_count() {
        assert!(is_own_file_system("/backup", "ext4") && is_own_file_system("/mnt/nfs", "nfs4"));
        assert!(
            !is_own_file_system("/run/user/0", "tmpfs") && !is_own_file_system("/var/lib/docker/overlay2/x", "ext4")
        );
        assert!(is_own_disk("nvme0n1", "") && !is_own_disk("loop7", ""));
        assert!(is_own_interface("eth0", "") && !is_own_interface("veth12ab", ""));
        assert!(is_own_service("nginx.service", "") && !is_own_service("user@0.service", ""));
        assert!(!is_own_service("run-r1.service", "") && !is_own_service("home.mount", ""));
    }
}

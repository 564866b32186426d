//! Sizes of the mounted file systems. A mount that does not answer is said to be stuck and delays nobody.

mod crowd;

use std::collections::HashMap;

use super::{Kind, ProbeError, Sink, strange};
use crate::clock;
use crate::host::{FsStat, Host, MountError};

/// Milliseconds that one mount may take: a healthy NFS server answers within a few.
const MOUNT_MS: u64 = 500;
/// Milliseconds that all mounts of one pass may take together before each gets only [`LATE_MS`].
pub(super) const PASS_MS: u64 = 1500;
/// Milliseconds for a mount after the pass has used up its time: a local one answers in far less.
const LATE_MS: u64 = 20;

/// Between the counts and the mounts: no type of file system is called so.
const COUNTS_END: &str = "\0\0";

/// `node_exporter`'s default `--collector.filesystem.fs-types-exclude`.
const TYPES_LEFT_OUT: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// File systems whose `statfs` answers out of memory, whatever the device does (their `statfs` in fs/): all others, the
/// network's and those of user space first, may keep who asks them.
const OUT_OF_MEMORY: [&str; 9] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "rootfs"];

/// One mount of `/proc/1/mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    parent: String,
    /// The file system, `8:1`; all mounts of one have the same.
    system: String,
    device: String,
    point: String,
    kind: String,
    read_only: bool,
}

/// The part of a mount that is needed again and again.
struct Seen<'a> {
    device: &'a str,
    point: &'a str,
    kind: &'a str,
    read_only: bool,
    /// It is one of too many, of which only the sum is said.
    rolled_up: bool,
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let limit = host.crowding().mounts_per_type;
    // Our own unit may see mounts read-only that are not; process 1 sees what is.
    let digest = |path: &str| {
        let make = |text: &str| Ok::<_, ProbeError>(write(&crowd::thin_out(parse(text)?, limit)));
        host.digest(path, make)
    };
    let mounts = digest("/proc/1/mountinfo").or_else(|_| digest("/proc/self/mountinfo"))?;
    let (counts, mounts) = mounts.split_once(COUNTS_END).unwrap_or(("", &*mounts));
    let began_ns = clock::boottime_ns();
    let mut fields = mounts.split('\0');
    let mut sums = crowd::Sums::default();
    while let Some(mount) = reread(&mut fields) {
        let answer = if OUT_OF_MEMORY.contains(&mount.kind) {
            host.statfs_at_once(mount.point).map_err(MountError::from)
        } else {
            let spent_ms = (clock::boottime_ns() - began_ns) / 1_000_000;
            let deadline_ms = PASS_MS.saturating_sub(spent_ms).clamp(LATE_MS, MOUNT_MS);
            host.statfs(mount.point, deadline_ms)
        };
        if let Err(MountError::Stuck { .. }) = &answer {
            let error = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
            sink.note(format!("filesystem{}", mount.point), ProbeError::Stuck(error));
        }
        if mount.rolled_up {
            sums.add(&mount, answer.ok());
        } else {
            say(sink, &mount, &answer);
        }
    }
    sums.say(sink);
    crowd::say_counts(sink, counts);
    Ok(())
}

/// What is remembered of the mounts: how many there are of each type of which there are too many, type and number,
/// then five fields per mount, since any character but NUL may stand in them.
fn write(mounts: &crowd::Thinned) -> String {
    let counts: Vec<String> = mounts.counts.iter().map(|(kind, count)| format!("{kind}\0{count}")).collect();
    let fields = |(mount, rolled_up): &(Mount, bool)| {
        let access = if mount.read_only { "ro" } else { "rw" };
        [&*mount.device, &mount.point, &mount.kind, access, if *rolled_up { "+" } else { "" }].join("\0")
    };
    counts.join("\0") + COUNTS_END + &mounts.mounts.iter().map(fields).collect::<Vec<_>>().join("\0")
}

fn reread<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Seen<'a>> {
    let (device, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Seen { device, point, kind, read_only: fields.next()? == "ro", rolled_up: fields.next()? == "+" })
}

fn say(sink: &mut Sink<'_>, mount: &Seen<'_>, answer: &Result<FsStat, MountError>) {
    let labels = [("device", mount.device), ("fstype", mount.kind), ("mountpoint", mount.point)];
    let stat = match answer {
        Ok(stat) => stat,
        Err(error) => {
            // The label is of node_exporter 1.9 and later, and so is the first text.
            let why = match error {
                MountError::Stuck { .. } => "mountpoint timeout".to_owned(),
                MountError::Host(error) => error.reason().to_owned(),
            };
            let [device, kind, point] = labels;
            say_error(sink, &[device, kind, point, ("device_error", &why)], 1.0);
            return;
        }
    };
    say_error(sink, &labels, 0.0);
    say_sizes(sink, &labels, stat, mount.read_only);
}

fn say_error(sink: &mut Sink<'_>, labels: &[(&str, &str)], error: f64) {
    let help = "Whether an error occurred while getting statistics for the given device.";
    sink.family("node_filesystem_device_error", Kind::Gauge, help);
    sink.sample(labels, error);
}

#[expect(clippy::cast_precision_loss, reason = "sizes are shown as doubles, as Prometheus does")]
fn say_sizes(sink: &mut Sink<'_>, labels: &[(&str, &str)], stat: &FsStat, read_only: bool) {
    let mut gauge = |name: &str, help: &str, value: f64| {
        sink.family(name, Kind::Gauge, help);
        sink.sample(labels, value);
    };
    let bytes = |blocks: u64| blocks as f64 * stat.block_bytes as f64;
    gauge("node_filesystem_size_bytes", "Filesystem size in bytes.", bytes(stat.blocks));
    gauge("node_filesystem_free_bytes", "Filesystem free space in bytes.", bytes(stat.free));
    gauge(
        "node_filesystem_avail_bytes",
        "Filesystem space available to non-root users in bytes.",
        bytes(stat.available),
    );
    gauge("node_filesystem_files", "Filesystem total file nodes.", stat.files as f64);
    gauge("node_filesystem_files_free", "Filesystem total free file nodes.", stat.files_free as f64);
    gauge("node_filesystem_readonly", "Filesystem read-only status.", if read_only { 1.0 } else { 0.0 });
}

/// The mounts that count, each once: of two at one place the later hides the earlier, unless it came below it. A line
/// that cannot be understood is passed over, unless none can.
fn parse(text: &str) -> Result<Vec<Mount>, ProbeError> {
    let mut mounts: Vec<Option<Mount>> = Vec::new();
    let mut by_point: HashMap<String, usize> = HashMap::new();
    let mut by_parent: HashMap<String, Vec<usize>> = HashMap::new();
    let mut understood = text.is_empty();
    for mount in text.lines().filter_map(parse_line) {
        understood = true;
        if TYPES_LEFT_OUT.contains(&&*mount.kind) || point_left_out(&mount.point) {
            continue;
        }
        let siblings = by_parent.entry(mount.parent.clone()).or_default();
        if let Some(at) = by_point.get(&mount.point) {
            if siblings.iter().filter_map(|at| mounts[*at].as_ref()).any(|other| covers(other, &mount)) {
                continue;
            }
            mounts[*at] = None;
        }
        by_point.insert(mount.point.clone(), mounts.len());
        siblings.push(mounts.len());
        mounts.push(Some(mount));
    }
    if understood { Ok(mounts.into_iter().flatten().collect()) } else { Err(strange("mountinfo", "too few fields")) }
}

/// Whether a path to `mount` ends in `other` first: both are on the same parent, `other` on a directory above.
/// (Propagation mounts below what is there already, as systemd-nspawn's `/run/host` shows.)
fn covers(other: &Mount, mount: &Mount) -> bool {
    other.parent == mount.parent && mount.point.strip_prefix(&*other.point).is_some_and(|rest| rest.starts_with('/'))
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`, proc(5).
fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(1);
    let (parent, system) = (before.next()?, before.next()?);
    let mut before = before.skip(1);
    let mut after = after.split(' ');
    let (point, options) = (before.next()?, before.next()?);
    let (kind, device, super_options) = (after.next()?, after.next()?, after.next()?);
    let read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        parent: parent.to_owned(),
        system: system.to_owned(),
        device: device.to_owned(),
        point: unescape(point),
        kind: kind.to_owned(),
        read_only: read_only(options) || read_only(super_options),
    })
}

/// `node_exporter`'s default `--collector.filesystem.mount-points-exclude`:
/// `^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`.
/// (Debian's package leaves out all of `/run`, `/mnt` and `/media`; disks there fill up too.)
fn point_left_out(point: &str) -> bool {
    let within =
        |directory: &str| point.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let below = |directory: &str| point.strip_prefix(directory).is_some_and(|rest| rest.len() > 1);
    within("/dev")
        || within("/proc")
        || within("/sys")
        || below("/run/credentials/")
        || below("/var/lib/docker/")
        || below("/var/lib/containers/storage/")
}

/// The kernel writes space, tab, newline and backslash as `\040` and so on (fs/proc_namespace.c).
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(digits) = octal {
            bytes.push(digits.iter().fold(0_u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_only_by_its_own_or_its_file_systems_options() {
        let line = |options: &str, own: &str| format!("36 35 98:0 / /a\\040b {options} master:1 - ext4 /dev/x {own}");
        for (options, own, expected) in [("rw", "rw", false), ("ro,noatime", "rw", true), ("rw", "ro,errors=x", true)] {
            let mount = parse_line(&line(options, own)).unwrap();
            assert_eq!((mount.read_only, &*mount.point), (expected, "/a b"));
        }
    }

    #[test]
    fn what_node_exporter_leaves_out_is_left_out() {
        for point in ["/dev", "/dev/shm", "/proc/x", "/sys", "/run/credentials/a.service", "/var/lib/docker/overlay2"] {
            assert!(point_left_out(point), "{point}");
        }
        for point in ["/", "/devel", "/run", "/mnt/nfs", "/var/lib/docker", "/media/usb", "/system"] {
            assert!(!point_left_out(point), "{point}");
        }
    }

    #[test]
    fn mounts_are_remembered_whatever_their_names_hold() {
        let line = |point: &str| format!("36 35 98:0 / {point} rw - ext4 /dev/x rw\n");
        let mounts = parse(&(line("/a\\012b\\040c") + &line("/ro").replace(" rw -", " ro -"))).unwrap();
        let text = write(&crowd::thin_out(mounts, 2));
        let mut fields = text.strip_prefix(COUNTS_END).unwrap().split('\0');
        let seen: Vec<(String, bool)> =
            std::iter::from_fn(|| reread(&mut fields)).map(|mount| (mount.point.to_owned(), mount.read_only)).collect();
        assert_eq!(seen, [("/a\nb c".to_owned(), false), ("/ro".to_owned(), true)]);
        assert_eq!(write(&crowd::thin_out(Vec::new(), 2)), COUNTS_END);
    }

    #[test]
    fn of_two_mounts_at_one_place_the_later_counts() {
        let text = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 0 8:2 / / rw - xfs /dev/b rw\n3 0 0:1 / /x rw - proc p rw\n";
        let devices: Vec<String> = parse(text).unwrap().into_iter().map(|mount| mount.device).collect();
        assert_eq!(devices, ["/dev/b"]);
        assert!(parse("too short\n").is_err());
        assert_eq!(parse(&format!("too short\n{text}")).unwrap().len(), 1, "a broken line hides no other");
    }

    #[test]
    fn a_mount_that_came_below_another_does_not_hide_what_is_seen() {
        let text = "128 127 0:43 / /run/host ro - tmpfs tmpfs rw\n130 128 8:0 / /run/host/incoming ro - ext4 /dev/a rw\n\
                    132 127 8:0 / /run/host/incoming rw - ext4 /dev/a rw\n";
        let seen: Vec<(String, bool)> =
            parse(text).unwrap().into_iter().map(|mount| (mount.point, mount.read_only)).collect();
        assert_eq!(seen, [("/run/host".to_owned(), true), ("/run/host/incoming".to_owned(), true)]);
    }
}

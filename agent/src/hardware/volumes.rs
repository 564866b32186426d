//! Volumes that device mapper builds: RAID and thin pools of LVM, multipath.
//!
//! `dmsetup status` answers out of the kernel's memory. lvs would read the labels of all drives for the same, and so wake
//! those that sleep: it is not asked. Where dmsetup may not answer, the states of a multipath's devices are told, which anybody
//! may read.

use super::text::Text;
use super::tool::{Question, ask};
use super::{Found, Look, Outcome, Why};
use crate::host::Host;

const SOURCE: &str = "dmsetup";
/// Files of sysfs, one `path:value` a line.
const PATHS: &str = "multipath-sysfs";
/// What the unique name of a multipath begins with.
const MULTIPATH: &str = "mpath-";
/// It answers out of memory, unless a device is suspended.
const DEADLINE_MS: u64 = if cfg!(test) { 1_000 } else { 10_000 };
/// Volumes of one machine that are looked at before the tool is asked.
const VOLUMES_MAX: usize = 4_096;
/// What names of volumes hold that are more than a piece of a disk: parts of LVM's RAID, thin pools and caches.
const PARTS: [&str; 6] = ["_rimage_", "_mimage_", "_tmeta", "_tdata", "_cpool", "_cvol"];
/// What the unique names of others begin with: multipath, and RAID of firmware.
const KINDS: [&str; 2] = [MULTIPATH, "DMRAID-"];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    if !is_needed(look.host) {
        return Vec::new();
    }
    let question =
        Question { source: SOURCE, part: "", tool: "dmsetup", arguments: &["status"], deadline_ms: DEADLINE_MS };
    let found = ask(look, &question);
    let found = match found.outcome {
        Outcome::Unseen { why: Why::Failed, .. } => {
            let reason = "dmsetup status said nothing: asking device mapper takes CAP_SYS_ADMIN and the right to write to \
                          /dev/mapper/control, and there are volumes here that may lose redundancy";
            Found::unseen(SOURCE, "", Why::NoPermission, reason)
        }
        _ => found,
    };
    let is_read = matches!(found.outcome, Outcome::Read { .. });
    let paths = if is_read { Vec::new() } else { paths(look.host) };
    std::iter::once(found).chain(paths).collect()
}

/// Of each multipath the devices that it goes through, and how SCSI finds them (drivers/scsi/scsi_sysfs.c).
fn paths(host: &Host) -> Vec<Found> {
    let names = host.list("/sys/block").unwrap_or_default();
    let multipath = |name: &String| {
        let directory = format!("/sys/block/{name}");
        let unique = host.read_text(&format!("{directory}/dm/uuid")).ok()?;
        if !unique.starts_with(MULTIPATH) {
            return None;
        }
        let mut text = Text::of(host);
        text.values(&format!("{directory}/dm"), &["name", "uuid"]);
        for device in host.list(&format!("{directory}/slaves")).unwrap_or_default() {
            text.values(&format!("{directory}/slaves/{device}/device"), &["state"]);
        }
        text.found(PATHS, name)
    };
    names.iter().filter(|name| name.starts_with("dm-")).take(VOLUMES_MAX).filter_map(multipath).collect()
}

/// Whether there is a volume that can be worse than the drives below it: a plain or an encrypted one cannot.
fn is_needed(host: &Host) -> bool {
    let names = host.list("/sys/block").unwrap_or_default();
    let mut mapped = names.iter().filter(|name| name.starts_with("dm-")).take(VOLUMES_MAX);
    mapped.any(|name| {
        let of = |file: &str| host.read_text(&format!("/sys/block/{name}/dm/{file}")).unwrap_or_default();
        let (called, unique) = (of("name"), of("uuid"));
        PARTS.iter().any(|part| called.contains(part)) || KINDS.iter().any(|kind| unique.starts_with(kind))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    #[test]
    fn device_mapper_is_asked_where_a_volume_may_lose_redundancy() {
        let mut machine = Machine::new();
        machine.tool("dmsetup", "echo 'vg-r: 0 1 raid raid1 2 AA 1/1 idle 0 0 -'");
        machine.file("sys/block/dm-0/dm/name", "vg-root\n");
        machine.file("sys/block/dm-0/dm/uuid", "LVM-abc\n");
        assert_eq!(machine.look("volumes", 0), [], "a piece of a disk");
        assert_eq!(machine.asked(), [] as [String; 0]);
        machine.file("sys/block/dm-1/dm/name", "vg-r_rimage_0\n");
        let found = machine.look("volumes", 0);
        assert!(
            matches!(&found[0].outcome, Outcome::Read { payload, .. } if payload.starts_with(b"vg-r: ")),
            "{found:?}"
        );
        assert_eq!(machine.asked(), ["dmsetup status"]);
        machine.tool("dmsetup", "exit 1");
        let found = machine.look("volumes", 0);
        assert!(matches!(&found[0].outcome, Outcome::Unseen { why: Why::NoPermission, .. }), "{found:?}");
    }

    #[test]
    fn where_dmsetup_may_not_answer_the_devices_of_a_multipath_do() {
        let mut machine = Machine::new();
        machine.file("sys/block/dm-0/dm/uuid", "mpath-3600\n");
        machine.file("sys/block/dm-0/dm/name", "mpatha\n");
        machine.file("sys/block/dm-0/slaves/sdb/device/state", "running\n");
        machine.file("sys/block/dm-0/slaves/sdc/device/state", "transport-offline\n");
        let found = machine.look("volumes", 0);
        assert!(matches!(found[0].outcome, Outcome::Unseen { why: Why::NotInstalled, .. }));
        let Outcome::Read { payload, .. } = &found[1].outcome else { panic!("{found:?}") };
        let expected = "/sys/block/dm-0/dm/name:mpatha\n/sys/block/dm-0/dm/uuid:mpath-3600\n\
                        /sys/block/dm-0/slaves/sdb/device/state:running\n\
                        /sys/block/dm-0/slaves/sdc/device/state:transport-offline\n";
        assert_eq!(String::from_utf8_lossy(payload), expected);
        machine.tool("dmsetup", "echo 'mpatha: 0 9 multipath 0 0 1 1 A 0 1 2 8:16 A 0 0 1'");
        assert_eq!(machine.look("volumes", 0).len(), 1, "dmsetup says more");
    }
}

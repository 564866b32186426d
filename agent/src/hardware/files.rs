//! What the kernel says in files of arrays, memory, bonds and soldered flash: cheap enough for every minute.

use super::found::digest_of;
use super::text::{TEXT_MAX, Text};
use super::{Found, Look, Outcome, Why, network, resync};
use crate::host::Host;

/// `/proc/mdstat` as it stands.
const MDSTAT: &str = "mdstat";
/// Files of sysfs, one `path:value` a line, as `grep .` prints them.
const MD: &str = "md-sysfs";
const BTRFS: &str = "btrfs-sysfs";
const EDAC: &str = "edac";
const MMC: &str = "mmc-sysfs";
/// One line of `/proc/meminfo`.
const MEMINFO: &str = "meminfo";
/// Things of one kind on one machine.
const PARTS_MAX: usize = 64;

/// Of an array, and of each member (Documentation/admin-guide/md.rst). How far a check is stands in mdstat.
const ARRAY: [&str; 8] = [
    "level",
    "raid_disks",
    "array_state",
    "degraded",
    "mismatch_cnt",
    "sync_action",
    "last_sync_action",
    "metadata_version",
];
const MEMBER: [&str; 5] = ["state", "slot", "errors", "bad_blocks", "unacknowledged_bad_blocks"];
/// Of a memory controller (Documentation/driver-api/edac.rst); both the old layout and the new.
const CONTROLLER: [&str; 6] = ["mc_name", "size_mb", "ce_count", "ue_count", "ce_noinfo_count", "ue_noinfo_count"];
const MODULE: [&str; 12] = [
    "dimm_label",
    "dimm_location",
    "dimm_mem_type",
    "dimm_edac_mode",
    "dimm_ce_count",
    "dimm_ue_count",
    "size",
    "size_mb",
    "mem_type",
    "edac_mode",
    "ce_count",
    "ue_count",
];
/// How btrfs may keep its data (mkfs.btrfs(8), PROFILES); a directory of each that is used stands among files of sizes.
const PROFILES: [&str; 9] = ["single", "dup", "raid0", "raid1", "raid10", "raid1c3", "raid1c4", "raid5", "raid6"];
/// Of eMMC (Documentation/driver-api/mmc/mmc-dev-attrs.rst).
const FLASH: [&str; 8] =
    ["name", "manfid", "serial", "fwrev", "date", "life_time", "pre_eol_info", "enhanced_rpmb_supported"];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let host = look.host;
    let mut found: Vec<Found> = mdstat(host).into_iter().collect();
    let unmoved = resync::unmoved(host, &mut look.memory.progress, look.now_ms);
    found.extend(each(host, "/sys/block", "md", MD, |text, array| {
        let hours = array.rsplit('/').next().and_then(|name| unmoved.get(name));
        let array = format!("{array}/md");
        text.values(&array, &ARRAY);
        hours.iter().for_each(|hours| text.say(&array, "sync_unchanged_hours", &hours.to_string()));
        text.members(&array, &["dev-"], &MEMBER);
    }));
    found.extend(each(host, "/sys/fs/btrfs", "", BTRFS, |text, pool| {
        // Beside the pools, named by their UUIDs, stand the features of the module.
        if pool.rsplit('/').next().map(str::len) != Some(36) {
            return;
        }
        text.values(pool, &["label", "metadata_uuid"]);
        text.names(pool, "devices", |_| true);
        for what in ["data", "metadata"] {
            text.names(&format!("{pool}/allocation"), what, |name| PROFILES.contains(&name));
        }
        let devices = format!("{pool}/devinfo");
        text.members(&devices, &[""], &["error_stats", "missing", "in_fs_metadata", "writeable"]);
        if !text.says("error_stats") {
            text.lacks("this kernel tells no errors of the devices (error_stats came with Linux 5.14)");
        }
    }));
    found.extend(each(host, "/sys/block", "mmcblk", MMC, |text, card| {
        text.values(&format!("{card}/device"), &FLASH);
    }));
    found.extend(network::bonds(host));
    found.extend(corrupted(host));
    let memory: Vec<Found> = each(host, "/sys/devices/system/edac/mc", "mc", EDAC, |text, controller| {
        text.values(controller, &CONTROLLER);
        text.members(controller, &["dimm", "rank"], &MODULE);
        text.members(controller, &["csrow"], &MODULE);
        text.channels(controller);
    })
    .collect();
    if memory.is_empty() {
        let reason = "no driver of a memory controller reports errors here (EDAC): the memory has no ECC, the driver is \
                      not loaded, or this is a virtual machine";
        found.push(Found::unseen(EDAC, "", Why::NoEccReporting, reason));
    }
    found.extend(memory);
    found
}

/// Where there is an array.
fn mdstat(host: &Host) -> Option<Found> {
    let mut text = Vec::new();
    let read = host.read("/proc/mdstat", &mut text);
    let lines = String::from_utf8_lossy(&text);
    if read.is_err() || !lines.lines().any(|line| line.starts_with("md") && line.contains(" : ")) {
        return None;
    }
    // Progress counts by whole percents: `[=>...]  check = 12.3% (123/999) finish=1.2min speed=99K/sec`.
    let steady = |line: &str| {
        let percent = line.split_once('%').filter(|_| line.contains("finish=")).map(|(before, _)| before);
        percent.and_then(|before| before.rsplit_once('.')).map_or(line, |(whole, _)| whole).to_owned()
    };
    let steady: Vec<String> = lines.lines().map(steady).collect();
    let digest = digest_of(&[steady.join("\n").as_bytes()]);
    text.truncate(TEXT_MAX);
    let outcome = Outcome::Read { payload: text, note: String::new(), digest };
    Some(Found { source: MDSTAT.into(), part: String::new(), outcome })
}

/// Memory that the kernel has taken out of use because it was damaged, where it counts that; and how much there is of it, but
/// of a virtual machine, which is given more and less.
fn corrupted(host: &Host) -> Option<Found> {
    let text = host.read_text("/proc/meminfo").ok()?;
    let line = |name: &str| text.lines().find(|line| line.starts_with(name));
    let is_virtual = host.read_text("/proc/cpuinfo").is_ok_and(|text| is_guest(&text));
    let total = line("MemTotal:").filter(|_| !is_virtual).map(|line| format!("{line}\n")).unwrap_or_default();
    let corrupted = line("HardwareCorrupted:")?;
    Some(Found::read(MEMINFO, "", format!("{total}{corrupted}\n").into_bytes(), String::new()))
}

/// x86 has a bit for that (CPUID 1, ECX bit 31); others show nothing here.
fn is_guest(cpuinfo: &str) -> bool {
    let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags.next().is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// What is said of each entry of a directory whose name begins so and of which something is said.
fn each<'a>(
    host: &'a Host,
    directory: &'a str,
    begins: &'a str,
    source: &'static str,
    say: impl Fn(&mut Text<'a>, &str) + 'a,
) -> impl Iterator<Item = Found> + 'a {
    let names = host.list(directory).unwrap_or_default();
    let names = names.into_iter().filter(move |name| name.starts_with(begins)).take(PARTS_MAX);
    names.filter_map(move |name| {
        let mut text = Text::of(host);
        say(&mut text, &format!("{directory}/{name}"));
        text.found(source, name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    fn said(found: &[Found], source: &str, part: &str) -> String {
        let found = found.iter().find(|found| found.source == source && found.part == part);
        match found.map(|found| &found.outcome) {
            Some(Outcome::Read { payload, .. }) => String::from_utf8_lossy(payload).into_owned(),
            Some(Outcome::Unseen { why, .. }) => why.word().to_owned(),
            other => panic!("{source} {part}: {other:?}"),
        }
    }

    #[test]
    fn arrays_pools_memory_and_flash_say_what_their_files_say() {
        let mut machine = Machine::new();
        machine.file(
            "proc/mdstat",
            "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0](F)\n      9 blocks [2/1] [_U]\n",
        );
        machine.file("sys/block/md0/md/degraded", "1\n");
        machine.file("sys/block/md0/md/dev-sda1/state", "faulty\n");
        machine.file("sys/block/md0/md/dev-sda1/bad_blocks", "8 8\n24 8\n");
        machine.file("sys/fs/btrfs/features/metadata_uuid", "0\n");
        let pool = "sys/fs/btrfs/11111111-2222-4333-8444-555555555555";
        machine.file(&format!("{pool}/label"), "data\n");
        machine.file(&format!("{pool}/devices/sdb/size"), "9\n");
        machine.file(&format!("{pool}/allocation/data/total_bytes"), "9\n");
        machine.file(&format!("{pool}/allocation/data/raid1/total_bytes"), "9\n");
        machine.file(&format!("{pool}/devinfo/1/error_stats"), "write_errs 0\nread_errs 3\n");
        machine.file("proc/meminfo", "MemTotal: 9 kB\nHardwareCorrupted:     4 kB\nHugePages_Total: 0\n");
        machine.file("sys/block/mmcblk0/device/life_time", "0x02 0x01\n");
        machine.file("sys/devices/system/edac/mc/mc0/ce_count", "7\n");
        machine.file("sys/devices/system/edac/mc/mc0/dimm2/dimm_label", "CPU_SrcID#0_Ha#0_Chan#1_DIMM#0\n");
        machine.file("sys/devices/system/edac/mc/mc0/dimm2/dimm_ce_count", "7\n");
        machine.file("sys/devices/system/edac/mc/mc0/csrow1/ch0_ce_count", "7\n");
        let found = machine.look("files", 0);
        assert!(said(&found, "mdstat", "").contains("sda1[0](F)"));
        let expected = "/sys/block/md0/md/degraded:1\n/sys/block/md0/md/dev-sda1/state:faulty\n\
                        /sys/block/md0/md/dev-sda1/bad_blocks:8 8\n/sys/block/md0/md/dev-sda1/bad_blocks:24 8\n";
        assert_eq!(said(&found, "md-sysfs", "md0"), expected);
        let expected = format!(
            "/{pool}/label:data\n/{pool}/devices:sdb\n/{pool}/allocation/data:raid1\n/{pool}/devinfo/1/error_stats:write_errs 0\n/{pool}/devinfo/1/error_stats:read_errs 3\n"
        );
        assert_eq!(said(&found, "btrfs-sysfs", "11111111-2222-4333-8444-555555555555"), expected);
        assert_eq!(said(&found, "meminfo", ""), "MemTotal: 9 kB\nHardwareCorrupted:     4 kB\n");
        assert_eq!(said(&found, "mmc-sysfs", "mmcblk0"), "/sys/block/mmcblk0/device/life_time:0x02 0x01\n");
        let controller = "/sys/devices/system/edac/mc/mc0";
        let expected = format!(
            "{controller}/ce_count:7\n{controller}/dimm2/dimm_label:CPU_SrcID#0_Ha#0_Chan#1_DIMM#0\n\
             {controller}/dimm2/dimm_ce_count:7\n{controller}/csrow1/ch0_ce_count:7\n"
        );
        assert_eq!(said(&found, "edac", "mc0"), expected);
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn how_much_memory_a_virtual_machine_has_says_nothing_of_modules() {
        let mut machine = Machine::new();
        machine.file("proc/meminfo", "MemTotal: 9 kB\nHardwareCorrupted:     0 kB\n");
        machine.file("proc/cpuinfo", "processor : 0\nflags\t\t: fpu vme hypervisor sse\n");
        assert_eq!(said(&machine.look("files", 0), "meminfo", ""), "HardwareCorrupted:     0 kB\n");
        machine.file("proc/cpuinfo", "processor : 0\nflags\t\t: fpu vme sse\n");
        assert_eq!(said(&machine.look("files", 0), "meminfo", ""), "MemTotal: 9 kB\nHardwareCorrupted:     0 kB\n");
    }

    #[test]
    fn a_machine_without_any_says_only_that_memory_errors_cannot_be_seen() {
        let mut machine = Machine::new();
        machine.file("proc/mdstat", "Personalities : \nunused devices: <none>\n");
        let found = machine.look("files", 0);
        assert_eq!((found.len(), said(&found, "edac", "").as_str()), (1, "no_ecc_reporting"));
    }

    #[test]
    fn the_progress_of_a_check_is_news_at_each_percent() {
        let mut machine = Machine::new();
        let mut digest = |percent: &str, state: &str| {
            machine.file("proc/mdstat", &format!(
                "md0 : active raid1 sdb1[1] sda1[0]\n      9 blocks [2/2] [{state}]\n      [=>......]  check = {percent}% (1/9) finish=1{percent}min speed=9{percent}K/sec\n"
            ));
            machine.look("files", 0)[0].digest().unwrap()
        };
        let first = digest("12.1", "UU");
        assert_eq!(digest("12.9", "UU"), first);
        assert_ne!(digest("13.0", "UU"), first);
        assert_ne!(digest("12.1", "U_"), first);
    }
}

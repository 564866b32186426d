//! Files that the kernel shows, as the agent sends them: arrays, file systems, soldered flash.

use super::{
    Severity::{Critical, Info, Warning},
    Verdict::{Failed, Failing, Healthy, Unknown},
    WELL, check_cases, judged,
};
use crate::domain::{
    hardware::{self, Facts, Kind},
    rules::hardware::{Finding, assembly, growth::judge as worse, network, pcie},
};

/// Lines of an array of three members, the values of which differ from a healthy one's so.
fn md(level: &str, differs: &[(&str, &str)]) -> String {
    let well = [
        ("level", level),
        ("raid_disks", "3"),
        ("array_state", "clean"),
        ("degraded", "0"),
        ("mismatch_cnt", "0"),
        ("sync_action", "idle"),
        ("last_sync_action", "check"),
        ("metadata_version", "1.2"),
        ("dev-sda1/state", "in_sync"),
        ("dev-sda1/errors", "0"),
        ("dev-sdb1/state", "in_sync"),
        ("dev-sdb1/errors", "0"),
    ];
    let value = |name: &str, well: &str| {
        let other = differs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        format!("/sys/block/md0/md/{name}:{}\n", other.unwrap_or(well))
    };
    let more = differs.iter().filter(|(name, _)| !well.iter().any(|(known, _)| known == name));
    let more = more.map(|(name, value)| format!("/sys/block/md0/md/{name}:{value}\n"));
    well.iter().map(|(name, well)| value(name, well)).chain(more).collect()
}

#[test]
fn files_of_md_say_what_mdstat_says_and_what_a_check_found() {
    let container = "/sys/block/md127/md/level:container\n/sys/block/md127/md/array_state:inactive\n\
                     /sys/block/md127/md/metadata_version:external:imsm\n";
    let within = "/sys/block/md126/md/level:raid1\n/sys/block/md126/md/array_state:inactive\n\
                  /sys/block/md126/md/metadata_version:external:/md127/0\n";
    check_cases(
        "md-sysfs",
        &[
            (&md("raid5", &[]), WELL.0, WELL.1),
            (&md("raid5", &[("degraded", "1")]), Failing, &[("array-degraded", Critical)]),
            (&md("raid6", &[("degraded", "1")]), Failing, &[("array-degraded", Warning)]),
            (&md("raid1", &[("degraded", "1")]), Failing, &[("array-degraded", Warning)]),
            (&md("raid5", &[("degraded", "1"), ("sync_action", "recover")]), Failing, &[("array-rebuilding", Warning)]),
            (&md("raid5", &[("sync_action", "resync")]), Healthy, &[("array-syncing", Info)]),
            (&md("raid5", &[("sync_action", "check")]), WELL.0, WELL.1),
            (&md("raid5", &[("array_state", "inactive")]), Failed, &[("array-failed", Critical)]),
            (&md("raid0", &[("array_state", "broken")]), Failed, &[("array-failed", Critical)]),
            (container, WELL.0, WELL.1),
            (within, Failed, &[("array-failed", Critical)]),
            (&md("raid5", &[("dev-sdb1/state", "faulty")]), Failed, &[("member-failed", Warning)]),
            (&md("raid5", &[("dev-sdb1/state", "faulty,journal")]), Failed, &[("member-failed", Warning)]),
            (&md("raid5", &[("dev-sdb1/state", "in_sync,write_error")]), Failing, &[("member-degraded", Warning)]),
            (&md("raid5", &[("dev-sdb1/state", "spare")]), WELL.0, WELL.1),
            (&md("raid5", &[("dev-sdb1/errors", "3")]), Unknown, &[("member-errors", Info)]),
            (&md("raid5", &[("dev-sdb1/bad_blocks", "2048 8")]), Failing, &[("member-bad-blocks", Warning)]),
            (&md("raid5", &[("mismatch_cnt", "8")]), Failing, &[("array-mismatches", Warning)]),
            (&md("raid1", &[("mismatch_cnt", "1024")]), Healthy, &[("array-mismatches", Info)]),
            (&md("raid1", &[("mismatch_cnt", "1152")]), Unknown, &[("array-mismatches", Info)]),
            // A repair has rewritten what it counted.
            (&md("raid5", &[("mismatch_cnt", "8"), ("last_sync_action", "repair")]), WELL.0, WELL.1),
        ],
    );
    let ranges = md("raid5", &[("dev-sdb1/bad_blocks", "2048 8"), ("dev-sdb1/unacknowledged_bad_blocks", "9000 16")]);
    let finding = judged(&ranges).2.remove(0);
    assert_eq!((finding.part.name.as_str(), finding.part.slot.as_str()), ("sdb1", "md0"));
    assert_eq!(finding.evidence[0].value, "24");
}

const POOL: &str = "/sys/fs/btrfs/11111111-2222-4333-8444-555555555555";

/// A file system of two devices.
fn btrfs(profile: &str, missing: &str, counts: &str) -> String {
    let counts: String =
        counts.split(',').map(|count| format!("{POOL}/devinfo/2/error_stats:{}\n", count.trim())).collect();
    format!(
        "{POOL}/label:data\n{POOL}/devices:sdb sdc\n{POOL}/allocation/data:{profile}\n\
         {POOL}/allocation/metadata:raid1c3\n{POOL}/devinfo/1/error_stats:write_errs 0\n{POOL}/devinfo/1/missing:0\n\
         {counts}{POOL}/devinfo/2/missing:{missing}\n"
    )
}

#[test]
fn file_systems_of_btrfs_are_judged_by_their_devices() {
    check_cases(
        "btrfs-sysfs",
        &[
            (&btrfs("raid1", "0", "write_errs 0"), WELL.0, WELL.1),
            (
                &btrfs("raid1", "1", "write_errs 0"),
                Failed,
                &[("member-missing", Warning), ("array-degraded", Critical)],
            ),
            (
                &btrfs("raid1c3", "1", "write_errs 0"),
                Failed,
                &[("member-missing", Warning), ("array-degraded", Warning)],
            ),
            // Read-only now, or soon: nothing is left to lose.
            (
                &btrfs("raid1c3 single", "1", "write_errs 0"),
                Failed,
                &[("member-missing", Warning), ("array-degraded", Critical)],
            ),
            (&btrfs("raid1", "0", "corruption_errs 4"), Unknown, &[("member-errors", Info)]),
        ],
    );
    let finding = judged(&btrfs("raid1", "0", "read_errs 4")).2.remove(0);
    assert_eq!(finding.part.name, "data device 2", "two devices, of which nobody says which is which");
    let alone = format!("{POOL}/devices:sdb\n{POOL}/devinfo/1/error_stats:read_errs 4\n{POOL}/devinfo/1/missing:0\n");
    assert_eq!(judged(&alone).2[0].part.name, "sdb");
}

fn assembly(text: &str) -> hardware::assembly::Assembly {
    match hardware::read(None, text.as_bytes()) {
        Ok((Kind::MdSysfs | Kind::BtrfsSysfs | Kind::Zpool, Facts::Assembly(found))) => found,
        other => panic!("{other:?}"),
    }
}

fn grown(now: &str, then: &str) -> Vec<Finding> {
    assembly::grown(&assembly(now), &assembly(then))
}

#[test]
fn errors_that_members_go_on_making_tell_more_than_those_they_once_made() {
    let old = btrfs("raid1", "0", "corruption_errs 4, read_errs 1");
    assert_eq!(grown(&old, &old), []);
    let more = grown(&btrfs("raid1", "0", "corruption_errs 5, read_errs 1"), &old);
    assert_eq!(more.len(), 1);
    assert_eq!((more[0].rule, more[0].severity), ("member-errors-growing", Warning));
    let values: Vec<_> = more[0].evidence.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    assert_eq!(values, [("checksum errors then", "4"), ("checksum errors now", "5")]);
    // Flushes that fail are writes that fail: what was written is not there.
    let lost = grown(&btrfs("raid1", "0", "flush_errs 2, corruption_errs 5"), &old);
    assert_eq!((lost[0].severity, lost[0].evidence[0].name.as_str()), (Critical, "write errors then"));
    assert_eq!(grown(&btrfs("raid1", "0", "corruption_errs 0"), &old), [], "they were cleared");
    let renamed = old.replace("label:data", "label:other");
    assert_eq!(grown(&btrfs("raid1", "0", "corruption_errs 9"), &renamed), [], "another one has no past here");
    let md = grown(&md("raid1", &[("dev-sdb1/errors", "3")]), &md("raid1", &[("dev-sdb1/errors", "2")]));
    assert_eq!((md[0].part.name.as_str(), md[0].severity), ("sdb1", Warning));
}

#[test]
fn a_multipath_is_judged_by_the_devices_that_it_goes_through() {
    let multipath = |first: &str, second: &str| {
        format!(
            "/sys/block/dm-0/dm/name:mpatha\n/sys/block/dm-0/dm/uuid:mpath-3600\n\
             /sys/block/dm-0/slaves/sdb/device/state:{first}\n/sys/block/dm-0/slaves/sdc/device/state:{second}\n"
        )
    };
    check_cases(
        "multipath-sysfs",
        &[
            (&multipath("running", "running"), WELL.0, WELL.1),
            (
                &multipath("running", "transport-offline"),
                Failed,
                &[("path-failed", Warning), ("array-degraded", Critical)],
            ),
            (
                &multipath("offline", "offline"),
                Failed,
                &[("array-failed", Critical), ("path-failed", Warning), ("path-failed", Warning)],
            ),
        ],
    );
    assert_eq!(judged(&multipath("running", "offline")).2[0].part.name, "mpatha sdc");
}

#[test]
fn soldered_flash_is_judged_by_the_life_and_the_reserve_that_it_declares() {
    let chip = |life: &str, reserve: &str| {
        let device = "/sys/block/mmcblk0/device";
        format!(
            "{device}/name:MADEUP\n{device}/serial:0x00c0ffee\n{device}/fwrev:0x1\n{device}/life_time:{life}\n\
             {device}/pre_eol_info:{reserve}\n"
        )
    };
    check_cases(
        "mmc-sysfs",
        &[
            (&chip("0x01 0x01", "0x01"), WELL.0, WELL.1),
            (&chip("0x09 0x09", "0x01"), WELL.0, WELL.1),
            (&chip("0x02 0x0a", "0x01"), Failing, &[("flash-worn", Warning)]),
            (&chip("0x0b 0x02", "0x01"), Failing, &[("flash-worn", Critical)]),
            (&chip("0x01 0x01", "0x02"), Failing, &[("flash-reserve-low", Warning)]),
            (&chip("0x01 0x01", "0x03"), Failing, &[("flash-reserve-low", Critical)]),
            // Registers of chips that do not say.
            (&chip("0x00 0x00", "0x00"), Unknown, &[]),
        ],
    );
    let part = judged(&chip("0x0b 0x02", "0x01")).2.remove(0).part;
    assert_eq!((part.name.as_str(), part.model.as_str(), part.serial.as_str()), ("mmcblk0", "MADEUP", "0x00c0ffee"));
}

/// A port and the drive behind it; `lanes` of the drive's link, of the drive and of the port.
fn bus(lanes: [u32; 3], counts: &str) -> String {
    let [now, card, port] = lanes;
    let root = "/sys/devices/pci0000:00/0000:00:1d.0";
    let drive = format!("{root}/0000:03:00.0");
    let counts: String = counts
        .split(',')
        .filter(|count| !count.is_empty())
        .map(|count| {
            let file = match count {
                _ if count.contains("_COR") || count.contains("RxErr") => "correctable",
                _ if count.contains("NONFATAL") => "nonfatal",
                _ => "fatal",
            };
            format!("{drive}/aer_dev_{file}:{count}\n")
        })
        .collect();
    format!(
        "{root}/class:0x060400\n{root}/current_link_width:{now}\n{root}/max_link_width:{port}\n\
         {drive}/class:0x010802\n{drive}/vendor:0x1d0f\n{drive}/device:0x0001\n{drive}/driver:nvme\n\
         {drive}/current_link_width:{now}\n{drive}/max_link_width:{card}\n{counts}/sys/bus/pci/slots/5/address:0000:03:00\n"
    )
}

fn grown_on_bus(now: &str, then: &str) -> Vec<Finding> {
    let read = |text: &str| match hardware::read(None, text.as_bytes()) {
        Ok((Kind::Pcie, Facts::Pcie(devices))) => devices,
        other => panic!("{other:?}"),
    };
    pcie::grown(&read(now), &read(then))
}

#[test]
fn a_link_is_judged_by_both_of_its_ends_and_what_was_counted_before_is_a_doubt() {
    let none = "TOTAL_ERR_FATAL 0,TOTAL_ERR_NONFATAL 0,TOTAL_ERR_COR 0";
    check_cases(
        "pcie",
        &[
            (&bus([4, 4, 4], none), WELL.0, WELL.1),
            // A narrow slot, and a card that has no more.
            (&bus([2, 4, 2], none), WELL.0, WELL.1),
            (&bus([2, 2, 4], none), WELL.0, WELL.1),
            (&bus([2, 4, 4], none), Unknown, &[("pcie-link-narrow", Info)]),
            // What sysfs shows of a device without power.
            (&bus([4, 63, 4], none), WELL.0, WELL.1),
            (&bus([4, 4, 4], "DLP 1,TOTAL_ERR_FATAL 1"), Unknown, &[("pcie-fatal", Info)]),
            (&bus([4, 4, 4], "TOTAL_ERR_NONFATAL 2"), Unknown, &[("pcie-nonfatal", Info)]),
            (&bus([4, 4, 4], "RxErr 9000000,TOTAL_ERR_COR 9000000"), WELL.0, WELL.1),
        ],
    );
    let part = judged(&bus([4, 4, 4], "TOTAL_ERR_FATAL 1")).2.remove(0).part;
    assert_eq!(
        (part.name.as_str(), part.model.as_str(), part.slot.as_str()),
        ("0000:03:00.0", "nvme 1d0f:0001", "slot 5")
    );
}

#[test]
fn errors_of_a_link_that_are_new_and_lanes_that_are_lost_tell_more() {
    let well = bus([4, 4, 4], "TOTAL_ERR_FATAL 0,TOTAL_ERR_NONFATAL 1,TOTAL_ERR_COR 50");
    let said = |now: &str| -> Vec<_> {
        grown_on_bus(now, &well).iter().map(|finding| (finding.rule, finding.severity)).collect()
    };
    assert_eq!(said(&well), []);
    assert_eq!(said(&bus([4, 4, 4], "TOTAL_ERR_FATAL 1")), [("pcie-fatal", Critical)]);
    assert_eq!(said(&bus([4, 4, 4], "TOTAL_ERR_NONFATAL 2")), [("pcie-nonfatal", Warning)]);
    // The kernel began anew and has counted none since.
    assert_eq!(said(&bus([4, 4, 4], "TOTAL_ERR_NONFATAL 0")), []);
    assert_eq!(said(&bus([2, 4, 4], "TOTAL_ERR_NONFATAL 1")), [("pcie-link-lost-lanes", Warning)]);
    // Ten a minute for a week.
    assert_eq!(said(&bus([4, 4, 4], "TOTAL_ERR_COR 100849")), []);
    assert_eq!(said(&bus([4, 4, 4], "TOTAL_ERR_COR 100850")), [("pcie-corrected", Info)]);
    let other = well.replace("0x0001", "0x0002");
    assert_eq!(grown_on_bus(&bus([2, 4, 4], "TOTAL_ERR_FATAL 1"), &other), [], "another card has no past here");
}

/// An interface with a cable; what differs from a healthy one's values.
fn interface(differs: &[(&str, &str)]) -> String {
    let well = [
        ("address", "02:00:00:00:00:01"),
        ("operstate", "up"),
        ("carrier_down_count", "3"),
        ("speed", "1000"),
        ("duplex", "full"),
        ("driver", "igb"),
        ("device", "0000:01:00.0"),
        ("statistics/rx_packets", "100000000"),
        ("statistics/rx_crc_errors", "10"),
        ("statistics/rx_frame_errors", "0"),
    ];
    let more = differs.iter().filter(|(name, _)| !well.iter().any(|(known, _)| known == name));
    let value = |name: &str, well: &str| {
        let other = differs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        format!("/sys/class/net/eth0/{name}:{}\n", other.unwrap_or(well))
    };
    well.iter().chain(more).map(|(name, well)| value(name, well)).collect()
}

#[test]
fn interfaces_are_judged_by_their_own_past() {
    check_cases(
        "nic-sysfs",
        &[
            (&interface(&[]), Healthy, &[("nic-damaged-frames", Info)]),
            (&interface(&[("statistics/rx_crc_errors", "0")]), WELL.0, WELL.1),
            (
                &interface(&[("statistics/rx_packets", "1000"), ("statistics/rx_crc_errors", "11")]),
                Failing,
                &[("nic-damaged-frames", Warning)],
            ),
        ],
    );
    let read = |differs: &[(&str, &str)]| match hardware::read(None, interface(differs).as_bytes()) {
        Ok((Kind::NicSysfs, Facts::Nic(nic))) => nic,
        other => panic!("{other:?}"),
    };
    let then = read(&[]);
    let said = |differs: &[(&str, &str)]| -> Vec<_> {
        network::grown(&read(differs), &then).iter().map(|finding| (finding.rule, finding.severity)).collect()
    };
    let more = |packets, damaged| [("statistics/rx_packets", packets), ("statistics/rx_crc_errors", damaged)];
    assert_eq!(said(&[]), []);
    // A hundred among a hundred million, and one less; then among more.
    assert_eq!(said(&more("200000000", "110")), [("nic-damaged-frames-growing", Warning)]);
    assert_eq!(said(&more("200000000", "109")), []);
    assert_eq!(said(&more("200100000", "110")), []);
    // The machine was started since: all that is counted is new.
    assert_eq!(said(&more("1000000", "9")), []);
    assert_eq!(said(&[("carrier_down_count", "52")]), []);
    assert_eq!(said(&[("carrier_down_count", "53")]), [("nic-link-flaps", Warning)]);
    assert_eq!(said(&[("carrier_down_count", "53"), ("wireless", "1")]), []);
    assert_eq!(said(&[("speed", "100")]), [("nic-link-slower", Warning)]);
    assert_eq!(said(&[("speed", "-1"), ("operstate", "down")]), []);
    assert_eq!(said(&[("duplex", "half")]), [("nic-link-slower", Warning)]);
    assert_eq!(said(&[("speed", "100"), ("address", "02:00:00:00:00:02")]), [], "another card");
}

/// What is worse in a text than in another, of whatever kind they are.
fn said_worse(now: &str, then: &str) -> Vec<(&'static str, super::Severity)> {
    let read = |text: &str| hardware::read(None, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}")).1;
    worse(&read(now), &read(then)).iter().map(|finding| (finding.rule, finding.severity)).collect()
}

#[test]
fn memory_that_the_kernel_gave_up_is_a_doubt_and_more_of_it_a_warning() {
    let given_up = |kib: u32| format!("MemTotal:       16000000 kB\nHardwareCorrupted: {kib:5} kB\n");
    check_cases("meminfo", &[(&given_up(0), WELL.0, WELL.1), (&given_up(4), Unknown, &[("memory-taken-out", Info)])]);
    assert_eq!(said_worse(&given_up(8), &given_up(4)), [("memory-taken-out", Warning)]);
    assert_eq!(said_worse(&given_up(4), &given_up(4)), []);
    assert_eq!(said_worse(&given_up(4), &given_up(0)), [], "once is a doubt");
}

#[test]
fn blocks_of_amds_gpus_are_summed_up() {
    let card = |uncorrected: u32, corrected: u32| {
        let device = "/sys/class/drm/card1/device";
        format!(
            "{device}/vendor:0x1002\n{device}/device:0x7388\n{device}/unique_id:00c0ffee\n{device}/ras/gfx_err_count:ue: 0\n\
             {device}/ras/umc_err_count:ue: {uncorrected}\n{device}/ras/umc_err_count:ce: {corrected}\n"
        )
    };
    check_cases(
        "amd-ras",
        &[
            (&card(0, 0), WELL.0, WELL.1),
            (&card(0, 500), WELL.0, WELL.1),
            (&card(1, 0), Failing, &[("gpu-uncorrected", Warning)]),
        ],
    );
    let part = judged(&card(1, 0)).2.remove(0).part;
    assert_eq!((part.name.as_str(), part.model.as_str(), part.serial.as_str()), ("card1", "1002:7388", "00c0ffee"));
    assert_eq!(said_worse(&card(0, 509), &card(0, 500)), []);
    assert_eq!(said_worse(&card(0, 510), &card(0, 500)), [("gpu-corrected-growing", Warning)]);
}

#[test]
fn ports_of_infiniband_are_judged_by_their_own_past() {
    let port = |state: &str, symbols: u32, layer: &str| {
        let adapter = "/sys/class/infiniband/mlx5_0";
        format!(
            "{adapter}/node_guid:0001:0002:0003:0004\n{adapter}/ports/1/state:{state}\n{adapter}/ports/1/phys_state:5: LinkUp\n\
             {adapter}/ports/1/rate:100 Gb/sec (4X EDR)\n{adapter}/ports/1/link_layer:{layer}\n\
             {adapter}/ports/1/counters/symbol_error:{symbols}\n{adapter}/ports/1/counters/link_error_recovery:0\n"
        )
    };
    let then = port("4: ACTIVE", 5, "InfiniBand");
    check_cases("infiniband", &[(&then, WELL.0, WELL.1), (&port("1: DOWN", 900, "InfiniBand"), WELL.0, WELL.1)]);
    assert_eq!(said_worse(&port("4: ACTIVE", 14, "InfiniBand"), &then), []);
    assert_eq!(said_worse(&port("4: ACTIVE", 15, "InfiniBand"), &then), [("infiniband-link-errors", Warning)]);
    assert_eq!(said_worse(&port("1: DOWN", 5, "InfiniBand"), &then), [("infiniband-port-down", Warning)]);
    assert_eq!(said_worse(&then, &port("1: DOWN", 5, "InfiniBand")), []);
    assert_eq!(said_worse(&port("1: DOWN", 99, "Ethernet"), &port("4: ACTIVE", 5, "Ethernet")), [], "judged as a NIC");
}

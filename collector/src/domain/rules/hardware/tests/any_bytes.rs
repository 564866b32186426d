//! Whatever bytes come in, reading and judging end, without panic and within bounds.

use proptest::prelude::*;

use crate::domain::{
    hardware::{Kind, read},
    rules::hardware::{judge, verdict},
};

/// Pieces of what tools print, to be torn and put together wrongly.
const PIECES: [&str; 38] = [
    "=== START OF READ SMART DATA SECTION ===\n",
    "  5 Reallocated_Sector_Ct   0x0033   001   001   005    Pre-fail  Always   FAILING_NOW 2005\n",
    "197 Current_Pending_Sector  -O--CK   100   100   000    -    18446744073709551615\n",
    "# 1  Short offline       Completed: read failure       10%      3729         16572790\n",
    "critical_warning : 0xff\navailable_spare : 300%\n",
    "Personalities : [raid1]\nmd0 : active raid1 sda1[0](F) sdb1[\n      [99/0] [U_]\n",
    "/dev/md0:\n   Raid Level : raid6\n   Raid Devices : 99999999999999999999\n   State : clean, degraded\n",
    "/dev/md1:\n   Raid Level : raid1\n   Raid Devices : 2\n   Active Devices : 9\n   State : clean, degraded\n",
    "  pool: tank\n state: DEGRADED\n\ttank DEGRADED 1K 2M 99999999999999999999\n",
    "Enclosure Device ID: 1\nSlot Number: 1\nMedia Error Count: 9\nFirmware state: Failed\n",
    "CLI Version = 1\nController = 0\n0/0 RAID1 Dgrd RW Yes RWTD - ON 1 TB\n",
    "Smart Array P1\n physicaldrive 1I:1:1 (port, OK)\n",
    "[1.0] EDAC MC0: 99999999999999999999 CE error on é (channel:0)\n",
    "{99999999999999999999}[Hardware Error]: event severity: fatal\n",
    "[1.0] NVRM: Xid (PCI:0000): 79, é\n",
    "ID | Name | Type | State | Reading | Units | Event\n1 | a |\n",
    "mc0/csrow0/ce_count 99999999999999999999\nmc0: a: 1 Corrected Errors\n",
    "STATUS : ONLINE\nUPSMODE : x\nBCHARGE : -1\n",
    "Battery 0: design capacity 0 mAh, last full capacity 1e999 mAh\n",
    "<nvidia_smi_log>\n<gpu id=\"\">\n<remapped_row_pending>Yes</remapped_row_pending>\n",
    "NIC statistics:\n rx_packets: 0\n rx_crc_errors: 99999999999999999999\n",
    "vg-r: 0 1 mirror 99999999999999999999 a b AD\n",
    "/sys/block/md0/md/array_state:clean\n/sys/block/md0/md/dev-a/bad_blocks:1 99999999999999999999\n",
    "/sys/fs/btrfs/a/devinfo/1/error_stats:write_errs 99999999999999999999\n/sys/fs/btrfs/a/devinfo/1/missing:1\n",
    "/sys/devices/0000:00:01.0/0000:01:00.0/class:0x\n/sys/devices/a/aer_dev_fatal:DLP 99999999999999999999\n",
    "/sys/class/net/a/carrier_changes:1\n/sys/class/net/a/statistics/rx_crc_errors:99999999999999999999\n",
    "/sys/block/dm-0/dm/name:\n/sys/block/dm-0/slaves/a/device/state:offline\n/slaves/a/device/state:\n",
    "HardwareCorrupted: 99999999999999999999 kB\nHardwareCorrupted:\n",
    "/sys/class/drm/card0/device/ras/umc_err_count:ue: 99999999999999999999\n/ras/umc_err_count:ue: 1\n",
    "/sys/class/infiniband/a/ports/1/phys_state:\n/sys/class/infiniband/a/ports/1/counters/symbol_error:-1\n",
    "m: 0 1 multipath 2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 F 3 0 1\np: 0 1 thin-pool 1 1/0 2/3 Fail\n",
    "r: 0 1 raid raid5_ls 99999999999999999999 AAD 1/1 idle 99999999999999999999\nc: 0 1 cache 8 1024/1023 needs_check\n",
    "/sys/block/mmcblk0/device/life_time:0xff 0x99999999999999999999\n//life_time:\n",
    "{\"smartctl\": {\"exit_status\": -1}, \"ata_smart_attributes\": {\"table\": [{\"id\": 1e300, \"raw\": {}}]}}",
    "{\"Controllers\": [{\"Response Data\": {\"Drive x State\": []}}]}",
    "{\"pools\": {\"a\": {\"vdevs\": {\"a\": {\"vdevs\": {}}}}}}",
    "ioc0 vol_id 0 state é\nGuiErrMsg<\n1 a b\n",
    "u0 RAID-5 DEGRADED %RCmpl\np0 OK u0 1 2 3\n",
];

proptest! {
    #[test]
    fn every_reader_ends_on_torn_output(
        picks in prop::collection::vec(0..PIECES.len(), 1..6),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        given in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes: Vec<u8> = picks.iter().flat_map(|pick| PIECES[*pick].bytes()).collect();
        for (place, byte) in cuts {
            let at = place.index(bytes.len());
            match byte % 3 {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); bytes.push(b' '); }
                _ => bytes.insert(at, byte),
            }
        }
        let kinds: Vec<Kind> = Kind::all().map(|(kind, _, _)| kind).collect();
        let given = given.map(|place| kinds[place.index(kinds.len())]);
        if let Ok((_, facts)) = read(given, &bytes) {
            let findings = judge(&facts);
            let (_, reason) = verdict(&facts, &findings);
            prop_assert!(findings.iter().all(|finding| !finding.summary.is_empty() && !finding.rule.is_empty()));
            prop_assert!(findings.len() < 100 && reason.is_none_or(|reason| !reason.is_empty()));
        }
    }

    #[test]
    fn every_reader_ends_on_noise(bytes in prop::collection::vec(any::<u8>(), 0..600), place in any::<prop::sample::Index>()) {
        let kinds: Vec<Kind> = Kind::all().map(|(kind, _, _)| kind).collect();
        for kind in [None, Some(kinds[place.index(kinds.len())])] {
            if let Ok((_, facts)) = read(kind, &bytes) {
                prop_assert!(judge(&facts).len() < 100);
            }
        }
    }
}

#[test]
fn every_kind_has_a_name_of_its_own_by_which_it_is_found() {
    for (kind, name, tool) in Kind::all() {
        assert_eq!((Kind::named(name), kind.name()), (Some(kind), name));
        assert!(!tool.is_empty());
    }
    assert_eq!(Kind::named("nothing"), None);
}

#[test]
fn counts_beyond_all_measure_and_names_without_end_are_bounded() {
    let pool = "  pool: tank\n state: ONLINE\nconfig:\n\n\tNAME  STATE   READ WRITE CKSUM\n\ttank  ONLINE     0     0     0\n\t  \
                sda ONLINE     0     0 18446744073709551615K\n\nerrors: No known data errors\n";
    let (_, facts) = read(None, pool.as_bytes()).expect("a pool");
    let value = u64::MAX.to_string();
    assert!(judge(&facts).iter().any(|finding| finding.evidence.iter().any(|one| one.value == value)), "{facts:?}");

    let model = "\u{e9}".repeat(5_000);
    let drive = format!(
        r#"{{"smartctl":{{"exit_status":8}},"device":{{"name":"/dev/sda","protocol":"ATA"}},"model_name":"{model}",
            "serial_number":"S1","smart_status":{{"passed":false}}}}"#
    );
    let (_, facts) = read(None, drive.as_bytes()).expect("a drive");
    let findings = judge(&facts);
    assert_eq!(findings.first().map(|finding| finding.part.model.chars().count()), Some(256), "{findings:?}");
}

//! Sheets of parts: who it is, where it sits, what lies on it, what redundancy is left, and how its counters went.

use serde_json::json;

use super::super::{
    Part, Verdict,
    sheet::{Past, Sheet, Told, named, past, sheets},
};
use crate::domain::{hardware::assembly::State, time::Timestamp};

const DAY_MS: i64 = 86_400_000;

fn told(source: &str, device: &str, payload: &str) -> Told {
    let (source, device, outcome) = (source.to_owned(), device.to_owned(), "read".to_owned());
    let payload = payload.as_bytes().to_vec();
    Told { source, device, outcome, at: Timestamp::from_ms(7 * DAY_MS), payload, before: None }
}

/// A SATA drive that has so many pending sectors.
fn drive(device: &str, serial: &str, pending: u64) -> String {
    json!({
        "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": format!("/dev/{device}"), "type": "sat", "protocol": "ATA" },
        "model_name": "MADE UP 4000", "serial_number": serial, "firmware_version": "0001", "rotation_rate": 7200,
        "smart_status": { "passed": true }, "temperature": { "current": 33 },
        "ata_smart_attributes": { "table": [
            { "id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "worst": 100, "thresh": 10, "when_failed": "",
              "flags": { "prefailure": true }, "raw": { "value": 0, "string": "0" } },
            { "id": 197, "name": "Current_Pending_Sector", "value": 100, "worst": 100, "thresh": 0, "when_failed": "",
              "flags": {}, "raw": { "value": pending, "string": pending.to_string() } }] }
    })
    .to_string()
}

const LAYOUT: &str = "\
/sys/block/sda:../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda
/sys/block/sda/size:7814037168
/sys/block/sda/sda1/holders:md0
/sys/block/sdb:../devices/pci0000:00/0000:00:17.0/ata4/host3/target3:0:0/3:0:0:0/block/sdb
/sys/block/sdb/sdb1/holders:md0
/sys/class/enclosure/2:0:8:0/Slot 03/device/block:sda
/dev/md0:/srv
";

fn machine() -> Vec<Told> {
    let mdstat = "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0](F)\n      9 blocks super 1.2 [2/1] [_U]\n\n\
                  unused devices: <none>\n";
    vec![
        told("smartctl-json", "sda", &drive("sda", "MADE-UP-1", 24)),
        told("smartctl-json", "sdb", &drive("sdb", "MADE-UP-2", 0)),
        told("mdstat", "", mdstat),
        told("block-sysfs", "", LAYOUT),
    ]
}

fn sheet(name: &str) -> Sheet {
    named(sheets(&machine()), name).unwrap_or_else(|| panic!("no sheet of {name}"))
}

#[test]
fn a_drive_is_known_by_its_serial_its_node_and_its_partitions_on_one_sheet() {
    let parts = sheets(&machine());
    let names: Vec<&str> = parts.iter().map(|sheet| sheet.component.as_str()).collect();
    assert_eq!(names, ["drive MADE-UP-1", "drive MADE-UP-2", "array md0"]);
    for name in ["drive MADE-UP-1", "drive sda", "sda", "sda1"] {
        assert_eq!(sheet(name).part.serial, "MADE-UP-1", "{name}");
    }
    assert!(named(sheets(&machine()), "sdc").is_none() && named(sheets(&machine()), "").is_none());
}

#[test]
fn the_sheet_says_where_it_sits_what_lies_on_it_and_that_no_redundancy_is_left() {
    let failing = sheet("sda");
    let place = [
        ("Bay", "Slot 03 of enclosure 2:0:8:0"),
        ("Device", "/dev/sda"),
        ("ATA port", "ata3"),
        ("SCSI address", "2:0:0:0"),
        ("PCI address", "0000:00:17.0"),
    ];
    assert_eq!(failing.place, place.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(
        (failing.ways[0].devices.join(" "), failing.ways[0].mounts.join(" ")),
        ("sda1 md0".into(), "/srv".into())
    );
    let group = &failing.arrays[0];
    assert_eq!((group.name.as_str(), group.level.as_str(), group.spare_members), ("md0", "raid1", Some(0)));
    assert_eq!((group.state, group.member.as_str(), failing.arrays.len()), (State::Degraded, "(F) faulty", 1));
    let rules: Vec<&str> = failing.findings.iter().map(|finding| finding.rule).collect();
    assert!(rules.contains(&"drive-pending-sectors") && rules.contains(&"member-failed"), "{rules:?}");
    assert_eq!(failing.verdict().0, Verdict::Failed);
    let well = sheet("sdb");
    assert_eq!((well.verdict().0, well.findings.len(), well.arrays.len()), (Verdict::Healthy, 0, 1));
    assert_eq!(sheet("array md0").verdict().0, Verdict::Failing);
}

#[test]
fn members_of_pools_are_found_by_the_serial_in_their_name_and_of_controllers_by_the_serial_that_they_tell() {
    let zpool = "  pool: tank\n state: ONLINE\nconfig:\n\n\tNAME STATE READ WRITE CKSUM\n\ttank ONLINE 0 0 0\n\t  mirror-0 ONLINE 0 0 0\n\
                 \t    ata-MADE_UP_4000_MADE-UP-1-part1 ONLINE 0 0 0\n\t    ata-MADE_UP_4000_OTHER ONLINE 0 0 0\n\nerrors: No known data errors\n";
    let all = [told("smartctl-json", "sda", &drive("sda", "MADE-UP-1", 0)), told("zpool", "", zpool)];
    let found = named(sheets(&all), "sda").unwrap();
    let arrays: Vec<&str> = found.arrays.iter().map(|array| array.name.as_str()).collect();
    assert_eq!(arrays, ["tank", "mirror-0"], "{found:#?}");
    // Without a layout nothing is known of what lies on it.
    assert_eq!((found.ways.len(), found.place.as_slice()), (0, &[("Device", "/dev/sda".to_owned())][..]));
}

#[test]
fn a_finding_of_the_kernels_log_is_on_the_sheet_of_its_drive() {
    let mut all = machine();
    all.push(told(
        "kernel-log",
        "",
        "[    2.0] blk_update_request: critical medium error, dev sda, sector 4711 op 0x0:(READ)\n",
    ));
    let found = named(sheets(&all), "drive MADE-UP-1").unwrap();
    let from_log = found.findings.iter().filter(|finding| finding.rule.starts_with("kernel-")).count();
    assert_eq!(from_log, 1, "{:#?}", found.findings);
    assert_eq!(sheets(&all).len(), 3, "no second drive");
}

#[test]
fn counters_go_from_day_to_day_and_those_of_another_drive_in_the_same_place_do_not_count() {
    let day = |day: i64, serial: &str, pending: u64| {
        (Timestamp::from_ms(day * DAY_MS), drive("sda", serial, pending).into_bytes())
    };
    let said = [day(1, "OLD-ONE-1", 900), day(2, "MADE-UP-1", 0), day(3, "MADE-UP-1", 8), day(4, "MADE-UP-1", 24)];
    let found = past(&Part { serial: "MADE-UP-1".into(), ..Part::default() }, ("smartctl-json", "sda"), &said).courses;
    let pending = &found[0];
    assert_eq!((pending.name.as_str(), pending.unit), ("197 Current_Pending_Sector", ""));
    let at = |day: i64| Timestamp::from_ms(day * DAY_MS);
    assert_eq!(pending.points, [(at(2), 0), (at(3), 8), (at(4), 24)]);
    let names: Vec<&str> = found.iter().map(|course| course.name.as_str()).collect();
    assert_eq!(names, ["197 Current_Pending_Sector", "5 Reallocated_Sector_Ct", "Temperature"], "what moved first");
}

#[test]
fn parts_that_are_no_drives_have_a_past_too() {
    let edac = |corrected: u32| format!("/sys/devices/system/edac/mc/mc0/dimm2/dimm_ce_count:{corrected}\n");
    let both = format!("{}{}", edac(40), edac(50).replace("dimm2", "dimm3"));
    let parts: Vec<String> = sheets(&[told("edac", "mc0", &both)]).into_iter().map(|sheet| sheet.component).collect();
    assert_eq!(parts, ["memory mc0/dimm2", "memory mc0/dimm3"], "each is a part of its own");
    let found = named(sheets(&[told("edac", "mc0", &edac(40))]), "memory mc0/dimm2").unwrap();
    assert_eq!((found.evidence.clone(), found.outcome.as_str()), (("edac".into(), "mc0".into()), "read"));
    let at = |day: i64| Timestamp::from_ms(day * DAY_MS);
    let said = [(1, 2), (2, 2), (3, 40)].map(|(day, corrected)| (at(day), edac(corrected).into_bytes()));
    let courses = past(&found.part, ("edac", "mc0"), &said).courses;
    assert_eq!(
        (courses[0].name.as_str(), courses[0].points.as_slice()),
        ("Corrected errors", &[(at(1), 2), (at(2), 2), (at(3), 40)][..])
    );
    // Another module's counts are not its.
    let other = Part { slot: "mc0/dimm3".into(), ..found.part };
    assert_eq!(past(&other, ("edac", "mc0"), &said), Past::default());
}

#[test]
fn whatever_is_told_ends_with_sheets() {
    let all = [
        told("smartctl-json", "sda", "{\"smartctl\":"),
        told("smartctl-json", "sdb", "[]"),
        told("block-layout", "", "{\"block_layout\": {\"a\": 1}}"),
        told("mdstat", "", "md0 : active raid1"),
        told("evil", "\n", "\u{0}"),
    ];
    let parts = sheets(&all);
    let names: Vec<&str> = parts.iter().map(|sheet| sheet.component.as_str()).collect();
    assert_eq!(names, ["drive sdb", "array md0"], "an empty answer is of a drive of which nothing is known");
    assert_eq!(parts[0].verdict().0, Verdict::Unknown);
}

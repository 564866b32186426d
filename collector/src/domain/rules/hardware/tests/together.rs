//! What several sources say of one part is one finding, about the part that is to blame.

use proptest::prelude::*;

use super::super::{
    standing::{Seen, component, differences, findings, understood},
    together::Group,
};
use crate::domain::{
    finding::{FindingRow, Verdict},
    ids::HostNo,
    severity::Severity,
    time::Timestamp,
};

/// Four drives on one adapter, the first two in md0, the third with a file system; bays are known of the first.
fn topology() -> Seen {
    let mut text = String::new();
    for (n, name) in ["sda", "sdb", "sdc", "sdd"].iter().enumerate() {
        let place = format!("../devices/pci0000:00/0000:00:17.0/ata{0}/host{n}/target{n}:0:0/{n}:0:0:0", n + 1);
        text.push_str(&format!("/sys/block/{name}:{place}/block/{name}\n/sys/block/{name}/size:1000\n"));
    }
    text.push_str("/sys/block/sda/sda1/holders:md0\n/sys/block/sdb/sdb1/holders:md0\n");
    text.push_str("/sys/class/enclosure/0:0:10:0/Slot 03/device/block:sda\n/dev/md0:/srv\n/dev/sdc1:/var\n");
    seen("block-sysfs", "", &text)
}

fn seen(source: &str, device: &str, text: &str) -> Seen {
    let facts = understood(source, text.as_bytes()).unwrap_or_else(|| panic!("{source}: {text}"));
    Seen { device: device.into(), facts, before: None, used: Vec::new() }
}

fn drive(device: &str, passed: bool, pending: u64) -> Seen {
    let serial = format!("MADE-UP-{device}");
    let text = format!(
        r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"/dev/{device}","protocol":"ATA"}},"model_name":"MADE UP 4000",
        "serial_number":"{serial}","firmware_version":"0001","rotation_rate":7200,"smart_status":{{"passed":{passed}}},
        "ata_smart_attributes":{{"table":[{{"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,
        "when_failed":"","flags":{{"prefailure":false}},"raw":{{"value":{pending},"string":"{pending}"}}}}]}}}}"#
    );
    seen("smartctl-json", device, &text)
}

fn log(lines: &[&str]) -> Seen {
    let text: Vec<String> = lines.iter().map(|line| format!("[  100.000000] {line}")).collect();
    seen("kernel-log", "", &text.join("\n"))
}

fn mdstat(level: &str, members: &str, state: &str) -> Seen {
    let text = format!("Personalities : [{level}]\nmd0 : active {level} {members}\n      9 blocks super 1.2 {state}\n");
    seen("mdstat", "", &text)
}

/// Part, rules with the one that leads first, severity.
fn told(seen: &[Seen]) -> Vec<(String, Vec<&'static str>, Severity)> {
    let one = |group: &Group| {
        let rules = group.signs.iter().map(|sign| sign.rule).collect();
        (component(&group.part), rules, group.severity)
    };
    findings(seen).iter().map(one).collect()
}

const UNC: &str = "ata1.00: error: { UNC }";
const IO_ERROR: &str = "blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0";
const CRC: &str = "ata1: SError: { UnrecovData 10B8B BadCRC }";

#[test]
fn smart_log_and_array_about_one_drive_are_one_finding_with_serial_bay_and_what_it_carries() {
    let all = [
        topology(),
        drive("sda", true, 12),
        drive("sdb", true, 0),
        log(&[UNC, IO_ERROR]),
        mdstat("raid1", "sdb1[1] sda1[0](F)", "[2/1] [_U]"),
        // Two sources tell of one array.
        seen("md-sysfs", "md0", "/sys/block/md0/md/level:raid1\n/sys/block/md0/md/degraded:1\n"),
    ];
    let expected = ["drive-pending-sectors", "kernel-medium-error", "member-failed", "kernel-io-error"];
    let found = findings(&all);
    let group = found.iter().find(|group| group.part.kind == "drive").unwrap();
    let mut rules: Vec<_> = group.signs.iter().map(|sign| sign.rule).collect();
    assert!(["drive-pending-sectors", "kernel-medium-error"].contains(&rules[0]), "{rules:?}");
    rules.sort_unstable();
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    assert_eq!(rules, sorted);
    let part = &group.part;
    let named = [&part.name, &part.serial, &part.model, &part.firmware, &part.slot].map(String::as_str);
    assert_eq!(named, ["/dev/sda", "MADE-UP-sda", "MADE UP 4000", "0001", "Slot 03 of enclosure 0:0:10:0"]);
    assert_eq!(group.carries, ["md0 (raid1, no other member may fail)", "/srv"]);
    // The array has a finding of its own, and says which drive is why.
    let array = found.iter().find(|group| group.part.kind == "array").unwrap();
    assert_eq!((component(&array.part).as_str(), array.cause.as_deref()), ("array md0", Some("drive MADE-UP-sda")));
    assert_eq!(found.len(), 2, "{:?}", told(&all));
}

#[test]
fn a_drive_without_damage_behind_a_link_with_errors_is_not_blamed_and_one_with_damage_is() {
    let lines = [CRC, CRC, CRC, IO_ERROR];
    let well = [topology(), drive("sda", true, 0), log(&lines)];
    let link = ("link MADE-UP-sda".to_owned(), vec!["kernel-link-errors", "kernel-io-error"], Severity::Warning);
    assert_eq!(told(&well), [link]);
    let sick = [topology(), drive("sda", true, 12), log(&lines)];
    let drive_too =
        ("drive MADE-UP-sda".to_owned(), vec!["drive-pending-sectors", "kernel-io-error"], Severity::Warning);
    assert_eq!(told(&sick)[0], drive_too);
    assert_eq!(told(&sick)[1].1, ["kernel-link-errors"]);
}

#[test]
fn three_drives_of_one_adapter_that_fail_alike_blame_the_adapter_and_two_do_not() {
    let line = |n: usize| format!("sd {n}:0:0:0: attempting task abort!scmd(0x0) [sd{}]", ['a', 'b', 'c', 'd'][n]);
    let lines: Vec<String> = (0..3).map(line).collect();
    let said = |lines: &[String]| log(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let drives = ["sda", "sdb", "sdc", "sdd"].map(|name| drive(name, true, 0));
    let all: Vec<Seen> = [topology(), said(&lines)].into_iter().chain(drives.clone()).collect();
    assert_eq!(told(&all), [("adapter 0000:00:17.0".to_owned(), vec!["adapter-suspected"], Severity::Warning)]);
    let two: Vec<Seen> = [topology(), said(&lines[..2])].into_iter().chain(drives).collect();
    assert_eq!(
        told(&two).iter().map(|(part, ..)| part.as_str()).collect::<Vec<_>>(),
        ["drive MADE-UP-sda", "drive MADE-UP-sdb"]
    );
}

#[test]
fn a_file_system_that_fails_above_a_failing_drive_is_told_with_it() {
    let filesystem = "EXT4-fs error (device md0): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0";
    let all = [topology(), drive("sda", true, 12), drive("sdb", true, 0), log(&[filesystem])];
    let expected =
        ("drive MADE-UP-sda".to_owned(), vec!["drive-pending-sectors", "kernel-filesystem"], Severity::Warning);
    assert_eq!(told(&all), [expected]);
    // With two drives that are well below it nobody knows which, or whether it is either.
    let well = [topology(), drive("sda", true, 0), drive("sdb", true, 0), log(&[filesystem])];
    assert_eq!(told(&well), [("storage md0".to_owned(), vec!["kernel-filesystem"], Severity::Warning)]);
}

#[test]
fn a_drive_that_says_that_it_fails_calls_nobody_while_its_array_bears_that_and_one_more() {
    let severity = |level: &str, members: &str, state: &str| {
        let all = told(&[topology(), drive("sda", false, 0), mdstat(level, members, state)]);
        all.into_iter().find(|(part, ..)| part == "drive MADE-UP-sda").unwrap().2
    };
    let six = "sdf1[5] sde1[4] sdd1[3] sdc1[2] sdb1[1] sda1[0]";
    assert_eq!(severity("raid6", six, "[6/6] [UUUUUU]"), Severity::Warning);
    assert_eq!(severity("raid6", six, "[6/5] [UUUUU_]"), Severity::Critical);
    assert_eq!(severity("raid1", "sdb1[1] sda1[0]", "[2/2] [UU]"), Severity::Critical);
    // A drive of which nothing is known to lie in an array.
    assert_eq!(told(&[topology(), drive("sdd", false, 0)])[0].2, Severity::Critical);
    // Part of it is in the array, and part is not.
    let mut beside = topology();
    if let crate::domain::hardware::Facts::Topology(topology) = &mut beside.facts {
        let text = "/sys/block/sda/sda1/holders:md0\n/dev/sda2:/boot\n/sys/block/sda/size:9\n";
        let Some(crate::domain::hardware::Facts::Topology(read)) = understood("block-sysfs", text.as_bytes()) else {
            panic!("{text}")
        };
        *topology = read;
    }
    let both = [beside, drive("sda", false, 0), mdstat("raid6", six, "[6/6] [UUUUUU]")];
    assert_eq!(told(&both)[0].2, Severity::Critical);
}

fn opened(groups: &[Group], open: &[FindingRow]) -> Vec<FindingRow> {
    let mut open = open.to_vec();
    for judgement in differences(groups, &open) {
        open.retain(|row| (&row.part, row.rule.as_str()) != (&judgement.part, judgement.rule));
        if let Verdict::Holds { severity, evidence } = judgement.verdict {
            let (part, rule, since) = (judgement.part, judgement.rule.to_owned(), Timestamp::from_ms(0));
            let cause = judgement.cause;
            open.push(FindingRow { host: HostNo(1), part, rule, open: true, severity, since, evidence, cause });
        }
    }
    open
}

#[test]
fn a_part_keeps_the_name_of_its_trouble_until_a_worse_one_comes() {
    let pending = [topology(), drive("sda", true, 12)];
    let open = opened(&findings(&pending), &[]);
    assert_eq!(open[0].rule, "drive-pending-sectors");
    // More of the same weight joins it.
    let more = [topology(), drive("sda", true, 12), log(&[UNC])];
    let open = opened(&findings(&more), &open);
    assert_eq!(open.iter().map(|row| row.rule.as_str()).collect::<Vec<_>>(), ["drive-pending-sectors"]);
    assert!(open[0].evidence.contains("also: sectors of it cannot be read"), "{}", open[0].evidence);
    // What is worse is said before what it takes the place of ends, both of one cause.
    let judgements = differences(&findings(&[topology(), drive("sda", false, 12), log(&[UNC])]), &open);
    let said: Vec<_> = judgements.iter().map(|one| (one.rule, matches!(one.verdict, Verdict::Holds { .. }))).collect();
    assert_eq!(said, [("drive-failed-self-verdict", true), ("drive-pending-sectors", false)]);
    assert!(judgements.iter().all(|one| one.cause.as_deref() == Some("drive MADE-UP-sda")), "{judgements:?}");
}

/// Lines about one of four drives, and what the drives say.
fn anything() -> impl Strategy<Value = Vec<Seen>> {
    let lines = prop::collection::vec((0..4_usize, 0..6_usize), 0..12);
    let drives = prop::collection::vec((any::<bool>(), 0..20_u64), 4);
    (any::<bool>(), lines, drives).prop_map(|(has_topology, lines, drives)| {
        let name = |n: usize| ["sda", "sdb", "sdc", "sdd"][n];
        let line = |(n, what): (usize, usize)| match what {
            0 => format!("ata{}.00: error: {{ UNC }}", n + 1),
            1 => format!("ata{}: SError: {{ BadCRC }}", n + 1),
            2 => format!("sd {n}:0:0:0: attempting task abort!scmd(0x0) [{}]", name(n)),
            3 => format!("blk_update_request: I/O error, dev {}, sector 2048", name(n)),
            4 => format!("sd {n}:0:0:0: rejecting I/O to offline device"),
            _ => "EXT4-fs error (device md0): reading directory lblock 0".to_owned(),
        };
        let lines: Vec<String> = lines.into_iter().map(line).collect();
        let mut all: Vec<Seen> = has_topology.then(topology).into_iter().collect();
        if !lines.is_empty() {
            all.push(log(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        all.extend(drives.iter().enumerate().map(|(n, (passed, pending))| drive(name(n), *passed, *pending)));
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_part_is_told_once_whatever_comes_and_saying_it_again_changes_nothing(all in anything()) {
        let groups = findings(&all);
        let mut parts: Vec<String> = groups.iter().map(|group| component(&group.part)).collect();
        let open = opened(&groups, &[]);
        prop_assert_eq!(open.len(), groups.len());
        prop_assert_eq!(differences(&groups, &open), vec![]);
        prop_assert!(groups.iter().all(|group| !group.signs.is_empty()));
        // As bad as the worst of its signs, or spared for its array's sake.
        for group in &groups {
            let worst = group.signs.iter().map(|sign| sign.severity).max().unwrap();
            prop_assert!(group.severity == worst || (group.severity, worst) == (Severity::Warning, Severity::Critical));
        }
        parts.dedup();
        prop_assert_eq!(parts.len(), groups.len());
        // Nothing that was said before is open besides.
        prop_assert_eq!(opened(&[], &open), vec![]);
    }
}

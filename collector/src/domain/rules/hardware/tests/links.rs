//! Links of Fibre Channel and SAS, modules of memory that are gone, and arrays that do not move.

use super::{
    Severity::Warning,
    Verdict::{Failing, Healthy},
    WELL, check_cases,
};
use crate::domain::{
    hardware,
    rules::hardware::{Finding, growth},
    severity::Severity,
};

/// What is worse in a text than in another, both of this kind.
fn worse(now: &str, then: &str) -> Vec<Finding> {
    let read = |text: &str| hardware::read(None, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}")).1;
    growth::judge(&read(now), &read(then))
}

fn said(now: &str, then: &str) -> Vec<(&'static str, Severity)> {
    worse(now, then).iter().map(|finding| (finding.rule, finding.severity)).collect()
}

#[test]
fn a_port_of_fibre_channel_is_judged_by_its_own_past() {
    let port = |state: &str, damaged: &str| {
        let host = "/sys/class/fc_host/host3";
        format!(
            "{host}/port_name:0x1000000000000001\n{host}/port_state:{state}\n{host}/speed:16 Gbit\n{host}/symbolic_name:MADE UP HBA\n\
             {host}/statistics/invalid_crc_count:{damaged}\n{host}/statistics/loss_of_sync_count:0xffffffffffffffff\n"
        )
    };
    let then = port("Online", "0x5");
    check_cases("fc-sysfs", &[(&then, WELL.0, WELL.1), (&port("Linkdown", "0xff"), WELL.0, WELL.1)]);
    assert_eq!(said(&port("Online", "0xe"), &then), []);
    assert_eq!(said(&port("Online", "0xf"), &then), [("fc-link-errors", Warning)]);
    assert_eq!(said(&port("Linkdown", "0x5"), &then), [("fc-port-down", Warning)]);
    assert_eq!(said(&then, &port("Linkdown", "0x5")), []);
    let part = worse(&port("Linkdown", "0x5"), &then).remove(0).part;
    assert_eq!((part.kind, part.name.as_str(), part.model.as_str()), ("link", "host3", "MADE UP HBA"));
}

#[test]
fn a_link_of_sas_may_come_up_and_may_not_go_on_making_errors() {
    let phys = |words: u32, lost: u32| {
        let (one, other) = ("/sys/class/sas_phy/phy-0:1:12", "/sys/class/sas_phy/phy-0:3");
        format!(
            "{one}/sas_address:0x5000000000000001\n{one}/negotiated_linkrate:12.0 Gbit\n{one}/invalid_dword_count:{words}\n\
             {one}/loss_of_dword_sync_count:{lost}\n{other}/negotiated_linkrate:Unknown\n"
        )
    };
    let then = phys(7, 1);
    check_cases("sas-sysfs", &[(&then, WELL.0, WELL.1)]);
    assert_eq!(said(&phys(1_006, 10), &then), []);
    assert_eq!(said(&phys(1_007, 1), &then), [("sas-link-errors", Warning)]);
    assert_eq!(said(&phys(7, 11), &then), [("sas-link-errors", Warning)]);
    // Counts of nothing are not sent.
    let none = "/sys/class/sas_phy/phy-0:1:12/sas_address:0x5000000000000001\n/sys/class/sas_phy/phy-0:1:12/negotiated_linkrate:12.0 Gbit\n";
    assert_eq!(
        said(&phys(7, 11), &format!("{none}/sys/class/sas_phy/x/invalid_dword_count:1\n")),
        [("sas-link-errors", Warning)]
    );
    assert_eq!(worse(&phys(7, 11), &then).remove(0).part.name, "phy-0:1:12");
}

#[test]
fn a_module_that_is_gone_or_smaller_is_told_by_its_label() {
    let modules = |sizes: &[(u32, u32)]| -> String {
        let controller = "/sys/devices/system/edac/mc/mc0";
        let module = |(n, mib): &(u32, u32)| {
            let module = format!("{controller}/dimm{n}");
            format!("{module}/dimm_label:CPU0 DIMM {n}\n{module}/size:{mib}\n{module}/dimm_ce_count:0\n")
        };
        format!("{controller}/ce_count:0\n{controller}/size_mb:1\n{}", sizes.iter().map(module).collect::<String>())
    };
    let then = modules(&[(0, 16_384), (2, 16_384), (4, 0)]);
    check_cases("edac", &[(&then, WELL.0, WELL.1)]);
    assert_eq!(said(&then, &then), []);
    assert_eq!(said(&modules(&[(0, 16_384), (2, 32_768), (4, 16_384)]), &then), [], "larger");
    let slots = |now: &str| -> Vec<String> { worse(now, &then).into_iter().map(|finding| finding.part.slot).collect() };
    assert_eq!(slots(&modules(&[(0, 16_384), (4, 0)])), ["CPU0 DIMM 2"]);
    assert_eq!(slots(&modules(&[(0, 8_192), (2, 16_384)])), ["CPU0 DIMM 0"]);
    assert_eq!(said(&modules(&[(0, 8_192), (2, 16_384)]), &then), [("memory-missing", Warning)]);
    assert_eq!(said(&modules(&[]), &then), [], "another driver, or none");
}

#[test]
fn less_memory_than_before_is_told_from_a_module_on() {
    let total = |kib: u64| format!("MemTotal:       {kib} kB\nHardwareCorrupted:     0 kB\n");
    let then = total(33_000_000);
    assert_eq!(said(&total(32_000_001), &then), []);
    assert_eq!(said(&total(32_000_000), &then), [("memory-missing", Warning)]);
    assert_eq!(said(&total(66_000_000), &then), []);
    // A kernel that reserves more of much memory.
    assert_eq!(said(&total(525_000_000), &total(528_000_000)), []);
}

#[test]
fn a_synchronisation_that_does_not_move_is_told_and_one_that_does_is_not() {
    let md = |hours: &str| {
        let array = "/sys/block/md0/md";
        format!(
            "{array}/level:raid1\n{array}/raid_disks:2\n{array}/array_state:clean\n{array}/degraded:0\n{array}/sync_action:resync\n{hours}"
        )
    };
    let syncing = ("array-syncing", Severity::Info);
    check_cases(
        "md-sysfs",
        &[
            (&md(""), Healthy, &[syncing]),
            (&md("/sys/block/md0/md/sync_unchanged_hours:3\n"), Failing, &[("array-sync-stuck", Warning), syncing]),
        ],
    );
}

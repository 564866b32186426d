//! What is not storage, and the kernel's log, which speaks of everything.

use super::{
    Severity::{Critical, Info, Warning},
    Verdict::{Failed, Failing, Healthy, Unknown},
    WELL, check_cases, judged,
};

#[test]
fn the_kernels_log_blames_the_part_that_its_lines_blame() {
    let medium = "[ 100.000000] sd 0:0:0:0: [sda] tag#25 Sense Key : Medium Error [current]\n";
    let link = "[ 100.000000] ata1.00: exception Emask 0x10 SAct 0x1 SErr 0x200100 action 0x6 frozen\n\
         [ 100.000001] ata1.00: irq_stat 0x08000000, interface fatal error\n[ 100.000002] ata1: SError: { UnrecovData BadCRC }\n";
    let gone = "[ 100.000000] nvme nvme2: I/O 0 QID 0 timeout, reset controller\n[ 130.000000] nvme nvme2: Removing after probe failure status: -19\n";
    let late = "[ 100.000000] nvme nvme1: I/O 775 QID 2 timeout, aborting\n";
    let corrected = "[ 100.000000] pcieport 0000:00:1c.5: PCIe Bus Error: severity=Corrected, type=Physical Layer, id=00e5(Receiver ID)\n";
    let fatal =
        "[ 100.000000] pcieport 0000:00:1c.5: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer\n";
    let panic = "[ 100.000000] Kernel panic - not syncing: Attempted to kill init!\n";
    let quiet = "[ 100.000000] usb 1-1: new high-speed USB device number 2 using xhci_hcd\n";
    let image = "[ 100.000000] Buffer I/O error on device loop0, logical block 1543\n[ 101.000000] EXT4-fs (loop0): Remounting filesystem read-only\n";
    let disk = "[ 100.000000] Buffer I/O error on device sdc1, logical block 1543\n[ 101.000000] EXT4-fs (sdc1): Remounting filesystem read-only\n";
    let floppy = "[ 100.000000] blk_update_request: I/O error, dev fd0, sector 0\n";
    check_cases(
        "kernel-log",
        &[
            (medium, Failing, &[("kernel-medium-error", Warning)]),
            (link, Failing, &[("kernel-link-errors", Warning)]),
            (gone, Failed, &[("kernel-nvme-gone", Critical), ("kernel-nvme-timeout", Info)]),
            (late, Healthy, &[("kernel-nvme-timeout", Info)]),
            (corrected, Healthy, &[("pcie-corrected", Info)]),
            (fatal, Failed, &[("pcie-fatal", Critical)]),
            (panic, Unknown, &[("kernel-panic", Info)]),
            (quiet, Unknown, &[]),
            (floppy, Healthy, &[("kernel-removable-medium", Info)]),
            (image, Healthy, &[("kernel-removable-medium", Info), ("kernel-removable-medium", Info)]),
            (disk, Failing, &[("kernel-io-error", Warning), ("kernel-filesystem", Warning)]),
        ],
    );
    assert_eq!((judged(medium).2[0].part.name.as_str(), judged(link).2[0].part.kind), ("sda", "link"));
}

#[test]
fn a_member_that_failed_is_told_until_its_array_has_recovered() {
    let failed = |array: &str, disk: &str| {
        format!(
            "[ 179.741538] md/raid1:{array}: Disk failure on {disk}, disabling device.\n               \
             md/raid1:{array}: Operation continuing on 1 devices.\n"
        )
    };
    let recovered = "[ 182.000000] md: md0: recovery done.\n";
    let member: &[_] = &[("kernel-array-member-failed", Warning)];
    check_cases(
        "kernel-log",
        &[
            (&failed("md0", "sdb"), Failed, member),
            (&(failed("md0", "sdb") + recovered), Unknown, &[]),
            (&(recovered.to_owned() + &failed("md0", "sdb")), Failed, member),
            (&(failed("md0", "sdb") + &failed("md10", "sdc") + recovered), Failed, member),
        ],
    );
}

#[test]
fn a_banks_status_says_whether_its_error_was_corrected() {
    let bank = |status: &str| format!("[ 1.000000] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: {status}\n");
    // The highest digit has bits 63 to 60: 0xb is 1011, with bit 61; 0x8 is 1000, without.
    check_cases(
        "kernel-log",
        &[
            (&bank("be00000000800400"), Failing, &[("machine-check", Critical)]),
            (&bank("8c00004f000800c2"), Healthy, &[("machine-check-note", Info)]),
            ("[ 1.000000] ata3.00: disabled\n", Failed, &[("kernel-disk-offline", Critical)]),
        ],
    );
}

#[test]
fn memory_errors_are_counted_for_each_module() {
    let edac = |count: u32, label: &str| {
        format!("[ 100.000000] EDAC MC0: {count} CE error on {label} (channel:2 slot:0 page:0x0)\n")
    };
    let firmware = |number: u32| {
        format!(
            "[ 100.000000] {{{number}}}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4\n\
             [ 100.000000] {{{number}}}[Hardware Error]: event severity: corrected\n[ 100.000000] {{{number}}}[Hardware Error]:  fru_text: D2\n\
             [ 100.000000] {{{number}}}[Hardware Error]:   section_type: memory error\n"
        )
    };
    check_cases(
        "kernel-log",
        &[
            (&edac(9, "DIMM_A1"), Unknown, &[("memory-corrected", Info)]),
            (&(edac(4, "DIMM_A1") + &edac(6, "DIMM_A1")), Failing, &[("memory-corrected", Warning)]),
            (
                &(edac(9, "DIMM_A1") + &edac(9, "DIMM_B1")),
                Unknown,
                &[("memory-corrected", Info), ("memory-corrected", Info)],
            ),
            (&firmware(3), Unknown, &[("memory-corrected", Info)]),
            (&firmware(35), Failing, &[("memory-corrected", Warning)]),
            ("[ 100.000000] EDAC MC0: 1 UE on DIMM_A1 (channel:0)\n", Failed, &[("memory-uncorrected", Critical)]),
        ],
    );
    assert_eq!(judged(&firmware(35)).2[0].part.name, "D2");
    let daemon = "SOCKET 0 CHANNEL 1 DIMM any\ncorrected memory errors:\n\t11 total\n\t0 in 24h\n\
                  uncorrected memory errors:\n\t0 total\n\t0 in 24h\n";
    check_cases(
        "edac",
        &[
            (
                "\tCorrected on DIMM Label(s): 'A1' location: 0:1:0:-1 errors: 12\n",
                Failing,
                &[("memory-corrected", Warning)],
            ),
            (daemon, Failing, &[("memory-corrected", Warning)]),
            ("mc0/csrow0/ue_count 0\nmc0/csrow0/ce_count 9\nmc0/ce_count 9\n", Unknown, &[("memory-corrected", Info)]),
            (
                "mc0/csrow0/ue_count 0\nmc0/csrow0/ce_count 10\nmc0/ce_count 10\n",
                Failing,
                &[("memory-corrected", Warning)],
            ),
            ("mc0/csrow0/ue_count 1\nmc0/csrow0/ce_count 0\n", Failed, &[("memory-uncorrected", Critical)]),
            ("mc0/csrow0/ue_count 0\nmc0/csrow0/ce_count 0\n", WELL.0, WELL.1),
            ("mc0: csrow2: CPU_SrcID#0_Channel#1: 12 Corrected Errors\n", Failing, &[("memory-corrected", Warning)]),
        ],
    );
    let label = "\tCorrected on DIMM Label(s): 'A1' location: 0:1:0:-1 errors: 12\n";
    assert_eq!(judged(label).2[0].part.slot, "A1");
}

#[test]
fn errors_of_programs_on_a_gpu_are_no_hardwares() {
    let xid = |code: u32| format!("[ 100.000000] NVRM: Xid (PCI:0000:9b:00): {code}, pid=2024380, name=a\n");
    let silent = "[ 100.000000] NVRM: GPU 0000:b3:00.0 has fallen off the bus and is not responding to commands.\n";
    check_cases(
        "kernel-log",
        &[
            (&xid(13), Healthy, &[("gpu-xid-of-a-program", Info)]),
            (&xid(119), Failing, &[("gpu-xid", Warning)]),
            (&xid(79), Failed, &[("gpu-off-the-bus", Critical)]),
            (silent, Failed, &[("gpu-off-the-bus", Critical)]),
        ],
    );
    let rows = |pending: &str, failure: &str, count: u32| {
        format!(
            "    Product Name : ACME G1\n    Remapped Rows\n        Correctable Error : 0\n        Uncorrectable Error : {count}\n\
             \x20       Pending : {pending}\n        Remapping Failure Occurred : {failure}\n"
        )
    };
    check_cases(
        "gpu",
        &[
            (&rows("No", "No", 0), WELL.0, WELL.1),
            (&rows("No", "No", 4), Unknown, &[("gpu-rows-remapped", Info)]),
            (&rows("Yes", "No", 4), Failing, &[("gpu-remap-pending", Warning)]),
            (&rows("No", "Yes", 4), Failed, &[("gpu-remap-failed", Critical)]),
        ],
    );
}

#[test]
fn sensors_without_a_reading_are_no_fault_and_events_that_are_over_neither() {
    let sensors = |state: &str, event: &str| {
        format!(
            "ID  | Name  | Type  | State  | Reading  | Units  | Event\n7   | PSU 1 | Power Supply | {state} | N/A | N/A | '{event}'\n"
        )
    };
    let sel = |second: &str| {
        format!(
            "   1 | 10/06/2026 | 19:47:13 | Power Supply #0x51 | Power Supply AC lost | Asserted\n   2 | 10/06/2026 | 19:49:13 | {second}\n"
        )
    };
    check_cases(
        "ipmi",
        &[
            (&sensors("Nominal", "Presence detected"), WELL.0, WELL.1),
            (&sensors("N/A", "N/A"), WELL.0, WELL.1),
            (&sensors("Critical", "Presence detected"), Failing, &[("bmc-sensor", Critical)]),
            // ipmitool#176: rated well beside a bit that says the contrary.
            ("PS Redundancy,77h,ok,7.1,Redundancy Lost\n", Failing, &[("bmc-sensor", Warning)]),
            ("PS Redundancy,77h,ok,7.1,Fully Redundant\n", WELL.0, WELL.1),
            (
                "1 | Pre-Init  |0000000008| Memory #0x53 | Uncorrectable ECC | Asserted\n",
                Failed,
                &[("bmc-event", Warning)],
            ),
            ("FAN1 | 0.000 | RPM | cr | 300.0 | 500.0 | 700.0 | na | na | na\n", Failing, &[("bmc-sensor", Critical)]),
            ("FAN1 | na | RPM | na | 300.0 | 500.0 | 700.0 | na | na | na\n", Healthy, &[]),
            (&sel("Fan #0x30 | Transition to OK | Asserted"), Failing, &[("bmc-event", Warning)]),
            (&sel("Power Supply #0x51 | Power Supply AC lost | Deasserted"), WELL.0, WELL.1),
            (
                &sel("Memory #0x53 | Uncorrectable ECC | Asserted"),
                Failed,
                &[("bmc-event", Warning), ("bmc-event", Warning)],
            ),
        ],
    );
}

#[test]
fn a_limit_that_was_passed_is_an_event_until_the_way_back_is_logged() {
    let sel = |lines: &[&str]| -> String {
        let line =
            |(at, line): (usize, &&str)| format!("   {at} | 11/30/26 | 09:08:3{at} UTC | Temperature #0x30 | {line}\n");
        lines.iter().enumerate().map(line).collect()
    };
    let free = |event: &str| {
        format!("ID  | Date | Time | Name | Type | Event\n1   | Nov-30-2026 | 09:08:31 | Fan 1 | Fan | {event}\n")
    };
    let (event, none): (&[_], &[_]) = (&[("bmc-event", Warning)], &[]);
    check_cases(
        "ipmi",
        &[
            (&sel(&["Upper Critical going high | Asserted"]), Failing, event),
            (&sel(&["Lower Non-recoverable going low  | Asserted"]), Failing, event),
            (&sel(&["Upper Critical going high | Asserted", "Upper Critical going high | Deasserted"]), WELL.0, WELL.1),
            (&sel(&["Upper Critical going high | Deasserted", "Upper Critical going high | Asserted"]), Failing, event),
            // Back below the limit, and a limit that is only a notice.
            (&sel(&["Upper Critical going low | Asserted"]), Healthy, none),
            (&sel(&["Upper Non-critical going high | Asserted"]), Healthy, none),
            (&free("Lower Critical - going low ; Sensor Reading = 0.00 RPM"), Failing, event),
        ],
    );
}

#[test]
fn supplies_and_batteries_are_judged_by_what_they_still_hold() {
    let ups = |status: &str| {
        format!(
            "APC : 001\nUPSMODE : Stand Alone\nMODEL : ACME U1\nSTATUS : {status}\nBCHARGE : 100.0 Percent\nLOADPCT : 9.0\n"
        )
    };
    check_cases(
        "ups",
        &[
            (&ups("ONLINE"), WELL.0, WELL.1),
            (&ups("ONLINE REPLACEBATT"), Failing, &[("ups-replace-battery", Warning)]),
            (&ups("ONBATT LOWBATT"), Failing, &[("ups-low-battery", Critical), ("ups-on-battery", Info)]),
            (&ups("COMMLOST"), Unknown, &[("ups-silent", Info)]),
            ("VAR u1 ups.load \"9\"\nVAR u1 ups.status \"OL RB\"\n", Failing, &[("ups-replace-battery", Warning)]),
            ("ups.load: 9\nups.status: OL RB\n", Failing, &[("ups-replace-battery", Warning)]),
            ("battery.charge: 100\nups.load: 96\nups.status: OL\n", Failing, &[("ups-overload", Warning)]),
        ],
    );
    let acpi = |full: u32| {
        format!(
            "Battery 0: Discharging, 98%, 01:43:14 remaining\nBattery 0: design capacity 4000 mAh, last full capacity {full} mAh = 0%\n"
        )
    };
    check_cases(
        "battery",
        &[
            (&acpi(4200), WELL.0, WELL.1),
            (&acpi(3200), WELL.0, WELL.1),
            (&acpi(3199), Healthy, &[("battery-worn", Info)]),
            (&acpi(2400), Healthy, &[("battery-worn", Info)]),
            (&acpi(2399), Failing, &[("battery-worn", Warning)]),
            (&acpi(9000), WELL.0, WELL.1),
            ("Battery 0: Not charging, 100%\n", Unknown, &[]),
        ],
    );
    let uevent =
        "POWER_SUPPLY_NAME=BAT0\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=50000000\nPOWER_SUPPLY_ENERGY_FULL=20000000\n";
    check_cases("battery", &[(uevent, Failing, &[("battery-worn", Warning)])]);
}

#[test]
fn damaged_frames_blame_the_cable_and_darkness_nobody() {
    let frames = |damaged: u32| {
        format!("NIC statistics:\n     rx_packets: 1000\n     rx_crc_errors: {damaged}\n     rx_missed: 401\n")
    };
    let module = |alarm: &str| {
        format!("Transceiver codes : 0x20\nAlarm/warning flags implemented : Yes\nVendor PN : ACME-M1\n{alarm} : On\n")
    };
    let bond = |first: &str, second: &str| {
        format!(
            "Ethernet Channel Bonding Driver: v5\n\nSlave Interface: eth0\nMII Status: {first}\n\nSlave Interface: eth1\nMII Status: {second}\n"
        )
    };
    check_cases(
        "nic",
        &[
            (&frames(0), WELL.0, WELL.1),
            (&frames(10), Healthy, &[("nic-damaged-frames", Info)]),
            (&frames(11), Failing, &[("nic-damaged-frames", Warning)]),
            (&module("Laser rx power low alarm"), Unknown, &[("module-alarm", Info)]),
            (&module("Module temperature high alarm"), Failing, &[("module-alarm", Warning)]),
            (&bond("up", "up"), WELL.0, WELL.1),
            (&bond("up", "down"), Failing, &[("bond-member-down", Warning)]),
            (&bond("down", "down"), Failed, &[("bond-member-down", Critical), ("bond-member-down", Critical)]),
        ],
    );
}

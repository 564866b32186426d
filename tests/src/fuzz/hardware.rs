//! What tools print of hardware, from the bytes to the findings.

use muster_collector::domain::hardware::{self, Kind};
use muster_collector::domain::rules::hardware::{Finding, judge, named, verdict};

use super::damage::{Rng, damaged};
use super::{Parser, Read, Row, promise};

/// Longest text of a tool that is taken over, in characters (collector/src/domain/hardware/text.rs).
const TEXT_CHARS: usize = 256;

/// Kinds, and outputs made up of what such tools print.
const SAMPLES: &[(&str, &str)] = &[
    (
        "smartctl-json",
        r#"{"smartctl":{"version":[7,3],"exit_status":8},"device":{"name":"/dev/nvme0","type":"nvme","protocol":"NVMe"},
        "model_name":"MADE UP","serial_number":"S1","firmware_version":"1.0","smart_status":{"passed":false,"nvme":{"value":4}},
        "nvme_smart_health_information_log":{"critical_warning":4,"temperature":50,"available_spare":100,
        "available_spare_threshold":10,"percentage_used":3,"media_errors":12,"num_err_log_entries":9}}"#,
    ),
    (
        "smartctl-json",
        r#"{"smartctl":{"exit_status":216},"device":{"name":"/dev/sda","protocol":"ATA"},"model_name":"MADE UP 4000",
        "serial_number":"S2","rotation_rate":7200,"smart_status":{"passed":true},"temperature":{"current":41},
        "wwn":{"naa":5,"oui":20,"id":30},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":1,
        "worst":1,"thresh":10,"when_failed":"now","flags":{"prefailure":true},"raw":{"value":2005,"string":"2005"}},
        {"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,"raw":{"value":8,"string":"8"}}]},
        "ata_smart_self_test_log":{"standard":{"table":[{"type":{"string":"Extended offline"},"status":{"string":
        "Completed: read failure","passed":false},"lifetime_hours":9}]}},"ata_smart_error_log":{"summary":{"count":2,
        "table":[{"error_description":"Error: UNC at LBA = 1"}]}}}"#,
    ),
    (
        "smartctl-text",
        "=== START OF INFORMATION SECTION ===\nDevice Model:     MADE UP 4000\nSerial Number:    S3\n\
         SMART overall-health self-assessment test result: FAILED!\n\
         \x20 5 Reallocated_Sector_Ct   0x0033   001   001   005    Pre-fail  Always   FAILING_NOW 2005\n\
         197 Current_Pending_Sector  -O--CK   100   100   000    -    12\n\
         # 1  Extended offline    Completed: read failure       90%      3729         16572790\n",
    ),
    (
        "nvme-text",
        "Smart Log for NVME device:nvme0 namespace-id:ffffffff\ncritical_warning : 0x4\ntemperature : 40 C\n\
         available_spare : 5%\navailable_spare_threshold : 10%\npercentage_used : 101%\nmedia_errors : 11\n",
    ),
    (
        "mdstat",
        "Personalities : [raid1] [raid6]\nmd0 : active raid1 sdb1[1](F) sda1[0]\n      64512 blocks super 1.2 [2/1] [U_]\n\
         \x20     [=>...................]  recovery =  7.1% (4608/64512) finish=0.4min speed=2304K/sec\n\n\
         md1 : inactive sdc1[2](S) sdd1[0](R)\n      9 blocks super 1.2\n\nunused devices: <none>\n",
    ),
    (
        "mdadm",
        "/dev/md0:\n           Version : 1.2\n        Raid Level : raid1\n      Raid Devices : 2\n    Active Devices : 1\n\
         \x20            State : clean, degraded\n    Number   Major   Minor   RaidDevice State\n\
         \x20      0       8        1        0      active sync   /dev/sda1\n       1       8       17        -      faulty   /dev/sdb1\n",
    ),
    (
        "zpool",
        "  pool: tank\n state: DEGRADED\n  scan: scrub repaired 0B in 00:01:02 with 3 errors on Sun Nov  1 00:25:02 2026\nconfig:\n\n\
         \tNAME        STATE     READ WRITE CKSUM\n\ttank        DEGRADED     0     0     0\n\t  mirror-0  DEGRADED     0     0     0\n\
         \t    sda     FAULTED     12   753    83  too many errors\n\t    sdb     ONLINE       0     0   1.2K\n\nerrors: 2 data errors\n",
    ),
    (
        "kernel-log",
        "[   51.262953] sd 6:0:0:0: [sdc] tag#132 Sense Key : Medium Error [current]\n\
         [   51.264018] critical medium error, dev sdc, sector 4656 op 0x0:(READ) flags 0x800 phys_seg 1 prio class 2\n\
         [   52.000000] ata1.00: exception Emask 0x10 SAct 0x1 SErr 0x200100 action 0x6 frozen\n\
         [   52.000002] ata1: SError: { UnrecovData BadCRC }\n[   53.0] EDAC MC0: 4 CE error on CPU#0Channel#2_DIMM#0 (channel:2)\n\
         [   54.0] NVRM: Xid (PCI:0000:9b:00): 79, pid=1, name=a\n\
         [   55.0] {35}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4\n\
         [   55.0] {35}[Hardware Error]: event severity: fatal\n[   56.0] md/raid1:md0: Disk failure on sdb1, disabling device.\n\
         [   57.0] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: be00000000800400\n",
    ),
    (
        "ipmi",
        "   0 | 11/30/26 | 09:08:31 UTC | Temperature #0x30 | Upper Critical going high | Asserted\n\
         \x20  1 | 11/30/26 | 09:08:31 UTC | Power Supply #0x51 | Failure detected | Asserted\n\
         \x20  2 |  Pre-Init  |0000000008| Memory #0x53 | Uncorrectable ECC | Asserted\n\
         \x20  3 | 11/30/26 | 09:08:33 UTC | Temperature #0x30 | Upper Critical going high | Deasserted\n",
    ),
    (
        "ipmi",
        "ID  | Name  | Type  | State  | Reading  | Units  | Event\n7   | PSU 1 | Power Supply | Critical | N/A | N/A | 'Failure'\n\
         8   | FAN 1 | Fan | Warning | 90.00 | RPM | 'At or Below (<=) Lower Critical Threshold'\n",
    ),
    ("ipmi", "Fan1             | 30h | cr  |  7.1 | 0 RPM\nPS Redundancy    | 77h | ok  |  7.1 | Redundancy Lost\n"),
    ("edac", "mc0/csrow0/ue_count 1\nmc0/csrow0/ce_count 12\nmc0/ce_count 12\nmc0: csrow2: D2: 12 Corrected Errors\n"),
    (
        "storcli",
        "CLI Version = 007.1\nController = 0\nStatus = Success\nDG/VD TYPE  State Access Consist Cache Cac sCC       Size Name\n\
         0/0   RAID1 Dgrd  RW     Yes     RWTD  -   ON  446.625 GB\n\
         EID:Slt DID State DG       Size Intf Med SED PI SeSz Model Sp Type\n252:0     8 Failed 0 446.625 GB SATA SSD N   N  512B MADEUP U  -\n",
    ),
    (
        "storcli-json",
        r#"{"Controllers":[{"Response Data":{"Drive /c0/e252/s0":[{"State":"Onln","Model":"M"}],"VD LIST":[{"State":"Pdgd"}]}}]}"#,
    ),
    (
        "megacli",
        "Enclosure Device ID: 252\nSlot Number: 1\nMedia Error Count: 9\nPredictive Failure Count: 2\nFirmware state: Failed\n",
    ),
    (
        "ssacli",
        "Smart Array P440ar in Slot 0\n   Controller Status: OK\n   Battery/Capacitor Status: Failed\n   physicaldrive 1I:1:1\n      Status: Predictive Failure\n",
    ),
    (
        "ups",
        "APC : 001\nMODEL : MADE UP\nSTATUS : ONBATT LOWBATT REPLACEBATT\nBCHARGE : 12.0 Percent\nLOADPCT : 99.0\n",
    ),
    (
        "battery",
        "POWER_SUPPLY_NAME=BAT0\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=50000000\nPOWER_SUPPLY_ENERGY_FULL=20000000\nPOWER_SUPPLY_HEALTH=Dead\n",
    ),
    (
        "gpu",
        "    Product Name : MADE UP\n    Remapped Rows\n        Uncorrectable Error : 4\n        Pending : Yes\n        Remapping Failure Occurred : Yes\n",
    ),
    ("nic", "NIC statistics:\n     rx_packets: 1000\n     rx_crc_errors: 11\n     rx_missed: 401\n"),
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![Row::new("hardware of an untold kind", || Judge::of(None))];
    let mut names: Vec<&'static str> = SAMPLES.iter().map(|(kind, _)| *kind).collect();
    names.dedup();
    rows.extend(names.into_iter().map(|name| Row::new(&format!("hardware {name}"), move || Judge::of(Some(name)))));
    rows
}

/// Reads and judges outputs of a kind, or of all.
struct Judge {
    kind: Option<Kind>,
    samples: Vec<&'static str>,
}

impl Judge {
    fn of(name: Option<&str>) -> Self {
        let samples = SAMPLES.iter().filter(|(kind, _)| name.is_none_or(|name| name == *kind));
        Self { kind: name.and_then(Kind::named), samples: samples.map(|(_, text)| *text).collect() }
    }
}

impl Parser for Judge {
    fn begin(&mut self) {}

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let (one, other) = (rng.below(self.samples.len()), rng.below(self.samples.len()));
        let bytes = damaged(self.samples[one].as_bytes(), self.samples[other].as_bytes(), rng);
        if let Ok((_, facts)) = hardware::read(self.kind, &bytes) {
            let findings = judge(&facts);
            for finding in &findings {
                promise(is_sound(finding), || format!("{finding:?}"))?;
            }
            let (_, reason) = verdict(&facts, &findings);
            promise(reason.is_none_or(|reason| !reason.is_empty()), || "unknown for no reason".to_owned())?;
        }
        Ok(Read::of(bytes.len()))
    }
}

/// It names a rule that there is and a part, in texts that fit a page.
fn is_sound(finding: &Finding) -> bool {
    let part = &finding.part;
    let names = [&part.name, &part.model, &part.serial, &part.firmware, &part.slot];
    let is_short = |text: &String| text.chars().count() <= TEXT_CHARS;
    let evidence = || finding.evidence.iter().flat_map(|one| [&one.name, &one.value]);
    named(finding.rule) == Some(finding.rule)
        && !part.kind.is_empty()
        && names.into_iter().all(is_short)
        && evidence().all(|text| text.chars().count() <= 4 * TEXT_CHARS)
}

//! `cargo bench -p muster-collector --bench hardware`: what a full pass over the evidence of 10 000 hosts costs, each with a
//! rotating ATA drive and an NVMe drive that are well: from the texts that agents send, and from facts that were read before.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use muster_collector::domain::rules::hardware::standing::{self, Seen};
use serde_json::{Value, json};

const HOSTS: u64 = 10_000;
/// Entries of a drive's log of self-tests (an extended log of one sector has 19).
const SELF_TESTS: u64 = 19;
/// Attributes of a rotating drive: number, name, threshold, raw value.
const ATTRIBUTES: [(u64, &str, u64, u64); 22] = [
    (1, "Raw_Read_Error_Rate", 44, 121_862_384),
    (3, "Spin_Up_Time", 0, 0),
    (4, "Start_Stop_Count", 20, 41),
    (5, "Reallocated_Sector_Ct", 10, 0),
    (7, "Seek_Error_Rate", 45, 1_249_381_733),
    (9, "Power_On_Hours", 0, 31_402),
    (10, "Spin_Retry_Count", 97, 0),
    (12, "Power_Cycle_Count", 20, 41),
    (18, "Head_Health", 50, 0),
    (187, "Reported_Uncorrect", 0, 0),
    (188, "Command_Timeout", 0, 0),
    (190, "Airflow_Temperature_Cel", 40, 31),
    (192, "Power-Off_Retract_Count", 0, 33),
    (193, "Load_Cycle_Count", 0, 2_904),
    (194, "Temperature_Celsius", 0, 31),
    (195, "Hardware_ECC_Recovered", 0, 121_862_384),
    (197, "Current_Pending_Sector", 0, 0),
    (198, "Offline_Uncorrectable", 0, 0),
    (199, "UDMA_CRC_Error_Count", 0, 0),
    (200, "Pressure_Limit", 1, 0),
    (240, "Head_Flying_Hours", 0, 31_377),
    (241, "Total_LBAs_Written", 0, 98_412_776_343),
];
/// Rows of the device statistics: page, name, value.
const STATISTICS: [(&str, &str, u64); 16] = [
    ("General Statistics", "Lifetime Power-On Resets", 41),
    ("General Statistics", "Power-on Hours", 31_402),
    ("General Statistics", "Logical Sectors Written", 98_412_776_343),
    ("General Statistics", "Number of Write Commands", 611_205_113),
    ("General Statistics", "Logical Sectors Read", 201_377_412_008),
    ("General Statistics", "Number of Read Commands", 1_204_553_871),
    ("Free-Fall Statistics", "Number of Free-Fall Events Detected", 0),
    ("Rotating Media Statistics", "Spindle Motor Power-on Hours", 31_390),
    ("Rotating Media Statistics", "Head Flying Hours", 31_377),
    ("Rotating Media Statistics", "Head Load Events", 2_904),
    ("Rotating Media Statistics", "Number of Reallocated Logical Sectors", 0),
    ("General Errors Statistics", "Number of Reported Uncorrectable Errors", 0),
    ("Temperature Statistics", "Current Temperature", 31),
    ("Temperature Statistics", "Highest Temperature", 44),
    ("Transport Statistics", "Number of Hardware Resets", 82),
    ("Transport Statistics", "Number of Interface CRC Errors", 0),
];

/// How it was asked.
fn smartctl(device: &str) -> Value {
    json!({
        "version": [7, 4], "pre_release": false, "svn_revision": "5530", "platform_info": "x86_64-linux-6.1.0-31-amd64",
        "build_info": "(local build)", "argv": ["smartctl", "--json", "-x", device], "exit_status": 0,
        "drive_database_version": { "string": "7.3/5528" }, "messages": [],
    })
}

/// What `smartctl --json=c -x`, as agents ask, prints of a rotating drive.
fn ata(host: u64) -> Vec<u8> {
    let attribute = |(id, name, threshold, raw): (u64, &str, u64, u64)| {
        json!({
            "id": id, "name": name, "value": 100, "worst": 100, "thresh": threshold, "when_failed": "",
            "flags": { "value": 51, "string": "POSR-K ", "prefailure": threshold > 9, "updated_online": true,
                "performance": true, "error_rate": true, "event_count": true, "auto_keep": true },
            "raw": { "value": raw, "string": raw.to_string() },
        })
    };
    let row = |(page, name, value): (&str, &str, u64)| {
        json!({ "name": page, "revision": 1, "table": [{ "offset": 8, "name": name, "size": 4, "value": value,
            "flags": { "value": 192, "string": "V--- ", "valid": true, "normalized": false, "supports_dsn": false,
                "monitored_condition_met": false } }] })
    };
    let test = |number: u64| {
        json!({ "type": { "value": 1, "string": "Short offline" }, "lifetime_hours": 31_400 - 168 * number,
            "status": { "value": 0, "string": "Completed without error", "passed": true } })
    };
    let document = json!({
        "json_format_version": [1, 0], "smartctl": smartctl("/dev/sda"),
        "device": { "name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA" },
        "model_family": "ACME Enterprise", "model_name": "ACME ST8000-0001", "serial_number": format!("BENCHA{host:08}"),
        "wwn": { "naa": 5, "oui": 3152, "id": 1_000_000 + host }, "firmware_version": "AC01",
        "user_capacity": { "blocks": 15_628_053_168_u64, "bytes": 8_001_563_222_016_u64 }, "logical_block_size": 512,
        "physical_block_size": 4096, "rotation_rate": 7200, "smart_support": { "available": true, "enabled": true },
        "interface_speed": { "max": { "string": "6.0 Gb/s" }, "current": { "string": "6.0 Gb/s" } },
        "smart_status": { "passed": true },
        "ata_smart_attributes": { "revision": 10, "table": ATTRIBUTES.map(attribute) },
        "power_on_time": { "hours": 31_402 }, "power_cycle_count": 41, "temperature": { "current": 31, "lifetime_max": 44 },
        "ata_smart_error_log": { "extended": { "revision": 1, "sectors": 5, "count": 0 } },
        "ata_smart_self_test_log": { "extended": { "revision": 1, "sectors": 1, "count": SELF_TESTS,
            "table": (0..SELF_TESTS).map(test).collect::<Vec<_>>() } },
        "ata_device_statistics": { "pages": STATISTICS.map(row) },
        "ata_sct_temperature_history": { "version": 2, "sampling_period_minutes": 3, "logging_interval_minutes": 59,
            "size": 128, "index": 17, "table": vec![31; 128] },
    });
    document.to_string().into_bytes()
}

/// The same of an NVMe drive.
fn nvme(host: u64) -> Vec<u8> {
    let document = json!({
        "json_format_version": [1, 0], "smartctl": smartctl("/dev/nvme0"),
        "device": { "name": "/dev/nvme0", "info_name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe" },
        "model_name": "ACME NV1920", "serial_number": format!("BENCHN{host:08}"), "firmware_version": "NV2.1",
        "nvme_pci_vendor": { "id": 5197, "subsystem_id": 5197 }, "nvme_ieee_oui_identifier": 9528,
        "nvme_total_capacity": 1_920_383_410_176_u64, "nvme_unallocated_capacity": 0, "nvme_controller_id": 6,
        "nvme_version": { "string": "1.4", "value": 66_560 }, "nvme_number_of_namespaces": 32,
        "nvme_namespaces": [{ "id": 1, "size": { "blocks": 3_750_748_848_u64, "bytes": 1_920_383_410_176_u64 },
            "utilization": { "blocks": 1_200_000_000, "bytes": 614_400_000_000_u64 }, "formatted_lba_size": 512 }],
        "smart_support": { "available": true, "enabled": true },
        "smart_status": { "passed": true, "nvme": { "value": 0 } },
        "nvme_smart_health_information_log": { "critical_warning": 0, "temperature": 36, "available_spare": 100,
            "available_spare_threshold": 10, "percentage_used": 4, "data_units_read": 312_443_871,
            "data_units_written": 204_118_339, "host_reads": 5_611_204_118_u64, "host_writes": 4_002_117_604_u64,
            "controller_busy_time": 9_311, "power_cycles": 38, "power_on_hours": 22_118, "unsafe_shutdowns": 11,
            "media_errors": 0, "num_err_log_entries": 0, "warning_temp_time": 0, "critical_comp_time": 0,
            "temperature_sensors": [36, 44] },
        "nvme_error_information_log": { "size": 64, "read": 16, "unread": 0 },
        "nvme_self_test_log": { "current_self_test_operation": { "value": 0, "string": "No self-test in progress" } },
        "temperature": { "current": 36 }, "power_cycle_count": 38, "power_on_time": { "hours": 22_118 },
    });
    document.to_string().into_bytes()
}

/// What the collector holds of a host.
fn texts(host: u64) -> Vec<Vec<u8>> {
    vec![ata(host), nvme(host)]
}

/// What is understood of a text.
fn seen(text: &[u8]) -> Seen {
    let facts = standing::understood("smartctl-json", text).expect("the texts are of a kind that is known");
    Seen { device: String::new(), facts, before: None, used: Vec::new() }
}

/// Open findings of a host, all that was understood of it being judged and held against what is open.
fn judged(host: &[Seen]) -> usize {
    standing::differences(&standing::findings(host), &[]).len()
}

/// The same of all hosts, each host's texts being read first, as after a start of the collector.
fn from_text(fleet: &[Vec<Vec<u8>>]) -> usize {
    fleet.iter().map(|texts| judged(&texts.iter().map(|text| seen(text)).collect::<Vec<_>>())).sum()
}

/// The same from what was read before.
fn from_facts(fleet: &[Vec<Seen>]) -> usize {
    fleet.iter().map(|host| judged(host)).sum()
}

fn main() {
    let fleet: Vec<Vec<Vec<u8>>> = (0..HOSTS).map(texts).collect();
    let bytes: usize = fleet.iter().flatten().map(Vec::len).sum();
    let understood: Vec<Vec<Seen>> = fleet.iter().map(|texts| texts.iter().map(|text| seen(text)).collect()).collect();
    assert_eq!((from_text(&fleet), from_facts(&understood)), (0, 0), "all drives are well");

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("a full pass over the evidence of 10 000 hosts");
    group.sample_size(10).throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("read and judged from text", |bencher| bencher.iter(|| from_text(black_box(&fleet))));
    group.throughput(Throughput::Elements(HOSTS));
    group.bench_function("judged from facts already read", |bencher| {
        bencher.iter(|| from_facts(black_box(&understood)))
    });
    group.finish();
    criterion.final_summary();
}

//! What is one number for each drive.

use FamilyType::{Counter, Gauge};

use super::{Drive, Family, number};
use crate::domain::readings::dictionary::{FamilyType, text::Format};

/// One family: name, type, help, and the places where it may stand with what one is there; the first that says it counts.
struct Number(&'static str, FamilyType, &'static str, &'static [(&'static str, f64)]);

const HOUR_SECONDS: f64 = 3_600.0;
/// A thousand blocks of 512 bytes (NVM Express Base Specification 2.0, figure 208).
const DATA_UNIT_BYTES: f64 = 512_000.0;
const GIGABYTE: f64 = 1e9;

macro_rules! nvme {
    ($name:literal, $help:literal) => {
        Number(
            concat!("smartctl_device_", $name),
            Counter,
            $help,
            &[(concat!("/nvme_smart_health_information_log/", $name), 1.0)],
        )
    };
}

macro_rules! scsi {
    ($way:literal, $name:literal, $help:literal) => {
        Number(
            concat!("smartctl_", $way, "_", $name),
            Gauge,
            $help,
            &[(concat!("/scsi_error_counter_log/", $way, "/", $name), 1.0)],
        )
    };
}

macro_rules! bytes {
    ($name:literal, $units:literal, $way:literal, $help:literal) => {
        Number(
            $name,
            Counter,
            $help,
            &[
                (concat!("/nvme_smart_health_information_log/", $units), DATA_UNIT_BYTES),
                (concat!("/scsi_error_counter_log/", $way, "/gigabytes_processed"), GIGABYTE),
            ],
        )
    };
}

const NUMBERS: &[Number] = &[
    Number(
        "smartctl_device_smartctl_exit_status",
        Gauge,
        "Exit status of smartctl: a sum of bits, smartctl(8) says which.",
        &[("/smartctl/exit_status", 1.0)],
    ),
    Number(
        "smartctl_device_capacity_blocks",
        Gauge,
        "Logical blocks that the drive holds.",
        &[("/user_capacity/blocks", 1.0)],
    ),
    Number("smartctl_device_capacity_bytes", Gauge, "Bytes that the drive holds.", &[("/user_capacity/bytes", 1.0)]),
    Number(
        "smartctl_device_nvme_capacity_bytes",
        Gauge,
        "Bytes that all namespaces of an NVMe drive can hold.",
        &[("/nvme_total_capacity", 1.0)],
    ),
    Number(
        "smartctl_device_power_cycle_count",
        Counter,
        "How often the drive was switched on.",
        &[("/power_cycle_count", 1.0), ("/scsi_start_stop_cycle_counter/accumulated_start_stop_cycles", 1.0)],
    ),
    Number(
        "smartctl_device_state",
        Gauge,
        "What the drive does: 0 active, 1 standby, 2 sleep, 3 self-test in background, 4 in foreground, 5 SCT command.",
        &[("/ata_sct_status/device_state/value", 1.0)],
    ),
    nvme!("percentage_used", "Spent part of the endurance that the maker warrants, in percent; it may exceed 100."),
    nvme!("available_spare", "Spare blocks that are left, in percent."),
    nvme!("available_spare_threshold", "Below this available spare the drive warns, in percent."),
    nvme!(
        "critical_warning",
        "Warnings: 1 spare, 2 temperature, 4 reliability, 8 read only, 16 memory backup, 32 persistent memory; summed."
    ),
    nvme!("media_errors", "How often the drive could not give data back as they were written."),
    nvme!("num_err_log_entries", "Entries that its log of errors ever had; most are commands that it refused."),
    bytes!("smartctl_device_bytes_read", "data_units_read", "read", "Bytes that were read from the drive."),
    bytes!("smartctl_device_bytes_written", "data_units_written", "write", "Bytes that were written to the drive."),
    Number(
        "smartctl_scsi_grown_defect_list",
        Gauge,
        "Places that a SCSI drive has found defective since it was made.",
        &[("/scsi_grown_defect_list", 1.0)],
    ),
    scsi!("read", "errors_corrected_by_rereads_rewrites", "Read errors that another try corrected."),
    scsi!("read", "errors_corrected_by_eccfast", "Read errors that were corrected at once."),
    scsi!("read", "errors_corrected_by_eccdelayed", "Read errors that were corrected with delay."),
    scsi!("read", "total_uncorrected_errors", "Read errors that were not corrected."),
    scsi!("write", "errors_corrected_by_rereads_rewrites", "Write errors that another try corrected."),
    scsi!("write", "errors_corrected_by_eccfast", "Write errors that were corrected at once."),
    scsi!("write", "errors_corrected_by_eccdelayed", "Write errors that were corrected with delay."),
    scsi!("write", "total_uncorrected_errors", "Write errors that were not corrected."),
];

/// Families whose number does not stand anywhere as it is: name, type, help, and how it is reckoned.
struct Reckoned(&'static str, FamilyType, &'static str, fn(&Drive) -> Option<f64>);

const RECKONED: &[Reckoned] = &[
    Reckoned(
        "smartctl_device_smart_status",
        Gauge,
        "What the drive says of its own health: 1 passed, 0 failed.",
        passed,
    ),
    Reckoned(
        "smartctl_device_power_on_seconds",
        Counter,
        "How long the drive was switched on in its life.",
        power_on_seconds,
    ),
    Reckoned("smartctl_device_rotation_rate", Gauge, "Revolutions a minute of a drive that turns.", rotation_rate),
];

/// All of them.
pub(super) fn families(drives: &[Drive], format: Format) -> Vec<Family> {
    let said = NUMBERS.iter().map(|Number(name, kind, help, places)| {
        let mut family = Family::of(format, name, *kind, help);
        for drive in drives {
            let of = |(place, unit): &(&str, f64)| Some(number(drive.at(place))? * unit);
            push(&mut family, drive, places.iter().find_map(of));
        }
        family
    });
    let reckoned = RECKONED.iter().map(|Reckoned(name, kind, help, of)| {
        let mut family = Family::of(format, name, *kind, help);
        drives.iter().for_each(|drive| push(&mut family, drive, of(drive)));
        family
    });
    said.chain(reckoned).collect()
}

fn push(family: &mut Family, drive: &Drive, value: Option<f64>) {
    if let Some(value) = value {
        family.push_once(&[("device", &drive.device)], value);
    }
}

fn passed(drive: &Drive) -> Option<f64> {
    drive.at("/smart_status/passed").as_bool().map(|passed| f64::from(u8::from(passed)))
}

fn power_on_seconds(drive: &Drive) -> Option<f64> {
    let minutes = number(drive.at("/power_on_time/minutes")).unwrap_or(0.0);
    Some(number(drive.at("/power_on_time/hours"))? * HOUR_SECONDS + minutes * 60.0)
}

/// Flash says 0.
fn rotation_rate(drive: &Drive) -> Option<f64> {
    number(drive.at("/rotation_rate")).filter(|rate| *rate > 0.0)
}

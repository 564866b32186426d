//! What smartctl_exporter says of drives, under its names, labels and types (0.14: metrics.go and smartctl.go), from what
//! `smartctl --json` said to the agent, so that its dashboards and rules work.
//!
//! It differs where the exporter's figure would be a lie: what a drive did not say is absent here and never 0 (a drive
//! that says nothing of its health has not failed), and what SAS drives say is told of those behind controllers too.

mod numbers;

use serde_json::Value;

use super::family::Family;
use crate::domain::{
    readings::dictionary::{FamilyType, text::Format},
    time::Timestamp,
};

/// Most rows that are taken from one table of a drive: attributes are at most 255, drives have some dozens of statistics.
const ROWS: usize = 512;
/// The page of the device statistics that names several of its rows alike.
const VENDORS_PAGE: &str = "Vendor Specific Statistics";
/// What its names are in the order of the letters (ATA8-ACS, 7.52).
const ATTRIBUTE_FLAGS: [&str; 6] =
    ["prefailure", "updated_online", "performance", "error_rate", "event_count", "auto_keep"];
const STATISTIC_FLAGS: [&str; 4] = ["valid", "normalized", "supports_dsn", "monitored_condition_met"];

/// A drive as smartctl described it.
pub(super) struct Drive {
    /// The label `device`.
    pub(super) device: String,
    at: Timestamp,
    said: Value,
}

impl Drive {
    /// What smartctl said of a part; `None` where that is no JSON or names no device.
    pub(super) fn read(part: &str, at: Timestamp, payload: &[u8]) -> Option<Self> {
        let said: Value = serde_json::from_slice(payload).ok()?;
        let device = said["device"].as_object()?;
        let (name, kind) = (device.get("name").and_then(Value::as_str), device.get("type").map(text));
        let device = label(name.unwrap_or(part), kind.unwrap_or_default());
        Some(Self { device, at, said })
    }

    fn at(&self, pointer: &str) -> &Value {
        self.said.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn rows(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        rows(self.at(pointer))
    }

    /// Texts and numbers by name.
    fn members(&self, pointer: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.at(pointer).as_object().into_iter().flatten().take(ROWS).map(|(name, value)| (name.as_str(), value))
    }
}

/// `sda`, as node_exporter calls it; a drive behind a controller by its number there: `bus_0_megaraid_3`.
pub(super) fn label(name: &str, kind: &str) -> String {
    let name = name.trim_start_matches("/dev/");
    let whole = if kind.contains(',') { format!("{name}_{kind}") } else { name.to_owned() };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    whole.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// All families; those without a sample are to be left out.
pub(super) fn families(drives: &[Drive], format: Format) -> Vec<Family> {
    let mut all = vec![version(drives, format), devices(drives, format), identities(drives, format)];
    all.extend(numbers::families(drives, format));
    all.extend([
        sizes(drives, format),
        speeds(drives, format),
        temperatures(drives, format),
        attributes(drives, format),
        statistics(drives, format),
        recovery(drives, format),
    ]);
    all.extend(logs(drives, format));
    all
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

/// A number, or one written as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(ROWS)
}

/// Those of these flags that are set.
fn flags(row: &Value, names: &[&str]) -> String {
    let is_set = |name: &&&str| row["flags"][**name] == true;
    names.iter().filter(is_set).copied().collect::<Vec<_>>().join(",")
}

/// Of the smartctl that said the latest.
fn version(drives: &[Drive], format: Format) -> Family {
    let mut family = Family::new(format, "smartctl_version", "Which smartctl said the latest of this; always 1.");
    let pair = |value: &Value| {
        let (major, minor) = (value[0].as_u64()?, value[1].as_u64()?);
        Some(format!("{major}.{minor}"))
    };
    if let Some(drive) = drives.iter().max_by_key(|drive| drive.at)
        && let Some(version) = pair(drive.at("/smartctl/version"))
    {
        let of_json = pair(drive.at("/json_format_version")).unwrap_or_default();
        let labels = [
            ("json_format_version", of_json.as_str()),
            ("smartctl_version", &version),
            ("svn_revision", text(drive.at("/smartctl/svn_revision"))),
            ("build_info", text(drive.at("/smartctl/build_info"))),
        ];
        family.push_once(&labels, 1.0);
    }
    family
}

fn devices(drives: &[Drive], format: Format) -> Family {
    let mut family = Family::new(format, "smartctl_devices", "Drives of which smartctl has said anything.");
    if !drives.is_empty() {
        family.push(&[], drives.len() as f64);
    }
    family
}

fn identities(drives: &[Drive], format: Format) -> Family {
    let mut family = Family::new(format, "smartctl_device", "Who a drive is; always 1.");
    for drive in drives {
        let said = |pointer| text(drive.at(pointer));
        let or_unknown = |pointers: &[&str]| {
            let found = pointers.iter().map(|pointer| text(drive.at(pointer))).find(|text| !text.is_empty());
            found.unwrap_or("unknown").to_owned()
        };
        let (family_name, model) = (or_unknown(&["/model_family"]), or_unknown(&["/model_name", "/scsi_model_name"]));
        let additional = or_unknown(&["/ata_additional_product_id"]);
        let labels = [
            ("device", drive.device.as_str()),
            ("interface", said("/device/type")),
            ("protocol", said("/device/protocol")),
            ("model_family", &family_name),
            ("model_name", &model),
            ("serial_number", said("/serial_number")),
            ("ata_additional_product_id", &additional),
            ("firmware_version", said("/firmware_version")),
            ("ata_version", said("/ata_version/string")),
            ("sata_version", said("/sata_version/string")),
            ("form_factor", said("/form_factor/name")),
            ("scsi_vendor", said("/scsi_vendor")),
            ("scsi_product", said("/scsi_product")),
            ("scsi_revision", said("/scsi_revision")),
            ("scsi_version", said("/scsi_version")),
        ];
        family.push_once(&labels, 1.0);
    }
    family
}

fn sizes(drives: &[Drive], format: Format) -> Family {
    let mut family = Family::new(format, "smartctl_device_block_size", "Size of the drive's blocks, in bytes.");
    for drive in drives {
        for kind in ["logical", "physical"] {
            if let Some(size) = number(drive.at(&format!("/{kind}_block_size"))) {
                family.push_once(&[("device", &drive.device), ("blocks_type", kind)], size);
            }
        }
    }
    family
}

fn speeds(drives: &[Drive], format: Format) -> Family {
    let help = "Speed of the drive's link now, and the greatest that it can have, in bits per second.";
    let mut family = Family::new(format, "smartctl_device_interface_speed", help);
    for drive in drives {
        for kind in ["max", "current"] {
            let factor = |name: &str| number(drive.at(&format!("/interface_speed/{kind}/{name}")));
            if let (Some(units), Some(bits)) = (factor("units_per_second"), factor("bits_per_unit")) {
                family.push_once(&[("device", &drive.device), ("speed_type", kind)], units * bits);
            }
        }
    }
    family
}

fn temperatures(drives: &[Drive], format: Format) -> Family {
    let help = "Temperatures that the drive tells: now, its limits and the extremes of its life, in degrees Celsius.";
    let mut family = Family::new(format, "smartctl_device_temperature", help);
    for drive in drives {
        for (kind, value) in drive.members("/temperature") {
            if let Some(degrees) = number(value) {
                family.push_once(&[("device", &drive.device), ("temperature_type", kind)], degrees);
            }
        }
    }
    family
}

fn attributes(drives: &[Drive], format: Format) -> Family {
    let help = "Vendor attributes of an ATA drive: normalised value, its worst, its threshold, and the raw number.";
    let mut family = Family::new(format, "smartctl_device_attribute", help);
    for drive in drives {
        for row in drive.rows("/ata_smart_attributes/table") {
            let Some(id) = row["id"].as_u64().map(|id| id.to_string()) else { continue };
            let long = flags(row, &ATTRIBUTE_FLAGS);
            let values = ["value", "worst", "thresh"].map(|kind| (kind, &row[kind]));
            for (kind, value) in values.into_iter().chain([("raw", &row["raw"]["value"])]) {
                let labels = [
                    ("device", drive.device.as_str()),
                    ("attribute_name", text(&row["name"])),
                    ("attribute_flags_short", text(&row["flags"]["string"])),
                    ("attribute_flags_long", &long),
                    ("attribute_value_type", kind),
                    ("attribute_id", &id),
                ];
                if let Some(value) = number(value) {
                    family.push_once(&labels, value);
                }
            }
        }
    }
    family
}

fn statistics(drives: &[Drive], format: Format) -> Family {
    let help = "Rows of the drive's log of statistics, and events of its link.";
    let mut family = Family::new(format, "smartctl_device_statistics", help);
    for drive in drives {
        let mut push = |table: &str, row: &Value, [short, long]: [&str; 2]| {
            let labels = [
                ("device", drive.device.as_str()),
                ("statistic_table", table),
                ("statistic_name", text(&row["name"])),
                ("statistic_flags_short", short),
                ("statistic_flags_long", long),
            ];
            if let Some(value) = number(&row["value"]) {
                family.push_once(&labels, value);
            }
        };
        let pages = drive.rows("/ata_device_statistics/pages").map(|page| (text(&page["name"]), page));
        for (table, page) in pages.filter(|(table, _)| *table != VENDORS_PAGE) {
            for row in rows(&page["table"]) {
                push(table, row, [text(&row["flags"]["string"]), &flags(row, &STATISTIC_FLAGS)]);
            }
        }
        for row in drive.rows("/sata_phy_event_counters/table") {
            push("SATA PHY Event Counters", row, ["V---", "valid"]);
        }
    }
    family
}

/// How long a drive tries before it gives a sector up.
fn recovery(drives: &[Drive], format: Format) -> Family {
    let help = "How long the drive tries to read or write a bad sector before it gives up (SCT ERC), in seconds.";
    let mut family = Family::new(format, "smartctl_device_erc_seconds", help);
    for drive in drives {
        for (operation, said) in drive.members("/ata_sct_erc") {
            if let Some(tenths) = number(&said["deciseconds"]) {
                family.push_once(&[("device", &drive.device), ("op_type", operation)], tenths / 10.0);
            }
        }
    }
    family
}

fn logs(drives: &[Drive], format: Format) -> [Family; 3] {
    let log = |name, log, member, label, help| {
        let mut family = Family::of(format, name, FamilyType::Gauge, help);
        for drive in drives {
            for (kind, said) in drive.members(log) {
                if let Some(count) = number(&said[member]) {
                    family.push_once(&[("device", &drive.device), (label, kind)], count);
                }
            }
        }
        family
    };
    let (errors, tests) = ("/ata_smart_error_log", "/ata_smart_self_test_log");
    [
        log("smartctl_device_error_log_count", errors, "count", "error_log_type", "Errors that the drive has logged."),
        log(
            "smartctl_device_self_test_log_count",
            tests,
            "count",
            "self_test_log_type",
            "Self-tests in the drive's log.",
        ),
        log(
            "smartctl_device_self_test_log_error_count",
            tests,
            "error_count_total",
            "self_test_log_type",
            "Self-tests in the drive's log that ended with an error.",
        ),
    ]
}

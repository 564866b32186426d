//! `smartctl --json`: the drive that it describes.

use serde_json::Value;

use super::{
    attribute::{Attribute, Meaning, WhenFailed},
    drive::{
        Drive, ErrorLog, Identity, Medium, NvmeHealth, Protocol, ScsiHealth, SelfTest, SelfVerdict, Statistics,
        TestOutcome,
    },
    text::{digits, short, string, whole},
    volume,
};

/// Most entries that are taken from one list of a document; drives have some dozens.
const ENTRIES: usize = 512;

/// The drive in a document.
pub(super) fn read(document: &Value) -> Drive {
    let identity = identity(document);
    let exit_status = whole(&document["smartctl"]["exit_status"]);
    let protocol = protocol(document);
    Drive {
        protocol,
        medium: medium(document, protocol),
        is_virtual: volume::is_virtual(&identity.model),
        self_verdict: self_verdict(document, exit_status),
        attributes: list(&document["ata_smart_attributes"]["table"]).filter_map(attribute).collect(),
        statistics: statistics(document),
        nvme: nvme(&document["nvme_smart_health_information_log"]),
        scsi: scsi(document),
        self_tests: self_tests(document),
        errors: errors(document),
        hours: whole(&document["power_on_time"]["hours"]),
        temperature_celsius: document["temperature"]["current"].as_i64(),
        trip_celsius: ["drive_trip", "op_limit_max", "critical_limit_max"]
            .iter()
            .find_map(|key| document["temperature"][key].as_i64())
            .filter(|limit| *limit > 0),
        exit_status,
        complaints: list(&document["smartctl"]["messages"]).map(|message| string(&message["string"])).collect(),
        identity,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().take(ENTRIES)
}

fn identity(document: &Value) -> Identity {
    let first = |keys: &[&str]| keys.iter().map(|key| string(&document[*key])).find(|text| !text.is_empty());
    let wwn = &document["wwn"];
    let wwn = match (wwn["naa"].as_u64(), wwn["oui"].as_u64(), wwn["id"].as_u64()) {
        (Some(naa), Some(oui), Some(id)) => format!("{naa:x}{oui:06x}{id:09x}"),
        _ => string(&document["logical_unit_id"]),
    };
    Identity {
        model: first(&["model_name", "scsi_model_name", "product"]).unwrap_or_default(),
        family: string(&document["model_family"]),
        serial: string(&document["serial_number"]),
        firmware: first(&["firmware_version", "scsi_revision", "revision"]).unwrap_or_default(),
        wwn,
        device: string(&document["device"]["name"]),
    }
}

fn protocol(document: &Value) -> Protocol {
    match document["device"]["protocol"].as_str() {
        Some("ATA") => Protocol::Ata,
        Some("NVMe") => Protocol::Nvme,
        Some("SCSI") => Protocol::Scsi,
        _ if document["ata_smart_attributes"].is_object() => Protocol::Ata,
        _ if document["nvme_smart_health_information_log"].is_object() => Protocol::Nvme,
        _ => Protocol::Unsaid,
    }
}

fn medium(document: &Value, protocol: Protocol) -> Medium {
    match document["rotation_rate"].as_u64() {
        Some(0) => Medium::Flash,
        Some(_) => Medium::Rotating,
        None if protocol == Protocol::Nvme => Medium::Flash,
        None if document["trim"]["supported"] == true => Medium::Flash,
        None => Medium::Unsaid,
    }
}

/// What the drive says; "no answer" is said by an absent member, and by the bits of what could not be asked.
fn self_verdict(document: &Value, exit_status: Option<u64>) -> SelfVerdict {
    match document["smart_status"]["passed"].as_bool() {
        Some(true) => SelfVerdict::Passed,
        Some(false) => SelfVerdict::Failed,
        // Bit 3: the drive returned FAILING. Believed alone only if the drive could be opened and read (bits 0-2).
        None if exit_status.is_some_and(|status| status & 0b1111 == 0b1000) => SelfVerdict::Failed,
        None => SelfVerdict::Unsaid,
    }
}

fn attribute(row: &Value) -> Option<Attribute> {
    let raw = &row["raw"];
    let (id, name) = (whole(&row["id"])?, string(&row["name"]));
    Some(Attribute {
        id,
        meaning: Meaning::of(id, &name),
        name,
        value: whole(&row["value"]).unwrap_or(0),
        worst: whole(&row["worst"]).unwrap_or(0),
        threshold: whole(&row["thresh"]).unwrap_or(0),
        raw: raw["string"].as_str().and_then(digits).or_else(|| whole(&raw["value"])),
        is_prefailure: row["flags"]["prefailure"] == true,
        when_failed: match row["when_failed"].as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("now" | "failing_now") => WhenFailed::Now,
            Some("past" | "in_the_past") => WhenFailed::Past,
            _ => WhenFailed::Never,
        },
    })
}

fn statistics(document: &Value) -> Statistics {
    let mut found = Statistics::default();
    let pages = list(&document["ata_device_statistics"]["pages"]);
    for row in pages.flat_map(|page| list(&page["table"])) {
        if row["flags"]["valid"] != false {
            found.note(row["name"].as_str().unwrap_or_default(), whole(&row["value"]));
        }
    }
    found.percentage_used = found.percentage_used.or_else(|| whole(&document["endurance_used"]["current_percent"]));
    found
}

impl Statistics {
    /// Takes a row of the log if it is one of those that are looked at.
    pub(super) fn note(&mut self, name: &str, value: Option<u64>) {
        match name {
            "Number of Reallocated Logical Sectors" => self.reallocated = value,
            "Pending Error Count" | "Number of Realloc. Candidate Logical Sectors" => {
                self.pending = self.pending.max(value);
            }
            "Number of Reported Uncorrectable Errors" => self.uncorrectable = value,
            "Percentage Used Endurance Indicator" => self.percentage_used = value,
            _ => {}
        }
    }
}

/// The health information log by smartctl's names, which nvme-cli mostly shares.
fn nvme(log: &Value) -> Option<NvmeHealth> {
    Some(NvmeHealth {
        critical_warning: whole(&log["critical_warning"])?,
        available_spare: whole(&log["available_spare"]),
        spare_threshold: whole(&log["available_spare_threshold"]),
        percentage_used: whole(&log["percentage_used"]),
        media_errors: whole(&log["media_errors"]),
        error_log_entries: whole(&log["num_err_log_entries"]),
    })
}

fn scsi(document: &Value) -> Option<ScsiHealth> {
    let errors = &document["scsi_error_counter_log"];
    let found = ScsiHealth {
        grown_defects: whole(&document["scsi_grown_defect_list"]),
        read_uncorrected: whole(&errors["read"]["total_uncorrected_errors"]),
        write_uncorrected: whole(&errors["write"]["total_uncorrected_errors"]),
        verify_uncorrected: whole(&errors["verify"]["total_uncorrected_errors"]),
        non_medium: whole(&document["scsi_non_medium_error_count"])
            .or_else(|| whole(&document["scsi_nonmedium_error_count"])),
        percentage_used: whole(&document["scsi_percentage_used_endurance_indicator"]),
    };
    (found != ScsiHealth::default()).then_some(found)
}

fn self_tests(document: &Value) -> Vec<SelfTest> {
    let ata = &document["ata_smart_self_test_log"];
    let extended = list(&ata["extended"]["table"]);
    let standard = list(&ata["standard"]["table"]).filter(|_| ata["extended"]["table"].is_null());
    let nvme = list(&document["nvme_self_test_log"]["table"]);
    let scsi = (0..20).map(|number| &document[format!("scsi_self_test_{number}")]).filter(|test| test.is_object());
    let ata = extended.chain(standard).map(|row| {
        let words = string(&row["status"]["string"]);
        let outcome = match (row["status"]["passed"].as_bool(), TestOutcome::of(&words)) {
            (_, TestOutcome::Neither) | (None, _) => TestOutcome::of(&words),
            (Some(true), _) => TestOutcome::Passed,
            (Some(false), _) => TestOutcome::Failed,
        };
        test(&row["type"], words, outcome, whole(&row["lifetime_hours"]))
    });
    let nvme = nvme.map(|row| {
        let words = string(&row["self_test_result"]["string"]);
        let outcome = TestOutcome::of(&words);
        test(&row["self_test_code"], words, outcome, whole(&row["power_on_hours"]))
    });
    let scsi = scsi.map(|row| {
        let words = string(&row["result"]["string"]);
        let outcome = TestOutcome::of(&words);
        test(&row["code"], words, outcome, whole(&row["power_on_time"]["hours"]))
    });
    ata.chain(nvme).chain(scsi).take(ENTRIES).collect()
}

fn test(kind: &Value, words: String, outcome: TestOutcome, hours: Option<u64>) -> SelfTest {
    let kind = kind["string"].as_str().unwrap_or_default();
    let is_extended = kind.contains("Extended") || kind.contains("long");
    SelfTest { is_extended, outcome, words: short(&words), hours }
}

fn errors(document: &Value) -> ErrorLog {
    let log = &document["ata_smart_error_log"];
    let log = if log["extended"].is_object() { &log["extended"] } else { &log["summary"] };
    let mut found = ErrorLog { count: whole(&log["count"]), ..ErrorLog::default() };
    for row in list(&log["table"]) {
        found.note(row["error_description"].as_str().unwrap_or_default());
    }
    found
}

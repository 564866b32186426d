//! What an engineer needs to order a drive like this one: in smartctl's JSON, and not needed to judge it.

use serde_json::Value;

use super::text::{short, whole};

/// A name and its value, in words.
pub type Described = Vec<(&'static str, String)>;

/// Hours of a year (365.25 days).
const YEAR_HOURS: f64 = 8_766.0;

/// The description in a document of smartctl; empty where it is none.
#[must_use]
pub fn of(payload: &[u8]) -> Described {
    let Ok(document) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let said = |pointer: &str| short(document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim());
    let first = |pointers: &[&str]| pointers.iter().map(|pointer| said(pointer)).find(|text| !text.is_empty());
    let all = [
        ("Model", first(&["/model_name", "/scsi_model_name", "/product"])),
        ("Family", first(&["/model_family"])),
        ("Serial number", first(&["/serial_number"])),
        ("Firmware", first(&["/firmware_version", "/scsi_revision", "/revision"])),
        ("Capacity", capacity(&document)),
        ("Form factor", first(&["/form_factor/name"])),
        ("Interface", interface(&document)),
        ("Medium", medium(&document)),
        ("Blocks", blocks(&document)),
        ("World wide name", wwn(&document)),
        ("Logical unit", first(&["/logical_unit_id"])),
        ("Switched on", switched_on(&document)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `4.00 TB`, as makers count, and exactly: the new one must not be smaller by a block.
fn capacity(document: &Value) -> Option<String> {
    let bytes = ["/user_capacity/bytes", "/nvme_total_capacity"].iter().find_map(|at| whole(document.pointer(at)?))?;
    const UNITS: [(&str, f64); 3] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6)];
    #[expect(clippy::cast_precision_loss, reason = "shown with three figures, the whole number beside it")]
    let value = bytes as f64;
    let (unit, size) = UNITS.into_iter().find(|(_, size)| value >= *size).unwrap_or(("MB", 1e6));
    Some(format!("{:.2} {unit} ({bytes} bytes)", value / size))
}

fn interface(document: &Value) -> Option<String> {
    let said = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let protocol = match said("/device/protocol") {
        "ATA" => "SATA",
        "SCSI" if said("/scsi_transport_protocol/name").contains("SAS") => "SAS",
        other => other,
    };
    let version = [said("/sata_version/string"), said("/nvme_version/string"), said("/scsi_transport_protocol/name")];
    let version = version.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let name = if version.starts_with(protocol) { version.to_owned() } else { format!("{protocol} {version}") };
    let speed = |which: &str| said(&format!("/interface_speed/{which}/string")).to_owned();
    let (most, now) = (speed("max"), speed("current"));
    let speeds = match (most.is_empty(), now.is_empty() || now == most) {
        (true, _) => String::new(),
        (false, true) => format!(", {most}"),
        (false, false) => format!(", {most}, now only {now}"),
    };
    let text = short(format!("{name}{speeds}").trim());
    (!text.is_empty()).then_some(text)
}

fn medium(document: &Value) -> Option<String> {
    match document["rotation_rate"].as_u64() {
        Some(0) => Some("solid state".to_owned()),
        Some(rate) => Some(format!("rotating, {rate} per minute")),
        None if document["device"]["protocol"] == "NVMe" => Some("solid state".to_owned()),
        None => None,
    }
}

fn blocks(document: &Value) -> Option<String> {
    let logical = whole(&document["logical_block_size"])?;
    Some(match whole(&document["physical_block_size"]).filter(|physical| *physical != logical) {
        Some(physical) => format!("{logical} bytes, {physical} on the medium"),
        None => format!("{logical} bytes"),
    })
}

fn wwn(document: &Value) -> Option<String> {
    let part = |name: &str| document["wwn"][name].as_u64();
    Some(format!("{:x}{:06x}{:09x}", part("naa")?, part("oui")?, part("id")?))
}

fn switched_on(document: &Value) -> Option<String> {
    let hours = whole(&document["power_on_time"]["hours"])?;
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let years = hours as f64 / YEAR_HOURS;
    Some(format!("{hours} hours ({years:.1} years)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_described_so_that_its_like_can_be_ordered() {
        let said = r#"{"device": {"protocol": "ATA"}, "model_name": "MADE UP 4000", "model_family": "Made Up",
            "serial_number": "MADE-UP-1", "firmware_version": "0001", "wwn": {"naa": 5, "oui": 3152, "id": 4919},
            "user_capacity": {"bytes": 4000787030016}, "logical_block_size": 512, "physical_block_size": 4096,
            "rotation_rate": 7200, "form_factor": {"name": "3.5 inches"}, "sata_version": {"string": "SATA 3.1"},
            "interface_speed": {"max": {"string": "6.0 Gb/s"}, "current": {"string": "3.0 Gb/s"}},
            "power_on_time": {"hours": 35064}}"#;
        let expected = [
            ("Model", "MADE UP 4000"),
            ("Family", "Made Up"),
            ("Serial number", "MADE-UP-1"),
            ("Firmware", "0001"),
            ("Capacity", "4.00 TB (4000787030016 bytes)"),
            ("Form factor", "3.5 inches"),
            ("Interface", "SATA 3.1, 6.0 Gb/s, now only 3.0 Gb/s"),
            ("Medium", "rotating, 7200 per minute"),
            ("Blocks", "512 bytes, 4096 on the medium"),
            // NAA 5, 00:0c:50, 0x1337.
            ("World wide name", "5000c50000001337"),
            ("Switched on", "35064 hours (4.0 years)"),
        ];
        assert_eq!(of(said.as_bytes()), expected.map(|(name, value)| (name, value.to_owned())));
        let said = r#"{"device": {"protocol": "NVMe"}, "model_name": "M", "nvme_version": {"string": "1.4"},
            "nvme_total_capacity": 512110190592}"#;
        let expected = [
            ("Model", "M"),
            ("Capacity", "512.11 GB (512110190592 bytes)"),
            ("Interface", "NVMe 1.4"),
            ("Medium", "solid state"),
        ];
        assert_eq!(of(said.as_bytes()), expected.map(|(name, value)| (name, value.to_owned())));
        let said = r#"{"device": {"protocol": "SCSI"}, "scsi_model_name": "A B", "scsi_revision": "2",
            "scsi_transport_protocol": {"name": "SAS (SPL-4)"}}"#;
        let expected = [("Model", "A B"), ("Firmware", "2"), ("Interface", "SAS (SPL-4)")];
        assert_eq!(of(said.as_bytes()), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(of(b"no JSON"), [] as [(&str, String); 0]);
    }
}

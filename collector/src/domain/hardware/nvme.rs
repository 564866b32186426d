//! nvme-cli: `nvme smart-log`, as JSON and for people.

use serde_json::Value;

use super::{
    drive::{Drive, Medium, NvmeHealth, Protocol},
    text::{number, pair, short, whole},
};

/// Kelvin at zero degrees Celsius, as the log rounds it.
const KELVIN: i64 = 273;

/// The drive in a document.
pub(super) fn read_json(document: &Value) -> Drive {
    let warning = &document["critical_warning"];
    // Newer versions take the bits apart: {"value": 0, "available_spare": 0, ...}.
    let critical_warning = whole(warning).or_else(|| whole(&warning["value"]));
    let first = |names: [&str; 2]| names.iter().find_map(|name| whole(&document[*name]));
    let nvme = critical_warning.map(|critical_warning| NvmeHealth {
        critical_warning,
        available_spare: first(["avail_spare", "available_spare"]),
        spare_threshold: first(["spare_thresh", "available_spare_threshold"]),
        percentage_used: first(["percent_used", "percentage_used"]),
        media_errors: whole(&document["media_errors"]),
        error_log_entries: whole(&document["num_err_log_entries"]),
    });
    let temperature = whole(&document["temperature"]).and_then(|kelvin| i64::try_from(kelvin).ok());
    drive(nvme, temperature.map(|kelvin| kelvin - KELVIN), String::new())
}

/// The drive in a text.
pub(super) fn read_text(text: &str) -> Drive {
    let mut log = NvmeHealth::default();
    let (mut has_warning, mut temperature, mut device) = (false, None, String::new());
    for line in text.lines() {
        let Some((key, value)) = pair(line) else { continue };
        if let Some(at) = line.find("device:").filter(|_| line.contains("Smart Log")) {
            device = short(line[at + "device:".len()..].split_whitespace().next().unwrap_or_default());
        }
        // Names have been written with blanks and with underscores.
        match key.to_ascii_lowercase().replace(' ', "_").as_str() {
            "critical_warning" => {
                has_warning = number(value).is_some();
                log.critical_warning = number(value).unwrap_or(0);
            }
            "available_spare" => log.available_spare = number(value),
            "available_spare_threshold" => log.spare_threshold = number(value),
            "percentage_used" => log.percentage_used = number(value),
            "media_errors" => log.media_errors = number(value),
            "num_err_log_entries" => log.error_log_entries = number(value),
            "temperature" => temperature = number(value).and_then(|celsius| i64::try_from(celsius).ok()),
            _ => {}
        }
    }
    drive(has_warning.then_some(log), temperature, device)
}

fn drive(nvme: Option<NvmeHealth>, temperature_celsius: Option<i64>, device: String) -> Drive {
    let (protocol, medium) = (Protocol::Nvme, Medium::Flash);
    let mut drive = Drive { protocol, medium, nvme, temperature_celsius, ..Drive::default() };
    drive.identity.device = device;
    drive
}

//! `smartctl -a` and `-x` for people: the drive that it describes.
//!
//! Columns are parted by white space and sections by their headings, not by positions: the layout has changed often, and
//! issue threads and mails fold it further.

use super::{
    attribute::{Attribute, Meaning, WhenFailed},
    drive::{Drive, Medium, NvmeHealth, Protocol, ScsiHealth, SelfTest, SelfVerdict, TestOutcome},
    text::{digits, number, number_in, pair, short},
    volume,
};

/// Most lines that are looked at; `-x` prints some hundreds.
const LINES: usize = 100_000;

/// The drive in a text.
pub(super) fn read(text: &str) -> Drive {
    let mut drive = Drive::default();
    let mut vendor = String::new();
    for line in text.lines().take(LINES) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(attribute) = attribute(&words) {
            drive.protocol = Protocol::Ata;
            // `-x` after `-a` in one capture repeats them.
            if drive.attribute(attribute.id).is_none() {
                drive.attributes.push(attribute);
            }
            continue;
        }
        if let Some(test) = self_test(line, &words) {
            drive.self_tests.push(test);
            continue;
        }
        error(&mut drive, line, &words);
        statistic(&mut drive, &words);
        scsi_counters(&mut drive, &words);
        if let Some((key, value)) = pair(line) {
            identity(&mut drive, &mut vendor, key, value);
            health(&mut drive, key, value);
            nvme(&mut drive, key, value);
            scsi(&mut drive, key, value);
        }
    }
    if drive.identity.model.is_empty() || drive.protocol == Protocol::Scsi {
        drive.identity.model = format!("{vendor} {}", drive.identity.model).trim().to_owned();
    }
    if drive.nvme.is_some() {
        drive.protocol = Protocol::Nvme;
    }
    if drive.protocol == Protocol::Nvme {
        drive.medium = Medium::Flash;
    }
    drive.is_virtual = volume::is_virtual(&drive.identity.model) || lacks_smart(text);
    drive
}

/// A device that does not know SMART at all is a volume, a card reader or a stick, not a drive that fell ill.
fn lacks_smart(text: &str) -> bool {
    text.contains("device lacks SMART capability")
}

/// A row of the attribute table, in the old layout (`FLAG` in hex) or the brief one (`PO-R--`).
fn attribute(words: &[&str]) -> Option<Attribute> {
    let [id, name, flags, value, worst, threshold, rest @ ..] = words else { return None };
    let id = id.parse().ok().filter(|id| (1..=255).contains(id))?;
    let level =
        |text: &str| if text.starts_with("--") { Some(0) } else { text.parse::<u64>().ok().filter(|n| *n <= 255) };
    let (value, worst, threshold) = (level(value)?, level(worst)?, level(threshold)?);
    let (is_prefailure, failed, raw) = if let Some(hex) = flags.strip_prefix("0x") {
        // ID NAME FLAG VALUE WORST THRESH TYPE UPDATED WHEN_FAILED RAW
        let bits = u64::from_str_radix(hex, 16).ok()?;
        let [_, _, failed, raw, ..] = rest else { return None };
        (bits & 1 == 1, *failed, *raw)
    } else if flags.len() >= 6 && flags.chars().all(|c| "POSRCK-+".contains(c)) {
        let [failed, raw, ..] = rest else { return None };
        (flags.starts_with('P'), *failed, *raw)
    } else {
        return None;
    };
    let when_failed = match failed.to_ascii_lowercase().as_str() {
        "now" | "failing_now" | "failing_now!" => WhenFailed::Now,
        "past" | "in_the_past" => WhenFailed::Past,
        _ => WhenFailed::Never,
    };
    let (name, raw) = (short(name), digits(raw));
    let meaning = Meaning::of(id, &name);
    Some(Attribute { id, name, meaning, value, worst, threshold, raw, is_prefailure, when_failed })
}

/// A row of the self-test log: `# 1  Short offline  Completed without error  00%  17763  -`; NVMe drives have no `#`.
fn self_test(line: &str, words: &[&str]) -> Option<SelfTest> {
    let rest = match line.trim_start().strip_prefix('#') {
        Some(rest) => rest,
        None if matches!(words, [_, "Short" | "Extended", ..]) => line.trim_start(),
        None => return None,
    };
    digits(rest)?;
    let is_extended = ["Extended", "Background long", "Foreground long"].iter().any(|kind| rest.contains(kind));
    let start =
        ["Completed", "Aborted", "Interrupted", "Fatal", "Self-test routine in", "Self test in", "Failed", "Unknown"]
            .iter()
            .filter_map(|word| rest.find(word))
            .min()?;
    let said = &rest[start..];
    let said = said.split("  ").next().unwrap_or(said);
    // After `00%` come the hours in the log of ATA; in that of SCSI they follow the segment number.
    let hours = words.iter().skip_while(|word| !word.ends_with('%')).nth(1).and_then(|word| digits(word));
    Some(SelfTest { is_extended, outcome: TestOutcome::of(said), words: short(said), hours })
}

fn error(drive: &mut Drive, line: &str, words: &[&str]) {
    match words {
        ["ATA", "Error", "Count:", count, ..] | ["Device", "Error", "Count:", count, ..] => {
            drive.errors.count = digits(count);
        }
        ["No", "Errors", "Logged", ..] => {
            drive.errors.count.get_or_insert(0);
        }
        _ if line.contains("Error: ")
            && (line.contains(" at LBA") || line.trim_start().starts_with(char::is_numeric)) =>
        {
            drive.errors.note(line);
        }
        _ => {}
    }
}

/// A row of the device statistics: page, offset, size, value, flags, description.
fn statistic(drive: &mut Drive, words: &[&str]) {
    let [page, offset, _, value, flags, description @ ..] = words else { return };
    if page.starts_with("0x") && offset.starts_with("0x") && flags.len() == 3 {
        drive.statistics.note(&description.join(" "), digits(value));
    }
}

/// `read:  0  34  0  34  238396  38280.029  0`: the last column is what could not be corrected.
fn scsi_counters(drive: &mut Drive, words: &[&str]) {
    let [kind @ ("read:" | "write:" | "verify:"), counters @ ..] = words else { return };
    if counters.len() < 7 {
        return;
    }
    let uncorrected = counters.last().and_then(|word| digits(word));
    let scsi = drive.scsi.get_or_insert_with(ScsiHealth::default);
    match *kind {
        "read:" => scsi.read_uncorrected = uncorrected,
        "write:" => scsi.write_uncorrected = uncorrected,
        _ => scsi.verify_uncorrected = uncorrected,
    }
}

fn identity(drive: &mut Drive, vendor: &mut String, key: &str, value: &str) {
    let set = |place: &mut String| {
        if place.is_empty() && value != "--" {
            *place = short(value);
        }
    };
    match key {
        "Device Model" | "Model Number" | "Device" | "Model" => {
            set(&mut drive.identity.model);
            if key == "Model Number" {
                drive.protocol = Protocol::Nvme;
            }
        }
        "Product" => {
            set(&mut drive.identity.model);
            drive.protocol = Protocol::Scsi;
        }
        "Vendor" => *vendor = short(value),
        "Model Family" => set(&mut drive.identity.family),
        "Serial Number" | "Serial number" => set(&mut drive.identity.serial),
        "Firmware Version" | "Revision" => set(&mut drive.identity.firmware),
        "LU WWN Device Id" | "Logical Unit id" => set(&mut drive.identity.wwn),
        "Rotation Rate" if value.starts_with("Solid") => drive.medium = Medium::Flash,
        "Rotation Rate" if number(value).is_some_and(|rate| rate > 1) => drive.medium = Medium::Rotating,
        "TRIM Command" if value.starts_with("Available") && drive.medium == Medium::Unsaid => {
            drive.medium = Medium::Flash;
        }
        _ => {}
    }
}

fn health(drive: &mut Drive, key: &str, value: &str) {
    match key {
        "SMART overall-health self-assessment test result" => {
            drive.self_verdict = match value.split(['!', ' ']).next() {
                Some("PASSED") => SelfVerdict::Passed,
                Some("FAILED") => SelfVerdict::Failed,
                _ => SelfVerdict::Unsaid,
            };
        }
        "SMART Health Status" => {
            drive.protocol = Protocol::Scsi;
            // Anything else names what was exceeded: "FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]".
            let upper = value.to_ascii_uppercase();
            let fails = ["FAIL", "EXCEEDED", "ASC=5D"].iter().any(|word| upper.contains(word));
            drive.self_verdict = match (upper.starts_with("OK"), fails) {
                (true, _) => SelfVerdict::Passed,
                (false, true) => SelfVerdict::Failed,
                (false, false) => SelfVerdict::Unsaid,
            };
            if drive.self_verdict != SelfVerdict::Unsaid {
                drive.scsi.get_or_insert_with(ScsiHealth::default);
            }
        }
        "Current Drive Temperature" | "Current Temperature" | "Temperature" => {
            drive.temperature_celsius = digits(value).and_then(|celsius| i64::try_from(celsius).ok());
        }
        "Drive Trip Temperature" => {
            drive.trip_celsius =
                digits(value).and_then(|celsius| i64::try_from(celsius).ok()).filter(|celsius| *celsius > 0);
        }
        _ if key.starts_with("Smartctl open device") => drive.complaints.push(short(&format!("{key}: {value}"))),
        _ if key.contains("failed") && drive.complaints.len() < 8 => {
            drive.complaints.push(short(&format!("{key}: {value}")))
        }
        _ => {}
    }
}

fn nvme(drive: &mut Drive, key: &str, value: &str) {
    if key == "Critical Warning" {
        drive.nvme = number(value).map(|critical_warning| NvmeHealth { critical_warning, ..NvmeHealth::default() });
        return;
    }
    let Some(log) = &mut drive.nvme else { return };
    let place = match key {
        "Available Spare" => &mut log.available_spare,
        "Available Spare Threshold" => &mut log.spare_threshold,
        "Percentage Used" => &mut log.percentage_used,
        "Media and Data Integrity Errors" => &mut log.media_errors,
        "Error Information Log Entries" => &mut log.error_log_entries,
        _ => return,
    };
    *place = number(value);
}

fn scsi(drive: &mut Drive, key: &str, value: &str) {
    let place = |scsi: &mut ScsiHealth, key: &str| -> Option<()> {
        let place = match key {
            "Elements in grown defect list" => &mut scsi.grown_defects,
            "Non-medium error count" => &mut scsi.non_medium,
            _ if key.starts_with("Percentage used endurance") => &mut scsi.percentage_used,
            _ => return None,
        };
        *place = number_in(value);
        Some(())
    };
    let mut scsi = drive.scsi.unwrap_or_default();
    if place(&mut scsi, key).is_some() {
        drive.scsi = Some(scsi);
    }
}

//! The management controller: sensors beyond their limits, and discrete events by their words.

use super::finding::{Finding, Part, Weight};
use crate::domain::{
    event::Severity,
    hardware::sensors::{Level, Sensor, Sensors},
};

/// Words of discrete sensors and events that say that a part is broken or going, in lower case, and what is to be done. The
/// rating beside them may still be "ok" (ipmitool#176), so that the words count.
const WORDS: &[(&str, Weight, &str)] = &[
    ("uncorrectable ecc", Weight::Failed, "replace the memory module that is named"),
    ("uncorrectable machine check", Weight::Failed, "look at processor and board"),
    ("correctable ecc logging limit reached", Weight::Failing, "replace the memory module that is named"),
    ("power supply failure detected", Weight::Failed, "replace the power supply"),
    ("failure detected", Weight::Failed, "replace the part"),
    ("drive fault", Weight::Failed, "replace the drive in this bay"),
    ("in failed array", Weight::Failed, "look at the array"),
    ("in critical array", Weight::Failing, "look at the array"),
    ("predictive failure", Weight::Failing, "replace the part in a window"),
    ("redundancy lost", Weight::Failing, "look at which of the redundant parts is gone"),
    ("redundancy degraded", Weight::Failing, "look at which of the redundant parts is gone"),
    ("non-redundant", Weight::Failing, "look at which of the redundant parts is gone"),
    ("power supply ac lost", Weight::Failing, "look at the feed: cable, fuse, distribution unit"),
    ("power supply input lost", Weight::Failing, "look at the feed: cable, fuse, distribution unit"),
    ("ierr", Weight::Failing, "look at processor and board"),
    ("thermal trip", Weight::Failing, "mend the airflow and the heat sink"),
    ("fru failure", Weight::Failed, "replace the part"),
    ("battery failed", Weight::Failed, "replace the board's battery"),
    ("battery low", Weight::Failing, "replace the board's battery"),
    ("bus fatal error", Weight::Failed, "reseat the card"),
    ("pci perr", Weight::Failing, "reseat the card"),
    ("pci serr", Weight::Failing, "reseat the card"),
    ("configuration error", Weight::Failing, "look at how it is connected"),
];

/// Events of sensors with limits that went beyond a critical one, in lower case (IPMI 2.0, table 42-2; FreeIPMI puts a hyphen
/// before the direction). Going back over the limit is an event too, and none of these.
const BEYOND: [&str; 4] = [
    "upper critical going high",
    "upper non-recoverable going high",
    "lower critical going low",
    "lower non-recoverable going low",
];

/// Sensors that say how a port, a screen or an interface is used; an unplugged cable is no fault (ipmi_exporter#108).
const NOT_HARDWARE: [&str; 6] = ["nic", "link", "cable", "lan", "os boot", "acpi"];

/// All findings about sensors or events.
pub(super) fn judge(sensors: &Sensors) -> Vec<Finding> {
    let rows = sensors.rows.iter().enumerate();
    rows.filter(|(_, row)| !row.is_over)
        .filter(|(at, row)| !sensors.is_log || !is_taken_back(sensors, *at, row))
        .filter_map(|(_, row)| one(row, sensors.is_log))
        .collect()
}

/// A later entry of the same sensor says that it is well again.
fn is_taken_back(sensors: &Sensors, at: usize, row: &Sensor) -> bool {
    sensors.rows[at + 1..]
        .iter()
        .any(|later| later.name == row.name && (later.is_over || later.level == Level::Nominal))
}

fn one(row: &Sensor, is_log: bool) -> Option<Finding> {
    let words = row.words.to_ascii_lowercase();
    let by_words = WORDS.iter().find(|(part, _, _)| words.contains(part));
    let event = words.replace(" - ", " ");
    let is_beyond = is_log && BEYOND.iter().any(|beyond| event.contains(beyond));
    let name = format!("{} {}", row.name, row.kind).to_ascii_lowercase();
    let is_elsewhere = NOT_HARDWARE.iter().any(|word| name.split([' ', '_', '/', '-']).any(|part| part == *word));
    let (weight, action) = match (by_words, row.level) {
        (Some((_, weight, action)), _) => (*weight, *action),
        (None, Level::Warning) if is_elsewhere => return None,
        (None, Level::Unsaid) if is_beyond => (Weight::Failing, "look at the part on site"),
        (None, Level::Critical) => (Weight::Failing, "look at the part on site"),
        (None, Level::Warning) => (Weight::Failing, "look at the part in the next window"),
        (None, Level::Nominal | Level::Unsaid) => return None,
    };
    // Beyond a critical limit now is what the device declares; an entry of the log is past.
    let severity = if row.level == Level::Critical && !is_log { Severity::Critical } else { Severity::Warning };
    let part = Part { kind: "sensor", name: row.name.clone(), ..Part::default() };
    let summary = if is_log {
        "the management controller logged a fault that nothing took back"
    } else {
        "a sensor says that something is wrong"
    };
    let level = match row.level {
        Level::Unsaid => "not rated",
        Level::Nominal => "nominal",
        Level::Warning => "warning",
        Level::Critical => "critical",
    };
    let rule = if is_log { "bmc-event" } else { "bmc-sensor" };
    Some(Finding::new(part, rule, severity, weight, summary).seen("event", &row.words).seen("rated", level).so(action))
}

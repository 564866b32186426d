//! The management controller: sensors beyond their limits, and discrete events by their words.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Finding, Part, Weight};
use crate::domain::{
    hardware::sensors::{Ends, Level, Sensor, Sensors},
    severity::Severity,
};

/// What is to be done about an old entry.
const HISTORY: &str = "clear the log once whatever it says is mended: ipmitool sel clear";

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
    standing(sensors).filter_map(|row| one(row, sensors.is_log)).collect()
}

/// The same of a machine whose log is known since `first`. What was in it at the first look says nothing of now, and nobody
/// may ever take it back (check_ipmi_sensor#33): that is only told, and so is all of the first look itself.
pub(super) fn since(sensors: &Sensors, first: Option<&Sensors>) -> Vec<Finding> {
    if !sensors.is_log {
        return judge(sensors);
    }
    let known: BTreeSet<(&str, &str)> =
        first.unwrap_or(sensors).rows.iter().map(|row| (row.entry.as_str(), row.words.as_str())).collect();
    let found = |row: &Sensor| {
        let finding = one(row, true)?;
        let is_old = known.contains(&(row.entry.as_str(), row.words.as_str()));
        Some(if is_old { history(finding, &row.entry) } else { finding.seen("entry", &row.entry) })
    };
    standing(sensors).filter_map(found).collect()
}

fn history(finding: Finding, entry: &str) -> Finding {
    let summary = "the management controller had logged a fault before this machine was first looked at";
    Finding { severity: Severity::Info, weight: Weight::Told, summary: summary.into(), action: HISTORY, ..finding }
        .seen("entry", entry)
}

/// Sensors, or events that nothing took back. A log is gone through once, from its end: one may have thousands of entries of one
/// sensor.
fn standing(sensors: &Sensors) -> impl Iterator<Item = &Sensor> {
    let mut later: BTreeMap<&str, Later> = BTreeMap::new();
    let mut standing = Vec::new();
    for row in sensors.rows.iter().rev() {
        if !sensors.is_log {
            standing.extend((row.ends == Ends::Nothing).then_some(row));
            continue;
        }
        let (event, of_sensor) = (row.event(), later.entry(row.name.as_str()).or_default());
        match row.ends {
            Ends::Sensor => of_sensor.is_well = true,
            Ends::Event => drop(of_sensor.ended.insert(event)),
            Ends::Nothing => {
                standing.extend((!of_sensor.takes_back(&event)).then_some(row));
                of_sensor.came.insert(event);
            }
        }
    }
    standing.into_iter().rev()
}

/// What a sensor logged after an entry.
#[derive(Default)]
struct Later {
    /// That all is well.
    is_well: bool,
    /// Events that are over.
    ended: BTreeSet<String>,
    /// Events.
    came: BTreeSet<String>,
}

impl Later {
    /// It says that this very event is over, that all is well, or that a limit was passed again in the other direction: `Upper
    /// Critical going high`, `Upper Critical going low`.
    fn takes_back(&self, event: &str) -> bool {
        let back = |one: &str, other: &str| {
            event.strip_suffix(one).is_some_and(|limit| self.came.contains(&format!("{limit}{other}")))
        };
        self.is_well || self.ended.contains(event) || back("going high", "going low") || back("going low", "going high")
    }
}

fn one(row: &Sensor, is_log: bool) -> Option<Finding> {
    let words = row.words.to_ascii_lowercase();
    let by_words = WORDS.iter().find(|(part, _, _)| words.contains(part));
    let event = row.event();
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

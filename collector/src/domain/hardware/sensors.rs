//! Sensors and events of a machine's management controller, by FreeIPMI and ipmitool.

use super::text::short;

/// Most rows that are read; large servers have some hundreds of sensors, event logs some thousands of entries.
const ROWS: usize = 20_000;

/// What ipmitool says of a log without entries.
const EMPTY_LOG: &str = "SEL has no entries";

/// What the management controller shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sensors {
    /// Sensors, or entries of the event log, in their order.
    pub rows: Vec<Sensor>,
    /// They are entries of the event log: past, unless nothing took them back.
    pub is_log: bool,
}

/// One sensor or event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sensor {
    /// Its name.
    pub name: String,
    /// What it senses, as the tool says it; empty where it does not.
    pub kind: String,
    /// How the tool rates it.
    pub level: Level,
    /// Its reading or event in words.
    pub words: String,
    /// Of an event: which earlier ones it ends.
    pub ends: Ends,
    /// Of an event: number, date and time as the tool prints them, which tell it from the others of its log; else empty.
    pub entry: String,
}

/// What an event ends of what its sensor logged before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ends {
    /// Nothing.
    #[default]
    Nothing,
    /// The same event: it is deasserted.
    Event,
    /// All of the sensor, which says that it is well: a sensor has events of one type only (IPMI 2.0, table 42-1).
    Sensor,
}

impl Sensor {
    /// Its event in words that are the same when it comes and when it goes.
    #[must_use]
    pub fn event(&self) -> String {
        // FreeIPMI has the reading behind a semicolon and a hyphen before the direction.
        let event = self.words.split(';').next().unwrap_or_default().to_ascii_lowercase();
        let event = event.replace("deassertion event", "").replace("assertion event", "").replace(" - ", " ");
        event.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// How a sensor is rated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Not read, disabled, not present: never a fault.
    #[default]
    Unsaid,
    /// As it should be.
    Nominal,
    /// Beyond a non-critical limit.
    Warning,
    /// Beyond a critical limit.
    Critical,
}

/// The rows in a text of any of the tools.
pub(super) fn read(text: &str) -> Sensors {
    let mut found = Sensors { is_log: text.trim_start().starts_with(EMPTY_LOG), ..Sensors::default() };
    let mut heads: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(ROWS) {
        let cells: Vec<&str> = match line.contains('|') {
            true => line.split('|').map(str::trim).collect(),
            // `ipmitool -c`: name, id, state, entity, words.
            false => line.split(',').map(str::trim).collect(),
        };
        if cells.first() == Some(&"ID") {
            heads = cells.iter().map(|cell| cell.to_ascii_lowercase()).collect();
            found.is_log = heads.iter().any(|head| head == "date");
        } else if !heads.is_empty() {
            let cell = |name: &str| heads.iter().position(|head| head == name).and_then(|at| cells.get(at)).copied();
            found.rows.push(free_ipmi(&cell, found.is_log));
        } else if let Some((row, is_log)) = ipmitool(&cells) {
            found.is_log |= is_log;
            found.rows.push(row);
        }
    }
    found
}

fn free_ipmi<'a>(cell: &impl Fn(&str) -> Option<&'a str>, is_log: bool) -> Sensor {
    let text = |name: &str| cell(name).unwrap_or_default();
    let level = match text("state") {
        "Nominal" | "OK" => Level::Nominal,
        "Warning" => Level::Warning,
        "Critical" | "Failed" => Level::Critical,
        _ => Level::Unsaid,
    };
    let words = short(text("event").trim_matches('\''));
    let ends = match ends(&words, words.to_ascii_lowercase().contains("deassert")) {
        // It rates an event that is deasserted as nominal, and prints no direction.
        Ends::Nothing if is_log && level == Level::Nominal => Ends::Event,
        ends => ends,
    };
    let entry = if is_log { entry(&[text("id"), text("date"), text("time")]) } else { String::new() };
    Sensor { name: short(text("name")), kind: short(text("type")), level, words, ends, entry }
}

/// `sensor`: name | reading | unit | status | six thresholds; `sdr`: name | reading | status; `sdr elist`: name | id | status |
/// entity | words; `sel list`: id | date | time | sensor | event | direction.
fn ipmitool(cells: &[&str]) -> Option<(Sensor, bool)> {
    let level = |status: &str| match status {
        "ok" => Level::Nominal,
        "nc" | "lnc" | "unc" => Level::Warning,
        "cr" | "nr" | "lcr" | "ucr" | "lnr" | "unr" => Level::Critical,
        _ => Level::Unsaid,
    };
    let sensor = |name: &str, level, words: &str| Sensor {
        name: short(name),
        kind: String::new(),
        level,
        words: short(words),
        ..Sensor::default()
    };
    match cells {
        [number, date, time, name, event, rest @ ..]
            if date.contains('/') || *date == "Pre-Init" || date.starts_with("Unknown") =>
        {
            let ends = ends(event, rest.first() == Some(&"Deasserted"));
            let entry = entry(&[number, date, time]);
            Some((Sensor { ends, entry, ..sensor(name, Level::Unsaid, event) }, true))
        }
        [name, _, status, _, words] if status.len() <= 3 => Some((sensor(name, level(status), words), false)),
        [name, reading, unit, status, ..] if cells.len() >= 10 => {
            // Discrete sensors show their bits and no rating: 0x0180.
            let level = if *unit == "discrete" { Level::Unsaid } else { level(status) };
            Some((sensor(name, level, reading), false))
        }
        [name, reading, status] => Some((sensor(name, level(status), reading), false)),
        _ => None,
    }
}

/// What an event ends. One that says that all is well says nothing where it is deasserted.
fn ends(words: &str, is_deasserted: bool) -> Ends {
    let words = words.to_ascii_lowercase();
    let is_well = ["transition to ok", "fully redundant", "recovered", "removed from warning"]
        .iter()
        .any(|part| words.contains(part));
    match (is_well, is_deasserted) {
        (_, true) => Ends::Event,
        (true, false) => Ends::Sensor,
        (false, false) => Ends::Nothing,
    }
}

/// What tells an entry from the others of its log.
fn entry(cells: &[&str]) -> String {
    short(&cells.join(" "))
}

/// Whether a text is of these tools.
pub(super) fn is_one(text: &str) -> bool {
    let head = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let cells = |by: char| head.split(by).map(str::trim).collect::<Vec<_>>();
    let is_status = |status: &str| ["ok", "ns", "nc", "cr", "nr", "lcr", "ucr", "lnc", "unc", "na"].contains(&status);
    match (&cells('|')[..], &cells(',')[..]) {
        (["ID", _, ..], _) => true,
        ([_, _, status], _) | ([_, _, status, _, _], _) | ([_, _, _, status, _, _, ..], _) if is_status(status) => true,
        ([_, _, unit, _, ..], _) if *unit == "discrete" => true,
        ([_, date, time, _, ..], _) if date.contains('/') && time.contains(':') || *date == "Pre-Init" => true,
        (_, [_, id, status, _, _]) => id.ends_with('h') && is_status(status),
        _ => false,
    }
}

//! Sensors and events of a machine's management controller, by FreeIPMI and ipmitool.

use super::text::short;

/// Most rows that are read; large servers have some hundreds of sensors, event logs some thousands of entries.
const ROWS: usize = 20_000;

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
    /// An event that ends an earlier one.
    pub is_over: bool,
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
    let mut found = Sensors::default();
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
            found.rows.push(free_ipmi(&cell));
        } else if let Some((row, is_log)) = ipmitool(&cells) {
            found.is_log |= is_log;
            found.rows.push(row);
        }
    }
    found
}

fn free_ipmi<'a>(cell: &impl Fn(&str) -> Option<&'a str>) -> Sensor {
    let text = |name: &str| cell(name).unwrap_or_default();
    let level = match text("state") {
        "Nominal" | "OK" => Level::Nominal,
        "Warning" => Level::Warning,
        "Critical" | "Failed" => Level::Critical,
        _ => Level::Unsaid,
    };
    let words = short(text("event").trim_matches('\''));
    let is_over = is_over(&words);
    Sensor { name: short(text("name")), kind: short(text("type")), level, words, is_over }
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
        is_over: false,
    };
    match cells {
        [_, date, _, name, event, rest @ ..]
            if date.contains('/') || *date == "Pre-Init" || date.starts_with("Unknown") =>
        {
            let is_over = rest.first() == Some(&"Deasserted") || is_over(event);
            Some((Sensor { is_over, ..sensor(name, Level::Unsaid, event) }, true))
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

/// Whether an event says that something is well again.
fn is_over(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["transition to ok", "deassert", "fully redundant", "recovered", "removed from warning"]
        .iter()
        .any(|part| words.contains(part))
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

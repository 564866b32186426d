//! What keeps a machine running without the mains: uninterruptible power supplies (NUT, apcupsd) and laptop batteries (`acpi`,
//! upower, `/sys/class/power_supply`).

use super::text::{digits, pair, short};

/// Most batteries that are read.
const BATTERIES: usize = 64;

/// Supplies in one output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Power {
    /// An uninterruptible supply.
    pub supply: Option<Supply>,
    /// Batteries of the machine itself.
    pub batteries: Vec<Battery>,
}

/// An uninterruptible power supply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Supply {
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// What it says of itself, as words: `OL`, `OB`, `LB`, `RB`, `ONLINE`, `REPLACEBATT`, `COMMLOST`.
    pub status: Vec<String>,
    /// Charge in percent.
    pub charge_percent: Option<u64>,
    /// Load in percent.
    pub load_percent: Option<u64>,
    /// How its last test of itself ended, in its words.
    pub self_test: String,
}

/// A battery of the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Battery {
    /// Its name.
    pub name: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// What it holds when full, in the unit of `design`.
    pub full: Option<f64>,
    /// What it was made for.
    pub design: Option<f64>,
    /// Full over design in percent, where only that is said.
    pub capacity_percent: Option<f64>,
    /// The driver's word for its health, other than good.
    pub health: String,
}

impl Power {
    /// Whether it tells of health at all.
    #[must_use]
    pub fn tells_of_health(&self) -> bool {
        self.supply.as_ref().is_some_and(|supply| !supply.status.is_empty())
            || self.batteries.iter().any(|battery| battery.health_ratio().is_some() || !battery.health.is_empty())
    }
}

impl Battery {
    /// How much of what it was made for it still holds, 0-1; `None` where that is not said or cannot be.
    #[must_use]
    pub fn health_ratio(&self) -> Option<f64> {
        let measured =
            self.full.zip(self.design).filter(|(_, design)| *design > 0.0).map(|(full, design)| full / design);
        measured
            .or_else(|| self.capacity_percent.map(|percent| percent / 100.0))
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
    }
}

fn float(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    text[..end].replace(',', ".").parse().ok()
}

/// `apcaccess status`, `upsc NAME`.
pub(super) fn supply(text: &str) -> Power {
    let mut found = Supply::default();
    for (key, value) in text.lines().filter_map(|line| variable(line).or_else(|| pair(line))) {
        match key {
            "STATUS" | "ups.status" => found.status = value.split_whitespace().take(16).map(short).collect(),
            "MODEL" | "ups.model" | "device.model" => found.model = short(value),
            "SERIALNO" | "ups.serial" | "device.serial" => found.serial = short(value),
            "BCHARGE" | "battery.charge" => found.charge_percent = digits(value),
            "LOADPCT" | "ups.load" => found.load_percent = digits(value),
            "SELFTEST" | "ups.test.result" => found.self_test = short(value),
            _ => {}
        }
    }
    Power { supply: Some(found), ..Power::default() }
}

/// `VAR ups1 battery.charge "100"`: NUT's own protocol.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.strip_prefix("VAR ")?.split_once(' ')?;
    let (key, value) = rest.split_once(' ')?;
    Some((key, value.trim_matches('"')))
}

/// `acpi -V`, `upower -i`, `/sys/class/power_supply/BAT0/uevent`.
pub(super) fn batteries(text: &str) -> Power {
    let mut found: Vec<Battery> = Vec::new();
    for line in text.lines() {
        if let Some((name, said)) = line.split_once(": ").filter(|(name, _)| name.starts_with("Battery ")) {
            acpi(&mut found, name, said);
        } else if let Some((key, value)) = line.strip_prefix("POWER_SUPPLY_").and_then(|line| line.split_once('=')) {
            uevent(&mut found, key, value);
        } else if let Some((key, value)) = pair(line) {
            upower(&mut found, key, value);
        }
    }
    found.truncate(BATTERIES);
    Power { batteries: found, ..Power::default() }
}

/// `Battery 1: design capacity 4400 mAh, last full capacity 3013 mAh = 68%`
fn acpi(found: &mut Vec<Battery>, name: &str, said: &str) {
    if found.last().is_none_or(|battery| battery.name != name) {
        found.push(Battery { name: short(name), ..Battery::default() });
    }
    let after = |mark: &str| said.split_once(mark).and_then(|(_, rest)| float(rest));
    if let Some(battery) = found.last_mut() {
        battery.design = after("design capacity ").or(battery.design);
        battery.full = after("last full capacity ").or(battery.full);
    }
}

fn uevent(found: &mut Vec<Battery>, key: &str, value: &str) {
    if key == "NAME" {
        found.push(Battery { name: short(value), ..Battery::default() });
    }
    let Some(battery) = found.last_mut() else { return };
    match key {
        "ENERGY_FULL" | "CHARGE_FULL" => battery.full = float(value),
        "ENERGY_FULL_DESIGN" | "CHARGE_FULL_DESIGN" => battery.design = float(value),
        "MODEL_NAME" => battery.model = short(value),
        "SERIAL_NUMBER" => battery.serial = short(value),
        "HEALTH" if value != "Good" && value != "Unknown" => battery.health = short(value),
        _ => {}
    }
}

fn upower(found: &mut Vec<Battery>, key: &str, value: &str) {
    if key == "native-path" {
        let name = value.rsplit('/').next().unwrap_or(value);
        found.push(Battery { name: short(name), ..Battery::default() });
    }
    let Some(battery) = found.last_mut() else { return };
    match key {
        "energy-full" => battery.full = float(value),
        "energy-full-design" => battery.design = float(value),
        "capacity" => battery.capacity_percent = float(value),
        "model" => battery.model = short(value),
        "serial" => battery.serial = short(value),
        _ => {}
    }
}

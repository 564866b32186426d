//! Supply voltages outside the limits that their chip was given, and the board's battery.
//!
//! Inputs that nothing is connected to read anything, and limits that nobody set are zero or the chip's own reset values: only
//! an input that the board's firmware or driver names (`in*_label`) is believed, and only limits that can be some.

use std::collections::BTreeMap;

use super::{
    Inputs, Unit,
    catalogue::{Limit, Rule},
    heat::{Key, each},
    judging::Judging,
};
use crate::domain::{readings::dictionary::Dictionary, severity::Severity};

/// `voltage_out_of_band`
pub(super) static OUT: Rule = Rule {
    name: "voltage_out_of_band",
    says: "A supply voltage is outside the limits that its chip was given, or the board's battery is empty.",
    part: Some("sensor"),
    limits: &[
        Limit::new("hysteresis", "share of the limit by which it must be inside again", Unit::Share, (0.0, 0.5), 0.01),
        Limit::new("battery", "volts of the board's battery, below which it is empty", Unit::Number, (1.0, 3.5), 2.5),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 120.0),
    ],
    source: "the chip's own limits (Documentation/hwmon/sysfs-interface.rst: in*_min, in*_max, in*_lcrit, in*_crit and \
             their alarms) of inputs that have a label, within 0.05 to 300 V and with the lower below the upper; a CR2032 of \
             3 V is empty at 2.5; the time is Muster's own choice",
    remedy: "measure at the power supply and the board, look at the feed of a small board; an empty battery is a CR2032",
    evidence: None,
};

const HYSTERESIS: usize = 0;
const BATTERY: usize = 1;
const FOR: usize = 2;
/// What a supply of a machine can have, in volts: from the core of a processor at rest to the mains.
const PLAUSIBLE: (f64, f64) = (0.05, 300.0);
/// Sensors of one host that are judged.
const SENSORS: usize = 256;
/// The readings of a sensor besides the input, in their order.
const METRICS: [&str; 8] = [
    "node_hwmon_in_min_volts",
    "node_hwmon_in_max_volts",
    "node_hwmon_in_lcrit_volts",
    "node_hwmon_in_crit_volts",
    "node_hwmon_in_min_alarm_volts",
    "node_hwmon_in_max_alarm_volts",
    "node_hwmon_in_lcrit_alarm_volts",
    "node_hwmon_in_crit_alarm_volts",
];
const LOWER: [usize; 2] = [0, 2];
const UPPER: [usize; 2] = [1, 3];
const ALARMS: std::ops::Range<usize> = 4..8;
/// Drivers whose alarm is all that they say of a supply (Documentation/hwmon/raspberrypi-hwmon.rst).
const ALARM_ONLY: &str = "rpi_volt";

/// Where the readings of one sensor are.
#[derive(Debug)]
pub(super) struct Sensor {
    part: Box<str>,
    input: Option<u32>,
    more: [Option<u32>; METRICS.len()],
    is_battery: bool,
}

/// Where a host's voltages are that somebody named.
pub(super) fn sensors(dictionary: &Dictionary) -> Box<[Sensor]> {
    let mut chips: BTreeMap<String, String> = BTreeMap::new();
    each(dictionary, "node_hwmon_chip_names", &mut |place, (chip, _)| {
        chips.insert(chip, dictionary.label(place, "chip_name").to_owned());
    });
    let mut found: BTreeMap<Key, Sensor> = BTreeMap::new();
    let name = |key: &Key| chips.get(&key.0).filter(|name| !name.is_empty()).unwrap_or(&key.0).clone();
    let sensor =
        |part: String, is_battery| Sensor { part: part.into(), input: None, more: Default::default(), is_battery };
    each(dictionary, "node_hwmon_sensor_label", &mut |place, key| {
        let label = dictionary.label(place, "label");
        if key.1.starts_with("in") && !label.is_empty() {
            let is_battery = label.to_ascii_lowercase().contains("vbat");
            found.insert(key.clone(), sensor(format!("{} {label}", name(&key)), is_battery));
        }
    });
    each(dictionary, METRICS[6], &mut |_, key| {
        let chip = name(&key);
        if chip == ALARM_ONLY {
            let part = format!("{chip} {}", key.1);
            found.entry(key).or_insert_with(|| sensor(part, false));
        }
    });
    each(dictionary, "node_hwmon_in_volts", &mut |place, key| {
        if let Some(sensor) = found.get_mut(&key) {
            sensor.input = Some(place);
        }
    });
    for (n, metric) in METRICS.into_iter().enumerate() {
        each(dictionary, metric, &mut |place, key| {
            if let Some(sensor) = found.get_mut(&key) {
                sensor.more[n] = Some(place);
            }
        });
    }
    found.into_values().take(SENSORS).collect()
}

/// Judges all of a host's.
pub(super) fn judge(judging: &mut Judging<'_>) {
    let inputs = judging.inputs;
    for sensor in &inputs.index.voltages {
        one(judging, sensor);
    }
}

fn one(judging: &mut Judging<'_>, sensor: &Sensor) {
    let inputs = judging.inputs;
    let was = judging.crossed(&OUT, &sensor.part).is_some();
    let value = |place: Option<u32>| place.map_or(f64::NAN, |place| inputs.value(place));
    let is = value(sensor.input);
    if sensor.input.is_some() && is.is_nan() {
        if judging.previous(&OUT, &sensor.part).is_some() {
            judging.doubt(&OUT, &sensor.part, "its chip does not say it any more");
        }
        return;
    }
    let is_alarmed = ALARMS.into_iter().any(|n| value(sensor.more[n]) > 0.0);
    let (low, high) = limits(inputs, sensor);
    // Nearly always all is well, and nothing stands.
    let is_well = if is.is_nan() { !is_alarmed } else { !(is < low || is > high || sensor.is_battery) };
    if is_well && !was && judging.previous(&OUT, &sensor.part).is_none() {
        return;
    }
    let applies = inputs.thresholds.at(&OUT, || &sensor.part);
    let hysteresis = if was { applies.limits[HYSTERESIS] } else { 0.0 };
    let battery = applies.limits[BATTERY];
    // Of an input that is read its own limits say more than an alarm that may be an old one.
    let trouble = match () {
        () if is.is_nan() => is_alarmed.then(|| "its driver says under-voltage".to_owned()),
        () if sensor.is_battery && (PLAUSIBLE.0..battery * (1.0 + hysteresis)).contains(&is) => {
            Some(format!("{is:.2} V, a battery is empty at {battery:.1}"))
        }
        () if is < low * (1.0 + hysteresis) => Some(format!("{is:.2} V, lower limit {low:.2}")),
        () if is > high * (1.0 - hysteresis) => Some(format!("{is:.2} V, upper limit {high:.2}")),
        () => None,
    };
    let level = trouble.is_some().then_some(Severity::Warning);
    let evidence = || match trouble {
        Some(trouble) => format!("{}: {trouble}", sensor.part),
        None if is.is_nan() => format!("{}: no alarm any more", sensor.part),
        None => format!("{}: {is:.2} V", sensor.part),
    };
    judging.settle(&OUT, &sensor.part, level, (&applies, applies.limits[FOR]), evidence);
}

/// The narrowest limits that can be some; NaN else. An input at nothing is not connected.
fn limits(inputs: &Inputs<'_>, sensor: &Sensor) -> (f64, f64) {
    let is_connected = sensor.input.is_some_and(|place| inputs.value(place) >= PLAUSIBLE.0);
    let limit = |places: [usize; 2], narrower: fn(f64, f64) -> f64| {
        let values = places.into_iter().filter_map(|n| sensor.more[n]).map(|place| inputs.value(place));
        values.filter(|limit| is_connected && (PLAUSIBLE.0..=PLAUSIBLE.1).contains(limit)).fold(f64::NAN, narrower)
    };
    let (low, high) = (limit(LOWER, f64::max), limit(UPPER, f64::min));
    if low >= high { (f64::NAN, f64::NAN) } else { (low, high) }
}

//! Parts that are hotter than their own limits, and fans that stand still.
//!
//! Chips report garbage where nothing is connected (a sensor of an nct6793 was seen at 3 892 314 degrees, and others at 127 for
//! ever), so that a reading is believed only within what silicon bears, and a limit only where it is one.

use std::collections::BTreeMap;

use super::{
    Inputs, Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
};
use crate::domain::{readings::dictionary::Dictionary, severity::Severity};

/// `temperature_high`
pub(super) static HOT: Rule = Rule {
    name: "temperature_high",
    says: "A part is hotter than its own limit.",
    part: Some("sensor"),
    limits: &[
        Limit::new(
            "hysteresis",
            "cooler than the limit that ends it, in degrees Celsius",
            Unit::Number,
            (0.0, 30.0),
            3.0,
        ),
        Limit::new("for", "how long it must be above what the chip calls high", Unit::Time, (0.0, 86_400.0), 600.0),
        Limit::new("critical_for", "or above what it calls critical", Unit::Time, (0.0, 86_400.0), 120.0),
    ],
    source: "the chip's own limits (Documentation/hwmon/sysfs-interface.rst: temp*_max, temp*_crit); readings outside -40 to \
             150 degrees and limits outside 30 to 150 are not believed; the times are Muster's own choice",
    remedy: "look at fans, dust and the room; sensors(1) shows all of the machine",
    evidence: None,
};

/// `fan_stopped`
pub(super) static STOPPED: Rule = Rule {
    name: "fan_stopped",
    says: "A fan that was turning stands still while others of its chip turn.",
    part: Some("fan"),
    limits: &[Limit::new("for", "how long it must stand still", Unit::Time, (0.0, 86_400.0), 120.0)],
    source: "a fan that never turned is a connector without one, and one alone may be switched off by its controller (graphics \
             cards): only one that turned for an hour, and beside others that do",
    remedy: "replace the fan; until then watch the temperatures",
    evidence: None,
};

const HYSTERESIS: usize = 0;
const FOR: usize = 1;
const CRITICAL_FOR: usize = 2;
/// What silicon and its sensors bear, in degrees Celsius.
const PLAUSIBLE: (f64, f64) = (-40.0, 150.0);
/// What can be a limit.
const LIMITS: (f64, f64) = (30.0, 150.0);
/// A fan that turned for so long is one.
const TURNED_MS: u64 = 3_600_000;
/// Sensors of one host that are judged.
const SENSORS: usize = 256;

/// Where the readings of one sensor are.
#[derive(Debug)]
pub(super) struct Sensor {
    chip: Box<str>,
    part: Box<str>,
    input: u32,
    high: Option<u32>,
    critical: Option<u32>,
}

/// Where a host's temperatures are.
pub(super) fn temperatures(dictionary: &Dictionary) -> Box<[Sensor]> {
    let mut sensors = sensors(dictionary, "node_hwmon_temp_celsius");
    for (metric, is_critical) in [("node_hwmon_temp_max_celsius", false), ("node_hwmon_temp_crit_celsius", true)] {
        each(dictionary, metric, &mut |place, key| {
            if let Some(sensor) = sensors.get_mut(&key) {
                *(if is_critical { &mut sensor.critical } else { &mut sensor.high }) = Some(place);
            }
        });
    }
    sensors.into_values().filter(|sensor| sensor.high.is_some() || sensor.critical.is_some()).take(SENSORS).collect()
}

/// Where its fans are.
pub(super) fn fans(dictionary: &Dictionary) -> Box<[Sensor]> {
    sensors(dictionary, "node_hwmon_fan_rpm").into_values().take(SENSORS).collect()
}

/// A chip and a sensor of it.
pub(super) type Key = (String, String);

/// All series of a metric, with the chip and the sensor that they are of.
pub(super) fn each(dictionary: &Dictionary, metric: &str, f: &mut dyn FnMut(u32, Key)) {
    dictionary.each(metric, &mut |place, labels| {
        let label =
            |name: &str| labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value).to_owned();
        f(place, (label("chip"), label("sensor")));
    });
}

fn sensors(dictionary: &Dictionary, metric: &str) -> BTreeMap<Key, Sensor> {
    let mut chips: BTreeMap<String, String> = BTreeMap::new();
    each(dictionary, "node_hwmon_chip_names", &mut |place, (chip, _)| {
        chips.insert(chip, dictionary.label(place, "chip_name").to_owned());
    });
    let mut labels: BTreeMap<Key, String> = BTreeMap::new();
    each(dictionary, "node_hwmon_sensor_label", &mut |place, key| {
        labels.insert(key, dictionary.label(place, "label").to_owned());
    });
    let mut found = BTreeMap::new();
    each(dictionary, metric, &mut |place, key| {
        let chip = chips.get(&key.0).filter(|name| !name.is_empty()).unwrap_or(&key.0);
        let part = match labels.get(&key).filter(|label| !label.is_empty()) {
            Some(label) => format!("{chip} {label}"),
            None => format!("{chip} {}", key.1),
        };
        let (chip, part) = (key.0.as_str().into(), part.into());
        found.insert(key, Sensor { chip, part, input: place, high: None, critical: None });
    });
    found
}

/// Since when fans turn, in milliseconds since boot; of those that stand still, since when they had turned.
#[derive(Debug, Default)]
pub(super) struct Turning(BTreeMap<u32, (u64, u64)>);

impl Turning {
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Takes over a reading; whether it stands still and is a fan that turned.
    fn stands(&mut self, place: u32, rpm: f64, now_ms: u64) -> bool {
        if rpm > 0.0 {
            self.0.entry(place).or_insert((now_ms, now_ms)).1 = now_ms;
            return false;
        }
        self.0.get(&place).is_some_and(|(from, to)| rpm == 0.0 && to - from >= TURNED_MS)
    }
}

/// Judges all sensors of a host.
pub(super) fn judge(judging: &mut Judging<'_>, turning: &mut Turning) {
    let inputs = judging.inputs;
    for sensor in &inputs.index.temperatures {
        temperature(judging, sensor);
    }
    let fans = &inputs.index.fans;
    for fan in fans {
        let rpm = inputs.value(fan.input);
        let stands = turning.stands(fan.input, rpm, inputs.uptime_ms);
        if !stands && judging.previous(&STOPPED, &fan.part).is_none() {
            continue;
        }
        let turns = |other: &&Sensor| other.chip == fan.chip && inputs.value(other.input) > 0.0;
        let others = fans.iter().filter(turns).count();
        let level = (stands && others > 0).then_some(Severity::Warning);
        let applies = inputs.thresholds.at(&STOPPED, || &fan.part);
        let evidence = || {
            if stands {
                format!("{}: stands still, {others} other fans of its chip turn", fan.part)
            } else {
                format!("{}: turns at {rpm:.0} a minute", fan.part)
            }
        };
        judging.settle(&STOPPED, &fan.part, level, (&applies, applies.limits[0]), evidence);
    }
}

fn temperature(judging: &mut Judging<'_>, sensor: &Sensor) {
    let inputs = judging.inputs;
    let is = inputs.value(sensor.input);
    let (high, critical) = limits(inputs, sensor);
    let is_believed = (PLAUSIBLE.0..=PLAUSIBLE.1).contains(&is);
    let previous = judging.crossed(&HOT, &sensor.part);
    let is_cool = !(is >= high || is >= critical);
    if !is_believed || is_cool && previous.is_none() {
        if judging.previous(&HOT, &sensor.part).is_some() && !is_believed {
            judging.doubt(&HOT, &sensor.part, "its sensor says what cannot be");
        }
        return;
    }
    let applies = inputs.thresholds.at(&HOT, || &sensor.part);
    // At the limit is hot already.
    let level = level(Bad::Above, is + 0.001, (high, critical), applies.limits[HYSTERESIS], previous);
    let for_s = match level {
        Some(Severity::Critical) => applies.limits[CRITICAL_FOR],
        _ => applies.limits[FOR],
    };
    let evidence = || {
        let limit =
            |name: &str, limit: f64| if limit.is_nan() { String::new() } else { format!(", {name} {limit:.0}") };
        format!("{}: {is:.0} °C{}{}", sensor.part, limit("high", high), limit("critical", critical))
    };
    judging.settle(&HOT, &sensor.part, level, (&applies, for_s), evidence);
}

/// What the chip calls high and critical, where it can be meant; NaN else.
fn limits(inputs: &Inputs<'_>, sensor: &Sensor) -> (f64, f64) {
    let limit = |place: Option<u32>| {
        let limit = place.map_or(f64::NAN, |place| inputs.value(place));
        if (LIMITS.0..=LIMITS.1).contains(&limit) { limit } else { f64::NAN }
    };
    let (high, critical) = (limit(sensor.high), limit(sensor.critical));
    // A chip whose high is not below its critical means one of them.
    (if high >= critical { f64::NAN } else { high }, critical)
}

//! One file of a sensor, `temp1_crit_alarm`: what its name means, in which unit it is said and how often it is read
//! (Documentation/hwmon/sysfs-interface.rst).

use crate::probe::folder::{Folder, gauge};
use crate::probe::{Kind, Sink};

/// Kinds of sensors that are said.
const KINDS: [&str; 13] = [
    "vrm",
    "beep_enable",
    "update_interval",
    "in",
    "cpu",
    "fan",
    "pwm",
    "temp",
    "curr",
    "power",
    "energy",
    "humidity",
    "intrusion",
];
/// Properties that are limits or settings: they change when somebody changes them.
const SETTINGS: [&str; 20] = [
    "label",
    "type",
    "min",
    "max",
    "crit",
    "lcrit",
    "emergency",
    "cap_min",
    "cap_max",
    "offset",
    "div",
    "pulses",
    "tolerance",
    "beep",
    "mode",
    "freq",
    "rated_min",
    "rated_max",
    "accuracy",
    "vid",
];

/// A file name taken apart: `temp1_crit_alarm` is kind `temp`, number 1, property `crit_alarm`.
#[derive(Debug, PartialEq, Eq)]
struct File<'a> {
    kind: &'a str,
    number: u32,
    property: &'a str,
}

impl<'a> File<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (kind, number, property) = match name.find(|c: char| c.is_ascii_digit()) {
            None => (name, 0, ""),
            Some(at) => {
                let (kind, rest) = name.split_at(at);
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let (number, property) = rest.split_at(end);
                let property =
                    if property.is_empty() { "" } else { property.strip_prefix('_').filter(|p| !p.is_empty())? };
                (kind, number.parse().ok()?, property)
            }
        };
        KINDS.contains(&kind).then_some(Self { kind, number, property })
    }

    fn is_setting(&self) -> bool {
        match self.kind {
            "vrm" | "update_interval" | "beep_enable" => true,
            // Everything else of a fan's control describes its curve.
            "pwm" => !matches!(self.property, "" | "enable"),
            _ => {
                SETTINGS.contains(&self.property)
                    || self.property.ends_with("_hyst")
                    || self.property.starts_with("average_interval")
            }
        }
    }

    /// Name, help and type of the family, and the unit of the kernel's numbers.
    fn family(&self, has_plain: bool) -> (String, String, Kind, Scale) {
        let (unit, help, scale) = self.meaning();
        let element = match self.property {
            "" => String::new(),
            // `input` is the reading itself, unless there is a plain file too.
            "input" => if has_plain { "_input" } else { "" }.to_owned(),
            other => format!("_{}", super::clean(other)),
        };
        let kind = if unit == "_joule_total" { Kind::Counter } else { Kind::Gauge };
        (format!("node_hwmon_{}{element}{unit}", self.kind), help, kind, scale)
    }

    /// What the name ends in, the help text, and the unit of the kernel's numbers.
    fn meaning(&self) -> (&'static str, String, Scale) {
        let (kind, property) = (self.kind, self.property);
        match (kind, property) {
            (_, "fault" | "alarm") => ("", format!("Hardware sensor {property} status ({kind})"), Scale::One),
            (_, "beep") => ("_enabled", "Hardware monitor sensor has beeping enabled".to_owned(), Scale::One),
            ("in" | "cpu", _) => ("_volts", format!("Hardware monitor for voltage ({property})"), Scale::Milli),
            ("temp", property) if property != "type" => {
                let element = if property.is_empty() { "input" } else { property };
                ("_celsius", format!("Hardware monitor for temperature ({element})"), Scale::Milli)
            }
            ("curr", _) => ("_amps", format!("Hardware monitor for current ({property})"), Scale::Milli),
            ("energy", _) => {
                ("_joule_total", format!("Hardware monitor for joules used so far ({property})"), Scale::Micro)
            }
            ("power", "accuracy") => ("", "Hardware monitor power meter accuracy, as a ratio".to_owned(), Scale::Micro),
            ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
                ("_seconds", format!("Hardware monitor power usage update interval ({property})"), Scale::Milli)
            }
            ("power", _) => ("_watt", format!("Hardware monitor for power usage in watts ({property})"), Scale::Micro),
            ("humidity", _) => {
                let help = "Hardware monitor for humidity, as a ratio (multiply with 100.0 to get the humidity as a \
                            percentage)";
                ("", format!("{help} ({property})"), Scale::Micro)
            }
            ("fan", "input" | "min" | "max" | "target") => {
                ("_rpm", format!("Hardware monitor for fan revolutions per minute ({property})"), Scale::One)
            }
            _ => ("", format!("Hardware monitor {kind} element {property}"), Scale::One),
        }
    }
}

/// From the kernel's unit to the base unit, in the arithmetic of `node_exporter`, so that the last digit is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    One,
    Milli,
    Micro,
}

impl Scale {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::One => value,
            Self::Milli => value * 0.001,
            Self::Micro => value / 1_000_000.0,
        }
    }
}

/// Says what `name`, a file of the chip's, means, if it is of a sensor; `siblings` are all files of the directory.
pub(super) fn say(sink: &mut Sink<'_>, folder: &mut Folder<'_>, chip: &str, name: &str, siblings: &str) {
    // `power` is the directory that every device has for its power management.
    let Some(file) = File::parse(name).filter(|_| name != "power") else { return };
    let sensor = format!("{}{}", file.kind, file.number);
    let labels = [("chip", chip), ("sensor", &*sensor)];
    if file.property == "label" {
        say_label(sink, folder, &labels, name);
        return;
    }
    let value = if file.is_setting() { folder.fixed(name) } else { folder.number(sink, name) };
    let Some(value) = value else { return };
    match file.kind {
        "beep_enable" => {
            let value = if value == 1.0 { 1.0 } else { 0.0 };
            gauge(sink, "node_hwmon_beep_enabled", "Hardware beep enabled", &labels, value);
        }
        "vrm" => {
            gauge(sink, "node_hwmon_voltage_regulator_version", "Hardware voltage regulator", &labels, value);
        }
        "update_interval" => {
            let value = Scale::Milli.apply(value);
            gauge(sink, "node_hwmon_update_interval_seconds", "Hardware monitor update interval", &labels, value);
        }
        _ => {
            let has_plain = file.property == "input" && siblings.lines().any(|other| other == sensor);
            let (name, help, kind, scale) = file.family(has_plain);
            sink.family(&name, kind, &help);
            sink.sample(&labels, scale.apply(value));
        }
    }
}

fn say_label(sink: &mut Sink<'_>, folder: &mut Folder<'_>, labels: &[(&str, &str); 2], name: &str) {
    let Some(text) = folder.fact(name).filter(|text| !text.is_empty()) else { return };
    let [chip, sensor] = *labels;
    let labels = [chip, sensor, ("label", &*text)];
    gauge(sink, "node_hwmon_sensor_label", "Label for given chip and sensor", &labels, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_kind_number_and_property() {
        let file = |kind, number, property| Some(File { kind, number, property });
        for (name, expected) in [
            ("temp1_crit_alarm", file("temp", 1, "crit_alarm")),
            ("pwm12", file("pwm", 12, "")),
            ("beep_enable", file("beep_enable", 0, "")),
            ("in0_input", file("in", 0, "input")),
            ("vrm", file("vrm", 0, "")),
            ("name", None),
            ("temp1_", None),
            ("temp1x", None),
            ("tempo1_input", None),
            ("temp99999999999_input", None),
            ("1_input", None),
            ("", None),
        ] {
            assert_eq!(File::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn what_a_drive_answers_by_a_command_each_is_a_setting() {
        for name in ["temp1_min", "temp1_max", "temp1_crit", "temp1_max_hyst", "temp1_label", "pwm1_auto_point1_temp"] {
            assert!(File::parse(name).unwrap().is_setting(), "{name}");
        }
        for name in
            ["temp1_input", "temp1_alarm", "temp1_max_alarm", "fan1_fault", "pwm1", "pwm1_enable", "power1_average"]
        {
            assert!(!File::parse(name).unwrap().is_setting(), "{name}");
        }
    }
}

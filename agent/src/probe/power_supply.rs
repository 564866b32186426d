//! Batteries, mains adapters and USB supplies, from `/sys/class/power_supply` (Documentation/ABI/testing/
//! sysfs-class-power). Once a minute: behind each file may be an embedded controller or a slow bus.

use super::folder::{Folder, gauge};
use super::{ProbeError, Sink};
use crate::host::Host;
use crate::withheld::Family;

const NAME: &str = "powersupplyclass";
const DIRECTORY: &str = "/sys/class/power_supply";

/// File and end of the name, of what is said as it is.
const PLAIN: [(&str, &str); 10] = [
    ("authentic", "authentic"),
    ("calibrate", "calibrate"),
    ("capacity", "capacity"),
    ("capacity_alert_max", "capacity_alert_max"),
    ("capacity_alert_min", "capacity_alert_min"),
    ("cycle_count", "cyclecount"),
    ("online", "online"),
    ("present", "present"),
    ("time_to_empty_now", "time_to_empty_seconds"),
    ("time_to_full_now", "time_to_full_seconds"),
];
/// Of what the kernel says in millionths.
const MILLIONTHS: [(&str, &str); 31] = [
    ("current_boot", "current_boot"),
    ("current_max", "current_max"),
    ("current_now", "current_ampere"),
    ("energy_empty", "energy_empty"),
    ("energy_empty_design", "energy_empty_design"),
    ("energy_full", "energy_full"),
    ("energy_full_design", "energy_full_design"),
    ("energy_now", "energy_watthour"),
    ("voltage_boot", "voltage_boot"),
    ("voltage_max", "voltage_max"),
    ("voltage_max_design", "voltage_max_design"),
    ("voltage_min", "voltage_min"),
    ("voltage_min_design", "voltage_min_design"),
    ("voltage_now", "voltage_volt"),
    ("voltage_ocv", "voltage_ocv"),
    ("charge_control_limit", "charge_control_limit"),
    ("charge_control_limit_max", "charge_control_limit_max"),
    ("charge_counter", "charge_counter"),
    ("charge_empty", "charge_empty"),
    ("charge_empty_design", "charge_empty_design"),
    ("charge_full", "charge_full"),
    ("charge_full_design", "charge_full_design"),
    ("charge_now", "charge_ampere"),
    ("charge_term_current", "charge_term_current"),
    ("constant_charge_current", "constant_charge_current"),
    ("constant_charge_current_max", "constant_charge_current_max"),
    ("constant_charge_voltage", "constant_charge_voltage"),
    ("constant_charge_voltage_max", "constant_charge_voltage_max"),
    ("precharge_current", "precharge_current"),
    ("input_current_limit", "input_current_limit"),
    ("power_now", "power_watt"),
];
/// Of what the kernel says in tenths of a degree.
const TENTHS: [(&str, &str); 8] = [
    ("temp", "temp_celsius"),
    ("temp_alert_max", "temp_alert_max_celsius"),
    ("temp_alert_min", "temp_alert_min_celsius"),
    ("temp_ambient", "temp_ambient_celsius"),
    ("temp_ambient_max", "temp_ambient_max_celsius"),
    ("temp_ambient_min", "temp_ambient_min_celsius"),
    ("temp_max", "temp_max_celsius"),
    ("temp_min", "temp_min_celsius"),
];
/// Labels that tell how it is, which changes, and what it is, which does not.
const CONDITION: [&str; 4] = ["capacity_level", "charge_type", "health", "status"];
const IDENTITY: [&str; 7] = ["manufacturer", "model_name", "serial_number", "technology", "type", "usb_type", "scope"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let supplies = host.list(DIRECTORY)?;
    if supplies.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    let mut folder = Folder::new(host, NAME, DIRECTORY);
    for supply in &supplies {
        folder.go(&format!("{DIRECTORY}/{supply}"));
        let files = folder.names();
        let present = |file: &str| files.lines().any(|name| name == file);
        for (rows, divisor) in [(&PLAIN[..], 1.0), (&MILLIONTHS[..], 1e6), (&TENTHS[..], 10.0)] {
            for (file, name) in rows.iter().filter(|(file, _)| present(file)) {
                let Some(value) = folder.number(sink, file) else { continue };
                let help = format!("{name} value of /sys/class/power_supply/<power_supply>.");
                let labels = [("power_supply", supply.as_str())];
                gauge(sink, &format!("node_power_supply_{name}"), &help, &labels, value / divisor);
            }
        }
        say_info(sink, &mut folder, supply, |file| {
            present(file) && !(file == "serial_number" && host.withheld().holds(Family::Serials))
        });
    }
    Ok(())
}

fn say_info(sink: &mut Sink<'_>, folder: &mut Folder<'_>, supply: &str, present: impl Fn(&str) -> bool) {
    let mut words: Vec<(&str, String)> = vec![("power_supply", supply.to_owned())];
    for file in CONDITION.into_iter().filter(|file| present(file)) {
        words.extend(folder.word(sink, file).map(|word| (file, word)));
    }
    for file in IDENTITY.into_iter().filter(|file| present(file)) {
        words.extend(folder.fact(file).map(|word| (file, word.to_string())));
    }
    let labels: Vec<(&str, &str)> =
        words.iter().filter(|(_, word)| !word.is_empty()).map(|(name, word)| (*name, &**word)).collect();
    gauge(sink, "node_power_supply_info", "info of /sys/class/power_supply/<power_supply>.", &labels, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_supply_says_what_it_has_in_base_units() {
        let battery = "sys/class/power_supply/BAT0";
        let machine = Machine::new(&[]);
        for (file, text) in [
            ("type", "Battery\n"),
            ("status", "Full\n"),
            ("health", "\n"),
            ("cycle_count", "187\n"),
            ("energy_now", "31900000\n"),
            ("temp", "298\n"),
            ("current_now", "-480000\n"),
            ("capacity", "?\n"),
            ("charge_control_start_threshold", "75\n"),
        ] {
            machine.put(&format!("{battery}/{file}"), text);
        }
        machine.break_file(&format!("{battery}/voltage_now"));
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_power_supply_current_ampere{power_supply="BAT0"}"#.to_owned(), -0.48),
            (r#"node_power_supply_cyclecount{power_supply="BAT0"}"#.to_owned(), 187.0),
            (r#"node_power_supply_energy_watthour{power_supply="BAT0"}"#.to_owned(), 31.9),
            (r#"node_power_supply_info{power_supply="BAT0",status="Full",type="Battery"}"#.to_owned(), 1.0),
            (r#"node_power_supply_temp_celsius{power_supply="BAT0"}"#.to_owned(), 29.8),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(
            said.noted(),
            [format!("powersupplyclass/{battery}/capacity"), format!("powersupplyclass/{battery}/voltage_now")]
        );
    }
}

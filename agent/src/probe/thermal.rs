//! Thermal zones and cooling devices of `/sys/class/thermal`, once a minute: behind a zone may be ACPI code that asks an
//! embedded controller, and what a zone says moves slowly.

use super::folder::{Folder, gauge, numbered};
use super::{ProbeError, Sink};
use crate::host::Host;

const NAME: &str = "thermal_zone";
const DIRECTORY: &str = "/sys/class/thermal";

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let names = host.list(DIRECTORY)?.join("\n");
    if names.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    let mut folder = Folder::new(host, NAME, DIRECTORY);
    for zone in numbered(&names, "thermal_zone") {
        folder.go(&format!("{DIRECTORY}/{zone}"));
        say_zone(sink, &mut folder, zone);
    }
    for device in numbered(&names, "cooling_device") {
        folder.go(&format!("{DIRECTORY}/{device}"));
        say_cooling_device(sink, &mut folder, device);
    }
    Ok(())
}

fn say_zone(sink: &mut Sink<'_>, folder: &mut Folder<'_>, zone: &str) {
    let Some(temperature) = folder.number(sink, "temp") else { return };
    let kind = folder.fact("type").unwrap_or_default();
    let labels = [("zone", zone.trim_start_matches("thermal_zone")), ("type", &*kind)];
    gauge(sink, "node_thermal_zone_temp", "Zone temperature in Celsius", &labels, temperature / 1000.0);
}

fn say_cooling_device(sink: &mut Sink<'_>, folder: &mut Folder<'_>, device: &str) {
    let (state, limit) = (folder.number(sink, "cur_state"), folder.fixed("max_state"));
    let kind = folder.fact("type").unwrap_or_default();
    let labels = [("name", device.trim_start_matches("cooling_device")), ("type", &*kind)];
    if let Some(state) = state {
        let help = "Current throttle state of the cooling device";
        gauge(sink, "node_cooling_device_cur_state", help, &labels, state);
    }
    if let Some(limit) = limit {
        let help = "Maximum throttle state of the cooling device";
        gauge(sink, "node_cooling_device_max_state", help, &labels, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_zone_without_a_reading_hides_no_other() {
        let machine = Machine::new(&[
            ("sys/class/thermal/thermal_zone0/type", "iwlwifi_1"),
            ("sys/class/thermal/thermal_zone1/type", "acpitz"),
            ("sys/class/thermal/thermal_zone1/temp", "27800"),
            ("sys/class/thermal/thermal_zone2/type", "acpitz"),
            ("sys/class/thermal/thermal_zone2/temp", "hot"),
            ("sys/class/thermal/cooling_device0/type", "Fan"),
            ("sys/class/thermal/cooling_device0/cur_state", "-1"),
        ]);
        machine.break_file("sys/class/thermal/thermal_zone0/temp");
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_cooling_device_cur_state{name="0",type="Fan"}"#.to_owned(), -1.0),
            (r#"node_thermal_zone_temp{type="acpitz",zone="1"}"#.to_owned(), 27.8),
        ];
        assert_eq!(said.series, expected.into());
        let zones =
            ["thermal_zone/sys/class/thermal/thermal_zone0/temp", "thermal_zone/sys/class/thermal/thermal_zone2/temp"];
        assert_eq!(said.noted(), zones);
    }
}

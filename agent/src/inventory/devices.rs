//! What is on the buses: PCI, USB, GPUs, batteries, and the names that the system's own lists have for them.

use std::collections::BTreeMap;

use super::network::last_of;
use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::Host;

const PCI: &str = "/sys/bus/pci/devices";
const USB: &str = "/sys/bus/usb/devices";
const SUPPLIES: &str = "/sys/class/power_supply";
/// Where distributions keep the lists of names (hwdata, pciutils, usbutils).
const PCI_IDS: [&str; 3] = ["/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids", "/usr/share/pci.ids"];
/// Base class of display controllers (PCI Code and ID Assignment).
const DISPLAY: &str = "03";

struct Device {
    address: String,
    vendor: String,
    device: String,
    class: String,
    subsystem: String,
    driver: Option<String>,
}

fn pci_devices(host: &Host) -> Result<Vec<Device>, Unread> {
    let mut devices = Vec::new();
    for address in host.list(PCI)? {
        let hex = |file: &str| {
            let text = host.read_text(&format!("{PCI}/{address}/{file}")).unwrap_or_default();
            text.trim_start_matches("0x").to_owned()
        };
        devices.push(Device {
            vendor: hex("vendor"),
            device: hex("device"),
            class: hex("class"),
            subsystem: format!("{}:{}", hex("subsystem_vendor"), hex("subsystem_device")),
            driver: last_of(host, &format!("{PCI}/{address}/driver")),
            address,
        });
    }
    Ok(devices)
}

/// Names of vendors and of `vendor:device`.
fn names(host: &Host, wanted: &[Device]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let Some(path) = PCI_IDS.iter().find(|path| host.exists(path)) else { return names };
    let (mut vendor, mut is_wanted) = (String::new(), false);
    // What is not understood has no name.
    let _ = host.each_line(path, |line| {
        // Known classes come last.
        if line.starts_with("C ") {
            return false;
        }
        match (line.strip_prefix('\t'), line.split_once("  ")) {
            (Some(rest), _) if is_wanted && !rest.starts_with('\t') => {
                if let Some((device, name)) = rest.split_once("  ") {
                    let key = format!("{vendor}:{device}");
                    if wanted.iter().any(|one| one.vendor == vendor && one.device == device) {
                        names.insert(key, name.to_owned());
                    }
                }
            }
            (None, Some((id, name))) if id.len() == 4 => {
                is_wanted = wanted.iter().any(|one| one.vendor == id);
                id.clone_into(&mut vendor);
                if is_wanted {
                    names.insert(vendor.clone(), name.to_owned());
                }
            }
            _ => {}
        }
        true
    });
    names
}

fn pci_row(one: &Device, names: &BTreeMap<String, String>) -> Row {
    Row::new(format_args!("{}/{}:{}", one.address, one.vendor, one.device))
        .durable("address", &one.address)
        .durable("vendor_id", &one.vendor)
        .durable("device_id", &one.device)
        .durable("class", &one.class)
        .durable("subsystem", if one.subsystem == ":" { "" } else { &one.subsystem })
        .known("driver", one.driver.as_deref())
        .known("vendor", names.get(&one.vendor))
        .known("name", names.get(&format!("{}:{}", one.vendor, one.device)))
}

fn pci_rows(host: &Host, sheet: &mut Sheet, wanted: impl Fn(&Device) -> bool) -> Result<(), Unread> {
    let devices: Vec<Device> = pci_devices(host)?.into_iter().filter(wanted).collect();
    sheet.read_in(PCI);
    let names = names(host, &devices);
    devices.iter().for_each(|one| sheet.row(pci_row(one, &names)));
    Ok(())
}

/// Everything on PCI.
pub(super) fn pci(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    pci_rows(host, sheet, |_| true)
}

/// Display controllers on PCI.
pub(super) fn gpus(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    pci_rows(host, sheet, |one| one.class.starts_with(DISPLAY))?;
    if sheet.is_empty() {
        return Err(Unread::Absent("no display controller on PCI".to_owned()));
    }
    Ok(())
}

/// What is plugged in, by port; the hubs of the machine itself are left out.
pub(super) fn usb(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = host.list(USB)?;
    sheet.read_in(USB);
    // `usb1` is a host's own hub; `1-2:1.0` is an interface of a device.
    for name in names.iter().filter(|name| !name.starts_with("usb") && !name.contains(':')) {
        let said = |file: &str| host.read_text(&format!("{USB}/{name}/{file}")).unwrap_or_default();
        let (vendor, product, serial) = (said("idVendor"), said("idProduct"), said("serial"));
        let serial = meant(&serial);
        let mut key = format!("{name}/{vendor}:{product}");
        if let Some(serial) = serial {
            key = format!("{key}/{serial}");
        }
        let row = Row::new(key)
            .durable("port", name)
            .durable("vendor_id", vendor)
            .durable("product_id", product)
            .durable("class", said("bDeviceClass"))
            .known("manufacturer", meant(&said("manufacturer")))
            .known("product", meant(&said("product")))
            .known("serial", serial);
        sheet.row(row);
    }
    Ok(())
}

/// Batteries of the machine itself, not those of mice.
pub(super) fn batteries(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = host.list(SUPPLIES).unwrap_or_default();
    sheet.read_in(SUPPLIES);
    for name in &names {
        let said = |file: &str| host.read_text(&format!("{SUPPLIES}/{name}/{file}")).unwrap_or_default();
        if said("type") != "Battery" || said("scope") == "Device" {
            continue;
        }
        let (serial, number) = (said("serial_number"), |file: &str| said(file).parse::<u64>().ok());
        // Of energy in microwatt hours or of charge in microampere hours (Documentation/power/power_supply_class.rst).
        let (kind, unit) = if number("energy_full").is_some() { ("energy", "mwh") } else { ("charge", "mah") };
        let milli = |file: &str| number(&format!("{kind}_{file}")).map(|micro| micro / 1000);
        let (design, full) = (milli("full_design").filter(|design| *design > 0), milli("full"));
        let row = Row::new(meant(&serial).map_or_else(|| name.clone(), |serial| format!("{name}/{serial}")))
            .durable("name", name)
            .known("manufacturer", meant(&said("manufacturer")))
            .known("model", meant(&said("model_name")))
            .known("serial", meant(&serial))
            .known("technology", meant(&said("technology")))
            .known(format!("design_{unit}"), design)
            .known("made", made(&said));
        let row = row.latest(format!("full_{unit}"), full.map_or_else(String::new, |full| full.to_string()));
        let row = row.latest(
            "cycles",
            number("cycle_count").filter(|cycles| *cycles > 0).map_or_else(String::new, |n| n.to_string()),
        );
        sheet.row(match design.zip(full) {
            Some((design, full)) => row.latest("health_percent", full * 100 / design),
            None => row,
        });
    }
    if sheet.is_empty() {
        return Err(Unread::Absent("no battery".to_owned()));
    }
    Ok(())
}

/// `2023-04-17`, where the battery says all three.
fn made(said: &impl Fn(&str) -> String) -> Option<String> {
    let [year, month, day] =
        ["manufacture_year", "manufacture_month", "manufacture_day"].map(|file| said(file).parse());
    let (year, month, day): (u16, u16, u16) = (year.ok()?, month.ok()?, day.ok()?);
    (year > 1990).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn devices_have_the_names_that_the_systems_list_gives_them() {
        let machine = Machine::new();
        let at = "sys/bus/pci/devices/0000:01:00.0";
        for (file, text) in [("vendor", "0x10de"), ("device", "0x2204"), ("class", "0x030000")] {
            machine.file(&format!("{at}/{file}"), format!("{text}\n"));
        }
        machine.file("sys/bus/pci/devices/0000:00:1f.0/vendor", "0x8086\n");
        machine.file("sys/bus/pci/devices/0000:00:1f.0/class", "0x060100\n");
        machine.link(&format!("{at}/driver"), "../../drivers/nvidia");
        machine.file(
            "usr/share/misc/pci.ids",
            "# list\n10dd  Other\n\t2204  Wrong\n10de  NVIDIA Corporation\n\t2204  GA102 [RTX 3090]\n\t\t10de 1467  Sub\n\
             C 03  Display controller\n\t2204  no\n",
        );
        assert_eq!(
            machine.lines("gpus"),
            ["0000:01:00.0/10de:2204: address=0000:01:00.0 class=030000 device_id=2204 driver=nvidia \
              name=GA102 [RTX 3090] vendor=NVIDIA Corporation vendor_id=10de"]
        );
        assert_eq!(machine.section("pci").rows.len(), 2);
        assert_eq!(Machine::new().section("gpus").status, Status::Absent);
    }

    #[test]
    fn what_is_plugged_in_is_known_by_its_port_and_serial() {
        let machine = Machine::new();
        machine.files(&[
            ("sys/bus/usb/devices/usb1/idVendor", "1d6b\n"),
            ("sys/bus/usb/devices/1-2/idVendor", "046d\n"),
            ("sys/bus/usb/devices/1-2/idProduct", "c52b\n"),
            ("sys/bus/usb/devices/1-2/product", "USB Receiver\n"),
            ("sys/bus/usb/devices/1-2/serial", "0000000000\n"),
            ("sys/bus/usb/devices/1-2:1.0/bInterfaceClass", "03\n"),
        ]);
        let line = "1-2/046d:c52b: port=1-2 product=USB Receiver product_id=c52b vendor_id=046d";
        assert_eq!(machine.lines("usb"), [line]);
    }

    #[test]
    fn a_battery_wears() {
        let machine = Machine::new();
        let at = "sys/class/power_supply/BAT0";
        for (file, text) in [
            ("type", "Battery"),
            ("model_name", "45N1"),
            ("serial_number", " 4242"),
            ("energy_full_design", "50000000"),
            ("energy_full", "40000000"),
            ("cycle_count", "312"),
        ] {
            machine.file(&format!("{at}/{file}"), format!("{text}\n"));
        }
        machine.file("sys/class/power_supply/hidpp/type", "Battery\n");
        machine.file("sys/class/power_supply/hidpp/scope", "Device\n");
        assert_eq!(
            machine.lines("batteries"),
            [
                "BAT0/4242: design_mwh=50000 model=45N1 name=BAT0 serial=4242 | cycles=312 full_mwh=40000 health_percent=80"
            ]
        );
    }
}

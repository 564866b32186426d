//! `/sys/bus/pci/devices/*/`: errors of PCI Express links as the kernel counts them since its start (AER), and how wide the
//! links are. A device's directory lies in that of the port it is behind.

use super::lines;
use crate::domain::hardware::text::{digits, number, short};

const NAMES: [&str; 13] = [
    "class",
    "vendor",
    "device",
    "label",
    "driver",
    "address",
    "current_link_width",
    "max_link_width",
    "current_link_speed",
    "max_link_speed",
    "aer_dev_correctable",
    "aer_dev_nonfatal",
    "aer_dev_fatal",
];
/// Most devices that are read.
const DEVICES: usize = 4_096;
/// No link is wider (PCI Express base specification: x32); more is what a device without power seems to say.
const WIDEST: u64 = 32;
/// Bridges and ports, by base class and subclass.
const BRIDGE: u64 = 0x0604;

/// One device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pcie {
    /// Its address, `0000:03:00.0`.
    pub address: String,
    /// The address of the port it is behind.
    pub port: String,
    /// Vendor and device, as numbers `8086:1572`.
    pub id: String,
    /// What firmware calls it.
    pub label: String,
    /// Its driver.
    pub driver: String,
    /// The slot it sits in.
    pub slot: String,
    /// Base class and subclass.
    class: u64,
    /// Lanes of its link now, and the most that it has.
    pub width: Option<u64>,
    /// See [`Pcie::width`].
    pub width_max: Option<u64>,
    /// Errors that were corrected.
    pub corrected: Option<u64>,
    /// Errors that were not, after which it went on.
    pub nonfatal: Option<u64>,
    /// Errors after which its link had to be reset.
    pub fatal: Option<u64>,
    /// Errors by their names that are not zero: `BadTLP 3`.
    pub named: Vec<String>,
}

impl Pcie {
    /// Whether it is a bridge or a port of a switch: its link may be the one below it.
    #[must_use]
    pub const fn is_bridge(&self) -> bool {
        self.class == BRIDGE
    }

    /// Whether it tells of health at all.
    #[must_use]
    pub const fn tells_of_health(&self) -> bool {
        self.width.is_some() || self.fatal.is_some() || self.corrected.is_some()
    }

    fn take(&mut self, name: &str, value: &str) {
        let width = || digits(value).filter(|width| (1..=WIDEST).contains(width));
        match name {
            // 0x010802: base class, subclass, programming interface.
            "class" => self.class = number(value).unwrap_or(0) >> 8,
            "vendor" => self.id = short(value.trim_start_matches("0x")),
            "device" => self.id = format!("{}:{}", self.id, short(value.trim_start_matches("0x"))),
            "label" => self.label = short(value),
            "driver" => self.driver = short(value),
            "current_link_width" => self.width = width(),
            "max_link_width" => self.width_max = width(),
            "aer_dev_correctable" => counter(&mut self.corrected, &mut self.named, value),
            "aer_dev_nonfatal" => counter(&mut self.nonfatal, &mut self.named, value),
            "aer_dev_fatal" => counter(&mut self.fatal, &mut self.named, value),
            _ => {}
        }
    }
}

/// `BadTLP 3`, `TOTAL_ERR_COR 3`.
fn counter(sum: &mut Option<u64>, named: &mut Vec<String>, value: &str) {
    let Some((name, count)) = value.rsplit_once(' ').and_then(|(name, count)| Some((name, digits(count)?))) else {
        return;
    };
    if name.starts_with("TOTAL_") {
        *sum = Some(count);
    } else if count > 0 && named.len() < 32 {
        named.push(format!("{} {count}", short(name)));
    }
}

/// The devices in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Vec<Pcie> {
    let mut found: Vec<Pcie> = Vec::new();
    let mut slots: Vec<(&str, &str)> = Vec::new();
    for line in lines(text, &NAMES) {
        let (before, last) = line.place();
        if line.name == "address" {
            slots.push((last, line.value));
            continue;
        }
        if found.last().is_none_or(|known| known.address != last) {
            if found.len() == DEVICES {
                break;
            }
            let port = before.rsplit('/').next().filter(|port| is_address(port)).unwrap_or_default();
            found.push(Pcie { address: short(last), port: short(port), ..Pcie::default() });
        }
        if let Some(device) = found.last_mut() {
            device.take(line.name, line.value);
        }
    }
    for device in &mut found {
        // A slot's address is that of a device without its function.
        let slot = slots
            .iter()
            .find(|(_, address)| device.address.strip_prefix(address).is_some_and(|rest| rest.starts_with('.')));
        device.slot = slot.map_or_else(String::new, |(slot, _)| format!("slot {}", short(slot)));
    }
    found
}

/// `0000:03:00.0`
fn is_address(text: &str) -> bool {
    text.split(':').count() == 3 && text.rsplit_once('.').is_some()
}

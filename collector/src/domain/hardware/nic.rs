//! Network interfaces: `ethtool -S`, `ethtool -m`, `ethtool`, `/proc/net/bonding/*`.

use super::text::{digits, pair, short};

/// Most counters that are looked at.
const LINES: usize = 10_000;

/// What an interface, its module or a bond of several says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nic {
    /// Its name where it is said.
    pub name: String,
    /// Packets received.
    pub received: Option<u64>,
    /// Frames that arrived damaged: cable or optic.
    pub damaged: u64,
    /// Alarms of the optical module that are on.
    pub alarms: Vec<String>,
    /// The module can raise alarms.
    pub has_diagnostics: bool,
    /// Model and serial number of the module; driver and bus address of an interface.
    pub module: (String, String),
    /// Members of a bond, each with whether its link is up.
    pub members: Vec<(String, bool)>,
    /// Its hardware address; empty where it is not said.
    pub address: String,
    /// Its link is up.
    pub is_up: bool,
    /// How often its link was lost since the machine started.
    pub downs: Option<u64>,
    /// Speed of its link in Mbit/s.
    pub speed: Option<u64>,
    /// Only one end at a time may send.
    pub is_half_duplex: bool,
    /// It has no cable.
    pub is_wireless: bool,
}

/// What is in a text of any of these.
pub(super) fn read(text: &str) -> Nic {
    let mut found = Nic::default();
    for line in text.lines().take(LINES) {
        let Some((key, value)) = pair(line) else { continue };
        match key {
            _ if key.starts_with("Settings for") => {}
            "Slave Interface" => found.members.push((short(value), false)),
            "MII Status" => {
                if let Some((_, is_up)) = found.members.last_mut() {
                    *is_up = value == "up";
                }
            }
            "rx_packets" => found.received = digits(value),
            // Drops and misses are load, not hardware.
            _ if ["rx_crc_errors", "align_errors", "rx_align_errors", "rx_fcs_errors", "rx_symbol_err"]
                .contains(&key) =>
            {
                found.damaged = found.damaged.saturating_add(digits(value).unwrap_or(0));
            }
            "Alarm/warning flags implemented" => found.has_diagnostics = value == "Yes",
            "Vendor PN" => found.module.0 = short(value),
            "Vendor SN" => found.module.1 = short(value),
            _ if key.ends_with(" alarm") && value == "On" => found.alarms.push(short(key)),
            _ => {}
        }
    }
    found
}

/// Whether a text is of these.
pub(super) fn is_one(text: &str) -> bool {
    ["NIC statistics:", "Ethernet Channel Bonding Driver", "Settings for ", "Transceiver codes"]
        .iter()
        .any(|part| text.contains(part))
}

impl Nic {
    /// Whether it tells of health at all.
    #[must_use]
    pub fn tells_of_health(&self) -> bool {
        !self.members.is_empty() || self.received.is_some() || self.has_diagnostics
    }
}

//! `/sys/class/infiniband/*/ports/*/`: how ports are, and the counters of their links since the adapter started
//! (Documentation/ABI/stable/sysfs-class-infiniband).

use super::lines;
use crate::domain::hardware::text::{digits, short};

const NAMES: [&str; 14] = [
    "node_guid",
    "board_id",
    "hca_type",
    "fw_ver",
    "state",
    "phys_state",
    "rate",
    "link_layer",
    "symbol_error",
    "link_error_recovery",
    "link_downed",
    "port_rcv_errors",
    "local_link_integrity_errors",
    "excessive_buffer_overrun_errors",
];
/// Most ports that are read.
const PORTS: usize = 1_000;

/// What a port is a port of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// InfiniBand.
    #[default]
    Infiniband,
    /// Fibre Channel.
    FibreChannel,
    /// SAS.
    Sas,
}

/// One port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Port {
    /// What it is a port of.
    pub transport: Transport,
    /// The adapter: `mlx5_0`; of Fibre Channel and SAS the port itself: `host3`, `phy-0:4`.
    pub adapter: String,
    /// The number of the port on it.
    pub number: String,
    /// Model of the adapter.
    pub model: String,
    /// Unique number of the adapter, or of the port.
    pub guid: String,
    /// Firmware of the adapter.
    pub firmware: String,
    /// It can carry data.
    pub is_active: bool,
    /// What it carries, in gigabits a second as the driver writes it.
    pub rate: String,
    /// It is a port of Ethernet, whose counters are not these.
    pub is_ethernet: bool,
    /// Its counters by their names.
    pub counters: Vec<(&'static str, u64)>,
}

/// The ports in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Vec<Port> {
    let mut found: Vec<Port> = Vec::new();
    let mut adapter = Port::default();
    for line in lines(text, &NAMES) {
        let directory = line.directory.strip_suffix("/counters").unwrap_or(line.directory);
        let Some((before, number)) = directory.rsplit_once("/ports/") else {
            let name = directory.rsplit('/').next().unwrap_or_default();
            if adapter.adapter != name {
                adapter = Port { adapter: short(name), ..Port::default() };
            }
            match line.name {
                "node_guid" => adapter.guid = short(line.value),
                "board_id" => adapter.model = format!("{} {}", adapter.model, short(line.value)).trim().to_owned(),
                "hca_type" => adapter.model = format!("{} {}", short(line.value), adapter.model).trim().to_owned(),
                "fw_ver" => adapter.firmware = short(line.value),
                _ => {}
            }
            continue;
        };
        let name = before.rsplit('/').next().unwrap_or_default();
        if found.last().is_none_or(|known| known.adapter != name || known.number != number) {
            if found.len() == PORTS {
                break;
            }
            let known = if adapter.adapter == name { adapter.clone() } else { Port::default() };
            found.push(Port { adapter: short(name), number: short(number), ..known });
        }
        if let Some(port) = found.last_mut() {
            port.take(line.name, line.value);
        }
    }
    found
}

impl Port {
    fn take(&mut self, name: &str, value: &str) {
        match name {
            // 4: ACTIVE
            "state" => self.is_active = value.ends_with("ACTIVE"),
            "rate" => self.rate = short(value),
            "link_layer" => self.is_ethernet = value == "Ethernet",
            "phys_state" => {}
            _ => {
                let known = NAMES.iter().find(|known| **known == name);
                if let (Some(name), Some(count)) = (known, digits(value)) {
                    self.counters.push((name, count));
                }
            }
        }
    }
}

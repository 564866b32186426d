//! `/sys/class/fc_host/host*/` and `/sys/class/sas_phy/phy-*/`: links of Fibre Channel and SAS, and what went wrong on them since
//! the adapter started (drivers/scsi/scsi_transport_fc.c, scsi_transport_sas.c).

use super::{
    fabric::{Port, Transport},
    lines,
};
use crate::domain::hardware::text::short;

const FIBRE_CHANNEL: [&str; 11] = [
    "port_name",
    "port_state",
    "speed",
    "symbolic_name",
    "invalid_crc_count",
    "invalid_tx_word_count",
    "loss_of_sync_count",
    "loss_of_signal_count",
    "link_failure_count",
    "prim_seq_protocol_err_count",
    "error_frames",
];
const SAS: [&str; 6] = [
    "sas_address",
    "negotiated_linkrate",
    "invalid_dword_count",
    "running_disparity_error_count",
    "loss_of_dword_sync_count",
    "phy_reset_problem_count",
];
/// Most links that are read.
const LINKS: usize = 4_096;

/// Ports of Fibre Channel in a text.
pub(in crate::domain::hardware) fn fibre_channel(text: &str) -> Vec<Port> {
    read(text, &FIBRE_CHANNEL, Transport::FibreChannel)
}

/// Links of SAS in a text.
pub(in crate::domain::hardware) fn sas(text: &str) -> Vec<Port> {
    read(text, &SAS, Transport::Sas)
}

fn read(text: &str, names: &[&'static str], transport: Transport) -> Vec<Port> {
    let mut found: Vec<Port> = Vec::new();
    for line in lines(text, names) {
        let directory = line.directory.strip_suffix("/statistics").unwrap_or(line.directory);
        let name = directory.rsplit('/').next().unwrap_or_default();
        if found.last().is_none_or(|known| known.adapter != name) {
            if found.len() == LINKS {
                break;
            }
            found.push(Port { adapter: short(name), transport, ..Port::default() });
        }
        let Some(port) = found.last_mut() else { continue };
        match line.name {
            "port_name" | "sas_address" => port.guid = short(line.value),
            "symbolic_name" => port.model = short(line.value),
            "port_state" => port.is_active = line.value == "Online",
            "speed" => port.rate = short(line.value),
            // `12.0 Gbit`; `Unknown`, `Phy disabled`, ... where there is nothing.
            "negotiated_linkrate" => {
                port.rate = short(line.value);
                port.is_active = line.value.ends_with("Gbit");
            }
            _ => {
                let known = names.iter().find(|known| **known == line.name);
                port.counters.extend(known.copied().zip(count(line.value)));
            }
        }
    }
    found
}

/// `0x1f` or `31`. All bits set say that the adapter does not count that.
fn count(text: &str) -> Option<u64> {
    let count = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    (count != u64::MAX && count != u64::from(u32::MAX)).then_some(count)
}

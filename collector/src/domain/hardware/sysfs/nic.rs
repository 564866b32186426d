//! `/sys/class/net/*/`: an interface's link and its errors on the wire (Documentation/ABI/testing/sysfs-class-net and
//! sysfs-class-net-statistics).

use super::lines;
use crate::domain::hardware::{
    nic::Nic,
    text::{digits, short},
};

const NAMES: [&str; 12] = [
    "address",
    "operstate",
    "carrier_changes",
    "carrier_down_count",
    "speed",
    "duplex",
    "driver",
    "device",
    "wireless",
    "rx_packets",
    "rx_crc_errors",
    "rx_frame_errors",
];

/// The interface in a text; the first where there are several.
pub(in crate::domain::hardware) fn read(text: &str) -> Nic {
    let mut found = Nic::default();
    let (mut driver, mut device) = ("", "");
    for line in lines(text, &NAMES) {
        let directory = line.directory.strip_suffix("/statistics").unwrap_or(line.directory);
        let name = directory.rsplit('/').next().unwrap_or_default();
        if found.name.is_empty() {
            found.name = short(name);
        }
        if found.name != name {
            continue;
        }
        let value = line.value;
        match line.name {
            "address" => found.address = short(value),
            "operstate" => found.is_up = value == "up",
            "carrier_down_count" => found.downs = digits(value),
            // Each loss is followed by a return.
            "carrier_changes" => found.downs = found.downs.or_else(|| digits(value).map(|changes| changes / 2)),
            // -1 where there is none.
            "speed" => found.speed = digits(value).filter(|speed| *speed > 0),
            "duplex" => found.is_half_duplex = value == "half",
            "driver" => driver = value,
            "device" => device = value,
            "wireless" => found.is_wireless = true,
            "rx_packets" => found.received = digits(value),
            _ => found.damaged = found.damaged.saturating_add(digits(value).unwrap_or(0)),
        }
    }
    found.module.0 = short(&format!("{driver} {device}"));
    found
}

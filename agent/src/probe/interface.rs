//! What each network interface is and whether it is up, from `/sys/class/net`.
//!
//! What moves is read at each report through kept descriptors; the rest is a fact. `speed` is not read and `duplex`
//! only as a fact: both take the kernel's network lock (net/core/net-sysfs.c).

use std::fmt::Write;

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;

/// File, family, type; read at each report.
const MOVING: [(&str, &str, Kind); 5] = [
    ("carrier", "carrier", Kind::Gauge),
    ("carrier_changes", "carrier_changes_total", Kind::Counter),
    ("carrier_up_count", "carrier_up_changes_total", Kind::Counter),
    ("carrier_down_count", "carrier_down_changes_total", Kind::Counter),
    ("flags", "flags", Kind::Gauge),
];

/// File and family; read once in a while.
const FIXED: [(&str, &str); 11] = [
    ("addr_assign_type", "address_assign_type"),
    ("dev_id", "device_id"),
    ("dormant", "dormant"),
    ("ifindex", "iface_id"),
    ("iflink", "iface_link"),
    ("link_mode", "iface_link_mode"),
    ("mtu", "mtu_bytes"),
    ("name_assign_type", "name_assign_type"),
    ("netdev_group", "net_dev_group"),
    ("type", "protocol_type"),
    ("tx_queue_len", "transmit_queue_length"),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const DIRECTORY: &str = "/sys/class/net";
    let mut path = Path { text: String::with_capacity(64), stem: 0 };
    host.visit(DIRECTORY, |device| {
        path.text.clear();
        let _ = write!(path.text, "{DIRECTORY}/{device}/");
        path.stem = path.text.len();
        // `bonding_masters` is a file among the interfaces.
        if device != "bonding_masters" {
            say_up(host, sink, &mut path, device);
            say_numbers(host, sink, &mut path, device);
        }
    })?;
    Ok(())
}

/// The directory of one interface, with room for a file name.
struct Path {
    text: String,
    stem: usize,
}

impl Path {
    fn of(&mut self, file: &str) -> &str {
        self.text.truncate(self.stem);
        self.text.push_str(file);
        &self.text
    }
}

fn say_up(host: &Host, sink: &mut Sink<'_>, path: &mut Path, device: &str) {
    let mut fact = |file: &str| host.fact(path.of(file)).unwrap_or_default();
    let (address, broadcast) = (fact("address"), fact("broadcast"));
    let (duplex, ifalias) = (fact("duplex"), fact("ifalias"));
    // An interface that went away between the listing and now simply says nothing.
    let _ = sink.read(host, path.of("operstate"), |sink, text| {
        let operstate = text.trim();
        sink.family(
            "node_network_info",
            Kind::Gauge,
            "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
        );
        let labels = [
            ("device", device),
            ("address", &address),
            ("broadcast", &broadcast),
            ("duplex", &duplex),
            ("operstate", operstate),
            ("ifalias", &ifalias),
        ];
        sink.sample(&labels, 1.0);
        sink.family("node_network_up", Kind::Gauge, "Value is 1 if operstate is 'up', 0 otherwise.");
        sink.sample(&[("device", device)], if operstate == "up" { 1.0 } else { 0.0 });
        Ok(())
    });
}

fn say_numbers(host: &Host, sink: &mut Sink<'_>, path: &mut Path, device: &str) {
    let (mut name, mut help) = (String::with_capacity(64), String::with_capacity(64));
    let mut say = |sink: &mut Sink<'_>, family: &str, kind: Kind, value: f64| {
        name.clear();
        help.clear();
        let _ = write!(name, "node_network_{family}");
        let _ = write!(help, "Network device property: {family}");
        sink.family(&name, kind, &help);
        sink.sample(&[("device", device)], value);
    };
    for (file, family, kind) in MOVING {
        if let Some(value) = sink.number(host, path.of(file)) {
            say(sink, family, kind, value);
        }
    }
    for (file, family) in FIXED {
        if let Some(value) = host.fact(path.of(file)).as_deref().and_then(parse_number) {
            say(sink, family, Kind::Gauge, value);
        }
    }
}

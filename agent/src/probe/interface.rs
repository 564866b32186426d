//! What each network interface is and whether it is up, from one netlink dump or, in a capture, `/sys/class/net`.
//!
//! What netlink does not say is a fact, read once in a while. `speed` and `duplex` take the kernel's network lock and
//! may ask the device (net/core/net-sysfs.c): they are read again only after the carrier or the interface changed.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::rolled::{self, Crowded};
use crate::host::{Host, Link};
use crate::withheld::Family;

/// IF_OPER_* of include/uapi/linux/if.h, as `operstate` spells them.
const OPERATIONAL: [&str; 7] = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];
/// IFF_* of include/uapi/linux/if.h.
const UP: u32 = 1;
const RUNNING: u32 = 1 << 6;
const PROMISCUOUS: u32 = 1 << 8;
const ALL_MULTICAST: u32 = 1 << 9;
const LOWER_UP: u32 = 1 << 16;
const DORMANT: u32 = 1 << 17;
/// Bytes per second of a speed of 1 Mbit/s.
const MEGABIT: f64 = 1_000_000.0 / 8.0;

/// File and family of what only sysfs says and what belongs to the interface for life.
const FOR_LIFE: [(&str, &str); 3] =
    [("addr_assign_type", "address_assign_type"), ("dev_id", "device_id"), ("name_assign_type", "name_assign_type")];

/// File, family, type; in a capture.
const FILES: [(&str, &str, Kind); 16] = [
    ("carrier", "carrier", Kind::Gauge),
    ("carrier_changes", "carrier_changes_total", Kind::Counter),
    ("carrier_up_count", "carrier_up_changes_total", Kind::Counter),
    ("carrier_down_count", "carrier_down_changes_total", Kind::Counter),
    ("flags", "flags", Kind::Gauge),
    ("addr_assign_type", "address_assign_type", Kind::Gauge),
    ("dev_id", "device_id", Kind::Gauge),
    ("dormant", "dormant", Kind::Gauge),
    ("ifindex", "iface_id", Kind::Gauge),
    ("iflink", "iface_link", Kind::Gauge),
    ("link_mode", "iface_link_mode", Kind::Gauge),
    ("mtu", "mtu_bytes", Kind::Gauge),
    ("name_assign_type", "name_assign_type", Kind::Gauge),
    ("netdev_group", "net_dev_group", Kind::Gauge),
    ("type", "protocol_type", Kind::Gauge),
    ("tx_queue_len", "transmit_queue_length", Kind::Gauge),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut path = Path { text: String::with_capacity(64), stem: 0 };
    let (mut address, mut broadcast) = (String::with_capacity(20), String::with_capacity(20));
    let mut many = Many::default();
    let visited = host.links(sink.now(), |link| {
        if let Some(kind) = link.rolled_up {
            many.add(kind, operational(link));
            return;
        }
        path.enter(&link.name());
        spell_address(&mut address, link.address);
        spell_address(&mut broadcast, link.broadcast);
        say_link(host, sink, &mut path, link, &address, &broadcast);
    });
    if visited.is_err() {
        from_files(host, sink, &mut path, &mut many)?;
    }
    many.say(sink);
    Ok(())
}

fn operational(link: &Link<'_>) -> &'static str {
    OPERATIONAL.get(usize::from(link.operational)).copied().unwrap_or("unknown")
}

/// Interfaces of which there are too many of one kind, counted by kind and `operstate`.
#[derive(Default)]
struct Many(BTreeMap<(Box<str>, Box<str>), u32>);

impl Many {
    fn add(&mut self, kind: &str, operational: &str) {
        *self.0.entry((kind.into(), operational.into())).or_default() += 1;
    }

    fn say(&self, sink: &mut Sink<'_>) {
        for ((kind, operational), count) in &self.0 {
            sink.family(
                "muster_network_rolled_up_interfaces",
                Kind::Gauge,
                "Interfaces of a kind of which there are so many that they are said as one.",
            );
            sink.sample(&[("kind", kind), ("operstate", operational)], f64::from(*count));
        }
    }
}

/// The directory of one interface, with room for a file name.
struct Path {
    text: String,
    stem: usize,
}

impl Path {
    const DIRECTORY: &'static str = "/sys/class/net";

    fn enter(&mut self, device: &str) {
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{}/{device}/", Self::DIRECTORY);
        self.stem = self.text.len();
    }

    fn of(&mut self, file: &str) -> &str {
        self.text.truncate(self.stem);
        self.text.push_str(file);
        &self.text
    }
}

fn say_link(host: &Host, sink: &mut Sink<'_>, path: &mut Path, link: &Link<'_>, address: &str, broadcast: &str) {
    let (device, alias) = (link.name(), link.alias());
    let up = link.flags & UP != 0;
    let changes = link.carrier_changes.unwrap_or(0).wrapping_mul(2) + u32::from(up);
    let duplex = host.fact_of(path.of("duplex"), changes).unwrap_or_default();
    let operational = operational(link);
    let labels = [
        ("device", &*device),
        ("address", host.withheld().shown(Family::Addresses, address)),
        ("broadcast", broadcast),
        ("duplex", &duplex),
        ("operstate", operational),
        ("adminstate", if up { "up" } else { "down" }),
        ("ifalias", &alias),
    ];
    say_info(sink, &labels, &device, operational);
    let mut say = |family: &str, kind: Kind, value: Option<u32>| {
        if let Some(value) = value {
            say_number(sink, &device, family, kind, f64::from(value));
        }
    };
    // The kernel says neither of an interface that is switched off.
    say("carrier", Kind::Gauge, link.carrier.filter(|_| up));
    say("dormant", Kind::Gauge, up.then_some(u32::from(link.flags & DORMANT != 0)));
    say("carrier_changes_total", Kind::Counter, link.carrier_changes);
    say("carrier_up_changes_total", Kind::Counter, link.carrier_up);
    say("carrier_down_changes_total", Kind::Counter, link.carrier_down);
    let flags = flags_in_sysfs(link.flags, link.promiscuity, link.all_multicast);
    say("flags", Kind::Gauge, Some(flags));
    say("iface_id", Kind::Gauge, Some(link.index));
    say("iface_link", Kind::Gauge, Some(link.below.unwrap_or(link.index)));
    say("iface_link_mode", Kind::Gauge, link.link_mode);
    say("mtu_bytes", Kind::Gauge, link.mtu);
    say("net_dev_group", Kind::Gauge, link.group);
    say("protocol_type", Kind::Gauge, Some(u32::from(link.kind)));
    say("transmit_queue_length", Kind::Gauge, link.queue);
    for (file, family) in FOR_LIFE {
        if let Some(value) = host.fact_of(path.of(file), link.index).as_deref().and_then(parse_number) {
            say_number(sink, &device, family, Kind::Gauge, value);
        }
    }
    say_speed(sink, &device, host.fact_of(path.of("speed"), changes).as_deref());
}

/// `dev->flags`, which sysfs shows, out of what `dev_get_flags` (net/core/dev.c) makes of it for netlink: without the
/// volatile bits, and with those that others than the administrator have set.
fn flags_in_sysfs(flags: u32, promiscuity: Option<u32>, all_multicast: Option<u32>) -> u32 {
    let own = flags & !(RUNNING | LOWER_UP | DORMANT);
    let with = |flags: u32, bit: u32, count: Option<u32>| match count {
        Some(0) => flags & !bit,
        Some(_) => flags | bit,
        None => flags,
    };
    with(with(own, PROMISCUOUS, promiscuity), ALL_MULTICAST, all_multicast)
}

fn spell_address(text: &mut String, address: &[u8]) {
    text.clear();
    for (at, byte) in address.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{byte:02x}", if at == 0 { "" } else { ":" });
    }
}

fn say_info(sink: &mut Sink<'_>, labels: &[(&str, &str)], device: &str, operational: &str) {
    sink.family("node_network_info", Kind::Gauge, "Non-numeric data from /sys/class/net/<iface>, value is always 1.");
    sink.sample(labels, 1.0);
    sink.family("node_network_up", Kind::Gauge, "Value is 1 if operstate is 'up', 0 otherwise.");
    sink.sample(&[("device", device)], if operational == "up" { 1.0 } else { 0.0 });
}

fn say_number(sink: &mut Sink<'_>, device: &str, family: &str, kind: Kind, value: f64) {
    sink.spelled(&["node_network_", family], kind, &["Network device property: ", family]);
    sink.sample(&[("device", device)], value);
}

/// A speed that is not known is -1, which `node_exporter` passes on like any other.
fn say_speed(sink: &mut Sink<'_>, device: &str, megabits: Option<&str>) {
    if let Some(megabits) = megabits.and_then(parse_number) {
        say_number(sink, device, "speed_bytes", Kind::Gauge, (megabits * MEGABIT).trunc());
    }
}

fn from_files(host: &Host, sink: &mut Sink<'_>, path: &mut Path, many: &mut Many) -> Result<(), ProbeError> {
    let devices = host.list(Path::DIRECTORY)?;
    let mut crowded = Crowded::default();
    devices.iter().filter_map(|device| rolled::kind_of_name(device)).for_each(|kind| crowded.count(kind));
    crowded.decide(host.crowding().interfaces_per_kind);
    for device in devices {
        // `bonding_masters` is a file among the interfaces.
        if device == "bonding_masters" {
            continue;
        }
        path.enter(&device);
        // An interface that went away between the listing and now simply says nothing.
        let Ok(operational) = host.read_text(path.of("operstate")) else { continue };
        if let Some(kind) = rolled::kind_of_name(&device).filter(|kind| crowded.holds(kind)) {
            let known = OPERATIONAL.iter().find(|known| **known == operational);
            many.add(kind, known.copied().unwrap_or("unknown"));
            continue;
        }
        let flags = sink.number(host, path.of("flags"));
        let mut fact = |file: &str| host.fact(path.of(file)).unwrap_or_default();
        let address = fact("address");
        let labels = [
            ("device", &*device),
            ("address", host.withheld().shown(Family::Addresses, &address)),
            ("broadcast", &fact("broadcast")),
            ("duplex", &fact("duplex")),
            ("operstate", &operational),
            ("adminstate", administrative(flags)),
            ("ifalias", &fact("ifalias")),
        ];
        say_info(sink, &labels, &device, &operational);
        for (file, family, kind) in FILES {
            if let Some(value) = sink.number(host, path.of(file)) {
                say_number(sink, &device, family, kind, value);
            }
        }
        say_speed(sink, &device, host.fact(path.of("speed")).as_deref());
    }
    Ok(())
}

fn administrative(flags: Option<f64>) -> &'static str {
    match flags {
        None => "unknown",
        Some(flags) if flags % 2.0 == 1.0 => "up",
        Some(_) => "down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_sysfs() {
        // An interface in a bridge: promiscuous for the bridge's sake, which the administrator's flags do not say.
        assert_eq!(flags_in_sysfs(0x1_1043, Some(1), Some(0)), 0x1103);
        assert_eq!(flags_in_sysfs(0x1_1143, Some(0), None), 0x1003);
        assert_eq!(flags_in_sysfs(0x1002, Some(0), Some(2)), 0x1202);
    }

    #[test]
    fn an_address_is_spelled_in_pairs_however_long_it_is() {
        let spelled = |address: &[u8]| {
            let mut text = "old".to_owned();
            spell_address(&mut text, address);
            text
        };
        assert_eq!(spelled(&[2, 0xfc, 0, 0, 0, 5]), "02:fc:00:00:00:05");
        assert_eq!(spelled(&[127, 0, 0, 1]), "7f:00:00:01");
        assert_eq!(spelled(&[]), "");
    }
}

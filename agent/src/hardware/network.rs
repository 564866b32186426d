//! Network interfaces with hardware behind them: errors on the wire, links that come and go, optical modules, bonds.

use super::text::Text;
use super::tool::{Question, ask};
use super::{Found, Look, Outcome, Why};
use crate::host::Host;

/// Files of sysfs, one `path:value` a line.
const COUNTERS: &str = "nic-sysfs";
/// `ethtool -m`, and bonds as the kernel describes them.
const NIC: &str = "nic";
const INTERFACES: &str = "/sys/class/net";
const BONDS: &str = "/proc/net/bonding";
/// Interfaces and bonds of one machine that are looked at, and modules that are asked.
const INTERFACES_MAX: usize = 64;
/// A module is read byte by byte over a slow bus: a second at most.
const DEADLINE_MS: u64 = if cfg!(test) { 1_000 } else { 10_000 };
/// What an interface is and how its link is (Documentation/ABI/testing/sysfs-class-net).
const INTERFACE: [&str; 7] =
    ["address", "operstate", "carrier", "carrier_changes", "carrier_down_count", "speed", "duplex"];
/// Counters of the wire (Documentation/ABI/testing/sysfs-class-net-statistics); what is dropped for lack of room is load.
const STATISTICS: [&str; 6] =
    ["rx_packets", "rx_errors", "rx_crc_errors", "rx_frame_errors", "tx_errors", "tx_carrier_errors"];
/// Moves at each look and is told with the rest.
const MOVES: [&str; 1] = ["rx_packets"];
/// Drivers of what hypervisors make up.
const VIRTUAL: [&str; 9] =
    ["virtio_net", "vmxnet3", "hv_netvsc", "netvsc", "xen_netfront", "vif", "ena", "gve", "ibmveth"];
/// Interfaces of this speed and more have modules, in Mbit/s, or at least may.
const MODULES_FROM: u64 = 10_000;

/// One interface with a device behind it.
struct Interface {
    name: String,
    driver: String,
    is_wireless: bool,
    speed: u64,
}

impl Interface {
    fn is_virtual(&self) -> bool {
        VIRTUAL.contains(&self.driver.as_str())
    }
}

fn interfaces(host: &Host) -> Vec<Interface> {
    let names = host.list(INTERFACES).unwrap_or_default();
    let with_device = names.into_iter().filter(|name| host.exists(&format!("{INTERFACES}/{name}/device")));
    let interface = |name: String| {
        let below = format!("{INTERFACES}/{name}");
        let driver = host.link_target(&format!("{below}/device/driver")).unwrap_or_default();
        Interface {
            driver: driver.rsplit('/').next().unwrap_or_default().to_owned(),
            is_wireless: host.exists(&format!("{below}/phy80211")) || host.exists(&format!("{below}/wireless")),
            speed: host.read_text(&format!("{below}/speed")).ok().and_then(|speed| speed.parse().ok()).unwrap_or(0),
            name,
        }
    };
    with_device.take(INTERFACES_MAX).map(interface).collect()
}

/// Counters and links, at no more cost than some files.
pub(super) fn counters(look: &mut Look<'_>) -> Vec<Found> {
    let host = look.host;
    let mut found: Vec<Found> = interfaces(host).iter().filter_map(|interface| counted(host, interface)).collect();
    if found.is_empty() {
        let reason = "there is no network interface with a device behind it here";
        found.push(Found::unseen(COUNTERS, "", Why::NotPresent, reason));
    }
    found
}

fn counted(host: &Host, interface: &Interface) -> Option<Found> {
    let Interface { name, driver, .. } = interface;
    if interface.is_virtual() {
        let reason = format!("{name} ({driver}) is no hardware: what it goes through is seen where that is");
        return Some(Found::unseen(COUNTERS, name, Why::Virtual, reason));
    }
    let directory = format!("{INTERFACES}/{name}");
    let mut text = Text::of(host);
    text.values(&directory, &INTERFACE);
    if !driver.is_empty() {
        text.say(&directory, "driver", driver);
    }
    if let Ok(device) = host.link_target(&format!("{directory}/device")) {
        text.say(&directory, "device", device.rsplit('/').next().unwrap_or_default());
    }
    if interface.is_wireless {
        text.say(&directory, "wireless", "1");
    }
    text.values(&format!("{directory}/statistics"), &STATISTICS);
    text.found_but(COUNTERS, name, &MOVES)
}

/// Bonds, as the kernel describes them.
pub(super) fn bonds(host: &Host) -> Vec<Found> {
    let names = host.list(BONDS).unwrap_or_default();
    let read = |name: &String| {
        let mut text = Vec::new();
        match host.read(&format!("{BONDS}/{name}"), &mut text) {
            Ok(()) => Found::read(NIC, name, text, String::new()),
            Err(error) => Found::unread(NIC, name, &error),
        }
    };
    names.iter().take(INTERFACES_MAX).map(read).collect()
}

/// Optical modules, where ethtool is there: of interfaces whose port it calls fibre.
pub(super) fn modules(look: &mut Look<'_>) -> Vec<Found> {
    let wired = |interface: &Interface| !interface.is_virtual() && !interface.is_wireless;
    let interfaces: Vec<Interface> = interfaces(look.host).into_iter().filter(wired).collect();
    if look.host.tool("ethtool").is_none() {
        let fast: Vec<&str> = interfaces
            .iter()
            .filter(|interface| interface.speed >= MODULES_FROM)
            .map(|interface| interface.name.as_str())
            .collect();
        let reason = format!("ethtool is not installed: nothing is known of the modules of {}", fast.join(", "));
        return (!fast.is_empty()).then(|| Found::unseen(NIC, "", Why::NotInstalled, reason)).into_iter().collect();
    }
    interfaces.iter().filter_map(|interface| module(look, &interface.name)).collect()
}

fn question<'a>(name: &'a str, arguments: &'a [&'a str]) -> Question<'a> {
    Question { source: NIC, part: name, tool: "ethtool", arguments, deadline_ms: DEADLINE_MS }
}

fn module(look: &mut Look<'_>, name: &str) -> Option<Found> {
    // What a port is may be asked without rights.
    let port = ask(look, &question(name, &[name]));
    let is_fibre = |payload: &[u8]| String::from_utf8_lossy(payload).lines().any(|line| line.trim() == "Port: FIBRE");
    match &port.outcome {
        Outcome::Read { payload, .. } if is_fibre(payload) => {}
        Outcome::Unseen { why: Why::Hung, .. } => return Some(port),
        _ => return None,
    }
    let found = ask(look, &question(name, &["-m", name]));
    Some(match found.outcome {
        Outcome::Unseen { why: Why::Failed, .. } => {
            let reason =
                format!("ethtool -m {name} said nothing: it takes CAP_NET_ADMIN, or there is no module in the port");
            Found::unseen(NIC, name, Why::NoPermission, reason)
        }
        _ => found,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    fn interface(machine: &Machine, name: &str, driver: &str, packets: u32, damaged: u32) {
        let below = format!("sys/class/net/{name}");
        machine.file(&format!("{below}/address"), "02:00:00:00:00:01\n");
        machine.file(&format!("{below}/operstate"), "up\n");
        machine.file(&format!("{below}/carrier_changes"), "3\n");
        machine.file(&format!("{below}/speed"), "10000\n");
        machine.file(&format!("{below}/statistics/rx_packets"), &format!("{packets}\n"));
        machine.file(&format!("{below}/statistics/rx_crc_errors"), &format!("{damaged}\n"));
        machine.file(&format!("{below}/statistics/rx_missed_errors"), "99\n");
        if machine.root().join(format!("{below}/device/driver")).symlink_metadata().is_err() {
            machine.link(&format!("{below}/device/driver"), &format!("../../../bus/pci/drivers/{driver}"));
        }
    }

    fn told(found: &[Found]) -> Vec<String> {
        let how = |found: &Found| match &found.outcome {
            Outcome::Unseen { why, .. } => why.word().to_owned(),
            Outcome::Read { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
            Outcome::Unasked { .. } => "unasked".to_owned(),
        };
        found.iter().map(|found| format!("{} {}: {}", found.source, found.part, how(found))).collect()
    }

    #[test]
    fn interfaces_with_hardware_tell_what_is_wrong_on_the_wire_and_the_rest_is_no_hardware() {
        let mut machine = Machine::new();
        machine.file("sys/class/net/lo/operstate", "unknown\n");
        assert_eq!(told(&machine.look("network", 0)), ["nic-sysfs : not_present"]);
        interface(&machine, "eth0", "i40e", 1_000, 0);
        interface(&machine, "eth1", "virtio_net", 1_000, 0);
        machine.file("sys/class/net/eth0/phy80211/name", "phy0\n");
        let below = "/sys/class/net/eth0";
        let expected = format!(
            "nic-sysfs eth0: {below}/address:02:00:00:00:00:01\n{below}/operstate:up\n{below}/carrier_changes:3\n\
             {below}/speed:10000\n{below}/driver:i40e\n{below}/wireless:1\n{below}/statistics/rx_packets:1000\n\
             {below}/statistics/rx_crc_errors:0\n"
        );
        assert_eq!(told(&machine.look("network", 0)), [expected.as_str(), "nic-sysfs eth1: virtual"]);
    }

    #[test]
    fn packets_alone_are_no_news_and_a_damaged_one_is() {
        let mut machine = Machine::new();
        let mut digest = |packets, damaged| {
            interface(&machine, "eth0", "i40e", packets, damaged);
            machine.look("network", 0)[0].digest().unwrap()
        };
        let first = digest(1_000, 0);
        assert_eq!(digest(2_000, 0), first);
        assert_ne!(digest(2_000, 1), first);
    }

    #[test]
    fn bonds_are_told_as_the_kernel_describes_them() {
        let mut machine = Machine::new();
        let bond = "Ethernet Channel Bonding Driver: v6.1.0\n\nSlave Interface: eth0\nMII Status: down\n";
        machine.file("proc/net/bonding/bond0", bond);
        let found = told(&machine.look("files", 0));
        assert!(found.contains(&format!("nic bond0: {bond}")), "{found:?}");
    }

    #[test]
    fn only_ports_with_fibre_are_asked_for_their_modules() {
        let mut machine = Machine::new();
        interface(&machine, "eth0", "i40e", 0, 0);
        interface(&machine, "eth1", "igb", 0, 0);
        interface(&machine, "eth2", "virtio_net", 0, 0);
        assert_eq!(told(&machine.look("optics", 0)), ["nic : not_installed"]);
        machine.file("sys/class/net/eth0/speed", "1000\n");
        machine.file("sys/class/net/eth1/speed", "1000\n");
        assert_eq!(told(&machine.look("optics", 0)), [] as [String; 0], "nothing is missing at that speed");
        machine.tool(
            "ethtool",
            "case $* in eth0) echo '	Port: FIBRE';; eth1) echo '	Port: Twisted Pair';; *) echo Vendor;; esac",
        );
        assert_eq!(told(&machine.look("optics", 0)), ["nic eth0: Vendor\n"]);
        assert_eq!(machine.asked(), ["ethtool eth0", "ethtool -m eth0", "ethtool eth1"]);
        machine.tool("ethtool", "case $* in -m*) exit 1;; *) echo '	Port: FIBRE';; esac");
        assert_eq!(told(&machine.look("optics", 0))[0], "nic eth0: no_permission");
    }
}

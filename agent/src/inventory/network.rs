//! Interfaces and their addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const NET: &str = "/sys/class/net";
/// Milliseconds and bytes for ethtool(8), which asks a driver.
const ETHTOOL_MS: u64 = 2_000;
const ETHTOOL_BYTES: usize = 64 * 1024;
const INET6: &str = "/proc/net/if_inet6";
/// Ends of virtual cables to containers and virtual machines: they come and go with those.
const PASSING: [&str; 3] = ["veth", "vnet", "tap"];
/// `ARPHRD_LOOPBACK` (include/uapi/linux/if_arp.h).
const LOOPBACK: &str = "772";

/// Interfaces, by the address burnt into them or else by name.
pub(super) fn interfaces(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = host.list(NET)?;
    sheet.read_in(NET);
    for name in names.iter().filter(|name| !passes(name)) {
        let said = |file: &str| host.read_text(&format!("{NET}/{name}/{file}")).unwrap_or_default();
        // `bonding_masters` is a file.
        if !host.exists(&format!("{NET}/{name}/type")) || said("type") == LOOPBACK {
            continue;
        }
        let (mac, permanent) = (said("address"), permanent(host, name));
        let real = host.exists(&format!("{NET}/{name}/device"));
        let key = permanent.clone().or_else(|| (real && is_burnt_in(&mac)).then(|| mac.clone()));
        let place = host.link_target(&format!("{NET}/{name}/device")).unwrap_or_default();
        let row = Row::new(key.as_deref().filter(|_| real).unwrap_or(name))
            .durable("name", name)
            .durable("kind", kind(host, name, real))
            .durable("mac", if said("addr_len") == "6" { &mac } else { "" })
            .known("permanent_mac", permanent.filter(|known| *known != mac))
            .known("driver", last_of(host, &format!("{NET}/{name}/device/driver")))
            .known("firmware", firmware(host, name).filter(|_| real))
            .durable("bus", place.rsplit('/').next().unwrap_or_default())
            .durable("mtu", said("mtu"))
            .known("master", last_of(host, &format!("{NET}/{name}/master")));
        // A cable that is pulled says -1, or nothing at all.
        let speed = said("speed").parse::<i64>().ok().filter(|speed| *speed > 0);
        let row = row.latest("state", said("operstate"));
        sheet.row(match speed {
            Some(speed) => row.latest("speed_mbits", speed).latest("duplex", said("duplex")),
            None => row,
        });
    }
    Ok(())
}

/// Addresses, by interface.
pub(super) fn addresses(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let addresses = match host.addresses() {
        Ok(addresses) => addresses,
        Err(HostError::NotPresent(_)) => return captured(host, sheet),
        Err(error) => return Err(error.into()),
    };
    sheet.read_in("rtnetlink");
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    for name in host.list(NET).unwrap_or_default() {
        let index = host.read_text(&format!("{NET}/{name}/ifindex")).ok().and_then(|index| index.parse().ok());
        names.extend(index.map(|index| (index, name)));
    }
    for one in addresses.iter().filter(|one| !one.temporary) {
        let Some(name) = names.get(&one.interface).filter(|name| !passes(name)) else { continue };
        sheet
            .row(address(name, one.address, one.prefix).durable("assigned", if one.permanent { "" } else { "leased" }));
    }
    Ok(())
}

/// Of a capture only IPv6 addresses are in a file: address, interface, prefix, scope, flags, name.
fn captured(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let text = host.read_text(INET6)?;
    sheet.read_in(INET6);
    sheet.lacks("of a captured machine IPv4 addresses are not known");
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [digits, _, prefix, _, _, name] = words[..] else { continue };
        let parsed = u128::from_str_radix(digits, 16).ok().zip(u8::from_str_radix(prefix, 16).ok());
        if let Some((number, prefix)) = parsed {
            sheet.row(address(name, Ipv6Addr::from(number).into(), prefix));
        }
    }
    Ok(())
}

pub(super) fn address(name: &str, ip: IpAddr, prefix: u8) -> Row {
    Row::new(format_args!("{name}/{ip}/{prefix}"))
        .durable("interface", name)
        .durable("address", ip)
        .durable("prefix", prefix)
        .durable("family", if ip.is_ipv4() { "IPv4" } else { "IPv6" })
}

fn passes(name: &str) -> bool {
    PASSING.iter().any(|passing| name.strip_prefix(passing).is_some_and(|rest| !rest.is_empty()))
}

/// `DEVTYPE` of uevent says what has no device.
fn kind(host: &Host, name: &str, real: bool) -> String {
    let uevent = host.read_text(&format!("{NET}/{name}/uevent")).unwrap_or_default();
    let kind = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    let has = |file: &str| host.exists(&format!("{NET}/{name}/{file}"));
    match kind {
        "" if has("bridge") => "bridge",
        "" if has("bonding") => "bond",
        "" if has("tun_flags") => "tun",
        "" if real => "ethernet",
        "" => "virtual",
        kind => kind,
    }
    .to_owned()
}

/// The member of a bond has the bond's address; its own is kept beside it.
fn permanent(host: &Host, name: &str) -> Option<String> {
    host.read_text(&format!("{NET}/{name}/bonding_slave/perm_hwaddr")).ok().filter(|mac| is_burnt_in(mac))
}

/// The firmware of its hardware, where ethtool(8) is installed and the driver says it.
fn firmware(host: &Host, name: &str) -> Option<String> {
    host.tool("ethtool")?;
    let output = host.run_for("inventory", "ethtool", &["-i", name], ETHTOOL_BYTES, ETHTOOL_MS).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().find_map(|line| line.strip_prefix("firmware-version:"))?.trim();
    (output.code == Some(0) && !version.is_empty() && version != "N/A").then(|| version.to_owned())
}

/// Six bytes, not all zero, not locally administered (second bit of the first one, IEEE 802).
fn is_burnt_in(mac: &str) -> bool {
    let first = mac.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    mac.len() == 17 && mac != "00:00:00:00:00:00" && first.is_some_and(|byte| byte & 0b10 == 0)
}

/// The last part of where a link points to.
pub(super) fn last_of(host: &Host, link: &str) -> Option<String> {
    host.link_target(link).ok()?.rsplit('/').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    fn interface(machine: &Machine, name: &str, mac: &str, real: bool) {
        let at = format!("sys/class/net/{name}");
        machine.file(&format!("{at}/type"), if name == "lo" { "772\n" } else { "1\n" });
        machine.file(&format!("{at}/addr_len"), "6\n");
        machine.file(&format!("{at}/address"), format!("{mac}\n"));
        machine.file(&format!("{at}/mtu"), "1500\n");
        machine.file(&format!("{at}/operstate"), "up\n");
        if real {
            machine.link(&format!("{at}/device"), "../../../0000:02:00.0");
            machine.file("sys/0000:02:00.0/vendor", "0x8086\n");
        }
    }

    #[test]
    fn interfaces_are_known_by_the_address_burnt_into_them_or_else_by_name() {
        let machine = Machine::new();
        interface(&machine, "lo", "00:00:00:00:00:00", false);
        interface(&machine, "eth0", "00:1b:21:00:00:01", true);
        interface(&machine, "eth1", "52:54:00:00:00:02", true);
        interface(&machine, "br0", "00:1b:21:00:00:01", false);
        interface(&machine, "veth12ab", "00:1b:21:00:00:09", false);
        machine.file("sys/class/net/br0/bridge/stp_state", "0\n");
        machine.file("sys/class/net/eth0/speed", "1000\n");
        machine.file("sys/class/net/eth0/duplex", "full\n");
        machine.file("sys/class/net/eth1/speed", "-1\n");
        machine.link("sys/0000:02:00.0/driver", "../drivers/igb");
        assert_eq!(
            machine.lines("interfaces"),
            [
                "00:1b:21:00:00:01: bus=0000:02:00.0 driver=igb kind=ethernet mac=00:1b:21:00:00:01 mtu=1500 name=eth0 \
                 | duplex=full speed_mbits=1000 state=up",
                "br0: kind=bridge mac=00:1b:21:00:00:01 mtu=1500 name=br0 | state=up",
                "eth1: bus=0000:02:00.0 driver=igb kind=ethernet mac=52:54:00:00:00:02 mtu=1500 name=eth1 | state=up",
            ]
        );
    }

    #[test]
    fn ethtool_says_the_firmware_of_what_is_real() {
        let machine = Machine::new();
        for (name, real) in [("eth0", true), ("eth1", true), ("eth2", true), ("br0", false)] {
            interface(&machine, name, &format!("00:1b:21:00:00:{}", name.len() + usize::from(real)), real);
        }
        machine.tool(
            "ethtool",
            "[ $1 = -i ] || exit 1; case $2 in eth0) printf 'driver: igb\\nfirmware-version: 1.63, 0x800009fa\\n';; \
             eth1) printf 'driver: virtio_net\\nfirmware-version: \\n';; eth2) exit 71;; \
             *) printf 'firmware-version: N/A\\n';; esac",
        );
        let section = machine.section("interfaces");
        let told: Vec<_> = section.rows.iter().map(|row| (row.get("name").unwrap(), row.get("firmware"))).collect();
        assert_eq!(told.iter().filter(|(_, firmware)| firmware.is_some()).count(), 1, "{told:?}");
        assert!(told.contains(&("eth0", Some("1.63, 0x800009fa"))), "{told:?}");
    }

    #[test]
    fn of_a_capture_the_addresses_in_files_are_known() {
        let machine = Machine::new();
        machine.file(
            "proc/net/if_inet6",
            "00000000000000000000000000000001 01 80 10 80       lo\n\
             20010db8000000000000000000000005 02 40 00 80     eth0\n",
        );
        let lines = [
            "eth0/2001:db8::5/64: address=2001:db8::5 family=IPv6 interface=eth0 prefix=64",
            "lo/::1/128: address=::1 family=IPv6 interface=lo prefix=128",
        ];
        assert_eq!(machine.lines("addresses"), lines);
        assert_eq!(machine.section("addresses").status, Status::Partial);
    }
}

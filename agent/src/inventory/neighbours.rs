//! Whom this machine has met on the networks that it is on: what the collector lays beside the hosts that it knows. Those
//! on networks that live in this machine alone, of its containers and virtual machines, are none. And who is listed here by
//! others ([`lists`]).

mod lists;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const NET: &str = "/sys/class/net";
const ARP: &str = "/proc/net/arp";
/// A bond on a bridge on a VLAN is three.
const DEPTH_MAX: usize = 4;
/// Addresses told of one.
const ADDRESSES: usize = 8;
/// `ATF_COM` (include/uapi/linux/if_arp.h): it has answered.
const ANSWERED: u32 = 0x02;

/// Where, and by which addresses; how it is called there.
#[derive(Default)]
struct Met {
    interfaces: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    name: String,
}

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = host.list(NET).unwrap_or_default();
    let outward: BTreeSet<String> = names.into_iter().filter(|name| leads_out(host, name, DEPTH_MAX)).collect();
    let listed = lists::read(host, sheet);
    if outward.is_empty() && listed.is_empty() {
        return Err(Unread::Absent("no interface leads out of this machine, and it has no list of others".to_owned()));
    }
    let mut all = if outward.is_empty() { BTreeMap::new() } else { met(host, sheet, &outward)? };
    for one in listed {
        if !one.mac.is_empty() && !is_one(&one.mac) {
            continue;
        }
        // Who is known by name alone is no hardware's address.
        let key = if one.mac.is_empty() { format!("name/{}", one.name.to_lowercase()) } else { one.mac };
        let met = all.entry(key).or_default();
        met.interfaces.insert(one.list);
        met.addresses.extend(one.address);
        if met.name.is_empty() {
            met.name = one.name;
        }
    }
    for (key, Met { interfaces, addresses, name }) in all {
        // Those of IPv6 are made anew all day (RFC 8981).
        let (steady, passing): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let joined = |all: &[IpAddr]| all.iter().take(ADDRESSES).map(ToString::to_string).collect::<Vec<_>>().join(",");
        let row = Row::new(&key)
            .durable("mac", if key.starts_with("name/") { "" } else { &key })
            .durable("interface", interfaces.into_iter().collect::<Vec<_>>().join(","))
            .durable("addresses", joined(&steady))
            .durable("name", name);
        sheet.row(row.latest("addresses_ipv6", joined(&passing)));
    }
    Ok(())
}

/// Who was met, by the hardware's address.
fn met(host: &Host, sheet: &mut Sheet, outward: &BTreeSet<String>) -> Result<BTreeMap<String, Met>, Unread> {
    let mut met: BTreeMap<String, Met> = BTreeMap::new();
    let mut meet = |name: &str, mac: String, address: IpAddr| {
        if outward.contains(name) && is_one(&mac) {
            let one = met.entry(mac).or_default();
            one.interfaces.insert(name.to_owned());
            one.addresses.insert(address);
        }
    };
    match host.neighbours() {
        Ok(all) => {
            sheet.read_in("rtnetlink");
            let names = names(host, outward);
            for one in all {
                let mac = one.mac.map(|byte| format!("{byte:02x}")).join(":");
                if let Some(name) = names.get(&one.interface) {
                    meet(name, mac, one.address);
                }
            }
        }
        Err(HostError::NotPresent(_)) => {
            let text = host.read_text(ARP)?;
            sheet.read_in(ARP);
            sheet.lacks("of a captured machine neighbours by IPv6 are not known");
            for line in text.lines().skip(1) {
                let words: Vec<&str> = line.split_ascii_whitespace().collect();
                let [address, _, flags, mac, _, name] = words[..] else { continue };
                let flags = flags.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let address = address.parse().ok().filter(|_| flags.is_some_and(|flags| flags & ANSWERED != 0));
                if let Some(address) = address {
                    meet(name, mac.to_ascii_lowercase(), address);
                }
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(met)
}

fn names(host: &Host, outward: &BTreeSet<String>) -> BTreeMap<u32, String> {
    let number = |name: &String| host.read_text(&format!("{NET}/{name}/ifindex")).ok()?.parse().ok();
    outward.iter().filter_map(|name| Some((number(name)?, name.clone()))).collect()
}

/// Whether it is hardware, or stands on some.
fn leads_out(host: &Host, name: &str, depth: usize) -> bool {
    let at = format!("{NET}/{name}");
    if host.exists(&format!("{at}/device")) {
        return true;
    }
    // The end of a cable to a container (veth) stands on nothing.
    let below = host.list(&at).unwrap_or_default();
    let mut lower = below.iter().filter_map(|entry| entry.strip_prefix("lower_"));
    depth > 0 && lower.any(|lower| leads_out(host, lower, depth - 1))
}

/// Neither nobody nor several (first bit of the first byte, IEEE 802).
fn is_one(mac: &str) -> bool {
    let first = mac.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    mac.len() == 17 && mac != "00:00:00:00:00:00" && first.is_some_and(|byte| byte & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn those_met_outside_are_told_and_containers_of_this_machine_are_not() {
        let machine = Machine::new();
        machine.files(&[
            ("sys/class/net/eth0/device/vendor", "0x8086\n"),
            ("sys/class/net/br0/lower_eth0/x", ""),
            ("sys/class/net/docker0/lower_veth1/x", ""),
            ("sys/class/net/veth1/type", "1\n"),
            (
                "proc/net/arp",
                "IP address       HW type     Flags       HW address            Mask     Device\n\
                 192.0.2.1        0x1         0x2         00:1B:21:00:00:01     *        eth0\n\
                 192.0.2.7        0x1         0x2         00:1b:21:00:00:01     *        br0\n\
                 192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                 192.0.2.8        0x1         0x0         00:1b:21:00:00:08     *        eth0\n\
                 224.0.0.1        0x1         0x2         01:00:5e:00:00:01     *        eth0\n\
                 172.17.0.2       0x1         0x2         02:42:ac:11:00:02     *        docker0\n",
            ),
        ]);
        assert_eq!(
            machine.lines("neighbours"),
            ["00:1b:21:00:00:01: addresses=192.0.2.1,192.0.2.7 interface=br0,eth0 mac=00:1b:21:00:00:01"]
        );
        let alone = Machine::new();
        alone.file("sys/class/net/veth1/type", "1\n");
        assert_eq!(alone.section("neighbours").status, Status::Absent);
    }
}

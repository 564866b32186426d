//! Machines that others have listed: the leases of a DHCP server on this machine, and tables that a site lays down, such as
//! the computers of its directory.

use std::net::IpAddr;

use super::super::Sheet;
use crate::clock;
use crate::host::{Host, HostError};

/// Leases of dnsmasq: `EXPIRY MAC ADDRESS NAME CLIENT-ID` (dnsmasq(8), --dhcp-leasefile).
const DNSMASQ: &str = "/var/lib/misc/dnsmasq.leases";
/// Leases of ISC's dhcpd, where Debian and where others have them (dhcpd.leases(5)).
const DHCPD: [&str; 2] = ["/var/lib/dhcp/dhcpd.leases", "/var/lib/dhcpd/dhcpd.leases"];
/// Leases of Kea's memfile (Kea ARM, 8.2.2.2); of several files that it makes of them this one is written to.
const KEA: &str = "/var/lib/kea/kea-leases4.csv";
/// A site's own tables: `*.csv` with a head of `mac`, `address` and `name` in any order; `name` or `mac` has to be there.
pub(in crate::inventory) const TABLES: &str = "/etc/muster/neighbours.d";

/// One that is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// In small letters with colons; empty where the list has none.
    pub(super) mac: String,
    pub(super) address: Option<IpAddr>,
    /// Without its domain's dots at the end; empty where the list has none.
    pub(super) name: String,
    /// By whom: `dhcp`, or the table's name.
    pub(super) list: String,
}

/// All that are listed on this machine.
pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Vec<Listed> {
    let now_s = clock::now().wall_ms / 1000;
    let mut all = Vec::new();
    let mut one = |path: &str, parse: &dyn Fn(&str) -> Result<Vec<Listed>, String>| match host.read_text(path) {
        Err(HostError::NotPresent(_)) => {}
        Err(error) => sheet.lacks(error.to_string()),
        Ok(text) => match parse(&text) {
            Ok(listed) => {
                sheet.read_in(path);
                all.extend(listed);
            }
            Err(error) => sheet.lacks(format!("{path}: {error}")),
        },
    };
    one(DNSMASQ, &|text| Ok(dnsmasq(text, now_s)));
    for path in DHCPD {
        one(path, &|text| Ok(dhcpd(text)));
    }
    one(KEA, &|text| kea(text, now_s));
    let tables = host.list(TABLES).unwrap_or_default();
    for (name, file) in tables.iter().filter_map(|file| Some((file.strip_suffix(".csv")?, file))) {
        one(&format!("{TABLES}/{file}"), &|text| table(text, name));
    }
    all
}

fn leased(mac: &str, address: &str, name: &str) -> Option<Listed> {
    let name = name.trim_matches(['"', '*', '.']).to_owned();
    Some(Listed { mac: spelled(mac)?, address: address.parse().ok(), name, list: "dhcp".to_owned() })
}

/// As this machine's own neighbours are: small letters with colons.
fn spelled(mac: &str) -> Option<String> {
    let digits: String = mac.chars().filter(|sign| !":-.".contains(*sign)).collect::<String>().to_ascii_lowercase();
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    Some(pairs.collect::<Vec<_>>().join(":"))
}

/// An expiry of 0 is for ever.
fn dnsmasq(text: &str, now_s: i64) -> Vec<Listed> {
    let lease = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [expiry, mac, address, name, ..] = words[..] else { return None };
        let expiry: i64 = expiry.parse().ok()?;
        if expiry != 0 && expiry < now_s { None } else { leased(mac, address, name) }
    };
    text.lines().filter_map(lease).collect()
}

/// A log: of each address what stands last counts. Leases that are over say another state than `active`.
fn dhcpd(text: &str) -> Vec<Listed> {
    let mut leases: Vec<(String, Option<Listed>)> = Vec::new();
    let (mut address, mut mac, mut name, mut is_active) = (String::new(), String::new(), String::new(), false);
    for line in text.lines() {
        let words: Vec<&str> = line.trim().trim_end_matches(';').split_ascii_whitespace().collect();
        match words[..] {
            ["lease", given, "{"] => {
                address = given.to_owned();
                (mac, name, is_active) = (String::new(), String::new(), false);
            }
            ["hardware", "ethernet", given] => given.clone_into(&mut mac),
            ["client-hostname", given] => given.clone_into(&mut name),
            ["binding", "state", state] => is_active = state == "active",
            ["}"] if !address.is_empty() => {
                let lease = if is_active { leased(&mac, &address, &name) } else { None };
                leases.push((std::mem::take(&mut address), lease));
            }
            _ => {}
        }
    }
    last_of_each(leases)
}

/// State 0 is assigned (Kea ARM, "lease4-get").
fn kea(text: &str, now_s: i64) -> Result<Vec<Listed>, String> {
    let mut lines = text.lines();
    let head = Head::of(lines.next().unwrap_or_default());
    let of = |name: &str| head.at(&[name]).ok_or_else(|| format!("its first line names no column {name}"));
    let (address, mac, expire) = (of("address")?, of("hwaddr")?, of("expire")?);
    let (name, state) = (of("hostname")?, of("state")?);
    let leases = lines.filter_map(|line| {
        let cells = cells(line);
        let cell = |at: usize| cells.get(at).map(String::as_str);
        let is_over = cell(expire)?.parse::<i64>().ok()? < now_s || cell(state)? != "0";
        let lease = if is_over { None } else { leased(cell(mac)?, cell(address)?, cell(name)?) };
        Some((cell(address)?.to_owned(), lease))
    });
    Ok(last_of_each(leases.collect()))
}

fn last_of_each(leases: Vec<(String, Option<Listed>)>) -> Vec<Listed> {
    let last: std::collections::BTreeMap<String, Option<Listed>> = leases.into_iter().collect();
    last.into_values().flatten().collect()
}

fn table(text: &str, list: &str) -> Result<Vec<Listed>, String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let head = Head::of(lines.next().unwrap_or_default());
    let (mac, address) = (head.at(&["mac"]), head.at(&["address", "ip"]));
    let name = head.at(&["name", "hostname"]);
    if mac.is_none() && name.is_none() {
        return Err("its first line names neither a column mac nor a column name".to_owned());
    }
    let mut listed = Vec::new();
    for (number, line) in lines.enumerate() {
        let cells = cells(line);
        let cell = |at: Option<usize>| at.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim());
        let one = Listed {
            mac: spelled(cell(mac)).unwrap_or_default(),
            address: cell(address).parse().ok(),
            // Directories write the name of a computer's account with a dollar.
            name: cell(name).trim_end_matches(['.', '$']).to_owned(),
            list: list.to_owned(),
        };
        if one.mac.is_empty() && (one.name.is_empty() || !cell(mac).is_empty()) {
            return Err(format!("line {}: expected a hardware's address or a name, found {line:.80?}", number + 2));
        }
        listed.push(one);
    }
    Ok(listed)
}

/// The columns of a table by name, whatever their order.
struct Head(Vec<String>);

impl Head {
    fn of(line: &str) -> Self {
        Self(cells(line).iter().map(|cell| cell.trim().to_ascii_lowercase()).collect())
    }

    fn at(&self, names: &[&str]) -> Option<usize> {
        self.0.iter().position(|name| names.contains(&name.as_str()))
    }
}

/// Cells of a line of comma-separated values (RFC 4180, without line breaks in cells).
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        let cell = cells.last_mut().expect("there is always one");
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => cell.extend(signs.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;
    use super::*;

    const HOUR: i64 = 3600;

    fn brief(listed: &[Listed]) -> Vec<String> {
        let one = |one: &Listed| {
            let address = one.address.map_or_else(String::new, |address| address.to_string());
            format!("{} {address} {} {}", one.mac, one.name, one.list)
        };
        listed.iter().map(one).collect()
    }

    #[test]
    fn leases_that_are_over_and_older_lines_of_an_address_do_not_count() {
        let text = "5000 00:1B:21:00:00:01 192.0.2.1 printer 01:00:1b:21:00:00:01\n\
                    0 00:1b:21:00:00:02 192.0.2.2 * *\n100 00:1b:21:00:00:03 192.0.2.3 old *\nduid 00:01\n";
        let wanted = ["00:1b:21:00:00:01 192.0.2.1 printer dhcp", "00:1b:21:00:00:02 192.0.2.2  dhcp"];
        assert_eq!(brief(&dnsmasq(text, HOUR)), wanted);

        let text = "# leases\nlease 192.0.2.7 {\n  starts 1 2026/11/30 10:00:00;\n  binding state active;\n  \
                    hardware ethernet 00:1b:21:00:00:07;\n  client-hostname \"camera\";\n}\n\
                    lease 192.0.2.8 {\n  binding state active;\n  hardware ethernet 00:1b:21:00:00:08;\n}\n\
                    lease 192.0.2.8 {\n  binding state free;\n  hardware ethernet 00:1b:21:00:00:08;\n}\n";
        assert_eq!(brief(&dhcpd(text)), ["00:1b:21:00:00:07 192.0.2.7 camera dhcp"]);

        let text = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n\
                    192.0.2.9,00:1b:21:00:00:09,,4000,9000,1,0,0,tv.example.,0,,0\n\
                    192.0.2.10,00:1b:21:00:00:0a,,4000,9000,1,0,0,,0,,0\n\
                    192.0.2.10,00:1b:21:00:00:0a,,4000,9000,1,0,0,,2,,0\n";
        assert_eq!(brief(&kea(text, HOUR).unwrap()), ["00:1b:21:00:00:09 192.0.2.9 tv.example dhcp"]);
        assert!(kea("address,hwaddr\n", HOUR).unwrap_err().contains("no column expire"));
    }

    #[test]
    fn tables_are_read_by_their_heads_and_a_wrong_line_is_named() {
        let text = "\u{feff}Name,\"IP\",MAC\n\"PC-17$\",192.0.2.17,00-1B-21-00-00-17\n\"a \"\"b\"\", c\",,\n";
        assert_eq!(brief(&table(text, "ad").unwrap()), ["00:1b:21:00:00:17 192.0.2.17 PC-17 ad", "  a \"b\", c ad"]);
        assert!(table("owner,room\n", "ad").unwrap_err().contains("neither a column mac nor a column name"));
        assert!(table("mac,name\nzz,pc\n", "ad").unwrap_err().starts_with("line 2: expected"));
    }

    #[test]
    fn whoever_is_listed_is_told_beside_whom_was_met() {
        let machine = Machine::new();
        machine.files(&[
            ("sys/class/net/eth0/device/vendor", "0x8086\n"),
            (
                "proc/net/arp",
                "IP address       HW type     Flags       HW address            Mask     Device\n\
                 192.0.2.1        0x1         0x2         00:1B:21:00:00:01     *        eth0\n",
            ),
            ("var/lib/misc/dnsmasq.leases", "0 00:1b:21:00:00:01 192.0.2.1 printer *\n"),
            ("etc/muster/neighbours.d/ad.csv", "name\nPC-17\n"),
            ("etc/muster/neighbours.d/wrong.csv", "room\n7\n"),
        ]);
        assert_eq!(
            machine.lines("neighbours"),
            [
                "00:1b:21:00:00:01: addresses=192.0.2.1 interface=dhcp,eth0 mac=00:1b:21:00:00:01 name=printer",
                "name/pc-17: interface=ad name=PC-17",
            ]
        );
        let section = machine.section("neighbours");
        assert!(section.reason.contains("wrong.csv: its first line names neither"), "{}", section.reason);
        assert!(!section.whole || section.source.contains("dnsmasq.leases"), "{}", section.source);
    }
}

//! Seen, not managed: what agents have met on their networks that is neither a host nor a device, and that nobody has said
//! to be somebody else's.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Fields, field};
use crate::domain::{ids::HostNo, record::AuditRow, time::Timestamp};

/// The section in which agents tell whom they have met.
pub const SECTION: &str = "neighbours";
/// What the audit log calls it when somebody says whose a neighbour is. It is kept nowhere else: the log is for ever, and
/// has who, when and why.
pub const ACTION: &str = "neighbour.mark";
/// Characters of a reason: as of one for a change.
pub const REASON_CHARS: usize = super::planned::REASON_CHARS;
/// How the identity of one begins that a list knows by name alone.
const NAMED: &str = "name/";
/// Characters of a name: as many as DNS has (RFC 1035).
const NAME_CHARS: usize = 253;
/// How what is said begins in the audit log.
const FOREIGN: &str = "foreign: ";
const OURS: &str = "not foreign: ";

/// Whose a neighbour is, as somebody said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// It is somebody else's, and is not listed any more.
    pub is_foreign: bool,
    /// Why, in their words.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How it is written into the audit log.
#[must_use]
pub fn detail(is_foreign: bool, reason: &str) -> String {
    format!("{}{reason}", if is_foreign { FOREIGN } else { OURS })
}

/// What was said last of each, from the lines of the audit log, the newest first.
#[must_use]
pub fn marks(lines: &[AuditRow]) -> BTreeMap<String, Mark> {
    let mut marks = BTreeMap::new();
    for line in lines.iter().filter(|line| line.action == ACTION) {
        let foreign = line.detail.strip_prefix(FOREIGN);
        let Some(reason) = foreign.or_else(|| line.detail.strip_prefix(OURS)) else { continue };
        let mark = Mark { is_foreign: foreign.is_some(), reason: reason.to_owned(), by: line.who.clone(), at: line.at };
        marks.entry(line.subject.clone()).or_insert(mark);
    }
    marks
}

/// An address of hardware as it is written here: `00:1b:21:00:00:01`; none: it is no address of one.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| !b":-.".contains(byte)).collect();
    let text: String = std::str::from_utf8(&digits).ok()?.to_ascii_lowercase();
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let mac = text.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect::<Vec<_>>().join(":");
    // The first bit says that it is of several (IEEE 802).
    (first(&mac)? & 1 == 0).then_some(mac)
}

/// What one is kept by: the hardware's address as it is written here, or `name/pc-17` of one that a list knows by name
/// alone; none: it is neither.
#[must_use]
pub fn identity(text: &str) -> Option<String> {
    match text.trim().strip_prefix(NAMED) {
        Some(name) if !name.is_empty() && name.chars().count() <= NAME_CHARS && !name.contains(char::is_control) => {
            Some(format!("{NAMED}{}", name.to_lowercase()))
        }
        Some(_) => None,
        None => canonical(text),
    }
}

/// Whether it was made up rather than burnt in: by a phone that does not want to be known, or for a virtual machine (second
/// bit of the first byte, IEEE 802).
#[must_use]
pub fn is_made_up(mac: &str) -> bool {
    first(mac).is_some_and(|byte| byte & 0b10 != 0)
}

fn first(mac: &str) -> Option<u8> {
    u8::from_str_radix(mac.get(..2)?, 16).ok()
}

/// What is known already.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The hardware's addresses of all hosts' interfaces, virtual ones too.
    macs: BTreeSet<String>,
    /// Addresses of devices and of hosts, each at its site: the same private address is another machine elsewhere.
    places: BTreeSet<(Option<String>, IpAddr)>,
    /// Names of hosts and devices, in small letters, whole and without their domain.
    names: BTreeSet<String>,
}

/// A name without its domain, in small letters.
fn short(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_lowercase()
}

impl Known {
    /// An interface of a host.
    pub fn interface(&mut self, row: &[(String, String)]) {
        let macs = ["mac", "permanent_mac"].into_iter().filter_map(|name| canonical(field(row, name)?));
        self.macs.extend(macs);
    }

    /// What a host or a device is called.
    pub fn name(&mut self, name: &str) {
        self.names.extend([name.to_lowercase(), short(name)]);
    }

    /// An address of a device or a host.
    pub fn place(&mut self, site: Option<&str>, address: IpAddr) {
        self.places.insert((site.map(str::to_owned), address));
    }
}

/// One that was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// What it is kept by ([`identity`]).
    pub identity: String,
    /// Its hardware's address; empty where a list knows it by name alone.
    pub mac: String,
    /// What it is called where it is listed.
    pub name: String,
    /// By which addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// By which hosts, and at which interfaces or in which lists.
    pub met_by: BTreeMap<HostNo, String>,
    /// Since when, as far as is held.
    pub since: Timestamp,
}

/// A row of [`SECTION`]: of which host, since when, and what it says.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The host that met it.
    pub host: HostNo,
    /// Where that host stands.
    pub site: Option<&'a str>,
    /// Since when.
    pub since: Timestamp,
    /// What it says.
    pub durable: &'a Fields,
}

/// Those that are neither host nor device, by what they are kept by. Who is known by name alone is one of ours when its name
/// is; where there is an address of hardware or of the network, that counts.
#[must_use]
pub fn unknown<'a>(rows: impl Iterator<Item = Row<'a>>, known: &Known) -> Vec<Neighbour> {
    let mut met: BTreeMap<String, Neighbour> = BTreeMap::new();
    let mut owned: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        let mac = field(row.durable, "mac").and_then(canonical).unwrap_or_default();
        let name = field(row.durable, "name").unwrap_or_default();
        let Some(key) = identity(&if mac.is_empty() { format!("{NAMED}{name}") } else { mac.clone() }) else {
            continue;
        };
        let addresses = field(row.durable, "addresses").unwrap_or_default();
        let addresses: BTreeSet<IpAddr> = addresses.split(',').filter_map(|address| address.parse().ok()).collect();
        let is_there = |address: &IpAddr| known.places.contains(&(row.site.map(str::to_owned), *address));
        let is_named =
            mac.is_empty() && [name.to_lowercase(), short(name)].iter().any(|name| known.names.contains(name));
        if known.macs.contains(&mac) || is_named || addresses.iter().any(is_there) {
            owned.insert(key);
            continue;
        }
        let new = || Neighbour { identity: key.clone(), mac, since: row.since, ..Neighbour::default() };
        let one = met.entry(key.clone()).or_insert_with(new);
        one.since = one.since.min(row.since);
        one.addresses.extend(addresses);
        if one.name.is_empty() {
            name.clone_into(&mut one.name);
        }
        one.met_by.insert(row.host, field(row.durable, "interface").unwrap_or_default().to_owned());
    }
    met.into_values().filter(|one| !owned.contains(&one.identity)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn hosts_their_virtual_interfaces_and_devices_are_no_strangers() {
        let mut known = Known::default();
        known.interface(&fields(&[("mac", "00:1B:21:00:00:01"), ("name", "eth0")]));
        known.interface(&fields(&[("mac", "02:42:ac:11:00:01"), ("name", "docker0"), ("kind", "bridge")]));
        known.place(Some("ulm"), [192, 0, 2, 9].into());
        let told = [
            fields(&[("mac", "00:1b:21:00:00:01"), ("addresses", "192.0.2.1")]),
            fields(&[("mac", "02:42:ac:11:00:01"), ("addresses", "192.0.2.2")]),
            fields(&[("mac", "00:1b:21:00:00:09"), ("addresses", "192.0.2.9")]),
            fields(&[("mac", "00:1b:21:00:00:07"), ("addresses", "192.0.2.7,192.0.2.8"), ("interface", "eth0")]),
            fields(&[("mac", "no address")]),
        ];
        let row = |host, site, since: i64| {
            move |durable| Row { host: HostNo(host), site: Some(site), since: Timestamp::from_ms(since), durable }
        };
        let found = unknown(told.iter().map(row(1, "ulm", 50)).chain(told[3..4].iter().map(row(2, "ulm", 40))), &known);
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.mac.as_str(), one.since.ms()), ("00:1b:21:00:00:07", 40));
        assert_eq!(one.met_by.keys().map(|host| host.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(one.addresses.len(), 2);
        // Elsewhere the same address is another machine.
        let elsewhere = unknown(told[2..3].iter().map(row(3, "bonn", 0)), &known);
        assert_eq!(elsewhere.len(), 1);
    }

    #[test]
    fn who_is_known_by_name_alone_is_ours_by_name_and_else_stands_beside_the_others() {
        let mut known = Known::default();
        known.name("PC-17.example.org");
        let told = [
            fields(&[("name", "pc-17"), ("interface", "ad")]),
            fields(&[("name", "PC-18.example.org"), ("interface", "ad")]),
            // An address of hardware counts for more than a name that anybody may say.
            fields(&[("mac", "00:1b:21:00:00:07"), ("name", "pc-17"), ("interface", "dhcp")]),
            fields(&[("interface", "ad")]),
        ];
        let row = |durable| Row { host: HostNo(1), site: None, since: Timestamp::from_ms(0), durable };
        let found = unknown(told.iter().map(row), &known);
        let brief: Vec<_> = found.iter().map(|one| [&*one.identity, &*one.mac, &*one.name]).collect();
        let named = ["name/pc-18.example.org", "", "PC-18.example.org"];
        assert_eq!(brief, [["00:1b:21:00:00:07", "00:1b:21:00:00:07", "pc-17"], named]);
        assert_eq!(identity("name/PC-18").as_deref(), Some("name/pc-18"));
        assert_eq!((identity("name/"), identity("name/a\u{7}"), identity("pc-18")), (None, None, None));
    }

    #[test]
    fn addresses_are_written_in_one_way_and_those_that_were_made_up_are_told_apart() {
        for text in ["00-1B-21-00-00-01", "001b.2100.0001", " 00:1b:21:00:00:01"] {
            assert_eq!(canonical(text).as_deref(), Some("00:1b:21:00:00:01"), "{text}");
        }
        for text in ["", "00:00:00:00:00:00", "01:00:5e:00:00:01", "00:1b:21:00:00", "zz:1b:21:00:00:01", "ä"] {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert!(is_made_up("02:42:ac:11:00:02") && is_made_up("da:a1:19:00:00:01") && !is_made_up("00:1b:21:00:00:01"));
    }

    #[test]
    fn what_was_said_last_counts() {
        let line = |at: i64, detail: String| AuditRow {
            at: Timestamp::from_ms(at),
            who: "ann".into(),
            from: "web".into(),
            action: ACTION.into(),
            subject: "00:1b:21:00:00:07".into(),
            detail,
        };
        let lines = [line(20, detail(false, "it is ours after all")), line(10, detail(true, "the guest printer"))];
        let mark = &marks(&lines)["00:1b:21:00:00:07"];
        assert_eq!((mark.is_foreign, mark.reason.as_str(), mark.by.as_str()), (false, "it is ours after all", "ann"));
        assert!(marks(&lines[1..])["00:1b:21:00:00:07"].is_foreign);
        assert_eq!(marks(&[line(10, "something else".into())]), BTreeMap::new());
    }
}

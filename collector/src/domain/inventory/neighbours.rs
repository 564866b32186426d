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
}

impl Known {
    /// An interface of a host.
    pub fn interface(&mut self, row: &[(String, String)]) {
        let macs = ["mac", "permanent_mac"].into_iter().filter_map(|name| canonical(field(row, name)?));
        self.macs.extend(macs);
    }

    /// An address of a device or a host.
    pub fn place(&mut self, site: Option<&str>, address: IpAddr) {
        self.places.insert((site.map(str::to_owned), address));
    }
}

/// One that was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// Its hardware's address.
    pub mac: String,
    /// By which addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// By which hosts, and at which interfaces.
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

/// Those that are neither host nor device, by address.
#[must_use]
pub fn unknown<'a>(rows: impl Iterator<Item = Row<'a>>, known: &Known) -> Vec<Neighbour> {
    let mut met: BTreeMap<String, Neighbour> = BTreeMap::new();
    let mut owned: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        let Some(mac) = field(row.durable, "mac").and_then(canonical) else { continue };
        let addresses = field(row.durable, "addresses").unwrap_or_default();
        let addresses: BTreeSet<IpAddr> = addresses.split(',').filter_map(|address| address.parse().ok()).collect();
        let is_there = |address: &IpAddr| known.places.contains(&(row.site.map(str::to_owned), *address));
        if known.macs.contains(&mac) || addresses.iter().any(is_there) {
            owned.insert(mac);
            continue;
        }
        let one = met.entry(mac.clone()).or_insert_with(|| Neighbour { mac, since: row.since, ..Neighbour::default() });
        one.since = one.since.min(row.since);
        one.addresses.extend(addresses);
        one.met_by.insert(row.host, field(row.durable, "interface").unwrap_or_default().to_owned());
    }
    met.into_values().filter(|one| !owned.contains(&one.mac)).collect()
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

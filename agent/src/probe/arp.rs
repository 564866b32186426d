//! Neighbours that have an entry in the ARP table, per interface, from `/proc/net/arp`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::{Kind, ProbeError, Sink};
use crate::host::Host;
use crate::host::rolled::{self, Crowded};

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/net/arp", |sink, text| {
        sink.family("node_arp_entries", Kind::Gauge, "ARP entries by device");
        for (device, count) in roll_up(host, sink, count(text)) {
            sink.sample(&[("device", &device)], f64::from(count));
        }
        Ok(())
    })
}

/// The same with one entry for each kind of which there are too many interfaces.
fn roll_up<'a>(host: &Host, sink: &Sink<'_>, counts: Vec<(&'a str, u32)>) -> Vec<(Cow<'a, str>, u32)> {
    let limit = host.crowding().interfaces_per_kind;
    let kinds = if counts.len() > limit { kinds(host, sink, &counts, limit) } else { HashMap::new() };
    let mut sums: BTreeMap<Cow<'a, str>, u32> = BTreeMap::new();
    for (device, count) in counts {
        let name = kinds.get(device).map_or(Cow::Borrowed(device), |all| Cow::Owned(all.clone()));
        *sums.entry(name).or_default() += count;
    }
    sums.into_iter().collect()
}

/// The interfaces that are said as one, and as which.
fn kinds(host: &Host, sink: &Sink<'_>, counts: &[(&str, u32)], limit: usize) -> HashMap<String, String> {
    let mut kinds = HashMap::new();
    let visited = host.links(sink.now(), |link| {
        if let Some(kind) = link.rolled_up {
            kinds.insert(link.name().into_owned(), rolled::name_of_all(kind));
        }
    });
    if visited.is_err() {
        let by_name = || counts.iter().filter_map(|(device, _)| Some((*device, rolled::kind_of_name(device)?)));
        let mut crowded = Crowded::default();
        by_name().for_each(|(_, kind)| crowded.count(kind));
        crowded.decide(limit);
        let held = by_name().filter(|(_, kind)| crowded.holds(kind));
        kinds.extend(held.map(|(device, kind)| (device.to_owned(), rolled::name_of_all(kind))));
    }
    kinds
}

/// Entries per interface, by name. A line ends with the interface (`arp_format_neigh_entry`, net/ipv4/arp.c), the first
/// one is the heading.
fn count(text: &str) -> Vec<(&str, u32)> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for device in text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next_back()) {
        *counts.entry(device).or_default() += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn entries_are_counted_per_interface() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
                    198.51.100.1     0x1         0x2         02:00:00:00:00:01     *        wan0\n\
                    198.51.100.9     0x1         0x0         00:00:00:00:00:00     *        wan0\n\
                    \n\
                    203.0.113.77     0x20        0x2                               *        ib0\n";
        assert_eq!(super::count(text), [("ib0", 1), ("wan0", 2)]);
        assert!(
            super::count("IP address       HW type     Flags       HW address            Mask     Device\n").is_empty()
        );
        assert!(super::count("").is_empty());
    }
}

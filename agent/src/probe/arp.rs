//! Neighbours that have an entry in the ARP table, per interface, from `/proc/net/arp`.

use super::{Kind, ProbeError, Sink};
use crate::host::Host;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/net/arp", |sink, text| {
        sink.family("node_arp_entries", Kind::Gauge, "ARP entries by device");
        for (device, count) in count(text) {
            sink.sample(&[("device", device)], f64::from(count));
        }
        Ok(())
    })
}

/// Entries per interface, by name. A line ends with the interface (`arp_format_neigh_entry`, net/ipv4/arp.c), the first
/// one is the heading.
fn count(text: &str) -> Vec<(&str, u32)> {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for device in text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next_back()) {
        match counts.iter_mut().find(|(known, _)| *known == device) {
            Some((_, count)) => *count += 1,
            None => counts.push((device, 1)),
        }
    }
    counts.sort_unstable();
    counts
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

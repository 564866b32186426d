//! How many slaves each bonding interface has, and how many of them have a link.
//!
//! The list of slaves is taken from the links to them: the files `bonding_masters` and `bonding/slaves` take the kernel's
//! network lock (drivers/net/bonding/bond_sysfs.c), so the first is a fact and the second is not read.

use super::folder::Folder;
use super::{Kind, ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/class/net";

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let masters = host.fact("/sys/class/net/bonding_masters").filter(|masters| !masters.is_empty());
    let masters = masters.ok_or_else(|| ProbeError::Absent("no interface bonds others".to_owned()))?;
    let mut folder = Folder::new(host, "bonding", DIRECTORY);
    for master in masters.split_ascii_whitespace() {
        let path = format!("{DIRECTORY}/{master}");
        // A master that went away since the facts were read simply says nothing.
        let Ok(slaves) = slaves(host, &path) else { continue };
        folder.go(&path);
        let states = slaves.iter().filter_map(|slave| folder.word(sink, &format!("{slave}/bonding_slave/mii_status")));
        let (mut known, mut active) = (0_u32, 0_u32);
        for state in states {
            known += 1;
            active += u32::from(state == "up");
        }
        sink.family("node_bonding_slaves", Kind::Gauge, "Number of configured slaves per bonding interface.");
        sink.sample(&[("master", master)], known.into());
        sink.family("node_bonding_active", Kind::Gauge, "Number of active slaves per bonding interface.");
        sink.sample(&[("master", master)], active.into());
    }
    Ok(())
}

/// The links to the slaves: `lower_eth0`, and `slave_eth0` as well up to Linux 3.13.
fn slaves(host: &Host, path: &str) -> Result<Vec<String>, ProbeError> {
    let (mut lower, mut older) = (Vec::new(), Vec::new());
    host.visit(path, |name| {
        if name.starts_with("lower_") {
            lower.push(name.to_owned());
        } else if name.starts_with("slave_") {
            older.push(name.to_owned());
        }
    })?;
    Ok(if lower.is_empty() { older } else { lower })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn slaves_are_found_by_their_links_and_those_without_a_state_are_noted() {
        let machine = Machine::new(&[
            ("sys/class/net/bonding_masters", "bond0 gone old\n"),
            ("sys/class/net/bond0/lower_a/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/bond0/lower_b/bonding_slave/mii_status", "going down\n"),
            // Up to Linux 3.13 both links lead to the same slave.
            ("sys/class/net/bond0/slave_a/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/old/slave_c/bonding_slave/mii_status", "up\n"),
        ]);
        machine.break_file("sys/class/net/bond0/lower_x/bonding_slave/mii_status");
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_bonding_active{master="bond0"}"#.to_owned(), 1.0),
            (r#"node_bonding_active{master="old"}"#.to_owned(), 1.0),
            (r#"node_bonding_slaves{master="bond0"}"#.to_owned(), 2.0),
            (r#"node_bonding_slaves{master="old"}"#.to_owned(), 1.0),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["bonding/sys/class/net/bond0/lower_x/bonding_slave/mii_status"]);
        let none = Machine::new(&[("sys/class/net/bonding_masters", "\n")]);
        assert!(matches!(none.read(read).outcome, Err(ProbeError::Absent(_))));
    }
}

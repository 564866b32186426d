//! `[[device]]`: read as `device add` takes it, and compared with the fleet where that is known.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{
    device::{Device, Probe, declared::Fleet},
    ids::{HostId, HostNo},
    labels::{Admission, Class, Facts, Profile},
    layers::Layers,
    watch::Watch,
};

#[test]
fn a_device_is_read_with_its_place_and_the_defaults_of_device_add() {
    let text = "\n[[device]]\nname = \"switch-1\"\naddress = \"10.0.0.2\"\n[[device]]\nname = \"printer-3\"\n\
                address = \"printer-3.example\"\ncheck = \"tcp:9100\"\nsite = \"Berlin\"\nwatch = \"relaxed\"\n\
                parent = \"switch-1\"\nwatchers = [\"mon-1\"]\nlabels = { rack = \"7\" }\n";
    let devices = read(text).unwrap().devices;
    let [switch, printer] = &devices[..] else { panic!("{devices:?}") };
    assert_eq!((&switch.probe, switch.place.as_str(), switch.says.len()), (&Probe::Icmp, "collector.toml:2", 0));
    assert_eq!((&printer.probe, printer.parent.as_deref()), (&Probe::Tcp(9100), Some("switch-1")));
    let says: Vec<_> = printer.says.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        (says.join(" "), printer.watchers.as_slice()),
        ("rack=7 site=Berlin watch=relaxed".into(), &["mon-1".into()][..])
    );
}

#[test]
fn every_mistake_in_devices_is_told_with_its_line() {
    let text = r#"
[[device]]
name = "a b"
address = "no where"
check = "ping"
[[device]]
name = "x"
address = "10.0.0.1"
parent = "y"
watch = "hourly"
[[device]]
name = "y"
address = "10.0.0.2"
parent = "x"
labels = { class = "server", Rack = "7" }
[[device]]
name = "x"
colour = "blue"
"#;
    let expected = [
        ("3: device[1].name = \"a b\"", "128 printable ASCII"),
        ("4: device[1].address = \"no where\"", "an address, or a host name"),
        ("5: device[1].check = \"ping\"", "icmp, tcp:PORT"),
        ("9: device[2].parent = \"y\"", "no circle: \"y\" is behind \"x\" itself"),
        ("10: device[2].watch = \"hourly\"", "fast, normal"),
        ("14: device[3].parent = \"x\"", "no circle"),
        ("15: device[3].labels = \"7\"", "label names"),
        ("15: device[3].labels = \"server\"", "it is a device"),
        ("16: device[4].address", "it is missing"),
        ("17: device[4].name = \"x\"", "another name: collector.toml:6 is called so already"),
        ("18: device[4].colour", "known are: name, address, check, parent, watchers, site, watch, labels"),
    ];
    check(&mistakes(text), &expected);
}

fn check(all: &[String], expected: &[(&str, &str)]) {
    for (place, why) in expected {
        let found = all.iter().find(|line| line.starts_with(&format!("collector.toml:{place}")));
        assert!(found.is_some_and(|line| line.contains(why)), "{place} {why}\n{}", all.join("\n"));
    }
    assert_eq!(all.len(), expected.len(), "{}", all.join("\n"));
}

/// `mon-1` and `mon-3` have agents; `core` and `floor`, behind it, are devices that a person added, `old` came from the file.
fn fleet() -> Fleet {
    let host = |no: i64, name: &str, class| Profile {
        no: HostNo(no),
        id: HostId(uuid::Uuid::from_u128(1)),
        name: name.into(),
        class,
        site: None,
        watch: Watch::Normal,
        labels: BTreeMap::new(),
        layers: Layers::default(),
        admission: Admission::Active,
        facts: Facts { name: name.into(), ..Facts::default() },
    };
    let hosts = [
        host(1, "mon-1", Class::Server),
        host(2, "core", Class::Device),
        host(3, "floor", Class::Device),
        host(4, "old", Class::Device),
        host(5, "mon-3", Class::Server),
    ];
    let device = |no: i64, place: Option<&str>| {
        let (host, watchers, place) = (HostNo(no), Vec::new(), place.map(str::to_owned));
        (host, Device { host, address: "10.0.0.9".into(), probe: Probe::Icmp, watchers, place })
    };
    let devices = [device(2, None), device(3, None), device(4, Some("collector.toml:1"))].into();
    Fleet::new(hosts.iter(), &devices, &[(HostNo(3), HostNo(2)), (HostNo(4), HostNo(2))].into())
}

#[test]
fn what_contradicts_the_fleet_is_a_mistake_beside_all_others_where_the_fleet_is_known() {
    let text = r#"
[[device]]
name = "core"
address = "10.0.0.1"
parent = "floor"
[[device]]
name = "mon-1"
address = "10.0.0.2"
watchers = ["mon-1"]
[[device]]
name = "printer"
address = "10.0.0.3"
check = "ping"
parent = "old"
watchers = ["mon-3", "mon-2", "floor"]
[[device]]
name = "fine"
address = "10.0.0.4"
parent = "floor"
"#;
    let among = |fleet: Option<Fleet>| read::document(text, Path::new("collector.toml"), |_| fleet);
    let all = among(Some(fleet())).unwrap_err().mistakes;
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    let expected = [
        ("5: device[1].parent = \"floor\"", "no circle: \"floor\" is behind \"core\" itself"),
        ("7: device[2].name = \"mon-1\"", "a host with an agent is called so"),
        ("9: device[2].watchers = \"mon-1\"", "a host with an agent, which could ask"),
        ("13: device[3].check = \"ping\"", "icmp"),
        ("14: device[3].parent = \"old\"", "a device of this file, or one that is known"),
        ("15: device[3].watchers = \"mon-2\"", "muster-collector host list"),
        ("15: device[3].watchers = \"floor\"", "a host with an agent"),
    ];
    check(&all, &expected);
    let alone = among(None).unwrap_err().mistakes;
    assert_eq!(alone.len(), 2, "the device's own watcher, and ping: {alone:?}");
}

use serde_json::json;

use super::*;
use crate::inventory::{Row, Section, Status};

fn section(name: &str, rows: Vec<Row>) -> Section {
    Section {
        name: name.to_owned(),
        status: Status::Complete,
        reason: String::new(),
        source: "/sys/class/block".to_owned(),
        collected_ms: 1,
        rows,
        whole: true,
    }
}

fn serials() -> Withheld {
    Withheld::default().and(Family::Serials)
}

fn disks() -> Section {
    let disk = |serial: &str| {
        Row::new(format_args!("ACME 1T/{serial}"))
            .durable("serial", serial)
            .durable("model", "ACME 1T")
            .latest("name", "sda")
    };
    section("disks", vec![disk("S1"), disk("S2")])
}

#[test]
fn serials_leave_fields_and_keys_and_the_section_says_that_they_are_switched_off() {
    let mut one = disks();
    serials().clean(&mut one, b"machine");
    assert_eq!(
        (one.status, one.reason.as_str()),
        (Status::Partial, "switched off by [collect] off in agent.toml: serial, wwn")
    );
    assert!(one.rows.iter().all(|row| row.get("serial").is_none() && row.get("model") == Some("ACME 1T")), "{one:?}");
    assert!(!format!("{one:?}").contains("S1"), "{one:?}");
    let keys: Vec<String> = one.rows.iter().map(|row| row.key.clone()).collect();
    assert!(
        keys[0] != keys[1] && keys.is_sorted() && keys.iter().all(|key| key.starts_with("ACME 1T/off-")),
        "{keys:?}"
    );

    let mut again = disks();
    serials().clean(&mut again, b"machine");
    assert_eq!(again, one, "the same machine has the same stand-ins");
    let mut elsewhere = disks();
    serials().clean(&mut elsewhere, b"another machine");
    assert_ne!(elsewhere.rows, one.rows, "and another one others");
}

#[test]
fn what_is_not_withheld_stays_as_it_is() {
    let mut one = disks();
    Withheld::default().clean(&mut one, b"machine");
    Withheld::default().and(Family::UserNames).and(Family::Addresses).clean(&mut one, b"machine");
    assert_eq!(one, disks());
    let mut none = section("disks", Vec::new());
    serials().clean(&mut none, b"machine");
    assert_eq!(none.status, Status::Complete, "of nothing nothing is withheld");
    let mut certificates = section("certificates", vec![Row::new("/etc/ssl/a.pem").durable("serial", "01")]);
    serials().clean(&mut certificates, b"machine");
    assert_eq!(certificates.rows[0].get("serial"), Some("01"), "that of a certificate is public");
}

#[test]
fn a_reason_that_is_there_already_stays() {
    let mut one = Section { status: Status::Unreadable, reason: "no right".to_owned(), ..disks() };
    serials().clean(&mut one, b"machine");
    assert_eq!(one.status, Status::Unreadable);
    assert!(one.reason.starts_with("switched off by") && one.reason.ends_with("; no right"), "{}", one.reason);
}

#[test]
fn sections_that_are_nothing_but_a_family_are_off_with_it() {
    let names = Withheld::default().and(Family::UserNames);
    assert_eq!(
        ["users", "groups", "ssh_keys", "addresses", "disks"].map(|name| names.section(name).is_some()),
        [true, true, true, false, false]
    );
    assert_eq!(Withheld::default().and(Family::Addresses).section("neighbours"), Some("addresses"));
    assert_eq!(names.shown(Family::UserNames, "alice"), "");
    assert_eq!(names.shown(Family::Serials, "S1"), "S1");
}

/// Members as smartctl(8) 7.4 and storcli call them.
#[test]
fn serials_leave_what_tools_say_as_json() {
    let said = json!({
        "model_name": "ACME 1T", "serial_number": "S1", "wwn": {"naa": 5, "oui": 1, "id": 2}, "logical_unit_id": "0x5",
        "nvme_namespaces": [{"id": 1, "eui64": {"oui": 1}}], "smart_status": {"passed": true},
        "Drive /c0/e1/s0 Device attributes": {"SN": " S1 ", "Model Number": "X", "WWN": "5000"},
    });
    let cleaned = serials().cleaned(said.to_string().as_bytes()).unwrap();
    let cleaned: Value = serde_json::from_slice(&cleaned).unwrap();
    assert_eq!(
        cleaned,
        json!({
            "model_name": "ACME 1T", "nvme_namespaces": [{"id": 1}], "smart_status": {"passed": true},
            "Drive /c0/e1/s0 Device attributes": {"Model Number": "X"},
        })
    );
    assert_eq!(serials().cleaned(br#"{"temperature": {"current": 30}}"#), None);
    assert_eq!(Withheld::default().cleaned(said.to_string().as_bytes()), None);
}

#[test]
fn serials_leave_what_tools_say_as_lines() {
    let said = "=== START ===\nSerial Number:    S1\nLU WWN Device Id: 5 000c50 0a1\nDevice Model: ACME: 1T\nSerial Number:\nsn = S1\nusb 1-1: SerialNumber: S1";
    let cleaned = serials().cleaned(said.as_bytes()).unwrap();
    let cleaned = String::from_utf8(cleaned).unwrap();
    assert!(
        cleaned.contains("Serial Number: (switched off)") && cleaned.contains("Device Model: ACME: 1T"),
        "{cleaned}"
    );
    assert_eq!(cleaned.lines().count(), said.lines().count());
    assert_eq!(serials().cleaned(b"cpu0: temperature 40\n"), None);
}

#[test]
fn where_a_port_is_open_is_withheld_with_the_addresses_and_whether_it_is_open_to_the_network_is_not() {
    let row = |shown: &str, address: &str, scope: &str| {
        Row::new(format_args!("tcp/{shown}:22")).durable("address", address).durable("port", 22).durable("scope", scope)
    };
    let rows = vec![
        row("127.0.0.1", "127.0.0.1", "loopback"),
        row("192.0.2.7", "192.0.2.7", "network"),
        row("[2001:db8::7]", "2001:db8::7", "network"),
    ];
    let mut some = section("listening_ports", rows);
    Withheld::default().and(Family::Addresses).clean(&mut some, b"machine");
    let text = format!("{some:?}");
    assert!(!text.contains("192.0.2.7") && !text.contains("2001:db8::7"), "{text}");
    let mut told: Vec<_> =
        some.rows.iter().map(|row| (row.get("address"), row.get("port"), row.get("scope"))).collect();
    told.sort_unstable();
    let of = |scope| (None, Some("22"), Some(scope));
    assert_eq!(told, [of("loopback"), of("network"), of("network")]);
    let keys: std::collections::BTreeSet<&str> = some.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys.len(), 3, "rows are told apart: {keys:?}");
    assert_eq!(
        (some.status, some.reason.as_str()),
        (Status::Partial, "switched off by [collect] off in agent.toml: address")
    );
}

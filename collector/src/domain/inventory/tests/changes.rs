//! Differences in a manager's words.

use super::*;
use crate::domain::{
    calendar::Span,
    hold::{self, Hold, Labels, Scope, Subject, When},
    ids::HoldNo,
    inventory::{
        change::{Change, Class, named},
        planned,
    },
};

fn differences(section: &str, before: &[Row], after: &[Row]) -> Vec<Difference> {
    let mut book = Book::of(section);
    book.look(before, 0);
    book.look(after, 60)
}

fn said(section: &str, before: &[Row], after: &[Row]) -> Vec<(Class, String)> {
    let events = named(section, &differences(section, before, after));
    events.into_iter().map(|event| (event.class, event.title)).collect()
}

fn package(name: &str, version: &str) -> Row {
    row(&format!("dpkg/{name}/amd64"), &[("manager", "dpkg"), ("name", name), ("version", version)])
}

#[test]
fn one_package_is_said_by_its_name_and_forty_are_one_event() {
    let one = |before: &[Row], after: &[Row]| said("packages", before, after);
    let (old, new) = (package("openssl", "3.0.9-1"), package("openssl", "3.0.11-1~deb12u2"));
    let (old, new) = (std::slice::from_ref(&old), std::slice::from_ref(&new));
    assert_eq!(one(&[], old), [(Class::PackageInstalled, "openssl 3.0.9-1 installed".into())]);
    assert_eq!(one(old, new), [(Class::PackageUpgraded, "openssl upgraded 3.0.9-1 -> 3.0.11-1~deb12u2".into())]);
    assert_eq!(one(new, old), [(Class::PackageDowngraded, "openssl downgraded 3.0.11-1~deb12u2 -> 3.0.9-1".into())]);
    assert_eq!(one(old, &[]), [(Class::PackageRemoved, "openssl 3.0.9-1 removed".into())]);
    let before: Vec<Row> = (10..48).map(|n| package(&format!("p{n}"), "1")).collect();
    let mut after: Vec<Row> = (11..48).map(|n| package(&format!("p{n}"), "2")).collect();
    after.extend([package("q1", "1"), package("q2", "1")]);
    let events = named("packages", &differences("packages", &before, &after));
    let [Change { class: Class::PackagesChanged, title, count: 40, rows, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(title, "40 packages: 2 installed, 1 removed, 37 upgraded (p10, p11, p12, ...)");
    assert_eq!(rows.len(), 40);
    assert_eq!(rows[1].fields[0].before.as_deref(), Some("1"));
    assert_eq!(rows[1].fields[0].after.as_deref(), Some("2"));
    assert_eq!(rows[1].fields.len(), 1, "what is as it was is not told");
}

#[test]
fn that_a_backup_was_made_again_is_no_event_and_that_it_failed_is() {
    let backup = |at: &str, result: &str| [row("unit/restic.service", &[("last_at", at), ("result", result)])];
    let backups = |before: &[Row], after: &[Row]| said("backups", before, after);
    let (monday, tuesday) = (backup("2026-11-30T01:00:00Z", "success"), backup("2026-12-01T01:00:00Z", "success"));
    assert_eq!(backups(&monday, &tuesday), []);
    assert_eq!(backups(&tuesday, &backup("2026-12-02T01:00:00Z", "exit-code")).len(), 1);
    assert_eq!(backups(&[], &monday).len(), 1);
    assert_eq!(said("neighbours", &[], &[row("00:1b:21:00:00:07", &[("mac", "00:1b:21:00:00:07")])]), []);
}

#[test]
fn a_user_who_gains_sudo_is_told_as_that() {
    let user = |groups: &str, shell: &str| [row("ann", &[("groups", groups), ("name", "ann"), ("shell", shell)])];
    let users = |before: &[Row], after: &[Row]| said("users", before, after);
    let (plain, sudo) = (user("ann,audio", "/bin/bash"), user("ann,audio,sudo", "/bin/bash"));
    assert_eq!(users(&plain, &sudo), [(Class::UserGainedSudo, "user ann gained sudo".into())]);
    assert_eq!(users(&sudo, &plain), [(Class::UserLostSudo, "user ann lost sudo".into())]);
    assert_eq!(users(&[], &plain), [(Class::UserAdded, "user ann added".into())]);
    assert_eq!(users(&[], &sudo), [(Class::UserAdded, "user ann added, with sudo".into())]);
    assert_eq!(users(&plain, &[]), [(Class::UserRemoved, "user ann removed".into())]);
    let title = "user ann: shell /bin/bash -> /bin/sh".into();
    assert_eq!(users(&plain, &user("ann,audio", "/bin/sh")), [(Class::UserChanged, title)]);
    let flag = |sudo: &str| [row("bob", &[("name", "bob"), ("sudo", sudo)])];
    assert_eq!(users(&flag("no"), &flag("yes")), [(Class::UserGainedSudo, "user bob gained sudo".into())]);
}

#[test]
fn what_is_told_elsewhere_or_comes_and_goes_by_itself_is_no_event() {
    let group = |members: &str, gid: &str| [row("sudo", &[("gid", gid), ("members", members), ("name", "sudo")])];
    assert_eq!(said("groups", &group("ann", "27"), &group("ann,bob", "27")), []);
    assert_eq!(said("groups", &group("ann", "27"), &group("ann", "28")).len(), 1);
    assert_eq!(said("groups", &[], &group("ann", "27")).len(), 1);
    let leased = [row("eth0/10.0.0.7/24", &[("address", "10.0.0.7"), ("assigned", "leased")])];
    assert_eq!(said("addresses", &[], &leased), []);
    assert_eq!(said("addresses", &leased, &[]), []);
    assert_eq!(said("addresses", &[], &[row("eth0/10.0.0.8/24", &[("address", "10.0.0.8")])]).len(), 1);
}

#[test]
fn an_open_port_is_a_new_listener() {
    let port = |address: &str, process: &str| {
        [row("k", &[("address", address), ("port", "8080"), ("process", process), ("protocol", "tcp")])]
    };
    let listeners = |before: &[Row], after: &[Row]| said("listeners", before, after);
    let (four, six) = (port("0.0.0.0", "nginx"), port("::", "nginx"));
    assert_eq!(listeners(&[], &four), [(Class::NewListener, "tcp 0.0.0.0:8080 is listened on by nginx".into())]);
    assert_eq!(listeners(&[], &six), [(Class::NewListener, "tcp [::]:8080 is listened on by nginx".into())]);
    assert_eq!(listeners(&four, &[])[0].0, Class::ListenerGone);
    assert_eq!(listeners(&four, &port("0.0.0.0", "nc"))[0].0, Class::ListenerChanged);
}

#[test]
fn parts_are_swapped_added_and_taken_out() {
    let module = |key: &str, slot: &str, serial: &str| {
        row(key, &[("serial", serial), ("size_bytes", "17179869184"), ("slot", slot)])
    };
    let memory = |before: &[Row], after: &[Row]| said("memory_modules", before, after);
    let (a, b, c) = (module("A", "DIMM 1", "A"), module("B", "DIMM 2", "B"), module("C", "DIMM 2", "C"));
    let both = [a.clone(), b];
    assert_eq!(
        memory(&both, &[a.clone(), c]),
        [(Class::ComponentSwapped, "memory module in DIMM 2 replaced: B -> C".into())]
    );
    let gone = "memory reduced: memory module B of 16 GiB in DIMM 2 is gone".into();
    assert_eq!(memory(&both, std::slice::from_ref(&a)), [(Class::MemoryReduced, gone)]);
    let came = "memory added: memory module B of 16 GiB in DIMM 2".into();
    assert_eq!(memory(std::slice::from_ref(&a), &both), [(Class::MemoryAdded, came)]);
    let disk = |serial: &str, firmware: &str| {
        [row("bay 3", &[("firmware", firmware), ("model", "X"), ("serial", serial), ("slot", "3")])]
    };
    assert_eq!(
        said("disks", &disk("A", "1"), &disk("B", "1")),
        [(Class::DiskReplaced, "disk in 3 replaced: A -> B".into())]
    );
    assert_eq!(said("disks", &disk("A", "1"), &disk("A", "2"))[0].0, Class::FirmwareChanged);
    let named = |wwn: &str| [row(wwn, &[("model", "X"), ("serial", wwn)])];
    assert_eq!(said("disks", &named("A"), &named("B")), [(Class::DiskReplaced, "disk replaced: A -> B".into())]);
    let slot = |fields: &[(&str, &str)]| [row("P0/DIMM 1", fields)];
    let full = slot(&[("populated", "yes"), ("serial", "A"), ("size_bytes", "17179869184"), ("slot", "DIMM 1")]);
    let empty = slot(&[("populated", "no"), ("slot", "DIMM 1")]);
    assert_eq!(memory(&full, &empty), [(Class::MemoryReduced, "memory reduced: DIMM 1 is empty".into())]);
    assert_eq!(memory(&empty, &full)[0].0, Class::MemoryAdded);
    assert_eq!(said("disks", &[], &disk("A", "1")), [(Class::DiskAdded, "disk X in 3 added".into())]);
}

#[test]
fn what_the_machine_says_of_itself_has_classes_of_its_own() {
    let system = |fields: &[(&str, &str)]| [row("system", fields)];
    let class = |before: &[(&str, &str)], after: &[(&str, &str)]| {
        said("system", &system(before), &system(after)).into_iter().next().unwrap()
    };
    let gib = |gib: u64| (gib << 30).to_string();
    let (small, large) = (gib(32), gib(64));
    assert_eq!(
        class(&[("memory_bytes", &large)], &[("memory_bytes", &small)]),
        (Class::MemoryReduced, "memory reduced: 64 GiB -> 32 GiB".into())
    );
    assert_eq!(
        class(&[("kernel", "6.1"), ("os_version", "12")], &[("kernel", "6.12"), ("os_version", "13")]),
        (Class::OsUpgraded, "operating system 12 -> 13".into())
    );
    assert_eq!(class(&[("kernel", "6.1")], &[("kernel", "6.2")]), (Class::KernelChanged, "kernel 6.1 -> 6.2".into()));
    assert_eq!(class(&[("bios_version", "1")], &[("bios_version", "2")]).0, Class::FirmwareChanged);
    assert_eq!(class(&[("timezone", "UTC")], &[("timezone", "Europe/Rome")]).0, Class::SystemChanged);
}

#[test]
fn few_of_a_kind_are_events_of_their_own_and_many_are_one() {
    let services = |n: i32| (0..n).map(|n| row(&format!("s{n}.service"), &[("state", "enabled")])).collect::<Vec<_>>();
    assert_eq!(said("services", &[], &services(5)).len(), 5);
    assert_eq!(said("services", &[], &services(1)), [(Class::Added, "service s0.service added".into())]);
    let events = named("services", &differences("services", &[], &services(600)));
    let [Change { class: Class::Added, title, count: 600, rows, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((title.as_str(), rows.len()), ("600 services: added", 500));
}

#[test]
fn what_a_host_calls_its_things_is_harmless_in_a_title() {
    let hostile = row("k", &[("name", "a\u{202e}b\u{7}"), ("version", "1")]);
    let title = &named("packages", &differences("packages", &[], &[hostile]))[0].title;
    assert_eq!(title, "a\u{fffd}b\u{fffd} 1 installed");
    let long = row("k", &[("name", &"é".repeat(500)), ("version", "1")]);
    assert!(named("packages", &differences("packages", &[], &[long]))[0].title.chars().count() <= 250);
}

#[test]
fn every_class_has_a_word_of_its_own() {
    for class in Class::ALL {
        assert_eq!(Class::of_word(class.word()), Some(class));
        assert_eq!(serde_json::to_value(class).unwrap(), class.word());
    }
    assert_eq!(Class::of_word("rebooted"), None);
}

#[test]
fn a_change_is_expected_when_it_may_have_been_made_in_a_window_of_its_host() {
    let span = |from: i64, until: i64| When::Once(Span { from: at(from), until: at(until) });
    let hold = |kind, when, host: &str, change: &str| Hold {
        no: HoldNo(3),
        version: 1,
        kind,
        scope: Scope { hosts: vec![host.into()], ..Scope::default() },
        when,
        reason: "patches".into(),
        change: change.into(),
        by: "ann".into(),
        made: at(0),
        ended: None,
        outcome: None,
        own: None,
    };
    let subject = Subject { name: "web-1", site: None, class: None, labels: Labels(&[]) };
    let maintenance = hold(hold::Kind::Maintenance, span(100, 160), "web-*", "CHG7");
    let judged = |hold: &Hold, since: i64, seen: i64| planned::window([hold], &subject, at(since), at(seen));
    assert_eq!(judged(&maintenance, 40, 99), None, "before it");
    assert_eq!(judged(&maintenance, 40, 100).as_deref(), Some("CHG7"));
    assert_eq!(judged(&maintenance, 155, 215).as_deref(), Some("CHG7"), "seen at the look after it");
    assert_eq!(judged(&maintenance, 160, 220), None, "after it");
    assert_eq!(judged(&hold(hold::Kind::Maintenance, span(100, 160), "db-*", "CHG7"), 40, 130), None);
    assert_eq!(judged(&hold(hold::Kind::Silence, span(100, 160), "web-*", ""), 40, 130), None);
    let unnamed = hold(hold::Kind::Maintenance, span(100, 160), "web-1", "");
    assert_eq!(judged(&unnamed, 40, 130).as_deref(), Some("maintenance 3"));
}

#[test]
fn a_reason_is_one_line_of_200_characters() {
    assert_eq!(planned::reason(" by hand, CHG9 "), Ok("by hand, CHG9".into()));
    assert!(planned::reason(&"é".repeat(200)).is_ok());
    for wrong in ["", "  ", &"é".repeat(201), "two\nlines"] {
        assert!(planned::reason(wrong).is_err(), "{wrong:?}");
    }
}

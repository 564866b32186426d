use std::path::Path;
use std::sync::Arc;

use super::super::table::Section;
use super::super::testing::{ask, lines, machine};
use super::*;
use crate::host::fake_bus::{Body, serve};

const UNITS: [[&str; 4]; 6] = [
    ["a.service", "loaded", "active", "/u/a"],
    ["b.service", "loaded", "reloading", "/u/b"],
    ["gone.service", "not-found", "inactive", "/u/gone"],
    ["c.socket", "loaded", "active", "/u/c"],
    ["d.timer", "loaded", "failed", "/u/d"],
    ["e.slice", "loaded", "active", "/u/e"],
];

fn answer(call: &[String]) -> Option<Body> {
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    Some(match call[..] {
        [MANAGER, MANAGER_INTERFACE, "ListUnits"] => Body::units(&UNITS),
        [MANAGER, PROPERTIES, "Get", MANAGER_INTERFACE, "Version"] => Body::variant_text("252.36-1~deb12u1"),
        [MANAGER, PROPERTIES, "Get", MANAGER_INTERFACE, "Virtualization"] => Body::variant_text(""),
        [MANAGER, PROPERTIES, "Get", MANAGER_INTERFACE, "SystemState"] => Body::variant_text("degraded"),
        ["/u/a", PROPERTIES, "Get", SERVICE, "Type"] => Body::variant_text("notify"),
        ["/u/a", PROPERTIES, "Get", SERVICE, "NRestarts"] => Body::variant_u32(3),
        // b is gone meanwhile; this systemd does not know NRefused.
        ["/u/c", PROPERTIES, "Get", SOCKET, "NAccepted"] => Body::variant_u32(10),
        ["/u/c", PROPERTIES, "Get", SOCKET, "NConnections"] => Body::variant_u32(2),
        ["/u/d", PROPERTIES, "Get", TIMER, "LastTriggerUSec"] => Body::variant_u64(1_700_000_000_250_000),
        _ => return None,
    })
}

fn said(answer: impl Fn(&[String]) -> Option<Body> + Send + 'static) -> Result<Vec<String>, ProbeError> {
    let (root, host) = machine(&[("run/systemd/system/.keep", "")]);
    serve(root.path(), answer);
    let mut section = Section::new("systemd", Arc::default());
    ask(read, &host, &mut section).1.map(|()| lines(&section))
}

#[test]
fn units_are_said_with_state_type_and_numbers() {
    let lines = said(answer).unwrap();
    let states = |unit: &str| -> Vec<&String> {
        lines.iter().filter(|line| line.contains(&format!("name={unit:?},state"))).collect()
    };
    assert_eq!(states("a.service")[1], r#"node_systemd_unit_state{name="a.service",state="active",type="notify"} 1"#);
    assert_eq!(states("a.service").len(), 5);
    assert!(states("b.service").iter().all(|line| line.ends_with(r#"type=""} 0"#)), "in none of the five states");
    assert!(states("d.timer")[3].ends_with(" 1") && states("gone.service").is_empty() && states("e.slice").is_empty());
    let others: Vec<&String> = lines.iter().filter(|line| !line.starts_with("node_systemd_unit_state")).collect();
    assert_eq!(
        others,
        [
            r#"node_systemd_version{version="252.36-1~deb12u1"} 252.36"#,
            r#"node_systemd_virtualization_info{virtualization_type="none"} 1"#,
            "node_systemd_system_running 0",
            r#"node_systemd_units{state="activating"} 0"#,
            r#"node_systemd_units{state="active"} 3"#,
            r#"node_systemd_units{state="deactivating"} 0"#,
            r#"node_systemd_units{state="failed"} 1"#,
            r#"node_systemd_units{state="inactive"} 1"#,
            r#"node_systemd_units{state="reloading"} 1"#,
            r#"node_systemd_service_restart_total{name="a.service"} 3"#,
            r#"node_systemd_socket_accepted_connections_total{name="c.socket"} 10"#,
            r#"node_systemd_socket_current_connections{name="c.socket"} 2"#,
            r#"node_systemd_timer_last_trigger_seconds{name="d.timer"} 1700000000.25"#,
        ]
    );
}

#[test]
fn types_are_those_of_node_exporter_odd_as_one_of_them_is() {
    let kind = |row: usize| ASKED[row].said.map(|(family, kind, _)| (family, kind));
    assert_eq!(kind(2), Some(("node_systemd_socket_accepted_connections_total", Kind::Counter)));
    assert_eq!(kind(4), Some(("node_systemd_socket_refused_connections_total", Kind::Gauge)));
}

#[test]
fn a_systemd_that_lists_nothing_has_failed() {
    let error = said(|call| answer(call).filter(|_| call[2] != "ListUnits")).unwrap_err();
    assert_eq!(error, ProbeError::Failed("systemd does not list its units".to_owned()));
}

#[test]
fn without_systemd_the_source_is_absent() {
    let (_root, host) = machine(&[]);
    let mut section = Section::new("systemd", Arc::default());
    assert!(matches!(ask(read, &host, &mut section).1, Err(ProbeError::Absent(_))));
}

#[test]
fn a_version_is_the_first_number_of_three_digits() {
    for (version, expected) in [
        ("252.36-1~deb12u1", "{version=\"252.36-1~deb12u1\"} 252.36"),
        ("249", "{version=\"249\"} 249"),
        ("v257~rc1-2.fc42", "{version=\"v257~rc1-2.fc42\"} 257"),
        ("12.345", "{version=\"12.345\"} 345"),
        ("nothing", "{version=\"\"} 0"),
    ] {
        let mut section = Section::new("systemd", Arc::default());
        let mut scratch = super::super::Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, super::super::testing::NOW);
        say_version(&mut sink, version);
        sink.finish(Ok(())).1.unwrap();
        assert_eq!(lines(&section), [format!("node_systemd_version{expected}")]);
    }
}

#[test]
fn a_capture_without_a_bus_is_read_from_its_tool() {
    let (root, host) = machine(&[
        ("run/systemd/system/.keep", ""),
        ("commands/systemctl", "#!/bin/sh\necho 'a.service loaded active x\nb.mount loaded active x'\n"),
    ]);
    make_executable(&root.path().join("commands/systemctl"));
    let mut section = Section::new("systemd", Arc::default());
    ask(read, &host, &mut section).1.unwrap();
    let lines = lines(&section);
    assert_eq!(lines[1], r#"node_systemd_units{state="active"} 2"#);
    assert_eq!(lines.iter().filter(|line| line.contains("unit_state")).count(), 5);
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

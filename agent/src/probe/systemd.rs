//! States of systemd's units, asked of systemd itself over D-Bus once a minute; of a capture from `systemctl`.
//!
//! Dear: process 1 answers some hundred questions, one per property of a service, socket or timer.

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::{Bus, Call, CommandError, Host, HostError, Reply};

/// Milliseconds that systemd, or `systemctl`, may take.
pub(super) const TOOL_MS: u64 = 10_000;
/// The states that `node_exporter` tells apart; systemd has some more that pass quickly.
const STATES: [&str; 5] = ["activating", "active", "deactivating", "failed", "inactive"];
/// `node_exporter`'s default `--collector.systemd.unit-exclude`: `.+\.(automount|device|mount|scope|slice)`.
const KINDS_LEFT_OUT: [&str; 5] = ["automount", "device", "mount", "scope", "slice"];

/// Objects and interfaces of org.freedesktop.systemd1(5).
const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const SOCKET: &str = "org.freedesktop.systemd1.Socket";
const TIMER: &str = "org.freedesktop.systemd1.Timer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// What is asked of a kind of unit.
struct Asked {
    units: &'static str,
    /// Interface and name.
    property: [&'static str; 2],
    /// How it is said: family, type, help. The service's type is a label.
    said: Option<(&'static str, Kind, &'static str)>,
}

const ASKED: [Asked; 6] = [
    Asked { units: ".service", property: [SERVICE, "Type"], said: None },
    Asked {
        units: ".service",
        property: [SERVICE, "NRestarts"],
        said: Some(("node_systemd_service_restart_total", Kind::Counter, "Service unit count of Restart triggers")),
    },
    Asked {
        units: ".socket",
        property: [SOCKET, "NAccepted"],
        said: Some((
            "node_systemd_socket_accepted_connections_total",
            Kind::Counter,
            "Total number of accepted socket connections",
        )),
    },
    Asked {
        units: ".socket",
        property: [SOCKET, "NConnections"],
        said: Some(("node_systemd_socket_current_connections", Kind::Gauge, "Current number of socket connections")),
    },
    Asked {
        units: ".socket",
        property: [SOCKET, "NRefused"],
        // node_exporter says this counter as a gauge.
        said: Some((
            "node_systemd_socket_refused_connections_total",
            Kind::Gauge,
            "Total number of refused socket connections",
        )),
    },
    Asked {
        units: ".timer",
        property: [TIMER, LAST_TRIGGER],
        said: Some(("node_systemd_timer_last_trigger_seconds", Kind::Gauge, "Seconds since epoch of last trigger.")),
    },
];
/// In microseconds.
const LAST_TRIGGER: &str = "LastTriggerUSec";

/// What systemd says of a unit.
#[derive(Debug, Clone, Default, PartialEq)]
struct Unit {
    name: String,
    load: String,
    active: String,
    object: String,
}

impl Unit {
    /// Whether its state is said.
    fn counts(&self) -> bool {
        self.load == "loaded" && self.name.rsplit_once('.').is_some_and(|(_, kind)| !KINDS_LEFT_OUT.contains(&kind))
    }
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    if !host.exists("/run/systemd/system") {
        return Err(ProbeError::Absent("systemd does not run here".to_owned()));
    }
    match host.systemd(TOOL_MS) {
        Ok(mut bus) => say_all(&mut bus, sink),
        Err(HostError::NotPresent(_)) => say_listed(host, sink),
        Err(error) => Err(error.into()),
    }
}

fn say_all(bus: &mut Bus, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let property = |name| ["org.freedesktop.systemd1.Manager", name];
    let (version, virtualization, state) = (property("Version"), property("Virtualization"), property("SystemState"));
    let get = |arguments| Call { path: MANAGER, interface: PROPERTIES, member: "Get", arguments };
    let list = Call { path: MANAGER, interface: MANAGER_INTERFACE, member: "ListUnits", arguments: &[] };
    let replies = bus.ask(&[get(&version), get(&virtualization), get(&state), list])?;
    let text = |at: usize| replies.get(at)?.as_ref()?.values().variant_text();
    let units = replies.get(3).and_then(Option::as_ref).and_then(units_in);
    let units = units.ok_or_else(|| ProbeError::Failed("systemd does not list its units".to_owned()))?;

    say_version(sink, text(0).unwrap_or_default());
    let virtualization = text(1).map_or("unknown", |kind| if kind.is_empty() { "none" } else { kind });
    sink.family("node_systemd_virtualization_info", Kind::Gauge, "Detected virtualization technology");
    sink.sample(&[("virtualization_type", virtualization)], 1.0);
    if let Some(state) = text(2) {
        let help = "Whether the system is operational (see 'systemctl is-system-running')";
        sink.single("node_systemd_system_running", Kind::Gauge, help, if state == "running" { 1.0 } else { 0.0 });
    }
    say_summary(sink, &units);
    say_units(bus, sink, &units)
}

/// `a(ssssssouso)`: name, description, load, active and sub state, followed unit, object, job's number, kind, object.
fn units_in(reply: &Reply) -> Option<Vec<Unit>> {
    let mut values = reply.values();
    let end = values.array()?;
    let mut units = Vec::new();
    while values.structure(end) {
        let (name, _, load, active) = (values.text()?, values.text()?, values.text()?, values.text()?);
        let (_, _, object) = (values.text()?, values.text()?, values.text()?);
        let (_, _, _) = (values.u32()?, values.text()?, values.text()?);
        units.push(Unit { name: name.into(), load: load.into(), active: active.into(), object: object.into() });
    }
    Some(units)
}

/// A version is known by its first number of at least three digits, `252.36-1~deb12u1`.
fn say_version(sink: &mut Sink<'_>, version: &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    let words = version.split(|c: char| !c.is_ascii_digit() && c != '.');
    let number = words.filter_map(|word| {
        let mut parts = word.split('.').skip_while(|part| part.len() < 3);
        let whole = parts.next()?;
        let fraction = parts.next().filter(|part| part.starts_with(is_digit));
        parse_number(&fraction.map_or(whole.to_owned(), |fraction| format!("{whole}.{fraction}")))
    });
    let number = { number }.next();
    sink.family("node_systemd_version", Kind::Gauge, "Detected systemd version");
    sink.sample(&[("version", if number.is_some() { version } else { "" })], number.unwrap_or(0.0));
}

fn say_summary(sink: &mut Sink<'_>, units: &[Unit]) {
    let mut counts: Vec<(&str, u32)> = STATES.iter().map(|state| (*state, 0)).collect();
    for unit in units {
        match counts.iter_mut().find(|(state, _)| *state == unit.active) {
            Some((_, count)) => *count += 1,
            None => counts.push((&unit.active, 1)),
        }
    }
    sink.family("node_systemd_units", Kind::Gauge, "Summary of systemd unit states");
    for (state, count) in counts {
        sink.sample(&[("state", state)], f64::from(count));
    }
}

fn say_units(bus: &mut Bus, sink: &mut Sink<'_>, units: &[Unit]) -> Result<(), ProbeError> {
    let units: Vec<&Unit> = units.iter().filter(|unit| unit.counts()).collect();
    let mut calls = Vec::new();
    let mut asked = Vec::new();
    for (place, unit) in units.iter().enumerate() {
        for (row, Asked { units, property, .. }) in ASKED.iter().enumerate() {
            if unit.name.ends_with(units) {
                calls.push(Call { path: &unit.object, interface: PROPERTIES, member: "Get", arguments: property });
                asked.push((row, place));
            }
        }
    }
    let replies = bus.ask(&calls)?;
    let mut answers: Vec<(usize, usize, &Reply)> = asked
        .into_iter()
        .zip(&replies)
        .filter_map(|((row, place), reply)| Some((row, place, reply.as_ref()?)))
        .collect();
    let mut kinds = vec![""; units.len()];
    for (row, place, reply) in &answers {
        if ASKED[*row].said.is_none() {
            kinds[*place] = reply.values().variant_text().unwrap_or_default();
        }
    }
    for (unit, kind) in units.iter().zip(kinds) {
        say_state(sink, unit, kind);
    }
    answers.sort_by_key(|(row, place, _)| (*row, *place));
    for (row, place, reply) in answers {
        let Asked { property: [_, property], said: Some((family, kind, help)), .. } = ASKED[row] else { continue };
        let Some(number) = reply.values().variant_number() else { continue };
        #[expect(clippy::cast_precision_loss, reason = "shown as doubles, as Prometheus does")]
        let value = if property == LAST_TRIGGER { number as f64 / 1e6 } else { number as f64 };
        sink.family(family, kind, help);
        sink.sample(&[("name", &units[place].name)], value);
    }
    Ok(())
}

fn say_state(sink: &mut Sink<'_>, unit: &Unit, kind: &str) {
    sink.family("node_systemd_unit_state", Kind::Gauge, "Systemd unit");
    for state in STATES {
        let labels = [("name", &*unit.name), ("state", state), ("type", kind)];
        sink.sample(&labels, if state == unit.active { 1.0 } else { 0.0 });
    }
}

/// What one `systemctl list-units` says: names and states.
fn say_listed(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let arguments = ["list-units", "--all", "--plain", "--no-legend", "--no-pager"];
    let output = host.run("systemctl", &arguments, TOOL_MS).map_err(|error| match error {
        CommandError::NotPresent(_) => ProbeError::Absent(error.to_string()),
        CommandError::Hanging(_) => ProbeError::Stuck(error.to_string()),
        CommandError::Failed { .. } | CommandError::TimedOut { .. } => ProbeError::Failed(error.to_string()),
    })?;
    if output.code != Some(0) {
        return Err(ProbeError::Failed(format!("systemctl list-units ended with {:?}", output.code)));
    }
    if output.truncated {
        return Err(ProbeError::Failed("systemctl said more than 1 MiB".to_owned()));
    }
    say_list(sink, &String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// What `systemctl` printed.
pub fn say_list(sink: &mut Sink<'_>, list: &str) {
    let unit = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(str::to_owned);
        Some(Unit { name: fields.next()?, load: fields.next()?, active: fields.next()?, object: String::new() })
    };
    let units: Vec<Unit> = list.lines().filter_map(unit).collect();
    say_summary(sink, &units);
    units.iter().filter(|unit| unit.counts()).for_each(|unit| say_state(sink, unit, ""));
}

#[cfg(test)]
mod tests;

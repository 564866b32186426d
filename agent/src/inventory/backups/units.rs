//! Units of programs for backups: when each ended last, and how.

use super::super::{Row, Sheet, date};
use crate::host::{Bus, Call, Host, HostError, Reply};

const BUS_MS: u64 = 10_000;
const MANAGER: &str = "/org/freedesktop/systemd1";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
/// How the units of programs for backups begin.
const TOOLS: [&str; 13] = [
    "autopostgresqlbackup",
    "backup",
    "bareos-fd",
    "borg",
    "duplicity",
    "kopia",
    "mysqldump",
    "pg_dump",
    "pgbackrest",
    "proxmox-backup-client",
    "restic",
    "rustic",
    "veeam",
];

/// Nothing where systemd does not run; that it cannot be asked is a lack.
pub(super) fn read(host: &Host, sheet: &mut Sheet) {
    match host.systemd(BUS_MS) {
        Ok(mut bus) => match ended(&mut bus) {
            Ok(rows) => rows.into_iter().for_each(|row| sheet.row(row)),
            Err(error) => sheet.lacks(error),
        },
        Err(HostError::NotPresent(_)) => {}
        Err(error) => sheet.lacks(error),
    }
}

fn ended(bus: &mut Bus) -> Result<Vec<Row>, HostError> {
    let list = Call { path: MANAGER, interface: INTERFACE, member: "ListUnits", arguments: &[] };
    let listed = bus.ask(&[list])?;
    let units = listed.first().and_then(Option::as_ref).and_then(services).unwrap_or_default();
    let get = |path, arguments| Call { path, interface: PROPERTIES, member: "Get", arguments };
    let calls = units.iter().flat_map(|(_, path)| {
        [get(path.as_str(), &[SERVICE, "ExecMainExitTimestamp"]), get(path.as_str(), &[SERVICE, "Result"])]
    });
    let replies = bus.ask(&calls.collect::<Vec<_>>())?;
    let rows = units.iter().zip(replies.chunks_exact(2)).map(|((name, _), answers)| {
        let micros = answers[0].as_ref().and_then(|reply| reply.values().variant_number()).filter(|micros| *micros > 0);
        let last = micros.and_then(|micros| date::spelled(i64::try_from(micros / 1_000_000).ok()?));
        let result = answers[1].as_ref().and_then(|reply| reply.values().variant_text());
        let tool = TOOLS.iter().find(|tool| name.starts_with(**tool)).copied().unwrap_or_default();
        Row::new(format_args!("unit/{name}"))
            .durable("tool", tool)
            .durable("kind", "unit")
            .durable("what", name)
            // How one ended that never ran says nothing.
            .known("result", result.filter(|_| last.is_some()))
            .known("last_at", last)
            .durable("evidence", "systemd")
    });
    Ok(rows.collect())
}

/// Name and object of each that is loaded and is of a program for backups: `a(ssssssouso)`.
fn services(loaded: &Reply) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut values = loaded.values();
    let end = values.array()?;
    while values.structure(end) {
        let (name, _, load, _) = (values.text()?, values.text()?, values.text()?, values.text()?);
        let (_, _, object) = (values.text()?, values.text()?, values.text()?);
        let (_, _, _) = (values.u32()?, values.text()?, values.text()?);
        let is_tool = TOOLS.iter().any(|tool| name.starts_with(tool));
        if load == "loaded" && is_tool && name.ends_with(".service") {
            found.push((name.to_owned(), object.to_owned()));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;
    use crate::host::fake_bus::{Body, serve};

    #[test]
    fn a_unit_says_when_it_ended_and_how_and_others_are_left_alone() {
        let machine = Machine::new();
        machine.file("run/systemd/system/.keep", "");
        serve(&machine.root(), |asked| {
            let has = |word: &str| asked.iter().any(|part| part == word);
            if has("ListUnits") {
                return Some(Body::units(&[
                    ["restic-web.service", "loaded", "failed", "/u/restic"],
                    ["borg.service", "loaded", "inactive", "/u/borg"],
                    ["borg.timer", "loaded", "active", "/u/timer"],
                    ["ssh.service", "loaded", "active", "/u/ssh"],
                ]));
            }
            // 2025-11-30T12:00:00Z
            let (micros, result) = if has("/u/restic") { (1_764_504_000_000_000, "exit-code") } else { (0, "success") };
            Some(if has("Result") { Body::variant_text(result) } else { Body::variant_u64(micros) })
        });
        assert_eq!(
            machine.lines("backups"),
            [
                "unit/borg.service: evidence=systemd kind=unit tool=borg what=borg.service",
                "unit/restic-web.service: evidence=systemd kind=unit last_at=2025-11-30T12:00:00Z result=exit-code \
                 tool=restic what=restic-web.service",
            ]
        );
    }
}

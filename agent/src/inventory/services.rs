//! systemd's services, sockets and timers, and what cron runs. Of a capture from `systemctl`.

use std::collections::BTreeMap;

use super::{Row, Sheet, Unread, date};
use crate::host::{Bus, Call, Host, HostError, Reply};

const BUS_MS: u64 = 10_000;
const MANAGER: &str = "/org/freedesktop/systemd1";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const TIMER: &str = "org.freedesktop.systemd1.Timer";
/// Instances that come and go with log-ins and crashes.
const PASSING: [&str; 6] = ["user@", "user-runtime-dir@", "session-", "run-", "systemd-coredump@", "drkonqi-coredump"];

/// A unit: how it is enabled, and where systemd has it loaded.
#[derive(Debug, Default)]
struct Unit {
    enabled: String,
    description: String,
    active: String,
    sub: String,
    object: String,
}

type Units = BTreeMap<String, Unit>;

/// The units of these kinds.
fn units(host: &Host, sheet: &mut Sheet, kinds: &[&str]) -> Result<(Units, Option<Bus>), Unread> {
    if !host.exists("/run/systemd/system") {
        return Err(Unread::Absent("systemd does not run here".to_owned()));
    }
    let (mut units, bus) = match host.systemd(BUS_MS) {
        Ok(mut bus) => {
            sheet.read_in("systemd over D-Bus");
            let call = |member| Call { path: MANAGER, interface: INTERFACE, member, arguments: &[] };
            let replies = bus.ask(&[call("ListUnitFiles"), call("ListUnits")])?;
            let of = |at: usize| replies.get(at).and_then(Option::as_ref);
            let listed = of(0).zip(of(1)).and_then(|(files, loaded)| listed(files, loaded));
            let units = listed.ok_or_else(|| Unread::Unreadable("systemd does not list its units".to_owned()))?;
            (units, Some(bus))
        }
        Err(HostError::NotPresent(_)) => {
            sheet.read_in("systemctl list-unit-files");
            let output = host.run("systemctl", &["list-unit-files", "--no-legend", "--plain"], BUS_MS)?;
            let text = String::from_utf8_lossy(&output.stdout);
            let lines = text.lines().filter_map(|line| {
                let mut words = line.split_ascii_whitespace();
                Some((words.next()?.to_owned(), Unit { enabled: words.next()?.to_owned(), ..Unit::default() }))
            });
            (lines.collect(), None)
        }
        Err(error) => return Err(error.into()),
    };
    let is_kind = |name: &str| kinds.iter().any(|kind| name.ends_with(kind));
    let passes = |name: &str| PASSING.iter().any(|passing| name.starts_with(passing));
    units.retain(|name, _| is_kind(name) && !passes(name));
    Ok((units, bus))
}

/// `a(ss)` of files, `a(ssssssouso)` of loaded units. One that is loaded without a file was made by somebody.
fn listed(files: &Reply, loaded: &Reply) -> Option<Units> {
    let mut units = Units::new();
    let mut values = files.values();
    let end = values.array()?;
    while values.structure(end) {
        let (path, enabled) = (values.text()?, values.text()?);
        let name = path.rsplit('/').next().unwrap_or_default();
        units.entry(name.to_owned()).or_default().enabled = enabled.to_owned();
    }
    let mut values = loaded.values();
    let end = values.array()?;
    while values.structure(end) {
        let (name, description, load, active) = (values.text()?, values.text()?, values.text()?, values.text()?);
        let (sub, _, object) = (values.text()?, values.text()?, values.text()?);
        let (_, _, _) = (values.u32()?, values.text()?, values.text()?);
        if load != "loaded" {
            continue;
        }
        let unit = units.entry(name.to_owned()).or_default();
        unit.description = description.to_owned();
        unit.active = active.to_owned();
        unit.sub = sub.to_owned();
        unit.object = object.to_owned();
    }
    Some(units)
}

/// Services and sockets.
pub(super) fn services(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let (units, _) = units(host, sheet, &[".service", ".socket"])?;
    for (name, unit) in units {
        let row = Row::new(&name)
            .durable("unit", &name)
            .durable("enabled", if unit.enabled.is_empty() { "loaded" } else { &unit.enabled })
            .durable("description", unit.description);
        sheet.row(row.latest("active", unit.active).latest("state", unit.sub));
    }
    Ok(())
}

/// Timers, and lines of crontab(5). Of a command the program alone: arguments may be secrets.
pub(super) fn jobs(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let outcome = timers(host, sheet);
    sheet.part(outcome);
    let outcome = crontabs(host, sheet);
    sheet.part(outcome);
    Ok(())
}

fn timers(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let (units, bus) = units(host, sheet, &[".timer"])?;
    let last = bus.map(|mut bus| last_triggers(&mut bus, &units)).unwrap_or_default();
    for (name, unit) in &units {
        let row = Row::new(format_args!("timer/{name}"))
            .durable("kind", "timer")
            .durable("unit", name)
            .durable("enabled", if unit.enabled.is_empty() { "loaded" } else { &unit.enabled })
            .durable("description", &unit.description)
            .latest("active", &unit.active);
        let at = last.get(name.as_str()).and_then(|micros| date::spelled(i64::try_from(micros / 1_000_000).ok()?));
        sheet.row(row.latest("last_run", at.unwrap_or_default()));
    }
    Ok(())
}

/// Microseconds since the epoch, of those that ran.
fn last_triggers<'a>(bus: &mut Bus, units: &'a Units) -> BTreeMap<&'a str, u64> {
    let asked: Vec<(&str, &str)> = units
        .iter()
        .filter(|(_, unit)| !unit.object.is_empty())
        .map(|(name, unit)| (name.as_str(), unit.object.as_str()))
        .collect();
    let calls: Vec<Call<'_>> = asked
        .iter()
        .map(|(_, path)| Call { path, interface: PROPERTIES, member: "Get", arguments: &[TIMER, "LastTriggerUSec"] })
        .collect();
    let replies = bus.ask(&calls).unwrap_or_default();
    let numbers = replies.iter().map(|reply| reply.as_ref()?.values().variant_number().filter(|micros| *micros > 0));
    asked.iter().zip(numbers).filter_map(|((name, _), micros)| Some((*name, micros?))).collect()
}

const CRONTAB: &str = "/etc/crontab";
const CRON_D: &str = "/etc/cron.d";
/// Each user's own, without a column for the user: Debian's place, and that of others.
const SPOOLS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const REGULAR: [&str; 4] = ["hourly", "daily", "weekly", "monthly"];

fn crontabs(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let mut files = vec![(CRONTAB.to_owned(), None)];
    files.extend(host.list(CRON_D).unwrap_or_default().iter().filter(|name| !name.contains('.')).map(|name| {
        let path = format!("{CRON_D}/{name}");
        (path, None)
    }));
    for spool in SPOOLS {
        match host.list(spool) {
            Ok(users) => files.extend(
                users
                    .iter()
                    .filter(|user| *user != "crontabs")
                    .map(|user| (format!("{spool}/{user}"), Some(user.clone()))),
            ),
            Err(HostError::NotPresent(_)) => {}
            Err(error) => sheet.lacks(error),
        }
    }
    for (path, user) in files {
        match host.read_text(&path) {
            Ok(text) => {
                text.lines().filter_map(|line| cron_row(&path, user.as_deref(), line)).for_each(|row| sheet.row(row))
            }
            Err(HostError::NotPresent(_)) => {}
            Err(error) => sheet.lacks(error),
        }
    }
    for period in REGULAR {
        let directory = format!("/etc/cron.{period}");
        for name in host.list(&directory).unwrap_or_default().iter().filter(|name| !name.starts_with('.')) {
            let row = Row::new(format_args!("cron/{directory}/{name}"))
                .durable("kind", "cron")
                .durable("schedule", format_args!("@{period}"))
                .durable("user", "root")
                .durable("program", format_args!("{directory}/{name}"))
                .read_in(&directory);
            sheet.row(row);
        }
    }
    Ok(())
}

fn cron_row(path: &str, user: Option<&str>, line: &str) -> Option<Row> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    // `NAME=value` sets a variable.
    if first.contains('=')
        || line.split('=').next().is_some_and(|name| !name.trim().contains(' ') && line.contains('='))
    {
        return None;
    }
    let schedule = if first.starts_with('@') {
        first.to_owned()
    } else {
        let rest: Vec<&str> = words.by_ref().take(4).collect();
        format!("{first} {}", rest.join(" "))
    };
    let user = match user {
        Some(user) => user,
        None => words.next()?,
    };
    let program = program(&words.collect::<Vec<_>>())?;
    let row = Row::new(format_args!("cron/{path}/{user}/{schedule}/{program}"))
        .durable("kind", "cron")
        .durable("schedule", schedule)
        .durable("user", user)
        .durable("program", program)
        .read_in(path);
    Some(row)
}

/// The first word of a command that is no setting; behind `cd` and conditions the last of the chain.
fn program<'a>(words: &[&'a str]) -> Option<&'a str> {
    let at = words.iter().position(|word| !word.contains('='))?;
    if !matches!(words[at], "cd" | "test" | "[" | "[[" | "{" | "(") {
        return Some(words[at]);
    }
    let behind = words.iter().rposition(|word| matches!(*word, "&&" | "||" | ";"))?;
    words[behind + 1..].iter().find(|word| !matches!(**word, "{" | "(")).copied()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn of_a_capture_systemctl_says_what_is_enabled() {
        let machine = Machine::new();
        machine.file("run/systemd/system/.keep", "");
        machine.tool(
            "systemctl",
            "printf 'ssh.service enabled enabled\\nssh.socket disabled enabled\\nuser@.service static -\\n\
             fstrim.timer enabled enabled\\nhome.mount generated -\\n'",
        );
        assert_eq!(
            machine.lines("services"),
            ["ssh.service: enabled=enabled unit=ssh.service", "ssh.socket: enabled=disabled unit=ssh.socket"]
        );
        assert_eq!(
            machine.lines("scheduled_jobs"),
            ["timer/fstrim.timer: enabled=enabled kind=timer unit=fstrim.timer"]
        );
    }

    #[test]
    fn crontabs_say_when_who_and_which_program_but_no_arguments() {
        let machine = Machine::new();
        machine.files(&[
            ("etc/crontab", "SHELL=/bin/sh\n# m h\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n"),
            ("etc/cron.d/backup", "@daily backup /usr/bin/pg_dump --password=secret\n"),
            ("etc/cron.d/old.dpkg-dist", "@daily root /bin/no\n"),
            ("var/spool/cron/crontabs/ann", "*/5 * * * * FOO=1 /home/ann/poll >/dev/null\n"),
            ("etc/cron.weekly/man-db", ""),
        ]);
        let lines = machine.lines("scheduled_jobs");
        assert_eq!(
            lines,
            [
                "cron//etc/cron.d/backup/backup/@daily//usr/bin/pg_dump: kind=cron program=/usr/bin/pg_dump \
                 schedule=@daily user=backup",
                "cron//etc/cron.weekly/man-db: kind=cron program=/etc/cron.weekly/man-db schedule=@weekly user=root",
                "cron//etc/crontab/root/17 * * * */run-parts: kind=cron program=run-parts schedule=17 * * * * user=root",
                "cron//var/spool/cron/crontabs/ann/ann/*/5 * * * *//home/ann/poll: kind=cron program=/home/ann/poll \
                 schedule=*/5 * * * * user=ann",
            ]
        );
        assert!(!format!("{:?}", machine.section("scheduled_jobs")).contains("secret"));
    }
}

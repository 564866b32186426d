//! Packages of rpm: it is asked itself, since its database has three formats.

use super::super::{Row, Sheet, Unread, date};
use crate::host::Host;

const DATABASES: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];
/// Milliseconds: 3 000 packages take about one second on a slow disk.
const RPM_MS: u64 = 30_000;
/// Bytes of output kept: 20 000 packages at 200 bytes.
const OUTPUT_MAX: usize = 4 * 1024 * 1024;
const FORMAT: &str =
    "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\t%{VENDOR}\\t%{INSTALLTIME}\\n";
/// Of these several versions stand beside each other: kernels and keys.
const BESIDE: [&str; 3] = ["kernel", "gpg-pubkey", "kmod-"];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let Some(database) = DATABASES.iter().find(|path| host.list(path).is_ok_and(|files| !files.is_empty())) else {
        return Ok(());
    };
    // Debian's rpm has an empty database; a machine without the tool has none that counts.
    if host.tool("rpm").is_none() {
        sheet.fails(format!("{database} is there, but rpm is not installed"));
        return Ok(());
    }
    let output = host.run_for("inventory", "rpm", &["-qa", "--qf", FORMAT], OUTPUT_MAX, RPM_MS)?;
    if output.code != Some(0) || output.truncated {
        return Err(Unread::Unreadable("rpm -qa did not end well".to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.trim().is_empty() {
        sheet.read_in("rpm -qa");
    }
    text.lines().filter_map(row).for_each(|row| sheet.row(row));
    Ok(())
}

fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split('\t').map(|field| if field == "(none)" { "" } else { field }).collect();
    let [name, version, architecture, source, vendor, installed] = fields[..] else { return None };
    let version = version.strip_prefix("0:").unwrap_or(version);
    let mut key = format!("rpm/{name}/{architecture}");
    if BESIDE.iter().any(|beside| name.starts_with(beside)) {
        key = format!("{key}/{version}");
    }
    let installed = installed.parse().ok().and_then(date::spelled);
    let row = Row::new(key)
        .durable("manager", "rpm")
        .durable("name", name)
        .durable("version", version)
        .durable("architecture", architecture)
        .durable("source_package", source)
        .durable("vendor", vendor);
    Some(row.latest("installed_at", installed.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::super::super::testing::Machine;

    #[test]
    fn kernels_stand_beside_each_other_and_an_epoch_of_none_is_left_out() {
        let machine = Machine::new();
        machine.file("usr/lib/sysimage/rpm/rpmdb.sqlite", "x");
        machine.tool(
            "rpm",
            "printf 'bash\\t0:5.2-1.fc40\\tx86_64\\tbash-5.2-1.src.rpm\\tFedora Project\\t1700000000\\n\
             kernel-core\\t0:6.8-1\\tx86_64\\t(none)\\t(none)\\t1700000000\\nkernel-core\\t0:6.9-1\\tx86_64\\t(none)\\t\
             (none)\\t1700000000\\nshadow\\t2:4.15-1\\tx86_64\\t(none)\\t(none)\\t(none)\\n'",
        );
        let at = "| installed_at=2023-11-14T22:13:20Z";
        assert_eq!(
            machine.lines("packages"),
            [
                format!(
                    "rpm/bash/x86_64: architecture=x86_64 manager=rpm name=bash source_package=bash-5.2-1.src.rpm \
                     vendor=Fedora Project version=5.2-1.fc40 {at}"
                ),
                format!(
                    "rpm/kernel-core/x86_64/6.8-1: architecture=x86_64 manager=rpm name=kernel-core version=6.8-1 {at}"
                ),
                format!(
                    "rpm/kernel-core/x86_64/6.9-1: architecture=x86_64 manager=rpm name=kernel-core version=6.9-1 {at}"
                ),
                "rpm/shadow/x86_64: architecture=x86_64 manager=rpm name=shadow version=2:4.15-1".to_owned(),
            ]
        );
    }

    #[test]
    fn a_database_that_cannot_be_asked_is_said_so_and_nothing_is_gone() {
        let machine = Machine::new();
        machine.file("var/lib/rpm/Packages", "x");
        let section = machine.section("packages");
        assert_eq!((section.status, section.whole), (Status::Unreadable, false));
        assert!(section.reason.contains("rpm is not installed"), "{}", section.reason);
        machine.tool("rpm", "echo partly; exit 1");
        assert_eq!(machine.section("packages").status, Status::Unreadable);
    }
}

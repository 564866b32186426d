//! The operating system: os-release(5), the kernel, since when it is installed.

use super::{Row, Sheet, Unread, date};
use crate::host::Host;

const RELEASES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// Field and key.
const KEYS: [(&str, &str); 9] = [
    ("id", "ID"),
    ("id_like", "ID_LIKE"),
    ("name", "NAME"),
    ("pretty_name", "PRETTY_NAME"),
    ("version", "VERSION"),
    ("version_id", "VERSION_ID"),
    ("codename", "VERSION_CODENAME"),
    ("variant", "VARIANT_ID"),
    ("build", "BUILD_ID"),
];
/// What installers leave, and what the first start writes.
const TRACES: [&str; 5] =
    ["/var/log/installer", "/var/log/anaconda", "/root/anaconda-ks.cfg", "/var/log/YaST2", "/etc/machine-id"];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let mut row = Row::new("os");
    let found = RELEASES.iter().find_map(|path| Some((path, host.read_text(path).ok()?)));
    match found {
        Some((path, text)) => {
            sheet.read_in(path);
            for (field, key) in KEYS {
                row = row.known(field, value(&text, key));
            }
            // What a derivative was made from.
            let base = ["UBUNTU_CODENAME", "DEBIAN_CODENAME"].into_iter().find_map(|key| value(&text, key));
            row = row.known("base_codename", base);
        }
        None => sheet.lacks("there is no os-release"),
    }
    let uname = host.uname().unwrap_or_default();
    let kernel = host.read_text("/proc/sys/kernel/osrelease").unwrap_or(uname.release);
    let build = host.read_text("/proc/sys/kernel/version").unwrap_or(uname.version);
    row = row.durable("kernel", kernel).durable("kernel_build", build).durable("architecture", uname.machine);
    row = row.known("debian_version", host.read_text("/etc/debian_version").ok());
    if let Some((path, seconds)) = oldest(host) {
        row = row.known("installed_at", date::spelled(seconds)).durable("installed_by", path);
    }
    let booted = host.read_text("/proc/stat").ok().and_then(|stat| {
        let seconds: i64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        // The kernel counts it back from the wall clock, which is disciplined: whole minutes stand.
        date::spelled(seconds.saturating_add(30).div_euclid(60) * 60)
    });
    sheet.row(row.latest("booted_at", booted.unwrap_or_default()));
    Ok(())
}

fn oldest(host: &Host) -> Option<(&'static str, i64)> {
    let written = |path: &&'static str| Some((*path, host.stat(path).ok()?.modified_s));
    TRACES.iter().filter_map(written).min_by_key(|(_, seconds)| *seconds)
}

/// A value as a shell would read it.
pub(super) fn value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?.trim();
    let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else { return Some(line.to_owned()) };
    let inner = line[1..].strip_suffix(quote).unwrap_or(&line[1..]);
    Some(if quote == '"' { inner.replace('\\', "") } else { inner.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn the_system_says_its_name_and_its_kernel() {
        let machine = Machine::new();
        machine.file(
            "etc/os-release",
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\nVERSION_CODENAME=bookworm\nDEBIAN_CODENAME=bookworm\n",
        );
        machine.file("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
        machine.file("proc/stat", "cpu 1\nbtime 1764504031\n");
        machine.file("etc/machine-id", "0\n");
        let written = std::fs::File::open(machine.root().join("etc/machine-id")).unwrap();
        written.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
        assert_eq!(
            machine.lines("os"),
            [
                "os: base_codename=bookworm codename=bookworm id=debian installed_at=2023-11-14T22:13:20Z installed_by=/etc/machine-id \
              kernel=6.1.0-13-amd64 pretty_name=Debian GNU/Linux 12 (bookworm) version_id=12 \
              | booted_at=2025-11-30T12:01:00Z"
            ]
        );
    }
}

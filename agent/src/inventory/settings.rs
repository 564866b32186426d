//! How the machine boots and how it knows the time.

use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const DMI: &str = "/sys/class/dmi/id";
/// Secure boot's variable (UEFI specification, global variables); its value follows four bytes of attributes.
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Firmware and the trust in it.
pub(super) fn firmware(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(DMI);
    let said = |file: &str| host.read_text(&format!("{DMI}/{file}")).unwrap_or_default();
    let mode = if host.exists("/sys/firmware/efi") { "uefi" } else { "bios" };
    let mut row = Row::new("firmware")
        .durable("vendor", meant(&said("bios_vendor")).unwrap_or_default())
        .durable("version", meant(&said("bios_version")).unwrap_or_default())
        .durable("date", iso(&said("bios_date")))
        .durable("release", said("bios_release"))
        .durable("controller_release", said("ec_firmware_release"));
    if host.exists(DMI) {
        row = row.durable("boot_mode", mode);
    }
    let mut variable = Vec::new();
    match host.read(SECURE_BOOT, &mut variable) {
        Ok(()) => row = row.durable("secure_boot", if variable.get(4) == Some(&1) { "yes" } else { "no" }),
        Err(HostError::NotPresent(_)) => {}
        Err(error) => sheet.lacks(error),
    }
    if let Ok(version) = host.read_text("/sys/class/tpm/tpm0/tpm_version_major") {
        row = row.durable("tpm", version);
    }
    if row.durable.is_empty() {
        return Err(Unread::Absent("the firmware says nothing of itself".to_owned()));
    }
    sheet.row(row);
    Ok(())
}

/// `04/17/2023` as 2023-04-17; what is no such date stays as it is.
pub(super) fn iso(date: &str) -> String {
    let parts: Vec<&str> = date.trim().split('/').collect();
    match parts[..] {
        [month, day, year] if year.len() == 4 => format!("{year}-{month:0>2}-{day:0>2}"),
        [month, day, year] if year.len() == 2 => format!("20{year}-{month:0>2}-{day:0>2}"),
        _ => date.to_owned(),
    }
}

/// Program, file and the words that name a server there.
const CLOCKS: [(&str, &str, &str, &[&str]); 6] = [
    ("chronyd", "chrony", "/etc/chrony/chrony.conf", &["server", "pool", "peer"]),
    ("chronyd", "chrony", "/etc/chrony.conf", &["server", "pool", "peer"]),
    ("ntpd", "ntp", "/etc/ntp.conf", &["server", "pool", "peer"]),
    ("ntpd", "ntpsec", "/etc/ntpsec/ntp.conf", &["server", "pool", "peer"]),
    ("ntpd", "openntpd", "/etc/openntpd/ntpd.conf", &["server", "servers"]),
    ("systemd-timesyn", "systemd-timesyncd", "/etc/systemd/timesyncd.conf", &["NTP=", "FallbackNTP="]),
];

/// Zone, and who sets the clock by which servers.
pub(super) fn time(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("/etc");
    let zone = host
        .link_target("/etc/localtime")
        .ok()
        .and_then(|target| target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()));
    let zone = zone.or_else(|| host.read_text("/etc/timezone").ok());
    let names = host.list("/proc").unwrap_or_default();
    let pids = names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let running: Vec<String> = pids.filter_map(|pid| host.read_text(&format!("/proc/{pid}/comm")).ok()).collect();
    let found = CLOCKS.iter().filter(|(.., path, _)| host.exists(path));
    // Of several that are installed the one that runs sets the clock.
    let mut found: Vec<_> = found.map(|clock| (running.iter().any(|name| name == clock.0), clock)).collect();
    found.sort_by_key(|(runs, _)| !runs);
    let mut row = Row::new("time").known("zone", zone);
    if let Some((runs, (_, service, path, words))) = found.first() {
        let text = host.read_text(path).unwrap_or_default();
        row = row
            .durable("service", service)
            .durable("servers", servers(&text, words).join(","))
            .latest("running", if *runs { "yes" } else { "no" });
    }
    sheet.row(row);
    Ok(())
}

fn servers(text: &str, words: &[&str]) -> Vec<String> {
    let mut servers = Vec::new();
    for line in text.lines().map(str::trim) {
        for word in words {
            match line.strip_prefix(word) {
                Some(rest) if word.ends_with('=') => servers.extend(rest.split_ascii_whitespace().map(str::to_owned)),
                Some(rest) if rest.starts_with([' ', '\t']) => {
                    servers.extend(rest.split_ascii_whitespace().next().map(str::to_owned));
                }
                _ => {}
            }
        }
    }
    servers.sort_unstable();
    servers.dedup();
    servers
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn firmware_says_its_version_and_whether_it_checks_what_it_boots() {
        let machine = Machine::new();
        assert_eq!(machine.section("firmware").status, Status::Absent);
        machine.files(&[
            ("sys/class/dmi/id/bios_vendor", "ACME\n"),
            ("sys/class/dmi/id/bios_version", "2.14\n"),
            ("sys/class/dmi/id/bios_date", "4/17/2023\n"),
            ("sys/class/tpm/tpm0/tpm_version_major", "2\n"),
        ]);
        let name = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        machine.file(name, [6, 0, 0, 0, 1]);
        assert_eq!(
            machine.lines("firmware"),
            ["firmware: boot_mode=uefi date=2023-04-17 secure_boot=yes tpm=2 vendor=ACME version=2.14"]
        );
    }

    #[test]
    fn the_service_that_runs_is_the_one_that_sets_the_clock() {
        let machine = Machine::new();
        machine.link("etc/localtime", "../usr/share/zoneinfo/Europe/Berlin");
        machine.file("etc/systemd/timesyncd.conf", "[Time]\n#NTP=no\nNTP=a.example.org b.example.org\n");
        machine.file("etc/chrony/chrony.conf", "pool 2.debian.pool.ntp.org iburst\nserver ntp1 iburst\nserverx no\n");
        machine.file("proc/12/comm", "chronyd\n");
        assert_eq!(
            machine.lines("time"),
            ["time: servers=2.debian.pool.ntp.org,ntp1 service=chrony zone=Europe/Berlin | running=yes"]
        );
        machine.file("proc/12/comm", "systemd-timesyn\n");
        assert_eq!(
            machine.lines("time"),
            ["time: servers=a.example.org,b.example.org service=systemd-timesyncd zone=Europe/Berlin | running=yes"]
        );
    }
}

//! What could be newer: pending updates, those of security apart, and whether the machine waits to be booted anew.
//!
//! The package managers are asked with what they know: nothing is fetched.

mod zypper;

use std::collections::BTreeSet;

use super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError, Output};

/// Milliseconds: a resolver takes seconds on a slow machine.
const TOOL_MS: u64 = 25_000;
const OUTPUT_MAX: usize = 4 * 1024 * 1024;
/// What marks that a boot is due, and what by (update-notifier-common, and what Debian's kernels do).
const REBOOT: [&str; 2] = ["/run/reboot-required", "/var/run/reboot-required"];
/// Where what is known of repositories lies.
const LISTS: [&str; 5] =
    ["/var/lib/apt/lists", "/var/cache/libdnf5", "/var/cache/dnf", "/var/cache/zypp/solv", "/var/lib/pacman/sync"];

/// What is installed, what is known of repositories, and what of it may be taken.
pub(super) const RESTS_ON: [&str; 33] = [
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status.d",
    "/var/lib/apt/extended_states",
    "/var/lib/apt/lists",
    "/etc/apt/apt.conf",
    "/etc/apt/apt.conf.d",
    "/etc/apt/preferences",
    "/etc/apt/preferences.d",
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/usr/lib/sysimage/rpm",
    "/var/lib/rpm",
    "/var/cache/libdnf5",
    "/var/cache/dnf",
    "/etc/dnf",
    "/etc/dnf/vars",
    "/etc/dnf/modules.d",
    "/etc/dnf/plugins",
    "/etc/yum.repos.d",
    "/etc/zypp",
    "/etc/zypp/repos.d",
    "/etc/zypp/services.d",
    "/var/cache/zypp/solv",
    "/lib/apk/db/installed",
    "/usr/lib/apk/db/installed",
    "/etc/apk",
    "/var/cache/apk",
    "/var/lib/apk",
    "/var/lib/pacman/local",
    "/var/lib/pacman/sync",
    "/etc/pacman.conf",
    "/etc/pacman.d",
    "/usr/bin/apt-get",
];

/// A package that could be newer.
struct Update<'a> {
    manager: &'static str,
    name: &'a str,
    architecture: &'a str,
    installed: &'a str,
    candidate: &'a str,
    origin: &'a str,
    security: Option<bool>,
}

impl Update<'_> {
    fn row(&self) -> Row {
        let key = [self.manager, self.name, self.architecture].join("/");
        Row::new(key.trim_end_matches('/'))
            .durable("manager", self.manager)
            .durable("name", self.name)
            .durable("architecture", self.architecture)
            .durable("installed", self.installed)
            .durable("candidate", self.candidate)
            .durable("origin", self.origin)
            .known("security", self.security.map(|security| if security { "yes" } else { "no" }))
    }
}

/// Pending updates.
pub(super) fn pending(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let mut asked = false;
    for (mark, tool, ask) in [
        ("/var/lib/dpkg/status", "apt-get", apt as fn(&Host, &mut Sheet) -> Result<(), Unread>),
        ("/etc/dnf", "dnf", dnf),
        ("/etc/zypp", "zypper", zypper::read),
        ("/lib/apk/db/installed", "apk", apk),
        ("/var/lib/pacman/local", "pacman", pacman),
    ] {
        if !host.exists(mark) || host.tool(tool).is_none() {
            continue;
        }
        asked = true;
        let outcome = ask(host, sheet);
        sheet.part(outcome);
    }
    if !asked {
        return Err(Unread::Absent("no package manager that can be asked without fetching".to_owned()));
    }
    Ok(())
}

fn run(host: &Host, tool: &str, arguments: &[&str], fine: &[i32]) -> Result<String, Unread> {
    let Output { code, stdout, truncated } = host.run_for("inventory", tool, arguments, OUTPUT_MAX, TOOL_MS)?;
    if truncated || !code.is_some_and(|code| fine.contains(&code)) {
        return Err(Unread::Unreadable(format!("{tool} did not end well")));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

fn apt(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("apt-get -s dist-upgrade");
    let text = run(host, "apt-get", &["-s", "-q", "-o", "Debug::NoLocking=1", "dist-upgrade"], &[0])?;
    text.lines().filter_map(apt_row).for_each(|row| sheet.row(row));
    Ok(())
}

/// `Inst libc6 [2.36-9] (2.36-10 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]) []`
fn apt_row(line: &str) -> Option<Row> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    // What is not installed yet is no update.
    let (installed, rest) = rest.strip_prefix('[')?.split_once("] (")?;
    let (candidate, rest) = rest.split_once(' ')?;
    let (origin, architecture) = rest.split_once(" [")?;
    let update = Update {
        manager: "apt",
        name: name.split(':').next()?,
        architecture: architecture.split(']').next()?,
        installed,
        candidate,
        origin,
        // Debian-Security:12/stable-security, Ubuntu:24.04/noble-security.
        security: Some(origin.to_ascii_lowercase().contains("security")),
    };
    Some(update.row())
}

fn dnf(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("dnf -C check-update");
    // 100 says that there are some.
    let text = run(host, "dnf", &["-C", "-q", "check-update"], &[0, 100])?;
    let advisories = run(host, "dnf", &["-C", "-q", "updateinfo", "list", "--security"], &[0]);
    let security: Option<BTreeSet<String>> = advisories
        .ok()
        .map(|text| text.lines().filter_map(|line| Some(line.split_ascii_whitespace().nth(2)?.to_owned())).collect());
    for line in text.lines().take_while(|line| !line.starts_with("Obsoleting")) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [package, candidate, origin] = words[..] else { continue };
        let Some((name, architecture)) = package.rsplit_once('.') else { continue };
        let plain = candidate.split_once(':').map_or(candidate, |(_, version)| version);
        let full = format!("{name}-{plain}.{architecture}");
        let epoch = format!("{name}-{candidate}.{architecture}");
        let security = security.as_ref().map(|known| known.contains(&full) || known.contains(&epoch));
        sheet.row(Update { manager: "dnf", name, architecture, installed: "", candidate, origin, security }.row());
    }
    Ok(())
}

/// `musl-1.2.4-r0  < 1.2.5-r0`
fn apk(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("apk version");
    for line in run(host, "apk", &["version", "-v", "-l", "<"], &[0])?.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [package, "<", candidate, ..] = words[..] else { continue };
        let mut parts = package.rsplitn(3, '-');
        let (Some(release), Some(version), Some(name)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let installed = format!("{version}-{release}");
        let (installed, origin) = (installed.as_str(), "");
        sheet
            .row(Update { manager: "apk", name, architecture: "", installed, candidate, origin, security: None }.row());
    }
    Ok(())
}

/// `zlib 1:1.3-1 -> 1:1.3-2`
fn pacman(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("pacman -Qu");
    // 1 says that there is none.
    for line in run(host, "pacman", &["-Qu"], &[0, 1])?.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, installed, "->", candidate, ..] = words[..] else { continue };
        let (architecture, origin) = ("", "");
        sheet.row(Update { manager: "pacman", name, architecture, installed, candidate, origin, security: None }.row());
    }
    Ok(())
}

/// Whether a boot is due, how old what is known of repositories is, and whether updates install themselves.
pub(super) fn state(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("files");
    let mut row = Row::new("state");
    let due = REBOOT.iter().find(|path| host.exists(path));
    row = row.durable("reboot_required", if due.is_some() { "yes" } else { "no" });
    if let Some(path) = due {
        let packages = host.read_text(&format!("{path}.pkgs")).unwrap_or_default();
        let packages: BTreeSet<&str> = packages.lines().map(str::trim).collect();
        row = row
            .durable("reboot_for", packages.into_iter().collect::<Vec<_>>().join(","))
            .known("reboot_required_since", host.stat(path).ok().and_then(|stat| date::spelled(stat.modified_s)));
    }
    row = kernel(host, row);
    let newest = |directory: &str| {
        let names = host.list(directory).ok()?;
        let written = |name: &String| Some(host.stat(&format!("{directory}/{name}")).ok()?.modified_s);
        // apt's own directories for what is half there are touched each time.
        names
            .iter()
            .filter(|name| *name != "partial" && *name != "lock" && *name != "auxfiles")
            .filter_map(written)
            .max()
    };
    let known_at = LISTS.iter().filter_map(|directory| newest(directory)).max();
    row = row.latest("metadata_at", known_at.and_then(date::spelled).unwrap_or_default());
    let automatic = automatic(host);
    sheet.row(row.known("automatic_updates", automatic));
    Ok(())
}

/// Where nothing marks it: a newer kernel of the same kind lies there than the one that runs.
fn kernel(host: &Host, row: Row) -> Row {
    let Ok(running) = host.read_text("/proc/sys/kernel/osrelease") else { return row };
    let names = match host.list("/lib/modules") {
        Ok(names) => names,
        Err(HostError::NotPresent(_)) => host.list("/usr/lib/modules").unwrap_or_default(),
        Err(_) => return row,
    };
    // Without the list of its modules it is a leftover.
    let is_whole = |name: &&String| {
        ["/lib/modules", "/usr/lib/modules"].iter().any(|at| host.exists(&format!("{at}/{name}/modules.dep")))
    };
    let newest = names.iter().filter(is_whole).max_by(|a, b| by_number(a, b));
    row.durable("kernel_running", running).known("kernel_newest", newest)
}

/// Digits count as numbers: 6.1.0-9 is before 6.1.0-13.
fn by_number(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| {
        let pieces = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned);
        pieces.map(|piece| (piece.parse::<u64>().unwrap_or(0), piece)).collect::<Vec<_>>()
    };
    parts(a).cmp(&parts(b))
}

fn automatic(host: &Host) -> Option<&'static str> {
    if let Ok(names) = host.list("/etc/apt/apt.conf.d") {
        // The last word counts: apt reads them in order.
        let mut on = None;
        for name in names {
            let text = host.read_text(&format!("/etc/apt/apt.conf.d/{name}")).unwrap_or_default();
            for line in text.lines().map(str::trim).filter(|line| line.starts_with("APT::Periodic::Unattended-Upgrade"))
            {
                on = line.split('"').nth(1).map(|value| if value == "0" { "no" } else { "yes" });
            }
        }
        return Some(on.unwrap_or("no"));
    }
    let timers = ["dnf-automatic.timer", "dnf-automatic-install.timer", "dnf5-automatic.timer"];
    let wants = "/etc/systemd/system/timers.target.wants";
    host.exists("/etc/dnf").then(|| {
        // A link to a unit of the captured machine need not lead anywhere here.
        let on = timers.iter().any(|timer| host.link_target(&format!("{wants}/{timer}")).is_ok());
        if on { "yes" } else { "no" }
    })
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn updates_of_security_are_told_apart() {
        let machine = Machine::new();
        machine.file("var/lib/dpkg/status", "");
        machine.tool(
            "apt-get",
            "cat <<'E'\nReading package lists...\n\
             Inst libc6 [2.36-9] (2.36-10 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]) []\n\
             Inst new-thing (1.0 Debian:12.5/stable [all])\nInst vim:amd64 [9.0] (9.1 Debian:12.5/stable [amd64])\n\
             Conf vim (9.1 Debian:12.5/stable [amd64])\nE",
        );
        assert_eq!(
            machine.lines("updates"),
            [
                "apt/libc6/amd64: architecture=amd64 candidate=2.36-10 installed=2.36-9 manager=apt name=libc6 \
                 origin=Debian:12.5/stable, Debian-Security:12/stable-security security=yes",
                "apt/vim/amd64: architecture=amd64 candidate=9.1 installed=9.0 manager=apt name=vim \
                 origin=Debian:12.5/stable security=no",
            ]
        );
        machine.tool("apt-get", "exit 100");
        assert_eq!(machine.section("updates").status, Status::Unreadable);
        assert_eq!(Machine::new().section("updates").status, Status::Absent);
    }

    #[test]
    fn dnf_says_which_are_of_security_in_a_list_of_its_own() {
        let machine = Machine::new();
        machine.file("etc/dnf/dnf.conf", "");
        machine.tool(
            "dnf",
            "case $* in *updateinfo*) echo 'FEDORA-2024-1 Important/Sec. openssl-3.2.1-2.fc40.x86_64';; \
             *) printf '\\nopenssl.x86_64 1:3.2.1-2.fc40 updates\\nvim.x86_64 9.1-1 updates\\nObsoleting Packages\\n\
             a.noarch 1 b\\n'; exit 100;; esac",
        );
        let lines = machine.lines("updates");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("candidate=1:3.2.1-2.fc40") && lines[0].ends_with("security=yes"), "{lines:?}");
        assert!(lines[1].ends_with("security=no"), "{lines:?}");
    }

    #[test]
    fn a_boot_is_due_since_and_for_these_packages() {
        let machine = Machine::new();
        machine.files(&[
            ("run/reboot-required", "*** System restart required ***\n"),
            ("run/reboot-required.pkgs", "linux-image-6.1.0-13-amd64\nlibc6\nlibc6\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-9-amd64\n"),
            ("lib/modules/6.1.0-9-amd64/modules.dep", ""),
            ("lib/modules/6.1.0-13-amd64/modules.dep", ""),
            ("lib/modules/6.9.0-1-amd64/kernel", ""),
            ("etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"),
        ]);
        let written = std::fs::File::open(machine.root().join("run/reboot-required")).unwrap();
        written.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
        assert_eq!(
            machine.lines("update_state"),
            ["state: automatic_updates=yes kernel_newest=6.1.0-13-amd64 kernel_running=6.1.0-9-amd64 \
              reboot_for=libc6,linux-image-6.1.0-13-amd64 reboot_required=yes \
              reboot_required_since=2023-11-14T22:13:20Z"]
        );
    }
}

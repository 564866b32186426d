//! Debian's packages, from the database that dpkg keeps (deb-status(5)); images without dpkg have one file for each.

use super::super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

const STATUS: &str = "/var/lib/dpkg/status";
/// One file for each package, as in distroless images.
const PIECES: &str = "/var/lib/dpkg/status.d";
const INFO: &str = "/var/lib/dpkg/info";

/// A paragraph of the database.
#[derive(Default)]
struct Package {
    name: String,
    version: String,
    architecture: String,
    /// What is wanted, an error flag, and the state, as in `install ok installed`; a piece has none.
    status: String,
    source: String,
    maintainer: String,
    multi_arch_same: bool,
}

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    match read_file(host, STATUS, sheet) {
        Ok(()) => sheet.read_in(STATUS),
        Err(HostError::NotPresent(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let pieces = match host.list(PIECES) {
        Ok(pieces) => pieces,
        Err(HostError::NotPresent(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for piece in pieces.iter().filter(|piece| !piece.ends_with(".md5sums")) {
        read_file(host, &format!("{PIECES}/{piece}"), sheet)?;
        sheet.read_in(PIECES);
    }
    Ok(())
}

fn read_file(host: &Host, path: &str, sheet: &mut Sheet) -> Result<(), HostError> {
    let mut package = Package::default();
    host.each_line(path, |line| {
        if line.is_empty() {
            lay(host, std::mem::take(&mut package), sheet);
            return true;
        }
        let Some((name, value)) = line.split_once(':').filter(|_| !line.starts_with(' ')) else { return true };
        let value = value.trim();
        let field = match name {
            "Package" => &mut package.name,
            "Version" => &mut package.version,
            "Architecture" => &mut package.architecture,
            "Status" => &mut package.status,
            "Source" => &mut package.source,
            "Maintainer" => &mut package.maintainer,
            "Multi-Arch" => {
                package.multi_arch_same = value == "same";
                return true;
            }
            _ => return true,
        };
        value.clone_into(field);
        true
    })?;
    lay(host, package, sheet);
    Ok(())
}

fn lay(host: &Host, package: Package, sheet: &mut Sheet) {
    let mut words = package.status.split(' ');
    let (wanted, _, state) = (words.next().unwrap_or_default(), words.next(), words.next().unwrap_or("installed"));
    // What is left of a removed package is its configuration.
    if package.name.is_empty() || matches!(state, "not-installed" | "config-files") {
        return;
    }
    let (source, source_version) = package.source.split_once(" (").unwrap_or((&package.source, ""));
    let row = Row::new(format_args!("dpkg/{}/{}", package.name, package.architecture))
        .durable("manager", "dpkg")
        .durable("name", &package.name)
        .durable("version", &package.version)
        .durable("architecture", &package.architecture)
        .durable("source_package", source)
        .durable("source_version", source_version.trim_end_matches(')'))
        .durable("maintainer", &package.maintainer)
        .durable("state", if state == "installed" { "" } else { state })
        .durable("hold", if wanted == "hold" { "true" } else { "" });
    sheet.row(match installed_at(host, &package) {
        Some(at) => row.latest("installed_at", at),
        None => row,
    });
}

/// When its list of files was written, which a new version does.
fn installed_at(host: &Host, package: &Package) -> Option<String> {
    let Package { name, architecture, multi_arch_same, .. } = package;
    let path =
        if *multi_arch_same { format!("{INFO}/{name}:{architecture}.list") } else { format!("{INFO}/{name}.list") };
    date::spelled(host.stat(&path).ok()?.modified_s)
}

#[cfg(test)]
mod tests {
    use super::super::super::Status;
    use super::super::super::testing::Machine;

    #[test]
    fn what_is_installed_is_there_and_what_is_left_of_removed_packages_is_not() {
        let machine = Machine::new();
        let status = "Package: libc6\nStatus: hold ok installed\nMulti-Arch: same\nArchitecture: i386\nVersion: 2.36-9\n\
                      Source: glibc (2.36-9.1)\nMaintainer: GNU Libc <a@b.c>\nDescription: GNU\n long: text\n .\n\n\
                      Package: old\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n\
                      Package: half\nStatus: install reinstreq half-installed\nArchitecture: all\nVersion: 2\n";
        machine.file("var/lib/dpkg/status", status);
        machine.file("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2025b\nArchitecture: all\n");
        machine.file("var/lib/dpkg/status.d/tzdata.md5sums", "Package: none\n");
        assert_eq!(
            machine.lines("packages"),
            [
                "dpkg/half/all: architecture=all manager=dpkg name=half state=half-installed version=2",
                "dpkg/libc6/i386: architecture=i386 hold=true maintainer=GNU Libc <a@b.c> manager=dpkg name=libc6 \
                 source_package=glibc source_version=2.36-9.1 version=2.36-9",
                "dpkg/tzdata/all: architecture=all manager=dpkg name=tzdata version=2025b",
            ]
        );
        let section = machine.section("packages");
        assert_eq!(section.source, "/var/lib/dpkg/status, /var/lib/dpkg/status.d");
    }

    #[test]
    fn a_package_was_installed_when_its_list_was_written() {
        let machine = Machine::new();
        machine.file("var/lib/dpkg/status", "Package: a\nArchitecture: all\nVersion: 1\n");
        machine.file("var/lib/dpkg/info/a.list", "/.\n");
        let written = std::fs::File::open(machine.root().join("var/lib/dpkg/info/a.list")).unwrap();
        written.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400)).unwrap();
        let line = "dpkg/a/all: architecture=all manager=dpkg name=a version=1 | installed_at=1970-01-02T00:00:00Z";
        assert_eq!(machine.lines("packages"), [line]);
    }

    #[test]
    fn a_machine_without_packages_has_no_such_section() {
        let section = Machine::new().section("packages");
        assert_eq!((section.status, section.rows.len()), (Status::Absent, 0));
    }
}

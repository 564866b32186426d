//! Arch's packages: a directory for each, with its description.

use super::super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

const LOCAL: &str = "/var/lib/pacman/local";

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = match host.list(LOCAL) {
        Ok(names) => names,
        Err(HostError::NotPresent(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    sheet.read_in(LOCAL);
    for name in names.iter().filter(|name| *name != "ALPM_DB_VERSION") {
        match host.read_text(&format!("{LOCAL}/{name}/desc")) {
            Ok(text) => sheet.row(row(&text)),
            // One that is being installed or removed.
            Err(HostError::NotPresent(_)) => {}
            Err(error) => sheet.fails(error),
        }
    }
    Ok(())
}

/// `%NAME%`, and its value on the next line.
fn row(text: &str) -> Row {
    let value = |key: &str| {
        let mut lines = text.lines().skip_while(|line| *line != key).skip(1);
        lines.next().unwrap_or_default()
    };
    let (name, architecture) = (value("%NAME%"), value("%ARCH%"));
    let base = value("%BASE%");
    let installed = value("%INSTALLDATE%").parse().ok().and_then(date::spelled);
    Row::new(format_args!("pacman/{name}/{architecture}"))
        .durable("manager", "pacman")
        .durable("name", name)
        .durable("version", value("%VERSION%"))
        .durable("architecture", architecture)
        .durable("source_package", if base == name { "" } else { base })
        .latest("installed_at", installed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;

    #[test]
    fn each_directory_is_a_package() {
        let machine = Machine::new();
        machine.file("var/lib/pacman/local/ALPM_DB_VERSION", "9\n");
        machine.file(
            "var/lib/pacman/local/zlib-1:1.3-1/desc",
            "%NAME%\nzlib\n\n%VERSION%\n1:1.3-1\n\n%BASE%\nzlib\n\n%ARCH%\nx86_64\n\n%INSTALLDATE%\n1700000000\n",
        );
        assert_eq!(
            machine.lines("packages"),
            ["pacman/zlib/x86_64: architecture=x86_64 manager=pacman name=zlib version=1:1.3-1 \
              | installed_at=2023-11-14T22:13:20Z"]
        );
    }
}

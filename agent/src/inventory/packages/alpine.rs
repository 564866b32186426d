//! Alpine's packages: the database of apk, a block of one-letter fields for each.

use super::super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const DATABASES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for path in DATABASES {
        let mut fields = Fields::default();
        let outcome = host.each_line(path, |line| {
            match line.split_once(':') {
                Some(("P", value)) => value.clone_into(&mut fields.name),
                Some(("V", value)) => value.clone_into(&mut fields.version),
                Some(("A", value)) => value.clone_into(&mut fields.architecture),
                Some(("o", value)) => value.clone_into(&mut fields.origin),
                Some(("m", value)) => value.clone_into(&mut fields.maintainer),
                None if line.is_empty() => std::mem::take(&mut fields).lay(sheet),
                _ => {}
            }
            true
        });
        match outcome {
            Ok(()) => {
                fields.lay(sheet);
                sheet.read_in(path);
                return Ok(());
            }
            Err(HostError::NotPresent(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[derive(Default)]
struct Fields {
    name: String,
    version: String,
    architecture: String,
    origin: String,
    maintainer: String,
}

impl Fields {
    fn lay(self, sheet: &mut Sheet) {
        if self.name.is_empty() {
            return;
        }
        let row = Row::new(format_args!("apk/{}/{}", self.name, self.architecture))
            .durable("manager", "apk")
            .durable("name", &self.name)
            .durable("version", self.version)
            .durable("architecture", self.architecture)
            .durable("source_package", if self.origin == self.name { "" } else { &self.origin })
            .durable("maintainer", self.maintainer);
        sheet.row(row);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Machine;

    #[test]
    fn each_block_is_a_package() {
        let machine = Machine::new();
        machine.file(
            "lib/apk/db/installed",
            "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:libc.so\n\nP:ssl_client\nV:1.36-r1\nA:x86_64\no:busybox\n",
        );
        assert_eq!(
            machine.lines("packages"),
            [
                "apk/musl/x86_64: architecture=x86_64 manager=apk name=musl version=1.2.5-r0",
                "apk/ssl_client/x86_64: architecture=x86_64 manager=apk name=ssl_client source_package=busybox \
                 version=1.36-r1",
            ]
        );
    }
}

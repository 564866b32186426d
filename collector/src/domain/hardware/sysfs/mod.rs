//! Files that the kernel shows, as `grep .` prints them and as the agent sends them: one `path:value` a line.

pub(super) mod btrfs;
pub(super) mod fabric;
pub(super) mod flash;
pub(super) mod gpu;
pub(super) mod links;
pub(super) mod md;
pub(super) mod multipath;
pub(super) mod nic;
pub(super) mod pcie;

/// Most lines that are looked at.
const LINES: usize = 50_000;

/// One line of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line<'a> {
    /// Where the file lies, without a slash at the end.
    directory: &'a str,
    /// What the file is called.
    name: &'a str,
    /// What it says.
    value: &'a str,
}

impl<'a> Line<'a> {
    /// The last part of the directory's path, and what is before it.
    fn place(&self) -> (&'a str, &'a str) {
        self.directory.rsplit_once('/').map_or(("", self.directory), |(before, last)| (before, last))
    }
}

/// The lines of files with these names, in their order. Directories may have colons in their names, as those of PCI devices
/// do, and values slashes: a name is told by the slash before it and the colon behind.
fn lines<'a>(text: &'a str, names: &'a [&'static str]) -> impl Iterator<Item = Line<'a>> {
    text.lines().take(LINES).filter_map(move |line| {
        line.match_indices('/').find_map(|(at, _)| {
            let rest = &line[at + 1..];
            let name = names.iter().find(|name| rest.strip_prefix(**name).is_some_and(|rest| rest.starts_with(':')))?;
            Some(Line { directory: &line[..at], name, value: rest[name.len() + 1..].trim() })
        })
    })
}

/// Whether a text has such a line of one of these files.
pub(super) fn has(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| text.contains(&format!("/{name}:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_between_a_slash_and_a_colon_whatever_else_has_them() {
        let text = "/sys/bus/pci/devices/0000:01:00.0/class:0x0108\n/sys/a/driver:b/class:1\nclass:2\n/sys/a/classes:3\n\
                    /sys/a/class: 4 \n";
        let found: Vec<_> =
            lines(text, &["class", "driver"]).map(|line| (line.directory, line.name, line.value)).collect();
        let expected = [
            ("/sys/bus/pci/devices/0000:01:00.0", "class", "0x0108"),
            ("/sys/a", "driver", "b/class:1"),
            ("/sys/a", "class", "4"),
        ];
        assert_eq!(found, expected);
        assert!(has(text, &["class"]) && !has(text, &["clas", "devices"]));
    }
}

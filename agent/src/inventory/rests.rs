//! Sections that are dear to read and rest on files: while those are the same, nobody is asked again.
//!
//! A resolver takes seconds of CPU, and its answer is that of an hour ago as long as neither what is installed nor what is known
//! of repositories has changed.

use std::fmt::Write as _;

use super::{Source, hash};
use crate::host::{Host, HostError};

/// What comes and goes when nothing changes: locks, and what a database or apt keeps for whoever is just reading.
const PASSING: [&str; 6] = ["partial", "lock", "auxfiles", ".rpm.lock", ".dbenv.lock", "rpmdb.sqlite-shm"];
/// Berkeley DB's environment, written by readers too.
const ENVIRONMENT: &str = "__db.";

/// What a section rests on, as a number that is another one when any of it was written, added, removed or replaced; or when
/// it is read in another way: by another version of the agent, or with other fields `withheld`. None where it rests on nothing
/// that can be looked at.
pub(super) fn number(host: &Host, source: &Source, withheld: &str) -> Option<u128> {
    let mut text = format!("{} {withheld}\n", env!("CARGO_PKG_VERSION"));
    let mut is_known = false;
    for path in source.rests_on {
        match host.stat(path) {
            Ok(stat) => writeln!(text, "{path} {stat:?}").expect("a text grows"),
            Err(HostError::NotPresent(_)) => continue,
            Err(_) => return None,
        }
        is_known = true;
        // A file has no names in it.
        let mut names = host.list(path).unwrap_or_default();
        names.retain(|name| !PASSING.contains(&name.as_str()) && !name.starts_with(ENVIRONMENT));
        names.sort_unstable();
        for name in names {
            // What is gone by now was seen in its directory.
            let stat = host.stat(&format!("{path}/{name}")).ok();
            writeln!(text, "{path}/{name} {stat:?}").expect("a text grows");
        }
    }
    is_known.then(|| hash::text(&text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    fn source(rests_on: &'static [&'static str]) -> Source {
        Source { name: "s", read: |_, _| Ok(()), budget_ms: 1, rests_on }
    }

    #[test]
    fn it_is_another_number_when_anything_is_written_added_or_replaced() {
        let machine = Machine::new();
        machine.files(&[("var/status", "a"), ("var/lists/one", "a"), ("var/lists/two", "a")]);
        let rests = source(&["/var/status", "/var/lists", "/var/none"]);
        let now = || number(&machine.host(), &rests, "").expect("it rests on files");
        let mut seen = vec![now()];
        assert_eq!(now(), seen[0], "the same again");
        let mut differs = |what: &str| {
            let next = now();
            assert!(!seen.contains(&next), "{what}");
            seen.push(next);
        };
        machine.file("var/status", "ab");
        differs("longer");
        machine.file("var/lists/one", "abc");
        differs("one of a directory");
        machine.file("var/lists/three", "a");
        differs("one more");
        machine.file("var/new", "ab");
        std::fs::rename(machine.root().join("var/new"), machine.root().join("var/status")).unwrap();
        differs("another file in its place");
        std::fs::remove_file(machine.root().join("var/lists/two")).unwrap();
        differs("one less");
        machine.file("var/none", "");
        differs("there now");
    }

    #[test]
    fn how_it_is_read_counts_and_what_only_passes_does_not() {
        let machine = Machine::new();
        machine.files(&[("rpm/Packages", "a"), ("rpm/.rpm.lock", ""), ("rpm/__db.001", "a")]);
        let rests = source(&["/rpm"]);
        let now = |withheld: &str| number(&machine.host(), &rests, withheld);
        let first = now("");
        machine.file("rpm/__db.001", "abc");
        machine.file("rpm/.rpm.lock", "1");
        assert_eq!(now(""), first);
        assert_ne!(now("serials"), first);
        assert_eq!(number(&machine.host(), &source(&["/nothing"]), ""), None);
        assert_eq!(number(&machine.host(), &source(&[]), ""), None);
    }
}

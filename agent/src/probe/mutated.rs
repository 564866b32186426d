//! Captured machines, files of which were damaged: nothing panics, and what does not read a damaged file says the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;

use super::machine::{self, Said};
use super::{ProbeError, SOURCES};
use crate::host::Host;

/// Machines with all kinds of devices between them.
const MACHINES: [&str; 4] = ["plain-vm", "storage-server", "laptop", "cluster-node"];
/// Sources that read one and the same file: `/proc/stat` (`stat`, `cpu`, `process`) and the state of an interface.
const READERS_MAX: usize = 3;

/// What is done to the bytes of a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Insert(Index, Vec<u8>),
    Replace(Index, Vec<u8>),
    Repeat(Index),
    Lines(Index, String),
}

impl Damage {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let mut damaged = bytes.to_vec();
        match self {
            Self::Cut(at) => damaged.truncate(place(at)),
            Self::Insert(at, new) => drop(damaged.splice(place(at)..place(at), new.iter().copied())),
            Self::Replace(at, new) => {
                let from = place(at);
                let to = (from + new.len()).min(bytes.len());
                drop(damaged.splice(from..to, new.iter().copied()));
            }
            Self::Repeat(at) => damaged.extend_from_slice(&bytes[place(at)..]),
            Self::Lines(at, text) => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                let place = at.index(lines.len());
                lines[place] = text.as_bytes();
                damaged = lines.join(&b'\n');
            }
        }
        damaged
    }
}

fn damages() -> impl Strategy<Value = Damage> {
    // What such files are made of, and what they are not.
    let word = prop::sample::select(vec![
        "0",
        "-1",
        " ",
        "\t",
        "\n",
        "/",
        "[",
        "]",
        "(",
        ":",
        "0x",
        "-",
        "U",
        ".",
        "NaN",
        "é",
        "18446744073709551616",
        "1e999",
        "=",
    ]);
    let text = prop::collection::vec(word, 0..6).prop_map(|words| words.concat());
    let bytes = prop_oneof![text.clone().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..8)];
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), bytes.clone()).prop_map(|(at, new)| Damage::Insert(at, new)),
        (any::<Index>(), bytes).prop_map(|(at, new)| Damage::Replace(at, new)),
        any::<Index>().prop_map(Damage::Repeat),
        (any::<Index>(), text).prop_map(|(at, text)| Damage::Lines(at, text)),
    ]
}

/// A copy of a captured machine, its files, and what each source says of it undamaged.
struct Copy {
    root: tempfile::TempDir,
    files: Vec<PathBuf>,
    whole: Vec<(BTreeMap<String, f64>, Result<(), ProbeError>)>,
}

impl Copy {
    fn of(name: &str) -> Self {
        let original = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts").join(name);
        let root = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for part in ["proc", "sys"] {
            copy(&original.join(part), &root.path().join(part), &mut files);
        }
        let mut copy = Self { root, files, whole: Vec::new() };
        copy.whole = copy.read().into_iter().map(|said| (said.series, said.outcome)).collect();
        copy
    }

    fn read(&self) -> Vec<Said> {
        let host = Host::captured(self.root.path().into(), None);
        SOURCES.iter().map(|source| machine::read(&host, source.read)).collect()
    }
}

fn copy(from: &Path, to: &Path, files: &mut Vec<PathBuf>) {
    std::fs::create_dir_all(to).unwrap();
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.map(Result::unwrap) {
        let (kind, here) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &here, files);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), here).unwrap();
        } else {
            std::fs::copy(entry.path(), &here).unwrap();
            files.push(here);
        }
    }
    files.sort_unstable();
}

/// One of so many of the usual number of cases.
fn runner(one_of: u32) -> proptest::test_runner::TestRunner {
    let usual = ProptestConfig::default();
    let config = ProptestConfig { cases: usual.cases.div_ceil(one_of), failure_persistence: None, ..usual };
    proptest::test_runner::TestRunner::new(config)
}

#[test]
fn a_damaged_file_hides_nothing_that_is_not_in_it() {
    let copies: Vec<Copy> = MACHINES.iter().map(|name| Copy::of(name)).collect();
    let outcome = runner(1).run(&(any::<Index>(), any::<Index>(), damages()), |(copy, file, damage)| {
        let copy = &copies[copy.index(copies.len())];
        let path = &copy.files[file.index(copy.files.len())];
        let whole = std::fs::read(path).unwrap();
        std::fs::write(path, damage.apply(&whole)).unwrap();
        let said = copy.read();
        std::fs::write(path, whole).unwrap();
        let same = |said: &Said, whole: &(BTreeMap<String, f64>, Result<(), ProbeError>)| {
            said.series == whole.0 && said.outcome == whole.1
        };
        let touched: Vec<&str> = SOURCES
            .iter()
            .zip(said.iter().zip(&copy.whole))
            .filter(|(_, (said, whole))| !same(said, whole))
            .map(|(source, _)| source.name)
            .collect();
        prop_assert!(touched.len() <= READERS_MAX, "{} touched {touched:?}", path.display());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn whatever_the_files_say_nothing_panics_and_what_is_said_can_be_written_down() {
    let copies: Vec<Copy> = MACHINES.iter().map(|name| Copy::of(name)).collect();
    let whole: Vec<Vec<Vec<u8>>> =
        copies.iter().map(|copy| copy.files.iter().map(|path| std::fs::read(path).unwrap()).collect()).collect();
    let strategy = (any::<Index>(), prop::collection::vec(damages(), 31..=31));
    // Each case damages hundreds of files.
    let outcome = runner(16).run(&strategy, |(copy, damages)| {
        let copy = copy.index(copies.len());
        let whole = copies[copy].files.iter().zip(&whole[copy]);
        for ((path, bytes), damage) in whole.zip(damages.iter().cycle()) {
            std::fs::write(path, damage.apply(bytes)).unwrap();
        }
        for (source, said) in SOURCES.iter().zip(copies[copy].read()) {
            prop_assert!(said.series.values().all(|value| value.is_finite()), "{}: {said:?}", source.name);
            prop_assert!(said.series.keys().all(|series| is_series(series)), "{}: {said:?}", source.name);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Whether it begins with a name that Prometheus allows.
fn is_series(series: &str) -> bool {
    let name = series.split('{').next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

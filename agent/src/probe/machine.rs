//! A machine made of a few files, and what one source says of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::{ProbeError, Scratch, Section, Sink};
use crate::clock::Moment;
use crate::host::Host;

/// A tree of files in a directory of its own, read by one host, so that facts and descriptors are kept as on a real one.
pub(super) struct Machine {
    root: TempDir,
    /// The host that reads it.
    pub(super) host: Host,
}

/// What a source said.
#[derive(Debug)]
pub(super) struct Said {
    /// `name{label="value"}` and value.
    pub(super) series: BTreeMap<String, f64>,
    /// Part and state of each note.
    pub(super) notes: Vec<(String, ProbeError)>,
    /// How it ended.
    pub(super) outcome: Result<(), ProbeError>,
}

impl Machine {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let host = Host::captured(root.path().into(), None);
        let machine = Self { root, host };
        files.iter().for_each(|(path, text)| machine.put(path, text));
        machine
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Writes a file.
    pub(super) fn put(&self, path: &str, text: &str) {
        self.make_room(path);
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Makes a symbolic link.
    pub(super) fn link(&self, path: &str, target: &str) {
        self.make_room(path);
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
    }

    /// Makes a file whose reading fails, in the only way that needs no device: it is a directory.
    pub(super) fn break_file(&self, path: &str) {
        let _ = std::fs::remove_file(self.path(path));
        std::fs::create_dir_all(self.path(path)).unwrap();
    }

    fn make_room(&self, path: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
    }

    /// Reads one source.
    pub(super) fn read(&self, source: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>) -> Said {
        read(&self.host, source)
    }
}

/// Reads one source of a host.
pub(super) fn read(host: &Host, source: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>) -> Said {
    let mut section = Section::new("tested", Arc::default());
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
    let outcome = source(host, &mut sink);
    let (notes, outcome) = sink.finish(outcome);
    let mut series = BTreeMap::new();
    for (family, one, value) in section.samples() {
        let mut labels: Vec<String> = one.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
        labels.sort_unstable();
        let name = if labels.is_empty() {
            family.name.to_string()
        } else {
            format!("{}{{{}}}", family.name, labels.join(","))
        };
        series.insert(name, value);
    }
    Said { series, notes: notes.into_iter().map(|note| (note.part, note.error)).collect(), outcome }
}

impl Said {
    /// The value of a series; a panic that shows all others where there is none.
    pub(super) fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("{series} is not said: {self:#?}"))
    }

    /// The values of all series of a family, in the order of their labels.
    pub(super) fn family(&self, name: &str) -> Vec<f64> {
        let of_family = |series: &str| series.split('{').next() == Some(name);
        self.series.iter().filter(|(series, _)| of_family(series)).map(|(_, value)| *value).collect()
    }

    /// The parts that are noted.
    pub(super) fn noted(&self) -> Vec<&str> {
        self.notes.iter().map(|(part, _)| part.as_str()).collect()
    }
}

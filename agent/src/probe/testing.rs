//! For tests of sources: a machine made of a few files, and what a source says of it.

use std::sync::Arc;

use super::table::Section;
use super::{Note, ProbeError, Scratch, Sink};
use crate::clock::Moment;
use crate::host::Host;

/// The instant at which these machines are read.
pub(super) const NOW: Moment = Moment { wall_ms: 1_700_000_000_000, boottime_ms: 5_000 };

/// A source, as in the table of sources.
pub(super) type Read = fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>;

/// A captured machine with these files; the directory is to be kept as long as the host.
pub(super) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let host = Host::captured(root.path().into(), Some(root.path().join("commands")));
    (root, host)
}

/// Asks a source once more.
pub(super) fn ask(read: Read, host: &Host, section: &mut Section) -> (Vec<Note>, Result<(), ProbeError>) {
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(section, &mut scratch, NOW);
    let outcome = read(host, &mut sink);
    sink.finish(outcome)
}

/// A section as lines `name{label="value"} 1`, in the order in which they were first said.
pub(super) fn lines(section: &Section) -> Vec<String> {
    let line = |(family, series, value): (&super::Family, &super::Series, f64)| {
        let labels: Vec<String> = series.labels().map(|(name, value)| format!("{name}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        format!("{}{}{labels} {value}", family.name, series.part.suffix())
    };
    section.samples().map(line).collect()
}

/// What a source says of a machine with these files.
pub(super) fn said(read: Read, files: &[(&str, &str)]) -> Vec<String> {
    let (_root, host) = machine(files);
    let mut section = Section::new("source", Arc::default());
    let (notes, outcome) = ask(read, &host, &mut section);
    assert_eq!((notes, outcome), (Vec::new(), Ok(())));
    lines(&section)
}

/// Why a source says nothing of a machine with these files.
pub(super) fn failure(read: Read, files: &[(&str, &str)]) -> String {
    let (_root, host) = machine(files);
    let mut section = Section::new("source", Arc::default());
    let (_, outcome) = ask(read, &host, &mut section);
    match outcome {
        Err(ProbeError::Failed(why)) => why,
        other => panic!("it did not fail: {other:?}, {:#?}", lines(&section)),
    }
}

/// Whether a source finds nothing of its own on a machine with these files.
pub(super) fn is_absent(read: Read, files: &[(&str, &str)]) -> bool {
    let (_root, host) = machine(files);
    let (_, outcome) = ask(read, &host, &mut Section::new("source", Arc::default()));
    matches!(outcome, Err(ProbeError::Absent(_)))
}

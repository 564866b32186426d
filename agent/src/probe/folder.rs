//! A directory of sysfs: one figure or word a file. What cannot be read is noted and passed over, so that one broken
//! device hides no other; and how a source says one series.

use std::sync::Arc;

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// A directory, with room for the name of a file in it.
pub(super) struct Folder<'h> {
    host: &'h Host,
    source: &'static str,
    path: String,
    stem: usize,
}

impl<'h> Folder<'h> {
    /// The directory at `path`, read on behalf of `source`.
    pub(super) fn new(host: &'h Host, source: &'static str, path: &str) -> Self {
        let mut folder = Self { host, source, path: String::with_capacity(path.len() + 40), stem: 0 };
        folder.go(path);
        folder
    }

    /// Moves on to the directory at `path`.
    pub(super) fn go(&mut self, path: &str) {
        self.path.clear();
        self.path.push_str(path);
        self.path.push('/');
        self.stem = self.path.len();
    }

    /// The path of `file`.
    pub(super) fn path(&mut self, file: &str) -> &str {
        self.path.truncate(self.stem);
        self.path.push_str(file);
        &self.path
    }

    /// The number in `file` now, read through a kept descriptor. What cannot be read, or is no number, is noted.
    pub(super) fn number(&mut self, sink: &mut Sink<'_>, file: &str) -> Option<f64> {
        self.now(sink, file, |path, text| finite(text).ok_or_else(|| strange(path, "says no number")))
    }

    /// The text in `file` now, trimmed. What cannot be read is noted.
    pub(super) fn word(&mut self, sink: &mut Sink<'_>, file: &str) -> Option<String> {
        self.now(sink, file, |_, text| Ok(text.to_owned()))
    }

    fn now<R>(
        &mut self,
        sink: &mut Sink<'_>,
        file: &str,
        parse: impl FnOnce(&str, &str) -> Result<R, ProbeError>,
    ) -> Option<R> {
        let (host, source) = (self.host, self.source);
        let path = self.path(file);
        match sink.read(host, path, |_, text| parse(path, text.trim())) {
            Ok(value) => Some(value),
            // What is not there, or is kept from us, is no fault of the device.
            Err(ProbeError::Absent(_) | ProbeError::Unreadable(_)) => None,
            Err(error) => {
                sink.note(format!("{source}{path}"), error);
                None
            }
        }
    }

    /// The text in `file`, which hardly ever changes.
    pub(super) fn fact(&mut self, file: &str) -> Option<Arc<str>> {
        let host = self.host;
        host.fact(self.path(file))
    }

    /// The number in `file`, which hardly ever changes.
    pub(super) fn fixed(&mut self, file: &str) -> Option<f64> {
        self.fact(file).as_deref().and_then(finite)
    }

    /// The names in the directory, which hardly ever change: sorted, one per line; none when it cannot be listed.
    pub(super) fn names(&mut self) -> Arc<str> {
        let directory = self.path.get(..self.stem.saturating_sub(1)).unwrap_or_default();
        self.host.names(directory).unwrap_or_default()
    }
}

/// One series of a gauge.
pub(super) fn gauge(sink: &mut Sink<'_>, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
    sink.family(name, Kind::Gauge, help);
    sink.sample(labels, value);
}

/// One series of a counter.
pub(super) fn counter(sink: &mut Sink<'_>, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
    sink.family(name, Kind::Counter, help);
    sink.sample(labels, value);
}

/// A number as the kernel writes it, but not `-inf` or the like.
pub(super) fn finite(text: &str) -> Option<f64> {
    parse_number(text)
}

/// The names in a directory that begin with `prefix` and a digit, as the pattern `prefix[0-9]*` selects them.
pub(super) fn numbered<'a>(names: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let wanted =
        move |name: &&str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    names.lines().filter(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
        let mut folder = Folder::new(host, "test", "/d");
        for file in ["good", "word", "infinite", "broken", "absent"] {
            if let Some(value) = folder.number(sink, file) {
                gauge(sink, "said", "", &[("file", file)], value);
            }
        }
        assert_eq!(folder.word(sink, "word").as_deref(), Some("N/A"));
        assert_eq!((folder.fixed("good"), folder.fixed("word")), (Some(-42.0), None));
        assert_eq!(&*folder.names(), "broken\ngood\ninfinite\nword");
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_noted_and_what_is_absent_is_not() {
        let machine = Machine::new(&[("d/good", "-42\n"), ("d/word", "N/A\n"), ("d/infinite", "-inf\n")]);
        machine.break_file("d/broken");
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.series, [(r#"said{file="good"}"#.to_owned(), -42.0)].into());
        assert_eq!(said.noted(), ["test/d/word", "test/d/infinite", "test/d/broken"]);
    }

    #[test]
    fn numbered_names_are_the_prefix_and_a_digit() {
        let names = "cpu\ncpu0\ncpu12\ncpufreq\ncpuidle\nxcpu1";
        assert_eq!(numbered(names, "cpu").collect::<Vec<_>>(), ["cpu0", "cpu12"]);
    }
}

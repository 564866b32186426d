//! Where a source puts its readings: in the steady state nothing is hashed, formatted or allocated.

use std::borrow::Cow;

use super::ProbeError;
use super::table::{Kind, LeftOut, Part, SEPARATOR, SERIES_MAX, Section};
use crate::clock::Moment;
use crate::host::{Host, HostError};

/// Decimal digits that a double holds exactly.
const EXACT_DIGITS: usize = 15;
/// Notes of one source in one collection.
const NOTES_MAX: usize = 64;
/// Kernel counters have 64 bits. What is far beyond is damage, and in another unit it would be infinite.
const NUMBER_BELOW: f64 = 1e30;
/// The current family is none that can be said.
const NO_FAMILY: u32 = u32::MAX;

/// Something a source says about a part of itself, e.g. a mount that hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The part, `filesystem/mnt/nfs`.
    pub part: String,
    /// What is the matter.
    pub error: ProbeError,
}

/// Buffers of a reading thread, used again at every collection.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    /// The file in `bytes` and the collection it was read for: two sources in a row may want the same one.
    held: Option<(&'static str, Moment)>,
    said: Vec<u32>,
}

/// Where a source puts its readings: `family`, then its `sample`s.
#[derive(Debug)]
pub struct Sink<'a> {
    section: &'a mut Section,
    scratch: &'a mut Scratch,
    notes: Vec<Note>,
    cursor: usize,
    strayed: bool,
    /// The section stays as it is.
    unchanged: bool,
    family: u32,
    /// The current family is this one of those that are left out.
    leaving: Option<usize>,
    /// Series that those would have.
    wanted: Vec<usize>,
    now: Moment,
}

impl<'a> Sink<'a> {
    /// Begins a collection into `section`.
    pub fn new(section: &'a mut Section, scratch: &'a mut Scratch, now: Moment) -> Self {
        scratch.said.clear();
        let wanted = vec![0; section.left_out.len()];
        Self {
            section,
            scratch,
            notes: Vec::new(),
            cursor: 0,
            strayed: false,
            unchanged: false,
            family: 0,
            leaving: None,
            wanted,
            now,
        }
    }

    /// The instant of the collection.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Whether the material is still the one that the source [remembered](Sink::remember) by this `stamp`: then all that
    /// was said holds and nothing need be said. Else whatever follows is said anew, definitions included.
    pub fn is_unchanged(&mut self, stamp: u64) -> bool {
        self.unchanged = self.section.stamp == Some(stamp);
        self.section.stamp = None;
        if self.unchanged {
            self.section.stamp = Some(stamp);
        } else {
            self.section.sequence.clear();
        }
        self.unchanged
    }

    /// What is said now comes from the material of this `stamp`, and nothing of it has to be said again.
    pub fn remember(&mut self, stamp: u64) {
        self.section.stamp = Some(stamp);
    }

    /// Grows whenever a source says a family that it did not say before.
    #[must_use]
    pub fn claims(&self) -> u32 {
        self.section.names.claims()
    }

    /// The source that says a family of this name, if it is another one.
    #[must_use]
    pub fn said_elsewhere(&self, family: &str) -> Option<&'static str> {
        self.section.names.said_by(family).filter(|source| *source != self.section.source)
    }

    /// The samples that follow belong to this family.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.spelled(&[name], kind, &[help]);
    }

    /// The same with name and help in pieces, which are put together only when the family is new.
    pub fn spelled(&mut self, name: &[&str], kind: Kind, help: &[&str]) {
        self.leaving = None;
        if let Some(expected) = self.expected() {
            let family = self.section.series[expected as usize].family;
            if spells(&self.section.families[family as usize].name, name) {
                self.family = family;
                return;
            }
        }
        let name = name.concat();
        self.leaving = self.section.left_out.iter().position(|left| *left.family == *name);
        self.family = if self.leaving.is_some() {
            NO_FAMILY
        } else if is_metric_name(&name) {
            self.section.define(&name, kind, &help.concat())
        } else {
            self.note(name, ProbeError::Failed("is no name of a metric: left out".to_owned()));
            NO_FAMILY
        };
    }

    /// One value of the current family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.part(Part::Whole, labels, value);
    }

    /// One value of a part of the current family.
    pub fn part(&mut self, part: Part, labels: &[(&str, &str)], value: f64) {
        if let Some(index) = self.place(part, labels) {
            self.section.values[index] = value;
        }
    }

    /// One value of a counter that the kernel may let fall back a little without a reset: up to `slack` below the last
    /// one it stays where it was.
    pub fn rising(&mut self, labels: &[(&str, &str)], value: f64, slack: f64) {
        if let Some(index) = self.place(Part::Whole, labels) {
            let last = &mut self.section.values[index];
            if value >= *last || *last - value >= slack {
                *last = value;
            }
        }
    }

    /// A family with exactly one series without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    /// Says something about a part of the source; at most 64 in one collection.
    pub fn note(&mut self, part: String, error: ProbeError) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { part, error });
        }
    }

    /// Reads a file that is asked at every report and hands its text on.
    ///
    /// # Errors
    /// When it cannot be read, or what `then` says.
    pub fn read<R>(
        &mut self,
        host: &Host,
        path: &str,
        then: impl FnOnce(&mut Self, &str) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        self.scratch.held = None;
        self.read_into(|bytes| host.read_kept(path, bytes), |sink, bytes| then(sink, &text_of(bytes)))
    }

    /// Reads a file that is no text.
    ///
    /// # Errors
    /// As [`Sink::read`].
    pub fn read_bytes<R>(
        &mut self,
        host: &Host,
        path: &str,
        then: impl FnOnce(&mut Self, &[u8]) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        self.scratch.held = None;
        self.read_into(|bytes| host.read_record(path, bytes), then)
    }

    /// The same for a file that two sources in a row want: it is read once per collection.
    ///
    /// # Errors
    /// As [`Sink::read`].
    pub fn read_shared<R>(
        &mut self,
        host: &Host,
        path: &'static str,
        then: impl FnOnce(&mut Self, &str) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        let wanted = Some((path, self.now));
        if self.scratch.held == wanted {
            return self.read_into(|_| Ok(()), |sink, bytes| then(sink, &text_of(bytes)));
        }
        self.read_record(host, path, |sink, text| {
            sink.scratch.held = wanted;
            then(sink, text)
        })
    }

    /// Reads a file that the kernel writes in one piece, whatever its length (`single_open` of fs/seq_file.c): there is
    /// no need to ask for its end.
    ///
    /// # Errors
    /// As [`Sink::read`].
    pub fn read_record<R>(
        &mut self,
        host: &Host,
        path: &str,
        then: impl FnOnce(&mut Self, &str) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        self.read_bytes(host, path, |sink, bytes| then(sink, &text_of(bytes)))
    }

    fn read_into<R>(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), HostError>,
        then: impl FnOnce(&mut Self, &[u8]) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        let result = fill(&mut bytes).map_err(ProbeError::from);
        let result = result.and_then(|()| then(self, &bytes));
        self.scratch.bytes = bytes;
        result
    }

    /// A small number in a file of its own, asked at every report; `None` when it cannot be read.
    pub fn number(&mut self, host: &Host, path: &str) -> Option<f64> {
        self.read(host, path, |_, text| Ok(parse_number(text.trim()))).ok().flatten()
    }

    /// Ends the collection: series that were not said are retired; all of them when the source failed.
    ///
    /// # Errors
    /// What the source said.
    pub fn finish(self, outcome: Result<(), ProbeError>) -> (Vec<Note>, Result<(), ProbeError>) {
        if outcome.is_err() {
            self.section.clear();
            return (self.notes, outcome);
        }
        if self.unchanged {
            return (self.notes, outcome);
        }
        let Self { section, scratch, wanted, .. } = self;
        if self.strayed || self.cursor != section.sequence.len() {
            scratch.said.retain(|index| !section.is_left_out(*index));
            section.retain(&scratch.said);
        }
        section.left_out.iter_mut().zip(wanted).for_each(|(left, wanted)| left.wanted = wanted);
        (self.notes, outcome)
    }

    fn expected(&self) -> Option<u32> {
        self.section.sequence.get(self.cursor).copied()
    }

    /// Where the value of this series goes; `None` where there is no room for it.
    fn place(&mut self, part: Part, labels: &[(&str, &str)]) -> Option<usize> {
        if self.family == NO_FAMILY {
            self.leaving.into_iter().for_each(|left| self.wanted[left] += 1);
            return None;
        }
        let index = match self.expected() {
            Some(expected) if self.section.series[expected as usize].says(self.family, part, labels) => {
                self.cursor += 1;
                Some(expected)
            }
            _ => self.stray(part, labels),
        };
        self.scratch.said.extend(index);
        index.map(|index| index as usize)
    }

    /// The order is not the remembered one: finds or makes the series, and follows the remembered order from there.
    fn stray(&mut self, part: Part, labels: &[(&str, &str)]) -> Option<u32> {
        self.strayed = true;
        let clean: Vec<(&str, Cow<'_, str>)> = labels.iter().map(|(name, value)| (*name, without_nul(value))).collect();
        let labels: Vec<(&str, &str)> = clean.iter().map(|(name, value)| (*name, &**value)).collect();
        let found = self.section.find(self.family, part, &labels);
        if let Some(index) = found {
            if let Some(ahead) = self.section.sequence.iter().skip(self.cursor).position(|known| *known == index) {
                self.cursor += ahead + 1;
            }
            return found;
        }
        if self.section.series.len() >= SERIES_MAX {
            self.leave_out();
            return None;
        }
        self.section.create(self.family, part, &labels)
    }
}

impl Sink<'_> {
    /// There is no room for the current family: half of one would be taken for all of it.
    fn leave_out(&mut self) {
        let count = 1 + self.section.series.iter().filter(|series| series.family == self.family).count();
        let family = self.section.families[self.family as usize].name.clone();
        self.leaving = Some(self.wanted.len());
        self.wanted.push(count);
        self.section.left_out.push(LeftOut { family, wanted: count, decided: count });
        self.family = NO_FAMILY;
    }
}

/// The kernel's text is ASCII but for what users name.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Whether Prometheus takes `name` for a metric's; one that it does not take would cost it the whole page.
pub(super) fn is_metric_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_name_character)
}

/// Characters of names; labels' have no colon.
pub(super) fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Whether `text` is these pieces put together.
fn spells(text: &str, pieces: &[&str]) -> bool {
    let mut rest = text;
    for piece in pieces {
        let Some(after) = rest.strip_prefix(piece) else { return false };
        rest = after;
    }
    rest.is_empty()
}

fn without_nul(value: &str) -> Cow<'_, str> {
    if value.contains(SEPARATOR) { Cow::Owned(value.replace(SEPARATOR, " ")) } else { Cow::Borrowed(value) }
}

/// A number as the kernel writes it: decimal, or hexadecimal after `0x`; what no counter can be is none.
#[must_use]
pub fn parse_number(text: &str) -> Option<f64> {
    // Nearly all of them are short and whole, which is no work.
    if (1..=EXACT_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.bytes().fold(0_u64, |whole, digit| whole * 10 + u64::from(digit - b'0'));
        #[expect(clippy::cast_precision_loss, reason = "15 digits fit into 53 bits")]
        return Some(whole as f64);
    }
    match text.strip_prefix("0x") {
        #[expect(clippy::cast_precision_loss, reason = "kernel counters are shown as doubles, as Prometheus does")]
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|value| value as f64),
        None if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
            text.parse().ok().filter(|value: &f64| value.abs() < NUMBER_BELOW)
        }
        None => None,
    }
}

impl From<HostError> for ProbeError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::NotPresent(what) => Self::Absent(format!("{what} is not present")),
            HostError::Unreadable { .. } => Self::Unreadable(error.to_string()),
            HostError::Failed { .. } => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{NOW, machine};
    use super::*;

    #[test]
    fn a_shared_file_is_read_once_per_collection() {
        let (root, host) = machine(&[("a", "1"), ("b", "x")]);
        let mut section = Section::new("shared", Arc::default());
        let mut scratch = Scratch::default();
        let mut read = |now: Moment, between: bool| {
            let mut sink = Sink::new(&mut section, &mut scratch, now);
            if between {
                sink.read(&host, "/b", |_, _| Ok(())).unwrap();
            }
            sink.read_shared(&host, "/a", |_, text| Ok(text.to_owned())).unwrap()
        };
        let change = |text: &str| std::fs::write(root.path().join("a"), text).unwrap();
        let later = Moment { boottime_ms: NOW.boottime_ms + 1, ..NOW };
        assert_eq!(read(NOW, false), "1");
        change("2");
        assert_eq!(read(NOW, false), "1");
        assert_eq!(read(later, false), "2", "another collection");
        change("3");
        assert_eq!(read(later, true), "3", "another file was read in between");
    }
}

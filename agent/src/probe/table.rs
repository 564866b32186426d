//! Readings as a table: per source a [`Section`] of families, series and values, filled through a [`Sink`].
//!
//! A source says the same series in the same order at every report, so a section remembers that order and only
//! compares: in the steady state a sample is one comparison and one store, nothing is hashed or allocated. When
//! something comes or goes the sample is looked up by hash, gets an id or is retired. Ids are never used twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ProbeError;
use crate::clock::Moment;
use crate::host::{Host, HostError};

/// Series of one source; what comes beyond is left out and said. The collector's cap per host is 20 000.
const SERIES_MAX: usize = 5000;
/// Notes of one source in one collection.
const NOTES_MAX: usize = 64;
/// Separates the parts of a flat label text; no kernel text contains it.
const SEPARATOR: char = '\0';

/// How Prometheus is to understand a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Neither is known.
    Untyped,
    /// Only grows, until a reboot.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A name and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The metric's name, as `node_exporter` says it.
    pub name: Box<str>,
    /// Its type.
    pub kind: Kind,
    /// Its help text.
    pub help: Box<str>,
}

/// One series of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Unique in this process and never used again.
    pub id: u32,
    family: u32,
    /// `name\0value\0...`: one allocation per series.
    labels: Box<str>,
}

impl Series {
    /// Label names and values, in the order in which the source says them.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.labels.split_terminator(SEPARATOR);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// The value of one label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn says(&self, family: u32, labels: &[(&str, &str)]) -> bool {
        self.family == family && self.labels().eq(labels.iter().copied())
    }
}

/// What one source says: its families, its series by ascending id, and their values.
#[derive(Debug, Clone)]
pub struct Section {
    source: &'static str,
    version: u64,
    families: Vec<Family>,
    series: Vec<Series>,
    values: Vec<f64>,
    /// Indices into `series`, in the order in which the source says them.
    sequence: Vec<u32>,
    index: HashMap<u64, u32>,
    ids: Arc<AtomicU32>,
}

impl Section {
    /// An empty section; `ids` is shared by all sections whose ids must not meet.
    #[must_use]
    pub fn new(source: &'static str, ids: Arc<AtomicU32>) -> Self {
        Self {
            source,
            version: 0,
            families: Vec::new(),
            series: Vec::new(),
            values: Vec::new(),
            sequence: Vec::new(),
            index: HashMap::new(),
            ids,
        }
    }

    /// The source that fills it.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Grows whenever a series comes or goes, never when only values change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All series with family and value, by ascending id.
    pub fn samples(&self) -> impl Iterator<Item = (&Family, &Series, f64)> {
        self.series
            .iter()
            .zip(&self.values)
            .map(|(series, value)| (&self.families[series.family as usize], series, *value))
    }

    /// The values alone, in the order of [`Section::samples`].
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The series at `index` in the order of [`Section::samples`].
    #[must_use]
    pub fn series(&self, index: usize) -> Option<(&Family, &Series)> {
        let series = self.series.get(index)?;
        Some((&self.families[series.family as usize], series))
    }

    /// Retires every series: the source cannot say them any more.
    pub fn clear(&mut self) {
        if !self.series.is_empty() {
            self.version += 1;
        }
        self.series.clear();
        self.values.clear();
        self.sequence.clear();
        self.index.clear();
    }

    fn find(&self, hash: u64, family: u32, labels: &[(&str, &str)]) -> Option<u32> {
        let known = *self.index.get(&hash)?;
        if self.series[known as usize].says(family, labels) {
            return Some(known);
        }
        // Two series share a hash: rare enough for a walk.
        let found = self.series.iter().position(|series| series.says(family, labels))?;
        u32::try_from(found).ok()
    }

    fn create(&mut self, hash: u64, family: u32, labels: &[(&str, &str)]) -> Option<u32> {
        let index = u32::try_from(self.series.len()).ok()?;
        let mut text = String::new();
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            text.push_str(part);
            text.push(SEPARATOR);
        }
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        self.series.push(Series { id, family, labels: text.into() });
        self.values.push(0.0);
        self.index.entry(hash).or_insert(index);
        self.version += 1;
        Some(index)
    }

    /// Keeps only the series in `said`, and their order as the new sequence.
    fn retain(&mut self, said: &[u32]) {
        let mut kept = vec![false; self.series.len()];
        for index in said {
            kept[*index as usize] = true;
        }
        if kept.contains(&false) {
            self.version += 1;
        }
        let mut moved = vec![0; kept.len()];
        let mut count = 0;
        for (index, keep) in kept.iter().enumerate() {
            moved[index] = count;
            count += u32::from(*keep);
        }
        let mut keep = kept.iter();
        self.series.retain(|_| *keep.next().unwrap_or(&false));
        let mut keep = kept.iter();
        self.values.retain(|_| *keep.next().unwrap_or(&false));
        self.sequence = said.iter().map(|index| moved[*index as usize]).collect();
        self.index.clear();
        for (index, series) in (0_u32..).zip(&self.series) {
            self.index.entry(hash_of(series.family, series.labels())).or_insert(index);
        }
    }
}

fn hash_of<'a>(family: u32, labels: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    family.hash(&mut hasher);
    labels.for_each(|label| label.hash(&mut hasher));
    hasher.finish()
}

/// The readings of one collection: the sections of all sources that have any.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// One per source, shared with the reader; a copy is made only if it is still held at the next collection.
    pub sections: Vec<Arc<Section>>,
}

impl Table {
    /// All series with family and value, section by section.
    pub fn samples(&self) -> impl Iterator<Item = (&Family, &Series, f64)> {
        self.sections.iter().flat_map(|section| section.samples())
    }

    /// All series of the family called `name`.
    pub fn family<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Series, f64)> {
        self.samples().filter(move |(family, _, _)| &*family.name == name).map(|(_, series, value)| (series, value))
    }
}

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
    family: u32,
    left_out: usize,
    now: Moment,
}

impl<'a> Sink<'a> {
    /// Begins a collection into `section`.
    pub fn new(section: &'a mut Section, scratch: &'a mut Scratch, now: Moment) -> Self {
        scratch.said.clear();
        Self { section, scratch, notes: Vec::new(), cursor: 0, strayed: false, family: 0, left_out: 0, now }
    }

    /// The instant of the collection.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The samples that follow belong to this family.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        if let Some(expected) = self.expected() {
            let family = self.section.series[expected as usize].family;
            if &*self.section.families[family as usize].name == name {
                self.family = family;
                return;
            }
        }
        let known = self.section.families.iter().position(|family| &*family.name == name);
        let index = known.unwrap_or_else(|| {
            self.section.families.push(Family { name: name.into(), kind, help: help.into() });
            self.section.families.len() - 1
        });
        // Families are few: their names are in the source code or bounded by SERIES_MAX.
        self.family = u32::try_from(index).unwrap_or(u32::MAX);
    }

    /// One value of the current family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let index = match self.expected() {
            Some(expected) if self.section.series[expected as usize].says(self.family, labels) => {
                self.cursor += 1;
                Some(expected)
            }
            _ => self.stray(labels),
        };
        let Some(index) = index else {
            self.left_out += 1;
            return;
        };
        self.section.values[index as usize] = value;
        self.scratch.said.push(index);
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
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        let result = host.read_kept(path, &mut bytes).map_err(ProbeError::from);
        let result = result.and_then(|()| then(self, &String::from_utf8_lossy(&bytes)));
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
    /// What the source said, or that series had to be left out.
    pub fn finish(self, outcome: Result<(), ProbeError>) -> (Vec<Note>, Result<(), ProbeError>) {
        if outcome.is_err() {
            self.section.clear();
            return (self.notes, outcome);
        }
        if self.strayed || self.cursor != self.section.sequence.len() {
            self.section.retain(&self.scratch.said);
        }
        let outcome = match self.left_out {
            0 => Ok(()),
            count => Err(ProbeError::Crowded { limit: SERIES_MAX, left_out: count }),
        };
        (self.notes, outcome)
    }

    fn expected(&self) -> Option<u32> {
        self.section.sequence.get(self.cursor).copied()
    }

    /// The order is not the remembered one: finds or makes the series, and follows the remembered order from there.
    fn stray(&mut self, labels: &[(&str, &str)]) -> Option<u32> {
        self.strayed = true;
        let clean: Vec<(&str, Cow<'_, str>)> = labels.iter().map(|(name, value)| (*name, without_nul(value))).collect();
        let labels: Vec<(&str, &str)> = clean.iter().map(|(name, value)| (*name, &**value)).collect();
        let hash = hash_of(self.family, labels.iter().copied());
        let found = self.section.find(hash, self.family, &labels);
        if let Some(index) = found {
            if let Some(ahead) = self.section.sequence.iter().skip(self.cursor).position(|known| *known == index) {
                self.cursor += ahead + 1;
            }
            return found;
        }
        if self.section.series.len() >= SERIES_MAX {
            return None;
        }
        self.section.create(hash, self.family, &labels)
    }
}

fn without_nul(value: &str) -> Cow<'_, str> {
    if value.contains(SEPARATOR) { Cow::Owned(value.replace(SEPARATOR, " ")) } else { Cow::Borrowed(value) }
}

/// A number as the kernel writes it: decimal, or hexadecimal after `0x`.
#[must_use]
pub fn parse_number(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        #[expect(clippy::cast_precision_loss, reason = "kernel counters are shown as doubles, as Prometheus does")]
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|value| value as f64),
        None if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => text.parse().ok(),
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
    use super::*;

    fn say(section: &mut Section, devices: &[&str], value: f64) -> Result<(), ProbeError> {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(section, &mut scratch, Moment::default());
        for name in ["reads", "writes"] {
            sink.family(name, Kind::Counter, "help");
            for device in devices {
                sink.sample(&[("device", device)], value);
            }
        }
        sink.finish(Ok(())).1
    }

    fn said(section: &Section) -> Vec<(u32, String)> {
        let name = |family: &Family, series: &Series| format!("{}/{}", family.name, series.label("device").unwrap());
        section.samples().map(|(family, series, _)| (series.id, name(family, series))).collect()
    }

    #[test]
    fn the_same_series_keep_their_ids_and_version_while_values_change() {
        let mut section = Section::new("disk", Arc::default());
        say(&mut section, &["a", "b"], 1.0).unwrap();
        let (before, version) = (said(&section), section.version());
        say(&mut section, &["a", "b"], 2.0).unwrap();
        assert_eq!((said(&section), section.version()), (before, version));
        assert!(section.samples().all(|(_, _, value)| value == 2.0));
    }

    #[test]
    fn what_vanishes_is_retired_and_what_returns_gets_a_new_id() {
        let mut section = Section::new("disk", Arc::default());
        say(&mut section, &["a", "b"], 1.0).unwrap();
        say(&mut section, &["b"], 1.0).unwrap();
        assert_eq!(said(&section), [(1, "reads/b".to_owned()), (3, "writes/b".to_owned())]);
        say(&mut section, &["a", "b"], 1.0).unwrap();
        let ids: Vec<u32> = said(&section).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 3, 4, 5], "ascending, none used twice");
    }

    #[test]
    fn another_order_of_the_same_series_changes_nothing_but_the_order() {
        let mut section = Section::new("disk", Arc::default());
        say(&mut section, &["a", "b", "c"], 1.0).unwrap();
        let (before, version) = (said(&section), section.version());
        say(&mut section, &["c", "a", "b"], 5.0).unwrap();
        say(&mut section, &["b", "c", "a"], 6.0).unwrap();
        assert_eq!((said(&section), section.version()), (before, version));
        assert!(section.samples().all(|(_, _, value)| value == 6.0));
    }

    #[test]
    fn a_failed_source_says_nothing() {
        let mut section = Section::new("disk", Arc::default());
        say(&mut section, &["a"], 1.0).unwrap();
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        sink.single("x", Kind::Gauge, "", 1.0);
        sink.finish(Err(ProbeError::Failed("broken".to_owned()))).1.unwrap_err();
        assert_eq!(section.samples().count(), 0);
    }

    #[test]
    fn series_beyond_the_cap_are_left_out_and_said() {
        let mut section = Section::new("disk", Arc::default());
        let names: Vec<String> = (0..SERIES_MAX).map(|number| format!("d{number}")).collect();
        let devices: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = say(&mut section, &devices, 1.0).unwrap_err();
        assert_eq!(error, ProbeError::Crowded { limit: SERIES_MAX, left_out: SERIES_MAX });
        assert_eq!(section.samples().count(), SERIES_MAX);
        say(&mut section, &["d1"], 1.0).unwrap_err();
        say(&mut section, &["d1"], 1.0).unwrap();
        assert_eq!(section.samples().count(), 2, "there is room again after the others went");
    }

    #[test]
    fn kernel_numbers_are_decimal_or_hexadecimal() {
        assert_eq!(parse_number("0x1003"), Some(4099.0));
        assert_eq!(parse_number("-1"), Some(-1.0));
        assert_eq!(parse_number("nan"), None);
        assert_eq!(parse_number(""), None);
    }
}

//! Readings as a table: per source a [`Section`] of families, series and values, filled through a [`super::Sink`].
//!
//! A source says the same series in the same order at every report, so a section remembers that order and only
//! compares: in the steady state a sample is one comparison and one store, nothing is hashed or allocated. When
//! something comes or goes the sample is looked up by hash, gets an id or is retired. Ids are never used twice.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Series of one source, as many as the collector takes of a host: a family that does not fit is left out whole.
pub(super) const SERIES_MAX: usize = 20_000;
/// Separates the parts of a flat label text; no kernel text contains it.
pub(super) const SEPARATOR: char = '\0';

/// How Prometheus is to understand a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Neither is known.
    Untyped,
    /// Only grows, until a reboot.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted in buckets: [`Part::Bucket`], [`Part::Sum`] and [`Part::Count`].
    Histogram,
    /// Observations with quantiles: [`Part::Whole`] per quantile, [`Part::Sum`] and [`Part::Count`].
    Summary,
}

/// What a series is of its family; only those of histograms and summaries are parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The family itself.
    Whole,
    /// How many observations were at most `le`.
    Bucket,
    /// The sum of all observations.
    Sum,
    /// How many observations there were.
    Count,
}

impl Part {
    /// What follows the family's name in the exposition.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Bucket => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }
}

/// What the sections of one table share: ids that are never used twice, and which source says which family.
#[derive(Debug, Default)]
pub struct Names {
    next_id: AtomicU32,
    claims: AtomicU32,
    said_by: Mutex<HashMap<u64, &'static str>>,
}

impl Names {
    /// The first series gets this id.
    #[must_use]
    pub fn starting_at(id: u32) -> Self {
        Self { next_id: AtomicU32::new(id), ..Self::default() }
    }

    /// The source that said a family of this name last.
    #[must_use]
    pub fn said_by(&self, family: &str) -> Option<&'static str> {
        self.said_by.lock().unwrap_or_else(PoisonError::into_inner).get(&hash_of_name(family)).copied()
    }

    /// Grows whenever a source says a family that it did not say before.
    pub(super) fn claims(&self) -> u32 {
        self.claims.load(Ordering::Relaxed)
    }

    fn claim(&self, family: &str, source: &'static str) {
        self.said_by.lock().unwrap_or_else(PoisonError::into_inner).insert(hash_of_name(family), source);
        self.claims.fetch_add(1, Ordering::Relaxed);
    }
}

fn hash_of_name(family: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    family.hash(&mut hasher);
    hasher.finish()
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
    /// What it is of its family.
    pub part: Part,
    pub(super) family: u32,
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

    fn spells(&self, labels: &[(&str, &str)]) -> bool {
        let mut rest = self.labels.as_bytes();
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            match rest.strip_prefix(part.as_bytes()) {
                Some([0, after @ ..]) => rest = after,
                _ => return false,
            }
        }
        rest.is_empty()
    }

    pub(super) fn says(&self, family: u32, part: Part, labels: &[(&str, &str)]) -> bool {
        self.family == family && self.part == part && self.spells(labels)
    }
}

/// A family that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub family: Box<str>,
    /// The series that it would have now.
    pub wanted: usize,
    /// The series that it had when that was decided.
    pub decided: usize,
}

/// What one source says: its families, its series by ascending id, and their values.
#[derive(Debug, Clone)]
pub struct Section {
    pub(super) source: &'static str,
    version: u64,
    pub(super) families: Vec<Family>,
    pub(super) series: Vec<Series>,
    pub(super) values: Vec<f64>,
    /// Indices into `series`, in the order in which the source says them.
    pub(super) sequence: Vec<u32>,
    index: HashMap<u64, u32>,
    /// What the source knows its material by.
    pub(super) stamp: Option<u64>,
    /// What it does not say because the host has too many series.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) names: Arc<Names>,
}

impl Section {
    /// An empty section; `names` is shared by all sections of a table.
    #[must_use]
    pub fn new(source: &'static str, names: Arc<Names>) -> Self {
        Self {
            source,
            version: 0,
            families: Vec::new(),
            series: Vec::new(),
            values: Vec::new(),
            sequence: Vec::new(),
            index: HashMap::new(),
            stamp: None,
            left_out: Vec::new(),
            names,
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
        self.families.clear();
        self.stamp = None;
    }

    /// The family of exactly this definition, made where there is none. Those without series go with [`Self::retain`].
    pub(super) fn define(&mut self, name: &str, kind: Kind, help: &str) -> u32 {
        let same = |family: &Family| &*family.name == name && family.kind == kind && &*family.help == help;
        let index = self.families.iter().position(same).unwrap_or_else(|| {
            self.names.claim(name, self.source);
            self.families.push(Family { name: name.into(), kind, help: help.into() });
            self.families.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    pub(super) fn find(&self, family: u32, part: Part, labels: &[(&str, &str)]) -> Option<u32> {
        let known = *self.index.get(&hash_of(family, part, labels.iter().copied()))?;
        if self.series[known as usize].says(family, part, labels) {
            return Some(known);
        }
        // Two series share a hash: rare enough for a walk.
        let found = self.series.iter().position(|series| series.says(family, part, labels))?;
        u32::try_from(found).ok()
    }

    pub(super) fn create(&mut self, family: u32, part: Part, labels: &[(&str, &str)]) -> Option<u32> {
        let index = u32::try_from(self.series.len()).ok()?;
        let mut text = String::new();
        for part in labels.iter().flat_map(|(name, value)| [name, value]) {
            text.push_str(part);
            text.push(SEPARATOR);
        }
        let id = self.names.next_id.fetch_add(1, Ordering::Relaxed);
        self.series.push(Series { id, part, family, labels: text.into() });
        self.values.push(0.0);
        self.index.entry(hash_of(family, part, labels.iter().copied())).or_insert(index);
        self.version += 1;
        Some(index)
    }

    /// Keeps only the series in `said`, and their order as the new sequence.
    pub(super) fn retain(&mut self, said: &[u32]) {
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
        self.drop_families();
        self.index.clear();
        for (index, series) in (0_u32..).zip(&self.series) {
            self.index.entry(hash_of(series.family, series.part, series.labels())).or_insert(index);
        }
    }

    /// Families without a series go: their names may come from files that say other names each time.
    fn drop_families(&mut self) {
        let mut moved = vec![u32::MAX; self.families.len()];
        self.series.iter().for_each(|series| moved[series.family as usize] = 0);
        for (place, count) in moved.iter_mut().filter(|place| **place == 0).zip(0..) {
            *place = count;
        }
        self.series.iter_mut().for_each(|series| series.family = moved[series.family as usize]);
        let mut places = moved.iter();
        self.families.retain(|_| places.next().is_some_and(|place| *place != u32::MAX));
    }
}

fn hash_of<'a>(family: u32, part: Part, labels: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (family, part).hash(&mut hasher);
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

#[cfg(test)]
mod tests;

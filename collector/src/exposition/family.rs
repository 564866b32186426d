//! One family of a page in the making.

use std::collections::HashSet;

use crate::domain::readings::dictionary::{
    FamilyType,
    text::{self, Format},
};

/// Header and samples of a family, as text.
pub(super) struct Family {
    name: &'static str,
    text: Vec<u8>,
    seen: HashSet<Box<[u8]>>,
    is_empty: bool,
}

impl Family {
    /// A gauge without a sample yet.
    pub(super) fn new(format: Format, name: &'static str, help: &str) -> Self {
        Self::of(format, name, FamilyType::Gauge, help)
    }

    /// A family of this type without a sample yet.
    pub(super) fn of(format: Format, name: &'static str, kind: FamilyType, help: &str) -> Self {
        let mut text = Vec::new();
        text::push_header(&mut text, format, name, kind, help);
        Self { name, text, seen: HashSet::new(), is_empty: true }
    }

    /// Appends a sample. Label values are host text: cleaned by who pushes, escaped here.
    pub(super) fn push(&mut self, labels: &[(&str, &str)], value: f64) {
        text::push_series(&mut self.text, self.name, "", labels);
        text::push_number(&mut self.text, value);
        self.text.push(b'\n');
        self.is_empty = false;
    }

    /// Cleans and appends a sample, unless there is one of these labels: Prometheus takes nothing of a page that says a
    /// series twice, and what tools print is not trusted to be without.
    pub(super) fn push_once(&mut self, labels: &[(&str, &str)], value: f64) {
        let cleaned: Vec<(&str, String)> = labels.iter().map(|(name, value)| (*name, text::clean(value))).collect();
        let mut series = Vec::new();
        text::push_series(&mut series, self.name, "", &cleaned);
        if self.seen.insert(series.clone().into()) {
            self.text.extend_from_slice(&series);
            text::push_number(&mut self.text, value);
            self.text.push(b'\n');
            self.is_empty = false;
        }
    }

    /// Writes it.
    pub(super) fn append(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(&self.text);
    }

    /// Writes it if it has a sample.
    pub(super) fn append_if_any(&self, body: &mut Vec<u8>) {
        if !self.is_empty {
            self.append(body);
        }
    }
}

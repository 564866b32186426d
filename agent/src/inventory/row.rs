//! Rows in the making: stable keys, names and values that are short, plain text and never empty.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use super::{ROWS_MAX, Status, Unread};

/// Bytes of a key and of a source.
const KEY_MAX: usize = 256;
/// Bytes of a value.
const VALUE_MAX: usize = 1024;
/// Fields of a row, durable and latest together.
const FIELDS_MAX: usize = 64;
/// Bytes of a section's reason.
const REASON_MAX: usize = 256;
/// Reasons named; more of a kind say nothing new.
const REASONS_MAX: usize = 8;

/// Names and values, by name.
pub type Fields = Vec<(Cow<'static, str>, String)>;

/// A row of a section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Made of what identifies it; once in its section.
    pub key: String,
    /// What has a history.
    pub durable: Fields,
    /// What moves by itself: the last value only.
    pub latest: Fields,
    /// Where it was read, if not where its section was.
    pub source: String,
}

impl Row {
    /// A row without fields.
    #[must_use]
    pub fn new(key: impl Display) -> Self {
        Self { key: plain(key, KEY_MAX), ..Self::default() }
    }

    /// A field that has a history; left out where the value is empty.
    #[must_use]
    pub fn durable(mut self, name: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        put(&mut self.durable, name.into(), value);
        self
    }

    /// The same of what may not be known.
    #[must_use]
    pub fn known(self, name: impl Into<Cow<'static, str>>, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.durable(name, value),
            None => self,
        }
    }

    /// A field whose last value alone counts; left out where the value is empty.
    #[must_use]
    pub fn latest(mut self, name: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        put(&mut self.latest, name.into(), value);
        self
    }

    /// Where it was read, if not where its section was.
    #[must_use]
    pub fn read_in(mut self, source: impl Display) -> Self {
        self.source = plain(source, KEY_MAX);
        self
    }

    /// A field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.durable.iter().chain(&self.latest);
        fields.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn put(fields: &mut Fields, name: Cow<'static, str>, value: impl Display) {
    let value = plain(value, VALUE_MAX);
    if !value.is_empty() {
        fields.push((name, value));
    }
}

/// The text on one line, without control characters and outer blanks, at most `max` bytes.
pub(super) fn plain(text: impl Display, max: usize) -> String {
    let mut plain = String::new();
    // Writing to a String cannot fail.
    let _ = write!(plain, "{text}");
    if plain.contains(|c: char| c.is_control()) {
        plain = plain.replace(|c: char| c.is_control(), " ");
    }
    if plain.len() > max {
        plain.truncate(plain.floor_char_boundary(max));
    }
    if plain.trim().len() < plain.len() {
        plain = plain.trim().to_owned();
    }
    plain.shrink_to_fit();
    plain
}

/// A section in the making.
#[derive(Debug, Default)]
pub struct Sheet {
    source: String,
    lacking: Vec<String>,
    rows: Vec<Row>,
    crowded: bool,
    failed: bool,
}

/// What became of a sheet.
pub(super) struct Filled {
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) source: String,
    pub(super) rows: Vec<Row>,
    pub(super) whole: bool,
}

impl Sheet {
    /// Where the section is read; several places are all named.
    pub fn read_in(&mut self, source: impl Display) {
        let source = plain(source, KEY_MAX);
        if self.source.is_empty() {
            self.source = source;
        } else if !self.source.split(", ").any(|known| known == source) {
            let both = format!("{}, {source}", self.source);
            self.source = plain(both, KEY_MAX);
        }
    }

    /// Something of it cannot be known here, as long as nothing is changed about that.
    pub fn lacks(&mut self, reason: impl Display) {
        let reason = plain(reason, REASON_MAX);
        if self.lacking.len() < REASONS_MAX && !self.lacking.contains(&reason) {
            self.lacking.push(reason);
        }
    }

    /// Reading a part of it failed: rows that are not here may still be there.
    pub fn fails(&mut self, reason: impl Display) {
        self.failed = true;
        self.lacks(reason);
    }

    /// What came of a part of the section: that it is not there is no lack.
    pub fn part(&mut self, outcome: Result<(), Unread>) {
        if let Err(Unread::Unreadable(reason)) = outcome {
            self.fails(reason);
        }
    }

    /// Lays a row.
    pub fn row(&mut self, row: Row) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        } else {
            self.crowded = true;
        }
    }

    /// Whether anything of it cannot be known.
    #[must_use]
    pub fn lacks_any(&self) -> bool {
        !self.lacking.is_empty()
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether reading a part of it failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn filled(mut self, outcome: Result<(), Unread>) -> Filled {
        if self.crowded {
            self.lacks(format!("more than {ROWS_MAX} rows: the rest is left out"));
        }
        let (status, reason) = match outcome {
            Err(Unread::Absent(reason)) => (Status::Absent, reason),
            Err(Unread::Unreadable(reason)) => (Status::Unreadable, reason),
            Ok(()) if self.failed && self.rows.is_empty() => (Status::Unreadable, self.lacking.join("; ")),
            Ok(()) if self.lacking.is_empty() => (Status::Complete, String::new()),
            Ok(()) => (Status::Partial, self.lacking.join("; ")),
        };
        let rows = if matches!(status, Status::Complete | Status::Partial) { self.rows } else { Vec::new() };
        Filled {
            status,
            reason: plain(reason, REASON_MAX),
            source: self.source,
            rows: in_order(rows),
            whole: !self.failed && status != Status::Unreadable,
        }
    }
}

/// Rows by key and their fields by name, however they were found. Of rows with one key the later ones get a number.
fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        row.durable.sort();
        row.durable.dedup_by(|a, b| a.0 == b.0);
        row.durable.truncate(FIELDS_MAX);
        row.latest.sort();
        row.latest.dedup_by(|a, b| a.0 == b.0);
        row.latest.truncate(FIELDS_MAX - row.durable.len());
    }
    rows.sort_by(|a, b| (&a.key, &a.durable).cmp(&(&b.key, &b.durable)));
    let mut again = 1;
    for at in 1..rows.len() {
        let (before, after) = rows.split_at_mut(at);
        let first = &before[at - again].key;
        if after[0].key == *first {
            again += 1;
            let number = format!("#{again}");
            let kept = after[0].key.floor_char_boundary(KEY_MAX - number.len());
            after[0].key.truncate(kept);
            after[0].key.push_str(&number);
        } else {
            again = 1;
        }
    }
    // A number may have moved a row behind one that ends like it.
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows.dedup_by(|a, b| a.key == b.key);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sheet: Sheet) -> Filled {
        sheet.filled(Ok(()))
    }

    #[test]
    fn rows_are_in_order_whatever_order_they_came_in_and_no_key_is_there_twice() {
        let rows = || [("b", "1"), ("a", "2"), ("a", "1"), ("a", "3")].map(|(key, v)| Row::new(key).durable("v", v));
        let in_this_order = |order: [usize; 4]| {
            let mut sheet = Sheet::default();
            order.iter().for_each(|at| sheet.row(rows()[*at].clone()));
            filled(sheet).rows
        };
        let first = in_this_order([0, 1, 2, 3]);
        let keys: Vec<(&str, Option<&str>)> = first.iter().map(|row| (row.key.as_str(), row.get("v"))).collect();
        assert_eq!(keys, [("a", Some("1")), ("a#2", Some("2")), ("a#3", Some("3")), ("b", Some("1"))]);
        assert_eq!(in_this_order([3, 2, 1, 0]), first);
    }

    #[test]
    fn values_are_plain_short_text_and_never_empty() {
        let row = Row::new("k").durable("a", " two\nlines\u{1b}[2J ").durable("b", " \t").latest("c", "ä".repeat(600));
        assert_eq!(row.get("a"), Some("two lines [2J"));
        assert_eq!(row.get("b"), None);
        assert_eq!(row.get("c").map(str::len), Some(1024));
    }

    #[test]
    fn a_section_says_what_it_lacks_and_a_part_that_failed_leaves_rows_that_are_not_seen() {
        let mut sheet = Sheet::default();
        sheet.row(Row::new("a"));
        sheet.lacks("no right");
        let partial = filled(sheet);
        assert_eq!((partial.status, &*partial.reason, partial.whole), (Status::Partial, "no right", true));
        let mut sheet = Sheet::default();
        sheet.row(Row::new("a"));
        sheet.part(Err(Unread::Absent("no rpm".into())));
        sheet.part(Err(Unread::Unreadable("snapd does not answer".into())));
        let failed = filled(sheet);
        assert_eq!((failed.status, &*failed.reason), (Status::Partial, "snapd does not answer"));
        assert!(!failed.whole);
        let mut sheet = Sheet::default();
        sheet.fails("disk error");
        assert_eq!(filled(sheet).status, Status::Unreadable);
    }

    #[test]
    fn more_rows_than_are_taken_are_left_out_and_said_so() {
        let mut sheet = Sheet::default();
        (0..=ROWS_MAX).for_each(|n| sheet.row(Row::new(n)));
        let filled = filled(sheet);
        assert_eq!((filled.rows.len(), filled.status), (ROWS_MAX, Status::Partial));
        assert!(filled.reason.contains("20000"), "{}", filled.reason);
    }
}

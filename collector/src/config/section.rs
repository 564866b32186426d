//! Reading one table of a TOML document so that no mistake hides another: every wrong type, value, unknown or missing
//! key is noted with file, line, key, value and expectation, and reading goes on.
//!
//! serde's derive stops at the first error, which is why the tables are walked by hand.

use std::{cell::RefCell, path::PathBuf};

use toml::de::{DeTable, DeValue};

use super::{ConfigErrors, Mistake};
use crate::notify::secret::Secret;

/// Longest part of a value that a message repeats, in characters.
const SHOWN_CHARS: usize = 80;
/// Most mistakes reported at once; a file that is no configuration at all has thousands.
const MISTAKES_KEPT: usize = 100;

/// The document being read and what is wrong with it so far.
pub(super) struct Source {
    file: PathBuf,
    line_starts: Vec<usize>,
    mistakes: RefCell<Vec<Mistake>>,
    warnings: RefCell<Vec<(usize, String)>>,
    broken_lines: RefCell<Vec<usize>>,
}

impl Source {
    pub(super) fn new(file: PathBuf, text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            file,
            line_starts,
            mistakes: RefCell::default(),
            warnings: RefCell::default(),
            broken_lines: RefCell::default(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Notes a syntax error; other mistakes on the same line are then its echo and not reported.
    pub(super) fn syntax(&self, offset: usize, message: &str) {
        let line = self.line(offset);
        self.push(Some(line), String::new(), None, format!("TOML: {}", message.replace('\n', ", ")));
        self.broken_lines.borrow_mut().push(line);
    }

    fn note(&self, offset: usize, key: String, value: Option<String>, expected: String) {
        let line = self.line(offset);
        if !self.broken_lines.borrow().contains(&line) {
            self.push(Some(line), key, value, expected);
        }
    }

    fn push(&self, line: Option<usize>, key: String, value: Option<String>, expected: String) {
        let mut mistakes = self.mistakes.borrow_mut();
        if mistakes.len() < MISTAKES_KEPT {
            mistakes.push(Mistake { file: self.file.clone(), line, key, value, expected });
        }
    }

    /// Notes what works and should not be.
    fn warn(&self, offset: usize, key: &str, advice: &str) {
        let line = self.line(offset);
        self.warnings.borrow_mut().push((line, format!("{}:{line}: {key}: {advice}", self.file.display())));
    }

    /// All mistakes in the order of the file or, where there are none, the warnings.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigErrors> {
        let (mut mistakes, mut warnings) = (self.mistakes.into_inner(), self.warnings.into_inner());
        mistakes.sort_by_key(|mistake| mistake.line);
        warnings.sort();
        let warnings = warnings.into_iter().map(|(_, warning)| warning).collect();
        if mistakes.is_empty() { Ok(warnings) } else { Err(ConfigErrors { mistakes }) }
    }
}

/// One table of the document. Keys are taken out as they are read; what is left at the end is unknown.
pub(super) struct Section<'s, 'i> {
    source: &'s Source,
    name: String,
    offset: usize,
    table: DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'s, 'i> Section<'s, 'i> {
    pub(super) fn new(source: &'s Source, name: String, offset: usize, table: DeTable<'i>) -> Self {
        Self { source, name, offset, table, known: Vec::new() }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, DeValue<'i>)> {
        self.known.push(key);
        self.table.remove(key).map(|value| (value.span().start, value.into_inner()))
    }

    /// Notes that `key` is wrong although it could be read, or is missing.
    pub(super) fn wrong(&self, key: &str, expected: impl Into<String>) {
        self.source.note(self.offset, self.path(key), None, expected.into());
    }

    /// Notes that `key`, whose value stood `at`, works and should not be.
    pub(super) fn advise(&self, at: Option<usize>, key: &str, advice: &str) {
        self.source.warn(at.unwrap_or(self.offset), &self.path(key), advice);
    }

    fn wrong_value(&self, offset: usize, key: &str, value: &DeValue<'_>, expected: impl Into<String>) {
        self.source.note(offset, self.path(key), Some(shown(key, value)), expected.into());
    }

    /// Where the value of `key` stands that is not read yet.
    pub(super) fn at(&self, key: &str) -> Option<usize> {
        self.table.get(key).map(|value| value.span().start)
    }

    /// Notes that `key`, whose value stands `at`, says something that cannot be; where it is not set, its table is blamed.
    pub(super) fn wrong_at(&self, at: Option<usize>, key: &str, value: &str, expected: String) {
        let value = Some(format!("{:?}", printable(value)));
        self.source.note(at.unwrap_or(self.offset), self.path(key), value, expected);
    }

    /// Whether `key` is set and not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// There might be such a key.
    pub(super) fn knows(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// A key that there may not be, for a reason that is better than that nobody knows it.
    pub(super) fn refuse(&mut self, key: &str, reason: &str) {
        if let Some(entry) = self.table.remove(key) {
            self.source.note(entry.span().start, self.path(key), Some(shown(key, entry.get_ref())), reason.to_owned());
        }
    }

    /// Nothing can be said of the keys that are left.
    pub(super) fn forget(&mut self) {
        self.table = DeTable::default();
    }

    /// A text that `read` accepts; `read` answers what was expected instead.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (offset, value) = self.take(key)?;
        let DeValue::String(text) = &value else {
            self.wrong_value(offset, key, &value, expected);
            return None;
        };
        read(text).map_err(|better| self.wrong_value(offset, key, &value, better)).ok()
    }

    /// The same, but it must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.known.push(key);
            self.wrong(key, format!("{expected}; it is missing"));
            return None;
        }
        self.text(key, expected, read)
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, key: &'static str) -> Option<bool> {
        let (offset, value) = self.take(key)?;
        if let DeValue::Boolean(on) = value {
            return Some(on);
        }
        self.wrong_value(offset, key, &value, "true or false");
        None
    }

    /// A number from `range`, whole or not.
    pub(super) fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<f64>) -> Option<f64> {
        let (offset, value) = self.take(key)?;
        let number = match &value {
            DeValue::Integer(whole) if whole.radix() == 10 => whole.as_str().parse().ok(),
            DeValue::Float(real) => real.as_str().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong_value(offset, key, &value, format!("a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// A list of texts, each of which `read` accepts; at most `most`.
    pub(super) fn texts<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        most: usize,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (offset, value) = self.take(key)?;
        let DeValue::Array(items) = &value else {
            self.wrong_value(offset, key, &value, format!("a list of {expected}"));
            return None;
        };
        if items.len() > most {
            self.wrong_value(offset, key, &value, format!("at most {most} entries"));
            return None;
        }
        let mut good = Vec::with_capacity(items.len());
        for item in items {
            let (at, item) = (item.span().start, item.get_ref());
            match item.as_str().map(&mut read) {
                Some(Ok(entry)) => good.push(entry),
                Some(Err(better)) => self.wrong_value(at, key, item, better),
                None => self.wrong_value(at, key, item, expected),
            }
        }
        (good.len() == items.len()).then_some(good)
    }

    /// The same, but at least one must be there.
    pub(super) fn required_texts<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        most: usize,
        read: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let given = self.has(key);
        let texts = self.texts(key, expected, most, read);
        if !given || texts.as_ref().is_some_and(Vec::is_empty) {
            self.wrong(key, format!("a list of at least one: {expected}"));
            return None;
        }
        texts
    }

    /// A table of texts, such as labels; `read` checks name and value.
    pub(super) fn pairs(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &str) -> Result<(), String>,
    ) -> Vec<(String, String)> {
        let Some((offset, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Table(table) = &value else {
            self.wrong_value(offset, key, &value, "a table such as { department = \"finance\" }");
            return Vec::new();
        };
        let mut good = Vec::with_capacity(table.len());
        for (name, item) in table {
            let Some(text) = item.get_ref().as_str() else {
                self.wrong_value(item.span().start, key, item.get_ref(), "a text in quotes");
                continue;
            };
            match read(name.get_ref(), text) {
                Ok(()) => good.push((name.get_ref().to_string(), text.to_owned())),
                Err(better) => self.wrong_value(item.span().start, key, item.get_ref(), better),
            }
        }
        good
    }

    /// A secret that is read from the file which `key` names. `inline` is the key under which people write the secret
    /// itself; that works, with a warning that names the remedy.
    pub(super) fn secret_file(&mut self, key: &'static str, inline: &'static str) -> Option<Secret> {
        if let Some(entry) = self.table.remove(inline) {
            let (offset, path) = (entry.span().start, self.path(inline));
            let note = |expected: String| self.source.note(offset, path.clone(), Some("(hidden)".into()), expected);
            return match entry.get_ref() {
                _ if self.has(key) => {
                    note(format!("{key} or {inline}, not both; the file is the better place"));
                    self.take(key);
                    None
                }
                DeValue::String(text) if !text.trim().is_empty() => {
                    let advice = format!(
                        "a secret stands in this file, for all to see who may read it: write it to a file of its own \
                         and set {key} to its path"
                    );
                    self.source.warn(offset, &path, &advice);
                    self.known.push(key);
                    Some(Secret::new(text.trim()))
                }
                _ => {
                    note(format!("no secret here: set {key} to the path of a file that holds it"));
                    None
                }
            };
        }
        self.text(key, "the path of a file that holds the secret", |path| {
            Secret::from_file(path.as_ref()).map_err(|error| error.to_string())
        })
    }

    /// The same, but it must be there; `what` says what is missing.
    pub(super) fn required_secret(&mut self, key: &'static str, inline: &'static str, what: &str) -> Option<Secret> {
        if !self.has(key) && !self.has(inline) {
            self.known.push(key);
            self.wrong(key, format!("the path of a file that holds {what}; it is missing"));
            return None;
        }
        self.secret_file(key, inline)
    }

    /// The line on which it stands, as an explanation names it.
    pub(super) fn place(&self) -> String {
        let file = self.source.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{file}:{}", self.source.line(self.offset))
    }

    /// An amount that `read` accepts: a text, or a number where it needs no unit.
    pub(super) fn amount<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (offset, value) = self.take(key)?;
        let given = match &value {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(whole) if whole.radix() == 10 => Ok(whole.as_str().to_owned()),
            DeValue::Float(real) => Ok(real.as_str().to_owned()),
            _ => Err(expected.to_owned()),
        };
        given.and_then(|text| read(&text)).map_err(|better| self.wrong_value(offset, key, &value, better)).ok()
    }

    /// The tables below this one under names that the administrator chose, at most `most`, in the order of the file.
    pub(super) fn named_tables(&mut self, most: usize) -> Vec<(String, Section<'s, 'i>)> {
        let mut found = Vec::new();
        let mut all: Vec<_> = std::mem::take(&mut self.table).into_iter().collect();
        all.sort_by_key(|(name, _)| name.span().start);
        if all.len() > most {
            self.wrong("", format!("at most {most} of them"));
        }
        for (name, value) in all.into_iter().take(most) {
            let (name, offset) = (name.get_ref().to_string(), name.span().start);
            let shown = printable(&name);
            match value.into_inner() {
                DeValue::Table(table) => {
                    let section = Section::new(self.source, self.path(&shown), offset, table);
                    found.push((shown, section));
                }
                other => self.wrong_value(offset, &shown, &other, format!("{shown} = {{ rule = \"...\", ... }}")),
            }
        }
        found
    }

    /// A table below this one; empty where it is absent.
    pub(super) fn table(&mut self, key: &'static str) -> Section<'s, 'i> {
        let name = self.path(key);
        let (offset, table) = match self.take(key) {
            None => (self.offset, DeTable::default()),
            Some((offset, DeValue::Table(table))) => (offset, table),
            Some((offset, other)) => {
                self.wrong_value(offset, key, &other, format!("a table: [{name}]"));
                (offset, DeTable::default())
            }
        };
        Section::new(self.source, name, offset, table)
    }

    /// The tables `[[key]]` below this one, at most `most`.
    pub(super) fn tables(&mut self, key: &'static str, most: usize) -> Vec<Section<'s, 'i>> {
        let name = self.path(key);
        let Some((offset, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.wrong_value(offset, key, &value, format!("a list of tables: [[{name}]]"));
            return Vec::new();
        };
        if items.len() > most {
            self.source.note(offset, name.clone(), Some(items.len().to_string()), format!("at most {most} of them"));
        }
        let mut sections = Vec::new();
        for (at, item) in items.into_iter().take(most).enumerate() {
            let (offset, name) = (item.span().start, format!("{name}[{}]", at + 1));
            match item.into_inner() {
                DeValue::Table(table) => sections.push(Section::new(self.source, name, offset, table)),
                other => self.wrong_value(offset, key, &other, "a table"),
            }
        }
        sections
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(mut self) {
        for (key, value) in std::mem::take(&mut self.table) {
            let expected = format!("no such key here; known are: {}", self.known.join(", "));
            self.source.note(
                key.span().start,
                self.path(&printable(key.get_ref())),
                Some(shown(key.get_ref(), value.get_ref())),
                expected,
            );
        }
    }
}

/// A value as a message may repeat it: short, printable, and never a secret.
fn shown(key: &str, value: &DeValue<'_>) -> String {
    let lower = key.to_lowercase();
    if ["secret", "password", "passwd", "token", "credential"].iter().any(|word| lower.contains(word))
        && !lower.ends_with("_file")
    {
        return "(hidden)".into();
    }
    match value {
        DeValue::String(text) => format!("{:?}", printable(text)),
        DeValue::Integer(whole) => printable(whole.as_str()),
        DeValue::Float(real) => printable(real.as_str()),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(when) => when.to_string(),
        DeValue::Array(items) => format!("[{} entries]", items.len()),
        DeValue::Table(_) => "{table}".into(),
    }
}

fn printable(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
    if text.chars().count() > SHOWN_CHARS {
        shown.push('…');
    }
    shown
}

//! The keys of one table of a definition, taken out one by one; whatever is wrong with one is told with its line.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Spanned, Value};

use crate::inspection::{Inspection, parse_duration};

/// Longest text of a definition, in bytes.
const TEXT_MAX: usize = 1024;
/// Texts in one list.
const LIST_MAX: usize = 64;

/// A table as it is written.
pub(crate) type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

/// The keys that nobody has taken yet.
pub(super) struct Keys<'a, 'b> {
    left: BTreeMap<String, (usize, Value)>,
    /// What stands before a key: `check`.
    prefix: String,
    /// Where the table begins.
    at: usize,
    asked: Vec<&'static str>,
    inspection: &'a mut Inspection<'b>,
}

impl<'a, 'b> Keys<'a, 'b> {
    pub(super) fn new(table: Table, prefix: String, at: usize, inspection: &'a mut Inspection<'b>) -> Self {
        let left = table.into_iter().map(|(key, value)| (key.into_inner(), (value.span().start, value.into_inner())));
        Self { left: left.collect(), prefix, at, asked: Vec::new(), inspection }
    }

    pub(super) fn wrong(&mut self, at: usize, key: &str, value: &Value, expectation: &str) {
        let shown: String = value.to_string().chars().take(200).collect();
        self.inspection.mistake(at, format!("{}.{key} = {shown}: expected {expectation}", self.prefix));
    }

    pub(super) fn missing(&mut self, key: &str, expectation: &str) {
        self.inspection.mistake(self.at, format!("{}.{key} is missing: expected {expectation}", self.prefix));
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, Value)> {
        self.asked.push(key);
        self.left.remove(key)
    }

    /// What `read` makes of a key's value; a value of which it makes nothing is told.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        expectation: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let (at, value) = self.take(key)?;
        let made = read(&value);
        if made.is_none() {
            self.wrong(at, key, &value, expectation);
        }
        made
    }

    /// The same for a key that must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        expectation: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if !self.left.contains_key(key) {
            self.asked.push(key);
            self.missing(key, expectation);
            return None;
        }
        self.optional(key, expectation, read)
    }

    /// A duration as `15s`, in a range.
    pub(super) fn duration(&mut self, key: &'static str, range: &RangeInclusive<Duration>) -> Option<Duration> {
        let expectation = format!(
            "a time from {:?} to {:?}, as \"15s\", \"5m\" or \"2h\"",
            short(*range.start()),
            short(*range.end())
        );
        self.optional(key, &expectation, |value| parse_duration(value.as_str()?).filter(|time| range.contains(time)))
    }

    /// A whole number in a range.
    pub(super) fn number(&mut self, key: &'static str, range: &RangeInclusive<u32>) -> Option<u32> {
        let expectation = format!("a whole number from {} to {}", range.start(), range.end());
        self.optional(key, &expectation, |value| {
            u32::try_from(value.as_integer()?).ok().filter(|number| range.contains(number))
        })
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str, expectation: &str) -> Option<String> {
        self.optional(key, expectation, text)
    }

    /// A value that does not fit to another one.
    pub(super) fn wrong_here(&mut self, key: &str, value: &str, expectation: &str) {
        self.inspection.mistake(self.at, format!("{}.{key} = {value}: expected {expectation}", self.prefix));
    }

    /// Nothing can be said of the keys that are left.
    pub(super) fn forget(&mut self) {
        self.left.clear();
    }

    /// Ends the table: whatever is left is not known here.
    pub(super) fn finish(self) {
        for (key, (at, _)) in &self.left {
            let known = self.asked.join(", ");
            self.inspection
                .mistake(*at, format!("{}.{key} is no key of this kind, expected one of {known}", self.prefix));
        }
    }
}

/// A text that is not empty, bounded, and of one line.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty() && text.len() <= TEXT_MAX && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// A list of such texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array().filter(|list| list.len() <= LIST_MAX)?.iter().map(text).collect()
}

/// As durations are written in the file.
fn short(time: Duration) -> String {
    let ms = time.as_millis();
    match () {
        () if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        () if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        () if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        () => format!("{ms}ms"),
    }
}

//! The living inventory: what each host consists of, and what changed.
//!
//! A host tells its inventory in sections of rows with stable keys. What is *durable* of a row is compared and has a
//! history, what is *latest* is kept as the last value only. [`hash`] is what both ends compare, [`delta`] what comes over
//! the wire, [`apply`] what that makes of the rows that are held, [`guard`] which rows may be away for a while without
//! being gone; [`change`] names what differs in a manager's words. [`planned`] lays changes beside maintenance windows,
//! [`unseen`] says what nobody has seen for long, [`neighbours`] what hosts have met that nobody manages.

pub mod apply;
pub mod change;
pub mod delta;
pub mod guard;
pub mod hash;
pub mod neighbours;
pub mod pattern;
pub mod planned;
#[cfg(test)]
mod tests;
pub mod unseen;
mod versions;

use serde::{Deserialize, Serialize};

/// Sections of one host.
pub const SECTIONS: usize = 64;
/// Rows of one section.
pub const ROWS_PER_SECTION: usize = 50_000;
/// Rows of one host.
pub const ROWS_PER_HOST: usize = 60_000;
/// Bytes of one host's rows, keys and durable values: as many rows as it may have, of 500 bytes each. A row of a package
/// has some 150.
pub const BYTES_PER_HOST: usize = 32 * 1024 * 1024;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 1_024;
/// Bytes of a key, of a section's reason and of a source.
pub const TEXT_BYTES: usize = 256;
/// Fields of one row, durable and latest together.
pub const FIELDS: usize = 64;
/// Bytes of a section's or a field's name.
const NAME_BYTES: usize = 64;

/// Names and values, sorted by name.
pub type Fields = Vec<(String, String)>;

/// One thing that a host has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row {
    /// Names it in its section for good.
    pub key: String,
    /// What is compared and has a history.
    pub durable: Fields,
    /// What is kept as the last value only.
    pub latest: Fields,
    /// Where it was read, where that differs from its section.
    pub source: String,
}

/// How much of a section could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All of it.
    #[default]
    Complete,
    /// Some of it.
    Partial,
    /// There, but it may not look.
    Unreadable,
    /// No such thing on this machine.
    Absent,
    /// The machine's own configuration says not to look.
    SwitchedOff,
}

impl Status {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 5] = [Self::Complete, Self::Partial, Self::Unreadable, Self::Absent, Self::SwitchedOff];

    /// The number on the wire and in the hash.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Partial => 1,
            Self::Unreadable => 2,
            Self::Absent => 3,
            Self::SwitchedOff => 4,
        }
    }

    /// The status of a number.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| u32::from(status.number()) == number)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Unreadable => "unreadable",
            Self::Absent => "absent",
            Self::SwitchedOff => "switched_off",
        }
    }

    /// Whether a row that is not told is not there: where not all could be read it may just not have been seen.
    #[must_use]
    pub const fn tells_all(self) -> bool {
        matches!(self, Self::Complete | Self::Absent)
    }
}

/// What is said of a section as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// How much could be read.
    pub status: Status,
    /// Why not all of it; empty where all was.
    pub reason: String,
    /// Where it was read.
    pub source: String,
}

/// What a row takes: its key and its durable names and values, in bytes.
#[must_use]
pub fn size(key: &str, durable: &[(String, String)]) -> usize {
    key.len() + durable.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// A field's value.
#[must_use]
pub fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The first of these fields that there is.
#[must_use]
pub fn first_of<'a>(fields: &'a [(String, String)], names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| field(fields, name))
}

/// What a row is called where people look for it: its name, else its key.
#[must_use]
pub fn name<'a>(key: &'a str, durable: &'a [(String, String)]) -> &'a str {
    field(durable, "name").unwrap_or(key)
}

/// Whether this may name a section: `[a-z_]+`.
#[must_use]
pub fn is_section(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Whether this may name a field: `[a-z0-9_]+`.
#[must_use]
pub fn is_field(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(fits)
}

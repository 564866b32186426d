//! A section's difference as the agent tells it, as the door wrote it down: read, checked against the limits, and put
//! together from its parts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    FIELDS, Fields, Head, ROWS_PER_SECTION, Row, Status, TEXT_BYTES, VALUE_BYTES, hash::Hash, is_field, is_section,
};
use crate::domain::time::Timestamp;

/// Parts of one difference: 50 000 rows of 1 KiB in messages of 48 KiB.
pub const PARTS: u32 = 1_100;

/// Why a difference is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is a difference to something else than what is held.
    #[error("it is a difference to rows that are not held here")]
    OtherBase,
    /// What comes out is not what the host says.
    #[error("the rows do not come to the hash that the host gave for them")]
    OtherHash,
    /// Too much of something.
    #[error("{what} has {found}, {most} are taken at most")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are taken.
        most: usize,
    },
    /// Too many bytes.
    #[error("{what} takes {bytes} bytes, {most} are taken at most")]
    TooBig {
        /// Of what.
        what: &'static str,
        /// How many.
        bytes: usize,
        /// How many are taken.
        most: usize,
    },
    /// It is not what the contract says.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Refusal {
    /// A bounded word for counters.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OtherBase => "other_base",
            Self::OtherHash => "other_hash",
            Self::TooMany { .. } => "too_many",
            Self::TooBig { .. } => "too_big",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// A record of kind `inventory`: a difference or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Of which section.
    pub section: String,
    /// What it differs from; not looked at where it is `full`.
    pub base: Hash,
    /// What comes out.
    pub new: Hash,
    /// The section anew.
    pub full: bool,
    /// Which part of it, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// What is said of the section as a whole.
    pub head: Head,
    /// When the host looked, by its own clock, in milliseconds; 0: it does not say.
    pub collected_ms: i64,
    /// Rows that are new or changed: key, durable, latest (names and values in turn), source.
    pub put: Vec<(String, Vec<String>, Vec<String>, String)>,
    /// Keys of rows that it does not have any more.
    pub gone: Vec<String>,
}

/// A whole difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Of which section.
    pub section: String,
    /// What it differs from.
    pub base: Hash,
    /// What comes out.
    pub new: Hash,
    /// The section anew.
    pub full: bool,
    /// What is said of the section as a whole.
    pub head: Head,
    /// When it was looked at.
    pub at: Timestamp,
    /// Rows that are new or changed.
    pub put: Vec<Row>,
    /// Keys of rows that it does not have any more.
    pub gone: Vec<String>,
}

impl Part {
    /// The number of the part and of all, where nothing is said 1 of 1.
    #[must_use]
    pub fn place(&self) -> (u32, u32) {
        (self.part.max(1), self.parts.max(1))
    }

    /// Whether another is a part of the same difference.
    #[must_use]
    pub fn belongs_to(&self, other: &Self) -> bool {
        let of = |part: &Self| (part.section.clone(), part.base, part.new, part.full, part.place().1);
        of(self) == of(other)
    }

    /// Checks what can be checked of one part.
    ///
    /// # Errors
    /// [`Refusal`], and the whole difference is refused.
    pub fn check(&self) -> Result<(), Refusal> {
        let malformed = |why| Err(Refusal::Malformed(why));
        let (part, parts) = self.place();
        if !is_section(&self.section) {
            return malformed("a section is named by 1 to 64 of a-z and _");
        }
        if part > parts || parts > PARTS {
            return malformed("a part must be in 1..=parts, and parts at most 1100");
        }
        if self.head.reason.len() > TEXT_BYTES || self.head.source.len() > TEXT_BYTES {
            return malformed("reason and source of a section are at most 256 bytes");
        }
        if self.gone.iter().any(|key| !is_key(key)) {
            return malformed("a key is 1 to 256 bytes without control characters");
        }
        self.put.iter().try_for_each(|(key, durable, latest, source)| check_row(key, durable, latest, source))
    }
}

fn check_row(key: &str, durable: &[String], latest: &[String], source: &str) -> Result<(), Refusal> {
    if !is_key(key) {
        return Err(Refusal::Malformed("a key is 1 to 256 bytes without control characters"));
    }
    if source.len() > TEXT_BYTES {
        return Err(Refusal::Malformed("the source of a row is at most 256 bytes"));
    }
    let fields = (durable.len() + latest.len()) / 2;
    if fields > FIELDS {
        return Err(Refusal::TooMany { what: "a row", found: fields, most: FIELDS });
    }
    for of in [durable, latest] {
        let pairs = of.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(Refusal::Malformed("fields are names and values in turn"));
        }
        let names: Vec<&str> = pairs.clone().map(|pair| pair[0].as_str()).collect();
        if names.iter().any(|name| !is_field(name)) || !names.is_sorted_by(|a, b| a < b) {
            return Err(Refusal::Malformed("fields are named by a-z, 0-9 and _, sorted, each once"));
        }
        if pairs.into_iter().any(|pair| !(1..=VALUE_BYTES).contains(&pair[1].len())) {
            return Err(Refusal::Malformed("a value is 1 to 1024 bytes"));
        }
    }
    Ok(())
}

fn is_key(key: &str) -> bool {
    (1..=TEXT_BYTES).contains(&key.len()) && !key.chars().any(char::is_control)
}

/// One difference of all its parts; `at` is when it was looked at.
///
/// # Errors
/// [`Refusal`] when a part is missing or not as it should be.
pub fn whole(mut parts: Vec<Part>, at: Timestamp) -> Result<Delta, Refusal> {
    parts.sort_by_key(Part::place);
    let Some(first) = parts.first().cloned() else { return Err(Refusal::Malformed("a difference without a part")) };
    let numbers = parts.iter().map(|part| part.place().0);
    if !numbers.eq(1..=first.place().1) || !parts.iter().all(|part| part.belongs_to(&first)) {
        return Err(Refusal::Malformed("parts are missing or of another difference"));
    }
    parts.iter().try_for_each(Part::check)?;
    let rows: usize = parts.iter().map(|part| part.put.len() + part.gone.len()).sum();
    if rows > 2 * ROWS_PER_SECTION {
        return Err(Refusal::TooMany { what: "a difference", found: rows, most: 2 * ROWS_PER_SECTION });
    }
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for part in parts {
        let row = |(key, durable, latest, source)| Row { key, durable: pairs(durable), latest: pairs(latest), source };
        put.extend(part.put.into_iter().map(row));
        gone.extend(part.gone);
    }
    let mut keys = BTreeSet::new();
    if !put.iter().map(|row: &Row| &row.key).chain(&gone).all(|key| keys.insert(key.as_str())) {
        return Err(Refusal::Malformed("a key is told twice"));
    }
    let Part { section, base, new, full, head, .. } = first;
    Ok(Delta { section, base, new, full, head, at, put, gone })
}

fn pairs(names_and_values: Vec<String>) -> Fields {
    let mut rest = names_and_values.into_iter();
    let mut fields = Fields::new();
    while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
        fields.push((name, value));
    }
    fields
}

/// The status of a number of the wire.
///
/// # Errors
/// [`Refusal::Malformed`] for one that is not known.
pub fn status(number: u32) -> Result<Status, Refusal> {
    Status::of_number(number).ok_or(Refusal::Malformed("status of a section must be 0..=4"))
}

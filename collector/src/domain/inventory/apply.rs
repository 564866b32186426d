//! What a difference makes of the rows that are held: all of it or nothing.
//!
//! Rows that the host tells and rows that are held are not the same: one that may be away for a while, or that could not
//! be read this time, stays held and is marked. The hash is of what the host tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BYTES_PER_HOST, Fields, Head, ROWS_PER_HOST, ROWS_PER_SECTION, Row, SECTIONS, Status,
    delta::{Delta, Refusal},
    guard::{self, Away},
    hash::{self, Hash, Sum},
    size,
};
use crate::domain::time::Timestamp;

/// A row that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What is durable of it.
    pub durable: Fields,
    /// Since when the host does not tell it any more.
    pub away: Option<Away>,
}

/// What is held of a section before a difference.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// What the host told of the section as a whole, the hash of all, and when it looked; none: it is new.
    pub told: Option<(Head, Hash, Timestamp)>,
    /// Rows that the host tells.
    pub rows: usize,
    /// What these take, keys and durable values.
    pub bytes: usize,
    /// Rows of the host's other sections.
    pub other_rows: usize,
    /// What those take.
    pub other_bytes: usize,
    /// Other sections of the host.
    pub other_sections: usize,
    /// The rows that are held and that the difference names or that are away; of a section that comes anew all.
    pub held: BTreeMap<String, Held>,
}

/// Something to do with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is held from now on.
    Begin {
        /// Its key.
        key: String,
        /// What is durable of it.
        durable: Fields,
    },
    /// It is held no more.
    End {
        /// Its key.
        key: String,
    },
    /// It is marked as away, or as there again.
    Mark {
        /// Its key.
        key: String,
        /// Since when it is away.
        away: Option<Away>,
    },
}

/// A row that is other than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// What was durable of it; none: it was not there.
    pub before: Option<Fields>,
    /// What is durable of it now; none: it is gone.
    pub after: Option<Fields>,
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct After {
    /// The section's hash.
    pub hash: Hash,
    /// Rows that the host tells.
    pub rows: usize,
    /// What these take, keys and durable values.
    pub bytes: usize,
    /// What to do, in the order of keys; the end of a row before its new beginning.
    pub steps: Vec<Step>,
    /// What differs, in the order of keys. Nothing when the section is told for the first time.
    pub differences: Vec<Difference>,
}

/// Applies a difference to what is held.
///
/// # Errors
/// [`Refusal`]; what is held stays as it is.
pub fn apply(before: &Before, delta: &Delta) -> Result<After, Refusal> {
    let sum = base(before, delta)?;
    let (rows, bytes) = if delta.full { (0, 0) } else { (before.rows, before.bytes) };
    let mut out = Applying { before, delta, sum, rows, bytes, after: After::default() };
    let put: BTreeMap<&str, &Row> = delta.put.iter().map(|row| (row.key.as_str(), row)).collect();
    let gone: BTreeSet<&str> = delta.gone.iter().map(String::as_str).collect();
    let keys: BTreeSet<&str> = put.keys().chain(&gone).copied().chain(before.held.keys().map(String::as_str)).collect();
    for key in keys {
        let held = before.held.get(key);
        let is_gone = gone.contains(key) || (delta.full && !put.contains_key(key));
        match (put.get(key), held) {
            (Some(row), held) => out.put(row, held),
            (None, Some(held)) if is_gone || held.away.is_some() => out.not_told(key, held),
            (None, Some(_)) => {}
            (None, None) => return Err(Refusal::OtherHash),
        }
    }
    out.finish()
}

/// The sum that a difference begins with: of what is held, with the new head instead of the old one.
fn base(before: &Before, delta: &Delta) -> Result<Sum, Refusal> {
    if before.told.is_none() && before.other_sections >= SECTIONS {
        return Err(Refusal::TooMany { what: "the host", found: before.other_sections + 1, most: SECTIONS });
    }
    let head = hash::head(&delta.head);
    if delta.full {
        return Ok(Sum::of(head));
    }
    match &before.told {
        Some((old, hash, _)) if *hash == delta.base => Ok(Sum::of(*hash).minus(hash::head(old)).plus(head)),
        _ => Err(Refusal::OtherBase),
    }
}

struct Applying<'a> {
    before: &'a Before,
    delta: &'a Delta,
    sum: Sum,
    rows: usize,
    bytes: usize,
    after: After,
}

impl Applying<'_> {
    fn put(&mut self, row: &Row, held: Option<&Held>) {
        let key = row.key.clone();
        // A section that comes anew is summed from nothing; else what was told of the row before is taken away.
        if let Some(held) = held.filter(|held| held.away.is_none() && !self.delta.full) {
            self.without(&key, held);
        }
        self.sum = self.sum.plus(hash::row(&key, &row.durable));
        self.rows += 1;
        self.bytes += size(&key, &row.durable);
        match held {
            Some(held) if held.durable == row.durable => {
                let back = held.away.map(|_| Step::Mark { key, away: None });
                self.after.steps.extend(back);
            }
            _ => {
                self.after.steps.extend(held.map(|_| Step::End { key: key.clone() }));
                self.after.steps.push(Step::Begin { key: key.clone(), durable: row.durable.clone() });
                let before = held.map(|held| held.durable.clone());
                self.differs(Difference { key, before, after: Some(row.durable.clone()) });
            }
        }
    }

    /// Takes away what was told of a row before.
    fn without(&mut self, key: &str, held: &Held) {
        self.sum = self.sum.minus(hash::row(key, &held.durable));
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(key, &held.durable));
    }

    fn not_told(&mut self, key: &str, held: &Held) {
        if held.away.is_none() && !self.delta.full {
            self.without(key, held);
        }
        let may_be_away = guard::comes_and_goes(&self.delta.section, key, &held.durable);
        match guard::not_seen(held.away, self.delta.head.status, may_be_away, self.delta.at) {
            Some(away) if held.away == Some(away) => {}
            Some(away) => self.after.steps.push(Step::Mark { key: key.to_owned(), away: Some(away) }),
            None => {
                self.after.steps.push(Step::End { key: key.to_owned() });
                self.differs(Difference { key: key.to_owned(), before: Some(held.durable.clone()), after: None });
            }
        }
    }

    /// Notes a difference, unless it may be one of looking alone: what is told for the first time, or was there and
    /// could not be read before.
    fn differs(&mut self, difference: Difference) {
        let Some((before, ..)) = &self.before.told else { return };
        let now = self.delta.head.status;
        let was_hidden = match before.status {
            Status::Unreadable | Status::SwitchedOff => true,
            Status::Partial => now.tells_all(),
            Status::Complete | Status::Absent => false,
        };
        if difference.before.is_some() || !was_hidden {
            self.after.differences.push(difference);
        }
    }

    fn finish(mut self) -> Result<After, Refusal> {
        let too_many = |what, found, most| Err(Refusal::TooMany { what, found, most });
        if self.rows > ROWS_PER_SECTION {
            return too_many("the section", self.rows, ROWS_PER_SECTION);
        }
        if self.rows + self.before.other_rows > ROWS_PER_HOST {
            return too_many("the host", self.rows + self.before.other_rows, ROWS_PER_HOST);
        }
        let bytes = self.bytes + self.before.other_bytes;
        if bytes > BYTES_PER_HOST {
            return Err(Refusal::TooBig { what: "what the host tells", bytes, most: BYTES_PER_HOST });
        }
        self.after.hash = self.sum.hash();
        if self.after.hash != self.delta.new {
            return Err(Refusal::OtherHash);
        }
        (self.after.rows, self.after.bytes) = (self.rows, self.bytes);
        Ok(self.after)
    }
}

//! What of a check's own ledger a report stands on, and whether the records still say so. What its host's ledger says is laid
//! over it, and is named beside it.

use serde::{Deserialize, Serialize};

use super::{
    inputs::{Version, rfc3339},
    verification::{Difference, NEVER_WAS_MS, Trouble},
};
use crate::domain::{
    calendar::Span,
    host::{
        check_ledger::{CheckSpanRow, Counted},
        checks::Status,
    },
    time::Timestamp,
};

/// What a report of a check stands on besides its host's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckBasis {
    /// The check's name on its host.
    pub name: String,
    /// The last entry of its ledger; 0: none yet.
    pub n: i64,
    /// That entry's link of the chain, in hexadecimal; empty without an entry.
    pub hash: String,
    /// How it stood then, which is no entry yet; none where there was no such check any more, or nothing had counted.
    pub open: Option<Stood>,
    /// What people said of its host.
    pub host_amendments: Vec<Version>,
    /// What was said of incidents about its host that were false alarms.
    pub host_false_alarms: Vec<Version>,
}

/// How a check stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stood {
    /// Since when.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// How.
    pub status: Status,
    /// What it said when it began to stand so, the first line.
    pub said: String,
}

impl Stood {
    /// From the open end of a ledger.
    #[must_use]
    pub fn of(counted: &Counted) -> Self {
        let Counted { status, from, said } = counted.clone();
        Self { from, status, said }
    }

    /// The open end of a ledger.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let Self { from, status, said } = self.clone();
        Counted { status, from, said }
    }
}

/// What the store has of a check's ledger, up to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptCheck {
    /// Entries that touch the window, and the one before them, by number.
    pub rows: Vec<CheckSpanRow>,
    /// Whether the ledger begins with the first of `rows`.
    pub from_its_beginning: bool,
    /// The first entry that is kept: its number and when it begins.
    pub first: Option<(i64, Timestamp)>,
    /// The last one asked for: its link of the chain, in hexadecimal.
    pub hash: Option<String>,
    /// The first entry that does not follow from the one before.
    pub broken: Option<i64>,
    /// The entry after it.
    pub next: Option<CheckSpanRow>,
}

/// Whether the ledger of the check at this place of the report is what that says it was, `window` being what of the
/// period was over. `present` is its open end now.
///
/// # Errors
/// The first [`Trouble`].
pub fn check(
    (place, subject, basis): (&str, &str, &CheckBasis),
    kept: &KeptCheck,
    present: Option<&Counted>,
    window: Span,
    as_of: Timestamp,
) -> Result<(), Trouble> {
    if let Some(n) = kept.broken {
        return Err(Trouble::Cannot(format!(
            "the chain of {subject}'s ledger is broken at entry {n}: it does not follow from the one before, so it or one \
             before it was changed or taken out behind the collector's back"
        )));
    }
    match &kept.hash {
        _ if basis.n == 0 => {}
        None => {
            return Err(Trouble::Cannot(format!(
                "entry {} of {subject}'s ledger, on which the report stands, is not in the records: they may be those of \
                 an older backup, or of another collector",
                basis.n
            )));
        }
        Some(hash) if *hash != basis.hash => {
            return Err(Trouble::Differs(Difference {
                path: format!("{place}.check.hash"),
                stated: Some(basis.hash.clone().into()),
                recomputed: Some(hash.clone().into()),
            }));
        }
        Some(_) => {}
    }
    if let Some((n, from)) = kept.first.filter(|(n, from)| *n > 1 && *from > window.from) {
        return Err(Trouble::Cannot(format!(
            "{subject}'s ledger is kept from entry {n} on, {from}: what lay before is forgotten, and the report needs it"
        )));
    }
    open_end(subject, basis.open.as_ref(), kept.next.as_ref(), present, as_of)
}

/// Whether the open end was what the entry says that came of it; while there is none yet, what it still is.
fn open_end(
    subject: &str,
    stated: Option<&Stood>,
    next: Option<&CheckSpanRow>,
    present: Option<&Counted>,
    as_of: Timestamp,
) -> Result<(), Trouble> {
    let entry = |row: &CheckSpanRow| Stood { from: row.from, status: row.status, said: row.said.clone() };
    let came = next.map(entry).or_else(|| present.map(Stood::of));
    // What counts for the first time reaches back to the last proof before it.
    let began = |came: &Stood| as_of.since_ms(came.from) > NEVER_WAS_MS;
    let holds = match stated {
        Some(stated) => came.as_ref() == Some(stated) || as_of.since_ms(stated.from) <= NEVER_WAS_MS,
        None => !came.as_ref().is_some_and(began),
    };
    if holds {
        return Ok(());
    }
    let words = |stood: Option<&Stood>| {
        stood.map_or_else(
            || "not there".to_owned(),
            |Stood { from, status, said }| format!("{} ({said}) from {from} on", status.word()),
        )
    };
    let (stated, came) = (words(stated), words(came.as_ref()));
    Err(Trouble::Cannot(format!("{subject} was {stated}, as the report says, but its ledger has it {came}")))
}

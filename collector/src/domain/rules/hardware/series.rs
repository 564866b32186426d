//! A drive day by day: what its counts have done lately says more than what they are.
//!
//! With a past to look at, growth takes the place of the limits that `drive` has for one look alone. The limits here are
//! round numbers between those that two halves of a sample of Backblaze's days of April and May 2013 give, where they may flag
//! 1.1 % of the drives that survive (`tests/long replay` prints what each half's limits do on the other). More than a third
//! of the drives that fail show nothing before.

use jiff::civil::Date;

use super::finding::{Finding, Part, Weight};
use crate::domain::{
    csv::{self, Cell},
    severity::Severity,
};

/// Days within which growth counts.
const WINDOW_DAYS: i64 = 7;
/// With so many sectors replaced, waiting ones count as a second sign.
const SECOND_SIGN: u64 = 10;
/// Names of the columns: Backblaze's own and short ones.
const SERIAL: [&str; 2] = ["serial", "serial_number"];
const REALLOCATED: [&str; 2] = ["smart_5_raw", "reallocated"];
const PENDING: [&str; 2] = ["smart_197_raw", "pending"];

/// A drive's days, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// Its serial number.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Days on which it was asked.
    pub days: Vec<Day>,
}

/// What a drive said on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub date: Date,
    /// Attribute 5; `None` where it was not told.
    pub reallocated: Option<u64>,
    /// Attribute 197.
    pub pending: Option<u64>,
    /// It failed on this day: the outcome, which no rule looks at.
    pub has_failed: bool,
}

/// From when on a drive is called failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sectors by which either count grew within a week.
    pub growth: u64,
    /// Reallocated sectors, however long ago.
    pub reallocated: u64,
    /// Waiting sectors beside ten or more that were replaced.
    pub pending: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // Growth: 24 and 16 by half; reallocated: 1 000 and 2 000; pending: 4 and 16. Beyond 1 000 reallocated sectors more than every second drive fails within a year (Scrutiny's buckets).
        Self { growth: 20, reallocated: 1_000, pending: 8 }
    }
}

/// The rules of series, in the order in which [`fired`] tells them.
pub const RULES: [&str; 3] =
    ["drive-defects-growing", "drive-many-reallocated-sectors", "drive-pending-and-reallocated"];

/// Which rules fire on the last of these days.
#[must_use]
pub fn fired(days: &[Day], limits: Limits) -> [bool; 3] {
    let Some(today) = days.last() else { return [false; 3] };
    let since = |day: &&Day| (today.date - day.date).get_days() as i64 <= WINDOW_DAYS;
    let grew = |count: fn(&Day) -> Option<u64>| {
        let least = days.iter().rev().take_while(since).filter_map(count).min();
        count(today).zip(least).map_or(0, |(now, least)| now - least)
    };
    let (reallocated, pending) = (today.reallocated.unwrap_or(0), today.pending.unwrap_or(0));
    [
        grew(|day| day.reallocated).max(grew(|day| day.pending)) >= limits.growth,
        reallocated >= limits.reallocated,
        reallocated >= SECOND_SIGN && pending >= limits.pending,
    ]
}

/// All findings about the last of a drive's days.
#[must_use]
pub fn judge(series: &Series, days: &[Day], limits: Limits) -> Vec<Finding> {
    let Some(today) = days.last() else { return Vec::new() };
    let part = || Part { kind: "drive", model: series.model.clone(), serial: series.serial.clone(), ..Part::default() };
    let (reallocated, pending) = (today.reallocated.unwrap_or(0), today.pending.unwrap_or(0));
    let seen = |finding: Finding| finding.seen("reallocated sectors", reallocated).seen("pending sectors", pending);
    let summaries = [
        format!("its count of bad sectors grew by {} or more within {WINDOW_DAYS} days", limits.growth),
        format!("{} or more of its sectors were replaced", limits.reallocated),
        format!("{} or more sectors wait beside {SECOND_SIGN} or more that were replaced", limits.pending),
    ];
    let fired = fired(days, limits).into_iter().zip(RULES).zip(summaries);
    let findings: Vec<Finding> = fired
        .filter(|((is, _), _)| *is)
        .map(|((_, rule), summary)| {
            let finding = Finding::new(part(), rule, Severity::Warning, Weight::Failing, summary);
            seen(finding).so("back up what is on it now and replace it")
        })
        .collect();
    if findings.is_empty() && reallocated + pending > 0 {
        let summary = "it has bad sectors; their number has hardly grown lately";
        let finding = Finding::new(part(), "drive-few-bad-sectors", Severity::Info, Weight::Doubt, summary);
        return vec![seen(finding).so("watch whether the count grows")];
    }
    findings
}

/// The drives in a table with a row for each drive and day, by serial number.
///
/// # Errors
/// Where a column is missing or a cell is none of what it should be; says line and column.
pub fn read(text: &str) -> Result<Vec<Series>, String> {
    let rows = csv::rows(text).map_err(|wrong| format!("line {}: {}", wrong.line, wrong.why))?;
    let [heads, rows @ ..] = &rows[..] else { return Err("empty: expected a first row with names of columns".into()) };
    let place = |names: &[&str]| heads.iter().position(|head| names.contains(&head.text.as_str()));
    let must = |names: &[&str]| {
        place(names).ok_or_else(|| {
            format!("line 1: no column {}: it is needed beside date, serial, smart_5_raw, smart_197_raw", names[0])
        })
    };
    let (date, serial) = (must(&["date"])?, must(&SERIAL)?);
    let (reallocated, pending) = (must(&REALLOCATED)?, must(&PENDING)?);
    let (model, failure) = (place(&["model"]), place(&["failure"]));
    let mut found: Vec<Series> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in rows {
        let cell = |at: usize| row.get(at).map_or("", |cell: &Cell| cell.text.as_str());
        let wrong = |at: usize, expected: &str| {
            format!("line {}: {} is {:?}, expected {expected}", row[0].line, heads[at].text, cell(at))
        };
        let count = |at: usize| match cell(at) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| wrong(at, "a whole number or nothing")),
        };
        let day = Day {
            date: cell(date).parse().map_err(|_| wrong(date, "a date such as 2026-11-30"))?,
            reallocated: count(reallocated)?,
            pending: count(pending)?,
            has_failed: failure.is_some_and(|at| cell(at) == "1"),
        };
        let at = *places.entry(cell(serial)).or_insert(found.len());
        if at == found.len() {
            let model = model.map(|at| cell(at).to_owned()).unwrap_or_default();
            found.push(Series { serial: cell(serial).to_owned(), model, days: Vec::new() });
        }
        found[at].days.push(day);
    }
    for series in &mut found {
        series.days.sort_by_key(|day| day.date);
    }
    found.sort_by(|one, other| one.serial.cmp(&other.serial));
    Ok(found)
}

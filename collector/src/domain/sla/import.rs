//! What was observed, from a table of any origin: `subject,start,end,state`.

use super::lattice::{Bucket, Stretch};
use crate::domain::{
    csv::{self, Cell, Unreadable},
    time::Timestamp,
};

/// The columns that there must be, in any order; others are passed over.
pub const COLUMNS: [&str; 4] = ["subject", "start", "end", "state"];
/// Most mistakes told at once; a file of another kind has one in each row.
const MISTAKES_KEPT: usize = 20;
/// What a time has to look like.
const TIME: &str = "milliseconds since 1970 or RFC 3339 with an offset, such as 2026-10-01T08:00:00+02:00";
/// Buckets that a row may name; what is outside of the hours an agreement says.
const STATES: [Bucket; 7] = [
    Bucket::Up,
    Bucket::Down,
    Bucket::CleanStop,
    Bucket::Maintenance,
    Bucket::Unreachable,
    Bucket::CollectorDown,
    Bucket::Unknown,
];

/// All rows of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its rows, in the order of the file.
    pub rows: Vec<Stretch>,
}

/// Reads a table. Subjects come in order of appearance; a row without an end goes on.
///
/// # Errors
/// Every mistake, with its line and column.
pub fn spans(bytes: &[u8]) -> Result<Vec<Subject>, Vec<Unreadable>> {
    let text = csv::text(bytes).map_err(|error| vec![error])?;
    let table = csv::rows(&text).map_err(|error| vec![error])?;
    let Some((heading, rows)) = table.split_first() else { return Ok(Vec::new()) };
    let columns = columns(heading)?;
    let mut mistakes = Vec::new();
    let mut subjects: Vec<Subject> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for cells in rows {
        match row(cells, &columns) {
            Ok((name, stretch)) => {
                let place = *places.entry(name).or_insert_with(|| {
                    subjects.push(Subject { name: name.to_owned(), rows: Vec::new() });
                    subjects.len() - 1
                });
                subjects[place].rows.push(stretch);
            }
            Err(mistake) if mistakes.len() < MISTAKES_KEPT => mistakes.push(mistake),
            Err(_) => break,
        }
    }
    if mistakes.is_empty() { Ok(subjects) } else { Err(mistakes) }
}

/// Where the columns are.
fn columns(heading: &[Cell]) -> Result<[usize; 4], Vec<Unreadable>> {
    let place = |name: &str| heading.iter().position(|cell| cell.text.eq_ignore_ascii_case(name));
    let mut found = [0; 4];
    let mut missing = Vec::new();
    for (at, name) in COLUMNS.iter().enumerate() {
        match place(name) {
            Some(column) => found[at] = column,
            None => missing.push(*name),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let why = format!("the heading lacks {}; it must have {}", missing.join(", "), COLUMNS.join(", "));
    Err(vec![Unreadable { line: heading.first().map_or(1, |cell| cell.line), column: 1, why }])
}

fn row<'a>(cells: &'a [Cell], columns: &[usize; 4]) -> Result<(&'a str, Stretch), Unreadable> {
    let line = cells.first().map_or(0, |cell| cell.line);
    let cell = |at: usize| cells.get(columns[at]).map_or("", |cell| cell.text.as_str());
    let mistake =
        |at: usize, why: String| Unreadable { line, column: columns[at] + 1, why: format!("{}: {why}", COLUMNS[at]) };
    let wrong = |at: usize, expected: &str| mistake(at, format!("{:?} is not {expected}", cell(at)));
    if cell(0).is_empty() {
        return Err(mistake(0, "it is empty: give the name of what was observed".to_owned()));
    }
    let from = time(cell(1)).ok_or_else(|| wrong(1, TIME))?;
    let until =
        if cell(2).is_empty() { Timestamp::from_ms(i64::MAX) } else { time(cell(2)).ok_or_else(|| wrong(2, TIME))? };
    if until < from {
        return Err(mistake(2, format!("{} lies before the start, {}", cell(2), cell(1))));
    }
    let state = STATES.into_iter().find(|state| state.word() == cell(3));
    let state = state.ok_or_else(|| wrong(3, &format!("one of {}", STATES.map(Bucket::word).join(", "))))?;
    Ok((cell(0), Stretch::new(from, until, state)))
}

/// An instant as people and programs write it.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(Timestamp::from_ms(ms));
    }
    text.parse::<jiff::Timestamp>().ok().map(|instant| Timestamp::from_ms(instant.as_millisecond()))
}

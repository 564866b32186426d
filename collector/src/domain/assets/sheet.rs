//! The table's meaning: a heading that names the columns, one row for each host. Everything that is wrong is named at
//! once, with line and column.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::Asset;
use crate::domain::{
    csv::{self, Cell, Unreadable},
    labels::{MOST_LABELS, label_trouble},
    layers::Says,
};

/// Most rows of one list.
pub const MOST_ROWS: usize = 100_000;
/// Most mistakes named at once.
const MISTAKES: usize = 100;
/// The column that says which host a row is about.
const KEY: &str = "name";
/// Columns besides, each a label of the same name; any other label is `label:NAME`.
const COLUMNS: [&str; 6] = ["site", "class", "watch", "department", "owner", "environment"];

/// Something that is wrong with the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column of the table, from 1.
    pub column: usize,
    /// What, and what was expected.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl Mistake {
    fn at(cell: &Cell, what: String) -> Self {
        Self { line: cell.line, column: cell.column, what }
    }
}

impl From<Unreadable> for Mistake {
    fn from(unreadable: Unreadable) -> Self {
        Self { line: unreadable.line, column: unreadable.column, what: unreadable.why }
    }
}

/// A row with the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    /// Line in the file, from 1.
    pub line: usize,
    /// What it says.
    pub asset: Asset,
}

/// Reads a list.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn read(text: &str) -> Result<Vec<SheetRow>, Vec<Mistake>> {
    let rows = csv::rows(text).map_err(|unreadable| vec![unreadable.into()])?;
    let Some((heading, rows)) = rows.split_first() else {
        let what = "the list is empty: its first line names the columns, such as name,site,class,owner".to_owned();
        return Err(vec![Mistake { line: 1, column: 1, what }]);
    };
    let mut mistakes = Vec::new();
    let columns = columns(heading, &mut mistakes);
    if rows.len() > MOST_ROWS {
        let what = format!("{} rows are too many: at most {MOST_ROWS}", rows.len());
        mistakes.push(Mistake { line: 1, column: 1, what });
    }
    let mut read = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.iter().take(MOST_ROWS) {
        if mistakes.len() >= MISTAKES {
            break;
        }
        read.extend(one(row, &columns, &mut seen, &mut mistakes));
    }
    mistakes.sort();
    mistakes.truncate(MISTAKES);
    if mistakes.is_empty() { Ok(read) } else { Err(mistakes) }
}

/// Which label each column is; `None` for the one that names the host.
fn columns(heading: &[Cell], mistakes: &mut Vec<Mistake>) -> Vec<Option<String>> {
    let expected = || format!("expected {KEY}, {} or label:NAME", COLUMNS.join(", "));
    let mut columns: Vec<Option<String>> = Vec::new();
    for cell in heading {
        let word = cell.text.to_lowercase();
        let column = match word.strip_prefix("label:") {
            // Names of labels keep their letters.
            Some(_) => Some(cell.text["label:".len()..].trim().to_owned()),
            None => (word != KEY).then_some(word),
        };
        match &column {
            Some(name) if !cell.text.contains(':') && !COLUMNS.contains(&name.as_str()) => {
                mistakes.push(Mistake::at(cell, format!("there is no column {:?}: {}", cell.text, expected())));
            }
            Some(name) => mistakes.extend(label_trouble_of_name(name).map(|what| Mistake::at(cell, what))),
            None => {}
        }
        if columns.contains(&column) {
            mistakes.push(Mistake::at(cell, format!("column {:?} is there twice", cell.text)));
        }
        columns.push(column);
    }
    if !columns.contains(&None) {
        let what = format!("there is no column {KEY}: it says which host a row is about, by its name or id");
        mistakes.push(Mistake { line: heading.first().map_or(1, |cell| cell.line), column: 1, what });
    }
    if columns.len() > MOST_LABELS {
        mistakes.push(Mistake { line: 1, column: MOST_LABELS + 1, what: format!("at most {MOST_LABELS} columns") });
    }
    columns
}

/// A name alone, so that its values are not blamed for it.
fn label_trouble_of_name(name: &str) -> Option<String> {
    if COLUMNS.contains(&name) { None } else { label_trouble(name, "") }
}

fn one(
    row: &[Cell],
    columns: &[Option<String>],
    seen: &mut BTreeMap<String, usize>,
    mistakes: &mut Vec<Mistake>,
) -> Option<SheetRow> {
    let (mut key, mut says) = (None, BTreeMap::new());
    for cell in row.iter().filter(|cell| !cell.text.is_empty()) {
        match columns.get(cell.column - 1) {
            None => {
                mistakes.push(Mistake::at(cell, format!("{:?} stands in no column: the heading is shorter", cell.text)))
            }
            Some(None) => key = Some(cell),
            Some(Some(name)) => {
                let value = if matches!(name.as_str(), "class" | "watch") {
                    cell.text.to_lowercase()
                } else {
                    cell.text.clone()
                };
                mistakes.extend(label_trouble(name, &value).map(|what| Mistake::at(cell, what)));
                says.insert(name.clone(), value);
            }
        }
    }
    let Some(key) = key else {
        let place = columns.iter().position(Option::is_none)?;
        let line = row.first().map_or(1, |cell| cell.line);
        mistakes.push(Mistake { line, column: place + 1, what: "no host is named: its name or id".to_owned() });
        return None;
    };
    let host = key.text.to_lowercase();
    if let Some(before) = seen.insert(host.clone(), key.line) {
        mistakes.push(Mistake::at(key, format!("host {:?} has a row on line {before} already", key.text)));
    }
    Some(SheetRow { line: key.line, asset: Asset { host, says } })
}

/// The list as [`read`] takes it again: a column for every label of any row.
#[must_use]
pub fn write<'a>(rows: impl Iterator<Item = (&'a str, &'a Says)> + Clone) -> String {
    let labels: BTreeSet<&str> = rows.clone().flat_map(|(_, says)| says.keys().map(String::as_str)).collect();
    let known = COLUMNS.into_iter().filter(|column| labels.contains(column));
    let labels: Vec<&str> = known.chain(labels.iter().copied().filter(|label| !COLUMNS.contains(label))).collect();
    let heading = labels.iter().map(|label| match COLUMNS.contains(label) {
        true => (*label).to_owned(),
        false => format!("label:{label}"),
    });
    let mut text = line(std::iter::once(KEY.to_owned()).chain(heading));
    for (host, says) in rows {
        let values = labels.iter().map(|label| says.get(*label).cloned().unwrap_or_default());
        text.push_str(&line(std::iter::once(host.to_owned()).chain(values)));
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| match cell.contains([',', ';', '\t', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(row: &SheetRow) -> String {
        row.asset.says.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_row_says_what_its_columns_name_and_empty_cells_say_nothing() {
        let rows = read("Site;NAME;Class;label:Rack\r\nBerlin;DB-1;Server;R 7\r\n;web-1;;\r\n").unwrap();
        assert_eq!((rows[0].asset.host.as_str(), said(&rows[0])), ("db-1", "Rack=R 7 class=server site=Berlin".into()));
        assert_eq!((rows[1].asset.host.as_str(), said(&rows[1]), rows[1].line), ("web-1", String::new(), 3));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_with_line_and_column() {
        let sheet = "name,site,colour,class,label:job\ndb-1,berlin,blue,toaster,\n,ulm,,,\nDB-1,ulm,,,,beyond\n";
        let mistakes: Vec<String> = read(sheet).unwrap_err().iter().map(ToString::to_string).collect();
        let starts = [
            "line 1, column 3: there is no column \"colour\": expected name, site, class, watch, department, owner",
            "line 1, column 5: label job is reserved",
            "line 2, column 4: there is no class \"toaster\": server, workstation or device",
            "line 3, column 1: no host is named",
            "line 4, column 1: host \"DB-1\" has a row on line 2 already",
            "line 4, column 6: \"beyond\" stands in no column",
        ];
        assert_eq!(mistakes.len(), starts.len(), "{mistakes:#?}");
        for (mistake, start) in mistakes.iter().zip(starts) {
            assert!(mistake.starts_with(start), "{mistake:?} instead of {start:?}");
        }
    }

    #[test]
    fn a_list_needs_a_heading_that_names_hosts() {
        let what = |sheet: &str| read(sheet).unwrap_err()[0].what.clone();
        assert!(what("").starts_with("the list is empty"));
        assert!(what("site,class\nberlin,server\n").starts_with("there is no column name"));
        assert!(what("name,site,Site\n").contains("twice"));
    }

    #[test]
    fn what_is_written_names_its_columns_and_quotes_what_would_be_taken_apart() {
        let sheet = "name;label:Rack;owner;site\nweb-1;a,b \"c\";;Berlin\ndb-1;;ann;\nbare;;;\n";
        let rows: Vec<Asset> = read(sheet).unwrap().into_iter().map(|row| row.asset).collect();
        let written = write(rows.iter().map(|row| (row.host.as_str(), &row.says)));
        assert_eq!(written, "name,site,owner,label:Rack\nweb-1,Berlin,,\"a,b \"\"c\"\"\"\ndb-1,,ann,\nbare,,,\n");
        assert_eq!(write([].into_iter()), "name\n");
    }

    proptest! {
        /// Whatever was imported is imported again as it was.
        #[test]
        fn what_is_written_reads_as_it_was(
            rows in proptest::collection::btree_map(
                "[a-z][a-z0-9;,\" -]{0,8}[a-z]",
                proptest::collection::btree_map("site|owner|Rack|shelf_2", "[!-~äß][ -~äß]{0,8}[!-~äß]", 0..4),
                0..8,
            )
        ) {
            let written = write(rows.iter().map(|(host, says)| (host.as_str(), says)));
            let read = read(&written).unwrap();
            let again: BTreeMap<String, Says> = read.into_iter().map(|row| (row.asset.host, row.asset.says)).collect();
            prop_assert_eq!(again, rows);
        }
    }
}

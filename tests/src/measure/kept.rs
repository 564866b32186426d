//! A table that is filled over several runs: a row stands until it is measured again, and says at which commit that was.
//! What takes hours in all is so done in slices, whenever the machine has nothing else to do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::figures::Table;
use crate::process::root;

/// Between two cells of a row at least; no cell holds it.
const GAP: &str = "  ";

/// The rows of `tests/results/NAME.txt`, by their first cell.
#[derive(Debug)]
pub struct Kept {
    heads: Vec<String>,
    rows: BTreeMap<String, Vec<String>>,
}

impl Kept {
    /// Reads what earlier runs left; a table with other columns is begun anew.
    #[must_use]
    pub fn read(name: &str, heads: &[&str]) -> Self {
        let text = std::fs::read_to_string(path(name)).unwrap_or_default();
        let cells = |line: &str| -> Vec<String> {
            line.split(GAP).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
        };
        let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
        let rows = text.lines().map(cells).skip_while(|row| *row != heads).skip(1);
        let rows = rows.take_while(|row| row.len() == heads.len()).map(|row| (row[0].clone(), row)).collect();
        Self { heads, rows }
    }

    /// The row that begins with `key`.
    #[must_use]
    pub fn row(&self, key: &str) -> Option<&[String]> {
        self.rows.get(key).map(Vec::as_slice)
    }

    /// Puts a row in the place of the one that begins as it does.
    pub fn put<const N: usize>(&mut self, cells: [String; N]) {
        let full = |cell: String| {
            let words = cell.split_whitespace().collect::<Vec<_>>().join(" ");
            if words.is_empty() { "-".to_owned() } else { words }
        };
        let cells: Vec<String> = cells.into_iter().map(full).collect();
        if let Some(key) = cells.first() {
            self.rows.insert(key.clone(), cells);
        }
    }

    /// Leaves only rows that begin with one of `keys`.
    pub fn only(&mut self, keys: &[&str]) {
        self.rows.retain(|key, _| keys.contains(&key.as_str()));
    }

    /// Prints the whole table.
    pub fn print(&self) {
        let mut table = Table::new(&self.heads.iter().map(String::as_str).collect::<Vec<_>>());
        self.rows.values().for_each(|row| table.row(row.iter().cloned()));
        table.print();
    }
}

fn path(name: &str) -> PathBuf {
    root().join("tests/results").join(name).with_extension("txt")
}

/// The commit of this checkout, and whether files were changed since.
#[must_use]
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let said = Command::new("git").arg("-C").arg(root()).args(arguments).output();
        said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
    };
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!("{}{}", git(&["rev-parse", "--short=12", "HEAD"]), if changed { "+" } else { "" })
}

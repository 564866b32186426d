//! A table of devices: columns by their names, which the first line says, and each row with its line.

use crate::domain::csv;

/// One row: the line it begins on, and its columns with their values, trimmed; empty ones are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1.
    pub line: usize,
    /// Column and value.
    pub values: Vec<(String, String)>,
}

impl Row {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str())
    }
}

/// Something that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub text: String,
}

/// Reads a table that may have these columns.
///
/// # Errors
/// Everything that is wrong with its form.
pub fn read(text: &str, columns: &[&str]) -> Result<Vec<Row>, Vec<Mistake>> {
    let rows = csv::rows(text).map_err(|wrong| vec![Mistake { line: wrong.line, text: wrong.why }])?;
    let expected = || columns.join(", ");
    let Some((heading, rows)) = rows.split_first() else {
        let text = format!("it is empty, expected a line of column names: {}", expected());
        return Err(vec![Mistake { line: 1, text }]);
    };
    let names: Vec<String> = heading.iter().map(|cell| cell.text.to_lowercase()).collect();
    let mut mistakes = Vec::new();
    for (at, (name, cell)) in names.iter().zip(heading).enumerate() {
        let mut wrong = |text: String| mistakes.push(Mistake { line: cell.line, text });
        if !columns.contains(&name.as_str()) {
            wrong(format!("no column is called {name:?}, known are: {}", expected()));
        } else if names[..at].contains(name) {
            wrong(format!("two columns are called {name:?}"));
        }
    }
    let mut read = Vec::new();
    for row in rows {
        let line = row.first().map_or(1, |cell| cell.line);
        if row.len() > names.len() {
            let text = format!("it has {} values, expected at most {} as in the first line", row.len(), names.len());
            mistakes.push(Mistake { line, text });
        }
        let values = names.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty());
        read.push(Row { line, values: values.map(|(name, cell)| (name.clone(), cell.text.clone())).collect() });
    }
    if mistakes.is_empty() { Ok(read) } else { Err(mistakes) }
}

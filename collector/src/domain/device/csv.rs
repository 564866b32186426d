//! Tables of devices as text: comma-separated values with a line of column names (RFC 4180), read with the line of each row.

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
    let mut records = records(text.trim_start_matches('\u{feff}'))?.into_iter();
    let expected = || columns.join(", ");
    let Some((line, names)) = records.next() else {
        return Err(vec![Mistake {
            line: 1,
            text: format!("it is empty, expected a line of column names: {}", expected()),
        }]);
    };
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let mut mistakes = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if !columns.contains(&name.as_str()) {
            mistakes.push(Mistake { line, text: format!("no column is called {name:?}, known are: {}", expected()) });
        } else if names[..at].contains(name) {
            mistakes.push(Mistake { line, text: format!("two columns are called {name:?}") });
        }
    }
    let mut rows = Vec::new();
    for (line, values) in records {
        if values.len() > names.len() {
            let text = format!("it has {} values, expected at most {} as in the first line", values.len(), names.len());
            mistakes.push(Mistake { line, text });
        }
        let values = names.iter().cloned().zip(values).filter(|(_, value)| !value.is_empty());
        rows.push(Row { line, values: values.collect() });
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

/// Records with the line on which each begins; lines without anything are passed over.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, Vec<Mistake>> {
    let (mut all, mut record, mut value) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line += usize::from(character == '\n');
        match (character, quoted) {
            ('"', true) if characters.next_if_eq(&'"').is_some() => value.push('"'),
            ('"', true) => quoted = false,
            (_, true) => value.push(character),
            ('"', false) if value.trim().is_empty() => {
                value.clear();
                quoted = true;
            }
            (',', false) => record.push(std::mem::take(&mut value).trim().to_owned()),
            ('\n', false) => {
                record.push(std::mem::take(&mut value).trim().to_owned());
                all.push((begun, std::mem::take(&mut record)));
                begun = line;
            }
            _ => value.push(character),
        }
    }
    if quoted {
        return Err(vec![Mistake { line: begun, text: "a quotation mark that is opened here is never closed".into() }]);
    }
    record.push(value.trim().to_owned());
    all.push((begun, record));
    all.retain(|(_, values)| values.iter().any(|value| !value.is_empty()));
    Ok(all)
}

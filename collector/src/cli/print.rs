//! Tables for people, JSON for programs. The only place that writes to standard output.

use std::io::{IsTerminal, Write};

use serde_json::Value;

use super::CliError;

/// A column: its heading and the field it shows.
pub(super) type Column = (&'static str, &'static str);

pub(super) fn line(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| CliError::Failed(format!("nothing can be written: {error}")))
}

pub(super) fn json(value: &Value) -> Result<(), CliError> {
    line(&format!("{value:#}"))
}

/// A table of `items`; headings only on a terminal, so that scripts see rows alone.
pub(super) fn table(columns: &[Column], items: &Value) -> Result<(), CliError> {
    let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() && std::io::stdout().is_terminal() {
        return line("none");
    }
    let with_heading = std::io::stdout().is_terminal();
    line(render(columns, rows, with_heading).trim_end_matches('\n'))
}

pub(super) fn render(columns: &[Column], rows: &[Value], with_heading: bool) -> String {
    let mut cells: Vec<Vec<String>> = Vec::with_capacity(rows.len() + 1);
    if with_heading {
        cells.push(columns.iter().map(|(heading, _)| heading.to_uppercase()).collect());
    }
    cells.extend(rows.iter().map(|row| columns.iter().map(|(_, field)| cell(&row[*field])).collect()));
    let width = |n: usize| cells.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// One value on one line; control characters from hosts cannot move the cursor.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.len().to_string(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One thing, a field per line.
pub(super) fn thing(value: &Value) -> Result<(), CliError> {
    let Value::Object(fields) = value else { return json(value) };
    let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, value) in fields {
        match value {
            Value::Array(items) if !items.is_empty() => {
                line(&format!("{name}:"))?;
                items.iter().try_for_each(|item| line(&format!("  {}", flat(item))))?;
            }
            Value::Object(_) | Value::Array(_) => line(&format!("{name:width$}  {}", flat(value)))?,
            other => line(&format!("{name:width$}  {}", cell(other)))?,
        }
    }
    Ok(())
}

fn flat(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Object(_) => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        other => cell(other),
    }
}

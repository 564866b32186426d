//! Tables for people, JSON for programs. The only place that writes to standard output.

use std::{
    io::{IsTerminal, Write},
    path::Path,
};

use serde_json::{Map, Value};

use super::CliError;

/// A column: its heading and the field it shows.
pub(super) type Column = (&'static str, &'static str);

/// Columns of a terminal that does not say (ECMA-48's and everybody's default).
const USUAL_COLUMNS: usize = 80;
/// What is cut where a terminal is too narrow, sentences before names, and no further than this. Times, states and
/// numbers stay whole.
const CUT: [(&[&str], usize); 2] =
    [(&["why", "title", "gives", "note"], 12), (&["name", "site", "made_by", "acknowledged_by"], 8)];
/// Between two columns.
const GAP: usize = 2;
/// The fields of one thing in the order in which they are read at night; others follow by name.
const READ_FIRST: [&str; 26] = [
    "number",
    "name",
    "title",
    "state",
    "severity",
    "priority",
    "at",
    "since",
    "decided",
    "why",
    "kind",
    "part",
    "text",
    "evidence",
    "host",
    "component",
    "acknowledged_by",
    "paged",
    "receiver",
    "type",
    "delivery",
    "attempts",
    "last_attempt",
    "last_answer",
    "opened",
    "resolved",
];

pub(super) fn line(text: &str) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| CliError::Failed(format!("nothing can be written: {error}")))
}

/// Into a file.
pub(super) fn file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::write(path, bytes)
        .map_err(|error| CliError::Failed(format!("{} cannot be written: {error}", path.display())))
}

/// Bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    std::io::stdout()
        .lock()
        .write_all(bytes)
        .map_err(|error| CliError::Failed(format!("nothing can be written: {error}")))
}

/// A whole text as it is.
pub(super) fn text(text: &str) -> Result<(), CliError> {
    line(text.trim_end_matches('\n'))
}

/// Something that was done and yet is to be looked at.
pub(super) fn warning(text: &str) {
    // Nothing better can be done when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "muster-collector: {}", printable(text));
}

pub(super) fn json(value: &Value) -> Result<(), CliError> {
    line(&format!("{value:#}"))
}

/// How wide the terminal is; `None` where the output goes elsewhere and nothing may be cut.
fn terminal_columns() -> Option<usize> {
    let out = std::io::stdout();
    let asked = || rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col)).filter(|n| *n > 0);
    out.is_terminal().then(|| asked().unwrap_or(USUAL_COLUMNS))
}

/// A table of `items`; on a terminal with headings and cut to its width, elsewhere the rows alone and whole.
pub(super) fn table(columns: &[Column], items: &Value) -> Result<(), CliError> {
    let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let width = terminal_columns();
    if rows.is_empty() {
        return if width.is_some() { line("none") } else { Ok(()) };
    }
    line(render(columns, rows, width.is_some(), width).trim_end_matches('\n'))
}

/// `width`: a terminal's; lines are then at most as long where their columns allow it, and times without milliseconds.
pub(super) fn render(columns: &[Column], rows: &[Value], with_heading: bool, width: Option<usize>) -> String {
    let mut cells: Vec<Vec<String>> = Vec::with_capacity(rows.len() + 1);
    if with_heading {
        cells.push(columns.iter().map(|(heading, _)| heading.to_uppercase()).collect());
    }
    let shown = |value: &Value| if width.is_some() { without_milliseconds(cell(value)) } else { cell(value) };
    cells.extend(rows.iter().map(|row| columns.iter().map(|(_, field)| shown(&row[*field])).collect()));
    let longest = |n: usize| cells.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns.len()).map(longest).collect();
    if let Some(width) = width {
        narrow(columns, &mut widths, width);
    }
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", cut(cell, *width))).collect();
        text.push_str(padded.join(&" ".repeat(GAP)).trim_end());
        text.push('\n');
    }
    text
}

/// Takes from the widest column that may be cut, one character at a time, until all fit or none can give.
fn narrow(columns: &[Column], widths: &mut [usize], width: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    for (fields, narrowest) in CUT {
        while widths.iter().sum::<usize>() + gaps > width {
            let gives = |n: &usize| fields.contains(&columns[*n].1) && widths[*n] > narrowest;
            let Some(widest) = (0..columns.len()).filter(gives).max_by_key(|n| widths[*n]) else { break };
            widths[widest] -= 1;
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `2026-11-21T21:44:21.510Z` -> `2026-11-21 21:44:21Z`; other texts as they are.
fn without_milliseconds(text: String) -> String {
    let bytes = text.as_bytes();
    let is_time = bytes.len() == 24 && bytes[10] == b'T' && bytes[19] == b'.' && bytes[23] == b'Z' && text.is_ascii();
    if is_time { format!("{} {}Z", &text[..10], &text[11..19]) } else { text }
}

/// One value on one line; control characters from hosts cannot move the cursor.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.len().to_string(),
        other => other.to_string(),
    };
    printable(&text)
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One thing, a field per line; lists in it as tables below their names.
pub(super) fn thing(value: &Value) -> Result<(), CliError> {
    let Value::Object(fields) = value else { return json(value) };
    line(describe(fields, terminal_columns()).trim_end_matches('\n'))
}

pub(super) fn describe(fields: &Map<String, Value>, columns: Option<usize>) -> String {
    let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let in_order = ordered(fields.keys().map(String::as_str).collect());
    let (lists, plain): (Vec<&str>, Vec<&str>) =
        in_order.into_iter().partition(|name| fields[*name].as_array().is_some_and(|items| !items.is_empty()));
    for name in plain {
        let value = flat(&fields[name]);
        let value = if columns.is_some() { without_milliseconds(value) } else { value };
        text.push_str(&format!("{name:width$}  {value}\n"));
    }
    for name in lists {
        text.push_str(&format!("{name}:\n"));
        let items = fields[name].as_array().map(Vec::as_slice).unwrap_or_default();
        for line in list(items, columns.map(|columns| columns.saturating_sub(GAP))).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn list(items: &[Value], width: Option<usize>) -> String {
    let Some(Value::Object(first)) = items.first() else {
        return items.iter().map(|item| flat(item) + "\n").collect();
    };
    let names = ordered(first.keys().map(String::as_str).filter(|name| !matches!(*name, "n" | "id")).collect());
    let mut lines = Vec::new();
    for item in items {
        let said = names.iter().filter(|name| !item[**name].is_null() && item[**name] != "");
        let said: Vec<String> = said.map(|name| told(name, &item[*name], width.is_some())).collect();
        lines.push(said.join("  "));
    }
    lines.iter().map(|line| wrapped(line, width)).collect()
}

/// A field of an entry: what speaks for itself stands alone, the rest carries its name.
fn told(name: &str, value: &Value, is_terminal: bool) -> String {
    let text = if is_terminal { without_milliseconds(cell(value)) } else { cell(value) };
    match name {
        "at" | "decided" | "since" | "kind" | "text" | "severity" | "part" | "evidence" | "receiver" | "type"
        | "delivery" | "last_answer" | "layer" | "says" => text,
        other => format!("{other}={text}"),
    }
}

/// Breaks a line between words where it is longer than the terminal; what follows is set in by four.
fn wrapped(line: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{line}\n") };
    let (mut text, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used > 0 && used + length > width {
            text.truncate(text.trim_end().len());
            text.push_str("\n    ");
            used = 4;
        }
        text.push_str(word);
        used += word.chars().count();
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn ordered(mut names: Vec<&str>) -> Vec<&str> {
    let place = |name: &str| READ_FIRST.iter().position(|first| *first == name).unwrap_or(READ_FIRST.len());
    names.sort_by_key(|name| (place(name), *name == "by", (*name).to_owned()));
    names
}

/// A value in a field: a list of texts is told, not counted.
fn words(value: &Value) -> String {
    let texts = value.as_array().filter(|items| !items.is_empty() && items.iter().all(Value::is_string));
    texts.map_or_else(|| cell(value), |items| items.iter().map(cell).collect::<Vec<_>>().join(","))
}

fn flat(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().map(|(name, value)| format!("{name}={}", words(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Object(_) => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        other => cell(other),
    }
}

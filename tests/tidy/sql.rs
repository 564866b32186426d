//! SQL is written once, in the subset that SQLite and PostgreSQL share.

use super::source::{Complaint, Source};

/// How a statement begins.
const STATEMENTS: &[&str] = &["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "WITH ", "REPLACE "];
/// What one of the two does not have, and what to write instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("AUTOINCREMENT", "give the number in the program"),
    ("TRIGGER", "do it in the program, in the same transaction"),
    ("ROWID", "name a key of your own and ORDER BY it"),
    ("INSERT OR ", "ON CONFLICT (...) DO ..."),
    ("REPLACE INTO", "ON CONFLICT (...) DO UPDATE"),
    ("DATETIME(", "milliseconds as BIGINT, given by the program"),
    ("STRFTIME(", "milliseconds as BIGINT, given by the program"),
    ("JULIANDAY(", "milliseconds as BIGINT, given by the program"),
    ("CURRENT_TIMESTAMP", "milliseconds as BIGINT, given by the program"),
    ("IFNULL(", "COALESCE("),
    ("GROUP_CONCAT(", "join in the program"),
    (" GLOB ", "LIKE, or match in the program"),
    ("WITHOUT ROWID", "a plain table"),
    (" BLOB", "BYTEA"),
    (" DATETIME", "BIGINT, milliseconds"),
    (" BOOLEAN", "BIGINT, 0 or 1"),
];

/// Statements keep to the subset.
pub(crate) fn subset(source: &Source) -> Vec<Complaint> {
    let store = source.path.starts_with("collector/src/");
    if source.path.ends_with(".sql") {
        return source.text.lines().enumerate().flat_map(|(n, line)| statement(source, n + 1, strip(line))).collect();
    }
    if !store || !source.path.ends_with(".rs") {
        return Vec::new();
    }
    source
        .literals
        .iter()
        .filter(|literal| STATEMENTS.iter().any(|word| literal.text.trim_start().starts_with(word)))
        .flat_map(|literal| statement(source, literal.line, &literal.text))
        .collect()
}

/// Without the comment.
fn strip(line: &str) -> &str {
    line.split_once("--").map_or(line, |(code, _)| code)
}

fn statement(source: &Source, line: usize, text: &str) -> Vec<Complaint> {
    let upper = text.to_uppercase();
    let mut complaints: Vec<Complaint> = FORBIDDEN
        .iter()
        .filter(|(word, _)| upper.contains(word))
        .map(|(word, instead)| source.complain(line, format!("{} in SQL: write {instead}", word.trim())))
        .collect();
    let unnumbered = text.match_indices('?').any(|(at, _)| !text[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    if unnumbered {
        let text = "? without a number in SQL: write ?1, ?2, ... (they become $1, $2, ...)";
        complaints.push(source.complain(line, text));
    }
    complaints
}

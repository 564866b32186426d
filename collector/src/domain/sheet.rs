//! Tables for spreadsheets, before anybody writes them down.

use super::time::Timestamp;

/// Some tables under one title.
#[derive(Debug, Clone, PartialEq)]
pub struct Book {
    /// What it is about.
    pub title: String,
    /// As of when.
    pub made: Timestamp,
    /// Its tables, in order.
    pub sheets: Vec<Sheet>,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A text, whatever it looks like.
    Text(String),
    /// A number with so many decimals shown.
    Number(f64, usize),
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its name: at most 31 characters, none of `[]:*?/\`.
    pub name: String,
    /// Over its columns.
    pub heading: Vec<String>,
    /// Below.
    pub rows: Vec<Vec<Cell>>,
}

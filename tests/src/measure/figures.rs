//! Figures as a table that is read in a terminal and kept as a file.

use std::io::Write as _;

/// Prints one line of the result.
pub fn say(line: &str) {
    // Nothing better can be done when standard output is gone.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Tells whoever waits what is going on; not part of the result.
pub fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "  {line}");
}

/// A table of text, its columns as wide as they need to be; the first is set left, all others right.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    #[must_use]
    pub fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a figure beside its goal, and what share of the goal it is; below 1 the goal is met.
    pub fn against(&mut self, what: &str, figure: f64, unit: &str, goal: Option<f64>) {
        let goal_text = goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal} {unit}"));
        let share = goal.map_or_else(|| "-".to_owned(), |goal| format!("{:.2}", figure / goal));
        self.row([what.to_owned(), format!("{} {unit}", short(figure)), goal_text, share]);
    }

    /// Prints it.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            say(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// A number with three digits that matter, never fewer than the whole ones.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The value below which this share of `values` lies (nearest rank); zero when there are none.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0.0)
}

/// A flag `--name VALUE` of the command line, or its default.
///
/// # Panics
/// When the value does not have the type of the default.
#[must_use]
pub fn flag<T: std::str::FromStr>(name: &str, default: T) -> T {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    match arguments.next() {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{name} {text}: not a value of the right kind")),
        None => default,
    }
}

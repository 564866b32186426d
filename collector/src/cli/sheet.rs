//! A table in a file, as a spreadsheet saved it.

use std::path::Path;

use super::CliError;
use crate::domain::csv;

/// Its text, in whatever encoding it is.
pub(super) fn text(file: &Path) -> Result<String, CliError> {
    let unusable = |why: String| CliError::Usage(format!("{} cannot be imported: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    csv::text(&bytes).map_err(|wrong| unusable(format!("line {}: {}", wrong.line, wrong.why)))
}

//! A file that somebody names, `-` being standard input.

use std::{io::Read, path::Path};

use super::CliError;

/// Largest file of agreements, in bytes: some hundreds of them. The collector takes no larger request.
const DEFINITION_BYTES: u64 = 60 << 10;

/// Its bytes, at most so many; `remedy` says what to do with a larger one.
pub(super) fn bytes(file: &Path, most: u64, remedy: &str) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::Failed(format!("{} cannot be read: {error}", file.display()));
    let mut bytes = Vec::new();
    let taken = if file == Path::new("-") {
        std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).map_err(failed)?.take(most + 1).read_to_end(&mut bytes)
    };
    taken.map_err(failed)?;
    if bytes.len() as u64 > most {
        let most = if most < 1 << 20 { format!("{} KiB", most >> 10) } else { format!("{} MiB", most >> 20) };
        let why = format!("{} is larger than {most}: {remedy}", file.display());
        return Err(CliError::Usage(why));
    }
    Ok(bytes)
}

/// Its text.
pub(super) fn text(file: &Path, most: u64, remedy: &str) -> Result<String, CliError> {
    let not_text = |_| CliError::Usage(format!("{}: expected text in UTF-8", file.display()));
    String::from_utf8(bytes(file, most, remedy)?).map_err(not_text)
}

/// Agreements in TOML.
pub(super) fn definition(file: &Path) -> Result<String, CliError> {
    text(file, DEFINITION_BYTES, "declare fewer at once")
}

//! `plugins.d`: one file for each plugin, named as the plugin.

use std::path::Path;

use super::{Config, ConfigError, FILE_BYTES_MAX};
use crate::check::define::{self, Plugins, Table};
use crate::inspection::{Inspection, Mistake};

impl Config {
    /// Reads a configuration from text as it would stand in `file`, with the plugins that have files beside it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse_beside(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(file, text, plugins(&define::plugins_beside(file)))
    }
}

/// Plugins of one machine.
const PLUGINS_MAX: usize = 1000;

/// Reads every `NAME.toml` in the directory, which may be absent, in the order of their names.
pub(super) fn plugins(directory: &Path) -> (Plugins, Vec<Mistake>) {
    let (mut plugins, mut mistakes) = (Plugins::new(), Vec::new());
    let Ok(entries) = std::fs::read_dir(directory) else { return (plugins, mistakes) };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).take(PLUGINS_MAX).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for file in files {
        let Some(name) = file.file_stem().and_then(|name| name.to_str()) else { continue };
        match text(&file) {
            Ok(text) => {
                let mut inspection = Inspection::of(&file, &text);
                match toml::from_str::<Table>(&text) {
                    Ok(table) => {
                        let plugin = define::plugin_file(table, &mut inspection);
                        plugins.extend(plugin.map(|plugin| (name.to_owned(), plugin)));
                    }
                    Err(error) => {
                        let at = error.span().map_or(0, |span| span.start);
                        inspection.mistake(at, error.message().lines().collect::<Vec<_>>().join(" "));
                    }
                }
                mistakes.extend(inspection.mistakes);
            }
            Err(text) => mistakes.push(Mistake { file: file.clone(), line: 1, text }),
        }
    }
    (plugins, mistakes)
}

fn text(file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

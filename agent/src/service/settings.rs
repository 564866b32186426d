//! Labels and addresses written into the settings that are there, with all else left as it is.

use std::path::Path;

use super::ServiceError;
use super::files::CONFIG_TEXT;
use crate::config::Config;

/// The settings with these labels and, where they state addresses, these; and the text that says so. Nothing when they
/// are so already.
pub(super) fn changed(
    file: &Path,
    config: &Config,
    labels: &[(String, String)],
    addresses: &[String],
) -> Result<Option<(Config, String)>, ServiceError> {
    let mut wanted = config.clone();
    for (name, value) in labels {
        wanted.labels.retain(|(known, _)| known != name);
        wanted.labels.push((name.clone(), value.clone()));
    }
    wanted.labels.sort();
    // Else those learnt at enrolment are used.
    if !config.addresses.is_empty() && !addresses.is_empty() {
        wanted.addresses = addresses.to_vec();
    }
    if wanted == *config {
        return Ok(None);
    }
    let mut text = std::fs::read_to_string(file).unwrap_or_else(|_| CONFIG_TEXT.to_owned());
    for (name, value) in wanted.labels.iter().filter(|label| !config.labels.contains(label)) {
        text = stated(&text, "labels", name, &toml::Value::from(value.as_str()).to_string());
    }
    if wanted.addresses != config.addresses {
        text = stated(&text, "collector", "addresses", &toml::Value::from(wanted.addresses.clone()).to_string());
    }
    // A value over several lines, or a table written otherwise, is a person's to change.
    match Config::parse_beside(file, &text) {
        Ok(read) if read == wanted => Ok(Some((read, text))),
        Err(mistakes) => Err(ServiceError::Usage(format!("{} cannot be changed so: {mistakes}", file.display()))),
        Ok(_) => Err(ServiceError::Usage(format!(
            "{} is written in a way that is not changed by a program: write the labels and addresses there by hand, then run this without them",
            file.display()
        ))),
    }
}

/// The text with `name = value` in `[table]`: in the place of the line that states it, or as a new one.
fn stated(text: &str, table: &str, name: &str, value: &str) -> String {
    // What is no name of a label is refused as such, not as a line that cannot be read.
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let key = if is_bare { name.to_owned() } else { toml::Value::from(name).to_string() };
    let line = format!("{key} = {value}");
    let header = format!("[{table}]");
    let mut lines: Vec<&str> = text.lines().collect();
    let is_header = |line: &&str| line.split('#').next().unwrap_or_default().trim() == header;
    let Some(at) = lines.iter().position(is_header) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{gap}\n{header}\n{line}\n");
    };
    let end =
        lines[at + 1..].iter().position(|line| line.trim_start().starts_with('[')).map_or(lines.len(), |n| at + 1 + n);
    let states = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim().trim_matches('"') == name);
    match lines[at + 1..end].iter().position(|line| states(line)) {
        Some(found) => lines[at + 1 + found] = &line,
        None => lines.insert(at + 1, &line),
    }
    lines.join("\n") + "\n"
}

//! Labels, addresses and a proxy written into the settings that are there, with all else left as it is.

use std::path::Path;

use super::ServiceError;
use super::files::CONFIG_TEXT;
use crate::config::{self, Config};
use crate::dial::Proxy;

/// What is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish<'a> {
    pub(super) labels: &'a [(String, String)],
    /// Written where the file states some; else those learnt at enrolment are used.
    pub(super) addresses: &'a [String],
    /// `proxy`, and `proxy_password_file` beside it.
    pub(super) proxy: Option<(&'a str, Option<&'a Path>)>,
}

/// The settings with what is wished, and the text that says so. Nothing when they are so already.
pub(super) fn changed(file: &Path, config: &Config, wish: Wish<'_>) -> Result<Option<(Config, String)>, ServiceError> {
    let mut wanted = config.clone();
    for (name, value) in wish.labels {
        wanted.labels.retain(|(known, _)| known != name);
        wanted.labels.push((name.clone(), value.clone()));
    }
    wanted.labels.sort();
    if !config.addresses.is_empty() && !wish.addresses.is_empty() {
        wanted.addresses = wish.addresses.to_vec();
    }
    if let Some((proxy, password_file)) = wish.proxy {
        wanted.proxy = proxy_of(proxy, password_file)?;
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
    if let Some((proxy, _)) = wish.proxy.filter(|_| wanted.proxy != config.proxy) {
        text = stated(&text, "collector", "proxy", &toml::Value::from(proxy).to_string());
        let file = wanted.proxy.as_ref().and_then(Proxy::password_file);
        text = match file.map(|file| toml::Value::from(file.display().to_string()).to_string()) {
            Some(file) => stated(&text, "collector", "proxy_password_file", &file),
            None => unstated(&text, "collector", "proxy_password_file"),
        };
    }
    // A value over several lines, or a table written otherwise, is a person's to change.
    match Config::parse_beside(file, &text) {
        Ok(read) if read == wanted => Ok(Some((read, text))),
        Err(mistakes) => Err(ServiceError::Usage(format!("{} cannot be changed so: {mistakes}", file.display()))),
        Ok(_) => Err(ServiceError::Usage(format!(
            "{} is written in a way that is not changed by a program: write labels, addresses and proxy there by hand, then run this without them",
            file.display()
        ))),
    }
}

/// What `--proxy` and `--proxy-password-file` say. A password on a command line is read by everybody on the machine.
fn proxy_of(text: &str, password_file: Option<&Path>) -> Result<Option<Proxy>, ServiceError> {
    let usage = |problem: &str| ServiceError::Usage(format!("--proxy: {problem}"));
    if text == config::DIRECT {
        return Ok(None);
    }
    let proxy = Proxy::parse(text).map_err(usage)?;
    if proxy.states_password() {
        return Err(usage(
            "everybody on this machine reads a command line: write the password in a file that only root and the group muster-agent may read, and name it with --proxy-password-file",
        ));
    }
    Ok(Some(match password_file {
        Some(file) if !file.is_absolute() => return Err(usage("expected an absolute path for --proxy-password-file")),
        Some(file) => proxy.with_password_file(file).map_err(usage)?,
        None => proxy,
    }))
}

/// The text without the line that states `name` in `[table]`.
fn unstated(text: &str, table: &str, name: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        let code = line.split('#').next().unwrap_or_default().trim();
        if code.starts_with('[') {
            inside = code == format!("[{table}]");
        }
        !(inside && code.split_once('=').is_some_and(|(key, _)| key.trim() == name))
    });
    kept.collect::<Vec<_>>().join("\n") + "\n"
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

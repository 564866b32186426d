//! PURE: what is wrong with a text that a person wrote, line by line, and how times and addresses are written in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, with key, value and expectation.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// What is wrong with one file.
pub(crate) struct Inspection<'a> {
    file: &'a Path,
    text: &'a str,
    /// In the order in which they were noted.
    pub(crate) mistakes: Vec<Mistake>,
}

impl<'a> Inspection<'a> {
    /// Nothing is wrong yet.
    pub(crate) const fn of(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, mistakes: Vec::new() }
    }

    /// Notes what is wrong at this byte of the text.
    pub(crate) fn mistake(&mut self, at: usize, text: String) {
        let line = self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        self.mistakes.push(Mistake { file: self.file.to_path_buf(), line, text });
    }

    /// Notes that a key has another value than what is expected.
    pub(crate) fn expected(&mut self, key: &str, value: &Spanned<String>, expectation: &str) {
        self.mistake(value.span().start, format!("{key} = {:?}: expected {expectation}", value.get_ref()));
    }
}

/// `15s`, `500ms`, `5m`, `1h`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(ms)?))
}

/// Whether `text` is `host:port` (IPv6 in brackets).
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_fine = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    host_is_fine && port.parse::<u16>().is_ok_and(|port| port > 0)
}

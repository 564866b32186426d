//! Reports that are delivered on a schedule: when which is due, where it goes, and how that went.
//!
//! A report is issued once for a period, and what was issued is what is delivered, however often that has to be tried. Who
//! begins to hand a mail over says so first: whether one was sent that broke off in a crash is then not known, and said.
//! It is never sent again by itself.

mod due;
mod issue;

pub use self::{
    due::{Closed, Due},
    issue::{Delivery, Destination, Issue, Made, Outcome, State, Way, trouble},
};

use jiff::civil::Time;

use super::{inputs::sha256, period::Length};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For reading and printing.
    Html,
    /// A table for spreadsheets.
    Csv,
    /// The same with outages and planned work, as a workbook.
    Xlsx,
    /// With all that it was reckoned from: what `sla verify` reads.
    Json,
}

impl Format {
    /// All, in the order in which people read them.
    pub const ALL: [Self; 4] = [Self::Html, Self::Csv, Self::Xlsx, Self::Json];
    /// What one has to look like.
    pub const EXPECTED: &str = "one of html, csv, xlsx, json";

    /// As files are named and configured.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Json => "json",
        }
    }

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// As mails name it (RFC 2046).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            // Registered with IANA by ECMA.
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Json => "application/json",
        }
    }
}

/// A report, written in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// How.
    pub format: Format,
    /// What.
    pub body: Vec<u8>,
}

/// `[[report]]`: what is delivered, when and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name, unique.
    pub name: String,
    /// Names of agreements; none: all there are.
    pub agreements: Vec<String>,
    /// Over which time: each period of it that is over.
    pub every: Length,
    /// When, on the day after a period, by the clocks of the agreement's zone.
    pub at: Time,
    /// How it is written; at least one way.
    pub formats: Vec<Format>,
    /// A directory in which files are put.
    pub directory: Option<String>,
    /// Who gets a mail.
    pub mail: Option<Post>,
    /// Where it is configured: file and line.
    pub place: String,
}

/// Who gets a mail, and by which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The receiver whose mail server takes it.
    pub receiver: String,
    /// Addresses; at least one.
    pub to: Vec<String>,
}

impl Plan {
    /// Where it goes: the directory first, which is the quickest.
    #[must_use]
    pub fn destinations(&self) -> Vec<Destination> {
        let directory = self.directory.iter().map(|path| Destination { way: Way::Directory, to: path.clone() });
        let mails = self.mail.iter().flat_map(|post| &post.to);
        directory.chain(mails.map(|to| Destination { way: Way::Mail, to: to.clone() })).collect()
    }

    /// Those of these agreements that it is about, in their order.
    #[must_use]
    pub fn about<'a>(&self, agreements: &[&'a str]) -> Vec<&'a str> {
        let is_about = |name: &&&str| self.agreements.is_empty() || self.agreements.iter().any(|own| own == **name);
        agreements.iter().filter(is_about).copied().collect()
    }
}

/// Longest part of a file's name that comes from an agreement's, in characters.
const STEM_CHARS: usize = 80;

/// The name of a report's files without their ends: `web-shop-2026-10`. What would be taken for another agreement of `all`
/// by that gets a few characters of a digest.
#[must_use]
pub fn stem(agreement: &str, period: &str, all: &[&str]) -> String {
    let own = plain(agreement);
    let shared = all.iter().any(|other| *other != agreement && plain(other) == own);
    let mark = if shared { format!("-{}", &sha256(agreement.as_bytes())[..6]) } else { String::new() };
    format!("{own}{mark}-{period}")
}

/// Letters, digits, `-`, `_` and `.`, none of which does harm in any file system.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            c if c.is_alphanumeric() || c == '_' => plain.push(c),
            '.' if !plain.is_empty() => plain.push(c),
            _ if !plain.is_empty() && !plain.ends_with('-') => plain.push('-'),
            _ => {}
        }
    }
    let plain: String = plain.chars().take(STEM_CHARS).collect();
    let plain = plain.trim_end_matches(['-', '.']);
    if plain.is_empty() { "agreement".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests;

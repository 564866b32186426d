//! What the collector sets on agents: parts with a scope each, and what they come to for one host.
//!
//! Built-in < collector < class < site < label < host; within one scope later wins. Checks are merged by name. Whatever a
//! machine's own file states wins there: the agent says which keys these are. [`shelf`] remembers what each host was
//! given and what it answered.

pub mod shelf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    labels::{Class, Profile, matches_pattern},
    watch::Watch,
};

/// Whom a part is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All hosts.
    All,
    /// Hosts of this class.
    Class(Class),
    /// Hosts at this site.
    Site(String),
    /// Hosts with this label.
    Label(String, String),
    /// Hosts with such a name; `*` and `?` stand for other characters.
    Host(String),
}

impl Scope {
    /// Whether a host is meant.
    #[must_use]
    pub fn holds(&self, profile: &Profile) -> bool {
        match self {
            Self::All => true,
            Self::Class(class) => profile.class == *class,
            Self::Site(site) => profile.site.as_ref() == Some(site),
            Self::Label(name, value) => profile.labels.get(name) == Some(value),
            Self::Host(pattern) => matches_pattern(pattern, &profile.name),
        }
    }

    /// The narrower the scope, the later it is taken, and wins.
    const fn rank(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Class(_) => 1,
            Self::Site(_) => 2,
            Self::Label(..) => 3,
            Self::Host(_) => 4,
        }
    }

    /// What it is called: `all`, `class=server`, `site=berlin`, `label=environment=dev`, `host=db-*`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::All => "all".into(),
            Self::Class(class) => format!("class={}", class.word()),
            Self::Site(site) => format!("site={site}"),
            Self::Label(name, value) => format!("label={name}={value}"),
            Self::Host(pattern) => format!("host={pattern}"),
        }
    }

    /// The scope with this name, if it is one.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        let fits = |text: &str| !text.is_empty() && text.len() <= 256 && !text.contains(char::is_control);
        if words == "all" {
            return Some(Self::All);
        }
        let (kind, of) = words.split_once('=').filter(|(_, of)| fits(of))?;
        Some(match kind {
            "class" => Self::Class(Class::from_word(of)?),
            "site" => Self::Site(of.to_owned()),
            "label" => {
                let (name, value) = of.split_once('=').filter(|(name, value)| fits(name) && fits(value))?;
                Self::Label(name.to_owned(), value.to_owned())
            }
            "host" => Self::Host(of.to_owned()),
            _ => return None,
        })
    }
}

/// One check as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Its keys with their values, as lines of TOML; `None` where hosts of the scope have no such check.
    pub lines: Option<String>,
}

/// What is set for a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// For whom.
    pub scope: Scope,
    /// Where that stands, in words.
    pub origin: String,
    /// Between reports, in milliseconds.
    pub report_ms: Option<u32>,
    /// Checks.
    pub checks: Vec<Check>,
}

/// What all parts come to for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Between reports, in milliseconds.
    pub report_ms: u32,
    /// Lines of each check, by name.
    pub checks: BTreeMap<String, String>,
    /// Where each comes from: `watch`, `report`, `check.NAME`.
    pub origins: BTreeMap<String, String>,
}

/// What these parts come to for a host; later ones win within one scope.
#[must_use]
pub fn merge<'a>(parts: impl Iterator<Item = &'a Part>, profile: &Profile) -> Merged {
    let level = format!("watch level {}", profile.watch.word());
    let mut merged = Merged {
        report_ms: profile.watch.timers().report_ms,
        checks: BTreeMap::new(),
        origins: [
            ("watch", profile.layers.source("watch").map_or_else(|| "class".into(), |layer| layer.word().into())),
            ("report", level),
        ]
        .map(|(key, origin)| (key.to_owned(), origin))
        .into(),
    };
    let mut about: Vec<&Part> = parts.filter(|part| part.scope.holds(profile)).collect();
    about.sort_by_key(|part| part.scope.rank());
    for part in about {
        if let Some(report_ms) = part.report_ms {
            merged.report_ms = report_ms;
            merged.origins.insert("report".into(), part.origin.clone());
        }
        for check in &part.checks {
            let key = format!("check.{}", check.name);
            match &check.lines {
                Some(lines) => {
                    merged.checks.insert(check.name.clone(), lines.clone());
                    merged.origins.insert(key, part.origin.clone());
                }
                None => {
                    merged.checks.remove(&check.name);
                    merged.origins.remove(&key);
                }
            }
        }
    }
    merged
}

impl Merged {
    /// The document that is sent.
    #[must_use]
    pub fn document(&self, profile: &Profile) -> String {
        // Agents know no level at which they are not watched: they report as at the calmest.
        let level = if profile.watch == Watch::None { Watch::Relaxed } else { profile.watch };
        let (watch, beat_ms) = (level.word(), level.timers().beat_ms);
        let mut document = format!("watch = \"{watch}\"\nreport_ms = {}\nbeat_ms = {beat_ms}\n", self.report_ms);
        for lines in self.checks.values() {
            document.push_str("\n[[check]]\n");
            document.push_str(lines);
        }
        document
    }
}

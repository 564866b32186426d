//! All rules of hardware: what an open finding means, what it is judged by, and where the limit comes from. The reference page
//! `deploy/hardware-rules.md` is made of it.

use std::sync::LazyLock;

use serde::Serialize;

mod drives;
mod kernel;
mod machine;
mod nvme;
mod storage;

/// A rule in words, for people who read a finding and want to know whether to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name, as findings, pages and metrics carry it.
    pub name: &'static str,
    /// The kind of part that it speaks of.
    pub about: &'static str,
    /// What an open finding means.
    pub says: &'static str,
    /// What has to be so, with limits and their units.
    pub judged_by: &'static str,
    /// Where the limits come from.
    pub source: &'static str,
    /// How bad: critical, warning or info, and what that depends on.
    pub severity: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let parts = [drives::RULES, kernel::RULES, machine::RULES, nvme::RULES, storage::RULES];
    let mut rules: Vec<_> = parts.into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule.name);
    rules
});

/// All rules, by name.
#[must_use]
pub fn all() -> &'static [&'static Rule] {
    &RULES
}

/// The rule of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    all().binary_search_by_key(&name, |rule| rule.name).ok().map(|place| all()[place].name)
}

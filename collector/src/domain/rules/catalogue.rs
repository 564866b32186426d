//! What is judged: the one list of rules. Configuration, explanation, command line and API all read it.

use super::{
    Unit, capacity, certificate, clock, filesystem, gaps, heat, memory, pressure, reboot, series, slow_disk, swap,
    systemd, throttle, voltage,
};

/// Most limits of one rule.
pub(super) const LIMITS: usize = 6;

/// One rule: what it says and by which limits.
#[derive(Debug)]
pub struct Rule {
    /// Its name, such as `filesystem_space`; the same in configuration, findings, pages and metrics.
    pub name: &'static str,
    /// What an open finding says, in a sentence.
    pub says: &'static str,
    /// The key by which an override names one of the rule's parts, such as `mount`; `None` where a host has one.
    pub part: Option<&'static str>,
    /// Its limits; a rule finds its own by their places here.
    pub limits: &'static [Limit],
    /// Where the numbers come from.
    pub source: &'static str,
    /// What to do about it, in one line.
    pub remedy: &'static str,
    /// What the host is asked for when a finding opens or becomes worse: a source of [`super::super::evidence`].
    pub evidence: Option<&'static str>,
}

/// One number that a rule judges by.
#[derive(Debug)]
pub struct Limit {
    /// Its key in the configuration, such as `warning`.
    pub key: &'static str,
    /// What it is, in words.
    pub says: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The least it may be.
    pub least: f64,
    /// The most it may be.
    pub most: f64,
    /// What it is where nobody says otherwise; NaN is off.
    pub default: f64,
}

impl Limit {
    /// A limit, but for `off`, is from this range.
    pub(super) const fn new(
        key: &'static str,
        says: &'static str,
        unit: Unit,
        range: (f64, f64),
        default: f64,
    ) -> Self {
        Self { key, says, unit, least: range.0, most: range.1, default }
    }

    /// Reads a limit as written.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn read(&self, text: &str) -> Result<f64, String> {
        if text.trim() == "off" && matches!(self.key, "warning" | "critical") {
            return Ok(f64::NAN);
        }
        let inside = |amount: &f64| (self.least..=self.most).contains(amount);
        self.unit.read(text).filter(inside).ok_or_else(|| {
            let (least, most) = (self.unit.show(self.least), self.unit.show(self.most));
            format!("{}, from {least} to {most}", self.unit.example())
        })
    }

    /// The limit as written.
    #[must_use]
    pub fn show(&self, amount: f64) -> String {
        self.unit.show(amount)
    }

    /// What it is where nobody says otherwise, as written.
    #[must_use]
    pub fn usual(&self) -> String {
        self.show(self.default)
    }
}

/// All rules, in the order in which they are explained.
pub static RULES: &[&Rule] = &[
    &filesystem::SPACE,
    &filesystem::INODES,
    &filesystem::FILLING,
    &filesystem::READ_ONLY,
    &memory::EXHAUSTED,
    &memory::KILLED,
    &swap::STORM,
    &pressure::CPU,
    &pressure::IO,
    &slow_disk::SLOW,
    &heat::HOT,
    &heat::STOPPED,
    &throttle::THROTTLED,
    &voltage::OUT,
    &systemd::FAILED,
    &systemd::RESTARTING,
    &clock::OFF,
    &reboot::LOOP,
    &capacity::DESCRIPTORS,
    &capacity::CONNTRACK,
    &certificate::EXPIRY,
    &gaps::UNREPORTED,
    &series::LEFT_OUT,
];

impl Rule {
    /// The rule with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.name == name).copied()
    }

    /// Its place in [`RULES`].
    pub(super) fn place(&'static self) -> usize {
        RULES.iter().position(|rule| std::ptr::eq(*rule, self)).unwrap_or_default()
    }

    /// The place of the limit with this key.
    #[must_use]
    pub fn limit(&self, key: &str) -> Option<usize> {
        self.limits.iter().position(|limit| limit.key == key)
    }

    /// Whether less is worse.
    #[must_use]
    pub fn less_is_worse(&self) -> bool {
        let default = |key| self.limit(key).map(|place| self.limits[place].default);
        matches!((default("warning"), default("critical")), (Some(warning), Some(critical)) if critical < warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = include_str!("../../../help/rules.md");

    #[test]
    fn every_rule_can_be_configured_and_explained() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len(), "names are unique");
        for rule in RULES {
            assert!(rule.limits.len() <= LIMITS, "{}", rule.name);
            assert!(HELP.contains(&format!("| `{}` |", rule.name)), "{} is not in help", rule.name);
            assert!(!rule.says.is_empty() && !rule.source.is_empty() && !rule.remedy.is_empty(), "{}", rule.name);
            for limit in rule.limits {
                let inside = limit.default.is_nan() || (limit.least..=limit.most).contains(&limit.default);
                assert!(inside, "{}.{}", rule.name, limit.key);
                assert!(!["enabled", "severity", "rule", "host", "label", "site", "class"].contains(&limit.key));
                let again = limit.read(&limit.show(limit.default));
                assert!(limit.default.is_nan() || again == Ok(limit.default), "{}.{}: {again:?}", rule.name, limit.key);
            }
        }
    }
}

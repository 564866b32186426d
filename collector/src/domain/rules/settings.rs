//! What applies to which host: built-in limits, changed by the configuration for all hosts and by overrides for some.
//!
//! Later wins: built in < `[rules.NAME]` < what the class has by default (a workstation tells nothing worse than info)
//! < overrides, the more exactly they name their host or part the later. Resolved once per host and kind of host, not
//! per report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use super::catalogue::{LIMITS, RULES, Rule};
use crate::domain::{
    ids::HostNo,
    labels::{Class, Profile, matches_pattern},
    severity::Severity,
};

/// What a line changes of a rule; what it does not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Whether it judges at all.
    pub enabled: Option<bool>,
    /// How bad its findings may be at most.
    pub severity: Option<Severity>,
    /// Limits, by their place in the rule.
    pub limits: Vec<(usize, f64)>,
}

impl Change {
    /// What is wrong where, with this change on top of `before`, a rule would be critical before it warned.
    #[must_use]
    pub fn out_of_order(&self, rule: &Rule, before: &[(usize, f64)]) -> Option<String> {
        let at = |key: &str| {
            let place = rule.limit(key)?;
            let said = self.limits.iter().chain(before).find(|(about, _)| *about == place);
            Some(said.map_or(rule.limits[place].default, |(_, amount)| *amount))
        };
        let order = |warning: &str, critical: &str| {
            let (warns, is_critical) = (at(warning)?, at(critical)?);
            let wrong = if rule.less_is_worse() { is_critical > warns } else { is_critical < warns };
            let side = if rule.less_is_worse() { "no more" } else { "no less" };
            let shown = rule.limit(warning).map(|place| rule.limits[place].show(warns)).unwrap_or_default();
            wrong.then(|| format!("{side} than {warning} ({shown}), or nothing would ever warn first"))
        };
        order("warning", "critical").or_else(|| order("warning_free", "critical_free"))
    }
}

/// Whom a line is about; what it does not say fits all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector {
    /// Host name with `*` and `?`.
    pub host: Option<String>,
    /// A label with its value, which may have `*` and `?`.
    pub label: Option<(String, String)>,
    /// The site's name.
    pub site: Option<String>,
    /// The class.
    pub class: Option<Class>,
    /// The part (mount point, unit...) with `*` and `?`.
    pub part: Option<String>,
}

impl Selector {
    fn fits(&self, profile: &Profile) -> bool {
        let label = |(name, value): &(String, String)| {
            profile.labels.get(name).is_some_and(|given| matches_pattern(value, given))
        };
        self.host.as_deref().is_none_or(|pattern| matches_pattern(pattern, &profile.name))
            && self.label.as_ref().is_none_or(label)
            && self.site.as_deref().is_none_or(|site| profile.site.as_deref() == Some(site))
            && self.class.is_none_or(|class| profile.class == class)
    }

    /// A part is named more exactly than a host, a host than a label.
    fn exactness(&self) -> u8 {
        let points = [
            (self.part.is_some(), 16),
            (self.host.is_some(), 8),
            (self.label.is_some(), 4),
            (self.site.is_some(), 2),
            (self.class.is_some(), 1),
        ];
        points.iter().filter(|(given, _)| *given).map(|(_, points)| points).sum()
    }
}

/// One line that changes a rule.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which rule.
    pub rule: &'static Rule,
    /// For whom; for everybody in `[rules.NAME]`.
    pub selector: Selector,
    /// To what.
    pub change: Change,
    /// Where it stands, as an explanation names it: `override backup, collector.toml:12`.
    pub origin: String,
}

/// Whether it is a workstation, and which lines apply to it.
type Applying = (bool, Vec<usize>);

/// All lines, in the order in which they are applied.
#[derive(Debug, Default)]
pub struct Settings {
    lines: Arc<Vec<Line>>,
    /// Hosts to which the same lines apply share what follows from them.
    known: Mutex<HashMap<Applying, Weak<Thresholds>>>,
}

impl Clone for Settings {
    fn clone(&self) -> Self {
        Self { lines: Arc::clone(&self.lines), known: Mutex::default() }
    }
}

impl Settings {
    /// The settings that these lines are, in the order in which they were written.
    #[must_use]
    pub fn new(mut lines: Vec<Line>) -> Self {
        lines.sort_by_key(|line| line.selector.exactness());
        Self { lines: Arc::new(lines), known: Mutex::default() }
    }

    /// All lines, in the order in which they are applied.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What applies to a host of which nothing is known yet.
    #[must_use]
    pub fn for_anybody(&self) -> Arc<Thresholds> {
        let general = |line: &Line| line.selector == Selector::default();
        self.shared(false, self.places(general))
    }

    /// What applies to this host.
    #[must_use]
    pub fn of(&self, profile: &Profile) -> Arc<Thresholds> {
        self.shared(profile.class == Class::Workstation, self.places(|line| line.selector.fits(profile)))
    }

    /// The hosts to which other lines apply than in `before`.
    pub fn differing<'a>(&self, before: &Self, hosts: impl Iterator<Item = &'a Profile>) -> Vec<HostNo> {
        let origins = |settings: &Self, profile: &Profile| -> Vec<String> {
            let lines = settings.lines.iter().filter(|line| line.selector.fits(profile));
            lines.map(|line| line.origin.clone()).collect()
        };
        hosts.filter(|host| origins(self, host) != origins(before, host)).map(|host| host.no).collect()
    }

    fn places(&self, fits: impl Fn(&Line) -> bool) -> Vec<usize> {
        self.lines.iter().enumerate().filter(|(_, line)| fits(line)).map(|(place, _)| place).collect()
    }

    fn shared(&self, workstation: bool, places: Vec<usize>) -> Arc<Thresholds> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&(workstation, places.clone())).and_then(Weak::upgrade) {
            return same;
        }
        known.retain(|_, thresholds| thresholds.strong_count() > 0);
        let made = Arc::new(Thresholds::new(&self.lines, workstation, &places));
        known.insert((workstation, places), Arc::downgrade(&made));
        made
    }
}

/// What applies to one rule on one host or part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effective {
    /// Whether it judges at all.
    pub enabled: bool,
    /// How bad its findings may be at most.
    pub most: Severity,
    /// Its limits, by their place in the rule; NaN is off.
    pub limits: [f64; LIMITS],
    /// Where enabled, severity and the limits come from: see [`Thresholds::origin`].
    origins: [u16; LIMITS + 2],
}

/// Built in, for everybody and for workstations; lines follow.
const BUILT_IN: u16 = 0;
const WORKSTATION: u16 = 1;
const FIRST_LINE: usize = 2;

impl Effective {
    fn built_in(rule: &Rule) -> Self {
        let mut limits = [f64::NAN; LIMITS];
        limits.iter_mut().zip(rule.limits).for_each(|(place, limit)| *place = limit.default);
        Self { enabled: true, most: Severity::Critical, limits, origins: [BUILT_IN; LIMITS + 2] }
    }

    fn change(&mut self, change: &Change, origin: u16) {
        if let Some(enabled) = change.enabled {
            (self.enabled, self.origins[0]) = (enabled, origin);
        }
        if let Some(severity) = change.severity {
            (self.most, self.origins[1]) = (severity, origin);
        }
        for (place, amount) in &change.limits {
            (self.limits[*place], self.origins[place + 2]) = (*amount, origin);
        }
    }
}

/// What applies to one host; shared by all hosts to which the same lines apply.
#[derive(Debug)]
pub struct Thresholds {
    rules: Box<[Effective]>,
    /// Lines about parts, by rule.
    parts: Vec<(usize, usize)>,
    lines: Arc<Vec<Line>>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::new(&Arc::default(), false, &[])
    }
}

impl Thresholds {
    fn new(lines: &Arc<Vec<Line>>, workstation: bool, places: &[usize]) -> Self {
        let mut rules: Box<[Effective]> = RULES.iter().map(|rule| Effective::built_in(rule)).collect();
        let mut parts = Vec::new();
        let is_general = |place: &usize| lines[*place].selector == Selector::default();
        let general = places.iter().copied().filter(is_general);
        let special = places.iter().copied().filter(|place| !is_general(place));
        for place in general {
            rules[lines[place].rule.place()].change(&lines[place].change, origin(place));
        }
        if workstation {
            let quiet = Change { severity: Some(Severity::Info), ..Change::default() };
            rules.iter_mut().for_each(|rule| rule.change(&quiet, WORKSTATION));
        }
        for place in special {
            let line = &lines[place];
            if line.selector.part.is_some() {
                parts.push((line.rule.place(), place));
            } else {
                rules[line.rule.place()].change(&line.change, origin(place));
            }
        }
        Self { rules, parts, lines: Arc::clone(lines) }
    }

    /// Whether everything is judged by the same limits as by `other`.
    #[must_use]
    pub fn judges_like(&self, other: &Self) -> bool {
        let said = |thresholds: &Self| -> Vec<(usize, Option<String>, Change)> {
            let lines = thresholds.parts.iter().map(|(rule, line)| (*rule, &thresholds.lines[*line]));
            lines.map(|(rule, line)| (rule, line.selector.part.clone(), line.change.clone())).collect()
        };
        let same = |(a, b): (&Effective, &Effective)| {
            (a.enabled, a.most, a.limits.map(f64::to_bits)) == (b.enabled, b.most, b.limits.map(f64::to_bits))
        };
        self.rules.iter().zip(&other.rules).all(same) && said(self) == said(other)
    }

    /// What applies to this rule on the host as a whole.
    #[must_use]
    pub fn of(&self, rule: &'static Rule) -> Effective {
        self.rules[rule.place()]
    }

    /// What applies to this rule on the part that `part` names; asked only if anything is said of parts.
    pub fn at<'a>(&self, rule: &'static Rule, part: impl Fn() -> &'a str) -> Effective {
        let place = rule.place();
        let mut effective = self.rules[place];
        for (_, line) in self.parts.iter().filter(|(about, _)| *about == place) {
            let said = &self.lines[*line];
            if said.selector.part.as_deref().is_some_and(|pattern| matches_pattern(pattern, part())) {
                effective.change(&said.change, origin(*line));
            }
        }
        effective
    }

    /// The parts that lines name for this rule, as written.
    pub fn parts(&self, rule: &'static Rule) -> impl Iterator<Item = &str> {
        let place = rule.place();
        let about = self.parts.iter().filter(move |(about, _)| *about == place);
        about.filter_map(|(_, line)| self.lines[*line].selector.part.as_deref())
    }

    /// Where whether it is enabled comes from.
    #[must_use]
    pub fn enabled_from(&self, effective: &Effective) -> &str {
        self.origin(effective.origins[0])
    }

    /// Where its severity comes from.
    #[must_use]
    pub fn severity_from(&self, effective: &Effective) -> &str {
        self.origin(effective.origins[1])
    }

    /// Where the limit at this place of the rule comes from.
    #[must_use]
    pub fn limit_from(&self, effective: &Effective, place: usize) -> &str {
        self.origin(effective.origins[place + 2])
    }

    fn origin(&self, number: u16) -> &str {
        match number {
            BUILT_IN => "built in",
            WORKSTATION => "built in for workstations",
            line => self.lines.get(usize::from(line) - FIRST_LINE).map_or("", |line| line.origin.as_str()),
        }
    }
}

/// Lines are at most some thousands: what the configuration and the store allow.
fn origin(line: usize) -> u16 {
    u16::try_from(line + FIRST_LINE).unwrap_or(u16::MAX)
}

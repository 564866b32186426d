//! Which findings stand, as last told.

use std::collections::BTreeMap;

use super::catalogue::Rule;
use crate::domain::{
    finding::{FindingRow, Judgement, Verdict},
    severity::Severity,
};

/// Most open findings of one rule on one host: a host with 20 000 full file systems has one trouble, not 20 000.
pub(super) const OPEN: usize = 256;

/// Open findings by rule and part. Most hosts have none, and then this is all they need.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<&'static str, BTreeMap<String, Finding>>);

#[derive(Debug, Clone, Copy)]
struct Finding {
    severity: Severity,
    /// Whether the last word was that it cannot be judged.
    in_doubt: bool,
}

impl Standing {
    pub(super) fn of(open: &[FindingRow]) -> Self {
        let mut all = Self::default();
        for row in open.iter().filter(|row| row.open) {
            if let Some(rule) = Rule::named(&row.rule) {
                let finding = Finding { severity: row.severity, in_doubt: false };
                all.0.entry(rule.name).or_default().insert(row.part.clone(), finding);
            }
        }
        all
    }

    /// Whether a finding of this rule stands.
    pub(super) fn any(&self, rule: &Rule) -> bool {
        !self.0.is_empty() && self.0.contains_key(rule.name)
    }

    pub(super) fn severity(&self, rule: &Rule, part: &str) -> Option<Severity> {
        self.0.get(rule.name)?.get(part).map(|finding| finding.severity)
    }

    pub(super) fn parts(&self, rule: &Rule) -> Vec<String> {
        self.0.get(rule.name).map(|parts| parts.keys().cloned().collect()).unwrap_or_default()
    }

    /// The trouble holds; told if that is new.
    pub(super) fn hold(
        &mut self,
        rule: &'static Rule,
        part: &str,
        severity: Severity,
        evidence: impl FnOnce() -> String,
        told: &mut Vec<Judgement>,
    ) {
        let finding = Finding { severity, in_doubt: false };
        let parts = self.0.entry(rule.name).or_default();
        let full = parts.len() >= OPEN;
        match parts.get_mut(part) {
            Some(known) if known.severity == severity && !known.in_doubt => return,
            Some(known) => *known = finding,
            None if full => return,
            None => {
                parts.insert(part.to_owned(), finding);
            }
        }
        let verdict = Verdict::Holds { severity, evidence: evidence() };
        told.push(Judgement { part: part.to_owned(), rule: rule.name, verdict, cause: None });
    }

    /// The trouble is over; told if it stood.
    pub(super) fn clear(
        &mut self,
        rule: &'static Rule,
        part: &str,
        evidence: impl FnOnce() -> String,
        told: &mut Vec<Judgement>,
    ) {
        let Some(parts) = self.0.get_mut(rule.name) else { return };
        if parts.remove(part).is_some() {
            let verdict = Verdict::Cleared { evidence: evidence() };
            told.push(Judgement { part: part.to_owned(), rule: rule.name, verdict, cause: None });
        }
        if parts.is_empty() {
            self.0.remove(rule.name);
        }
    }

    /// The trouble stands but cannot be judged; told once.
    pub(super) fn doubt(&mut self, rule: &'static Rule, part: &str, reason: &str, told: &mut Vec<Judgement>) {
        let known = self.0.get_mut(rule.name).and_then(|parts| parts.get_mut(part));
        if let Some(known) = known.filter(|known| !known.in_doubt) {
            known.in_doubt = true;
            let verdict = Verdict::CannotTell(reason.to_owned());
            told.push(Judgement { part: part.to_owned(), rule: rule.name, verdict, cause: None });
        }
    }
}

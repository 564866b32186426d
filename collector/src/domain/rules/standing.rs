//! Which findings of one rule stand, as last told.

use std::collections::BTreeMap;

use crate::domain::{
    event::{Judgement, Severity, Verdict},
    record::FindingRow,
};

/// Most open findings of one rule on one host: a host with 20 000 full file systems has one trouble, not 20 000.
pub(super) const OPEN: usize = 256;

/// Open findings by part.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<String, Finding>);

#[derive(Debug, Clone, Copy)]
struct Finding {
    severity: Severity,
    /// Whether the last word was that it cannot be judged.
    in_doubt: bool,
}

impl Standing {
    pub(super) fn of(open: &[FindingRow], rule: &str) -> Self {
        let finding = |row: &FindingRow| Finding { severity: row.severity, in_doubt: false };
        let rows = open.iter().filter(|row| row.open && row.rule == rule);
        Self(rows.map(|row| (row.part.clone(), finding(row))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn severity(&self, part: &str) -> Option<Severity> {
        self.0.get(part).map(|finding| finding.severity)
    }

    pub(super) fn parts(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The trouble holds; told if that is new.
    pub(super) fn hold(
        &mut self,
        rule: &'static str,
        part: &str,
        severity: Severity,
        evidence: impl FnOnce() -> String,
        differences: &mut Vec<Judgement>,
    ) {
        let finding = Finding { severity, in_doubt: false };
        let full = self.0.len() >= OPEN;
        match self.0.get_mut(part) {
            Some(known) if known.severity == severity && !known.in_doubt => return,
            Some(known) => *known = finding,
            None if full => return,
            None => {
                self.0.insert(part.to_owned(), finding);
            }
        }
        let verdict = Verdict::Holds { severity, evidence: evidence() };
        differences.push(Judgement { part: part.to_owned(), rule, verdict });
    }

    /// The trouble is over; told if it stood.
    pub(super) fn clear(
        &mut self,
        rule: &'static str,
        part: &str,
        evidence: impl FnOnce() -> String,
        differences: &mut Vec<Judgement>,
    ) {
        if self.0.remove(part).is_some() {
            let verdict = Verdict::Cleared { evidence: evidence() };
            differences.push(Judgement { part: part.to_owned(), rule, verdict });
        }
    }

    /// The trouble stands but cannot be judged; told once.
    pub(super) fn doubt(&mut self, rule: &'static str, part: &str, reason: &str, differences: &mut Vec<Judgement>) {
        if let Some(known) = self.0.get_mut(part).filter(|known| !known.in_doubt) {
            known.in_doubt = true;
            let verdict = Verdict::CannotTell(reason.to_owned());
            differences.push(Judgement { part: part.to_owned(), rule, verdict });
        }
    }

    /// None of them can be judged; told once.
    pub(super) fn doubt_all(&mut self, rule: &'static str, reason: &str, differences: &mut Vec<Judgement>) {
        for part in self.parts() {
            self.doubt(rule, &part, reason, differences);
        }
    }
}

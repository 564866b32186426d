//! One pass over one host's readings: what every rule needs to turn a level into a finding.

use super::{Effective, Inputs, pending::Pending, standing::Standing};
use crate::domain::{finding::Judgement, rules::catalogue::Rule, severity::Severity};

/// One pass.
pub(super) struct Judging<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) standing: &'a mut Standing,
    pub(super) pending: &'a mut Pending,
    /// The limits are others than in the pass before.
    pub(super) anew: bool,
    pub(super) told: Vec<Judgement>,
}

impl<'a> Judging<'a> {
    /// What applies to the host's only part of this rule.
    pub(super) fn applies(&self, rule: &'static Rule) -> Effective {
        self.inputs.thresholds.of(rule)
    }

    /// How bad the finding that stands is, if one does.
    pub(super) fn previous(&self, rule: &Rule, part: &str) -> Option<Severity> {
        if self.standing.any(rule) { self.standing.severity(rule, part) } else { None }
    }

    /// How bad it was before by the same limits: what new limits do not cross needs not leave them behind either.
    pub(super) fn crossed(&self, rule: &Rule, part: &str) -> Option<Severity> {
        self.previous(rule, part).filter(|_| !self.anew)
    }

    /// The trouble is at this level now, or there is none. It opens when it has held for `for_s`, is told when its
    /// severity differs, and is cleared at once: what keeps it from coming and going is the hysteresis in its level.
    pub(super) fn settle(
        &mut self,
        rule: &'static Rule,
        part: &str,
        level: Option<Severity>,
        (applies, for_s): (&Effective, f64),
        evidence: impl FnOnce() -> String,
    ) {
        let Some(level) = level.filter(|_| applies.enabled) else {
            if !self.pending.is_empty() {
                self.pending.drop(rule, part);
            }
            if self.standing.any(rule) {
                let enabled = applies.enabled;
                let words = || if enabled { evidence() } else { format!("{part}: this rule is switched off here") };
                self.standing.clear(rule, part, words, &mut self.told);
            }
            return;
        };
        let before = self.previous(rule, part);
        let held = if for_s > 0.0 {
            let held = self.pending.held(rule, part, level, for_s * 1_000.0, self.inputs.uptime_ms);
            // Better is believed at once, worse when it has held.
            held.max(before.map(|before| before.min(level)))
        } else {
            Some(level)
        };
        if let Some(severity) = held {
            self.standing.hold(rule, part, severity.min(applies.most), evidence, &mut self.told);
        }
    }

    /// No finding of this rule can be judged now.
    pub(super) fn doubt_all(&mut self, rule: &'static Rule, reason: &str) {
        for part in self.open(rule) {
            self.standing.doubt(rule, &part, reason, &mut self.told);
        }
    }

    pub(super) fn doubt(&mut self, rule: &'static Rule, part: &str, reason: &str) {
        self.standing.doubt(rule, part, reason, &mut self.told);
    }

    pub(super) fn clear(&mut self, rule: &'static Rule, part: &str, evidence: impl FnOnce() -> String) {
        self.standing.clear(rule, part, evidence, &mut self.told);
    }

    /// The parts about which a finding of this rule stands.
    pub(super) fn open(&self, rule: &Rule) -> Vec<String> {
        if self.standing.any(rule) { self.standing.parts(rule) } else { Vec::new() }
    }
}

/// Which side of its limits is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    Above,
    Below,
}

/// How bad a value is, when the finding was `previous` before: a limit that was crossed is left behind only by more
/// than `hysteresis`. Limits that are off (NaN) are crossed by nothing.
pub(super) fn level(
    bad: Bad,
    value: f64,
    (warning, critical): (f64, f64),
    hysteresis: f64,
    previous: Option<Severity>,
) -> Option<Severity> {
    let crossed = |limit: f64, was: bool| match (bad, was) {
        (Bad::Above, false) => value > limit,
        (Bad::Above, true) => value >= limit - hysteresis,
        (Bad::Below, false) => value < limit,
        (Bad::Below, true) => value <= limit + hysteresis,
    };
    if crossed(critical, previous == Some(Severity::Critical)) {
        Some(Severity::Critical)
    } else if crossed(warning, previous.is_some()) {
        Some(Severity::Warning)
    } else {
        None
    }
}

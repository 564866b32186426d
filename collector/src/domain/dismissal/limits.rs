//! Which limits of a rule would have kept a finding from being told, and whether others would have.

use super::past::Fate;
use crate::domain::{
    rules::{Effective, Rule},
    severity::Severity,
};

/// How bad a trouble was at its worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worst {
    /// What was left, or in use, as a share.
    pub share: f64,
    /// What was left in bytes, where the rule asks for that too.
    pub free: Option<f64>,
}

/// The limit that says how long a trouble must hold before it is told; a time over which a rule takes its figures is no
/// such limit, and cannot be 0.
fn holding_time(rule: &Rule) -> Option<usize> {
    rule.limit("for").filter(|place| rule.limits[*place].least == 0.0)
}

/// Whether a rule would have told of this, with these limits.
fn tells(rule: &Rule, effective: &Effective, worst: Worst) -> bool {
    let limit = |key: &str| rule.limit(key).map(|place| effective.limits[place]);
    let beyond = |key: &str, free_key: &str| {
        let Some(limit_share) = limit(key) else { return false };
        let crossed = if rule.less_is_worse() { worst.share < limit_share } else { worst.share > limit_share };
        let little = |bound: f64| worst.free.is_none_or(|free| free < bound);
        crossed && limit(free_key).is_none_or(little)
    };
    beyond("warning", "warning_free") || beyond("critical", "critical_free")
}

/// What would have become of a finding that lasted so long, with other limits.
#[must_use]
pub fn fate(rule: &Rule, before: &Effective, after: &Effective, worst: Option<Worst>, lasted_ms: i64) -> Fate {
    if !after.enabled || after.most == Severity::Info {
        return Fate::Spared;
    }
    let holding = holding_time(rule);
    if let Some(place) = holding {
        let (old, new) = (before.limits[place], after.limits[place]);
        #[expect(clippy::cast_precision_loss, reason = "some days")]
        let held_s = lasted_ms as f64 / 1_000.0 + old;
        if new > old && held_s < new {
            return Fate::Spared;
        }
    }
    let others = (0..rule.limits.len()).filter(|place| Some(*place) != holding);
    // Bits, for off is NaN and equals itself.
    let same = others.clone().all(|place| before.limits[place].to_bits() == after.limits[place].to_bits());
    match worst {
        _ if same => Fate::Kept,
        Some(worst) if tells(rule, after, worst) => Fate::Kept,
        Some(_) => Fate::Spared,
        None => Fate::CannotTell,
    }
}

/// The limits that would have been needed for nothing to be told, as they are written; none where that is not known.
#[must_use]
pub fn needed(rule: &Rule, present: &Effective, worst: Option<Worst>, lasted_ms: i64) -> Vec<(&'static str, String)> {
    let mut needed = Vec::new();
    if let Some(worst) = worst.filter(|worst| tells(rule, present, *worst)) {
        let bound = if rule.less_is_worse() {
            (worst.share * 1_000.0).floor() / 1_000.0
        } else {
            (worst.share * 1_000.0).ceil() / 1_000.0
        };
        for key in ["warning", "critical"] {
            let Some(place) = rule.limit(key) else { continue };
            let said = present.limits[place];
            let beyond = if rule.less_is_worse() { said > bound } else { said < bound };
            if beyond {
                needed.push((rule.limits[place].key, rule.limits[place].show(bound)));
            }
        }
    }
    if let Some(place) = holding_time(rule).filter(|_| needed.is_empty()) {
        let limit = &rule.limits[place];
        #[expect(clippy::cast_precision_loss, reason = "some days")]
        let held_s = lasted_ms as f64 / 1_000.0 + present.limits[place];
        // The next whole minute: a limit of 183 s reads as if it meant something.
        let minutes = (held_s / 60.0).floor() + 1.0;
        if minutes * 60.0 <= limit.most {
            needed.push((limit.key, limit.show(minutes * 60.0)));
        }
    }
    needed
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;

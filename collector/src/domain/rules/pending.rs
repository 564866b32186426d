//! Troubles that do not stand yet because they have not held for as long as their rule asks.
//!
//! Times are the host's own time since boot. They live in memory alone and are forgotten when a session begins, so that
//! no finding opens earlier for a restart, and at most one `for` later.

use super::{catalogue::Rule, standing::OPEN};
use crate::domain::severity::Severity;

/// What waits; most hosts have none.
#[derive(Debug, Default)]
pub(super) struct Pending(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    rule: &'static str,
    part: Box<str>,
    since_ms: u64,
    critical_since_ms: Option<u64>,
    /// When it was last seen to hold.
    seen_ms: u64,
}

impl Pending {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The trouble holds now at this severity: how bad it has been for at least `for_ms`, if it has.
    pub(super) fn held(
        &mut self,
        rule: &Rule,
        part: &str,
        severity: Severity,
        for_ms: f64,
        now_ms: u64,
    ) -> Option<Severity> {
        let place = self.0.iter().position(|known| known.rule == rule.name && &*known.part == part);
        let place = place.unwrap_or_else(|| {
            let fresh = Waiting {
                rule: rule.name,
                part: part.into(),
                since_ms: now_ms,
                critical_since_ms: None,
                seen_ms: now_ms,
            };
            self.0.push(fresh);
            self.0.len() - 1
        });
        let known = &mut self.0[place];
        known.seen_ms = now_ms;
        known.critical_since_ms = (severity == Severity::Critical).then(|| known.critical_since_ms.unwrap_or(now_ms));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since boot are far below 2^52")]
        let over = |since: u64| now_ms.saturating_sub(since) as f64 >= for_ms;
        if known.critical_since_ms.is_some_and(over) {
            return Some(Severity::Critical);
        }
        over(known.since_ms).then_some(Severity::Warning)
    }

    /// The trouble does not hold.
    pub(super) fn drop(&mut self, rule: &Rule, part: &str) {
        self.0.retain(|known| known.rule != rule.name || &*known.part != part);
    }

    /// Forgets what was not seen in the pass at `now_ms`, and what is beyond the bound.
    pub(super) fn sweep(&mut self, now_ms: u64) {
        self.0.retain(|known| known.seen_ms == now_ms);
        self.0.truncate(OPEN);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

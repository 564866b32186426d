//! When to dial again. PURE.
//!
//! At once after a session, then with full jitter under a growing limit: the jitter lies below the cap, so that a fleet
//! that waits long still arrives spread out.

use std::time::Duration;

use super::settings::Watch;

/// The first try comes within this time.
const AT_ONCE: Duration = Duration::from_millis(200);
/// No wait is longer, refusals apart.
const CAP: Duration = Duration::from_secs(60);
/// A session that lasted this long proves that all is well.
const STABLE: Duration = Duration::from_secs(300);
/// A welcomed session that did not last leaves waits of at most 2^3 units: the collector was there a moment ago.
const EXPONENT_AFTER_WELCOME: u32 = 3;
/// A collector that does not want this host is asked again after an hour +- 50 %.
const REFUSED: Duration = Duration::from_secs(3600);
/// At level fast a refusal is doubted once.
const REFUSED_FAST: Duration = Duration::from_secs(5);

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The collector, or the path to it, is gone without a word.
    Vanished,
    /// The collector asked to move, or we wanted a new session.
    Moved,
    /// The collector does not want this host.
    Refused,
}

/// The state of redialling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    unit: Duration,
    failures: u32,
    refusals: u32,
}

impl Backoff {
    /// Nothing has failed yet. `unit` is the first limit: 1 s.
    pub(crate) fn new(unit: Duration) -> Self {
        Self { unit, failures: 0, refusals: 0 }
    }

    /// Before the very first try; `random` in [0, 1).
    pub(crate) fn first(random: f64) -> Duration {
        AT_ONCE.mul_f64(random)
    }

    /// The collector welcomed this host.
    pub(crate) fn welcomed(&mut self) {
        self.refusals = 0;
        self.failures = self.failures.min(EXPONENT_AFTER_WELCOME);
    }

    /// Whether the collector last said that it does not want this host.
    pub(crate) fn is_refused(&self) -> bool {
        self.refusals > 0
    }

    /// What failed may not fail any more: waits grow from the first limit again.
    pub(crate) fn forgive(&mut self) {
        self.failures = 0;
    }

    /// After a session. `spread` is what the collector asked for in its `Welcome`, for the day it vanishes.
    pub(crate) fn after_session(
        &mut self,
        how: Ending,
        lasted: Duration,
        spread: Duration,
        watch: Watch,
        random: f64,
    ) -> Duration {
        if lasted >= STABLE {
            self.failures = 0;
        }
        match how {
            Ending::Refused => self.after_refusal(watch, random),
            Ending::Moved => AT_ONCE.mul_f64(random),
            Ending::Vanished => spread.min(CAP).max(AT_ONCE).mul_f64(random),
        }
    }

    /// After a try that reached nobody.
    pub(crate) fn after_failure(&mut self, random: f64) -> Duration {
        let limit = self.unit.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        limit.mul_f64(random)
    }

    /// After a refusal.
    pub(crate) fn after_refusal(&mut self, watch: Watch, random: f64) -> Duration {
        self.refusals = self.refusals.saturating_add(1);
        if watch == Watch::Fast && self.refusals == 1 { REFUSED_FAST } else { REFUSED.mul_f64(0.5 + random) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_a_minute_with_jitter_below_the_limit() {
        let mut backoff = Backoff::new(SECOND);
        let limits: Vec<u64> = (0..9).map(|_| backoff.after_failure(1.0).as_secs()).collect();
        assert_eq!(limits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(backoff.after_failure(0.0) < SECOND);
    }

    #[test]
    fn asked_for_spread_counts_only_when_the_collector_vanished() {
        let mut backoff = Backoff::new(SECOND);
        let spread = Duration::from_secs(20);
        let minute = Duration::from_secs(60);
        assert_eq!(
            backoff.after_session(Ending::Vanished, minute, spread, Watch::Normal, 0.5),
            Duration::from_secs(10)
        );
        assert!(backoff.after_session(Ending::Moved, minute, spread, Watch::Normal, 0.99) < AT_ONCE);
        assert!(backoff.after_session(Ending::Vanished, minute, Duration::ZERO, Watch::Normal, 0.99) < AT_ONCE);
    }

    #[test]
    fn five_minutes_of_session_forgive_all_failures() {
        let mut backoff = Backoff::new(SECOND);
        for _ in 0..10 {
            backoff.after_failure(1.0);
        }
        backoff.welcomed();
        backoff.after_session(Ending::Vanished, STABLE - SECOND, Duration::ZERO, Watch::Normal, 0.5);
        assert_eq!(backoff.after_failure(1.0), Duration::from_secs(8));
        backoff.after_session(Ending::Vanished, STABLE, Duration::ZERO, Watch::Normal, 0.5);
        assert_eq!(backoff.after_failure(1.0), SECOND);
    }

    #[test]
    fn a_moved_machine_waits_as_at_first_and_a_refusal_is_remembered_until_a_welcome() {
        let mut backoff = Backoff::new(SECOND);
        for _ in 0..10 {
            backoff.after_failure(1.0);
        }
        assert!(!backoff.is_refused());
        backoff.forgive();
        assert_eq!(backoff.after_failure(1.0), SECOND);
        backoff.after_refusal(Watch::Normal, 0.5);
        backoff.forgive();
        assert!(backoff.is_refused());
        backoff.welcomed();
        assert!(!backoff.is_refused());
    }

    #[test]
    fn refusal_waits_about_an_hour_and_fast_doubts_it_once() {
        let mut backoff = Backoff::new(SECOND);
        assert_eq!(backoff.after_refusal(Watch::Normal, 0.0), Duration::from_secs(1800));
        let mut backoff = Backoff::new(SECOND);
        assert_eq!(backoff.after_refusal(Watch::Fast, 0.5), REFUSED_FAST);
        assert_eq!(backoff.after_refusal(Watch::Fast, 0.5), REFUSED);
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_its_cap(failures in 0..100u32, random in 0.0..1.0f64, spread_s in 0..100_000u64) {
            let mut backoff = Backoff { unit: SECOND, failures, refusals: 0 };
            let spread = Duration::from_secs(spread_s);
            prop_assert!(backoff.after_session(Ending::Vanished, SECOND, spread, Watch::Normal, random) <= CAP);
            prop_assert!(backoff.after_failure(random) <= CAP);
        }
    }
}

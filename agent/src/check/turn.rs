//! PURE. Where one check stands in its turns: how often in a row it was not ok, and when it is due again.

use std::time::Duration;

use super::{Definition, Status};

/// All first runs are begun within this, or within the interval of the check where that is shorter.
const SPREAD: Duration = Duration::from_secs(10);

/// Where one check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    status: Option<Status>,
    attempt: u32,
}

impl Turn {
    /// How often in a row it was not ok, at most as often as its definition asks for; 1 when it is ok.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Takes an outcome in; says whether the collector has to hear of it: status or attempt are others than before.
    pub fn take(&mut self, status: Status, definition: &Definition) -> bool {
        let before = *self;
        let failing = before.status.is_some_and(|status| status != Status::Ok);
        self.attempt = match (status, failing) {
            (Status::Ok, _) | (_, false) => 1,
            (_, true) => (before.attempt + 1).min(definition.attempts),
        };
        self.status = Some(status);
        *self != before
    }

    /// How long until it is due again.
    #[must_use]
    pub fn wait(&self, definition: &Definition) -> Duration {
        let soft = self.status.is_some_and(|status| status != Status::Ok) && self.attempt < definition.attempts;
        if soft { definition.retry_interval } else { definition.interval }
    }
}

/// When the check at `index` of `count` is run first: they are spread evenly, and differently on each machine, by a
/// `ratio` from 0 to 1.
#[must_use]
pub fn first(index: usize, count: usize, ratio: f64, interval: Duration) -> Duration {
    interval.min(SPREAD).mul_f64(((index as f64 + ratio) / count.max(1) as f64).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Kind;

    fn definition(attempts: u32) -> Definition {
        Definition {
            name: "web".into(),
            kind: Kind::Tcp("127.0.0.1:80".into()),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            attempts,
            retry_interval: Duration::from_secs(15),
        }
    }

    /// What becomes of these outcomes: attempt, whether it is told, seconds to the next run.
    fn played(attempts: u32, outcomes: &[Status]) -> Vec<(u32, bool, u64)> {
        let (definition, mut turn) = (definition(attempts), Turn::default());
        let mut take = |status: &Status| {
            let told = turn.take(*status, &definition);
            (turn.attempt(), told, turn.wait(&definition).as_secs())
        };
        outcomes.iter().map(&mut take).collect()
    }

    #[test]
    fn a_failure_is_tried_again_soon_until_it_counts_and_each_attempt_is_told_once() {
        use Status::{Critical, Ok, Warning};
        assert_eq!(
            played(3, &[Ok, Ok, Critical, Critical, Critical, Critical, Warning, Ok, Ok]),
            [
                (1, true, 60),
                (1, false, 60),
                (1, true, 15),
                (2, true, 15),
                (3, true, 60),
                (3, false, 60),
                (3, true, 60),
                (1, true, 60),
                (1, false, 60),
            ]
        );
    }

    #[test]
    fn with_one_attempt_the_first_failure_counts() {
        assert_eq!(played(1, &[Status::Unknown, Status::Unknown]), [(1, true, 60), (1, false, 60)]);
    }

    #[test]
    fn first_runs_are_spread_over_the_interval_or_ten_seconds() {
        let s = Duration::from_secs;
        assert_eq!(first(0, 4, 0.0, s(60)), s(0));
        assert_eq!(first(2, 4, 0.0, s(60)), s(5));
        assert_eq!(first(3, 4, 1.0, s(4)), s(4));
        assert_eq!(first(0, 0, 0.5, s(2)), s(1));
    }
}

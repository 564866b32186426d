//! PURE: what is due at `now`. Backs off from what fails, leaves alone what hangs. It reads no clock and no file.

/// First wait after a failure, in milliseconds; doubled by each further one.
const BACK_OFF_MS: u64 = 10_000;
/// Longest wait after failures, and the wait before something absent is looked for again, in milliseconds.
const BACK_OFF_MAX_MS: u64 = 300_000;
/// A source is due this much early, in milliseconds, so that a report that comes a little early does not postpone a
/// source of once a minute to the report after.
const SLACK_MS: u64 = 500;

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// In time and well.
    Done,
    /// There is no such thing on this machine.
    Absent,
    /// With an error, or after its deadline.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting { due_ms: u64 },
    Running { since_ms: u64 },
    Quarantined { since_ms: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    every_ms: u64,
    state: State,
    failures: u32,
    /// The grid on which the source runs, so that a late run does not shift all later ones.
    planned_ms: u64,
}

/// When each source runs. Sources are named by their place in the table of sources.
#[derive(Debug)]
pub struct Schedule {
    entries: Vec<Entry>,
}

impl Schedule {
    /// All sources due at once; `every_ms` per source, 0 = whenever asked.
    #[must_use]
    pub fn new(every_ms: impl IntoIterator<Item = u64>) -> Self {
        let entry = |every_ms| Entry { every_ms, state: State::Waiting { due_ms: 0 }, failures: 0, planned_ms: 0 };
        Self { entries: every_ms.into_iter().map(entry).collect() }
    }

    /// The sources to read at `now_ms`.
    pub fn due(&self, now_ms: u64) -> impl Iterator<Item = usize> {
        let due = move |entry: &Entry| matches!(entry.state, State::Waiting { due_ms } if due_ms <= now_ms + SLACK_MS);
        self.entries.iter().enumerate().filter(move |(_, entry)| due(entry)).map(|(source, _)| source)
    }

    /// When the next source is due, in milliseconds since boot; `None` where all are being read.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let due = |entry: &Entry| if let State::Waiting { due_ms } = entry.state { Some(due_ms) } else { None };
        self.entries.iter().filter_map(due).min()
    }

    /// A source that waits is due then, if it was not before.
    pub fn hasten(&mut self, source: usize, at_ms: u64) {
        if let State::Waiting { due_ms } = &mut self.entries[source].state {
            *due_ms = at_ms.min(*due_ms);
        }
    }

    /// A source begins to be read.
    pub fn started(&mut self, source: usize, now_ms: u64) {
        let entry = &mut self.entries[source];
        // A first run, or one long after its time, begins a new grid.
        if entry.planned_ms + entry.every_ms + SLACK_MS < now_ms {
            entry.planned_ms = now_ms;
        }
        entry.state = State::Running { since_ms: now_ms };
    }

    /// A source that was started was not read after all: it stays due.
    pub fn postponed(&mut self, source: usize, now_ms: u64) {
        self.entries[source].state = State::Waiting { due_ms: now_ms };
    }

    /// A source has been read, in time or not.
    pub fn finished(&mut self, source: usize, now_ms: u64, outcome: Outcome) {
        let entry = &mut self.entries[source];
        let due_ms = match outcome {
            Outcome::Done => {
                entry.failures = 0;
                entry.planned_ms += entry.every_ms;
                entry.planned_ms
            }
            Outcome::Absent => {
                entry.failures = 0;
                now_ms + BACK_OFF_MAX_MS
            }
            Outcome::Failed => {
                let wait_ms = BACK_OFF_MS.saturating_mul(1 << entry.failures.min(16)).min(BACK_OFF_MAX_MS);
                entry.failures += 1;
                now_ms + wait_ms.max(entry.every_ms)
            }
        };
        entry.state = State::Waiting { due_ms };
    }

    /// A source hangs: it is not asked again until [`Schedule::finished`] says that it returned.
    pub fn stuck(&mut self, source: usize, now_ms: u64) {
        let entry = &mut self.entries[source];
        let since_ms = if let State::Running { since_ms } = entry.state { since_ms } else { now_ms };
        entry.state = State::Quarantined { since_ms };
    }

    /// Since when a source is being read, in milliseconds since boot; `None` when it is not.
    #[must_use]
    pub fn running_since(&self, source: usize) -> Option<u64> {
        match self.entries[source].state {
            State::Running { since_ms } => Some(since_ms),
            State::Waiting { .. } | State::Quarantined { .. } => None,
        }
    }

    /// Since when a source hangs, in milliseconds since boot; `None` when it does not.
    #[must_use]
    pub fn stuck_since(&self, source: usize) -> Option<u64> {
        match self.entries[source].state {
            State::Quarantined { since_ms } => Some(since_ms),
            State::Waiting { .. } | State::Running { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn due(schedule: &Schedule, now_ms: u64) -> Vec<usize> {
        schedule.due(now_ms).collect()
    }

    fn run(schedule: &mut Schedule, now_ms: u64, outcome: Outcome) {
        schedule.started(0, now_ms);
        schedule.finished(0, now_ms, outcome);
    }

    #[test]
    fn a_source_of_each_report_is_always_due() {
        let mut schedule = Schedule::new([0]);
        for now_ms in [0, 1, 1000, 1001] {
            assert_eq!(due(&schedule, now_ms), [0]);
            run(&mut schedule, now_ms, Outcome::Done);
        }
    }

    #[test]
    fn a_source_of_once_a_minute_keeps_its_grid_when_reports_jitter() {
        let mut schedule = Schedule::new([60_000]);
        run(&mut schedule, 100_000, Outcome::Done);
        assert_eq!(due(&schedule, 145_000), Vec::<usize>::new());
        assert_eq!(due(&schedule, 159_499), Vec::<usize>::new(), "one millisecond before the slack");
        assert_eq!(due(&schedule, 159_500), [0]);
        run(&mut schedule, 159_990, Outcome::Done);
        assert_eq!(due(&schedule, 219_499), Vec::<usize>::new());
        assert_eq!(due(&schedule, 219_500), [0], "the early run did not shift the grid");
    }

    #[test]
    fn failures_double_the_wait_up_to_five_minutes_and_one_success_ends_it() {
        let mut schedule = Schedule::new([0]);
        let mut now_ms = 1_000_000;
        for wait_ms in [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000] {
            run(&mut schedule, now_ms, Outcome::Failed);
            assert_eq!(due(&schedule, now_ms + wait_ms - SLACK_MS - 1), Vec::<usize>::new());
            now_ms += wait_ms - SLACK_MS;
            assert_eq!(due(&schedule, now_ms), [0]);
        }
        run(&mut schedule, now_ms, Outcome::Done);
        assert_eq!(due(&schedule, now_ms + 1), [0]);
    }

    #[test]
    fn what_hangs_is_not_asked_again_until_it_returns() {
        let mut schedule = Schedule::new([0]);
        schedule.started(0, 5);
        assert_eq!(due(&schedule, 1_000_000), Vec::<usize>::new(), "one reading in flight, ever");
        assert_eq!(schedule.next_due(), None);
        schedule.stuck(0, 2005);
        assert_eq!((due(&schedule, u64::MAX / 2), schedule.stuck_since(0)), (vec![], Some(5)));
        schedule.finished(0, 9000, Outcome::Failed);
        assert_eq!((due(&schedule, 18_499), due(&schedule, 18_500)), (vec![], vec![0]));
        assert_eq!(schedule.next_due(), Some(19_000));
        schedule.hasten(0, 20_000);
        assert_eq!(schedule.next_due(), Some(19_000));
        schedule.hasten(0, 18_000);
        assert_eq!(schedule.next_due(), Some(18_000));
    }

    #[test]
    fn what_is_absent_is_looked_for_every_five_minutes() {
        let mut schedule = Schedule::new([0]);
        run(&mut schedule, 0, Outcome::Absent);
        assert_eq!((due(&schedule, 299_499), due(&schedule, 299_500)), (vec![], vec![0]));
    }

    proptest! {
        #[test]
        fn a_failing_source_runs_less_often_than_a_good_one_and_at_least_every_five_minutes(
            every_ms in prop::sample::select(vec![0_u64, 60_000]),
            outcomes in prop::collection::vec(0_u8..3, 1..40),
        ) {
            let mut schedule = Schedule::new([every_ms]);
            let mut now_ms = 1_000_000;
            for outcome in outcomes {
                let outcome = [Outcome::Done, Outcome::Absent, Outcome::Failed][usize::from(outcome)];
                run(&mut schedule, now_ms, outcome);
                prop_assert_eq!(due(&schedule, now_ms + BACK_OFF_MAX_MS.max(every_ms)), vec![0]);
                if outcome != Outcome::Done {
                    prop_assert!(due(&schedule, now_ms + BACK_OFF_MS - SLACK_MS - 1).is_empty());
                }
                while schedule.due(now_ms).next().is_none() {
                    now_ms += 1000;
                }
            }
        }
    }
}

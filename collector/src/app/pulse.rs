//! The collector's own pulse: whether it was suspended or starved.
//!
//! A thread of its own beats every 200 ms. A gap of more than two seconds means that nobody was watching: what happened
//! to hosts in that time is unknown, not down. A slow disk is no gap: the thread waits for nothing.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{clock::Clock, domain::time::Timestamp};

/// Between two beats.
const BEAT: Duration = Duration::from_millis(200);
/// A gap longer than this is a stall, in milliseconds.
const STALL_MS: i64 = 2_000;

/// A handle to the pulse; stops it when dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    last: Mutex<Beats>,
    stop: AtomicBool,
}

#[derive(Debug)]
struct Beats {
    last: Timestamp,
    gap: Option<(Timestamp, Timestamp)>,
}

impl Beats {
    fn beat(&mut self, now: Timestamp) {
        if now.since_ms(self.last) > STALL_MS {
            let from = self.gap.map_or(self.last, |(from, _)| from);
            self.gap = Some((from, now));
        }
        self.last = now;
    }
}

impl Pulse {
    /// Begins to beat.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(clock: &Clock) -> std::io::Result<Self> {
        let beats = Beats { last: clock.now(), gap: None };
        let shared = Arc::new(Shared { last: Mutex::new(beats), stop: AtomicBool::new(false) });
        let (beating, clock) = (shared.clone(), clock.clone());
        let thread = std::thread::Builder::new().name("pulse".into()).spawn(move || {
            while !beating.stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(BEAT);
                beating.last.lock().unwrap_or_else(PoisonError::into_inner).beat(clock.now());
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The time in which nobody was watching, told once.
    pub(super) fn take_gap(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let mut beats = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        beats.beat(now);
        beats.gap.take()
    }

    /// The clock was set by this much: no gap.
    pub(super) fn stepped(&self, by_ms: i64) {
        let mut beats = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        beats.last = beats.last.plus_ms(by_ms);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic in there has nothing to add when we are ending anyway.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_gap_of_two_seconds_is_starved_scheduling_and_one_more_millisecond_is_a_stall() {
        let mut beats = Beats { last: at(0), gap: None };
        beats.beat(at(2_000));
        assert_eq!(beats.gap, None);
        beats.beat(at(4_001));
        assert_eq!(beats.gap, Some((at(2_000), at(4_001))));
    }

    #[test]
    fn two_gaps_before_anybody_asks_are_told_as_one() {
        let mut beats = Beats { last: at(0), gap: None };
        beats.beat(at(10_000));
        beats.beat(at(10_200));
        beats.beat(at(20_000));
        assert_eq!(beats.gap, Some((at(0), at(20_000))));
    }
}

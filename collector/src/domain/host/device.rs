//! A host without an agent: its liveness is what its watchers say.

use super::{Cause, State, change::Step, machine::Host};
use crate::domain::{device::Word, time::Timestamp};

impl Host {
    /// It has no agent.
    pub fn set_device(&mut self) {
        self.is_device = true;
    }

    /// Its watchers say this.
    pub fn device_is(&mut self, word: Word, now: Timestamp) -> Step {
        let mut step = Step::default();
        match word {
            Word::Answers if self.state != State::Up => {
                self.proof = now;
                let since = if self.waited_for() { self.up_before.take().unwrap_or(now) } else { now };
                self.enter(State::Up, Cause::Answers, since, now, &mut step);
            }
            Word::Silent(since, words) if self.state != State::Down => {
                let since = since.clamp(self.not_before.min(now), now);
                self.enter(State::Down, Cause::NoAnswer(words), since, now, &mut step);
            }
            Word::Unheard(cause) if self.state != State::Unknown || self.cause != cause => {
                self.enter(State::Unknown, cause, now, now, &mut step);
            }
            Word::Answers => self.proof = now,
            Word::Silent(..) | Word::Unheard(_) => {}
        }
        if self.state == State::Up {
            self.up_before = None;
        }
        step
    }
}

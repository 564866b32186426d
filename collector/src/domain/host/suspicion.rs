//! A suspicion: the host is silent or its stream was lost; looks are made until something can be said.

use super::{Cause, State};
use crate::domain::{event::Look, time::Timestamp, watch::Timers};

/// A look that has not answered this long after its time counts as "cannot tell".
const ANSWER_GRACE_MS: i64 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Silent,
    Lost,
}

/// What is known since the host became suspect.
#[derive(Debug, Clone)]
pub struct Suspicion {
    kind: Kind,
    from: Timestamp,
    hold_ms: i64,
    sent: usize,
    answers: Vec<Look>,
    kernel_lives: bool,
    /// Since when and why it was up before; `None` when it was not.
    pub before_up: Option<(Timestamp, Cause)>,
}

impl Suspicion {
    /// It fell silent.
    #[must_use]
    pub const fn silent(now: Timestamp, hold_ms: i64) -> Self {
        Self::new(Kind::Silent, now, hold_ms)
    }

    /// Its stream ended.
    #[must_use]
    pub const fn lost(now: Timestamp, hold_ms: i64) -> Self {
        Self::new(Kind::Lost, now, hold_ms)
    }

    const fn new(kind: Kind, from: Timestamp, hold_ms: i64) -> Self {
        Self { kind, from, hold_ms, sent: 0, answers: Vec::new(), kernel_lives: false, before_up: None }
    }

    /// Whether it fell silent (rather than being lost).
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.kind == Kind::Silent
    }

    /// The clock was set by this much. Looks that are under way answer to the old time and are made again if need be.
    pub fn stepped(&mut self, by_ms: i64) {
        self.from = self.from.plus_ms(by_ms);
    }

    /// FIN or RST came: the machine's kernel lives.
    pub fn kernel_lives(&mut self) {
        self.kernel_lives = true;
    }

    /// Echoed by the answer of a look, so that an answer to an older suspicion is not taken for one to this.
    #[must_use]
    pub fn look_id(&self) -> i64 {
        self.from.ms()
    }

    /// Takes an answer; false when it belongs to another suspicion.
    pub fn answered(&mut self, look: i64, answer: Look) -> bool {
        let ours = look == self.look_id();
        if ours {
            self.answers.push(answer);
        }
        ours
    }

    /// Whether nothing speaks against its being cut off.
    #[must_use]
    pub fn may_be_cut(&self) -> bool {
        let silent = self.answers.contains(&Look::Silent);
        !self.alive() && (self.kind == Kind::Silent || silent)
    }

    /// Takes the next look that is due, if one is.
    pub fn take_due_look(&mut self, timers: &Timers, now: Timestamp) -> bool {
        let due = timers.looks_at_ms.get(self.sent).is_some_and(|at_ms| now >= self.from.plus_ms(*at_ms));
        // Where the FIN itself is the answer nobody needs to look.
        let needed = due && !(self.kind == Kind::Lost && self.hold_ms == 0);
        if needed {
            self.sent += 1;
        }
        needed
    }

    /// The state it comes to (with the cause, where that is not the suspicion's own), or when to ask again.
    ///
    /// # Errors
    /// The next instant at which something can change.
    pub fn conclusion(
        &self,
        timers: &Timers,
        proof: Timestamp,
        lookable: bool,
        now: Timestamp,
    ) -> Result<(State, Option<Cause>), Timestamp> {
        let base = if self.kind == Kind::Silent { proof.max(self.from.plus_ms(-timers.suspect_ms)) } else { self.from };
        let hold_at = base.plus_ms(self.hold_ms);
        let confirm_at = self.from.plus_ms(timers.confirm_ms);
        if timers.looks_at_ms.is_empty() {
            return if now >= hold_at { Ok((State::Unknown, None)) } else { Err(hold_at) };
        }
        let next_look = timers.looks_at_ms.get(self.sent).map(|at_ms| self.from.plus_ms(*at_ms));
        let wait = |until: Timestamp| Err(next_look.filter(|look| *look > now).map_or(until, |look| look.min(until)));
        if self.alive() {
            let cause = (self.kind == Kind::Silent).then_some(Cause::Looked(Look::Answers));
            return if now >= hold_at { Ok((State::AgentLost, cause)) } else { wait(hold_at) };
        }
        if self.all_silent(timers) {
            return if now >= confirm_at {
                Ok((State::Down, Some(Cause::Looked(Look::Silent))))
            } else {
                wait(confirm_at)
            };
        }
        let patience = if lookable { confirm_at.plus_ms(ANSWER_GRACE_MS) } else { confirm_at };
        let undecided_until = patience.max(hold_at);
        if self.kind == Kind::Lost && self.hold_ms == 0 {
            return Ok((State::AgentLost, None));
        }
        if now < undecided_until {
            return wait(undecided_until);
        }
        Ok(match self.kind {
            Kind::Lost => (State::AgentLost, None),
            Kind::Silent => (State::Down, Some(Cause::Looked(Look::CannotTell))),
        })
    }

    fn alive(&self) -> bool {
        self.kernel_lives || self.answers.contains(&Look::Answers)
    }

    fn all_silent(&self, timers: &Timers) -> bool {
        self.answers.len() >= timers.looks_at_ms.len() && self.answers.iter().all(|answer| *answer == Look::Silent)
    }
}

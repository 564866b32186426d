//! A host is back: it is up, and what it proves of the time in which it was not heard corrects the ledger.

use super::{
    Cause, State,
    change::{HostChange, Step},
    machine::Host,
    testimony::Testimony,
};
use crate::domain::{
    event::Effect,
    record::{Observed, Row},
    time::Timestamp,
};

/// A host's first readings follow its Hello within this: it has to list all that it has first.
const GREETING_MS: i64 = 10_000;

impl Host {
    pub(super) fn up(&mut self, now: Timestamp, step: &mut Step) {
        let resumed = self.suspicion.take().and_then(|suspicion| suspicion.before_up);
        let booted_anew = self.before_boot.is_some();
        if resumed.is_some() && booted_anew {
            // It was back before anybody believed that it was gone.
            let gone = self.ledger.turn(State::Down, &Cause::BootedAnew, self.proof, &Testimony::default(), now);
            step.effects.extend(gone.into_iter().map(Effect::Record));
            self.proof = now;
            self.enter(State::Up, Cause::Reporting, now, now, step);
        } else if let Some((since, cause)) = resumed {
            // A suspicion that came to nothing leaves no trace in the ledger.
            self.state = State::Up;
            self.since = since;
            self.cause = cause;
            self.proof = now;
            self.due = None;
            step.changes.push(HostChange::Liveness {
                from: State::Suspect,
                to: State::Up,
                cause: Cause::Reporting,
                since,
            });
            step.effects.push(Effect::Record(Row::Liveness(self.row())));
            step.effects.push(Effect::Publish);
        } else if self.state != State::Up {
            self.proof = now;
            let since = if self.waited_for() { self.up_before.take().unwrap_or(now) } else { now };
            self.enter(State::Up, Cause::Reporting, since, now, step);
        }
        self.up_before = None;
        self.before_boot = None;
    }

    /// What the host proves itself. The last proof reaches to its Hello, and from there to the first readings the stream is
    /// proof.
    pub(super) fn testimony(&mut self, now: Timestamp) -> Testimony {
        let mut alive = std::mem::take(&mut self.alive);
        let boot_id = self.boot_id;
        let last = alive.iter_mut().filter(|proof| Some(proof.boot_id) == boot_id).max_by_key(|proof| proof.to);
        if let Some(last) = last.filter(|last| !last.clean_end && now.since_ms(last.to) <= GREETING_MS) {
            last.to = now;
        }
        Testimony::of(&alive, self.before_boot, boot_id, now)
    }
}

/// What an alive log says of the spans that end with it, if it says anything. What the collector itself missed is no outage.
pub(super) fn ran(spans: &[Row]) -> Option<HostChange> {
    let length = |row: &Row| match row {
        Row::Span(span) if matches!(span.state, Observed::Down | Observed::Unreachable) => span.to.since_ms(span.from),
        _ => 0,
    };
    let proven = |row: &&Row| matches!(row, Row::Span(span) if span.cause == Cause::AliveLog);
    let (out_ms, ran_ms) = (spans.iter().map(length).sum(), spans.iter().filter(proven).map(length).sum());
    (ran_ms > 0).then_some(HostChange::Ran { out_ms, ran_ms })
}

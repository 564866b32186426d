//! A host is back: it is up, and what it proves of the time in which it was not heard corrects the ledger.

use super::{
    Cause, State,
    change::{HostChange, Step},
    machine::Host,
    testimony::Testimony,
};
use crate::domain::{
    event::{AliveProof, Effect},
    record::{Observed, Row},
    time::Timestamp,
};

/// An alive log that ends this shortly before its Hello reaches to it: it has an entry every ten seconds.
const GREETING_MS: i64 = 10_000;

impl Host {
    pub(super) fn up(&mut self, now: Timestamp, step: &mut Step) {
        let resumed = self.suspicion.take().and_then(|suspicion| suspicion.before_up);
        let booted_anew = self.before.filter(|(boot, _)| Some(*boot) != self.boot_id);
        let not_missed = resumed.is_some() || self.state == State::Up;
        if let Some((_, until)) = booted_anew.filter(|_| not_missed) {
            // It was back before anybody believed that it was gone.
            let gone = self.ledger.turn(State::Down, &Cause::BootedAnew, until, &Testimony::default(), now);
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
        self.before = None;
        self.answered = None;
    }

    /// Takes over the alive log of a Hello that came at `now`: the Hello itself is a sign of life, and its log ends with it.
    pub(super) fn tells_its_life(&mut self, boot_id: [u8; 16], alive: Vec<AliveProof>, now: Timestamp) {
        self.alive = alive;
        let logged = self.alive.iter_mut().filter(|proof| proof.boot_id == boot_id).max_by_key(|proof| proof.to);
        match logged.filter(|last| !last.clean_end && now.since_ms(last.to) <= GREETING_MS) {
            Some(last) => last.to = now,
            None => {
                let (from, to) = (now, now);
                self.alive.push(AliveProof { boot_id, from, to, clean_end: false, resumed: true });
            }
        }
    }

    /// What the host proves itself, once. From its Hello until now its stream is proof; on the stream on which it was before it
    /// tells nothing, but the machine was not off.
    pub(super) fn testimony(&mut self, now: Timestamp) -> Testimony {
        if self.alive.is_empty() {
            return Testimony::of_one_stream(self.proof, now);
        }
        let mut alive = std::mem::take(&mut self.alive);
        let boot_id = self.boot_id;
        let last = alive.iter_mut().filter(|proof| Some(proof.boot_id) == boot_id).max_by_key(|proof| proof.to);
        if let Some(last) = last {
            last.to = now;
        }
        Testimony::of(&alive, self.before.take(), boot_id, now)
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

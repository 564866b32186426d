//! The collector was away, or its clock was set: what a host is then, and whether it is waited for.

use super::{
    Cause, State, change::Step, check_ledger::CheckLedger, ledger::Ledger, machine::Host, suspicion::Suspicion,
};
use crate::domain::{event::Effect, labels::Profile, record::Loaded, time::Timestamp, watch::Watch};

impl Host {
    /// A host as loaded: what was up becomes unknown until it is heard again, all else is as it was. The time since
    /// the last collector ran is nobody's.
    pub fn loaded(profile: Profile, loaded: &Loaded, now: Timestamp, step: &mut Step) -> Self {
        let no = profile.no;
        let mut host = Self::enrolled(profile, now);
        for finding in loaded.findings.iter().filter(|finding| finding.host == no && finding.open) {
            host.findings.insert((finding.part.clone(), finding.rule.clone()), finding.clone());
        }
        let checks = loaded.checks.iter().filter(|row| row.host == no);
        host.checks.extend(checks.map(|row| (row.check.clone(), row.clone())));
        for row in host.checks.values_mut().filter(|row| row.ledger == CheckLedger::default()) {
            row.ledger = CheckLedger::of(row);
        }
        let Some(row) = loaded.liveness.iter().find(|row| row.host == no) else {
            return host;
        };
        let spans = &loaded.last_spans;
        let (first, next) =
            (spans.partition_point(|span| span.host < no), spans.partition_point(|span| span.host <= no));
        host.state = row.state;
        host.since = row.since;
        host.cause = row.cause.clone();
        host.proof = row.proof;
        host.boot_id = row.boot_id;
        host.answered = row.answered;
        host.peer = row.peer.as_ref().and_then(|peer| peer.parse().ok());
        host.ledger = Ledger::loaded(no, &spans[first..next], row.since, row.state, row.cause.clone());
        host.away(loaded.last_ran.unwrap_or(row.since), now, step);
        host
    }

    /// The collector did not watch from `from` to `now`.
    pub fn away(&mut self, from: Timestamp, now: Timestamp, step: &mut Step) {
        self.not_before = now;
        self.is_new_here = false;
        let was_up = self.was_up();
        // As loaded it has no suspicion: what it was before is what the record says.
        let doubted_since = match self.suspicion.take() {
            Some(suspicion) => suspicion.before_up.map(|(since, _)| since),
            None => (self.state == State::Suspect).then_some(self.since),
        };
        let mut rows = Vec::new();
        if self.state == State::Up {
            self.proof = self.proof.max(from);
            self.up_before = self.up_before.or(Some(self.since));
        } else if doubted_since.is_some() {
            self.up_before = self.up_before.or(doubted_since);
            rows.extend(self.ledger.doubt(self.proof, now));
        }
        rows.extend(self.ledger.away(from, now, was_up, now));
        step.effects.extend(rows.into_iter().map(Effect::Record));
        if was_up {
            self.stand(State::Unknown, Cause::CollectorAway, now, now, step);
        } else {
            self.schedule(now);
        }
    }

    /// The collector's clock was set by this much: what is due moves with it. The records keep what they said.
    pub fn stepped(&mut self, by_ms: i64, now: Timestamp) {
        self.proof = self.proof.plus_ms(by_ms).min(now);
        self.answered = self.answered.map(|answered| answered.plus_ms(by_ms).min(now));
        self.not_before = self.not_before.plus_ms(by_ms).min(now);
        self.due = self.due.map(|due| due.plus_ms(by_ms));
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.stepped(by_ms);
        }
        if by_ms < 0 {
            self.since = self.since.min(now);
        }
    }

    /// Whether this host is to be waited for after the collector was away.
    #[must_use]
    pub fn was_up(&self) -> bool {
        self.state.counts_as_up() || self.waited_for()
    }

    /// Whether it is still being waited for.
    #[must_use]
    pub fn waited_for(&self) -> bool {
        self.state == State::Unknown && self.cause == Cause::CollectorAway
    }

    /// Settling is over: whoever has not come back is suspect.
    pub fn not_back(&mut self, now: Timestamp, step: &mut Step) {
        if self.waited_for() && self.is_device {
            self.enter(State::Unknown, Cause::WatchersSilent, now, now, step);
        } else if self.waited_for() && self.profile.watch == Watch::None {
            self.enter(State::Unknown, Cause::NotBack, now, now, step);
        } else if self.waited_for() {
            self.suspect(Suspicion::silent(now, self.timers().agent_hold_silent_ms), Cause::NotBack, now, step);
        }
    }
}

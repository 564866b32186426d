//! One host decided: its liveness by the transition table, its findings, its ledger entries.
//!
//! Synchronous and without a clock; `now` comes with each event. What the desk may hear of it are [`HostChange`]s.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Cause, State,
    back::ran,
    change::{HostChange, Step},
    checks::CheckRow,
    ledger::{Ledger, OpenSpan},
    suspicion::Suspicion,
    testimony::Testimony,
};
use crate::domain::{
    changed,
    event::{AliveProof, CloseReason, Effect, Ending, HostEvent, Look, Why},
    finding::FindingRow,
    ids::SessionId,
    labels::{Admission, Facts, Profile},
    record::{LivenessRow, Observed, Row},
    time::Timestamp,
    watch::Watch,
};

/// A lost agent's machine is looked at this often.
const LOOK_AGAIN_MS: i64 = 60_000;
/// A host that reboots has at least this long to come back after the collector was away.
const BACK_AFTER_AWAY_MS: i64 = 60_000;
/// So many silent looks in a row turn a lost agent into a host that is down.
const SILENT_LOOKS: u8 = 2;
/// A host that is down for less than this joins its scope's cut.
const JOINS_CUT_MS: i64 = 60_000;

/// One host, decided.
#[derive(Debug, Clone)]
pub struct Host {
    /// Identity and labels.
    pub profile: Profile,
    pub(super) state: State,
    pub(super) since: Timestamp,
    pub(super) cause: Cause,
    pub(super) proof: Timestamp,
    pub(super) boot_id: Option<[u8; 16]>,
    pub(super) peer: Option<IpAddr>,
    pub(super) session: Option<SessionId>,
    pub(super) alive: Vec<AliveProof>,
    /// In which boot it last showed life before its present session, and when.
    pub(super) before: Option<([u8; 16], Timestamp)>,
    /// When its machine last answered, or closed a connection, after the last message of its agent.
    pub(super) answered: Option<Timestamp>,
    /// Whether it has opened a session since the collector was away.
    pub(super) is_new_here: bool,
    pub(super) suspicion: Option<Suspicion>,
    silent_looks: u8,
    last_look: i64,
    /// Since when it was up before the collector was away; a restart of ours is no news about it.
    pub(super) up_before: Option<Timestamp>,
    sharing: usize,
    /// It has no agent.
    pub(super) is_device: bool,
    pub(super) due: Option<Timestamp>,
    pub(super) not_before: Timestamp,
    pub(super) ledger: Ledger,
    pub(super) findings: BTreeMap<(String, String), FindingRow>,
    pub(super) checks: BTreeMap<String, CheckRow>,
}

impl Host {
    /// A host that has just enrolled.
    #[must_use]
    pub fn enrolled(profile: Profile, now: Timestamp) -> Self {
        let ledger = Ledger::new(profile.no, now, State::Unknown, Cause::Enrolled);
        Self {
            profile,
            state: State::Unknown,
            since: now,
            cause: Cause::Enrolled,
            proof: now,
            boot_id: None,
            peer: None,
            session: None,
            alive: Vec::new(),
            before: None,
            answered: None,
            is_new_here: true,
            suspicion: None,
            silent_looks: 0,
            last_look: 0,
            up_before: None,
            sharing: 1,
            is_device: false,
            due: None,
            not_before: now,
            ledger,
            findings: BTreeMap::new(),
            checks: BTreeMap::new(),
        }
    }

    /// When this host wants to be looked at next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// How many up hosts share its address, as the engine counts them.
    pub fn set_sharing(&mut self, sharing: usize) {
        self.sharing = sharing;
    }

    /// Where it was last.
    #[must_use]
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// Its observed state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Its live session.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// State, since, cause, proof: what views show.
    #[must_use]
    pub fn standing(&self) -> (State, Timestamp, &Cause, Timestamp) {
        (self.state, self.since, &self.cause, self.proof)
    }

    /// The open end of its ledger.
    #[must_use]
    pub fn observed(&self) -> OpenSpan {
        self.ledger.open()
    }

    /// Applies one event.
    pub fn step(&mut self, event: HostEvent, now: Timestamp) -> Step {
        let mut step = Step::default();
        match event {
            HostEvent::Opened { session, boot_id, peer, heard_before, alive, facts, .. } => {
                let known_until = (self.state != State::Up).then(|| self.last_sign()).or(heard_before);
                self.opened(session, boot_id, peer, alive, known_until, *facts, now, &mut step);
            }
            HostEvent::Heard { session } if self.session == Some(session) => self.up(now, &mut step),
            HostEvent::Silent { session, proof } if self.session == Some(session) => self.silent(proof, now, &mut step),
            HostEvent::Ended { session, how, proof } if self.session == Some(session) => {
                self.ended(how, proof, now, &mut step);
            }
            HostEvent::Heard { .. } | HostEvent::Silent { .. } | HostEvent::Ended { .. } => {}
            // The engine's: what it says is about devices.
            HostEvent::Answered(_) => {}
            HostEvent::Looked { look, answer } => self.looked(look, answer, now, &mut step),
            HostEvent::Judged { judgements, .. } => {
                for judgement in judgements {
                    self.judged(judgement, now, &mut step);
                }
            }
            HostEvent::Checked { outcomes } => self.checked(outcomes, now, &mut step),
            HostEvent::Changed(changes) => step.changes.push(HostChange::Changed(changes)),
            HostEvent::Admitted(admission) => self.admitted(admission, now, &mut step),
            HostEvent::Cut { scope } => self.cut(scope, now, &mut step),
            HostEvent::Healed => {
                if self.state == State::Unreachable {
                    let suspicion = Suspicion::silent(now, self.timers().agent_hold_silent_ms);
                    self.suspect(suspicion, Cause::StayedAway, now, &mut step);
                }
            }
        }
        step
    }

    /// Its last sign of life: of its agent, or of its machine without it.
    pub(super) fn last_sign(&self) -> Timestamp {
        self.answered.map_or(self.proof, |answered| answered.max(self.proof))
    }

    /// Looks at what is due.
    pub fn tick(&mut self, now: Timestamp) -> Step {
        let mut step = Step::default();
        if self.due.is_none_or(|due| due > now) {
            return step;
        }
        self.due = None;
        match self.state {
            State::Suspect => self.decide(now, &mut step),
            State::AgentLost => {
                self.look(now, LOOK_AGAIN_MS / 20, &mut step);
                self.due = Some(now.plus_ms(LOOK_AGAIN_MS));
            }
            State::Rebooting => self.enter(State::Down, Cause::RebootOverdue, self.since, now, &mut step),
            _ => {}
        }
        step
    }

    pub(super) fn timers(&self) -> &'static crate::domain::watch::Timers {
        self.profile.watch.timers()
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event, named where it is taken apart")]
    fn opened(
        &mut self,
        session: SessionId,
        boot_id: [u8; 16],
        peer: IpAddr,
        alive: Vec<AliveProof>,
        known_until: Option<Timestamp>,
        facts: Facts,
        now: Timestamp,
        step: &mut Step,
    ) {
        if self.profile.admission != Admission::Active {
            step.effects.push(Effect::Close(session, CloseReason::NotAdmitted));
            return;
        }
        self.session = Some(session);
        self.tells_its_life(boot_id, alive, now);
        self.is_new_here = true;
        let rebooted = self.boot_id != Some(boot_id);
        self.before = self.before.or(self.boot_id.zip(known_until));
        let announced = matches!(self.state, State::Rebooting | State::Shutdown | State::Asleep);
        let booted = match (rebooted && self.boot_id.is_some(), announced) {
            (false, _) => None,
            (true, true) => Some("booted anew, as it had said"),
            (true, false) => Some("booted anew without a word before: a crash, or its power was gone"),
        };
        let moved = rebooted || self.peer != Some(peer);
        self.up_before = self.up_before.filter(|_| !rebooted);
        self.boot_id = Some(boot_id);
        self.peer = Some(peer);
        let facts = Facts { remote_checks: self.profile.facts.remote_checks, ..facts };
        let mut changes = changed::of_facts(&self.profile.facts, &facts);
        changes.extend(booted.map(|words| (changed::Kind::Boot, words.to_owned())));
        if !changes.is_empty() {
            step.changes.push(HostChange::Changed(changes));
        }
        if self.profile.facts != facts {
            self.profile.facts = facts;
            step.effects.push(Effect::Record(Row::Host(Box::new(self.profile.clone()))));
        }
        if self.state == State::Suspect || (self.state == State::Up && rebooted) {
            self.up(now, step);
        }
        if moved {
            step.effects.push(Effect::Record(Row::Liveness(self.row())));
        }
    }

    fn silent(&mut self, proof: Timestamp, now: Timestamp, step: &mut Step) {
        if self.state == State::Up && self.profile.watch != Watch::None {
            self.proof = proof;
            self.suspect(Suspicion::silent(now, self.timers().agent_hold_silent_ms), Cause::Silence, now, step);
        }
    }

    fn ended(&mut self, how: Ending, proof: Timestamp, now: Timestamp, step: &mut Step) {
        self.session = None;
        let watched = self.profile.watch != Watch::None;
        match how {
            Ending::Goodbye(why @ (Why::Shutdown | Why::Reboot | Why::Sleep | Why::Uninstall)) => {
                // Whoever says goodbye before the first readings was here.
                self.up(now, step);
                self.proof = proof;
                let state = match why {
                    Why::Reboot => State::Rebooting,
                    Why::Sleep => State::Asleep,
                    _ => State::Shutdown,
                };
                self.enter(state, Cause::Goodbye(why), now, now, step);
            }
            _ if self.state == State::Suspect => {
                if matches!(how, Ending::Fin | Ending::Reset)
                    && let Some(suspicion) = &mut self.suspicion
                {
                    suspicion.kernel_lives();
                    self.answered = Some(now);
                    self.decide(now, step);
                }
            }
            _ if self.state != State::Up || !watched => {}
            // It was asked to come again, by itself or by us: restarting a collector must not page for its hosts.
            Ending::Goodbye(_) | Ending::Drained => {
                self.proof = proof;
                let hold_ms = if self.profile.watch == Watch::Fast { 10_000 } else { 60_000 };
                self.suspect(Suspicion::lost(now, hold_ms), Cause::Stream(how), now, step);
            }
            Ending::Fin | Ending::Reset => {
                self.proof = proof;
                self.answered = Some(now);
                self.suspect(Suspicion::lost(now, self.timers().agent_hold_lost_ms), Cause::Stream(how), now, step);
            }
            Ending::TimedOut => {
                self.proof = proof;
                let hold_ms = self.timers().agent_hold_silent_ms;
                self.suspect(Suspicion::silent(now, hold_ms), Cause::Stream(how), now, step);
            }
        }
    }

    pub(super) fn suspect(&mut self, mut suspicion: Suspicion, cause: Cause, now: Timestamp, step: &mut Step) {
        let from = self.state;
        if from == State::Up {
            suspicion.before_up = Some((self.since, self.cause.clone()));
        }
        // Those that stayed away after a cut fall due together by our own doing, and workstations come and go in crowds.
        let counts = cause != Cause::StayedAway && !self.timers().looks_at_ms.is_empty();
        let is_counted = suspicion.is_silent() && counts;
        self.state = State::Suspect;
        self.since = now;
        self.cause = cause.clone();
        self.suspicion = Some(suspicion);
        if from == State::Up {
            // Should the collector end in this very moment, then it is known until when this host was heard.
            step.effects.push(Effect::Record(Row::Liveness(self.row())));
        }
        let not_back = cause == Cause::NotBack;
        step.changes.push(HostChange::Liveness { from, to: State::Suspect, cause, since: now });
        // After it: what this leads to may be a cut that changes the host again.
        if is_counted {
            step.changes.push(HostChange::Suspected { not_back, proof: self.proof });
        }
        step.effects.push(Effect::Publish);
        self.decide(now, step);
    }

    /// Sends the looks that are due and draws the conclusion once there is one.
    fn decide(&mut self, now: Timestamp, step: &mut Step) {
        let timers = self.timers();
        let Some(mut suspicion) = self.suspicion.take() else { return };
        if suspicion.take_due_look(timers, now) {
            self.suspicion = Some(suspicion);
            let within_ms = timers.confirm_ms - timers.looks_at_ms.last().copied().unwrap_or(0);
            self.look(now, within_ms, step);
            let Some(again) = self.suspicion.take() else { return };
            suspicion = again;
        }
        let conclusion = suspicion.conclusion(timers, self.proof, self.place().is_some(), now);
        match conclusion {
            Ok((state, cause)) => {
                self.suspicion = None;
                self.conclude(state, cause.unwrap_or_else(|| self.cause.clone()), now, step);
            }
            Err(due) => {
                self.due = Some(due);
                self.suspicion = Some(suspicion);
            }
        }
    }

    /// Where its machine would answer. Heard from another address than its own end of the connection has, it is behind a proxy or a
    /// translation, which answers for itself alone.
    fn place(&self) -> Option<IpAddr> {
        let own = self.profile.facts.own_address;
        self.peer.filter(|peer| own.is_none_or(|own| own == peer.to_canonical()))
    }

    fn look(&mut self, now: Timestamp, within_ms: i64, step: &mut Step) {
        if let Some(peer) = self.place() {
            let look = self.suspicion.as_ref().map_or(now.ms(), Suspicion::look_id);
            self.last_look = look;
            let sharing = self.sharing;
            step.effects.push(Effect::Look { host: self.profile.no, look, peer, sharing, within_ms });
        }
    }

    fn looked(&mut self, look: i64, answer: Look, now: Timestamp, step: &mut Step) {
        match self.state {
            State::Suspect => {
                let Some(suspicion) = &mut self.suspicion else { return };
                if !suspicion.answered(look, answer) {
                    return;
                }
                if answer == Look::Answers {
                    self.answered = Some(now);
                }
                if answer == Look::Silent && !suspicion.is_silent() {
                    step.changes.push(HostChange::Suspected { not_back: false, proof: self.proof });
                }
                self.decide(now, step);
            }
            State::AgentLost if look == self.last_look => match answer {
                Look::Silent => {
                    self.silent_looks += 1;
                    if self.silent_looks >= SILENT_LOOKS {
                        self.conclude(State::Down, Cause::Looked(Look::Silent), now, step);
                    }
                }
                Look::Answers => {
                    self.silent_looks = 0;
                    self.answered = Some(now);
                    // Should it turn out that it crashed, then it was there until now.
                    step.effects.push(Effect::Record(Row::Liveness(self.row())));
                }
                Look::CannotTell => self.silent_looks = 0,
            },
            _ => {}
        }
    }

    fn cut(&mut self, scope: String, now: Timestamp, step: &mut Step) {
        let joins = match self.state {
            State::Suspect => self.suspicion.as_ref().is_some_and(Suspicion::may_be_cut),
            State::Down => now.since_ms(self.since) < JOINS_CUT_MS,
            _ => false,
        };
        if joins && !self.is_device && !self.timers().looks_at_ms.is_empty() {
            self.suspicion = None;
            self.conclude(State::Unreachable, Cause::Cut(scope), now, step);
        }
    }

    /// It has been so since its last proof of life, as far as anybody watched. Whoever is down gave no sign of any kind.
    fn conclude(&mut self, to: State, cause: Cause, now: Timestamp, step: &mut Step) {
        let at = if to == State::Down { self.last_sign() } else { self.proof };
        let spans = self.ledger.turn(to, &cause, at, &Testimony::default(), now);
        step.effects.extend(spans.into_iter().map(Effect::Record));
        self.stand(to, cause, at.max(self.not_before), now, step);
    }

    pub(super) fn enter(&mut self, to: State, cause: Cause, since: Timestamp, now: Timestamp, step: &mut Step) {
        let testimony = if to == State::Up { self.testimony(now) } else { Testimony::default() };
        // Up is proven from now on only, or since we watch again where its session never ended; everything else since its
        // proof.
        let stayed = self.waited_for() && !self.is_new_here;
        let turned = if to != State::Up {
            since
        } else if stayed {
            self.not_before
        } else {
            now
        };
        let was_told = !matches!(self.state, State::Up | State::Suspect);
        let was_down = self.ledger.open().state == Observed::Down && was_told;
        let spans = self.ledger.turn(to, &cause, turned, &testimony, now);
        step.changes.extend(ran(&spans).filter(|_| was_down));
        step.effects.extend(spans.into_iter().map(Effect::Record));
        self.stand(to, cause, since, now, step);
    }

    /// Takes a state over, whatever the ledger says of it.
    pub(super) fn stand(&mut self, to: State, cause: Cause, since: Timestamp, now: Timestamp, step: &mut Step) {
        let from = self.state;
        self.state = to;
        self.since = since;
        self.cause = cause.clone();
        self.suspicion = None;
        self.silent_looks = 0;
        self.schedule(now);
        step.effects.push(Effect::Record(Row::Liveness(self.row())));
        step.effects.push(Effect::Publish);
        step.changes.push(HostChange::Liveness { from, to, cause, since });
    }

    pub(super) fn schedule(&mut self, now: Timestamp) {
        self.due = match self.state {
            State::AgentLost => Some(now.plus_ms(LOOK_AGAIN_MS)),
            State::Rebooting if self.timers().reboot_ms > 0 => {
                // It may have come up while nobody was watching: it is given time to say so.
                let due = self.since.plus_ms(self.timers().reboot_ms);
                Some(due.max(self.not_before.plus_ms(BACK_AFTER_AWAY_MS)))
            }
            _ => None,
        };
    }

    /// A suspect one that was up is recorded as what it was, silent since its proof.
    pub(super) fn row(&self) -> LivenessRow {
        let was_up = self.suspicion.as_ref().and_then(|suspicion| suspicion.before_up.clone());
        let (since, cause) = was_up.unwrap_or_else(|| (self.since, self.cause.clone()));
        LivenessRow {
            host: self.profile.no,
            state: self.state,
            since,
            cause,
            // That of the proof: until its present session has said more, another collector has to compare with it.
            boot_id: self.before.map(|(boot, _)| boot).or(self.boot_id),
            proof: self.proof,
            peer: self.peer.map(|peer| peer.to_string()),
            answered: self.answered,
        }
    }
}

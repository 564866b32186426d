//! What each event changes. Nothing here waits.

use std::time::Duration;

use muster_proto::v1;
use muster_proto::v1::agent_message::Body;
use muster_proto::v1::ask::What;
use muster_proto::v1::collector_message::Body as Told;
use prost::Message as _;
use tokio::time::Instant;

use super::backoff::Ending;
use super::open::{OpenError, Opened, describe, is_silence, refuses};
use super::session::{Progress, Session};
use super::{ALIVE_LOG, Event, Uplink};
use crate::clock::Moment;
use crate::gather::Gathered;
use crate::identity::{self, EnrolError, Identity, next_attempt_ms, random_ratio};
use crate::report::{self, RollupMinute, StreamEncoder};
use crate::spool::Kind;
use crate::{alive, telemetry};

/// One roll-up covers this much.
const ROLLUP_MS: u64 = 60_000;
/// The wall clock may leave boot time by this much before it counts as a step.
const STEP_MS: i64 = 2_000;
/// What the machine slept, or the agent did not run, is a gap from here: a tick is a second.
const SLEPT_MS: u64 = 2_000;
const STARVED_MS: u64 = 30_000;
/// While nobody listens losses are counted together for so long, so that the record of a loss does not cost more of them.
const LOSSES_EVERY_MS: u64 = 600_000;
/// Why records get new numbers. The two cannot be told apart: what was sent from memory left no trace on the disk.
const BEHIND: &str = "this host's disk is behind what was sent: the machine was put back to an earlier state, \
                      or the disk refused records before the agent stopped";
/// Addresses taken from a `Drain`.
const MOVED_TO_MAX: usize = 8;

impl Uplink {
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            // What is due is looked at after every event.
            Event::Stop | Event::Tick | Event::Progress(Progress::Room) => {}
            Event::Gathered(gathered) => self.gathered(gathered),
            Event::Progress(Progress::Message(Ok(Some(message)))) => self.told(message),
            Event::Progress(Progress::Message(Ok(None))) => {
                tracing::info!("the collector ended the session");
                self.end_session(Ending::Vanished);
            }
            Event::Progress(Progress::Message(Err(status))) => {
                let (refused, described) = (refuses(&status), describe(&status));
                tracing::warn!("the session is lost: {}", described.escape_debug());
                self.narrow |= is_silence(&described);
                self.end_session(if refused { Ending::Refused } else { Ending::Vanished });
            }
            Event::OpenDue => self.begin_opening(),
            Event::Opened(Ok(opened)) => self.opened(opened),
            Event::Opened(Err(error)) => self.not_opened(&error),
            Event::Renewed(renewed) => self.renewed(renewed),
            Event::Checked => self.tell_checks(self.now()),
            Event::Looked(evidence) => self.looked(&evidence),
            Event::Found(batch) => self.found(batch),
            Event::InventoryDue => self.begin_inventory(),
            Event::InventoryTaken => self.inventory_taken(),
            Event::NetworkChanged => self.network_changed(),
            Event::BeatDue => {
                if let Some(session) = &mut self.session {
                    session.beat();
                }
            }
        }
    }

    /// Readings go out live, or become part of the minute's roll-up.
    fn gathered(&mut self, gathered: Gathered) {
        let sent = self.session.as_mut().is_some_and(|session| session.report(&gathered));
        if !sent {
            self.look_for_end_of_minute(gathered.at);
            self.lull.get_or_insert_default().fold(&gathered);
        }
        // Not kept: whoever held it would make the next collection copy all of it.
        if self.session.is_none() && self.described.is_none() {
            self.described = Some(StreamEncoder::describing(&gathered));
        }
    }

    pub(super) fn opened(&mut self, opened: Opened) {
        let now = self.now();
        if self.opening_with_next
            && let Some(next) = self.next_identity.take()
        {
            match self.parts.state.promote(identity::NEXT, identity::CURRENT) {
                Ok(()) => tracing::info!("the renewed certificate is in use"),
                Err(error) => tracing::warn!(%error, "the renewed certificate works but could not be put in place"),
            }
            self.identity = next;
        }
        (self.doubt_next, self.next_refused, self.trouble_told) = (false, false, false);
        self.backoff.welcomed();
        let welcome = opened.welcome.clone();
        self.memory.generation = welcome.generation;
        self.memory.save(&self.parts.state);
        // The session before, if there still is one, is closed only now.
        let described = self.described.take().filter(|_| welcome.dictionary_known);
        self.session = Some(Session::new(opened, described.unwrap_or_default(), now));
        self.open_at = None;
        let offset_ms = welcome.server_wall_ms - now.wall_ms;
        tracing::info!(generation = welcome.generation, clock_offset_ms = offset_ms, "the collector listens");
        telemetry::status("connected");
        self.finish_lull(now);
        if !self.resume(&welcome, now) {
            return;
        }
        // Whatever a collector has missed, or forgotten, is made good by hearing it again.
        if let Some(board) = self.parts.host.checks() {
            board.say_again();
        }
        self.tell_checks(now);
        self.note_alive(now, true);
        self.inventory_welcomed(&welcome.sections);
        if let Some(settings) = welcome.settings {
            self.settings(&settings);
        }
        // A collection now, whenever the next one is due: a stream begins with a full set.
        self.parts.report_every.send_replace(self.settings.report);
    }

    /// Takes the records up where the collector has them; false when a new epoch, and so a new session, is needed.
    fn resume(&mut self, welcome: &v1::Welcome, now: Moment) -> bool {
        let spool = &mut self.parts.spool;
        let known = welcome.known_epoch == spool.epoch();
        let Some(lost) = spool.resume(if known { welcome.through } else { 0 }) else {
            tracing::warn!("records are numbered anew: {BEHIND}");
            self.begin_epoch(now);
            return false;
        };
        if lost > 0 {
            tracing::warn!(lost, "the collector no longer has records that it acknowledged, and neither has this host");
            self.told.forget();
            let gap = report::gap_record("records", now, now, lost, "acknowledged by the collector, then lost there");
            self.record(Kind::Urgent, now, gap);
        }
        true
    }

    fn begin_epoch(&mut self, now: Moment) {
        self.parts.spool.begin_again(now);
        self.record(Kind::Urgent, now, report::gap_record("records", now, now, 0, BEHIND));
        self.end_session(Ending::Moved);
    }

    fn not_opened(&mut self, error: &OpenError) {
        if matches!(error, OpenError::Expired { .. }) {
            self.begin_recovery();
        }
        let refused = matches!(error, OpenError::Refused { .. } | OpenError::Expired { .. });
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            text = format!("{text}: {cause}");
        }
        self.narrow ^= error.is_silence();
        if self.opening_with_next {
            // Whatever it was, the pair that is known to work gets the next turn.
            self.doubt_next = refused || !self.doubt_next;
            self.next_refused = refused;
        } else {
            self.doubt_next = false;
        }
        let means_this_host = refused && !self.opening_with_next && !self.has_fresh_next();
        let wait = if means_this_host {
            self.backoff.after_refusal(self.settings.watch, random_ratio())
        } else {
            self.backoff.after_failure(random_ratio())
        };
        if !std::mem::replace(&mut self.trouble_told, true) || refused {
            tracing::warn!("{}; readings are kept as roll-ups until the collector listens", text.escape_debug());
        } else {
            tracing::debug!(wait_ms = wait.as_millis() as u64, "{}", text.escape_debug());
        }
        telemetry::status("not connected");
        self.open_at = Some(Instant::now() + wait);
    }

    fn told(&mut self, message: v1::CollectorMessage) {
        let now = self.now();
        match message.body {
            Some(Told::Ack(ack)) => {
                let epoch = self.parts.spool.epoch();
                let through = self.session.as_mut().and_then(|session| session.acknowledged(&ack, epoch, now));
                if let Some(through) = through {
                    self.parts.spool.acknowledge(through);
                    self.inventory_acknowledged();
                }
            }
            Some(Told::Settings(settings)) => self.settings(&settings),
            Some(Told::Ask(ask)) => self.asked(ask),
            Some(Told::Drain(drain)) => self.drain(drain),
            // A second welcome and what a newer collector says are passed over.
            Some(Told::Welcome(_)) | None => {}
        }
    }

    fn asked(&mut self, ask: v1::Ask) {
        let error = match ask.what {
            Some(What::AreYouThere(_)) => String::new(),
            Some(What::Renew(_)) => {
                self.begin_renewal();
                String::new()
            }
            Some(What::EvidenceSource(name)) => self.begin_looking(&name),
            Some(What::Section(name)) => self.inventory_asked(&name),
            None => "not known to this agent".to_owned(),
        };
        self.say(Body::Answer(v1::Answer { id: ask.id, error }));
    }

    /// The collector wants this session elsewhere: the new one is opened first.
    fn drain(&mut self, drain: v1::Drain) {
        tracing::info!(within_ms = drain.within_ms, "the collector asks to reconnect");
        self.moved_to = drain.addresses;
        self.moved_to.truncate(MOVED_TO_MAX);
        self.moved_to.retain(|address| crate::inspection::is_address(address));
        self.address = 0;
        if let Some(session) = &mut self.session {
            session.draining = true;
        }
        if self.opening.is_none() {
            // The first half of the time is for spreading, the second for connecting.
            let wait = Duration::from_millis(drain.within_ms.into()).mul_f64(random_ratio() / 2.0);
            self.open_at = Some(Instant::now() + wait);
        }
    }

    pub(super) fn say(&mut self, body: Body) {
        if let Some(session) = &mut self.session {
            session.say(body);
        }
    }

    pub(super) fn ticked(&mut self) {
        let now = self.now();
        telemetry::watchdog();
        self.look_for_steps(now);
        self.parts.spool.tick(now);
        if self.session.is_some()
            || self.losses_told_ms.is_none_or(|told| now.boottime_ms.saturating_sub(told) >= LOSSES_EVERY_MS)
        {
            self.tell_losses(now);
        }
        self.look_for_end_of_minute(now);
        let within = self.parts.pace.unheard.max(self.settings.report * 3);
        let heard = self.session.as_ref().is_some_and(|session| session.is_heard(now, within));
        if self.session.is_some() && !heard {
            tracing::warn!("the collector acknowledges nothing; a new session is tried");
            self.end_session(Ending::Vanished);
        }
        if self.alive.is_due(now, heard) {
            self.note_alive(now, heard);
        }
        if let Some(session) = &mut self.session {
            session.tick();
        }
        let due = next_attempt_ms(self.identity.validity(), &self.identity.host_id, self.renewal_tried_ms);
        if now.wall_ms >= due && self.next_identity.is_none() {
            self.begin_renewal();
        }
    }

    /// Records that are gone become records of a gap.
    pub(super) fn tell_losses(&mut self, now: Moment) {
        for loss in self.parts.spool.take_losses() {
            // Evidence may have been among them.
            self.told.forget();
            let from = Moment { wall_ms: loss.from_wall_ms, boottime_ms: 0 };
            let to = Moment { wall_ms: loss.to_wall_ms, boottime_ms: 0 };
            tracing::warn!(lost = loss.lost, "records were lost: {}", loss.reason);
            self.record(Kind::Urgent, now, report::gap_record("records", from, to, loss.lost, loss.reason));
            self.losses_told_ms = Some(now.boottime_ms);
        }
    }

    /// Boot time goes on while the machine sleeps, the monotonic clock does not.
    fn look_for_sleep(&mut self, before: Moment, now: Moment) {
        let boot_ms = now.boottime_ms.saturating_sub(before.boottime_ms);
        let ran_until = Instant::now();
        let ran_ms = ran_until.duration_since(std::mem::replace(&mut self.ran_until, ran_until)).as_millis() as u64;
        let slept_ms = boot_ms.saturating_sub(ran_ms);
        let reason = match (slept_ms > SLEPT_MS, boot_ms > STARVED_MS) {
            (true, _) => format!("the machine slept for {} s", slept_ms / 1_000),
            (false, true) => format!("the agent did not run for {} s", boot_ms / 1_000),
            (false, false) => return,
        };
        if slept_ms > SLEPT_MS {
            // Waits stood still with the machine, which may be elsewhere now.
            self.hurry();
        }
        tracing::info!("{reason}");
        let lines = self.alive.stood_still(self.parts.host.boot_id(), before, now);
        alive::write(&self.parts.state.file(ALIVE_LOG), &self.alive, &lines);
        self.record(Kind::Bulk, now, report::gap_record("readings", before, now, 0, &reason));
    }

    /// Wall time and boot time run alike; where they part by more than two seconds somebody set the clock.
    fn look_for_steps(&mut self, now: Moment) {
        let before = std::mem::replace(&mut self.last_tick, now);
        self.look_for_sleep(before, now);
        let boot_ms = i64::try_from(now.boottime_ms.saturating_sub(before.boottime_ms)).unwrap_or(i64::MAX);
        let wall_ms = now.wall_ms.saturating_sub(before.wall_ms);
        let step_ms = wall_ms.saturating_sub(boot_ms);
        if step_ms.saturating_abs() > STEP_MS {
            tracing::info!(step_ms, "the wall clock was set");
            let would_be = Moment { wall_ms: before.wall_ms.saturating_add(boot_ms), ..now };
            self.record(Kind::Bulk, now, report::clock_step_record(would_be, now));
        }
    }

    fn note_alive(&mut self, now: Moment, acknowledged: bool) {
        let line = self.alive.note(self.parts.host.boot_id(), now, acknowledged);
        alive::write(&self.parts.state.file(ALIVE_LOG), &self.alive, &line);
    }

    /// Somebody listens again, or nobody ever will.
    pub(super) fn finish_lull(&mut self, now: Moment) {
        self.finish_minute(now);
        self.lull = None;
    }

    /// Minutes are those of boot time, so that each collection falls into one and none is longer than the others.
    fn look_for_end_of_minute(&mut self, now: Moment) {
        let from = self.lull.as_ref().and_then(RollupMinute::from);
        if from.is_some_and(|from| from.boottime_ms / ROLLUP_MS != now.boottime_ms / ROLLUP_MS) {
            self.finish_minute(now);
        }
    }

    fn finish_minute(&mut self, now: Moment) {
        if let Some(minute) = self.lull.as_mut().and_then(RollupMinute::finish) {
            self.record(Kind::Rollup, now, report::rollup_record(&minute));
        }
    }

    /// Gives a fact to the spool. Its number is put in when it is sent.
    pub(super) fn record(&mut self, kind: Kind, now: Moment, body: v1::record::Body) {
        let record = v1::Record {
            sequence: 0,
            boot_id: self.parts.host.boot_id().to_vec(),
            clock: Some(v1::Clock { wall_ms: now.wall_ms, boottime_ms: now.boottime_ms }),
            body: Some(body),
        };
        self.parts.spool.append(kind, now, record.encode_to_vec());
    }

    fn begin_renewal(&mut self) {
        let Some(session) = &self.session else { return };
        if self.renewing.is_none() {
            self.renewal_tried_ms = Some(self.now().wall_ms);
            self.renewing = Some(Box::pin(identity::renew(session.channel.clone(), self.identity.clone())));
        }
    }

    /// The certificate has ended while this machine was away: its key is proven instead, at every address that is known. Asked
    /// again at each refusal, that is about once an hour.
    fn begin_recovery(&mut self) {
        if self.renewing.is_none() {
            let own = &self.parts.addresses;
            let known = if own.is_empty() { &self.identity.addresses } else { own };
            let (known, proxy) = (known.clone(), self.parts.proxy.clone());
            self.renewing = Some(Box::pin(identity::recover(known, proxy, self.narrow, self.identity.clone())));
        }
    }

    /// The new pair is kept beside the old one until it has opened a session.
    fn renewed(&mut self, renewed: Result<Identity, EnrolError>) {
        let saved = renewed.and_then(|next| {
            next.save(&self.parts.state, identity::NEXT)?;
            Ok(next)
        });
        match saved {
            Ok(next) => {
                tracing::info!("a new certificate is here; a session is opened with it");
                self.next_identity = Some(next);
                (self.doubt_next, self.next_refused) = (false, false);
                if self.opening.is_none() {
                    self.open_at = Some(Instant::now());
                }
            }
            Err(error) => tracing::warn!(%error, "the certificate could not be renewed yet"),
        }
    }
}

//! EDGE. What a session does all day: hears messages, hands readings to the slot and records to the store, acknowledges.
//!
//! Acknowledging costs a system call, so readings are acknowledged in eights or twice a minute; records as soon as their
//! commit is done.

mod evidence;
pub(super) mod inventory;
pub(super) mod settings;
mod waiting;

use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_proto::v1::{self, collector_message::Body};
use tokio::{sync::oneshot, time::sleep};
use tonic::{Code, Status, Streaming};

use self::waiting::Waiting;
use super::{
    Context, IngestMetrics,
    decode::{self, DecodeError, Heard, records::Recorded},
    lane::{Lane, Taken},
    limits::HostRate,
    refusal,
    session::{Presence, too_large},
    sessions::{Line, ToAgent},
    skew::HostTime,
};
use crate::{
    domain::{
        event::{CloseReason, Ending, Event, HostEvent},
        host::slot::{ReadingsUpdate, Slot, SlotError},
        ids::SessionId,
        labels::Profile,
        settings::shelf::Answer,
        time::Timestamp,
    },
    store::{Fact, StoreError, Stored},
};

/// Readings messages that share one acknowledgement, unless they follow a change of the dictionary.
const READINGS_PER_ACK: u64 = 8;
/// Readings are acknowledged within this, in milliseconds.
const ACK_WITHIN_MS: i64 = 30_000;
/// Records that arrive within this are committed together, in milliseconds.
const GROUP_MS: i64 = 50;
/// Without one complete message for this long the stream is given up, in milliseconds: four relaxed beats.
const MESSAGE_WITHIN_MS: i64 = 120_000;
/// An agent whose lane was full has this long to move to a new stream, in milliseconds.
const MOVE_WITHIN_MS: u32 = 10_000;

/// What waits to be sent to one agent: the messages of one step, never more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<VecDeque<v1::CollectorMessage>>>);

impl Outbox {
    pub(crate) fn put(&self, body: Body) {
        let message = v1::CollectorMessage { body: Some(body) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(message);
    }

    pub(crate) fn take(&self) -> Option<v1::CollectorMessage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Counts and words the error of an inbound stream.
pub(crate) fn broken(metrics: &IngestMetrics, status: Status) -> Status {
    if refusal::is_size(&status) {
        metrics.refuse("message_too_large");
        return too_large();
    }
    if status.code() == Code::Internal {
        // Not protobuf, or compressed in a way that was not agreed.
        metrics.refuse("malformed");
    }
    status
}

type Commit = Pin<Box<dyn Future<Output = Result<Stored, StoreError>> + Send>>;

/// An open session.
pub(crate) struct Running {
    context: Arc<Context>,
    profile: Profile,
    session: SessionId,
    slot: Arc<Slot>,
    line: Arc<Line>,
    presence: Presence,
    outbox: Outbox,
    time: HostTime,
    epoch: [u8; 16],
    lane: Lane,
    /// Check results on their way into the store, to be judged once they are there.
    to_judge: Waiting,
    rate: HostRate,
    bytes_seen: u64,
    heard: u64,
    acked: u64,
    ack_due: Option<Timestamp>,
    commit_due: Option<Timestamp>,
    committing: bool,
    asker: Option<oneshot::Sender<()>>,
    asked: u64,
    draining: bool,
    /// Its settings may be others now.
    settings_due: bool,
    /// Which it was given, and how it took them.
    settings: settings::Course,
}

impl Running {
    #[expect(clippy::too_many_arguments, reason = "the opening hands over everything it has found, once")]
    pub(crate) fn new(
        context: Arc<Context>,
        profile: Profile,
        session: SessionId,
        slot: Arc<Slot>,
        line: Arc<Line>,
        presence: Presence,
        outbox: Outbox,
        time: HostTime,
        epoch: [u8; 16],
        lane: Lane,
        settings: settings::Course,
    ) -> Self {
        Self {
            context,
            profile,
            session,
            slot,
            line,
            presence,
            outbox,
            time,
            epoch,
            lane,
            to_judge: Waiting::default(),
            rate: HostRate::default(),
            bytes_seen: 0,
            heard: 0,
            acked: 0,
            ack_due: None,
            commit_due: None,
            committing: false,
            asker: None,
            asked: 0,
            draining: false,
            settings_due: false,
            settings,
        }
    }
}

/// Lives until the agent leaves, its connection ends, or it is told to end.
///
/// There are thousands of these futures: whatever is large is passed by reference and handled before the next await.
pub(crate) async fn run(session: &mut Running, inbound: &mut Streaming<v1::AgentMessage>) -> Result<(), Status> {
    let line = session.line.clone();
    let mut commit: Option<Commit> = None;
    let mut armed = session.next_due();
    let mut timer = pin!(sleep(session.until(armed)));
    loop {
        let mut tell = Vec::new();
        let ended = tokio::select! {
            message = inbound.message() => match message {
                Ok(Some(message)) => session.on_message(message, &mut tell)?,
                Ok(None) => true,
                Err(status) => return Err(session.on_broken(status)),
            },
            order = line.next() => session.on_order(order)?,
            stored = committed(&mut commit) => { session.on_committed(stored, &mut tell); false }
            () = timer.as_mut() => {
                session.on_time()?;
                armed = Timestamp::from_ms(i64::MAX);
                false
            }
        };
        for event in tell {
            Box::pin(session.tell(event)).await?;
        }
        if std::mem::take(&mut session.settings_due) {
            Box::pin(session.give_settings()).await;
        }
        if ended {
            return Ok(());
        }
        if commit.is_none() && session.commit_is_due() {
            commit = Some(session.begin_commit());
        }
        // The timer is moved only forward in urgency: most messages leave it alone.
        let due = session.next_due();
        if due < armed {
            armed = due;
            timer.set(sleep(session.until(due)));
        }
    }
}

async fn committed(commit: &mut Option<Commit>) -> Result<Stored, StoreError> {
    let Some(running) = commit else { return std::future::pending().await };
    let stored = running.await;
    *commit = None;
    stored
}

impl Running {
    fn metrics(&self) -> &IngestMetrics {
        self.context.metrics()
    }

    fn next_due(&self) -> Timestamp {
        let idle = self.presence.proof().plus_ms(MESSAGE_WITHIN_MS);
        // What is due while a commit runs waits for its end.
        let commit = self.commit_due.filter(|_| !self.committing);
        [self.ack_due, commit].into_iter().flatten().fold(idle, Timestamp::min)
    }

    fn until(&self, due: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(due.since_ms(self.context.now())).unwrap_or(0).max(1))
    }

    /// True when the session is over. `tell`: what the engine must hear.
    fn on_message(&mut self, message: v1::AgentMessage, tell: &mut Vec<HostEvent>) -> Result<bool, Status> {
        let now = self.context.now();
        self.presence.heard(now);
        if let Some(asker) = self.asker.take() {
            // Whoever asked may have given up.
            let _ = asker.send(());
        }
        let heard = decode::message(message).map_err(|error| self.unreadable(&error))?;
        self.metrics().messages.with_label_values(&[heard.kind()]).inc();
        self.within_rate(&heard, now)?;
        if let Heard::Readings(readings) = heard {
            self.on_readings(&readings, now, tell)?;
            return Ok(false);
        }
        if self.slot.heard(self.session, now) {
            tell.push(HostEvent::Heard { session: self.session });
        }
        match heard {
            Heard::Dictionary(dictionary) => {
                self.slot.grow(self.session, dictionary, now).map_err(|error| self.slot_refused(&error))?;
            }
            Heard::Record(record) => self.on_record(record, now)?,
            Heard::SettingsApplied { version, error, local, keys } => {
                tell.extend(self.on_settings_applied(Answer { version, error, local, keys, at: now }));
            }
            Heard::Goodbye(why) => {
                self.presence.how = Some(Ending::Goodbye(why));
                self.acknowledge();
                return Ok(true);
            }
            Heard::Greeting(_) => {
                self.metrics().refuse("malformed");
                return Err(Status::failed_precondition("Hello must be said once"));
            }
            Heard::Beat | Heard::Answer | Heard::Unknown | Heard::Readings(_) => {}
        }
        Ok(false)
    }

    fn within_rate(&mut self, heard: &Heard, now: Timestamp) -> Result<(), Status> {
        let total = self.presence.info().control.bytes.load(std::sync::atomic::Ordering::Relaxed);
        let bytes = total.saturating_sub(std::mem::replace(&mut self.bytes_seen, total));
        self.metrics().bytes.inc_by(bytes);
        let tenths = if matches!(heard, Heard::Dictionary(_)) { 1 } else { 10 };
        self.rate.take(tenths, bytes, now).map_err(|wait_ms| {
            self.metrics().refuse("rate");
            self.presence.how = Some(Ending::Reset);
            let name = &self.profile.name;
            tracing::warn!(host.id = %self.profile.id, "host {name:?} sends too much; its stream is closed");
            let limit = HostRate::PER_SECOND;
            let message = format!("more than {limit} messages or 1 MiB per second from this host: wait {wait_ms} ms");
            refusal::later(Code::ResourceExhausted, message, wait_ms)
        })
    }

    fn on_readings(
        &mut self,
        readings: &ReadingsUpdate,
        now: Timestamp,
        tell: &mut Vec<HostEvent>,
    ) -> Result<(), Status> {
        let samples = readings.whole_gaps.len() + readings.real_gaps.len();
        let applied = self.slot.apply(self.session, readings, now).map_err(|error| self.slot_refused(&error))?;
        self.metrics().reports.inc();
        self.metrics().samples.inc_by(samples as u64);
        self.heard += 1;
        if applied.learned || self.heard - self.acked >= READINGS_PER_ACK {
            self.acknowledge();
        } else {
            self.ack_due.get_or_insert(now.plus_ms(ACK_WITHIN_MS));
        }
        if applied.tell_heard {
            tell.push(HostEvent::Heard { session: self.session });
        }
        if !applied.changes.is_empty() {
            tell.push(HostEvent::Changed(applied.changes));
        }
        if !applied.judgements.is_empty() {
            self.ask_for_evidence(&applied.judgements, now);
            tell.push(HostEvent::Judged { through: None, judgements: applied.judgements });
        }
        Ok(())
    }

    fn on_record(&mut self, record: Recorded, now: Timestamp) -> Result<(), Status> {
        let sequence = record.sequence;
        let at = self.time.convert(record.boot_id, record.clock, now);
        let mut unreported = None;
        let (kind, body) = match record.content {
            Ok(content) => {
                unreported = content.unreported;
                (content.kind, content.body)
            }
            Err(error) => {
                self.metrics().refuse("record_put_aside");
                self.lane.refuse(sequence, error.to_string());
                ("refused", serde_json::json!({"reason": error.to_string()}).to_string())
            }
        };
        let fact = Fact { sequence, at, kind, body };
        let judged = Waiting::of(&fact);
        match self.lane.take(fact) {
            Taken::Waiting => {
                self.to_judge.add(judged);
                if let Some(words) = unreported {
                    self.slot.unreported(words);
                }
                self.commit_due.get_or_insert(now.plus_ms(GROUP_MS));
            }
            Taken::Known => {
                self.metrics().refuse("replayed");
                self.ack_due = Some(now);
            }
            Taken::Full => self.metrics().refuse("lane_full"),
            Taken::TooFar => {
                self.metrics().refuse("sequence_jump");
                self.presence.how = Some(Ending::Reset);
                return Err(Status::invalid_argument(format!(
                    "record {sequence} is more than {} ahead of what this host has said to hold",
                    super::lane::JUMP
                )));
            }
        }
        Ok(())
    }

    fn commit_is_due(&self) -> bool {
        !self.lane.is_empty() && self.commit_due.is_none_or(|due| due <= self.context.now())
    }

    fn begin_commit(&mut self) -> Commit {
        self.commit_due = None;
        self.committing = true;
        let (store, host, epoch, group) =
            (self.context.rooms.store.clone(), self.profile.no, self.epoch, self.lane.group());
        Box::pin(async move { store.commit_facts(host, epoch, group).await })
    }

    fn on_committed(&mut self, stored: Result<Stored, StoreError>, tell: &mut Vec<HostEvent>) {
        let now = self.context.now();
        self.committing = false;
        match stored {
            Ok(Stored { through, inventory }) => {
                self.lane.committed(through);
                self.on_inventory(inventory);
                tell.extend(self.to_judge.outcomes(through));
                if self.to_judge.has_evidence(through) {
                    self.context.rooms.hardware.ring(self.profile.no);
                }
                self.acknowledge();
                if self.lane.wants_new_stream() && !self.draining {
                    self.drain(MOVE_WITHIN_MS);
                }
            }
            Err(error) => {
                self.metrics().refuse("store");
                let wait_ms = self.lane.failed(&error);
                self.commit_due = Some(now.plus_ms(i64::try_from(wait_ms).unwrap_or(i64::MAX)));
                let name = &self.profile.name;
                tracing::error!(host.id = %self.profile.id, wait_ms, "facts of host {name:?} cannot be stored: {error}");
            }
        }
    }

    fn on_order(&mut self, order: ToAgent) -> Result<bool, Status> {
        match order {
            ToAgent::Settings => self.settings_due = true,
            ToAgent::AreYouThere(asker) => {
                self.asker = Some(asker);
                self.ask(v1::ask::What::AreYouThere(true));
            }
            ToAgent::Drain(within_ms) => self.drain(within_ms),
            ToAgent::Close(reason) => {
                self.presence.how = Some(Ending::Drained);
                return Err(self.closed(reason));
            }
            ToAgent::Stop => {
                self.presence.how = Some(Ending::Drained);
                return Err(Status::unavailable("the collector stops: connect again"));
            }
        }
        Ok(false)
    }

    fn on_time(&mut self) -> Result<(), Status> {
        let now = self.context.now();
        if self.ack_due.is_some_and(|due| due <= now) {
            self.acknowledge();
        }
        if now.since_ms(self.presence.proof()) >= MESSAGE_WITHIN_MS {
            self.metrics().refuse("silent");
            self.presence.how = Some(Ending::TimedOut);
            return Err(Status::deadline_exceeded("no message for 120 s"));
        }
        Ok(())
    }

    fn on_broken(&mut self, status: Status) -> Status {
        let status = broken(self.metrics(), status);
        if status.code() == Code::ResourceExhausted {
            self.presence.how = Some(Ending::Reset);
        }
        status
    }

    fn acknowledge(&mut self) {
        self.acked = self.heard;
        self.ack_due = None;
        let refused = self.lane.take_refused().into_iter().map(|(sequence, reason)| v1::Refused { sequence, reason });
        self.outbox.put(Body::Ack(v1::Ack {
            heard: self.heard,
            epoch: self.epoch.to_vec(),
            through: self.lane.through(),
            refused: refused.collect(),
            rate_per_second: HostRate::PER_SECOND,
        }));
    }

    fn drain(&mut self, within_ms: u32) {
        self.draining = true;
        let addresses = self.context.rooms.addresses.clone();
        self.outbox.put(Body::Drain(v1::Drain { within_ms, addresses }));
    }

    async fn tell(&self, event: HostEvent) -> Result<(), Status> {
        let told = self.context.rooms.mailbox.send(Event::Host(self.profile.no, event)).await;
        told.map_err(|closed| Status::unavailable(closed.to_string()))
    }

    fn closed(&self, reason: CloseReason) -> Status {
        match reason {
            CloseReason::Superseded => Status::aborted("a newer session of this host took over"),
            CloseReason::NotAdmitted => {
                self.metrics().refuse("not_admitted");
                let name = &self.profile.name;
                Status::permission_denied(format!("host {name} was revoked, suspended or retired"))
            }
        }
    }

    fn unreadable(&mut self, error: &DecodeError) -> Status {
        self.metrics().refuse(error.kind());
        self.presence.how = Some(Ending::Reset);
        let name = &self.profile.name;
        tracing::warn!(host.id = %self.profile.id, error.type = error.kind(), "host {name:?} was not understood: {error}");
        refusal::unreadable(error)
    }

    fn slot_refused(&mut self, error: &SlotError) -> Status {
        match error {
            SlotError::Superseded => {
                self.presence.how = Some(Ending::Drained);
                self.closed(CloseReason::Superseded)
            }
            SlotError::Malformed(_) => {
                self.metrics().refuse("malformed");
                self.presence.how = Some(Ending::Reset);
                Status::invalid_argument(error.to_string())
            }
        }
    }
}

//! What one open stream has sent and heard. No waiting happens here.

use std::collections::VecDeque;
use std::time::Duration;

use muster_proto::v1;
use muster_proto::v1::agent_message::Body;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::open::Opened;
use super::outgoing::Outgoing;
use crate::clock::Moment;
use crate::gather::Gathered;
use crate::platform::Socket;
use crate::report::StreamEncoder;
use crate::spool::{Kept, Spool};

/// Unacknowledged bytes of records in flight.
const IN_FLIGHT_BYTES: usize = 64 * 1024;
/// Unacknowledged records in flight.
const IN_FLIGHT_RECORDS: usize = 256;
/// Messages waiting for the transport before records wait in the spool and readings become roll-ups instead. The first
/// dictionary of a stream may be longer.
const BACKLOG_CALM: usize = 16;

/// One open stream.
pub(super) struct Session {
    /// Gone once the farewell is handed over.
    outbound: Option<mpsc::Sender<Outgoing>>,
    inbound: Streaming<v1::CollectorMessage>,
    pub(super) channel: Channel,
    pub(super) socket: Socket,
    pub(super) opened: Moment,
    pub(super) spread: Duration,
    pub(super) draining: bool,
    backlog: VecDeque<Outgoing>,
    encoder: StreamEncoder,
    last_sent: Instant,
    readings_sent: u64,
    heard: u64,
    heard_at_ms: u64,
    in_flight: VecDeque<(u64, usize)>,
    in_flight_bytes: usize,
    /// Records that may still be sent in this second, when the collector states a rate.
    allowance: Option<u32>,
    rate_per_second: u32,
}

impl Session {
    pub(super) fn new(opened: Opened, encoder: StreamEncoder, now: Moment) -> Self {
        Self {
            outbound: Some(opened.outbound),
            inbound: opened.inbound,
            channel: opened.channel,
            socket: opened.socket,
            opened: now,
            spread: Duration::from_millis(opened.welcome.reconnect_spread_ms.into()),
            draining: false,
            backlog: VecDeque::new(),
            encoder,
            last_sent: Instant::now(),
            readings_sent: 0,
            heard: 0,
            heard_at_ms: now.boottime_ms,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            allowance: None,
            rate_per_second: 0,
        }
    }

    /// The two halves that are waited on at once: what comes in, and room for what waits to go out.
    pub(super) async fn progress(&mut self) -> Progress {
        let Self { outbound, inbound, backlog, .. } = self;
        tokio::select! {
            message = inbound.message() => Progress::Message(message),
            room = room(outbound.as_ref()), if !backlog.is_empty() => match room {
                true => Progress::Room,
                false => Progress::Message(Ok(None)),
            },
        }
    }

    /// The encoder of a stream after this one, for an other end that has heard all of this one's dictionary.
    pub(super) fn encoder_anew(&self) -> StreamEncoder {
        self.encoder.anew()
    }

    /// Queues one message.
    pub(super) fn say(&mut self, body: Body) {
        self.backlog.push_back(body.into());
    }

    /// Queues a report, or returns false when the stream is behind and the readings are better kept as a roll-up.
    pub(super) fn report(&mut self, gathered: &Gathered) -> bool {
        if self.backlog.len() > BACKLOG_CALM {
            return false;
        }
        for body in self.encoder.encode(gathered) {
            self.readings_sent += u64::from(matches!(body, Body::Readings(_)));
            self.say(body);
        }
        true
    }

    /// Moves what fits: records from the spool to the backlog, the backlog to the transport.
    pub(super) fn pump(&mut self, spool: &mut Spool) {
        while self.backlog.len() < BACKLOG_CALM && self.may_send_record() {
            let Some(kept) = spool.next_unsent() else { break };
            self.send_record(kept);
        }
        self.hand_over();
    }

    /// Moves what fits from the backlog to the transport.
    pub(super) fn hand_over(&mut self) {
        let Some(outbound) = &self.outbound else { return };
        while let Some(message) = self.backlog.pop_front() {
            match outbound.try_send(message) {
                Ok(()) => self.last_sent = Instant::now(),
                Err(mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message)) => {
                    self.backlog.push_front(message);
                    break;
                }
            }
        }
    }

    /// When a beat is due: nothing was sent for so long.
    pub(super) fn beat_at(&self, beat: Duration) -> Instant {
        self.last_sent + beat
    }

    /// Says that the host lives, unless something that says so is waiting already.
    pub(super) fn beat(&mut self) {
        self.last_sent = Instant::now();
        if self.backlog.is_empty() {
            self.say(Body::Beat(v1::Beat {}));
        }
    }

    /// Takes an acknowledgement in; returns how far records are safe, if it says so for `epoch`.
    pub(super) fn acknowledged(&mut self, ack: &v1::Ack, epoch: [u8; 16], now: Moment) -> Option<u64> {
        if ack.heard > self.heard {
            self.heard = ack.heard;
            self.encoder.heard(ack.heard);
            self.heard_at_ms = now.boottime_ms;
        }
        if ack.rate_per_second > 0 {
            self.rate_per_second = ack.rate_per_second;
        }
        for refused in &ack.refused {
            tracing::warn!("the collector put record {} aside: {}", refused.sequence, refused.reason.escape_debug());
        }
        if ack.epoch != epoch {
            return None;
        }
        while let Some((_, bytes)) = self.in_flight.front().copied().filter(|(number, _)| *number <= ack.through) {
            self.in_flight_bytes -= bytes;
            self.in_flight.pop_front();
        }
        Some(ack.through)
    }

    /// A second has passed.
    pub(super) fn tick(&mut self) {
        self.allowance = (self.rate_per_second > 0).then_some(self.rate_per_second);
    }

    /// Whether the collector applied readings within `within`, or has had no occasion to.
    pub(super) fn is_heard(&self, now: Moment, within: Duration) -> bool {
        self.heard >= self.readings_sent
            || now.boottime_ms.saturating_sub(self.heard_at_ms) <= within.as_millis() as u64
    }

    /// How long the session has lasted.
    pub(super) fn lasted(&self, now: Moment) -> Duration {
        Duration::from_millis(now.boottime_ms.saturating_sub(self.opened.boottime_ms))
    }

    /// Says goodbye instead of all that still waits, closes the sending side and waits until the collector has, too.
    pub(super) async fn leave(&mut self, why: u32) {
        self.backlog.clear();
        self.say(Body::Goodbye(v1::Goodbye { why }));
        loop {
            self.hand_over();
            if self.backlog.is_empty() {
                self.outbound = None;
            }
            match self.progress().await {
                Progress::Room | Progress::Message(Ok(Some(_))) => {}
                Progress::Message(_) => return,
            }
        }
    }

    fn may_send_record(&self) -> bool {
        !self.draining
            && self.in_flight_bytes < IN_FLIGHT_BYTES
            && self.in_flight.len() < IN_FLIGHT_RECORDS
            && self.allowance != Some(0)
    }

    fn send_record(&mut self, kept: Kept) {
        let (sequence, bytes) = (kept.sequence, kept.payload.len());
        let Ok(record) = Outgoing::kept(kept) else {
            tracing::warn!("record {sequence} cannot be read back and is left out");
            return;
        };
        self.in_flight.push_back((sequence, bytes));
        self.in_flight_bytes += bytes;
        if let Some(left) = &mut self.allowance {
            *left -= 1;
        }
        self.backlog.push_back(record);
    }
}

/// Waits until the transport takes more; false when it never will.
async fn room(outbound: Option<&mpsc::Sender<Outgoing>>) -> bool {
    match outbound {
        Some(outbound) => outbound.reserve().await.is_ok(),
        None => false,
    }
}

/// What a session waited for.
pub(super) enum Progress {
    /// A message, or how the stream ended.
    Message(Result<Option<v1::CollectorMessage>, Status>),
    /// The transport takes more.
    Room,
}

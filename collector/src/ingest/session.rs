//! EDGE. The uplink service: how a session begins. What it does from then on is in [`super::stream`].

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use muster_proto::{
    PROTOCOL,
    v1::{self, collector_message::Body},
};
use tokio::{sync::oneshot, time::timeout};
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{
    Context,
    connection::{SESSION_BYTES, size_refusal},
    control::ConnectInfo,
    decode::{self, Greeting, Heard},
    enrolment::connect_info,
    lane::Lane,
    refusal,
    sessions::{Departure, Seat, ToAgent},
    skew::HostTime,
    stream::{self, Outbox, Running, inventory, settings},
};
use crate::{
    domain::{
        event::{Ending, Event, HostEvent},
        ids::{HostNo, SessionId},
        labels::Profile,
        severity::Severity,
        time::Timestamp,
    },
    identity::{Denied, Presented, Standing},
};

/// Hello must arrive within this.
const HELLO: Duration = Duration::from_secs(10);
/// An older session has this long to show that somebody is there.
const ARE_YOU_THERE: Duration = Duration::from_secs(3);
/// How often a newcomer asks for the seat when others take it meanwhile.
const SEAT_TRIES: usize = 3;
/// Reconnecting hosts are spread over hosts / 500 per second, at most this.
const SPREAD_MS: usize = 60_000;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct UplinkDoor {
    context: Arc<Context>,
}

impl UplinkDoor {
    pub(crate) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }
}

#[tonic::async_trait]
impl v1::uplink_server::Uplink for UplinkDoor {
    type SessionStream = SessionStream;

    async fn session(&self, request: Request<Streaming<v1::AgentMessage>>) -> Result<Response<SessionStream>, Status> {
        let info = connect_info(&request)?;
        let Some(certificate) = info.certificate.clone() else {
            self.context.metrics().refuse("no_certificate");
            return Err(Status::unauthenticated("a session needs a client certificate: enrol this host first"));
        };
        let identity = &self.context.rooms.identity;
        let known = identity.known(&certificate, self.context.now()).await;
        let (_, profile) = known.map_err(|denied| refused(&self.context, &info, &denied))?;
        if let Some(recovered) = identity.take_recovered(profile.no) {
            let told = self.context.rooms.mailbox.send(Event::Enrolled(Box::new(recovered))).await;
            told.map_err(|closed| unavailable(&closed.to_string()))?;
        }
        let outbox = Outbox::default();
        // Boxed, as what the session holds: a future keeps room for whatever passes through it.
        let visitor = Box::new(Visitor { context: self.context.clone(), info, certificate, profile });
        let life = Box::pin(visitor.live(request.into_inner(), outbox.clone()));
        Ok(Response::new(SessionStream { outbox, life: Some(life), end: None }))
    }
}

/// A session from Hello to its end.
type Life = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// The answer stream of a session, with the session's whole life inside.
pub(crate) struct SessionStream {
    outbox: Outbox,
    life: Option<Life>,
    end: Option<Status>,
}

impl Stream for SessionStream {
    type Item = Result<v1::CollectorMessage, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        // What is to be sent goes first, so that the outbox never holds more than one step's messages.
        if let Some(message) = self.outbox.take() {
            return Poll::Ready(Some(Ok(message)));
        }
        if let Some(life) = self.life.as_mut()
            && let Poll::Ready(ended) = life.as_mut().poll(cx)
        {
            self.life = None;
            self.end = ended.err();
        }
        match (self.outbox.take(), &self.life) {
            (Some(message), _) => Poll::Ready(Some(Ok(message))),
            (None, Some(_)) => Poll::Pending,
            (None, None) => Poll::Ready(self.end.take().map(Err)),
        }
    }
}

/// A known host at the door.
struct Visitor {
    context: Arc<Context>,
    info: ConnectInfo,
    certificate: Arc<[u8]>,
    profile: Profile,
}

impl Visitor {
    async fn live(self: Box<Self>, mut inbound: Streaming<v1::AgentMessage>, outbox: Outbox) -> Result<(), Status> {
        // Boxed: what the opening needs is given back before the long life begins.
        let mut running = Box::pin(self.open(&mut inbound, outbox)).await?;
        stream::run(&mut running, &mut inbound).await
    }

    fn opened(
        &self,
        session: SessionId,
        greeting: &Greeting,
        heard_before: Option<Timestamp>,
        time: &HostTime,
        now: Timestamp,
    ) -> HostEvent {
        HostEvent::Opened {
            session,
            boot_id: greeting.boot_id,
            peer: self.info.address(),
            heard_before,
            alive: time.proofs(&greeting.alive, now),
            facts: Box::new(greeting.facts.clone()),
            labels: greeting.labels.clone(),
        }
    }

    async fn open(
        self: Box<Self>,
        inbound: &mut Streaming<v1::AgentMessage>,
        outbox: Outbox,
    ) -> Result<Box<Running>, Status> {
        let greeting = self.greeting(inbound).await?;
        let now = self.context.now();
        // What it tells of its past is laid beside the moment at which this was heard, whatever is looked up meanwhile.
        let time = HostTime::new(greeting.boot_id, greeting.clock, now);
        let session = self.context.next_session();
        let seat = Seat { session, boot_id: greeting.boot_id, line: Arc::default() };
        let line = seat.line.clone();
        self.take_seat(seat).await?;
        let mut presence = Presence::new(&self.context, &self.info, self.profile.no, session, now);
        let (profile, generation) = self.standing(&greeting).await?;
        let (context, host) = (&self.context, profile.no);
        let profile = settings::published(context, profile);
        let received = context.rooms.store.received(host).await.map_err(|error| unavailable(&error.to_string()))?;
        let same_epoch = received.filter(|(epoch, _)| *epoch == greeting.epoch).map_or(0, |(_, through)| through);
        let now = context.now();
        let heard_before = context.rooms.slots.find(host).and_then(|slot| slot.last_heard());
        let slot = context.rooms.slots.open(host, session, profile.watch, now);
        context.rooms.slots.know(&profile);
        let dictionary_known = slot.resume(session, &greeting.dictionary_hash, now);
        let mut refused = false;
        if let Some(view) = context.rooms.snapshot.borrow().hosts.get(&host) {
            // What the engine holds open, so that a trouble that ended or stands since then is told again.
            slot.adopt(&view.findings);
            refused = settings::stands_refused(&view.findings);
        }
        let sections = inventory::known(context, host).await.map_err(|error| unavailable(&error.to_string()))?;
        let due = settings::of(context, &profile).await.map_err(|error| unavailable(&error.to_string()))?;
        let course = due.course(refused);
        presence.slot_open = true;
        self.info.control.set_level(profile.watch);
        let opened = self.opened(session, &greeting, heard_before, &time, now);
        let told = context.rooms.mailbox.send(Event::Host(host, opened)).await;
        told.map_err(|closed| unavailable(&closed.to_string()))?;
        presence.begin(now);
        context.arrived(self.info.address());
        outbox.put(Body::Welcome(v1::Welcome {
            generation,
            settings: Some(due.settings),
            server_wall_ms: now.ms(),
            known_epoch: received.map(|(epoch, _)| epoch.to_vec()).unwrap_or_default(),
            through: received.map_or(0, |(_, through)| through),
            reconnect_spread_ms: self.spread_ms(),
            dictionary_known,
            sections,
        }));
        let name = &profile.name;
        let ahead_ms = time.ahead_ms();
        tracing::debug!(host.id = %profile.id, session = %session, ahead_ms, "host {name:?} is connected");
        let lane = Lane::new(same_epoch, greeting.last_record);
        let running = Running::new(
            self.context.clone(),
            profile,
            session,
            slot,
            line,
            presence,
            outbox,
            time,
            greeting.epoch,
            lane,
            course,
        );
        Ok(Box::new(running))
    }

    async fn greeting(&self, inbound: &mut Streaming<v1::AgentMessage>) -> Result<Box<Greeting>, Status> {
        let metrics = self.context.metrics();
        let first = timeout(HELLO, inbound.message()).await.map_err(|_| {
            metrics.refuse("no_hello");
            Status::deadline_exceeded("Hello must arrive within 10 s")
        })?;
        let first = first.map_err(|status| stream::broken(metrics, status))?;
        let Some(first) = first else { return Err(Status::cancelled("the stream ended before Hello")) };
        let heard = decode::message(first).map_err(|error| {
            metrics.refuse(error.kind());
            refusal::unreadable(&error)
        })?;
        metrics.messages.with_label_values(&[heard.kind()]).inc();
        let Heard::Greeting(greeting) = heard else {
            metrics.refuse("no_hello");
            return Err(Status::failed_precondition("Hello must be the first message of a session"));
        };
        if greeting.protocol != PROTOCOL {
            metrics.refuse("protocol");
            return Err(Status::failed_precondition(format!(
                "this agent ({}) speaks protocol {}, this collector ({}) protocol {PROTOCOL}: \
                 bring both to the same release",
                greeting.version,
                greeting.protocol,
                env!("CARGO_PKG_VERSION"),
            )));
        }
        Ok(greeting)
    }

    /// Takes the host's seat. Another machine that holds it is asked first: if it answers, two have one identity.
    async fn take_seat(&self, seat: Seat) -> Result<(), Status> {
        if self.context.rooms.sessions.contested(self.profile.no, &seat, self.context.now()) {
            return Err(self.is_clone().await);
        }
        let mut instead_of = None;
        for _ in 0..SEAT_TRIES {
            let Err(present) = self.context.rooms.sessions.sit(self.profile.no, seat.clone(), instead_of) else {
                return Ok(());
            };
            let (asker, answer) = oneshot::channel();
            let asked = present.line.give(ToAgent::AreYouThere(asker));
            if asked && matches!(timeout(ARE_YOU_THERE, answer).await, Ok(Ok(()))) {
                return Err(self.is_clone().await);
            }
            instead_of = Some(present.session);
        }
        Err(Status::aborted("other sessions of this host come and go: try again"))
    }

    /// Checks generation and fingerprint, and that the host was not revoked while it waited.
    async fn standing(&self, greeting: &Greeting) -> Result<(Profile, u64), Status> {
        let (identity, now) = (&self.context.rooms.identity, self.context.now());
        let presented = Presented {
            generation: greeting.generation,
            boot_id: greeting.boot_id,
            fingerprint: greeting.fingerprint.clone(),
            peer: self.info.address(),
        };
        let refused = |denied: Denied| refused(&self.context, &self.info, &denied);
        let (known, profile) = identity.known(&self.certificate, now).await.map_err(refused)?;
        match identity.begin_session(&known, &presented, now).await.map_err(refused)? {
            Standing::Fine(generation) => Ok((profile, generation)),
            Standing::Restored(generation) => {
                let name = &profile.name;
                tracing::info!(host.id = %profile.id, "host {name:?} was restored from a snapshot: a gap is expected");
                Ok((profile, generation))
            }
            Standing::Clone => Err(self.is_clone().await),
        }
    }

    async fn is_clone(&self) -> Status {
        let (context, profile) = (&self.context, &self.profile);
        let denied = Denied::Clone(self.info.address());
        let what = context.clone_seen(profile.no, &profile.name);
        let text = format!(
            "two machines use the identity of host {}; the one at {} was refused: give it an identity of its own \
             (muster-agent enrol with a new token)",
            profile.name,
            self.info.address()
        );
        // When the engine is gone the collector stops, and the refusal is all that matters.
        let _ = context.rooms.mailbox.send(Event::SelfCheck { what, trouble: Some((Severity::Warning, text)) }).await;
        refused(context, &self.info, &denied)
    }

    fn spread_ms(&self) -> u32 {
        let hosts = self.context.rooms.snapshot.borrow().hosts.len();
        u32::try_from((hosts * 2).min(SPREAD_MS)).unwrap_or(u32::MAX)
    }
}

/// A session's presence: whatever way it ends, its seat and slot are freed and, once opened, the engine hears of it once.
#[derive(Debug)]
pub(crate) struct Presence {
    context: Arc<Context>,
    info: ConnectInfo,
    host: HostNo,
    session: SessionId,
    slot_open: bool,
    begun: bool,
    proof: AtomicI64,
    /// How it ended, where the session knows better than its connection.
    pub(crate) how: Option<Ending>,
}

impl Presence {
    fn new(context: &Arc<Context>, info: &ConnectInfo, host: HostNo, session: SessionId, now: Timestamp) -> Self {
        info.control.sessions.fetch_add(1, Ordering::Relaxed);
        let (context, info, proof) = (context.clone(), info.clone(), AtomicI64::new(now.ms()));
        Self { context, info, host, session, slot_open: false, begun: false, proof, how: None }
    }

    fn begin(&mut self, now: Timestamp) {
        self.begun = true;
        self.heard(now);
        self.context.metrics().sessions.inc();
    }

    /// A message arrived.
    pub(crate) fn heard(&self, now: Timestamp) {
        self.proof.store(now.ms(), Ordering::Relaxed);
    }

    /// The last message's arrival.
    pub(crate) fn proof(&self) -> Timestamp {
        Timestamp::from_ms(self.proof.load(Ordering::Relaxed))
    }

    /// The connection under the session.
    pub(crate) const fn info(&self) -> &ConnectInfo {
        &self.info
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let (rooms, control) = (&self.context.rooms, &self.info.control);
        if self.slot_open {
            rooms.slots.close(self.host, self.session);
        }
        rooms.sessions.leave(self.host, self.session);
        if self.begun {
            rooms.metrics.sessions.dec();
            let how = self.how.unwrap_or_else(|| control.ending());
            self.context.departures.leave(Departure {
                host: self.host,
                session: self.session,
                how,
                proof: self.proof(),
            });
        }
        control.sessions.fetch_sub(1, Ordering::Relaxed);
        // One session is what a connection is for.
        control.close();
    }
}

fn refused(context: &Context, info: &ConnectInfo, denied: &Denied) -> Status {
    let (word, status) = refusal::denied(denied);
    context.metrics().refuse(word);
    tracing::warn!(network.peer.address = %info.address(), error.type = word, "a session was refused: {denied}");
    status
}

fn unavailable(message: &str) -> Status {
    refusal::later(Code::Unavailable, message.to_owned(), 1_000)
}

/// The refusal of a message that is too large for a session.
pub(crate) fn too_large() -> Status {
    size_refusal(SESSION_BYTES)
}

mod away;
mod hardware;
mod inventory;
mod kept;
mod moving;

use muster_proto::v1::agent_message::Body;
use muster_proto::v1::collector_message::Body as Told;
use muster_proto::v1::uplink_server::{Uplink as Service, UplinkServer};
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::clock;
use crate::identity::hyphenated;
use crate::identity::tests::{Authority, COLLECTOR_ID, serve};
use crate::spool::{Kind, Limits, RealFiles};

/// One session as the collector sees it.
struct Call<Heard = v1::AgentMessage> {
    heard: Streaming<Heard>,
    tell: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
}

impl<Heard> Call<Heard> {
    async fn tell(&self, body: Told) {
        self.tell.send(Ok(v1::CollectorMessage { body: Some(body) })).await.unwrap();
    }
}

impl Call {
    /// The next message that `wanted` wants; others are passed over.
    async fn until<T>(&mut self, wanted: impl Fn(Body) -> Option<T>) -> T {
        loop {
            let message = self.heard.message().await.unwrap().expect("the agent goes on");
            if let Some(found) = message.body.and_then(&wanted) {
                return found;
            }
        }
    }

    async fn hello(&mut self) -> v1::Hello {
        self.until(|body| if let Body::Hello(hello) = body { Some(hello) } else { None }).await
    }

    async fn record(&mut self) -> v1::Record {
        self.until(|body| if let Body::Record(record) = body { Some(record) } else { None }).await
    }

    async fn readings(&mut self) -> v1::Readings {
        self.until(|body| if let Body::Readings(readings) = body { Some(readings) } else { None }).await
    }
}

struct Collector(mpsc::Sender<Call>);

#[tonic::async_trait]
impl Service for Collector {
    type SessionStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;
    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (tell, told) = mpsc::channel(16);
        let call = Call { heard: request.into_inner(), tell };
        self.0.send(call).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(told)))
    }
}

struct World {
    _dir: tempfile::TempDir,
    state: StateDir,
    calls: mpsc::Receiver<Call>,
    collected: mpsc::Sender<Gathered>,
    report_every: watch::Receiver<Duration>,
    stop: Option<oneshot::Sender<()>>,
    epoch: Vec<u8>,
}

/// Enrols a host at a collector of the test, with `records` in its spool.
async fn world(records: u64) -> (World, Uplink) {
    world_at(records, Limits::default(), clock::now).await
}

/// The same with a spool of this size and clocks of the test.
async fn world_at(records: u64, limits: Limits, now: fn() -> Moment) -> (World, Uplink) {
    let (sender, calls) = mpsc::channel(4);
    world_of(Routes::new(UplinkServer::new(Collector(sender))), calls, records, limits, now).await
}

/// The same at a collector that answers by `routes`.
async fn world_of(
    routes: Routes,
    calls: mpsc::Receiver<Call>,
    records: u64,
    limits: Limits,
    now: fn() -> Moment,
) -> (World, Uplink) {
    let authority = Authority::new();
    let name = format!("collector.{}.muster.internal", hyphenated(&COLLECTOR_ID));
    let address = serve(authority.server(&name, (2020, 2090)), routes).await;
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    authority.identity(address).save(&state, identity::CURRENT).unwrap();
    let mut spool = Spool::open(&state.file("spool"), limits, Box::new(RealFiles), now());
    for _ in 0..records {
        spool.append(Kind::Urgent, now(), Vec::new());
    }
    let epoch = spool.epoch().to_vec();
    let (collected, readings) = mpsc::channel(READINGS_MAX);
    let (sender, mut report_every) = watch::channel(Duration::ZERO);
    let pace = Pace { tick: Duration::from_millis(20), backoff: Duration::from_millis(5), ..Pace::default() };
    let parts = Parts {
        state: state.clone(),
        host: Host::live(),
        labels: Vec::new(),
        local: Local::default(),
        addresses: Vec::new(),
        proxy: None,
        spool,
        readings,
        hardware: None,
        inventory: None,
        report_every: sender,
        now,
        pace,
    };
    let uplink = Uplink::new(parts).unwrap();
    // What it says at first is no answer to a session.
    report_every.mark_unchanged();
    (World { _dir: dir, state, calls, collected, report_every, stop: None, epoch }, uplink)
}

/// Runs the uplink beside `story`, and stops it when the story ends.
async fn play(records: u64, story: impl AsyncFnOnce(&mut World)) {
    let (world, uplink) = world(records).await;
    play_on(world, uplink, story).await;
}

async fn play_on(mut world: World, mut uplink: Uplink, story: impl AsyncFnOnce(&mut World)) {
    // The machine of the test is the machine that enrolled.
    uplink.renewal_tried_ms = Some(clock::now().wall_ms);
    let (stop, stopped) = oneshot::channel::<()>();
    world.stop = Some(stop);
    let shutdown = async { drop(stopped.await) };
    let told = async {
        story(&mut world).await;
        drop(world.stop.take());
        world.calls.close();
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(uplink.run(shutdown, async || 4), told) })
        .await
        .expect("the story ends");
}

fn gathered() -> Gathered {
    Gathered { table: crate::probe::Table::default(), at: clock::now(), sources: Vec::new() }
}

fn welcome(world: &World, through: u64) -> v1::Welcome {
    v1::Welcome { generation: 7, known_epoch: world.epoch.clone(), through, ..Default::default() }
}

async fn accept(world: &mut World, through: u64) -> (Call, v1::Hello) {
    let mut call = world.calls.recv().await.unwrap();
    let hello = call.hello().await;
    call.tell(Told::Welcome(welcome(world, through))).await;
    (call, hello)
}

/// Sends a collection once the session asks for one, as the machine does.
async fn collect(world: &mut World) {
    world.report_every.changed().await.unwrap();
    world.collected.send(gathered()).await.unwrap();
}

#[tokio::test]
async fn session_begins_with_hello_then_records_oldest_first_and_takes_up_after_the_acknowledged() {
    play(3, async |world| {
        let (mut call, hello) = accept(world, 0).await;
        assert_eq!(
            (hello.protocol, hello.first_kept, hello.last_record, hello.starts),
            (muster_proto::PROTOCOL, 1, 3, 1)
        );
        for n in 1..=3 {
            assert_eq!(call.record().await.sequence, n);
        }
        call.tell(Told::Ack(v1::Ack { epoch: world.epoch.clone(), through: 2, ..Default::default() })).await;
        drop(call);
        let (mut call, hello) = accept(world, 2).await;
        assert_eq!(hello.generation, 7, "the collector's count is echoed");
        assert_eq!(call.record().await.sequence, 3);
    })
    .await;
}

#[tokio::test]
async fn machine_put_back_to_an_earlier_state_numbers_its_records_anew() {
    play(3, async |world| {
        let (mut call, _) = accept(world, 0).await;
        while call.record().await.sequence < 3 {}
        call.tell(Told::Ack(v1::Ack { epoch: world.epoch.clone(), through: 3, ..Default::default() })).await;
        drop(call);
        let (_rolled_back, _) = accept(world, 9).await;
        let hello = world.calls.recv().await.unwrap().hello().await;
        assert_ne!(hello.epoch, world.epoch, "numbers that are taken are left to their epoch");
    })
    .await;
}

#[tokio::test]
async fn records_made_after_the_machine_was_put_back_are_not_taken_for_those_the_collector_has() {
    play(3, async |world| {
        // It has two of a time that this machine does not remember; the three here were never sent.
        let (_rolled_back, _) = accept(world, 2).await;
        let mut call = world.calls.recv().await.unwrap();
        assert_ne!(call.hello().await.epoch, world.epoch);
        call.tell(Told::Welcome(v1::Welcome { generation: 8, ..Default::default() })).await;
        for n in 1..=3 {
            assert_eq!(call.record().await.sequence, n);
        }
        let gap = call.record().await.body;
        assert!(matches!(gap, Some(v1::record::Body::Gap(gap)) if gap.reason.contains("earlier state")));
    })
    .await;
}

#[tokio::test]
async fn collector_that_lost_acknowledged_records_gets_again_what_is_still_kept() {
    play(3, async |world| {
        let (mut call, _) = accept(world, 0).await;
        while call.record().await.sequence < 3 {}
        call.tell(Told::Ack(v1::Ack { epoch: world.epoch.clone(), through: 3, ..Default::default() })).await;
        let answer = |body| if let Body::Answer(answer) = body { Some(answer) } else { None };
        call.tell(Told::Ask(v1::Ask { id: 1, what: Some(v1::ask::What::AreYouThere(true)) })).await;
        call.until(answer).await;
        // Small segments stay until they are worth deleting, so what the collector lost is sent again.
        drop(call);
        let (mut call, _) = accept(world, 1).await;
        assert_eq!(call.record().await.sequence, 2);
        assert_eq!(call.record().await.sequence, 3);
    })
    .await;
}

#[tokio::test]
async fn evidence_is_looked_for_once_at_a_time_spooled_and_sent_and_an_unknown_source_is_refused_by_name() {
    play(0, async |world| {
        let (mut call, _) = accept(world, 0).await;
        for (id, source) in [(1, "processes"), (2, "processes"), (3, "/etc/shadow\u{1b}[2J")] {
            let what = Some(v1::ask::What::EvidenceSource(source.to_owned()));
            call.tell(Told::Ask(v1::Ask { id, what })).await;
        }
        let answer = |body| if let Body::Answer(answer) = body { Some(answer) } else { None };
        let answers = [call.until(answer).await, call.until(answer).await, call.until(answer).await];
        assert_eq!(answers.each_ref().map(|answer| answer.id), [1, 2, 3]);
        assert_eq!(answers[0].error, "");
        assert!(answers[1].error.contains("under way"), "{}", answers[1].error);
        let refused = "\"/etc/shadow\\u{1b}[2J\" is no source of evidence known to this agent: expected processes";
        assert_eq!(answers[2].error, refused);
        let record = call.record().await;
        let Some(v1::record::Body::Evidence(evidence)) = record.body else { panic!("{:?}", record.body) };
        assert_eq!((record.sequence, &*evidence.source, &*evidence.part, evidence.format), (1, "processes", "", 1));
        let told: serde_json::Value = serde_json::from_slice(&evidence.payload).unwrap();
        assert!(
            (evidence.outcome, told["processes"].as_array().is_some_and(|all| !all.is_empty())) == (0, true),
            "{told}"
        );

        // Looked for anew once that is over, and not lost with the session that asked.
        let what = Some(v1::ask::What::EvidenceSource("processes".to_owned()));
        call.tell(Told::Ask(v1::Ask { id: 4, what })).await;
        assert_eq!(call.until(answer).await.error, "");
        drop(call);
        let (mut call, _) = accept(world, 1).await;
        assert_eq!(call.record().await.sequence, 2);
    })
    .await;
}

fn applied_whole(version: u64) -> v1::SettingsApplied {
    let keys = ["watch", "report_ms", "beat_ms", "check"].map(str::to_owned).to_vec();
    v1::SettingsApplied { version, error: String::new(), local: Vec::new(), keys }
}

#[tokio::test]
async fn settings_are_applied_whole_or_refused_with_a_reason_and_kept() {
    play(0, async |world| {
        let (mut call, _) = accept(world, 0).await;
        let applied = |body| if let Body::SettingsApplied(applied) = body { Some(applied) } else { None };
        call.tell(Told::Settings(v1::Settings {
            version: 4,
            document: b"watch = \"fast\"\nreport_ms = 1000".to_vec(),
        }))
        .await;
        assert_eq!(call.until(applied).await, applied_whole(4));
        assert_eq!(*world.report_every.borrow_and_update(), Duration::from_secs(1));
        call.tell(Told::Settings(v1::Settings { version: 5, document: b"beat_ms = 1".to_vec() })).await;
        assert!(call.until(applied).await.error.contains("beat_ms = 1"));
        assert_eq!(Memory::load(&world.state, 0).unwrap().settings_version, 4);
        let beat = |body| if let Body::Beat(_) = body { Some(()) } else { None };
        call.until(beat).await;
    })
    .await;
}

#[tokio::test]
async fn readings_go_out_live_and_a_new_stream_begins_with_a_full_set() {
    play(0, async |world| {
        for _ in 0..2 {
            let (mut call, _) = accept(world, 0).await;
            collect(world).await;
            assert!(call.readings().await.full);
        }
    })
    .await;
}

#[tokio::test]
async fn drained_agent_opens_the_new_stream_before_it_closes_the_old_one() {
    play(0, async |world| {
        let (mut old, _) = accept(world, 0).await;
        old.tell(Told::Drain(v1::Drain { within_ms: 20, addresses: Vec::new() })).await;
        let mut new = world.calls.recv().await.unwrap();
        new.hello().await;
        old.tell(Told::Ask(v1::Ask { id: 9, what: Some(v1::ask::What::AreYouThere(true)) })).await;
        let answer = |body| if let Body::Answer(answer) = body { Some(answer) } else { None };
        assert_eq!(old.until(answer).await.id, 9, "the old stream still answers");
        new.tell(Told::Welcome(welcome(world, 0))).await;
        while let Ok(Some(_)) = old.heard.message().await {}
        world.collected.send(gathered()).await.unwrap();
        new.readings().await;
    })
    .await;
}

#[tokio::test]
async fn stopped_agent_says_goodbye() {
    play(0, async |world| {
        let (mut call, _) = accept(world, 0).await;
        collect(world).await;
        call.readings().await;
        drop(world.stop.take());
        let goodbye = |body| if let Body::Goodbye(goodbye) = body { Some(goodbye) } else { None };
        assert_eq!(call.until(goodbye).await.why, 4);
    })
    .await;
}

#[tokio::test]
async fn equal_settings_are_answered_but_not_written_again() {
    use std::os::unix::fs::MetadataExt as _;
    play(0, async |world| {
        let (mut call, _) = accept(world, 0).await;
        let applied = |body| if let Body::SettingsApplied(applied) = body { Some(applied) } else { None };
        let inode = |world: &World| std::fs::metadata(world.state.file("session.json")).unwrap().ino();
        let mut written = Vec::new();
        for (version, document) in [(4, "beat_ms = 200"), (5, "beat_ms = 200"), (6, "beat_ms = 300")] {
            call.tell(Told::Settings(v1::Settings { version, document: document.into() })).await;
            assert_eq!(call.until(applied).await, applied_whole(version));
            written.push(inode(world));
        }
        assert_eq!(written[0], written[1]);
        assert_ne!(written[1], written[2]);
        assert_eq!(Memory::load(&world.state, 0).unwrap().settings_version, 6);
    })
    .await;
}

#[tokio::test]
async fn refusal_of_the_old_pair_gives_the_renewed_one_its_turn_soon_and_refusal_of_both_means_this_host() {
    let (_world, mut uplink) = world(0).await;
    let refused = || OpenError::Refused { address: "a:1".into(), message: "unknown certificate".into() };
    let soon = |uplink: &Uplink| uplink.open_at.unwrap() < Instant::now() + Duration::from_secs(61);
    uplink.apply(Event::Opened(Err(refused())));
    assert!(!soon(&uplink), "there is no other pair");

    uplink.next_identity = Some(uplink.identity.clone());
    uplink.apply(Event::Opened(Err(refused())));
    assert!(soon(&uplink) && !uplink.doubt_next);
    // The renewed one is not reached, then refused; the old one gets its turn soon both times.
    uplink.opening_with_next = true;
    uplink.apply(Event::Opened(Err(OpenError::Silent { address: "a:1".into() })));
    assert!(soon(&uplink) && uplink.doubt_next);
    uplink.opening_with_next = false;
    uplink.apply(Event::Opened(Err(refused())));
    assert!(soon(&uplink) && !uplink.doubt_next);
    uplink.opening_with_next = true;
    uplink.apply(Event::Opened(Err(refused())));
    assert!(soon(&uplink) && uplink.doubt_next);
    uplink.opening_with_next = false;
    uplink.apply(Event::Opened(Err(refused())));
    assert!(!soon(&uplink), "both are refused");
}

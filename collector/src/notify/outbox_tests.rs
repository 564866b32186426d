//! The outbox against a real HTTP server whose answers are scripted.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse, routing::post};
use ring::hmac;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

use super::*;
use crate::{
    domain::{
        ids::IncidentNo,
        proof::Proof,
        record::{Delivery, IncidentState, PageKind},
        severity::Severity,
        time::Timestamp,
    },
    notify::{
        guard::Guard,
        secret::Secret,
        template::{Templates, Words},
        webhook::{SigningKey, WebhookConfig},
    },
};

/// Signing key of the Standard Webhooks' own example.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Short waits, so that tests see many tries.
const QUICK: Patience = Patience {
    backoff: &[Duration::from_millis(1), Duration::from_millis(3)],
    give_up: Duration::from_secs(24 * 3_600),
};

/// Page `n` of an incident to the receiver `hook`.
pub(in crate::notify) fn page(id: i64, incident: i64, n: i64) -> Page {
    Page {
        id: PageId(id),
        message_id: format!("page_{id}"),
        receiver: "hook".into(),
        to: None,
        person: None,
        incident: Some(IncidentNo(incident)),
        n,
        kind: PageKind::Opened,
        key: "liveness/web-1/down".into(),
        state: IncidentState::Open,
        severity: Severity::Warning,
        title: "web-1 is down".into(),
        host: "web-1".into(),
        component: String::new(),
        since: Timestamp::from_ms(1_795_252_440_000),
        decided: Timestamp::from_ms(1_795_252_443_250),
        details: "no message since 09:14:00".into(),
        path: format!("/incidents/{incident}"),
        act: None,
        delivery: Delivery::Queued,
        facts: Default::default(),
        proof: Default::default(),
    }
}

/// A page decided now, so that it is not given up for its age.
fn fresh(id: i64, incident: i64, n: i64) -> Page {
    Page { decided: crate::clock::wall(), ..page(id, incident, n) }
}

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
enum Do {
    Answer(u16),
    /// Never answers.
    Hang,
}

#[derive(Clone)]
struct Sink {
    script: Arc<Mutex<VecDeque<Do>>>,
    heard: mpsc::UnboundedSender<(HeaderMap, Bytes)>,
}

async fn take(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let step = sink.script.lock().unwrap().pop_front().unwrap_or(Do::Answer(200));
    sink.heard.send((headers, body)).unwrap();
    match step {
        Do::Answer(429) => (http::StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
        Do::Answer(status) => http::StatusCode::from_u16(status).unwrap().into_response(),
        Do::Hang => std::future::pending().await,
    }
}

struct World {
    heard: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
    events: mpsc::Receiver<Event>,
    outbox: Outbox,
    workers: Workers,
    metrics: NotifyMetrics,
    registry: prometheus::Registry,
    script: Arc<Mutex<VecDeque<Do>>>,
    clock: Clock,
    _server: JoinSet<()>,
    _snapshots: watch::Sender<Arc<Snapshot>>,
}

fn hook(name: &str, url: &str) -> ReceiverConfig {
    let key = SigningKey::from_secret(&Secret::new(format!("whsec_{KEY}"))).unwrap();
    let config = WebhookConfig { url: url.parse().unwrap(), key: Some(key), ca: None, guard: Guard::default() };
    let kind = ReceiverKind::Webhook(config);
    ReceiverConfig { name: name.into(), severity: Severity::Warning, templates: Templates::default(), kind }
}

/// The default words, in plain text.
pub(in crate::notify) fn words() -> Words {
    Words::new(&hook("hook", "http://localhost/"), "https://muster.example.org")
}

async fn world(script: &[Do], others: Vec<ReceiverConfig>, pending: Vec<Page>) -> World {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (heard_by, heard) = mpsc::unbounded_channel();
    let script = Arc::new(Mutex::new(script.iter().copied().collect()));
    let (sink, clock) = (Sink { script: Arc::clone(&script), heard: heard_by }, Clock::start());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        axum::serve(listener, Router::new().route("/hook", post(take)).with_state(sink)).await.unwrap();
    });
    let (mailbox, events) = Mailbox::new();
    let (snapshots, watching) = watch::channel(Arc::new(Snapshot::default()));
    let registry = prometheus::Registry::new();
    let metrics = NotifyMetrics::register(&registry).unwrap();
    let mut receivers = vec![hook("hook", &url)];
    receivers.extend(others);
    let (outbox, workers) = Outbox::start(Setup {
        links: Links::open(std::env::temp_dir().as_path()).unwrap(),
        receivers,
        base_url: "https://muster.example.org".into(),
        mailbox,
        metrics: metrics.clone(),
        clock: clock.clone(),
        snapshots: watching,
        pending,
        patience: QUICK,
    })
    .unwrap();
    World { heard, events, outbox, workers, metrics, registry, script, clock, _server: server, _snapshots: snapshots }
}

impl World {
    /// Outcomes until `count` pages are settled for good.
    async fn settled(&mut self, count: usize) -> Vec<(i64, Outcome)> {
        let (mut all, mut left) = (Vec::new(), count);
        while left > 0 {
            let (page, outcome) = match self.events.recv().await {
                Some(Event::Delivered { page, outcome }) => (page, outcome),
                Some(Event::SelfCheck { .. }) => continue,
                other => panic!("{other:?}"),
            };
            left -= usize::from(!matches!(outcome, Outcome::Retrying { .. }));
            all.push((page.0, outcome));
        }
        all
    }

    /// What the engine is told next about a receiver, and how many tries came before.
    async fn told(&mut self) -> (usize, String, Option<(Severity, String)>) {
        for tries in 0.. {
            match self.events.recv().await {
                Some(Event::Delivered { .. }) => {}
                Some(Event::SelfCheck { what, trouble }) => return (tries, what, trouble),
                other => panic!("{other:?}"),
            }
        }
        unreachable!("tries have no end")
    }

    fn ids_heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok())
            .map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_page_is_posted_once_and_signed_as_the_standard_says() {
    let mut world = world(&[], Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(7, 1042, 1));
    assert_eq!(world.settled(1).await, [(7, Outcome::Accepted { provider_id: None })]);
    let (headers, body) = world.heard.try_recv().unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((text("webhook-id"), text("content-type")), ("page_7".into(), "application/json".into()));
    let signed = [text("webhook-id"), text("webhook-timestamp"), String::from_utf8(body.to_vec()).unwrap()].join(".");
    let decode = |text: &str| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &decode(KEY));
    let signature = decode(text("webhook-signature").strip_prefix("v1,").unwrap());
    hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"]["url"], "https://muster.example.org/incidents/1042");
    assert_eq!(world.metrics.notifications.with_label_values(&["hook", "accepted"]).get(), 1);
    assert_eq!(world.metrics.queue.with_label_values(&["hook"]).get(), 0);
}

#[tokio::test]
async fn how_long_a_page_took_is_told_by_receiver_and_severity_from_its_decision_on() {
    let mut world = world(&[Do::Answer(500)], Vec::new(), Vec::new()).await;
    let decided = world.clock.now().plus_ms(-400_000);
    world.outbox.submit(Page { decided, severity: Severity::Critical, ..page(1, 1, 1) });
    world.settled(1).await;
    let told = prometheus::TextEncoder::new().encode_to_string(&world.registry.gather()).unwrap();
    let critical = r#"muster_page_delivery_seconds_bucket{receiver="hook",severity="critical""#;
    assert!(told.contains(&format!("{critical},le=\"300\"}} 0\n{critical},le=\"900\"}} 1\n")), "{told}");
    let warning = r#"muster_page_delivery_seconds_count{receiver="hook",severity="warning"} 0"#;
    assert!(told.contains(warning), "counted from zero: {told}");
}

#[tokio::test]
async fn retries_carry_the_same_id_and_the_recovery_waits_for_the_problem() {
    let script = [Do::Answer(500), Do::Answer(429), Do::Answer(503)];
    let mut world = world(&script, Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(1, 1, 1));
    world.outbox.submit(fresh(2, 1, 2));
    let outcomes = world.settled(2).await;
    assert_eq!(outcomes.iter().map(|(page, _)| *page).collect::<Vec<_>>(), [1, 1, 1, 1, 2]);
    assert_eq!(world.ids_heard(), ["page_1", "page_1", "page_1", "page_1", "page_2"]);
    assert_eq!(world.metrics.notifications.with_label_values(&["hook", "retrying"]).get(), 3);
}

#[tokio::test]
async fn nothing_is_lost_when_a_receiver_fails_at_random() {
    let script: Vec<Do> = (0..80).map(|at| Do::Answer(if at % 3 == 0 { 502 } else { 200 })).collect();
    let mut world = world(&script, Vec::new(), (1..=20).map(|id| fresh(id, id % 7, id)).collect()).await;
    (21..=60).for_each(|id| world.outbox.submit(fresh(id, id % 7, id)));
    let outcomes = world.settled(60).await;
    let mut accepted: Vec<i64> = outcomes
        .into_iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Accepted { .. }))
        .map(|(page, _)| page)
        .collect();
    for incident in 0..7 {
        let of_one: Vec<_> = accepted.iter().filter(|id| *id % 7 == incident).collect();
        assert!(of_one.is_sorted(), "{of_one:?}");
    }
    accepted.sort_unstable();
    assert_eq!(accepted, (1..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other() {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = hook("slow", &format!("http://{}/", hangs.local_addr().unwrap()));
    let mut world = world(&[], vec![slow], Vec::new()).await;
    for id in 1..=10 {
        world.outbox.submit(Page { receiver: "slow".into(), ..fresh(100 + id, id, 1) });
        world.outbox.submit(fresh(id, id, 1));
    }
    let outcomes = world.settled(10).await;
    assert!(outcomes.iter().all(|(page, _)| *page <= 10), "{outcomes:?}");
    assert_eq!(world.metrics.queue.with_label_values(&["slow"]).get(), 10);
    world.workers.stop(Duration::ZERO).await;
}

/// Of an answer without end a beginning is read, and its connection is given up.
#[tokio::test]
async fn an_answer_without_end_is_an_answer_and_is_not_read_to_its_end() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let endless = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never_ends = hook("endless", &format!("http://{}/", endless.local_addr().unwrap()));
    let mut world = world(&[], vec![never_ends], Vec::new()).await;
    world.outbox.submit(Page { receiver: "endless".into(), ..fresh(1, 1, 1) });
    let mut stream = endless.accept().await.unwrap().0;
    let (mut heard, mut request) = ([0; 4096], Vec::new());
    // As a service does: it answers when it has heard.
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut heard).await.unwrap();
        request.extend_from_slice(&heard[..count]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let (chunk, mut written) = ([b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat(), 0);
    while written < 1 << 30 && stream.write_all(&chunk).await.is_ok() {
        written += chunk.len();
    }
    // What both ends' sockets hold is at most 6 MiB each (tcp_wmem, tcp_rmem).
    assert!(written < 16 << 20, "{written} bytes were taken");
    assert_eq!(world.settled(1).await, [(1, Outcome::Accepted { provider_id: None })]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let breaks = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let broken = hook("broken", &format!("http://{}/", breaks.local_addr().unwrap()));
    let mut world = world(&[], vec![broken], Vec::new()).await;
    world.outbox.submit(Page { receiver: "broken".into(), ..fresh(1, 1, 1) });
    drop(breaks.accept().await.unwrap());
    let Some(Event::Delivered { outcome, .. }) = world.events.recv().await else { panic!("no event") };
    assert!(matches!(outcome, Outcome::Retrying { .. }), "{outcome:?}");
    drop(breaks.accept().await.unwrap());
}

#[tokio::test]
async fn a_page_that_is_refused_for_a_while_arrives_before_its_recovery() {
    let script = [404, 403, 302, 400, 401, 404, 404].map(Do::Answer);
    let mut world = world(&script, Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(1, 1, 1));
    world.outbox.submit(fresh(2, 1, 2));
    let outcomes = world.settled(2).await;
    let accepted = Outcome::Accepted { provider_id: None };
    assert_eq!(outcomes[script.len()..], [(1, accepted.clone()), (2, accepted)], "{outcomes:?}");
}

#[tokio::test]
async fn a_page_whose_body_is_rejected_for_good_fails_alone_and_at_once() {
    let mut world = world(&[Do::Answer(413), Do::Answer(422)], Vec::new(), Vec::new()).await;
    for id in 1..=3 {
        world.outbox.submit(fresh(id, id, 1));
        let outcomes = world.settled(1).await;
        let [(page, outcome)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((*page, matches!(outcome, Outcome::Failed { .. })), (id, id < 3), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_was_gone_is_asked_again() {
    let mut world = world(&[Do::Answer(410)], Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(1, 1, 1));
    assert!(matches!(&world.settled(1).await[..], [(1, Outcome::Failed { error })] if error.contains("gone")));
    world.outbox.submit(fresh(2, 2, 1));
    assert_eq!(world.settled(1).await, [(2, Outcome::Accepted { provider_id: None })]);
    assert_eq!(world.ids_heard(), ["page_1", "page_2"]);
}

#[tokio::test]
async fn the_engine_is_told_once_when_pages_are_given_up_and_once_when_one_is_taken_again() {
    let mut world = world(&[Do::Answer(422), Do::Answer(410)], Vec::new(), Vec::new()).await;
    (1..=4).for_each(|n| world.outbox.submit(fresh(n, 1, n)));
    let (tries, what, trouble) = world.told().await;
    let (severity, text) = trouble.expect("a page was given up");
    assert_eq!((tries, what.as_str(), severity), (1, "delivery/hook", Severity::Warning));
    assert!(text.starts_with("receiver hook does not take pages since 20"), "{text}");
    assert!(text.ends_with(": it answered 422: it rejects this page for good; 3 wait"), "{text}");
    assert_eq!(world.told().await, (2, "delivery/hook".into(), None));
    world.settled(1).await;
    world.workers.stop(Duration::from_secs(5)).await;
    assert!(world.events.try_recv().is_err());
}

#[tokio::test]
async fn the_engine_is_told_once_when_a_receiver_has_failed_for_a_minute() {
    let mut world = world(&[Do::Answer(404); 100_000], Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(1, 1, 1));
    for _ in 0..8 {
        let event = world.events.recv().await;
        assert!(matches!(event, Some(Event::Delivered { outcome: Outcome::Retrying { .. }, .. })), "{event:?}");
    }
    world.clock.step(60_000);
    let (_, what, trouble) = world.told().await;
    let (_, text) = trouble.expect("a minute has passed");
    assert_eq!(what, "delivery/hook");
    assert!(text.ends_with(": it answered 404; 1 wait"), "{text}");
    for _ in 0..8 {
        let event = world.events.recv().await;
        assert!(matches!(event, Some(Event::Delivered { outcome: Outcome::Retrying { .. }, .. })), "{event:?}");
    }
    world.script.lock().unwrap().clear();
    let (_, what, trouble) = world.told().await;
    assert_eq!((what.as_str(), trouble), ("delivery/hook", None));
}

#[tokio::test]
async fn a_trouble_from_before_a_restart_ends_with_the_first_page_that_is_taken() {
    let mut world = world(&[], Vec::new(), vec![fresh(1, 1, 1)]).await;
    assert_eq!(world.told().await, (1, "delivery/hook".into(), None));
}

#[tokio::test]
async fn a_receiver_that_asked_for_patience_before_a_restart_is_left_alone_and_for_ten_minutes_at_most() {
    for (asked_ms, stepped_ms) in [(60_000, 60_000), (86_400_000, 600_000)] {
        let not_before = Some(crate::clock::wall().plus_ms(asked_ms));
        let asked = Page { proof: Proof { not_before, ..Proof::default() }, ..fresh(1, 1, 1) };
        let mut world = world(&[], Vec::new(), vec![asked]).await;
        world.outbox.submit(Page { severity: Severity::Critical, ..fresh(2, 2, 1) });
        // Both wait in the queue, and everybody has had a turn.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.ids_heard(), [""; 0]);
        world.clock.step(stepped_ms + 1_000);
        world.outbox.submit(fresh(3, 3, 1));
        world.settled(3).await;
        let mut heard = world.ids_heard();
        heard.sort();
        assert_eq!(heard, ["page_1", "page_2", "page_3"]);
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_page_for_a_receiver_that_is_not_configured_any_more_fails_and_says_so() {
    let log = Log::default();
    let kept = log.clone();
    let written = tracing_subscriber::fmt().with_ansi(false).with_writer(move || kept.clone()).finish();
    let _log = tracing::subscriber::set_default(written);
    let stray = Page { receiver: "old".into(), ..fresh(3, 1, 1) };
    let mut world = world(&[], Vec::new(), vec![stray]).await;
    let outcomes = world.settled(1).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("page 3")).collect();
    assert!(matches!(lines[..], [line] if line.contains("page 3 will not reach receiver old:")), "{log}");
    assert!(matches!(&outcomes[..], [(3, Outcome::Failed { error })] if error.contains("\"old\"")), "{outcomes:?}");
    assert_eq!(world.told().await, (0, "delivery/old".into(), None));
}

#[tokio::test]
async fn what_is_on_its_way_may_end_when_the_outbox_stops() {
    let mut world = world(&[Do::Hang], Vec::new(), Vec::new()).await;
    world.outbox.submit(fresh(1, 1, 1));
    world.heard.recv().await.unwrap();
    world.workers.stop(Duration::from_millis(1)).await;
    world.outbox.submit(fresh(2, 2, 1));
    assert!(world.events.try_recv().is_err());
    assert!(world.heard.try_recv().is_err());
}

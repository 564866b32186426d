//! Clients that are no agents of ours, against the released collector: each is refused in words that name the limit, is
//! counted, and an agent beside it notices nothing.

use muster_proto::v1::{self, agent_message::Body};
use muster_tests::raw::{Raw, Talk, facts, hello, now, record};
use muster_tests::siege::Siege;
use muster_tests::{Agent, Collector, Webhook, eventually};
use tokio::io::AsyncWriteExt as _;
use tonic::Code;

use crate::s;

/// Bytes of a message of a session (spec: 4 MiB).
const LIMIT: usize = 4 << 20;
/// What a host may declare.
const SERIES: u32 = 20_000;

/// An agent that must not notice anything.
struct Bystander(Agent);

impl Bystander {
    async fn beside(collector: &Collector) -> Self {
        Self(Agent::up(collector, "fast").await)
    }

    /// It was up all the time, on its first session.
    async fn is_unharmed(&self, collector: &Collector) {
        collector.host_is(&self.0.host, "up", s(5)).await;
        let log = self.0.log();
        assert_eq!(log.matches("the collector listens").count(), 1, "{log}");
    }
}

async fn refused(collector: &Collector, reason: &str) -> f64 {
    let series = format!("muster_reports_refused_total{{reason=\"{reason}\"}}");
    collector.metric(&series).await.unwrap_or(0.0)
}

async fn counted(collector: &Collector, reason: &str) {
    let look = || async { (refused(collector, reason).await >= 1.0).then_some(()) };
    eventually(&format!("{reason} is counted"), s(5), look).await;
}

/// The most memory the collector ever had, in bytes.
fn peak_bytes(collector: &Collector) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", collector.process().pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn an_oversized_message_is_refused_with_its_limit_and_counted() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let raw = Raw::enrolled(&collector, facts("oversized")).await;
    let mut talk = raw.session(hello(1), false).await.expect("a welcome");
    talk.send(record(1, LIMIT + 1)).await;
    let status = talk.refusal().await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains(&LIMIT.to_string()) && status.message().contains("send less"), "{status:?}");
    counted(&collector, "message_too_large").await;
    bystander.is_unharmed(&collector).await;
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_before_it_unfolds_and_counted() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let raw = Raw::enrolled(&collector, facts("bomb")).await;
    let mut talk = raw.session(hello(1), true).await.expect("a welcome");
    let before = peak_bytes(&collector);
    talk.send(record(1, 16 * LIMIT)).await;
    let status = talk.refusal().await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains(&LIMIT.to_string()), "{status:?}");
    counted(&collector, "message_too_large").await;
    let grown = peak_bytes(&collector) - before;
    assert!(grown < 4 * LIMIT as u64, "64 MiB of zeros cost the collector {grown} bytes");
    bystander.is_unharmed(&collector).await;
}

/// Ten hosts that do nothing but beat, each on stream after stream: what one says beyond its rate ends the stream and is not
/// kept anywhere. Kept, a million messages were more than 100 MB.
#[tokio::test]
async fn a_million_small_messages_are_cut_off_cost_little_memory_and_nobody_else_notices() {
    const HOSTS: u32 = 10;
    const EACH: u32 = 100_000;
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let before = peak_bytes(&collector);
    let mut floods = tokio::task::JoinSet::new();
    for n in 0..HOSTS {
        let raw = Raw::enrolled(&collector, facts(&format!("flood-{n}"))).await;
        floods.spawn(async move {
            let (mut said, mut cut) = (0, 0);
            let mut channel = raw.connect().await;
            while said < EACH {
                match Talk::open(channel.clone(), false, Some(hello(1))).await {
                    Ok(talk) => {
                        while said < EACH && talk.send(Body::Beat(v1::Beat {})).await {
                            said += 1;
                        }
                    }
                    // After some streams the connection is closed too, which is heard in one way or another.
                    Err(status) if status.code() == Code::ResourceExhausted => {}
                    Err(_) => channel = raw.connect().await,
                }
                cut += 1;
            }
            cut
        });
    }
    let cut: Vec<u32> = floods.join_all().await;
    assert!(cut.iter().all(|cut| *cut > 1), "{cut:?}");
    counted(&collector, "rate").await;
    let grown = peak_bytes(&collector) - before;
    assert!(grown < 32 << 20, "a million messages cost the collector {grown} bytes");
    bystander.is_unharmed(&collector).await;
}

#[tokio::test]
async fn a_series_bomb_is_capped_its_family_named_and_the_rest_shown() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let raw = Raw::enrolled(&collector, facts("series-bomb")).await;
    let talk = raw.session(hello(1), false).await.expect("a welcome");
    let family = |id, name: &str| v1::Family { id, name: name.into(), r#type: 2, help: "raw".into(), unit: 0 };
    let families = vec![family(1, "node_load1"), family(2, "node_bomb")];
    talk.send(Body::Dictionary(v1::Dictionary { families, ..v1::Dictionary::default() })).await;
    let series = |id: u32| v1::Series {
        id,
        family: if id == 1 { 1 } else { 2 },
        labels: if id == 1 { Vec::new() } else { vec!["n".into(), id.to_string()] },
        ..v1::Series::default()
    };
    let ids: Vec<u32> = (1..=SERIES + 2).collect();
    for part in ids.chunks(4_000) {
        let series = part.iter().map(|id| series(*id)).collect();
        talk.send(Body::Dictionary(v1::Dictionary { series, ..v1::Dictionary::default() })).await;
    }
    talk.send(Body::Readings(v1::Readings {
        clock: Some(now()),
        full: true,
        whole_gaps: vec![1; ids.len()],
        whole_diffs: vec![7; ids.len()],
        ..v1::Readings::default()
    }))
    .await;
    collector.host_is(&raw.host, "up", s(10)).await;
    let left_out = format!("muster_host_families_left_out{{host=\"{}\"}}", raw.name);
    assert_eq!(collector.metric(&left_out).await, Some(1.0));
    let shown = collector.get(&format!("/hosts/{}/metrics", raw.host)).await.body;
    assert!(shown.contains("node_load1 7") && !shown.contains("node_bomb"), "{} bytes", shown.len());
    let finding = format!(
        "muster_finding{{host=\"{}\",component=\"node_bomb\",rule=\"series_left_out\",severity=\"warning\"}}",
        raw.name
    );
    eventually("the family is named", s(5), || collector.metric(&finding)).await;
    let page = collector.get(&format!("/hosts/{}", raw.host)).await.body;
    assert!(page.contains("node_bomb") && page.contains(&SERIES.to_string()), "the limit is named:\n{page}");
    bystander.is_unharmed(&collector).await;
}

#[tokio::test]
async fn a_forged_host_id_gets_a_host_of_its_own_or_nothing() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let raw = Raw::enrolled(&collector, facts("forger")).await;
    let victim = raw.uri_of(&bystander.0.host);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wish = rcgen::CertificateParams::default();
    wish.subject_alt_names = vec![rcgen::SanType::URI(victim.try_into().expect("ASCII"))];

    // A certificate of one's own making is worth nothing.
    let own = wish.clone().self_signed(&key).expect("a certificate").der().to_vec();
    let session = match raw.connect_as(own, key.serialize_der()).await {
        Ok(channel) => Talk::open(channel, false, Some(hello(1))).await.err().map(|status| status.to_string()),
        Err(error) => Some(error.to_string()),
    };
    assert!(session.is_some(), "a certificate that we did not sign opened a session");
    let failed = || async { collector.metric("muster_handshakes_total{outcome=\"failed\"}").await };
    eventually("the handshake is counted", s(5), failed).await;

    // What a signing request wishes for is not signed.
    let csr = wish.serialize_request(&key).expect("a request").der().to_vec();
    let request = v1::EnrolRequest {
        token: collector.token("normal").await,
        csr,
        nonce: vec![9; 16],
        facts: Some(facts(&bystander.0.name)),
        ..v1::EnrolRequest::default()
    };
    let channel = raw.connect_anonymously().await;
    let answer = v1::enrolment_client::EnrolmentClient::new(channel).enrol(request).await;
    if let Ok(enrolled) = answer.map(tonic::Response::into_inner) {
        let id: [u8; 16] = enrolled.host_id[..].try_into().expect("16 bytes");
        assert_ne!(muster_agent::identity::hyphenated(&id), bystander.0.host);
        assert_ne!(enrolled.name, bystander.0.name, "names are unique");
        let text = String::from_utf8_lossy(&enrolled.certificate_chain).into_owned();
        assert!(!text.contains(&bystander.0.host), "the wish was signed");
    }

    // Nor does anybody become another by saying so.
    let hello = v1::Hello { facts: Some(facts(&bystander.0.name)), ..hello(1) };
    let _talk = raw.session(hello, false).await.expect("it is still itself");
    let hosts = collector.hosts().await;
    assert_eq!(hosts.iter().filter(|host| host["name"] == bystander.0.name.as_str()).count(), 1, "{hosts:?}");
    bystander.is_unharmed(&collector).await;
}

#[tokio::test]
async fn a_replayed_record_is_counted_and_kept_once() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let raw = Raw::enrolled(&collector, facts("replayer")).await;
    let mut talk = raw.session(v1::Hello { last_record: 2, ..hello(1) }, false).await.expect("a welcome");
    talk.send(record(1, 16)).await;
    talk.acknowledged(1).await.expect("the first is taken");
    talk.send(record(1, 16)).await;
    counted(&collector, "replayed").await;
    // On a stream of its own too.
    let mut again = raw.session(v1::Hello { last_record: 2, ..hello(1) }, false).await.expect("a welcome");
    again.send(record(1, 16)).await;
    again.send(record(2, 16)).await;
    again.acknowledged(2).await.expect("the next is taken");
    assert!(refused(&collector, "replayed").await >= 2.0);
    let facts = rusqlite::Connection::open(collector.state().join("facts.db")).expect("the facts");
    let kept: i64 = facts.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)).expect("a count");
    assert_eq!(kept, 2);
    bystander.is_unharmed(&collector).await;
}

#[tokio::test]
async fn slow_handshakes_and_half_open_connections_end_after_ten_seconds_and_others_come_and_go() {
    let collector = Collector::start("").await;
    let bystander = Bystander::beside(&collector).await;
    let mut slow = Vec::new();
    for n in 0..60_u8 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", collector.grpc)).await.expect("the door is open");
        // Some say nothing; some begin a ClientHello (TLS record type 22) and never end it.
        let begun: &[u8] = if n % 2 == 0 { &[] } else { &[22, 3, 1, 2, 0, 1] };
        stream.write_all(begun).await.expect("nobody hung up yet");
        slow.push(stream);
    }
    let raw = Raw::enrolled(&collector, facts("silent")).await;
    let (mute, newcomer) = tokio::join!(Talk::open(raw.connect().await, false, None), Agent::up(&collector, "fast"));
    drop(newcomer);
    let status = match mute {
        Ok(mut talk) => talk.refusal().await,
        Err(status) => status,
    };
    assert!(status.message().contains("Hello"), "{status:?}");
    counted(&collector, "no_hello").await;
    let timed_out = || async {
        let count = collector.metric("muster_handshakes_total{outcome=\"timed_out\"}").await;
        count.filter(|count| *count >= 60.0)
    };
    eventually("all slow handshakes are ended", s(15), timed_out).await;
    bystander.is_unharmed(&collector).await;
}

/// A thousand who begin handshakes and never end them, half of them a byte a second, from twenty addresses, and a host of ours
/// that opens streams and resets them.
#[tokio::test]
async fn while_the_door_is_besieged_those_inside_notice_nothing_and_others_come_in_and_come_back() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let bystander = Bystander::beside(&collector).await;
    let mut returning = Agent::up(&collector, "normal").await;
    let siege = Siege::lay(collector.grpc, 1_000, Raw::enrolled(&collector, facts("resets")).await);
    let refused = || async {
        let series = "muster_handshakes_total{outcome=\"too_many_pending\"}";
        collector.metric(series).await.filter(|count| *count >= 500.0)
    };
    eventually("all places at the door are taken, again and again", s(30), refused).await;
    eventually("streams are opened and reset", s(30), || async { (siege.resets() > 1_000).then_some(()) }).await;

    let newcomer = Agent::up(&collector, "fast").await;
    returning.kill().await;
    returning.run();
    let back = || async { (returning.log().matches("the collector listens").count() == 2).then_some(()) };
    eventually("who was in is in again", s(60), back).await;
    collector.host_is(&returning.host, "up", s(20)).await;
    // The door is as full as before: 200 places, each empty for a moment now and then.
    assert!(siege.held() >= 100, "{} are held", siege.held());
    let before = refused().await;
    eventually("it goes on", s(20), || async { (refused().await > before).then_some(()) }).await;
    bystander.is_unharmed(&collector).await;
    Bystander(newcomer).is_unharmed(&collector).await;
    assert!(hook.messages().is_empty(), "{:?}", hook.messages());
}

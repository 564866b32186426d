//! The door as agents and attackers meet it: real TLS on loopback, real store, real slots.

mod asking;
mod client;

use std::time::Duration;

use muster_proto::v1::{self, agent_message::Body, collector_message::Body as Said};
use tokio::time::timeout;
use tonic::{Code, codec::CompressionEncoding};

use self::client::{Talk, World, enrolments, hello, uplink};
use crate::domain::event::{CloseReason, Ending, Event, HostEvent, Why};

/// Longer than anything here takes; a test that hangs fails.
const SOON: Duration = Duration::from_secs(20);

async fn opened(world: &mut World) {
    let event = timeout(SOON, world.events.recv()).await.unwrap();
    assert!(matches!(event, Some(Event::Host(_, HostEvent::Opened { .. }))), "{event:?}");
}

async fn ended(world: &mut World) -> Ending {
    loop {
        match timeout(SOON, world.events.recv()).await.unwrap() {
            Some(Event::Host(_, HostEvent::Ended { how, .. })) => return how,
            Some(_) => {}
            None => panic!("the door is gone"),
        }
    }
}

fn gap(sequence: u64) -> Body {
    let gap = v1::Gap { what: "readings".into(), lost: 1, ..v1::Gap::default() };
    Body::Record(v1::Record { sequence, boot_id: vec![1; 16], clock: None, body: Some(v1::record::Body::Gap(gap)) })
}

async fn through(talk: &mut Talk) -> u64 {
    loop {
        if let Said::Ack(ack) = timeout(SOON, talk.next()).await.unwrap().unwrap() {
            return ack.through;
        }
    }
}

#[tokio::test]
async fn a_host_enrols_reports_and_says_goodbye() {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    let welcome = talk.greet(hello(1)).await.unwrap();
    assert!(welcome.generation > 0);
    let document = String::from_utf8(welcome.settings.unwrap().document).unwrap();
    assert!(document.contains("watch = ") && document.contains("beat_ms = "), "{document}");
    opened(&mut world).await;
    talk.send(Body::Dictionary(v1::Dictionary {
        families: vec![v1::Family {
            id: 1,
            name: "node_load1".into(),
            r#type: 2,
            help: "1m load average.".into(),
            unit: 0,
        }],
        series: vec![v1::Series { id: 1, family: 1, ..v1::Series::default() }],
        retired: Vec::new(),
    }))
    .await;
    talk.send(Body::Readings(v1::Readings {
        full: true,
        real_gaps: vec![1],
        reals: vec![0.5],
        ..v1::Readings::default()
    }))
    .await;
    let heard = timeout(SOON, world.events.recv()).await.unwrap();
    assert!(matches!(heard, Some(Event::Host(_, HostEvent::Heard { .. }))), "{heard:?}");
    talk.send(Body::Goodbye(v1::Goodbye { why: 1 })).await;
    let Said::Ack(ack) = talk.next().await.unwrap() else { panic!("goodbye is acknowledged") };
    assert_eq!(ack.heard, 1);
    assert_eq!(ended(&mut world).await, Ending::Goodbye(Why::Shutdown));
    assert!(world.context.rooms.sessions.is_empty());
}

#[tokio::test]
async fn a_dropped_connection_is_told_once_as_the_kernels_end() {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    talk.greet(hello(1)).await.unwrap();
    opened(&mut world).await;
    drop(talk);
    assert_eq!(ended(&mut world).await, Ending::Fin);
    assert!(world.events.try_recv().is_err());
}

#[tokio::test]
async fn a_record_is_acknowledged_after_its_commit_and_a_replay_is_acknowledged_again() {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    talk.greet(hello(1)).await.unwrap();
    talk.send(gap(1)).await;
    talk.send(gap(2)).await;
    while through(&mut talk).await < 2 {}
    talk.send(gap(1)).await;
    assert_eq!(through(&mut talk).await, 2);
    assert_eq!(world.refused("replayed"), 1);
    drop(talk);
    let channel = world.connect(Some(&papers)).await;
    let mut again = Talk::open(uplink(channel)).await.unwrap();
    assert_eq!(again.greet(hello(1)).await.unwrap().through, 2);
}

#[tokio::test]
async fn without_a_certificate_there_is_no_session_and_no_renewal() {
    let mut world = World::new().await;
    let channel = world.connect(None).await;
    let refused = Talk::open(uplink(channel.clone())).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = enrolments(channel).renew(v1::RenewRequest { csr: vec![0; 10] }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_token_works_once_and_a_wrong_one_never() {
    let mut world = World::new().await;
    let token = world.token().await;
    assert!(world.enrol_with(token.clone()).await.is_ok());
    for wrong in [token, "mu1_abcdefgh_wrong_0000".into(), String::new()] {
        let refused = world.enrol_with(wrong).await.err().unwrap();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        assert!(refused.message().contains("token"), "{refused}");
    }
}

#[tokio::test]
async fn another_protocol_is_refused_naming_both() {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    let refused = talk.greet(v1::Hello { protocol: 99, ..hello(1) }).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("99") && refused.message().contains("protocol 1"), "{refused}");
}

#[tokio::test]
async fn an_oversized_message_and_a_gzip_bomb_are_refused() {
    for compressed in [false, true] {
        let mut world = World::new().await;
        let papers = world.enrol().await;
        let channel = world.connect(Some(&papers)).await;
        let client = uplink(channel);
        let client = if compressed { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        let mut talk = Talk::open(client).await.unwrap();
        talk.greet(hello(1)).await.unwrap();
        let bomb = v1::SettingsApplied { error: "x".repeat(64 << 20), ..v1::SettingsApplied::default() };
        let _ = talk.say.send(v1::AgentMessage { body: Some(Body::SettingsApplied(bomb)) }).await;
        let refused = timeout(SOON, talk.next()).await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "compressed: {compressed}: {refused}");
        assert_eq!(world.refused("message_too_large"), 1);
    }
}

#[tokio::test]
async fn the_same_machine_takes_over_and_another_one_that_answers_is_refused() {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let first = world.connect(Some(&papers)).await;
    let mut first = Talk::open(uplink(first)).await.unwrap();
    first.greet(hello(1)).await.unwrap();
    let second = world.connect(Some(&papers)).await;
    let mut second = Talk::open(uplink(second)).await.unwrap();
    second.greet(hello(1)).await.unwrap();
    assert_eq!(first.next().await.unwrap_err().code(), Code::Aborted);
    let third = world.connect(Some(&papers)).await;
    let mut third = Talk::open(uplink(third)).await.unwrap();
    third.send(Body::Hello(hello(2))).await;
    let Said::Ask(ask) = timeout(SOON, second.next()).await.unwrap().unwrap() else { panic!("asked first") };
    second.send(Body::Answer(v1::Answer { id: ask.id, error: String::new() })).await;
    let refused = timeout(SOON, third.next()).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("enrol"), "names the remedy: {refused}");
    assert_eq!(world.context.rooms.sessions.len(), 1);
}

#[tokio::test]
async fn a_revoked_host_is_off_within_a_second() {
    let mut world = World::new().await;
    let token = world.token().await;
    let (papers, _) = world.enrol_with(token).await.unwrap();
    let Some(Event::Enrolled(profile)) = world.events.recv().await else { panic!("enrolled") };
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    talk.greet(hello(1)).await.unwrap();
    assert!(world.context.rooms.sessions.close_host(profile.no, CloseReason::NotAdmitted));
    let refused = timeout(Duration::from_secs(1), talk.next()).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

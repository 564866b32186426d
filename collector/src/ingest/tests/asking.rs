//! What a host is asked for when a finding begins.

use super::*;

const DICTIONARY: u32 = 1;

/// A report of these processes killed for want of memory, since boot and `seconds` after it.
fn kills(count: f64, seconds: u64) -> Body {
    Body::Readings(v1::Readings {
        full: true,
        real_gaps: vec![DICTIONARY],
        reals: vec![count],
        clock: Some(v1::Clock { wall_ms: 0, boottime_ms: seconds * 1_000 }),
        ..v1::Readings::default()
    })
}

/// Sends this report; what the host is asked because of it.
async fn report(talk: &mut Talk, count: f64, seconds: u64) -> Vec<v1::Ask> {
    let mut asked = Vec::new();
    // Readings after a dictionary are acknowledged at once, and questions follow the acknowledgement: the second one comes
    // after all that the first report leads to.
    for _ in 0..2 {
        talk.send(Body::Dictionary(v1::Dictionary::default())).await;
        talk.send(kills(count, seconds)).await;
        loop {
            match timeout(SOON, talk.next()).await.unwrap().unwrap() {
                Said::Ask(ask) => asked.push(ask),
                Said::Ack(_) => break,
                _ => {}
            }
        }
    }
    asked
}

async fn session() -> (World, Talk) {
    let mut world = World::new().await;
    let papers = world.enrol().await;
    let channel = world.connect(Some(&papers)).await;
    let mut talk = Talk::open(uplink(channel)).await.unwrap();
    talk.greet(hello(1)).await.unwrap();
    let family = v1::Family { id: 1, name: "node_vmstat_oom_kill".into(), r#type: 1, ..v1::Family::default() };
    let series = v1::Series { id: DICTIONARY, family: 1, ..v1::Series::default() };
    let dictionary = v1::Dictionary { families: vec![family], series: vec![series], retired: Vec::new() };
    talk.send(Body::Dictionary(dictionary)).await;
    (world, talk)
}

#[tokio::test]
async fn a_host_is_asked_for_its_processes_when_a_finding_opens_and_not_again_at_once() {
    let (_world, mut talk) = session().await;
    assert_eq!(report(&mut talk, 5.0, 100).await, [], "what happened before is no news");
    let asked = report(&mut talk, 6.0, 101).await;
    let [ask] = &asked[..] else { panic!("a process was killed: {asked:?}") };
    assert_eq!(ask.what, Some(v1::ask::What::EvidenceSource("processes".into())));
    // An agent of another version refuses, and nothing comes of it.
    let error = "not known to this agent".to_owned();
    talk.send(Body::Answer(v1::Answer { id: ask.id, error })).await;
    assert_eq!(report(&mut talk, 7.0, 102).await, [], "it stands already");
    assert_eq!(report(&mut talk, 7.0, 2_000).await, [], "it is over");
    assert_eq!(report(&mut talk, 8.0, 2_001).await, [], "it is there again, and the host was asked just before");
}

//! A session that ends because the collector asked for it says nothing about the machine.

use super::{State, machine::Host};
use crate::domain::{
    event::{Ending, HostEvent},
    ids::{HostId, HostNo, SessionId},
    labels::{Admission, Class, Facts, Profile},
    time::Timestamp,
    watch::Watch,
};

const START_MS: i64 = 1_790_000_000_000;

/// A host at watch level fast whose session has just ended so.
fn ended(how: Ending) -> Host {
    let now = Timestamp::from_ms(START_MS);
    let id: HostId = "01a20010-b3e9-7566-b91b-37403ca53dda".parse().unwrap();
    let profile = Profile {
        no: HostNo(1),
        id,
        name: "web-3".into(),
        class: Class::Server,
        site: None,
        watch: Watch::Fast,
        labels: Default::default(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    };
    let mut host = Host::enrolled(profile, now);
    let session = SessionId(1);
    let (boot_id, peer, facts) = ([1; 16], [127, 0, 0, 1].into(), Box::default());
    host.step(
        HostEvent::Opened { session, boot_id, peer, heard_before: None, alive: Vec::new(), facts, labels: Vec::new() },
        now,
    );
    host.step(HostEvent::Heard { session }, now);
    assert_eq!(host.state(), State::Up);
    host.step(HostEvent::Ended { session, how, proof: now }, now);
    host
}

/// Its state this long after.
fn later(mut host: Host, ms: i64) -> State {
    host.tick(Timestamp::from_ms(START_MS + ms));
    host.state()
}

#[test]
fn a_drained_host_is_given_time_to_come_again() {
    assert_eq!(later(ended(Ending::Drained), 9_999), State::Suspect);
}

#[test]
fn a_drained_host_that_does_not_come_again_is_not_up() {
    assert_ne!(later(ended(Ending::Drained), 60_000), State::Up);
}

//! A host that is heard through a proxy or an address translation: what is looked at there is not the host.

use super::*;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// One host at the normal level, heard from [`PROXY`], which answers; `own` is what its end of the connection is called.
fn heard_there(own: &str) -> Fleet {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    let (session, facts) = (SessionId(11), Facts { own_address: own.parse().ok(), ..Facts::default() });
    fleet.host(
        1,
        HostEvent::Opened {
            session,
            boot_id: [1; 16],
            peer: PROXY,
            heard_before: None,
            alive: Vec::new(),
            facts: Box::new(facts),
            labels: Vec::new(),
        },
    );
    fleet.host(1, HostEvent::Heard { session });
    fleet
}

/// Found silent seven seconds after its last message, and then its stream may end.
fn falls_silent(fleet: &mut Fleet) {
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    fleet.host(1, HostEvent::Silent { session: SessionId(11), proof });
}

#[test]
fn a_silent_host_behind_a_proxy_that_answers_is_down_after_its_hold_and_paged_once() {
    let mut fleet = heard_there("10.20.30.40");
    falls_silent(&mut fleet);
    assert_eq!(fleet.looks, [], "the proxy is not asked");
    fleet.until(9_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(10_000);
    assert_eq!((fleet.state(1), fleet.liveness(1).cause), (State::Down, Cause::Looked(Look::CannotTell)));
    fleet.until(3_600_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn where_its_own_address_is_that_of_its_connection_or_is_not_told_what_answers_is_the_host() {
    for own in ["192.0.2.1", "not told"] {
        let mut fleet = heard_there(own);
        falls_silent(&mut fleet);
        fleet.until(600_000);
        assert_eq!(fleet.state(1), State::AgentLost, "{own}");
        assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")], "{own}");
    }
}

#[test]
fn an_agent_behind_a_proxy_whose_stream_ends_is_lost_and_nothing_is_concluded_from_what_answers_there() {
    let mut fleet = heard_there("10.20.30.40");
    let proof = Timestamp::from_ms(fleet.now);
    fleet.host(1, HostEvent::Ended { session: SessionId(11), how: Ending::Fin, proof });
    fleet.answer = Look::Silent;
    fleet.until(600_000);
    assert_eq!(fleet.state(1), State::AgentLost);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")]);
    assert_eq!(fleet.liveness(1).answered, Some(proof), "when its stream ended, and never since");
}

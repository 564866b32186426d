//! Machines that move to another network. Needs root.

use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};

use crate::s;

/// At the relaxed level the kernel gives a dead path up after a minute and a half.
#[tokio::test]
async fn a_workstation_whose_address_changes_is_back_within_seconds() {
    let collector = Collector::start("").await;
    let mut network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "relaxed").await;
    let sessions = || agent.log().matches("the collector listens generation").count();
    let addresses_gone = || agent.log().matches("the address of the connection is gone").count();
    assert_eq!((sessions(), addresses_gone()), (1, 0));

    for moves in 1..=2 {
        network.move_on().await;
        let back = || async { (sessions() > moves).then_some(()) };
        eventually("it is back from its new address", s(8), back).await;
        assert_eq!((sessions(), addresses_gone()), (moves + 1, moves), "{}", agent.log());
    }

    // Without any address for a while, as between two networks.
    network.lose_address().await;
    eventually("the connection is given up", s(8), || async { (addresses_gone() == 3).then_some(()) }).await;
    pass(s(12)).await;
    network.regain_address().await;
    eventually("it is back", s(8), || async { (sessions() == 4).then_some(()) }).await;
    collector.host_is(&agent.host, "up", s(5)).await;
}

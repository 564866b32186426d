//! Paths on which packets are late, lost or swallowed, and machines that speak IPv6 alone. Needs root, and /dev/net/tun for a
//! cable that does this to packets under both kernels' TCP.

use std::time::Duration;

use muster_tests::network::Network;
use muster_tests::path::Path;
use muster_tests::process::{Said, run};
use muster_tests::{Agent, Collector, Webhook, eventually, never};

use crate::s;

/// A host is back so soon after its path (spec, part g, 33).
const BACK: Duration = s(90);
/// Half of the longest way that is promised: a round trip takes two seconds.
const FAR: Path = Path { delay: s(1), ..Path::GOOD };
/// Of ten packets three are lost, each way.
const LOSSY: Path = Path { lost_percent: 30, ..Path::GOOD };
/// A tunnel whose word on its size is swallowed: the least that IPv6 allows (RFC 8200, 5).
const NARROW: Path = Path { largest: 1_280, ..Path::GOOD };

fn sessions(agent: &Agent) -> usize {
    agent.log().matches("the collector listens generation").count()
}

/// Cuts it off until it is seen to be, and joins it again. Whether it comes back on its session or on another one is its own affair.
async fn check_return_after_a_cut(collector: &Collector, network: &Network, agent: &Agent) {
    network.cut().await;
    collector.host_is(&agent.host, "down", s(60)).await;
    network.heal().await;
    collector.host_is(&agent.host, "up", BACK).await;
}

async fn enrol(agent: &mut Agent, collector: &Collector, address: &str) -> Said {
    let said = agent.enrol(address, &collector.token("normal").await).await;
    assert_eq!(said.code, 0, "{}\n{}", said.all(), collector.log());
    agent.host = said.out.split("(host ").nth(1).and_then(|rest| rest.split(')').next()).expect("its id").to_owned();
    said
}

async fn on_six(tables: &str) -> Collector {
    let mut collector = Collector::prepare(tables);
    collector.listen = "[::]";
    collector.configure(tables);
    collector.run().await;
    collector
}

#[tokio::test]
async fn two_seconds_away_an_agent_enrols_stays_on_one_session_and_is_back_after_a_cut() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let network = Network::over(FAR).await;
    let agent = Agent::up_in(&network, &collector, "normal").await;
    never("another session", s(40), || async { (sessions(&agent) > 1).then(|| agent.log()) }).await;
    assert!(hook.messages().is_empty(), "{:?}", hook.messages());
    assert_eq!(collector.ledger(&agent.host).iter().filter(|entry| entry.state == "down").count(), 0);
    check_return_after_a_cut(&collector, &network, &agent).await;
}

#[tokio::test]
async fn with_three_packets_of_ten_lost_each_way_an_agent_is_back_after_a_cut_and_loses_no_record() {
    let collector = Collector::start("").await;
    let network = Network::over(Path::GOOD).await;
    let mut agent = Agent::enrolled(&collector, "normal", Some(&network)).await;
    agent.configure("interval = \"1s\"");
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    network.turn(LOSSY);
    check_return_after_a_cut(&collector, &network, &agent).await;
    network.turn(Path::GOOD);
    let kept = || async { collector.facts("rollup").first().cloned() };
    let rollup = eventually("what was read meanwhile is there", BACK, kept).await;
    assert!(rollup.to_string().contains("memory_available_bytes"), "{rollup}");
    assert!(!agent.log().contains("records were lost"), "{}", agent.log());
    collector.host_is(&agent.host, "up", s(30)).await;
}

#[tokio::test]
async fn where_large_packets_vanish_an_agent_enrols_and_is_back_when_its_collector_is() {
    let mut collector = Collector::start("").await;
    let network = Network::over(NARROW).await;
    let mut agent = Agent::new(Some(&network));
    enrol(&mut agent, &collector, &network.outside(collector.grpc)).await;
    agent.run();
    collector.host_is(&agent.host, "up", BACK).await;
    let before = sessions(&agent);
    collector.kill().await;
    collector.run().await;
    eventually("it is back", BACK, || async { (sessions(&agent) > before).then_some(()) }).await;
    collector.host_is(&agent.host, "up", s(30)).await;
}

#[tokio::test]
async fn a_path_that_becomes_narrow_under_a_session_costs_that_session_alone() {
    let collector = Collector::start("").await;
    let network = Network::over(Path::GOOD).await;
    let agent = Agent::up_in(&network, &collector, "normal").await;
    network.turn(NARROW);
    check_return_after_a_cut(&collector, &network, &agent).await;
}

#[tokio::test]
async fn a_machine_that_speaks_ipv6_alone_enrols_by_address_and_by_name_and_is_back_after_a_cut() {
    let collector = on_six("").await;
    let network = Network::of_six_alone().await;
    let address = network.outside(collector.grpc);
    network.name(&format!("{} collector.test\n", address.split(['[', ']']).nth(1).expect("an address in brackets")));
    for known_as in [address.clone(), format!("collector.test:{}", collector.grpc)] {
        let mut agent = Agent::new(Some(&network));
        agent.configure(&format!("[collector]\naddresses = [\"{known_as}\"]\n"));
        enrol(&mut agent, &collector, &known_as).await;
        agent.run();
        collector.host_is(&agent.host, "up", s(20)).await;
        check_return_after_a_cut(&collector, &network, &agent).await;
        let doctor = run(&mut agent.command_on_machine("doctor")).await;
        assert!(
            doctor.out.contains(&known_as) && doctor.out.contains("is the one this host trusts"),
            "{}",
            doctor.all()
        );
    }
}

/// As in networks whose IPv6 ends at the next router.
#[tokio::test]
async fn a_name_whose_address_of_ipv6_answers_nothing_is_reached_by_the_other_one() {
    let collector = Collector::start("").await;
    let network = Network::make().await;
    network.dead_six("2001:db8::2").await;
    let here = network.outside(collector.grpc);
    let four = here.split(':').next().expect("an address of IPv4");
    network.name(&format!("2001:db8::9 collector.test\n{four} collector.test\n"));
    let known_as = format!("collector.test:{}", collector.grpc);
    let mut agent = Agent::new(Some(&network));
    agent.configure(&format!("[collector]\naddresses = [\"{known_as}\"]\n"));
    enrol(&mut agent, &collector, &known_as).await;
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    check_return_after_a_cut(&collector, &network, &agent).await;
}

#[tokio::test]
async fn a_name_that_was_gone_when_its_collector_came_back_is_asked_for_again_and_again() {
    let mut collector = Collector::start("").await;
    let network = Network::make().await;
    let here = network.outside(collector.grpc);
    let known = format!("{} collector.test\n", here.split(':').next().expect("an address of IPv4"));
    network.name(&known);
    let known_as = format!("collector.test:{}", collector.grpc);
    let mut agent = Agent::new(Some(&network));
    agent.configure(&format!("[collector]\naddresses = [\"{known_as}\"]\n"));
    enrol(&mut agent, &collector, &known_as).await;
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;

    network.name("127.0.0.1 localhost\n");
    collector.kill().await;
    collector.run().await;
    let told = || async { agent.log().contains(&format!("{known_as}: cannot be reached")).then_some(()) };
    eventually("it says that the name is gone", s(30), told).await;
    network.name(&known);
    eventually("it is back", BACK, || async { (sessions(&agent) == 2).then_some(()) }).await;
    collector.host_is(&agent.host, "up", s(30)).await;
}

//! A collector behind a balancer of connections on port 443. Needs root and haproxy.

use muster_tests::balancer::Balancer;
use muster_tests::network::Network;
use muster_tests::process::run;
use muster_tests::{Agent, Collector, eventually};
use rustix::process::Signal;

use crate::s;

#[tokio::test]
async fn behind_a_balancer_on_443_machines_enrol_stream_go_down_each_for_itself_and_come_back_by_themselves() {
    let collector = Collector::start("").await;
    let network = Network::make().await;
    let mut balancer = Balancer::start(&network.outside(443), &[collector.grpc]).await;
    let mut agents = [Agent::new(Some(&network)), Agent::new(Some(&network))];
    for agent in &mut agents {
        let said = agent.enrol(&balancer.address, &collector.token("fast").await).await;
        assert_eq!(said.code, 0, "{}\n{}", said.all(), collector.log());
        agent.host = said.out.split("(host ").nth(1).and_then(|rest| rest.split(')').next()).expect("its id").into();
        agent.run();
        collector.host_is(&agent.host, "up", s(20)).await;
    }
    let [one, other] = &agents;
    let doctor = run(&mut one.command_on_machine("doctor")).await;
    assert!(
        doctor.out.contains(&balancer.address) && doctor.out.contains("is the one this host trusts"),
        "{}",
        doctor.all()
    );

    // All are at the balancer's address, which answers for none of them.
    one.process().signal(Signal::STOP);
    collector.host_is(&one.host, "down", s(20)).await;
    collector.host_is(&other.host, "up", s(5)).await;
    one.process().signal(Signal::CONT);
    collector.host_is(&one.host, "up", s(60)).await;

    let sessions = || one.log().matches("the collector listens generation").count();
    let before = sessions();
    balancer.kill().await;
    let told = || async { one.log().contains("cannot be reached").then_some(()) };
    eventually("it says that nobody is there", s(30), told).await;
    balancer.run().await;
    for agent in &agents {
        collector.host_is(&agent.host, "up", s(60)).await;
    }
    eventually("it has another session", s(60), || async { (sessions() > before).then_some(()) }).await;
    let hosts = collector.get("/api/v1/hosts").await.json();
    assert_eq!(hosts["items"].as_array().map(Vec::len), Some(2), "nobody enrolled anew: {hosts}");
}

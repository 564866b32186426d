//! The ledger tells the truth once all who were away have said what they did. Needs root.

use muster_agent::clock::now;
use muster_tests::collector::Entry;
use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};
use serde_json::{Value, json};

use crate::s;

const AGREEMENT: &str = "[[agreement]]\nname = \"all hosts\"\ntarget = 99.9\nhosts = [\"*\"]\nperiod = \"day\"\n";
/// Hosts behind one cable.
const HOSTS: usize = 10;
/// Between two signs of life at the normal level, five seconds and what a busy machine adds.
const BEAT_MS: i64 = 7_000;
/// Between two entries of an alive log while nobody listens.
const LOG_MS: i64 = 10_000;

/// Hosts in networks of their own whose cables end at one trunk.
struct Fleet {
    collector: Collector,
    trunk: Network,
    agents: Vec<Agent>,
    // Held until the end: each goes with its network.
    _networks: Vec<Network>,
}

impl Fleet {
    async fn up() -> Self {
        let collector = Collector::start(AGREEMENT).await;
        let trunk = Network::make().await;
        let (mut networks, mut agents) = (Vec::new(), Vec::new());
        for _ in 0..HOSTS {
            let network = Network::behind(&trunk).await;
            let mut agent = Agent::enrolled(&collector, "normal", Some(&network)).await;
            agent.run();
            agents.push(agent);
            networks.push(network);
        }
        let fleet = Self { collector, trunk, agents, _networks: networks };
        fleet.all_are("up", 60).await;
        fleet
    }

    async fn all_are(&self, state: &str, within_s: u64) {
        let all = || async {
            let hosts = self.collector.hosts().await;
            hosts.iter().all(|host| host["state"] == state).then_some(())
        };
        eventually(&format!("all are {state}"), s(within_s), all).await;
    }

    /// Cuts all of them off at the same moment.
    async fn cut(&self) {
        self.trunk.cut().await;
        self.all_are("unreachable", 30).await;
        // Their own logs are written each ten seconds while nobody listens.
        pass(s(12)).await;
    }

    async fn heal(&self) {
        self.trunk.heal().await;
        self.all_are("up", 90).await;
    }

    /// What the agreement says of a host.
    async fn subject(&self, agent: &Agent) -> Value {
        subject(&self.collector, &agent.name).await
    }
}

async fn subject(collector: &Collector, name: &str) -> Value {
    let report = collector.cli(&["--json", "sla", "report", "--agreement", "all hosts"]).await;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let subjects = report["subjects"].as_array().expect("subjects");
    let found = subjects.iter().find(|subject| subject["subject"] == name);
    found.unwrap_or_else(|| panic!("{name} in {report:#}")).clone()
}

fn ms(subject: &Value, bucket: &str) -> i64 {
    subject[bucket].as_i64().unwrap_or_else(|| panic!("{bucket} in {subject:#}"))
}

fn of<'a>(ledger: &'a [Entry], state: &str) -> Vec<&'a Entry> {
    ledger.iter().filter(|entry| entry.state == state).collect()
}

fn now_ms() -> i64 {
    now().wall_ms
}

#[tokio::test]
async fn of_ten_hosts_that_were_cut_off_none_was_down_but_the_one_that_was_rebooted_behind_the_cut() {
    let mut fleet = Fleet::up().await;
    let cut_ms = now_ms();
    fleet.cut().await;
    let healed_ms = now_ms();
    fleet.heal().await;
    let back_ms = now_ms();
    for agent in &fleet.agents {
        let subject = fleet.subject(agent).await;
        assert_eq!(subject["availability_ratio"], json!(1.0), "{subject:#}");
        assert_eq!((ms(&subject, "down_ms"), ms(&subject, "unknown_ms")), (0, 0), "{subject:#}");
        let ledger = fleet.collector.ledger(&agent.host);
        let [away] = &of(&ledger, "unreachable")[..] else { panic!("one span: {ledger:#?}") };
        // From its last sign of life, which is a beat old at most, until it was heard again.
        assert!((cut_ms - BEAT_MS..=cut_ms + 1_000).contains(&away.from_ms), "cut at {cut_ms}: {ledger:#?}");
        assert!((healed_ms..=back_ms).contains(&away.to_ms), "healed at {healed_ms}, back by {back_ms}: {ledger:#?}");
        assert_eq!(ms(&subject, "unreachable_ms"), away.to_ms - away.from_ms, "{subject:#}");
    }
    let of_liveness = |incident: &Value| incident["key"].as_str().is_some_and(|key| key.starts_with("liveness/"));
    let incidents: Vec<Value> = fleet.collector.incidents().await.into_iter().filter(of_liveness).collect();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0]["key"], "liveness/the collector's network/cut");

    fleet.cut().await;
    let died = now_ms();
    fleet.agents[0].kill().await;
    pass(s(4)).await;
    fleet.agents[0].boot_anew();
    let booted = now_ms();
    fleet.agents[0].run();
    pass(s(2)).await;
    fleet.heal().await;
    for (place, agent) in fleet.agents.iter().enumerate() {
        let subject = fleet.subject(agent).await;
        let ledger = fleet.collector.ledger(&agent.host);
        let down = of(&ledger, "down");
        if place > 0 {
            assert_eq!((down.len(), &subject["availability_ratio"]), (0, &json!(1.0)), "{ledger:#?}");
            continue;
        }
        // From the last word of its log before, to the first after: it is not blamed for the rest of the cut.
        assert_eq!(down.len(), 1, "{ledger:#?}");
        assert!((died - LOG_MS - 1_000..=died).contains(&down[0].from_ms), "died at {died}: {ledger:#?}");
        assert!((booted..booted + 10_000).contains(&down[0].to_ms), "booted at {booted}: {ledger:#?}");
        assert_eq!(ms(&subject, "down_ms"), down[0].to_ms - down[0].from_ms, "{subject:#}");
        assert!(down[0].evidence.contains("boot id changed"), "{ledger:#?}");
    }
}

#[tokio::test]
async fn while_the_collector_was_stopped_nothing_is_lost_and_its_bucket_holds_that_time_and_no_more() {
    let mut collector = Collector::start(AGREEMENT).await;
    let agent = Agent::up(&collector, "normal").await;
    let stopped = now_ms();
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    // Long enough that the agent waits some seconds more between two tries than the collector needs to start.
    pass(s(20)).await;
    let started = now_ms();
    collector.run().await;
    let ready = now_ms();
    collector.host_is(&agent.host, "up", s(70)).await;

    let subject = subject(&collector, &agent.name).await;
    let away = ms(&subject, "collector_down_ms");
    // That it runs is noted each five seconds.
    assert!((started - stopped - 1_000..=ready - stopped + 5_500).contains(&away), "{away} ms: {subject:#}");
    for bucket in ["down_ms", "unknown_ms", "unreachable_ms"] {
        assert_eq!(ms(&subject, bucket), 0, "{bucket}: {subject:#}");
    }
    assert_eq!(subject["availability_ratio"], json!(1.0), "{subject:#}");
    let ledger = collector.ledger(&agent.host);
    let proven = ledger.iter().filter(|entry| entry.state == "up" && entry.cause.contains("alive_log")).count();
    assert_eq!(proven, 1, "until it came back its own log is the proof: {ledger:#?}");
}

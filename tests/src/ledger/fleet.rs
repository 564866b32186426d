//! Real agents behind one trunk, and what was done to each.

use std::time::Duration;

use muster_agent::clock::now;
use muster_tests::network::Network;
use muster_tests::{Agent, Collector, eventually};

/// Longer than anything takes that ends at all.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const AGREEMENT: &str = "every host";

/// What a machine was, by the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    /// Off: it was booted anew afterwards.
    Off,
    /// There, without its agent.
    WithoutAgent,
}

/// A machine.
pub(crate) struct Machine {
    pub(crate) number: usize,
    pub(crate) watch: &'static str,
    pub(crate) agent: Agent,
    pub(crate) network: Network,
    /// What it was other than running, from when to when, in milliseconds of wall time.
    pub(crate) past: Vec<(Was, i64, i64)>,
    /// How often its own network was cut.
    pub(crate) cuts: usize,
}

impl Machine {
    /// Its power is gone.
    pub(crate) async fn crash(&mut self) {
        self.past.push((Was::Off, now().wall_ms, i64::MAX));
        self.agent.kill().await;
    }

    /// It is switched on again.
    pub(crate) fn boot(&mut self) {
        self.agent.boot_anew();
        self.start();
    }

    /// Its agent is killed, or asked to stop.
    pub(crate) async fn lose_agent(&mut self, kindly: bool) {
        self.past.push((Was::WithoutAgent, now().wall_ms, i64::MAX));
        if kindly {
            self.agent.stop().await;
        } else {
            self.agent.kill().await;
        }
    }

    /// Its agent is started.
    pub(crate) fn start(&mut self) {
        self.agent.run();
        if let Some(last) = self.past.last_mut() {
            last.2 = now().wall_ms;
        }
    }
}

/// The collector and its machines.
pub(crate) struct Fleet {
    pub(crate) collector: Collector,
    pub(crate) trunk: Network,
    pub(crate) hosts: Vec<Machine>,
}

impl Fleet {
    pub(crate) async fn start(hosts: usize) -> Self {
        let tables =
            format!("[[agreement]]\nname = \"{AGREEMENT}\"\ntarget = 99.9\nhosts = [\"*\"]\nperiod = \"year\"\n");
        let collector = Collector::start(&tables).await;
        let trunk = Network::make().await;
        let mut fleet = Self { collector, trunk, hosts: Vec::new() };
        for number in 0..hosts {
            let network = Network::behind(&fleet.trunk).await;
            let watch = if number % 3 == 2 { "fast" } else { "normal" };
            let mut agent = Agent::enrolled(&fleet.collector, watch, Some(&network)).await;
            agent.run();
            fleet.hosts.push(Machine { number, watch, agent, network, past: Vec::new(), cuts: 0 });
        }
        fleet.all_are("up", HOUR).await;
        fleet
    }

    /// Waits until all are in a state.
    pub(crate) async fn all_are(&self, state: &str, within: Duration) {
        let wanted = self.hosts.len();
        let all = || async {
            let there = self.collector.hosts().await;
            (there.iter().filter(|host| host["state"] == state).count() == wanted).then_some(())
        };
        eventually(&format!("all are {state}"), within, all).await;
    }
}

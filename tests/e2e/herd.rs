//! A thousand agents whose collector vanishes and comes back.

use std::time::Duration;

use muster_tests::measure::fleet;
use muster_tests::{Collector, eventually};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::s;

const AGENTS: usize = 1_000;
/// How finely arrivals are counted.
const SLOT: Duration = Duration::from_millis(250);

/// Stands in for the collector for a while: lets nobody in and counts who comes when.
async fn arrivals(port: u16, time: Duration) -> Vec<usize> {
    let bound = || async { TcpListener::bind(("0.0.0.0", port)).await.ok() };
    let door = eventually("the collector's port is free", s(10), bound).await;
    let (began, mut slots) = (Instant::now(), Vec::new());
    while let Ok(Ok((visitor, _))) = tokio::time::timeout_at(began + time, door.accept()).await {
        let slot = (began.elapsed().as_millis() / SLOT.as_millis()) as usize;
        slots.resize(slots.len().max(slot + 1), 0);
        slots[slot] += 1;
        drop(visitor);
    }
    slots
}

async fn all_are_here(collector: &Collector) {
    let all = || async { (collector.metric("muster_sessions").await? as usize == AGENTS).then_some(()) };
    eventually("all agents are here", s(150), all).await;
}

#[tokio::test]
async fn a_thousand_agents_come_back_spread_out_and_all_of_them() {
    let mut collector = Collector::start("").await;
    // A thousand states on one disk would wait for it to sync, which no fleet does.
    let home = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is there on every Debian");
    // A token is good for 500 hosts at most.
    let arguments = ["token", "create", "--kind", "batch", "--uses", "500", "--class", "server", "--watch", "normal"];
    let tokens = collector.cli(&arguments).await + " " + &collector.cli(&arguments).await;
    let port = collector.grpc;
    fleet::enrol_many(home.path(), AGENTS, port, &tokens).await.expect("all are enrolled");
    let story = async {
        all_are_here(&collector).await;
        collector.kill().await;
        let slots = arrivals(port, s(6)).await;
        let (tries, most) = (slots.iter().sum::<usize>(), slots.iter().copied().max().unwrap_or(0));
        assert!(tries >= AGENTS, "each tries again soon: {slots:?}");
        // Each is turned away at the door and tries again within a second, then within two, four, ...
        assert!(most <= AGENTS / 2, "no {SLOT:?} sees more than half of them: {slots:?}");
        let last: usize = slots.iter().rev().skip(1).take(4).sum();
        assert!(last <= AGENTS / 2, "after six seconds of it a second sees half of them at most: {slots:?}");
        collector.run().await;
        all_are_here(&collector).await;
    };
    fleet::run_many(home.path(), AGENTS, port, story).await.expect("simulated hosts");
}

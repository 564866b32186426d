//! The ledger against a script: agents cut off, killed, stopped and rebooted while the collector is killed (SIGKILL)
//!
//! `ledger [--minutes 10] [--hosts 12] [--seed N] [--no-opening]`
//!
//! Real agents in networks of their own, a third of them at the fast level, the others at the normal one. It opens with
//! what a contract is read for: all cut off at once for two minutes, the same with one of them rebooted meanwhile, the
//! collector stopped for a minute. Then for so many minutes each host has troubles of its own (its network cut, its agent
//! killed, its agent stopped, a reboot behind a cut), all are cut off at once now and then, and the collector is killed at
//! random moments and started again at once or some seconds later.
//!
//! When all are back and have said what they did, each ledger is laid beside the script. Three sums contradict it: time that
//! is down although the machine ran, time that is up (or cut off) although it was rebooting, and time that is unknown
//! although its agent ran. Each must stay below one beat a change: 10 s, the beat of an alive log, for a machine's end
//! behind a cut is known from nothing else. No time may be told twice or not at all; the buckets of the agreement's report
//! must add up to its window and be those of the ledger. While the agent alone is gone a machine is what the collector sees
//! of it: up where it answers, down where it does not; such time is shown and not judged. Needs root.

#[path = "../ledger/deeds.rs"]
mod deeds;
#[path = "../ledger/fleet.rs"]
mod fleet;
#[path = "../ledger/verdict.rs"]
mod verdict;

use std::time::Duration;

use anyhow::{Result, ensure};
use muster_agent::clock::now;
use muster_tests::Collector;
use muster_tests::measure::figures::{flag, progress, say};
use muster_tests::measure::random::Random;
use muster_tests::measure::{ground, meter};
use muster_tests::network::Network;
use muster_tests::wait::pass;
use tokio::task::LocalSet;

use fleet::{Fleet, HOUR};
use verdict::Promise;

/// The cut and the stop that the issue names.
const TWO_MINUTES: Duration = Duration::from_secs(120);
const ONE_MINUTE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(measure()))
}

async fn measure() -> Result<()> {
    let (minutes, hosts): (u64, usize) = (flag("--minutes", 10), flag("--hosts", 12));
    let seed: u64 = flag("--seed", now().boottime_ms);
    ensure!((3..=60).contains(&hosts), "--hosts {hosts}: from 3, which is what a cut takes, to 60");
    say(&format!("seed {seed}"));
    let mut fleet = Fleet::start(hosts).await;
    progress(&format!("{hosts} hosts are here"));
    let opens = !std::env::args().any(|argument| argument == "--no-opening");
    let mut good = true;
    if opens {
        good &= opening(&mut fleet).await?;
    }
    let until_ms = now().boottime_ms + minutes * 60_000;
    let mut deeds = deeds::begin(std::mem::take(&mut fleet.hosts), seed, until_ms);
    let Fleet { collector, trunk, .. } = &mut fleet;
    let ((kills, away_ms), cuts) =
        tokio::join!(kill(collector, seed, until_ms), cut_all(trunk, seed.wrapping_add(1), until_ms));
    while let Some(host) = deeds.join_next().await {
        fleet.hosts.push(host?);
    }
    fleet.hosts.sort_by_key(|host| host.number);
    progress("all troubles are over");
    fleet.all_are("up", HOUR).await;
    // Beats enough that what is up is written as it was.
    pass(Duration::from_secs(15)).await;
    say(&format!(
        "{minutes} minutes: the collector was killed {kills} times and away for {} s in all; {cuts} cuts of all at once",
        away_ms / 1_000
    ));
    good &= verdict::report(&fleet).await?;
    say(&format!("load average at the end {}", meter::load_average()));
    ensure!(good, "a ledger contradicts the script");
    Ok(())
}

/// What the issue names, one after the other.
async fn opening(fleet: &mut Fleet) -> Result<bool> {
    fleet.trunk.cut().await;
    pass(TWO_MINUTES).await;
    fleet.trunk.heal().await;
    fleet.all_are("up", HOUR).await;
    let cut = Promise { rebooted: 0, incidents: Some(1), away_ms: (0, 0) };
    let mut good = verdict::opened(fleet, "all cut off for two minutes", &cut).await?;

    fleet.trunk.cut().await;
    pass(TWO_MINUTES / 3).await;
    fleet.hosts[0].crash().await;
    pass(TWO_MINUTES / 3).await;
    fleet.hosts[0].boot();
    pass(TWO_MINUTES / 3).await;
    fleet.trunk.heal().await;
    fleet.all_are("up", HOUR).await;
    let rebooted = Promise { rebooted: 1, incidents: Some(2), ..cut };
    good &= verdict::opened(fleet, "the same, one rebooted meanwhile", &rebooted).await?;

    let stopped_ms = now().wall_ms;
    fleet.collector.stop().await;
    pass(ONE_MINUTE).await;
    fleet.collector.run().await;
    // That it runs is noted each five seconds. An agent that tries again so late that it is missed is an incident of its own.
    let away_ms = (60_000, now().wall_ms - stopped_ms + 5_500);
    fleet.all_are("up", HOUR).await;
    good &=
        verdict::opened(fleet, "the collector stopped for a minute", &Promise { away_ms, incidents: None, ..rebooted })
            .await?;
    Ok(good)
}

/// Kills the collector again and again; returns how often, and for how long it was away in milliseconds.
async fn kill(collector: &mut Collector, seed: u64, until_ms: u64) -> (u64, u64) {
    let mut random = Random::of(seed);
    let (mut kills, mut away_ms) = (0, 0);
    loop {
        pass(Duration::from_millis(5_000 + random.below(40_000))).await;
        if now().boottime_ms >= until_ms {
            return (kills, away_ms);
        }
        let from_ms = now().boottime_ms;
        collector.kill().await;
        if random.below(2) == 0 {
            pass(Duration::from_millis(random.below(20_000))).await;
        }
        collector.run().await;
        kills += 1;
        away_ms += now().boottime_ms - from_ms;
    }
}

/// Cuts all off at once now and then; returns how often.
async fn cut_all(trunk: &Network, seed: u64, until_ms: u64) -> u64 {
    let mut random = Random::of(seed);
    let mut cuts = 0;
    loop {
        pass(Duration::from_millis(30_000 + random.below(90_000))).await;
        if now().boottime_ms >= until_ms {
            return cuts;
        }
        trunk.cut().await;
        pass(Duration::from_millis(2_000 + random.below(45_000))).await;
        trunk.heal().await;
        cuts += 1;
    }
}

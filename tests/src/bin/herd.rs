//! A thousand agents whose collector vanishes and comes back: how soon all are there, and what that costs
//!
//! `herd [--hosts 1000] [--series 300] [--away MINUTES] [--record 30]`: away for a third of a minute unless told otherwise;
//! `--away 30` is the half hour after which every agent waits up to a minute between two tries, and takes 40 minutes
//!
//! The agents are simulated in one other process (`muster_tests::measure::fleet`), each with its key, its spool and its
//! connection, through the agent's real uplink. The collector is the released program: it is killed (SIGKILL), is away
//! for so long, during which every agent tries again and again and keeps what it reads, and is started anew on the same
//! state. It is looked at twice a second, which is part of what it costs. The run fails if an agent stays away, if a handshake
//! fails or if anybody is paged.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say};
use muster_tests::measure::fleet::{self, Fleet};
use muster_tests::measure::{ground, meter, sink};
use muster_tests::wait::{eventually, pass};
use muster_tests::{Collector, http};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// All are back within this, or never: the longest wait between two tries is a minute.
const BACK_WITHIN_S: f64 = 180.0;
/// Between two words on how long it is away.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// After a change, before anything is measured.
const SETTLE: Duration = Duration::from_secs(20);
/// What is paged is paged within this: a host that is missed is paged 30 s after it is seen to be.
const PAGED_WITHIN: Duration = Duration::from_secs(75);
/// Outcomes of a handshake that failed; those that were turned away at the door come again later, as they are meant to.
const FAILED: [&str; 3] = ["failed", "timed_out", "accept_error"];

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(fleet::ROLE) {
        return fleet::serve();
    }
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

/// The collector at one moment after it came back.
struct Look {
    /// Seconds since it was started.
    at: f64,
    cpu: f64,
    sessions: f64,
    /// Handshakes by outcome.
    handshakes: BTreeMap<String, f64>,
}

impl Look {
    fn all(&self) -> f64 {
        self.handshakes.values().sum()
    }

    fn failed(&self) -> f64 {
        self.handshakes.iter().filter(|(outcome, _)| FAILED.contains(&outcome.as_str())).map(|(_, count)| count).sum()
    }
}

async fn measure() -> Result<()> {
    let (hosts, away): (usize, Duration) =
        (flag("--hosts", 1_000), Duration::from_secs_f64(60.0 * flag::<f64>("--away", 1.0 / 3.0)));
    let (url, mut pages) = sink::start();
    let receiver = format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\n");
    let mut collector = Collector::start(&receiver).await;
    let home = tempfile::TempDir::new_in(ground::shared_memory())?;
    ground::write_tokens(&collector, hosts, home.path()).await?;
    let mut fleet = Fleet::start(hosts, flag("--series", 300), flag("--record", 30), collector.grpc, home.path())?;
    fleet.wait("enrolled", Duration::from_secs(120 + hosts as u64 / 5)).await?;
    fleet.order("connect").await?;
    all_are_here(&collector, hosts).await;
    fleet.order("reports").await?;
    pass(SETTLE).await;
    progress("all are here and report");

    collector.kill().await;
    stay_away(away).await;
    let began_ns = boottime_ns();
    collector.run().await;
    let ready = seconds_since(began_ns);
    let looks = watch(&collector, began_ns, hosts as f64).await?;
    progress("all are back");
    pass(PAGED_WITHIN).await;
    let up = collector.metric_sum("muster_host_up", "").await;
    let paged = std::iter::from_fn(|| pages.try_recv().ok()).count();
    fleet.order("stop").await?;
    fleet.wait("done", Duration::from_secs(120)).await?;
    report(&looks, ready, hosts, away, paged)?;
    let failed = looks.last().map_or(0.0, Look::failed).abs();
    if paged > 0 || failed > 0.0 || up < hosts as f64 {
        bail!("{paged} pages, {failed} failed handshakes, {up} hosts up");
    }
    Ok(())
}

/// Lets the time pass and says how far it is, for it may be long.
async fn stay_away(away: Duration) {
    let mut left = away;
    while !left.is_zero() {
        let slice = left.min(SAID_EVERY);
        pass(slice).await;
        left -= slice;
        progress(&format!("the collector is away for {} of {} s", (away - left).as_secs(), away.as_secs()));
    }
}

async fn all_are_here(collector: &Collector, hosts: usize) {
    let all = || async { (collector.metric("muster_sessions").await? >= hosts as f64).then_some(()) };
    eventually("all agents are here", Duration::from_secs(60 + hosts as u64 / 10), all).await;
}

fn seconds_since(ns: u64) -> f64 {
    (boottime_ns() - ns) as f64 / 1e9
}

/// Looks until all are back.
async fn watch(collector: &Collector, began_ns: u64, hosts: f64) -> Result<Vec<Look>> {
    let mut looks: Vec<Look> = Vec::new();
    loop {
        let answer = http::get(&collector.url("/metrics")).await.context("the collector does not answer")?;
        let samples = http::samples(&answer.body);
        let handshakes = samples.iter().filter_map(|(name, count)| {
            let outcome = name.strip_prefix("muster_handshakes_total{outcome=\"")?.strip_suffix("\"}")?;
            Some((outcome.to_owned(), *count))
        });
        let look = Look {
            at: seconds_since(began_ns),
            cpu: meter::cpu_seconds(collector.process().pid()),
            sessions: samples.get("muster_sessions").copied().unwrap_or(0.0),
            handshakes: handshakes.collect(),
        };
        let (back, at) = (look.sessions, look.at);
        looks.push(look);
        if back >= hosts {
            return Ok(looks);
        }
        if at > BACK_WITHIN_S {
            bail!("only {back} of {hosts} are back after {at:.0} s");
        }
        pass(LOOK_EVERY).await;
    }
}

fn report(looks: &[Look], ready: f64, hosts: usize, away: Duration, paged: usize) -> Result<()> {
    let last = looks.last().context("nobody looked")?;
    let back_at = |share: f64| {
        let look = looks.iter().find(|look| look.sessions >= share * hosts as f64);
        look.map_or(f64::NAN, |look| look.at)
    };
    let rates = looks.windows(2).map(|pair| (pair[1].all() - pair[0].all()) / (pair[1].at - pair[0].at));
    let largest = rates.fold(0.0, f64::max);
    say(&format!("{hosts} agents; the collector was killed, away for {} s and started again", away.as_secs()));
    say(&format!("load average at the end {}", meter::load_average()));
    say("");
    let mut table = Table::new(&["figure", "measured", "goal", "of the goal"]);
    table.against("from its start until it is ready", ready, "s", None);
    table.against("until half of them are back", back_at(0.5), "s", None);
    table.against("until 99 % are back", back_at(0.99), "s", None);
    table.against("until all are back (a wait is a minute at most)", last.at, "s", Some(70.0));
    table.against("largest rate of handshakes, over half a second", largest, "/s", Some(1_000.0));
    table.against("  the same, of the mean until all are back", largest / (last.all() / last.at), "times", None);
    table.against("handshakes", last.all(), "", None);
    table.against("CPU of the collector until then, its start in", last.cpu, "s", None);
    table.against("  per agent", last.cpu / hosts as f64 * 1e3, "ms", None);
    table.print();
    say("");
    say(&format!("failed handshakes {} (goal 0), pages sent {paged} (goal 0)", last.failed().abs()));
    for (outcome, count) in &last.handshakes {
        say(&format!("  handshakes: {outcome} {count}"));
    }
    Ok(())
}

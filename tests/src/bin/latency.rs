//! From a death to the page: kills of simulated and of real agents, and silent cuts, at the fast level
//!
//! `latency [--simulated 300] [--real 30] [--cuts 30] [--hosts 20]`
//!
//! Time runs from just before the kill (or the order to drop packets) to the moment when the webhook, in this process,
//! has read the head of the POST. Beside it stand what nobody can go below: one bare POST to the same webhook over a
//! connection that is open, and one small file synced where the collector's records lie. Cuts need root.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, percentile, progress, say, short};
use muster_tests::measure::{fleet, sink, sink::Page};
use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, http};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// No page comes later than this; the slowest that is meant is 1.5 s.
const PAGE_WITHIN: Duration = Duration::from_secs(30);
/// A host is up again after a kill or a cut.
const UP_WITHIN: Duration = Duration::from_secs(90);
/// The word that makes the program be one simulated host.
const ROLE: &str = "agent";

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(ROLE) {
        return fleet::serve_one(&flag("--home", PathBuf::new()), flag("--number", 0), flag("--port", 0));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

/// Pages, and the floor they are compared with.
struct Desk {
    url: String,
    pages: mpsc::Receiver<Page>,
    client: reqwest::Client,
    posts: Vec<f64>,
}

async fn measure() -> Result<()> {
    let (url, pages) = sink::start();
    // The same hosts die again and again.
    let each = "[incidents]\nflap_detection = false\n";
    let receiver = format!("{each}[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\n");
    let collector = Collector::start(&receiver).await;
    let mut desk = Desk { url, pages, client: http::client(), posts: Vec::new() };
    let simulated = simulated_kills(&collector, &mut desk, flag("--simulated", 300), flag("--hosts", 20)).await?;
    let real = real_kills(&collector, &mut desk, flag("--real", 30)).await?;
    let cuts = silent_cuts(&collector, &mut desk, flag("--cuts", 30)).await?;
    let syncs = synced_writes(collector.home())?;

    say("fast level; milliseconds");
    say("");
    let mut table = Table::new(&["from", "n", "p50", "p90", "p99", "max", "goal"]);
    let mut row = |what: &str, values: &[f64], goal: &str| {
        let of = |share| short(percentile(values, share));
        table.row([what.to_owned(), values.len().to_string(), of(0.5), of(0.9), of(0.99), of(1.0), goal.to_owned()]);
    };
    row("kill -9 of a simulated agent's process -> page", &simulated, "p50 20, p99 100");
    row("kill -9 of the real agent -> page", &real, "p50 20, p99 100");
    row("silent cut (all packets dropped) -> page", &cuts, "max 1500");
    row("floor: one bare POST over loopback", &desk.posts, "-");
    row("floor: one 4 KiB write, synced, beside the store", &syncs, "-");
    table.print();
    let over = percentile(&simulated, 0.5) / percentile(&desk.posts, 0.5);
    say(&format!("\na page takes {} times a bare POST (p50)", short(over)));
    Ok(())
}

/// Kills hosts in turn, each a process of its own, while the others stand.
async fn simulated_kills(collector: &Collector, desk: &mut Desk, kills: usize, hosts: usize) -> Result<Vec<f64>> {
    let hosts = hosts.min(kills);
    let home = tempfile::tempdir()?;
    let mut running = Vec::new();
    for number in 0..hosts {
        let token = collector.token("fast").await;
        let name = fleet::enrol_single(home.path(), number, collector.grpc, &token).await?;
        running.push((name, start(home.path(), number, collector.grpc)?));
    }
    for (name, _) in &running {
        collector.host_is(name, "up", UP_WITHIN).await;
    }
    let mut times = Vec::with_capacity(kills);
    for kill in 0..kills {
        let number = kill % hosts;
        let (name, child) = &mut running[number];
        // A moment that nothing else is in step with.
        pass(Duration::from_millis(20 + boottime_ns() / 1_000 % 180)).await;
        let from_ns = boottime_ns();
        child.start_kill()?;
        times.push(desk.page(from_ns, "incident.opened", name).await?);
        child.wait().await?;
        desk.bare_post().await?;
        *child = start(home.path(), number, collector.grpc)?;
        desk.page(from_ns, "incident.resolved", name).await?;
        if (kill + 1) % 50 == 0 {
            progress(&format!("{} simulated agents killed", kill + 1));
        }
    }
    for (_, mut child) in running {
        child.kill().await?;
    }
    Ok(times)
}

async fn real_kills(collector: &Collector, desk: &mut Desk, kills: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(kills);
    if kills == 0 {
        return Ok(times);
    }
    let mut agent = Agent::up(collector, "fast").await;
    for _ in 0..kills {
        pass(Duration::from_millis(20 + boottime_ns() / 1_000 % 180)).await;
        let from_ns = boottime_ns();
        agent.process().signal(rustix::process::Signal::KILL);
        times.push(desk.page(from_ns, "incident.opened", &agent.name).await?);
        agent.kill().await;
        desk.bare_post().await?;
        agent.run();
        desk.page(from_ns, "incident.resolved", &agent.name).await?;
    }
    progress("real agents killed");
    Ok(times)
}

async fn silent_cuts(collector: &Collector, desk: &mut Desk, cuts: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(cuts);
    if cuts == 0 {
        return Ok(times);
    }
    let network = Network::make().await;
    let agent = Agent::up_in(&network, collector, "fast").await;
    for cut in 0..cuts {
        pass(Duration::from_millis(500 + boottime_ns() / 1_000 % 500)).await;
        let from_ns = boottime_ns();
        network.cut().await;
        times.push(desk.page(from_ns, "incident.opened", &agent.name).await?);
        network.heal().await;
        desk.page(from_ns, "incident.resolved", &agent.name).await?;
        if (cut + 1) % 10 == 0 {
            progress(&format!("{} cuts", cut + 1));
        }
    }
    Ok(times)
}

fn start(home: &Path, number: usize, port: u16) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ROLE).arg("--home").arg(home);
    command.args(["--number", &number.to_string(), "--port", &port.to_string()]);
    Ok(command.stdin(Stdio::null()).kill_on_drop(true).spawn()?)
}

impl Desk {
    /// Waits for a page about `host` and returns the milliseconds since `from_ns`; pages about others are passed over.
    async fn page(&mut self, from_ns: u64, kind: &str, host: &str) -> Result<f64> {
        let within = if kind == "incident.opened" { PAGE_WITHIN } else { UP_WITHIN };
        let found = async {
            while let Some(page) = self.pages.recv().await {
                if page.says(kind, host) {
                    return Ok(page.at_ns);
                }
            }
            bail!("the webhook has ended")
        };
        let at_ns = tokio::time::timeout(within, found).await.with_context(|| format!("{host}: no {kind}"))??;
        Ok((at_ns - from_ns) as f64 / 1e6)
    }

    /// Posts to the webhook as the collector does and notes how long the head took.
    async fn bare_post(&mut self) -> Result<()> {
        let body = serde_json::json!({"type": "bare", "data": {"host": "bare"}}).to_string();
        let from_ns = boottime_ns();
        let post = self.client.post(&self.url).body(body).send();
        post.await?;
        let taken = self.page(from_ns, "bare", "bare").await?;
        self.posts.push(taken);
        Ok(())
    }
}

/// What one commit costs here, at least.
fn synced_writes(home: &Path) -> Result<Vec<f64>> {
    let mut file = std::fs::File::create(home.join("synced"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let from_ns = boottime_ns();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push((boottime_ns() - from_ns) as f64 / 1e6);
    }
    Ok(times)
}

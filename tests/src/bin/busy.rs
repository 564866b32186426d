//! From an incident to the first byte at the webhook, with 10 000 hosts connected
//!
//! `busy [--hosts 10000] [--incidents 500] [--shares 4] [--series 300] [--record 30]`
//!
//! Time runs from just before an alert is posted (`POST /api/v2/alerts`, over loopback) to the moment when the webhook,
//! in this process, has read the head of the page: more than from the incident's own opening to the first byte. It is
//! taken with nobody connected, and again while the simulated hosts, in processes of their own, beat and report through
//! the agent's real uplink. Beside it stands a bare POST to the same webhook over a connection that is open.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::alerts::Alerts;
use muster_tests::measure::figures::{Table, flag, percentile, progress, say, short};
use muster_tests::measure::fleet::{self, Fleet, Share};
use muster_tests::measure::{ground, meter, sink, sink::Page};
use muster_tests::wait::{eventually, pass};
use muster_tests::{Collector, http};
use tokio::sync::mpsc;

/// No page comes later than this.
const PAGE_WITHIN: Duration = Duration::from_secs(30);
/// All have connected, and what they brought is dealt with.
const SETTLE: Duration = Duration::from_secs(60);
/// The goal, in milliseconds.
const P99: f64 = 50.0;

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(fleet::ROLE) {
        return fleet::serve();
    }
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

/// Incidents, and where their pages arrive.
struct Desk {
    alerts: Alerts,
    pages: mpsc::Receiver<Page>,
    client: reqwest::Client,
    url: String,
    raised: usize,
}

async fn measure() -> Result<()> {
    let (hosts, incidents): (usize, usize) = (flag("--hosts", 10_000), flag("--incidents", 500));
    let (url, pages) = sink::start();
    // Critical alone: what the simulated hosts may find about the machine that is their model is not measured here.
    let receiver =
        format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nseverity = \"critical\"\n");
    let collector = Collector::start(&receiver).await;
    let pid = collector.process().pid();
    let mut desk = Desk { alerts: Alerts::to(&collector).await, pages, client: http::client(), url, raised: 0 };
    let alone = desk.raise(incidents).await?;
    let bare_alone = desk.bare(incidents).await?;

    let home = tempfile::TempDir::new_in(ground::shared_memory())?;
    let mut fleets = enrol(&collector, hosts, home.path()).await?;
    for fleet in &mut fleets {
        fleet.order("connect").await?;
    }
    let all = || async { (collector.metric("muster_sessions").await? >= hosts as f64).then_some(()) };
    eventually("all hosts are connected", Duration::from_secs(120 + hosts as u64 / 20), all).await;
    for fleet in &mut fleets {
        fleet.order("reports").await?;
    }
    pass(SETTLE).await;
    progress("all are connected and report");
    let (from_ns, cpu, reports) = (boottime_ns(), meter::cpu_seconds(pid), reports(&collector).await?);
    let among = desk.raise(incidents).await?;
    let seconds = (boottime_ns() - from_ns) as f64 / 1e9;
    let rate = (reports_since(&collector, reports).await?) / seconds;
    let share = (meter::cpu_seconds(pid) - cpu) / seconds * 100.0;
    let bare_among = desk.bare(incidents).await?;
    let sessions = collector.metric("muster_sessions").await.context("the collector is silent")?;

    say(&format!(
        "{sessions} hosts connected in {} processes; {} reports a second, {} % of a core for the collector meanwhile; load \
         average at the end {}",
        fleets.len(),
        short(rate),
        short(share),
        meter::load_average()
    ));
    say("milliseconds");
    say("");
    let mut table =
        Table::new(&["from an alert posted to the head of its page read", "n", "p50", "p90", "p99", "max", "goal"]);
    let mut row = |what: &str, values: &[f64], goal: &str| {
        let of = |share| short(percentile(values, share));
        table.row([what.to_owned(), values.len().to_string(), of(0.5), of(0.9), of(0.99), of(1.0), goal.to_owned()]);
    };
    row("nobody connected", &alone, "-");
    row("all connected", &among, "p99 50");
    row("floor: one bare POST, nobody connected", &bare_alone, "-");
    row("floor: one bare POST, all connected", &bare_among, "-");
    table.print();
    ensure!(sessions >= hosts as f64, "only {sessions} hosts are still connected");
    ensure!(percentile(&among, 0.99) <= P99, "the goal is missed");
    Ok(())
}

/// Processes of simulated hosts, enrolled one after the other: a machine may enrol 50 a second.
async fn enrol(collector: &Collector, hosts: usize, home: &std::path::Path) -> Result<Vec<Fleet>> {
    ground::write_tokens(collector, hosts, home).await?;
    let shares: usize = flag("--shares", 4);
    let mut fleets = Vec::new();
    for share in 0..shares {
        let (first, next) = (hosts * share / shares, hosts * (share + 1) / shares);
        let (series, record) = (flag("--series", 300), flag("--record", 30));
        let share = Share { first, hosts: next - first, series, record, network: None };
        let mut fleet = Fleet::start_share(&share, collector.grpc, home)?;
        fleet.wait("enrolled", Duration::from_secs(120 + hosts as u64 / 5)).await?;
        progress(&format!("{next} hosts are enrolled"));
        fleets.push(fleet);
    }
    Ok(fleets)
}

async fn reports(collector: &Collector) -> Result<f64> {
    collector.metric("muster_reports_received_total").await.context("the collector is silent")
}

async fn reports_since(collector: &Collector, before: f64) -> Result<f64> {
    Ok(reports(collector).await? - before)
}

impl Desk {
    /// Raises incidents one by one and returns the milliseconds until each was told.
    async fn raise(&mut self, incidents: usize) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(incidents);
        for _ in 0..incidents {
            // A moment that nothing else is in step with.
            pass(Duration::from_millis(20 + boottime_ns() / 1_000 % 180)).await;
            self.raised += 1;
            let name = format!("Busy{}", self.raised);
            let from_ns = boottime_ns();
            self.alerts.fire(std::slice::from_ref(&name), "critical").await?;
            times.push(self.told("incident.opened", &name, from_ns).await?);
            self.alerts.end(&name, "critical").await?;
            self.told("incident.resolved", &name, from_ns).await?;
        }
        Ok(times)
    }

    async fn bare(&mut self, posts: usize) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(posts);
        for _ in 0..posts {
            pass(Duration::from_millis(20)).await;
            let body = serde_json::json!({"type": "bare", "data": {"component": "bare"}}).to_string();
            let from_ns = boottime_ns();
            self.client.post(&self.url).body(body).send().await?;
            times.push(self.told("bare", "bare", from_ns).await?);
        }
        Ok(times)
    }

    async fn told(&mut self, kind: &str, name: &str, from_ns: u64) -> Result<f64> {
        let found = async {
            while let Some(page) = self.pages.recv().await {
                if page.body["type"] == kind && page.body["data"]["component"] == name {
                    return Ok(page.at_ns);
                }
            }
            bail!("the webhook has ended")
        };
        let at_ns = tokio::time::timeout(PAGE_WITHIN, found).await.with_context(|| format!("{name}: no {kind}"))??;
        Ok((at_ns - from_ns) as f64 / 1e6)
    }
}

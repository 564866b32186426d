//! What the agent costs its machine, beside node_exporter and collectd in the same minutes
//!
//! `cost [--seconds 180]`
//!
//! The released agent and Debian's node_exporter, each twice: at 15 s and at 1 s; Debian's collectd, where it is
//! installed, at 15 s. node_exporter is scraped with gzip, as Prometheus does; collectd sends to a UDP socket of ours. CPU
//! is that of all threads to the nanosecond and of all children, bytes are TCP payload. Absolute figures move with what
//! else the machine does; the ratios are what counts. Each is the mean of the whole window, which holds the passes over
//! processes and units once a minute, and the median of its slices of 15 s, most of which hold none. A third agent that
//! reports every five minutes shows what a beat costs. The floor reads the same kernel texts in the same minutes and does
//! nothing else. System calls are counted afterwards, because counting them slows them down.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::collectd::Collectd;
use muster_tests::measure::figures::{Table, flag, say, short};
use muster_tests::measure::floor::{self, Spent};
use muster_tests::measure::meter::{self, Memory};
use muster_tests::process::{Process, free_port, installed};
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, http};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Before anything is measured: what is read once has been read, and the first inventory, which is taken within a minute of the
/// start and then once an hour, is told. What one costs is measured by itself (`tests/long inventory`).
const SETTLE: Duration = Duration::from_secs(110);
/// Nothing but what is shipped: the harness switches off what a story does not name.
const AS_SHIPPED: &str = "[collect]\n[inventory]\n";
/// A slice of the window: one collection, or fifteen.
const SLICE: Duration = Duration::from_secs(15);
/// Between two messages at the normal level.
const BEAT: Duration = Duration::from_secs(5);
/// Reports so seldom that beats are all that is seen of it in most slices.
const SELDOM: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure())
}

/// Where the agent that only beats is among the subjects.
const BEATS: usize = 4;

/// One program at one interval.
struct Subject {
    what: String,
    pid: i32,
    every: Duration,
    kind: Kind,
}

enum Kind {
    Agent(Agent),
    Exporter(Exporter),
    Collectd(Collectd),
}

/// A node_exporter and whoever scrapes it.
struct Exporter {
    port: u16,
    scraper: JoinHandle<()>,
    _process: Process,
    _home: TempDir,
}

/// What a subject had used up at one moment.
struct Used {
    cpu: f64,
    bytes: f64,
    written: f64,
}

/// What it cost.
struct Cost {
    collections: f64,
    cpu_ms: f64,
    bytes: f64,
    /// Medians of the slices.
    median_cpu_ms: f64,
    median_bytes: f64,
    memory: Memory,
    threads: usize,
    children: usize,
    written: f64,
    /// Per collection, where strace is there to count them; and processes made.
    system_calls: Option<(f64, f64)>,
}

async fn measure() -> Result<()> {
    let seconds: u64 = flag("--seconds", 180);
    let collector = Collector::start("").await;
    let (every_15, every_1) = (Duration::from_secs(15), Duration::from_secs(1));
    let mut subjects = vec![
        Subject::agent(&collector, every_15).await,
        Subject::exporter(every_15).await,
        Subject::agent(&collector, every_1).await,
        Subject::exporter(every_1).await,
        Subject::agent(&collector, SELDOM).await,
    ];
    subjects.extend(Collectd::start(every_15).map(|collectd| Subject {
        what: "collectd at 15 s".to_owned(),
        pid: collectd.pid(),
        every: every_15,
        kind: Kind::Collectd(collectd),
    }));
    let floors = [floor::start(every_15)?, floor::start(every_1)?];
    pass(SETTLE).await;
    let port = collector.grpc;
    let mut slices = vec![sample(&subjects, port).await];
    let from_ns = boottime_ns();
    for _ in 0..(seconds / SLICE.as_secs()).max(1) {
        pass(SLICE).await;
        slices.push(sample(&subjects, port).await);
    }
    let took = (boottime_ns() - from_ns) as f64 / 1e9;
    let mut costs = Vec::new();
    for (n, subject) in subjects.iter().enumerate() {
        let used: Vec<&Used> = slices.iter().map(|slice| &slice[n]).collect();
        costs.push(subject.cost(&used, took));
    }
    let series = series(&collector, &subjects).await?;
    for (subject, cost) in subjects.iter().zip(&mut costs) {
        // Four collections, which hold one of each slow pass, or fifteen.
        let each = if subject.every == SELDOM { BEAT } else { subject.every };
        let window = (each * 4).max(SLICE);
        let collections = window.as_secs_f64() / each.as_secs_f64();
        let counted = meter::system_calls(subject.pid, window).await;
        cost.system_calls = counted.map(|(calls, made)| (calls / collections, made));
    }

    say(&format!("{seconds} s after {} s; load average at the end {}", SETTLE.as_secs(), meter::load_average()));
    say(&format!(
        "series: agent {}, node_exporter {} (its own and Go's included), collectd {}",
        series.0, series.1, series.2
    ));
    say(&format!("binary: agent {} KiB, node_exporter {} KiB", size("muster-agent")?, size("node_exporter")?));
    say("");
    print(&subjects, &costs, &floors);
    for subject in subjects {
        if let Kind::Exporter(exporter) = subject.kind {
            exporter.scraper.abort();
        }
    }
    Ok(())
}

fn print(subjects: &[Subject], costs: &[Cost], floors: &[Arc<Spent>; 2]) {
    let heads = [
        "",
        "PSS KiB",
        "RSS KiB",
        "heap KiB",
        "CPU ms/collection",
        "median",
        "% of a core",
        "bytes/report",
        "median",
        "threads",
        "children",
        "forks",
        "system calls",
        "bytes to disk",
    ];
    let mut table = Table::new(&heads);
    for (subject, cost) in subjects.iter().zip(costs) {
        let each = if subject.every == SELDOM { BEAT } else { subject.every };
        let share = cost.cpu_ms / 1e3 / each.as_secs_f64() * 100.0;
        let memory = [cost.memory.pss, cost.memory.rss, cost.memory.anonymous];
        let spent = [cost.cpu_ms, cost.median_cpu_ms, share, cost.bytes, cost.median_bytes];
        let figures = memory.into_iter().chain(spent);
        let counts = [cost.threads.to_string(), cost.children.to_string()];
        let said = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), short);
        let calls = [cost.system_calls.map(|(_, forks)| forks), cost.system_calls.map(|(calls, _)| calls)].map(said);
        let row = [subject.what.clone()].into_iter().chain(figures.map(short)).chain(counts).chain(calls);
        table.row(row.chain([short(cost.written)]));
    }
    table.print();
    say("");
    let mut ratios = Table::new(&["times the agent's", "PSS", "RSS", "CPU", "bytes"]);
    for (theirs, subject) in subjects.iter().enumerate().filter(|(_, subject)| !matches!(subject.kind, Kind::Agent(_)))
    {
        let same = |one: &&Subject| matches!(one.kind, Kind::Agent(_)) && one.every == subject.every;
        let Some(ours) = subjects.iter().zip(costs).find(|(one, _)| same(one)) else { continue };
        let [ours, its] = [ours.1, &costs[theirs]];
        let ratio = |its: f64, ours: f64| format!("{} x", short(its / ours));
        ratios.row([
            subject.what.clone(),
            ratio(its.memory.pss, ours.memory.pss),
            ratio(its.memory.rss, ours.memory.rss),
            ratio(its.cpu_ms, ours.cpu_ms),
            ratio(its.bytes, ours.bytes),
        ]);
    }
    ratios.print();
    say("");
    let mut goals = Table::new(&["the agent", "measured", "goal", "of the goal"]);
    let [agent, fast, beat] = [&costs[0], &costs[2], &costs[BEATS]];
    // Two beats between two reports.
    let (beats_ms, beats_bytes) = (2.0 * beat.median_cpu_ms, 2.0 * beat.median_bytes);
    let [floor_15, floor_1] = [floors[0].ms_per_pass(), floors[1].ms_per_pass()];
    goals.against("RSS", agent.memory.rss / 1024.0, "MiB", Some(6.0));
    goals.against("CPU per collection at 15 s, without beats", agent.cpu_ms - beats_ms, "ms", Some(1.0));
    goals.against("  without the minute's passes (median)", agent.median_cpu_ms - beats_ms, "ms", Some(1.0));
    goals.against("  the latter in floors of this run", (agent.median_cpu_ms - beats_ms) / floor_15, "x", Some(2.0));
    goals.against("  at 1 s, in floors of this run", fast.cpu_ms / floor_1, "x", Some(2.0));
    goals.against("bytes per report, without beats (median)", agent.median_bytes - beats_bytes, "B", Some(400.0));
    goals.against("system calls per collection at 15 s", agent.system_calls.map_or(f64::NAN, |c| c.0), "", Some(60.0));
    goals.against("  at 1 s", fast.system_calls.map_or(f64::NAN, |c| c.0), "", Some(60.0));
    goals.print();
    say(&format!("\nthe floor: {} ms at 15 s, {} ms at 1 s", short(floor_15), short(floor_1)));
    say(&format!(
        "\ncollections in the window: {}",
        costs.iter().map(|cost| short(cost.collections)).collect::<Vec<_>>().join(", ")
    ));
}

impl Subject {
    async fn agent(collector: &Collector, every: Duration) -> Self {
        let mut agent = Agent::enrolled(collector, "normal", None).await;
        let interval = format!("interval = \"{}s\"\n", every.as_secs());
        let is_shipped = every == Duration::from_secs(15);
        agent.configure(&format!("{}{AS_SHIPPED}", if is_shipped { "" } else { &interval }));
        agent.run();
        collector.host_is(&agent.host, "up", Duration::from_secs(30)).await;
        let what = if every == SELDOM {
            "muster-agent, a beat".to_owned()
        } else {
            format!("muster-agent at {} s", every.as_secs())
        };
        Self { what, pid: agent.process().pid(), every, kind: Kind::Agent(agent) }
    }

    #[expect(clippy::disallowed_methods, reason = "aborted at the end of the measurement")]
    async fn exporter(every: Duration) -> Self {
        let (home, port) = (TempDir::new().expect("a directory"), free_port());
        let mut command = Command::new(installed("prometheus-node-exporter", "prometheus-node-exporter"));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("node_exporter", &mut command, &home.path().join("log"));
        let url = format!("http://127.0.0.1:{port}/metrics");
        process.ready(Duration::from_secs(30), || async { http::get(&url).await }).await;
        let scraper = tokio::spawn(scrape(url, every));
        let what = format!("node_exporter at {} s", every.as_secs());
        let pid = process.pid();
        let exporter = Exporter { port, scraper, _process: process, _home: home };
        Self { what, pid, every, kind: Kind::Exporter(exporter) }
    }

    async fn used(&self, grpc: u16) -> Used {
        let bytes = match &self.kind {
            Kind::Agent(_) => meter::carried(grpc, Some(self.pid)).await.up,
            Kind::Exporter(exporter) => meter::carried(exporter.port, None).await.down,
            Kind::Collectd(collectd) => collectd.received().bytes,
        };
        Used { cpu: meter::fine_cpu_seconds(self.pid), bytes, written: meter::written(self.pid) }
    }

    fn cost(&self, used: &[&Used], took: f64) -> Cost {
        // What it says meanwhile is beats.
        let each = if self.every == SELDOM { BEAT } else { self.every }.as_secs_f64();
        let (first, last) = (used[0], used[used.len() - 1]);
        let whole = took / each;
        let slice = took / (used.len() - 1) as f64 / each;
        let median = |figure: fn(&Used) -> f64| {
            let mut steps: Vec<f64> = used.windows(2).map(|pair| figure(pair[1]) - figure(pair[0])).collect();
            steps.sort_by(f64::total_cmp);
            steps[steps.len() / 2] / slice
        };
        Cost {
            collections: whole,
            cpu_ms: (last.cpu - first.cpu) * 1e3 / whole,
            bytes: (last.bytes - first.bytes) / whole,
            median_cpu_ms: median(|used| used.cpu) * 1e3,
            median_bytes: median(|used| used.bytes),
            memory: meter::memory(self.pid),
            threads: meter::threads(self.pid),
            children: meter::children(self.pid),
            written: last.written - first.written,
            system_calls: None,
        }
    }
}

/// What all of them have used up now.
async fn sample(subjects: &[Subject], port: u16) -> Vec<Used> {
    let mut used = Vec::new();
    for subject in subjects {
        used.push(subject.used(port).await);
    }
    used
}

/// Scrapes as Prometheus does: one connection that stays, gzip asked for.
async fn scrape(url: String, every: Duration) {
    let client = http::client();
    let mut tick = tokio::time::interval(every);
    loop {
        tick.tick().await;
        let asked = client.get(&url).header("accept-encoding", "gzip").send().await;
        if let Ok(answer) = asked {
            let _ = answer.bytes().await;
        }
    }
}

/// How many series each says.
async fn series(collector: &Collector, subjects: &[Subject]) -> Result<(usize, usize, usize)> {
    let mut counts = (0, 0, 0);
    for subject in subjects {
        match &subject.kind {
            Kind::Agent(agent) => {
                let path = format!("/hosts/{}/metrics", agent.host);
                // The one that reports seldom has nothing fresh to show.
                counts.0 = counts.0.max(http::samples(&collector.get(&path).await.body).len());
            }
            Kind::Exporter(exporter) => {
                let url = format!("http://127.0.0.1:{}/metrics", exporter.port);
                counts.1 = http::samples(&http::get(&url).await.context("node_exporter is silent")?.body).len();
            }
            Kind::Collectd(collectd) => counts.2 = collectd.received().values_at_once,
        }
    }
    Ok(counts)
}

/// The size of a program's file, KiB.
fn size(name: &str) -> Result<u64> {
    let file = match name {
        "muster-agent" => muster_tests::process::program(name),
        _ => installed("prometheus-node-exporter", "prometheus-node-exporter"),
    };
    Ok(std::fs::metadata(file)?.len() / 1024)
}

//! What the collector costs with many agents: memory, CPU, bytes on the wire, exposition
//!
//! `load [--hosts 2000] [--series 300] [--minutes 5] [--record 120]`
//!
//! The collector is the released program with its shipped configuration. The agents are simulated in one other process
//! (`muster_tests::measure::fleet`); a real Prometheus, discovered through `/prometheus/sd`, scrapes every host's page.
//! CPU is the processes' own clock, kernel included. The run fails if a record was not acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::fleet::{self, Fleet, REPORT_SECONDS};
use muster_tests::measure::ground;
use muster_tests::measure::meter::{self, Carried, Memory};
use muster_tests::process::{Process, free_port, installed};
use muster_tests::wait::{eventually, pass};
use muster_tests::{Collector, http};
use tokio::process::Command;

/// After a change, before anything is measured.
const SETTLE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(fleet::ROLE) {
        return fleet::serve();
    }
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

/// What was counted at one moment.
struct Reading {
    at_ns: u64,
    cpu: f64,
    own: BTreeMap<String, f64>,
    carried: Carried,
}

/// The difference of two readings.
struct Window {
    seconds: f64,
    cpu: f64,
    reports: f64,
    changed: f64,
    beats: f64,
    up: f64,
    down: f64,
}

struct Prometheus {
    process: Process,
    port: u16,
}

/// All that a run found out.
struct Found {
    hosts: f64,
    series: f64,
    recorded: String,
    idle: Window,
    beats: Window,
    reports: Window,
    scraped: Window,
    /// Of the collector: empty, all enrolled, all connected at the end, all gone.
    memory: [Memory; 4],
    /// Samples that Prometheus took in, and its CPU seconds for it.
    told: f64,
    prometheus_cpu: f64,
    prometheus_rss: f64,
    connections: usize,
    refused: f64,
    /// Records made, records acknowledged, reports replayed, reports not taken.
    done: Vec<u64>,
}

async fn measure() -> Result<()> {
    let hosts: usize = flag("--hosts", 2_000);
    let minutes: f64 = flag("--minutes", 5.0);
    // The three windows of a run are whole numbers of report intervals.
    let step = Duration::from_secs(REPORT_SECONDS as u64);
    let window = step * ((minutes * 60.0 / 3.0 / step.as_secs_f64()).ceil().max(2.0) as u32);
    let found = run(hosts, flag("--series", 300), window).await?;

    say(&format!("{hosts} hosts, each with its own key, certificate, spool and connection, through the real uplink"));
    say(&format!("recording: {}", found.recorded));
    say(&format!(
        "windows of {} s: beats only; reports each {REPORT_SECONDS} s; the same and scraped by Prometheus each 15 s. \
         Load average at the end {}",
        window.as_secs(),
        meter::load_average()
    ));
    say("");
    found.print_goals();
    say("");
    found.print_beside();
    say("");
    found.print_behind();
    match found.done[..] {
        [records, acknowledged, ..] if records > 0 && records == acknowledged => Ok(()),
        _ => bail!("not all records were acknowledged: {:?}", found.done),
    }
}

async fn run(hosts: usize, series: usize, window: Duration) -> Result<Found> {
    let home = tempfile::TempDir::new_in(ground::shared_memory())?;
    let collector = Collector::start("").await;
    let pid = collector.process().pid();
    pass(Duration::from_secs(5)).await;
    let empty = meter::memory(pid);
    let idle = count(&collector, window.min(Duration::from_secs(30))).await?;
    ground::write_tokens(&collector, hosts, home.path()).await?;

    let mut fleet = Fleet::start(hosts, series, flag("--record", 120), collector.grpc, home.path())?;
    let recorded = fleet.wait("recorded", Duration::from_secs(300)).await?;
    progress(&recorded);
    fleet.wait("enrolled", Duration::from_secs(60 + hosts as u64 / 5)).await?;
    let enrolled = meter::memory(pid);
    connect(&collector, &mut fleet, hosts).await?;
    pass(SETTLE).await;
    let beats = count(&collector, window).await?;
    progress("beats counted");
    fleet.order("reports").await?;
    pass(SETTLE * 2).await;
    let reports = count(&collector, window).await?;
    progress("reports counted");

    let prometheus = Prometheus::start(&collector, home.path()).await;
    pass(SETTLE * 3).await;
    let (told_before, cpu_before) = prometheus.count().await?;
    fleet.order("step").await?;
    let scraped = count(&collector, window).await?;
    let (told, cpu) = prometheus.count().await?;
    progress("exposition counted");
    let full = meter::memory(pid);
    let prometheus_rss = meter::memory(prometheus.process.pid()).rss;
    let connections = meter::carried(collector.grpc, None).await.connections;
    let refused = collector.metric_sum("muster_reports_refused_total", "").await;
    fleet.order("stop").await?;
    let done = fleet.wait("done", Duration::from_secs(120)).await?;
    pass(SETTLE).await;
    Ok(Found {
        hosts: hosts as f64,
        series: series as f64,
        recorded,
        idle,
        beats,
        reports,
        scraped,
        memory: [empty, enrolled, full, meter::memory(pid)],
        told: told - told_before,
        prometheus_cpu: cpu - cpu_before,
        prometheus_rss,
        connections,
        refused: refused.abs(),
        done: done.split(' ').filter_map(|word| word.parse().ok()).collect(),
    })
}

async fn connect(collector: &Collector, fleet: &mut Fleet, hosts: usize) -> Result<()> {
    fleet.order("connect").await?;
    let all = hosts as f64;
    eventually("all are connected and reported once", Duration::from_secs(60 + hosts as u64 / 20), || async {
        let sessions = collector.metric("muster_sessions").await?;
        let reports = collector.metric("muster_reports_received_total").await?;
        (sessions >= all && reports >= all).then_some(())
    })
    .await;
    progress("connected");
    Ok(())
}

impl Found {
    /// CPU seconds of one beat; what the collector does with nobody there is not a beat's.
    fn per_beat(&self) -> f64 {
        (self.beats.cpu - self.idle.rate() * self.beats.seconds).max(0.0) / self.beats.beats.max(1.0)
    }

    /// CPU seconds of the reports alone.
    fn reports_cpu(&self) -> f64 {
        self.reports.cpu - self.idle.rate() * self.reports.seconds - self.reports.beats * self.per_beat()
    }

    /// Values that the hosts said by their reports, changed or not.
    fn samples(&self) -> f64 {
        self.reports.reports * self.series
    }

    fn memory_per_host(&self) -> f64 {
        (self.memory[2].rss - self.memory[0].rss) / self.hosts
    }

    fn print_goals(&self) {
        let (reports, samples) = (&self.reports, self.samples());
        let up_apart = reports.up - self.beats.up / self.beats.beats.max(1.0) * reports.beats;
        let exposition = self.scraped.cpu - reports.rate() * self.scraped.seconds;
        let mut table = Table::new(&["figure", "measured", "goal", "of the goal"]);
        table.against("memory per connected agent with its values", self.memory_per_host(), "KiB", Some(48.0));
        table.against("CPU per report, beats apart", self.reports_cpu() / reports.reports * 1e6, "us", Some(100.0));
        table.against("CPU per report, all of the collector in", reports.cpu / reports.reports * 1e6, "us", None);
        table.against("CPU per beat", self.per_beat() * 1e6, "us", None);
        table.against("bytes per sample, agent to collector, TLS in, beats apart", up_apart / samples, "B", Some(1.6));
        table.against("bytes per sample, both ways, beats in", (reports.up + reports.down) / samples, "B", None);
        table.against("exposition per million samples", exposition / self.told * 1e6, "CPU-s", Some(0.3));
        table.against("taken in per million samples", self.reports_cpu() / samples * 1e6, "CPU-s", None);
        table.print();
    }

    fn print_beside(&self) {
        let heads =
            ["beside Prometheus (Debian's, scraping the same samples in this run)", "ours", "its", "its / ours"];
        let mut table = Table::new(&heads);
        let mut pair = |what: &str, unit: &str, ours: f64, its: f64| {
            let figure = |value| format!("{} {unit}", short(value));
            table.row([what.to_owned(), figure(ours), figure(its), short(its / ours)]);
        };
        let ours = self.reports_cpu() / self.samples() * 1e6;
        pair("CPU per million samples taken in", "CPU-s", ours, self.prometheus_cpu / self.told * 1e6);
        let its = self.prometheus_rss / self.hosts;
        pair("memory per host (it also keeps history)", "KiB", self.memory_per_host(), its);
        table.print();
    }

    fn print_behind(&self) {
        let mut table = Table::new(&["behind the figures", ""]);
        let mut line = |what: &str, value: String| table.row([what.to_owned(), value]);
        line(
            "RSS empty / enrolled / connected / all gone, KiB",
            self.memory.map(|memory| short(memory.rss)).join(" / "),
        );
        line("of it heap and stacks, KiB", self.memory.map(|memory| short(memory.anonymous)).join(" / "));
        let windows = [&self.idle, &self.beats, &self.reports, &self.scraped];
        let shares = windows.map(|window| short(window.rate() * 100.0)).join(" / ");
        line("% of a core: nobody there / beats / reports / scraped too", shares);
        line("reports, beats in the reports' window", format!("{} / {}", self.reports.reports, self.reports.beats));
        line("values changed per report, %", short(self.reports.changed / self.samples() * 100.0));
        line("bytes per report from collector to agent, all in", short(self.reports.down / self.reports.reports));
        line("samples that Prometheus took in", short(self.told));
        line("connections at the end", self.connections.to_string());
        line("refused by the collector", short(self.refused));
        if let [records, acknowledged, replayed, late] = self.done[..] {
            line("records made / acknowledged", format!("{records} / {acknowledged}"));
            line("reports replayed / not taken by the uplink", format!("{replayed} / {late}"));
        }
        table.print();
    }
}

impl Window {
    /// CPU seconds per second.
    fn rate(&self) -> f64 {
        self.cpu / self.seconds
    }
}

/// Counts over so much time. Asking the collector costs it something; that lies outside of the window.
async fn count(collector: &Collector, time: Duration) -> Result<Window> {
    let before = read(collector, true).await?;
    pass(time).await;
    let after = read(collector, false).await?;
    let grown = |name: &str| {
        let of = |reading: &Reading| reading.own.get(name).copied().unwrap_or(0.0);
        of(&after) - of(&before)
    };
    Ok(Window {
        seconds: (after.at_ns - before.at_ns) as f64 / 1e9,
        cpu: after.cpu - before.cpu,
        reports: grown("muster_reports_received_total"),
        changed: grown("muster_samples_received_total"),
        beats: grown("muster_messages_received_total{kind=\"beat\"}"),
        up: after.carried.up - before.carried.up,
        down: after.carried.down - before.carried.down,
    })
}

async fn read(collector: &Collector, begins: bool) -> Result<Reading> {
    let pid = collector.process().pid();
    let ends = (boottime_ns(), meter::cpu_seconds(pid));
    let answer = http::get(&collector.url("/metrics")).await.context("the collector does not answer /metrics")?;
    let own = http::samples(&answer.body);
    let carried = meter::carried(collector.grpc, None).await;
    let (at_ns, cpu) = if begins { (boottime_ns(), meter::cpu_seconds(pid)) } else { ends };
    Ok(Reading { at_ns, cpu, own, carried })
}

impl Prometheus {
    /// Starts one that discovers all hosts at the collector and scrapes them, and the collector, each 15 s.
    async fn start(collector: &Collector, home: &Path) -> Self {
        let (port, http) = (free_port(), collector.http);
        let config = format!(
            "global: {{scrape_interval: 15s}}\nscrape_configs:\n\
             - job_name: node\n  http_sd_configs: [{{url: 'http://127.0.0.1:{http}/prometheus/sd'}}]\n\
             - job_name: muster\n  static_configs: [{{targets: ['127.0.0.1:{http}']}}]\n"
        );
        let file = home.join("prometheus.yml");
        std::fs::write(&file, config).expect("a file in a directory of our own");
        let mut command = Command::new(installed("prometheus", "prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", collector.home().join("prometheus").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, &home.join("prometheus.log"));
        let url = format!("http://127.0.0.1:{port}/-/ready");
        process
            .ready(Duration::from_secs(30), || async { http::get(&url).await.filter(|answer| answer.status == 200) })
            .await;
        Self { process, port }
    }

    /// Samples taken in so far, and CPU seconds.
    async fn count(&self) -> Result<(f64, f64)> {
        let answer =
            http::get(&format!("http://127.0.0.1:{}/metrics", self.port)).await.context("Prometheus is silent")?;
        let of_head = |name: &&String| name.starts_with("prometheus_tsdb_head_samples_appended_total");
        let samples = http::samples(&answer.body);
        let appended = samples.iter().filter(|(name, _)| of_head(name)).map(|(_, value)| value).sum();
        Ok((appended, meter::cpu_seconds(self.process.pid())))
    }
}

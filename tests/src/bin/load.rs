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
use muster_tests::measure::meter::{self, Carried};
use muster_tests::process::{Process, free_port, installed};
use muster_tests::wait::{eventually, pass};
use muster_tests::{Collector, http};
use tokio::process::Command;

/// Uses of one batch token, the most there are.
const TOKEN_USES: usize = 500;
/// Open files that the largest run needs.
const FILES: u64 = 65_536;
/// After a change, before anything is measured.
const SETTLE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(fleet::ROLE) {
        return fleet::serve();
    }
    raise_files();
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

async fn measure() -> Result<()> {
    let (hosts, series): (usize, usize) = (flag("--hosts", 2_000), flag("--series", 300));
    let minutes: f64 = flag("--minutes", 5.0);
    // The three windows of a run are whole numbers of report intervals.
    let step = Duration::from_secs(REPORT_SECONDS as u64);
    let window = step * ((minutes * 60.0 / 3.0 / step.as_secs_f64()).ceil().max(2.0) as u32);
    let home = tempfile::TempDir::new_in(shared_memory())?;

    let collector = Collector::start("").await;
    let pid = collector.process().pid();
    pass(Duration::from_secs(5)).await;
    let empty = meter::memory(pid);
    let idle = count(&collector, window.min(Duration::from_secs(30))).await?;

    let mut tokens = String::new();
    for _ in 0..hosts.div_ceil(TOKEN_USES) {
        let uses = TOKEN_USES.to_string();
        let made = ["token", "create", "--kind", "batch", "--uses", &uses, "--class", "server", "--watch", "normal"];
        tokens.push_str(&collector.cli(&made).await);
        tokens.push('\n');
    }
    std::fs::write(home.path().join("tokens"), tokens)?;
    let mut fleet = Fleet::start(hosts, series, flag("--record", 120), collector.grpc, home.path())?;
    let recorded = fleet.wait("recorded", Duration::from_secs(300)).await?;
    progress(&recorded);
    fleet.wait("enrolled", Duration::from_secs(30 + hosts as u64 / 5)).await?;
    let enrolled = meter::memory(pid);
    progress(&format!("enrolled; RSS {} KiB", enrolled.rss));

    fleet.order("connect").await?;
    let all = hosts as f64;
    eventually("all are connected and reported once", Duration::from_secs(60 + hosts as u64 / 20), || async {
        let sessions = collector.metric("muster_sessions").await?;
        let reports = collector.metric("muster_reports_received_total").await?;
        (sessions >= all && reports >= all).then_some(())
    })
    .await;
    progress("connected");
    pass(SETTLE).await;
    let beats = count(&collector, window).await?;
    progress("beats counted");
    fleet.order("reports").await?;
    pass(step * 2).await;
    let reports = count(&collector, window).await?;
    progress("reports counted");

    let prometheus = Prometheus::start(&collector, home.path()).await;
    pass(step * 2 + SETTLE).await;
    let prometheus_before = prometheus.count().await?;
    fleet.order("step").await?;
    let scraped = count(&collector, window).await?;
    let prometheus_after = prometheus.count().await?;
    let full = meter::memory(pid);
    let prometheus_rss = meter::memory(prometheus.process.pid()).rss;
    progress("exposition counted");

    let connections = meter::carried(collector.grpc, None).await.connections;
    let refused = collector.metric_sum("muster_reports_refused_total", "").await;
    fleet.order("stop").await?;
    let done = fleet.wait("done", Duration::from_secs(120)).await?;
    pass(SETTLE).await;
    let left = meter::memory(pid);

    let told = prometheus_after.0 - prometheus_before.0;
    let per_million = |cpu: f64, samples: f64| cpu / samples * 1e6;
    let per_beat = (beats.cpu - idle.rate() * beats.seconds).max(0.0) / beats.beats;
    let apart = reports.cpu - idle.rate() * reports.seconds - reports.beats * per_beat;
    let up_apart = reports.up - beats.up / beats.beats * reports.beats;
    let down_apart = reports.down - beats.down / beats.seconds * reports.seconds;
    let taken = reports.reports * series as f64;
    let exposition = scraped.cpu - reports.rate() * scraped.seconds;
    let memory = (full.rss - empty.rss) / all;
    let prometheus_cpu = per_million(prometheus_after.1 - prometheus_before.1, told);

    say(&format!("{hosts} hosts, each with its own key, certificate, spool and connection, through the real uplink"));
    say(&format!("recording: {recorded}"));
    say(&format!(
        "windows of {} s: beats only; reports each {REPORT_SECONDS} s; the same and scraped by Prometheus each 15 s. \
         Load average at the end {}",
        window.as_secs(),
        meter::load_average()
    ));
    say("");
    let mut table = Table::new(&["figure", "measured", "goal", "of the goal"]);
    table.against("memory per connected agent with its values", memory, "KiB", Some(48.0));
    table.against("CPU per report, beats apart", apart / reports.reports * 1e6, "us", Some(100.0));
    table.against("CPU per report, all of the collector in", reports.cpu / reports.reports * 1e6, "us", None);
    table.against("CPU per beat", per_beat * 1e6, "us", None);
    table.against("bytes per sample, agent to collector, TLS in, beats apart", up_apart / taken, "B", Some(1.6));
    table.against("bytes per sample, both ways, beats in", (reports.up + reports.down) / taken, "B", None);
    table.against("exposition per million samples", per_million(exposition, told), "CPU-s", Some(0.3));
    table.against("taken in per million samples", per_million(apart, taken), "CPU-s", None);
    table.print();
    say("");
    let mut beside = Table::new(&["beside Prometheus (Debian's, scraping the same samples in this run)", "ours", "its", "ratio"]);
    let mut pair = |what: &str, ours: f64, its: f64, unit: &str| {
        beside.row([what.to_owned(), format!("{} {unit}", short(ours)), format!("{} {unit}", short(its)), format!("1/{}", short(its / ours))]);
    };
    pair("CPU per million samples taken in", per_million(apart, taken), prometheus_cpu, "CPU-s");
    pair("memory per host (Prometheus keeps history)", memory, prometheus_rss / all, "KiB");
    beside.print();
    say("");
    let mut more = Table::new(&["behind the figures", ""]);
    let mut line = |what: &str, value: String| more.row([what.to_owned(), value]);
    line("RSS empty / enrolled / full / all gone, KiB", [empty, enrolled, full, left].map(|m| short(m.rss)).join(" / "));
    line("of it heap and stacks, KiB", [empty, enrolled, full, left].map(|m| short(m.anonymous)).join(" / "));
    line("CPU share of a core: idle / beats / reports / scraped, %", [&idle, &beats, &reports, &scraped].map(|w| short(w.rate() * 100.0)).join(" / "));
    line("reports in their window", short(reports.reports));
    line("values changed per report, %", short(reports.changed / taken * 100.0));
    line("bytes down per report, beats' time apart", short(down_apart / reports.reports));
    line("samples told to Prometheus in its window", short(told));
    line("connections at the end", connections.to_string());
    line("refused by the collector", short(refused));
    let done: Vec<u64> = done.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [records, acknowledged, fed, late] = done[..] else { bail!("the simulated hosts said {done:?}") };
    line("records made / acknowledged", format!("{records} / {acknowledged}"));
    line("reports replayed / not taken by the uplink", format!("{fed} / {late}"));
    more.print();
    if records != acknowledged || records == 0 {
        bail!("{} of {records} records were not acknowledged", records - acknowledged);
    }
    Ok(())
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
        process.ready(Duration::from_secs(30), || async { http::get(&url).await.filter(|answer| answer.status == 200) }).await;
        Self { process, port }
    }

    /// Samples taken in so far, and CPU seconds.
    async fn count(&self) -> Result<(f64, f64)> {
        let answer = http::get(&format!("http://127.0.0.1:{}/metrics", self.port)).await.context("Prometheus is silent")?;
        let of_head = |name: &&String| name.starts_with("prometheus_tsdb_head_samples_appended_total");
        let samples = http::samples(&answer.body);
        let appended = samples.iter().filter(|(name, _)| of_head(name)).map(|(_, value)| value).sum();
        Ok((appended, meter::cpu_seconds(self.process.pid())))
    }
}

/// Where the simulated hosts keep their state: in memory, so that their disks are not measured.
fn shared_memory() -> std::path::PathBuf {
    let path = std::path::PathBuf::from("/dev/shm");
    if path.is_dir() { path } else { std::env::temp_dir() }
}

/// Raises the limit of open files, as far as this may be done here.
fn raise_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = Rlimit { current: Some(FILES), maximum: Some(FILES) };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        let now = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
}

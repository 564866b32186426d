//! The agent and the collector for an hour: does anything grow?
//!
//! `soak [--minutes 60] [--rate 0]`
//!
//! The released agent collects each second and reports to the released collector, whose page of that host is scraped
//! each 15 s. Each minute both are looked at; the table has the mean of each ten minutes, and the slope of the second
//! half by least squares. Flat means: memory rises by less than the limit, and the second half never needs more
//! descriptors or threads than the first did.
//!
//! The limits: an agent that loses one smallest allocation (24 bytes with its header) at each collection grows by
//! 84 KiB an hour, so 64 KiB are less than any leak of a collection; one page that comes or goes while half an hour is
//! looked at is 8 KiB. The collector, which besides keeps pages of its database, may grow by 1 MiB an hour, 291 bytes a
//! report. Needs root: both run in namespaces of their own (`tests/long`).
//!
//! With `--rate 100` there is trouble at 100 times the rate of a fleet of some hundred hosts on a bad day: 1 200 an hour, each a check
//! of the agent that fails for a minute, an incident from outside for as long, and a label that somebody changes; all of
//! them are paged to a webhook. The latest 1 000 that are over stay at hand, all within the first half; of each that is older the
//! last of its kind is remembered, so the collector's memory may then grow by 2 KiB more with each of the 2 400 incidents an
//! hour; what the records take on disk is told by the hour and by the trouble.

#[path = "../soak/troubles.rs"]
mod troubles;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::meter::{self, Memory};
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, http};
use tokio::task::JoinSet;

use troubles::{Troubles, USUAL_PER_HOUR};

/// Before the first look: what is read once has been read, and the dictionary is known.
const SETTLE: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Looks of one row.
const ROW: usize = 10;
/// Prometheus' usual interval.
const SCRAPE_EVERY: Duration = Duration::from_secs(15);
/// KiB an hour, reasons above.
const AGENT_SLOPE_MAX: f64 = 64.0;
const COLLECTOR_SLOPE_MAX: f64 = 1024.0;
/// KiB that the collector may hold for each incident that is over: what the page of the next one says of it.
const PAST_KIB: f64 = 2.0;
/// Incidents of one trouble: of the check, and from outside.
const INCIDENTS_OF_ONE: f64 = 2.0;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure())
}

/// What a process held at one look, and what it used since the look before.
#[derive(Clone, Copy)]
struct Look {
    hours: f64,
    memory: Memory,
    descriptors: f64,
    threads: f64,
    cpu_ms: f64,
    written: f64,
}

/// One of the two processes and all looks at it.
struct Subject {
    what: &'static str,
    pid: i32,
    slope_max: f64,
    cpu: f64,
    written: f64,
    looks: Vec<Look>,
}

/// Both at work, and whoever makes trouble.
struct Stage {
    collector: Arc<Collector>,
    agent: Agent,
    made: Arc<AtomicU64>,
    trouble: JoinSet<Result<()>>,
}

impl Stage {
    async fn set(rate: f64) -> Result<Self> {
        let troubles = if rate > 0.0 { Some(Troubles::prepare(rate).await?) } else { None };
        let (receiver, checks) = troubles.as_ref().map(|some| (some.receiver(), some.checks())).unwrap_or_default();
        let collector = Arc::new(Collector::start(&receiver).await);
        let mut agent = Agent::enrolled(&collector, "normal", None).await;
        agent.configure(&format!("interval = \"1s\"\n{checks}"));
        agent.run();
        collector.host_is(&agent.host, "up", Duration::from_secs(30)).await;
        let made = troubles.as_ref().map(Troubles::made).unwrap_or_default();
        let mut trouble = JoinSet::new();
        if let Some(troubles) = troubles {
            trouble.spawn(troubles.go_on(Arc::clone(&collector), agent.name.clone()));
        }
        Ok(Self { collector, agent, made, trouble })
    }
}

async fn measure() -> Result<()> {
    let minutes: usize = flag("--minutes", 60);
    ensure!(minutes >= 4, "--minutes {minutes}: a slope needs at least 4");
    let rate: f64 = flag("--rate", 0.0);
    let Stage { collector, agent, made, mut trouble } = Stage::set(rate).await?;
    let page = collector.url(&format!("/hosts/{}/metrics", agent.host));
    scrape(&page, SETTLE).await;

    let held_kib = rate * USUAL_PER_HOUR * INCIDENTS_OF_ONE * PAST_KIB;
    let mut subjects = [
        Subject::new("agent", agent.process().pid(), AGENT_SLOPE_MAX),
        Subject::new("collector", collector.process().pid(), COLLECTOR_SLOPE_MAX + held_kib),
    ];
    let (state, mut stored, before) = (collector.state(), Vec::new(), made.load(Ordering::Relaxed));
    let from_ns = boottime_ns();
    let reports_before = collector.metric_sum("muster_reports_received_total", "").await;
    let mut last_ns = from_ns;
    for minute in 1..=minutes {
        scrape(&page, LOOK_EVERY).await;
        let now_ns = boottime_ns();
        for subject in &mut subjects {
            subject.look(seconds(from_ns, now_ns) / 3600.0, seconds(last_ns, now_ns));
        }
        last_ns = now_ns;
        stored.push((seconds(from_ns, now_ns) / 3600.0, stored_kib(&state)?));
        if let Some(ended) = trouble.try_join_next() {
            ended??;
        }
        progress(&format!("minute {minute} of {minutes}"));
    }
    let reports = collector.metric_sum("muster_reports_received_total", "").await - reports_before;
    collector.host_is(&agent.host, "up", Duration::from_secs(10)).await;

    let series = http::samples(&collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body).len();
    say(&format!(
        "{minutes} minutes after {} s, {series} series each second; {} messages heard",
        SETTLE.as_secs(),
        short(reports)
    ));
    let made = made.load(Ordering::Relaxed) - before;
    if rate > 0.0 {
        say(&format!("{made} troubles, at {rate} times the usual rate; {}", recorded(&state)?));
    }
    say(&format!("load average at the end {}\n", meter::load_average()));
    print(&subjects);
    print_stored(&stored, made as f64, minutes as f64 / 60.0);
    Ok(())
}

/// Lets time pass while the host's page is asked for as Prometheus does.
async fn scrape(page: &str, time: Duration) {
    let end_ns = boottime_ns() + time.as_nanos() as u64;
    while let Some(left_ns) = end_ns.checked_sub(boottime_ns()) {
        // Nobody counts on the answer: the looks tell whether the collector lives.
        let _ = http::get(page).await;
        pass(SCRAPE_EVERY.min(Duration::from_nanos(left_ns))).await;
    }
}

/// What the two files of the records take, in KiB.
fn stored_kib(state: &Path) -> Result<f64> {
    let mut bytes = 0;
    for file in ["state.db", "facts.db"] {
        bytes += fs::metadata(state.join(file))?.len();
    }
    Ok(bytes as f64 / 1024.0)
}

/// What became of the troubles, as the records have it.
fn recorded(state: &Path) -> Result<String> {
    let file = rusqlite::Connection::open(state.join("state.db"))?;
    let count = |what: &str| file.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0));
    Ok(format!(
        "{} incidents ({} not resolved), {} pages, {} entries of the audit log",
        count("incident")?,
        count("incident WHERE state <> 'resolved'")?,
        count("page")?,
        count("audit")?
    ))
}

/// How the records grow: they are kept for years, so they do.
fn print_stored(stored: &[(f64, f64)], made: f64, hours: f64) {
    let slope = slope(&stored[stored.len() / 2..]);
    let mut table =
        Table::new(&["records on disk", "KiB at first", "KiB at last", "KiB an hour, second half", "KiB a trouble"]);
    let of = |at: Option<&(f64, f64)>| short(at.map_or(0.0, |(_, kib)| *kib));
    let each = if made > 0.0 { short(slope * hours / made) } else { "-".to_owned() };
    table.row(["state.db and facts.db".to_owned(), of(stored.first()), of(stored.last()), short(slope), each]);
    say("");
    table.print();
}

fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e9
}

impl Subject {
    fn new(what: &'static str, pid: i32, slope_max: f64) -> Self {
        let (cpu, written) = (meter::fine_cpu_seconds(pid), meter::written(pid));
        Self { what, pid, slope_max, cpu, written, looks: Vec::new() }
    }

    /// Looks once, `seconds` (as many collections) after the last time.
    fn look(&mut self, hours: f64, seconds: f64) {
        let (cpu, written) = (meter::fine_cpu_seconds(self.pid), meter::written(self.pid));
        self.looks.push(Look {
            hours,
            memory: meter::memory(self.pid),
            descriptors: descriptors(self.pid),
            threads: meter::threads(self.pid) as f64,
            cpu_ms: (cpu - self.cpu) * 1e3 / seconds,
            written: written - self.written,
        });
        (self.cpu, self.written) = (cpu, written);
    }

    fn second_half(&self) -> &[Look] {
        &self.looks[self.looks.len() / 2..]
    }

    /// KiB an hour in the second half.
    fn slope(&self, of: fn(&Look) -> f64) -> f64 {
        let points: Vec<(f64, f64)> = self.second_half().iter().map(|look| (look.hours, of(look))).collect();
        slope(&points)
    }

    /// Whether the second half ever needed more than the first.
    fn grew(&self, of: fn(&Look) -> f64) -> bool {
        let most = |looks: &[Look]| looks.iter().map(of).fold(0.0, f64::max);
        most(self.second_half()) > most(&self.looks[..self.looks.len() / 2])
    }
}

/// Least squares; 0 for points on top of each other.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if spread == 0.0 {
        return 0.0;
    }
    points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread
}

fn descriptors(pid: i32) -> f64 {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0.0, |entries| entries.count() as f64)
}

fn print(subjects: &[Subject]) {
    let heads =
        ["", "minutes", "RSS KiB", "PSS KiB", "heap KiB", "descriptors", "threads", "CPU ms/collection", "KiB to disk"];
    let mut table = Table::new(&heads);
    for subject in subjects {
        for (n, looks) in subject.looks.chunks(ROW).enumerate() {
            let mean = |of: fn(&Look) -> f64| short(looks.iter().map(of).sum::<f64>() / looks.len() as f64);
            let minutes = format!("{}-{}", n * ROW + 1, n * ROW + looks.len());
            let kibibytes = looks.iter().map(|look| look.written).sum::<f64>() / 1024.0;
            table.row([
                subject.what.to_owned(),
                minutes,
                mean(|look| look.memory.rss),
                mean(|look| look.memory.pss),
                mean(|look| look.memory.anonymous),
                mean(|look| look.descriptors),
                mean(|look| look.threads),
                mean(|look| look.cpu_ms),
                short(kibibytes),
            ]);
        }
    }
    table.print();
    say("");
    let mut verdicts = Table::new(&[
        "second half, KiB an hour",
        "RSS",
        "PSS",
        "heap",
        "limit",
        "more descriptors",
        "more threads",
        "",
    ]);
    for subject in subjects {
        let slopes: [fn(&Look) -> f64; 3] =
            [|look| look.memory.rss, |look| look.memory.pss, |look| look.memory.anonymous];
        let slopes = slopes.map(|of| subject.slope(of));
        let more = [subject.grew(|look| look.descriptors), subject.grew(|look| look.threads)];
        let is_flat = slopes.iter().all(|slope| *slope <= subject.slope_max) && more == [false, false];
        let said = more.map(|more| if more { "yes" } else { "no" }.to_owned());
        let row = [subject.what.to_owned()].into_iter().chain(slopes.map(short)).chain([short(subject.slope_max)]);
        verdicts.row(row.chain(said).chain([if is_flat { "flat" } else { "NOT FLAT" }.to_owned()]));
    }
    verdicts.print();
}

//! Service levels of a large fleet: a year of 10 000 hosts with 2 000 000 entries, from a table and from the records
//!
//! `sla [--hosts 10000] [--entries 2000000]`
//!
//! A year is told twice, at an eighth, a quarter, a half and all of the entries. First as a table of spans that the released
//! program reckons by itself (`sla compute`); then as the ledgers of a collector that is asked for the year's report, in
//! JSON and as a document for reading, while it goes on watching. Each host is up, and away for ten minutes, in turn, in five
//! ways. Processor time and the most memory are those of the program alone; of the collector they are
//! those of the answer, beside what it needed before it was asked.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_collector::domain::host::{Cause, State};
use muster_collector::domain::ids::{HostId, HostNo};
use muster_collector::domain::labels::{Admission, Class, Facts, Profile};
use muster_collector::domain::record::{LivenessRow, Observed, Row, SpanRow};
use muster_collector::domain::sla::history::bucket;
use muster_collector::domain::time::Timestamp;
use muster_collector::domain::watch::Watch;
use muster_collector::store::Store;
use muster_tests::Collector;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::meter;
use tempfile::TempDir;
use tokio::time::Instant;

/// 2025 in UTC, in milliseconds.
const YEAR: (i64, i64) = (1_735_689_600_000, 1_767_225_600_000);
const AGREEMENT: &str = "name = \"office\"\ntarget = 99.9\nzone = \"Europe/Berlin\"\n\
     service_hours = [{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"07:00\", to = \"19:00\" }]\n";
/// What the issue allows for all of it.
const GOAL_S: f64 = 60.0;
const GOAL_MIB: f64 = 2_048.0;
/// How long each absence is, in milliseconds.
const AWAY_MS: i64 = 600_000;
/// Between two looks at a program that runs.
const LOOK: Duration = Duration::from_millis(5);
/// Entries recorded in one commit.
const SLICE: usize = 20_000;

/// What one run took.
#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    wall_s: f64,
    cpu_s: f64,
    peak_mib: f64,
}

fn main() -> Result<()> {
    let (hosts, entries): (i64, i64) = (flag("--hosts", 10_000), flag("--entries", 2_000_000));
    ensure!(hosts > 0 && entries >= 8 * hosts, "--entries {entries}: at least eight for each of --hosts {hosts}");
    // Pairs of up and away, as many for each host.
    let sizes = [8, 4, 2, 1].map(|part| entries / part / hosts / 2 * 2 * hosts);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    say(&format!("{hosts} hosts over the year 2025; goal for all entries {GOAL_S} s and {GOAL_MIB} MiB\n"));
    let mut table =
        Table::new(&["what", "entries", "wall", "of goal", "CPU", "an entry", "most memory", "of goal", "answer"]);
    for entries in sizes {
        let (cost, bytes) = compute(hosts, entries)?;
        row(&mut table, "sla compute", entries, cost, bytes);
    }
    for entries in sizes {
        runtime.block_on(ask(&mut table, hosts, entries))?;
    }
    table.print();
    say(&format!("\nload average at the end {}", meter::load_average()));
    Ok(())
}

fn row(table: &mut Table, what: &str, entries: i64, cost: Cost, bytes: u64) {
    table.row([
        what.to_owned(),
        entries.to_string(),
        format!("{} s", short(cost.wall_s)),
        format!("{:.2}", cost.wall_s / GOAL_S),
        format!("{} s", short(cost.cpu_s)),
        format!("{} us", short(cost.cpu_s * 1e6 / entries as f64)),
        format!("{} MiB", short(cost.peak_mib)),
        format!("{:.2}", cost.peak_mib / GOAL_MIB),
        format!("{} KiB", bytes / 1024),
    ]);
}

/// What the n-th entry of a host is.
fn said(host: i64, n: i64) -> (Observed, Cause) {
    let away = [
        (Observed::Down, Cause::Silence),
        (Observed::Unreachable, Cause::AliveLog),
        (Observed::CollectorDown, Cause::CollectorAway),
        (Observed::Unknown, Cause::NotBack),
        (Observed::Down, Cause::BootedAnew),
    ];
    match n % 2 {
        0 => (Observed::Up, Cause::Reporting),
        _ => away[usize::try_from((n / 2 + host) % 5).unwrap_or_default()].clone(),
    }
}

/// When the n-th of so many entries begins: each pair is as long as the others.
fn edge(each: i64, n: i64) -> i64 {
    let pair_ms = (YEAR.1 - YEAR.0) / (each / 2).max(1);
    YEAR.0 + pair_ms * (n / 2) + if n % 2 == 1 { pair_ms - AWAY_MS } else { 0 }
}

/// Reckons a table; what that took, and how long the answer is.
fn compute(hosts: i64, entries: i64) -> Result<(Cost, u64)> {
    let home = TempDir::new()?;
    let (spans, definition) = (home.path().join("spans.csv"), home.path().join("office.toml"));
    fs::write(&definition, AGREEMENT)?;
    let each = entries / hosts;
    let mut file = std::io::BufWriter::new(fs::File::create(&spans)?);
    writeln!(file, "subject,start,end,state")?;
    for host in 0..hosts {
        for n in 0..each {
            let (state, cause) = said(host, n);
            let state = bucket(state, &cause).word();
            writeln!(file, "host-{host:06},{},{},{state}", edge(each, n), edge(each, n + 1))?;
        }
    }
    file.into_inner()?.sync_all()?;
    progress(&format!("a table of {entries} entries is written"));
    let mut command = Command::new(program());
    command.arg("sla").arg("compute").arg("--spans").arg(&spans).arg("--definition").arg(&definition);
    command.args(["--from", &YEAR.0.to_string(), "--to", &YEAR.1.to_string()]);
    let answer = home.path().join("answer.json");
    command.stdout(fs::File::create(&answer)?).stderr(Stdio::inherit());
    let cost = followed(command.spawn()?)?;
    Ok((cost, fs::metadata(&answer)?.len()))
}

/// What a program takes until its end.
fn followed(mut child: Child) -> Result<Cost> {
    let pid = i32::try_from(child.id())?;
    let begun = Instant::now();
    let mut cost = Cost::default();
    loop {
        let ended = child.try_wait()?;
        cost.cpu_s = cost.cpu_s.max(meter::cpu_seconds(pid));
        cost.peak_mib = cost.peak_mib.max(peak_mib(pid));
        if let Some(status) = ended {
            ensure!(status.success(), "the program ended with {status}");
            cost.wall_s = begun.elapsed().as_secs_f64();
            return Ok(cost);
        }
        std::thread::sleep(LOOK);
    }
}

/// The most that a process ever had in memory.
fn peak_mib(pid: i32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_ascii_whitespace().next()?.parse().ok());
    peak.map_or(0.0, |kib: f64| kib / 1024.0)
}

fn program() -> std::path::PathBuf {
    muster_tests::process::program("muster-collector")
}

/// Asks a collector with such ledgers for the year's report.
async fn ask(table: &mut Table, hosts: i64, entries: i64) -> Result<()> {
    let agreement = format!("[[agreement]]\n{AGREEMENT}hosts = [\"*\"]\nperiod = \"year\"\n");
    let mut collector = Collector::prepare(&agreement);
    fill(&collector, hosts, entries / hosts).await?;
    progress(&format!("ledgers of {entries} entries are recorded"));
    collector.run().await;
    let pid = collector.process().pid();
    for (what, format) in [("report, JSON", "json"), ("report, HTML", "html")] {
        let answer = collector.state().join("answer");
        // What it holds before is counted too; what it ever held, from here on.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak is reset")?;
        let (before_s, begun) = (meter::cpu_seconds(pid), Instant::now());
        let words = ["sla", "report", "--agreement", "office", "--period", "2025", "--format", format, "--output"];
        collector.cli(&[&words[..], &[path(&answer)?]].concat()).await;
        let cost = Cost {
            wall_s: begun.elapsed().as_secs_f64(),
            cpu_s: meter::cpu_seconds(pid) - before_s,
            peak_mib: peak_mib(pid),
        };
        row(table, what, entries, cost, fs::metadata(&answer)?.len());
    }
    Ok(())
}

fn path(file: &Path) -> Result<&str> {
    file.to_str().context("a path that can be written")
}

/// Records that nobody has watched since the year's end.
async fn fill(collector: &Collector, hosts: i64, each: i64) -> Result<()> {
    let store = Store::open(&collector.state(), Timestamp::from_ms(YEAR.0))?;
    let mut rows = Vec::with_capacity(SLICE);
    for no in 1..=hosts {
        rows.push(host(no)?);
        rows.extend((0..each).map(|n| entry(no, each, n)));
        rows.push(last(no));
        if rows.len() >= SLICE || no == hosts {
            store.commit(std::mem::take(&mut rows)).await?;
        }
    }
    store.heartbeat(Timestamp::from_ms(YEAR.1)).await?;
    Ok(())
}

fn host(no: i64) -> Result<Row> {
    Ok(Row::Host(Box::new(Profile {
        no: HostNo(no),
        id: HostId::from_str(&format!("00000000-0000-7000-8000-{no:012}"))?,
        name: format!("host-{no:06}"),
        class: Class::Server,
        site: None,
        watch: Watch::None,
        labels: Default::default(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    })))
}

fn entry(no: i64, each: i64, n: i64) -> Row {
    let (state, cause) = said(no, n);
    let (from, to) = (Timestamp::from_ms(edge(each, n)), Timestamp::from_ms(edge(each, n + 1)));
    let evidence = cause.evidence();
    Row::Span(SpanRow { host: HostNo(no), n: n + 1, from, to, state, cause, evidence, learned: to, replaces: None })
}

fn last(no: i64) -> Row {
    let at = Timestamp::from_ms(YEAR.1);
    let (state, cause) = (State::Unknown, Cause::NotBack);
    let (host, since, proof) = (HostNo(no), at, at);
    Row::Liveness(LivenessRow { host, state, since, cause, boot_id: None, proof, peer: None, answered: None })
}

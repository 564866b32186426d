//! An agent whose machine loses its power, beside a collector that goes on: it starts by itself, it is the same host, and what it
//! tells from then on arrives.
//!
//! Both are written down, so that for each cut the collector has what it had then, whatever the agent's disk has lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_agent::clock::boottime_ns;

use super::check::{Verdict, in_words};
use super::cut::{Cut, Dice};
use super::disk::{Disk, Everything};
use super::image::Image;
use super::promise::wall_ns;
use super::{look, trace};
use crate::wait::pass;
use crate::{Agent, Collector, eventually};

/// Checks that tell each change as a record.
const CHECKS: usize = 5;
/// Until it is up again, on a machine that does much else.
const UP: Duration = Duration::from_secs(60);
/// Until a change has been told.
const TOLD: Duration = Duration::from_secs(30);

/// An agent and its collector, written down.
#[derive(Debug)]
pub struct Recording {
    /// The agent's state directory, with all that was done to it.
    pub agent: Disk,
    /// The collector's.
    pub collector: Disk,
    /// When each phase began, and its name; the first is that it is enrolled.
    pub phases: Vec<(u64, String)>,
    ports: (u16, u16),
    host: String,
}

/// Checks that change with files of this directory, and are believed only after a hundred tries: records without a page.
fn checks(directory: &Path) -> String {
    let one = |n: usize| {
        format!(
            "[[check]]\nname = \"job-{n}\"\nkind = \"file_age\"\ncritical_age = \"1h\"\npath = \"{}\"\ninterval = \"1s\"\n\
             retry_interval = \"1s\"\ntimeout = \"2s\"\nattempts = 100\n",
            directory.join(format!("job-{n}")).display()
        )
    };
    (0..CHECKS).map(one).collect()
}

/// Makes a file come or go.
fn change(directory: &Path, n: usize) -> std::io::Result<()> {
    let file = directory.join(format!("job-{n}"));
    if file.exists() { std::fs::remove_file(file) } else { std::fs::write(file, "done") }
}

/// Adds what `strace` wrote to a disk, and compares it with what is there.
fn take_in(disk: &mut Disk, file: &Path, state: &Path) -> Result<()> {
    let text = String::from_utf8(std::fs::read(file)?)?;
    std::fs::remove_file(file)?;
    disk.add(&trace::read(&text, state)?)?;
    let differ = disk.left(u64::MAX - 1, &mut Everything).differences(&Image::of(state)?);
    ensure!(differ.is_empty(), "what was written down is not all that was done: {}", differ.join("; "));
    Ok(())
}

async fn has_ended(file: &Path, pid: i32) {
    let ended = || async { trace::has_ended(file, pid).then_some(()) };
    eventually("strace writes to the end", Duration::from_secs(30), ended).await;
}

/// Records an agent that enrols, tells records, is left by its collector for a while, and is started again.
///
/// # Errors
/// `strace` cannot be used, or what it wrote is not all that was done.
///
/// # Panics
/// When one of them does not do what it is asked for.
pub async fn record_of(work: Duration) -> Result<Recording> {
    let mut collector = Collector::prepare("");
    let mut agent = Agent::new(None);
    agent.configure(&checks(agent.home()));
    let (mut of_agent, mut of_collector) = (Disk::new(&agent.state()), Disk::new(&collector.state()));
    let file = collector.home().join("trace");
    let (own, mut phases) = (agent.home().join("trace"), Vec::new());
    collector.traced = Some(file.clone());
    collector.run().await;
    agent.traced = Some(own.clone());
    agent.enrol_at(&collector, "normal", None).await;
    take_in(&mut of_agent, &own, &agent.state())?;
    let mut phase = |name: &str| phases.push((wall_ns(), name.to_owned()));

    phase("enrolled");
    agent.run();
    collector.host_is(&agent.host, "up", UP).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let changes = tokio::task::spawn_blocking({
        let (directory, is_over) = (agent.home().to_path_buf(), Arc::clone(&is_over));
        move || changes(&directory, &is_over)
    });
    phase("heard");
    pass(work / 3).await;
    phase("its collector is away");
    let pid = collector.process().pid();
    ensure!(collector.stop().await == 0, "the collector\n{}", collector.log());
    has_ended(&file, pid).await;
    take_in(&mut of_collector, &file, &collector.state())?;
    pass(work / 3).await;
    collector.run().await;
    phase("its collector is back");
    collector.host_is(&agent.host, "up", UP).await;
    pass(work / 3).await;
    phase("stop and start");
    for again in [true, false] {
        let pid = agent.process().pid();
        ensure!(agent.stop().await == 0, "the agent\n{}", agent.log());
        has_ended(&own, pid).await;
        take_in(&mut of_agent, &own, &agent.state())?;
        if again {
            agent.run();
            collector.host_is(&agent.host, "up", UP).await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    changes.await??;
    let pid = collector.process().pid();
    ensure!(collector.stop().await == 0, "the collector\n{}", collector.log());
    has_ended(&file, pid).await;
    take_in(&mut of_collector, &file, &collector.state())?;
    let ports = (collector.http, collector.grpc);
    Ok(Recording { agent: of_agent, collector: of_collector, phases, ports, host: agent.host.clone() })
}

/// Changes what the checks look at, one after another, until it is over.
fn changes(directory: &Path, is_over: &AtomicBool) -> std::io::Result<()> {
    for n in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        change(directory, n % CHECKS)?;
        std::thread::sleep(Duration::from_millis(230));
    }
    Ok(())
}

/// Lays down what the cut left of the agent, beside the collector as it was then, and looks.
///
/// # Panics
/// Never: what panics within is a broken promise, told with its words.
#[expect(clippy::disallowed_methods, reason = "joined at once: a panic within is told")]
pub async fn judge(recording: &Arc<Recording>, cut: &Cut) -> Verdict {
    let (from_ns, started) = (boottime_ns(), Arc::new(AtomicBool::new(false)));
    let work = {
        let (recording, cut, started) = (Arc::clone(recording), cut.clone(), Arc::clone(&started));
        tokio::spawn(async move { look(&recording, &cut, &started).await })
    };
    let (promises, broken) = match work.await {
        Ok(Ok(promises)) => (promises, Vec::new()),
        Ok(Err(error)) => (0, vec![format!("{error:#}")]),
        Err(error) => (0, vec![in_words(error)]),
    };
    let seconds = (boottime_ns() - from_ns) as f64 / 1e9;
    Verdict { has_started: started.load(Ordering::Relaxed), promises, broken, seconds }
}

async fn look(recording: &Recording, cut: &Cut, started: &AtomicBool) -> Result<usize> {
    let mut collector = Collector::prepare("");
    // Where the agent knows it.
    (collector.http, collector.grpc) = recording.ports;
    collector.configure("");
    recording.collector.left(cut.at_ns, &mut Everything).put(&collector.state())?;
    let before = records(&collector.state().join("facts.db"))?;
    collector.run().await;
    let mut agent = Agent::new(None);
    agent.configure(&checks(agent.home()));
    recording.agent.left(cut.at_ns, &mut Dice::of(cut, &recording.agent)).put(&agent.state())?;
    if rustix::process::geteuid().is_root() {
        agent.boot_anew();
    }
    agent.run();
    collector.host_is(&recording.host, "up", UP).await;
    started.store(true, Ordering::Relaxed);
    for n in 0..2 * CHECKS {
        let known = collector.facts("checks").len();
        change(agent.home(), n % CHECKS)?;
        let told = || async { (collector.facts("checks").len() > known).then_some(()) };
        eventually("what changes after the cut is told and kept", TOLD, told).await;
    }
    ensure!(agent.stop().await == 0, "the agent\n{}", agent.log());
    ensure!(collector.hosts().await.len() == 1, "it is another host now");
    ensure!(collector.stop().await == 0, "the collector\n{}", collector.log());
    let after = records(&collector.state().join("facts.db"))?;
    let changed = before.iter().find(|(number, says)| after.get(*number) != Some(*says));
    ensure!(changed.is_none(), "a number has another content: {changed:?}");
    Ok(before.len() + 2 * CHECKS)
}

/// What each record says, by the life of its spool and its number.
fn records(file: &Path) -> Result<BTreeMap<(String, i64), String>> {
    let store = look::reader(file).with_context(|| file.display().to_string())?;
    let tables: i64 =
        store.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'fact'", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(BTreeMap::new());
    }
    let mut records = store.prepare("SELECT hex(epoch), sequence, body FROM fact")?;
    let rows = records
        .query_map([], |row| Ok(((row.get::<_, String>(0)?, row.get::<_, i64>(1)?), row.get::<_, String>(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

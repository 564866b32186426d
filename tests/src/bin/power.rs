//! The power fails at some hundred instants of a collector's life: does it start on what is left, and has it kept its word?
//!
//! `power [--cuts 300] [--agent-cuts 60] [--seed 1] [--seconds 8] [--lives 2] [--workers 4]`
//!
//! The released collector is recorded with `strace` while hosts tell records, incidents come from outside and are taken by a
//! person, pages go to a webhook and a backup is taken; it is stopped and started again. For each cut its state directory is
//! rebuilt as a disk could have it that keeps what it was told to sync and no more (`tests/harness/power/disk.rs`), and a collector is
//! started on it. It has to start by itself, both files of its store have to be sound, each record that was acknowledged has to
//! be there as it was sent, each incident that was taken once, with who took it and its end; nothing is there that nobody sent;
//! no page is lost, none that was recorded as accepted is sent again, and the link in the last of them works; the next record of each host is taken, and its ledger
//! says that nobody watched since the cut.
//!
//! The same for an agent whose collector goes on and has what it had at the cut: the agent has to start by itself and be the same
//! host, what changes from then on has to be told and kept, and no number of a record may get another content.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::power::agent;
use muster_tests::power::check::{Verdict, judge};
use muster_tests::power::cut::{Cut, choose};
use muster_tests::power::disk::Disk;
use muster_tests::power::promise::told_ns;
use muster_tests::power::scene::{Plan, Recording, record_of};
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let (cuts, seed): (usize, u64) = (flag("--cuts", 300), flag("--seed", 1));
    let of_agent: usize = flag("--agent-cuts", cuts / 5);
    let mut wrong = 0;
    if cuts > 0 {
        let work = Duration::from_secs(flag("--seconds", 8));
        let recording = Arc::new(record_of(Plan { hosts: 2, lives: flag("--lives", 2), work }).await?);
        progress(&format!("recorded: {} calls, {} changes", recording.size.0, recording.disk.ops.len()));
        let from_ns = boottime_ns();
        let chosen = choose(&recording.disk, &begins(&recording.phases), &told_ns(&recording.words), cuts, seed);
        let found = judged(&recording, chosen, flag("--workers", 4)).await?;
        say(&format!(
            "the collector: seed {seed}; {} calls ({} MiB of trace), {} changes; {} words on the time line; {} cuts in {} s",
            recording.size.0,
            recording.size.1 / 1024 / 1024,
            recording.disk.ops.len(),
            recording.words.len(),
            found.len(),
            seconds_since(from_ns),
        ));
        say("what was written down, done again, is byte for byte what it left\n");
        wrong += report(&recording.phases, &recording.disk, &found);
    }
    if of_agent > 0 {
        let recording = Arc::new(agent::record_of(Duration::from_secs(12)).await?);
        let (from_ns, mut found) = (boottime_ns(), Vec::new());
        for cut in choose(&recording.agent, &begins(&recording.phases), &[], of_agent, seed) {
            // Before it is enrolled nobody was promised anything.
            let cut = cut.not_before(recording.phases[0].0);
            let verdict = agent::judge(&recording, &cut).await;
            tell(&cut, &recording.phases, &verdict);
            found.push((cut, verdict));
        }
        let (changes, seconds) = (recording.agent.ops.len(), seconds_since(from_ns));
        say(&format!("\nan agent: seed {seed}; {changes} changes; {} cuts in {seconds} s\n", found.len()));
        wrong += report(&recording.phases, &recording.agent, &found);
    }
    if wrong > 0 {
        bail!("{wrong} cuts broke a promise");
    }
    Ok(())
}

fn begins(phases: &[(u64, String)]) -> Vec<u64> {
    phases.iter().map(|(at_ns, _)| *at_ns).collect()
}

fn seconds_since(from_ns: u64) -> String {
    short((boottime_ns() - from_ns) as f64 / 1e9)
}

/// Says at once what was broken.
fn tell(cut: &Cut, phases: &[(u64, String)], verdict: &Verdict) {
    for broken in &verdict.broken {
        let phase = &phases[cut.what.0].1;
        progress(&format!("cut {} ({phase}, {}, {}): {broken}", cut.n, cut.what.1, cut.leaves.word()));
    }
    if cut.n % 25 == 24 {
        progress(&format!("{} cuts", cut.n + 1));
    }
}

/// Each cut with what came of it, several at a time.
async fn judged(recording: &Arc<Recording>, cuts: Vec<Cut>, workers: usize) -> Result<Vec<(Cut, Verdict)>> {
    let (cuts, next, mut tasks) = (Arc::new(cuts), Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..workers.max(1) {
        let (recording, cuts, next) = (Arc::clone(recording), Arc::clone(&cuts), Arc::clone(&next));
        tasks.spawn(async move {
            let mut found = Vec::new();
            while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let verdict = judge(&recording, cut).await;
                tell(cut, &recording.phases, &verdict);
                found.push((cut.clone(), verdict));
            }
            found
        });
    }
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        found.extend(done?);
    }
    found.sort_by_key(|(cut, _)| cut.n);
    Ok(found)
}

/// Prints a row for each kind of moment, and one for each kind of what is left; returns how many cuts broke a promise.
fn report(phases: &[(u64, String)], disk: &Disk, found: &[(Cut, Verdict)]) -> usize {
    let mut rows: BTreeMap<(usize, String), Vec<&(Cut, Verdict)>> = BTreeMap::new();
    for one in found {
        let (phase, kind) = one.0.what;
        // Phases of one name are one.
        let name = &phases[phase].1;
        let first = phases.iter().position(|(_, other)| other == name).unwrap_or(phase);
        rows.entry((first, format!("{name}: {kind}"))).or_default().push(one);
        rows.entry((usize::MAX - 1, format!("left of the rest: {}", one.0.leaves.word()))).or_default().push(one);
        rows.entry((usize::MAX, "all".to_owned())).or_default().push(one);
    }
    let mut table = Table::new(&["the power fails", "cuts", "open changes", "started", "promises", "broken", "s each"]);
    for ((_, name), of) in &rows {
        let sum = |value: &dyn Fn(&(Cut, Verdict)) -> f64| of.iter().map(|one| value(one)).sum::<f64>();
        let count = of.len() as f64;
        table.row([
            name.clone(),
            of.len().to_string(),
            short(sum(&|(cut, _)| disk.open_at(cut.at_ns) as f64) / count),
            of.iter().filter(|(_, verdict)| verdict.has_started).count().to_string(),
            short(sum(&|(_, verdict)| verdict.promises as f64)),
            of.iter().filter(|(_, verdict)| !verdict.broken.is_empty()).count().to_string(),
            short(sum(&|(_, verdict)| verdict.seconds) / count),
        ]);
    }
    table.print();
    found.iter().filter(|(_, verdict)| !verdict.broken.is_empty()).count()
}

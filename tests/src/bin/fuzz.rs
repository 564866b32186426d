//! Damaged text for every parser of foreign text: what the machine, the disk, the wire and people say
//!
//! `fuzz [--cases 1000000] [--seed N] [--only NAME] [--block N] [--threads 1]`
//!
//! A case is a real text with some of it damaged (cut, joined, repeated, numbers at the edges of types, bytes that are
//! no UTF-8, pieces of others), read by the parser as it is in service: sources of readings read captured machines in
//! /dev/shm, often several damaged files at once, each of which counts. It must neither panic (overflow panics here), nor take more than 20 s or more memory than 4 MiB and 320
//! bytes for each byte read, and keep what its row promises: what is said has valid names and values that can be read
//! back, the spool invents no record and gives no number twice, and so on. What fails is printed with the command that
//! runs it again.

#[path = "../fuzz/mod.rs"]
mod fuzz;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use fuzz::drive::{BLOCK, IDLE, Order, Outcome, Place, again, drive, hush_panics};
use fuzz::{Row, rows};
use muster_tests::measure::figures::{Table, flag, progress, say, short};

/// A case at which so many looks find the thread, 20 s, does not end. The slowest that is meant is some milliseconds.
const LOOKS_MAX: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[global_allocator]
static ALLOCATOR: fuzz::weigh::Counting = fuzz::weigh::Counting;

fn main() -> Result<()> {
    let order = Order { seed: flag("--seed", 1), cases: flag("--cases", 1_000_000), block: block() };
    let only: String = flag("--only", String::new());
    let rows: Vec<Row> = rows().into_iter().filter(|row| only.is_empty() || row.name == only).collect();
    ensure!(!rows.is_empty(), "--only {only}: there is no such parser");
    hush_panics();
    let outcomes = run(&rows, order, flag("--threads", 1));
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    print(&rows, &outcomes, order, findings);
    ensure!(findings == 0, "{findings} findings");
    Ok(())
}

/// The block that alone is wanted.
fn block() -> Option<u64> {
    let block: i64 = flag("--block", -1);
    u64::try_from(block).ok()
}

/// Runs all rows, each on one of `threads` threads.
fn run(rows: &[Row], order: Order, threads: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let outcomes = Mutex::new(rows.iter().map(|_| Outcome::default()).collect::<Vec<_>>());
    let places: Vec<(Arc<Place>, AtomicUsize)> = (0..threads.max(1)).map(|_| Default::default()).collect();
    std::thread::scope(|scope| {
        let workers: Vec<_> = places
            .iter()
            .map(|(place, at)| {
                scope.spawn(|| {
                    while let Some((n, row)) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, rows.get(n)?)))
                    {
                        at.store(n, Ordering::Relaxed);
                        let outcome = drive(row, order, place);
                        progress(&format!("{}: {} cases, {} s", row.name, outcome.cases, short(outcome.cpu_s)));
                        outcome.findings.iter().for_each(|finding| progress(finding));
                        outcomes.lock().unwrap_or_else(PoisonError::into_inner)[n] = outcome;
                    }
                })
            })
            .collect();
        scope.spawn(|| watch(rows, order.seed, &places, &done));
        // A thread that dies is a finding of the harness itself.
        let ended =
            workers.into_iter().map(std::thread::ScopedJoinHandle::join).filter(std::result::Result::is_err).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(ended, 0, "a parser could not be made");
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the program when a case does not end. It counts its own looks, so that a machine that slept is no finding.
fn watch(rows: &[Row], seed: u64, places: &[(Arc<Place>, AtomicUsize)], done: &AtomicBool) {
    let mut seen = vec![(0, 0); places.len()];
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(LOOK_EVERY);
        for ((place, at), (case, looks)) in places.iter().zip(&mut seen) {
            let now = place.case.load(Ordering::Relaxed);
            *looks = if now == *case { *looks + 1 } else { 0 };
            *case = now;
            if *looks > LOOKS_MAX && now != IDLE {
                let name = &rows[at.load(Ordering::Relaxed)].name;
                progress(&format!("{name} does not end\n    {}", again(name, seed, now / BLOCK)));
                std::process::abort();
            }
        }
    }
}

fn print(rows: &[Row], outcomes: &[Outcome], order: Order, findings: usize) {
    say(&format!(
        "seed {}; all of it in {} CPU seconds\n",
        order.seed,
        short(outcomes.iter().map(|one| one.cpu_s).sum())
    ));
    let heads = ["parser", "cases", "CPU s", "cases/s", "findings", "largest input, bytes", "most memory, KiB"];
    let mut table = Table::new(&heads);
    for (row, outcome) in rows.iter().zip(outcomes) {
        table.row([
            row.name.clone(),
            outcome.cases.to_string(),
            short(outcome.cpu_s),
            short(outcome.cases as f64 / outcome.cpu_s.max(1e-9)),
            outcome.findings.len().to_string(),
            outcome.largest.to_string(),
            (outcome.memory / 1024).to_string(),
        ]);
    }
    table.print();
    let cases: u64 = outcomes.iter().map(|outcome| outcome.cases).sum();
    say(&format!("\n{} parsers, {cases} cases, {findings} findings", rows.len()));
    outcomes.iter().zip(rows).for_each(|(outcome, row)| {
        outcome.findings.iter().for_each(|finding| say(&format!("\n{}: {finding}", row.name)));
    });
}

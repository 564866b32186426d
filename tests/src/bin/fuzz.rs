//! Damaged text for every parser of foreign text: what the machine, the disk, the wire and people say
//!
//! `fuzz [--cases 1000000] [--minutes N] [--seed N] [--only NAME] [--block N] [--threads 1]`
//!
//! A case is a real text with some of it damaged (cut, joined, repeated, numbers at the edges of types, bytes that are
//! no UTF-8, pieces of others), read by the parser as it is in service: sources of readings read captured machines in
//! /dev/shm, often several damaged files at once, each of which counts. It must neither panic (overflow panics here), nor
//! take more than 20 s or more memory than 4 MiB and 320 bytes for each byte read, and keep what its row promises: what is
//! said has valid names and values that can be read back, the spool invents no record and gives no number twice, and so on.
//! What fails is printed with the command that runs it again.
//!
//! A run goes on where the kept table ends, so that hours can be done in slices: `--minutes` is shared by the parsers that
//! have not had all their cases. A parser that failed begins anew. With `--seed` or `--block` the table is left as it is.

#[path = "../fuzz/mod.rs"]
mod fuzz;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use fuzz::drive::{BLOCK, IDLE, Order, Outcome, Place, again, drive, hush_panics};
use fuzz::{Row, rows};
use muster_tests::measure::figures::{flag, progress, say, short};
use muster_tests::measure::kept::{self, Kept};

/// A case at which so many looks find the thread, 20 s, does not end. The slowest that is meant is some milliseconds.
const LOOKS_MAX: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[global_allocator]
static ALLOCATOR: fuzz::weigh::Counting = fuzz::weigh::Counting;

/// Columns of the table.
const HEADS: [&str; 9] =
    ["parser", "cases", "CPU s", "cases/s", "findings", "largest input, bytes", "most memory, KiB", "blocks", "commit"];
/// The seed of the table.
const SEED: u64 = 1;

fn main() -> Result<()> {
    let (seed, cases, threads) = (flag("--seed", SEED), flag("--cases", 1_000_000), flag("--threads", 1_usize).max(1));
    let only: String = flag("--only", String::new());
    let mut table = Kept::read("fuzz", &HEADS);
    let all = rows();
    table.only(&all.iter().map(|row| row.name.as_str()).collect::<Vec<_>>());
    let is_kept = seed == SEED && block().is_none();
    let so_far = |row: &Row| if is_kept { before(&table, &row.name) } else { Outcome::default() };
    let mut left: Vec<(Row, Outcome)> = all
        .into_iter()
        .filter(|row| only.is_empty() || row.name == only)
        .map(|row| {
            let before = so_far(&row);
            (row, before)
        })
        .collect();
    ensure!(!left.is_empty(), "--only {only}: there is no such parser");
    left.retain(|(_, before)| before.cases < cases);
    left.sort_by_key(|(_, before)| before.cases);
    let minutes: u64 = flag("--minutes", u64::MAX / 1_000_000);
    let seconds = minutes * 60 * threads as u64 / (left.len() as u64).max(1);
    hush_panics();
    let (rows, before) = left.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let outcomes = run(&rows, Order { seed, cases, block: block(), seconds }, before, threads);
    let findings: usize = outcomes.iter().map(|outcome| outcome.findings.len()).sum();
    if is_kept {
        let commit = kept::commit();
        rows.iter().zip(&outcomes).for_each(|(row, outcome)| put(&mut table, row, outcome, &commit));
    }
    print(&rows, &outcomes, &table, cases);
    ensure!(findings == 0, "{findings} findings");
    Ok(())
}

/// What the table says of a parser that has not failed.
fn before(table: &Kept, name: &str) -> Outcome {
    let number = |place: usize| table.row(name).and_then(|row| row[place].parse::<f64>().ok()).unwrap_or(0.0);
    if number(4) > 0.0 {
        return Outcome::default();
    }
    Outcome {
        cases: number(1) as u64,
        cpu_s: number(2),
        largest: number(5) as usize,
        memory: number(6) as usize * 1024,
        blocks: number(7) as u64,
        findings: Vec::new(),
    }
}

fn put(table: &mut Kept, row: &Row, outcome: &Outcome, commit: &str) {
    table.put([
        row.name.clone(),
        outcome.cases.to_string(),
        short(outcome.cpu_s),
        short(outcome.cases as f64 / outcome.cpu_s.max(1e-9)),
        outcome.findings.len().to_string(),
        outcome.largest.to_string(),
        (outcome.memory / 1024).to_string(),
        outcome.blocks.to_string(),
        commit.to_owned(),
    ]);
}

/// The block that alone is wanted.
fn block() -> Option<u64> {
    let block: i64 = flag("--block", -1);
    u64::try_from(block).ok()
}

/// Runs all rows, each on one of `threads` threads.
fn run(rows: &[Row], order: Order, before: Vec<Outcome>, threads: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let outcomes = Mutex::new(before);
    let places: Vec<(Arc<Place>, AtomicUsize)> = (0..threads).map(|_| Default::default()).collect();
    std::thread::scope(|scope| {
        let workers: Vec<_> = places
            .iter()
            .map(|(place, at)| {
                scope.spawn(|| {
                    while let Some((n, row)) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, rows.get(n)?)))
                    {
                        at.store(n, Ordering::Relaxed);
                        let so_far = std::mem::take(&mut outcomes.lock().unwrap_or_else(PoisonError::into_inner)[n]);
                        let outcome = drive(row, order, so_far, place);
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

fn print(rows: &[Row], outcomes: &[Outcome], table: &Kept, wanted: u64) {
    say(&format!(
        "seed {SEED}; a parser's cases may have been run in several slices, the last of them at its commit\n"
    ));
    table.print();
    let full = outcomes.iter().filter(|outcome| outcome.cases >= wanted).count();
    say(&format!("\nof {} parsers that had not had {wanted} cases {full} have had them now", rows.len()));
    outcomes.iter().zip(rows).for_each(|(outcome, row)| {
        outcome.findings.iter().for_each(|finding| say(&format!("\n{}: {finding}", row.name)));
    });
}

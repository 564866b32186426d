//! The collector killed (SIGKILL) at each step of a page: is everybody told, once begun and once over, in order?
//!
//! `kill [--seeds 1000] [--first 0] [--worlds 12]`
//!
//! Each seed is an incident, made by `POST /api/v2/alerts`, and its end; both are told to two receivers, one of which
//! takes them, fails (503), hangs or resets the connection, at first. The page of the beginning or that of the end is
//! struck at one step: *opened* (decided, while a lock on the store that this program holds keeps it from being
//! recorded), *recorded* (the page is in the store, nothing has reached the receiver), *sent* (the receiver has read the
//! request; its answer is not written, or lies unread in the collector's socket), *response read* (the collector knows
//! how the try went and waits for the store, whose lock this program holds) and *marked* (that is recorded). Nothing in
//! the released program helps: the kernel and the store are asked where it is. What was hit is told from the store and
//! the receiver afterwards. Then the collector is started again on the same state.

#[path = "../kill/case.rs"]
mod case;
#[path = "../kill/hook.rs"]
mod hook;
#[path = "../kill/knife.rs"]
mod knife;
#[path = "../kill/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::{ground, meter};

use case::{Sink, Step};
use world::Found;

fn main() -> Result<()> {
    ground::raise_files();
    let (seeds, first, worlds): (u64, u64, usize) = (flag("--seeds", 1_000), flag("--first", 0), flag("--worlds", 12));
    let (taken, found, from_ns) = (AtomicU64::new(first), Mutex::new(Vec::<Found>::new()), boottime_ns());
    let next = || Some(taken.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < first + seeds);
    let tell = |one: Found| {
        for fault in &one.faults {
            progress(&format!("{:?}: {fault}", one.case));
        }
        let mut all = found.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(one);
        if all.len().is_multiple_of(100) {
            progress(&format!("{} seeds", all.len()));
        }
    };
    let troubles: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..worlds).map(|_| scope.spawn(|| world::seeds(&next, &tell))).collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("a world broke off; its last words are above".to_owned()),
        });
        ended.flatten().collect()
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&found, (boottime_ns() - from_ns) as f64 / 1e9);
    let faults = found.iter().filter(|one| !one.faults.is_empty()).count();
    troubles.iter().for_each(|trouble| progress(trouble));
    if faults > 0 || !troubles.is_empty() || found.len() as u64 != seeds {
        bail!("{faults} seeds with faults, {} worlds that broke off, {} of {seeds} seeds", troubles.len(), found.len());
    }
    Ok(())
}

fn report(found: &[Found], seconds: f64) {
    say(&format!("{} seeds in {} s; load average at the end {}", found.len(), short(seconds), meter::load_average()));
    say("");
    let mut cells: BTreeMap<(Step, Sink), Vec<&Found>> = BTreeMap::new();
    for one in found {
        cells.entry((one.case.step, one.case.sink)).or_default().push(one);
    }
    let heads = [
        "killed at, receiver at first",
        "seeds",
        "hit exactly",
        "else",
        "of the end",
        "requests",
        "told twice",
        "faults",
    ];
    let mut table = Table::new(&heads);
    for ((step, sink), ones) in &cells {
        let count = |fits: &dyn Fn(&Found) -> bool| ones.iter().filter(|one| fits(one)).count();
        let hit = count(&|one| one.hit == *step);
        let mut missed: BTreeMap<Step, usize> = BTreeMap::new();
        ones.iter().filter(|one| one.hit != *step).for_each(|one| *missed.entry(one.hit).or_default() += 1);
        let missed: Vec<String> = missed.iter().map(|(step, count)| format!("{count} {}", step.word())).collect();
        table.row([
            format!("{}, {}", step.word(), sink.word()),
            ones.len().to_string(),
            hit.to_string(),
            if missed.is_empty() { "-".to_owned() } else { missed.join(", ") },
            count(&|one| one.case.of_end).to_string(),
            ones.iter().map(|one| one.requests).sum::<usize>().to_string(),
            count(&|one| one.repeats > 0).to_string(),
            count(&|one| !one.faults.is_empty()).to_string(),
        ]);
    }
    table.print();
    say("");
    say(
        "a fault is: a beginning or an end that never arrived, several ids or words for one message, an end before its",
    );
    say(
        "beginning or a beginning after its end, a message taken more than twice, more than one incident, a page not marked",
    );
}

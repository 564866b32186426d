//! The engine in a simulated fleet: hosts die, networks are cut, the collector crashes at every commit.
//!
//! Oracle: the world knows what truly happened. Nobody is paged for what did not happen, nothing that lasted goes
//! unpaged, the problem is told before its end, whoever was told of the outage is told of its end, and the same events
//! give the same records; and ledgers do not depend on how often the collector was killed. `SEEDS` (how many) and `FIRST_SEED`
//! repeat a failure; the seed is in every message.
#![expect(clippy::unwrap_used, reason = "a test")]

mod keeper;
mod ledger;
mod life;
mod memory;
mod readings;
mod script;
mod world;

use std::collections::BTreeMap;

use muster_collector::domain::record::PageKind;
use world::{Told, World};

fn seeds() -> std::ops::Range<u64> {
    seeds_or(1000)
}

/// The seeds of a test that takes its time: fewer, unless `SEEDS` says how many.
fn seeds_or(usually: u64) -> std::ops::Range<u64> {
    let first = number("FIRST_SEED", 1);
    first..first + number("SEEDS", usually)
}

fn number(variable: &str, usually: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usually)
}

#[test]
fn crashes_at_every_commit_page_nobody_falsely_and_lose_no_page() {
    let mut paged = 0;
    for seed in seeds() {
        let mut world = World::new(seed);
        world.run();
        check_order(seed, &world.told);
        world.check_truth();
        paged += world.told.len();
    }
    assert!(paged > 0, "a simulation in which nobody is ever paged shows nothing");
}

#[test]
fn the_same_events_give_the_same_records() {
    for seed in seeds().take(50) {
        let mut first = World::new(seed);
        let mut second = World::new(seed);
        first.run();
        second.run();
        assert_eq!(first.memory.journal, second.memory.journal, "seed {seed}: two runs of the same events differ");
        assert!(!first.memory.journal.is_empty(), "seed {seed}: nothing was recorded");
    }
}

/// Per incident and receiver: opened first, its end last, each message under one id.
fn check_order(seed: u64, told: &[Told]) {
    let mut seen: BTreeMap<(i64, String), Vec<&Told>> = BTreeMap::new();
    for page in told {
        seen.entry((page.incident, page.receiver.clone())).or_default().push(page);
    }
    for ((incident, receiver), pages) in seen {
        let first = pages.first().unwrap();
        assert_eq!(first.kind, PageKind::Opened, "seed {seed}: #{incident} to {receiver} began with {first:?}");
        let ends = pages.iter().filter(|page| page.kind == PageKind::Resolved).count();
        assert_eq!(ends, 1, "seed {seed}: #{incident} to {receiver} ended {ends} times: {pages:#?}");
        assert_eq!(pages.last().unwrap().kind, PageKind::Resolved, "seed {seed}: #{incident} went on after its end");
    }
}

//! Ledgers: a collector that is killed between any two events writes what one writes that runs on, and both write what
//! was so.
//!
//! Two runs of one script are compared: one collector lives through it, the other is killed and started again at the
//! instants that the script names. Agents connect again at the same instant, as their first try is made at once. Entry by
//! entry the ledgers must say the same of every millisecond: state, cause and evidence. `learned` is not compared: what a
//! killed collector had in mind it learns again a moment later. Four things are known to differ, and only these:
//!
//! * *Up* has one cause, reporting: after a restart it is the host's own log that proves it.
//! * A host that is silent when the collector is killed, and not yet believed gone: only the collector that runs on knows
//!   how long it has been silent, and draws its conclusion in time. From its last message until it is heard again both are
//!   held against what was so, not against each other. So are those who fall silent while it is still waited for, or still
//!   away: it falls due together with them, which looks like a cut.
//! * *Down* was either seen from here first or told by the next boot: a collector that is killed while it waits for those
//!   that did not come back with their network waits anew.
//! * The numbers of entries, and where one ends that goes on in the next.

use std::collections::{BTreeMap, BTreeSet};

use muster_collector::domain::{
    host::{Cause, ledger::OpenSpan},
    ids::HostNo,
    record::{Observed, SpanRow},
    time::Timestamp,
};

use super::{
    keeper::Keeper,
    life::{Doubt, Life},
    number,
    script::{START_MS, STEP_MS, Script, What},
    seeds_or,
};

/// What is said of one stretch.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    from: i64,
    until: i64,
    state: Observed,
    cause: Cause,
    evidence: String,
}

impl Said {
    fn words(&self) -> String {
        let after = |at: i64| (at - START_MS) as f64 / 1e3;
        format!("  {} to {}: {:?}, {}", after(self.from), after(self.until), self.state, self.evidence)
    }
}

fn lines(all: &[Said]) -> String {
    all.iter().map(Said::words).collect::<Vec<_>>().join("\n")
}

/// Seeds of each test run; `SEEDS=1000` takes some minutes.
const SEEDS: u64 = 100;
/// Rows are kept in memory, at each so many-th seed in the real store: `STORE_EVERY=1` is all of them.
const STORE_EVERY: u64 = 50;

#[test]
fn a_collector_killed_between_any_two_events_writes_the_ledger_of_one_that_runs_on() {
    let (mut corrected, mut doubted_ms, mut all_ms) = (0, 0, 0);
    let store_every = number("STORE_EVERY", STORE_EVERY);
    for seed in seeds_or(SEEDS) {
        let script = Script::of(seed);
        let (mut whole, mut killed) = if seed.is_multiple_of(store_every) {
            let start = Timestamp::from_ms(START_MS);
            (Life::new(&script, Keeper::store(start)), Life::new(&script, Keeper::store(start)))
        } else {
            (Life::new(&script, Keeper::memory()), Life::new(&script, Keeper::memory()))
        };
        whole.run(false);
        killed.run(true);
        let (one, other) = (ledgers(&whole, seed), ledgers(&killed, seed));
        all_ms += one.len() as i64 * (whole.now() - START_MS);
        doubted_ms += whole.doubts.iter().map(|doubt| doubt.until.min(whole.now()) - doubt.from).sum::<i64>();
        for (host, entries) in &one {
            let doubts: Vec<&Doubt> = whole.doubts.iter().filter(|doubt| doubt.host == *host).collect();
            if let Some(at) = first_difference(entries, &other[host], &doubts) {
                let (entries, other) = (lines(entries), lines(&other[host]));
                let raw = killed.keeper.spans()[host].iter().map(raw).collect::<Vec<_>>().join("\n");
                panic!(
                    "seed {seed}: host {host}: the ledger of the killed collector differs after {} s\nran on\n{entries}\n\
                     killed\n{other}\nits entries\n{raw}\nin doubt {doubts:?}\n{}",
                    (at - START_MS) as f64 / 1e3,
                    script.words(usize::try_from(host.0 - 1).unwrap())
                );
            }
            for said in [entries, &other[host]] {
                check_truth(seed, *host, said, &script);
            }
        }
        corrected += killed.keeper.spans().values().flatten().filter(|row| row.replaces.is_some()).count();
    }
    assert!(corrected > 0, "a simulation in which nothing is ever corrected shows little");
    assert!(doubted_ms * 10 < all_ms, "{doubted_ms} ms of {all_ms} in doubt: too much to show anything");
}

/// What the ledgers say, entries that were replaced left out, equal neighbours joined.
fn ledgers(life: &Life<'_>, seed: u64) -> BTreeMap<HostNo, Vec<Said>> {
    assert_eq!(life.keeper.broken_links(), Vec::<String>::new(), "seed {seed}");
    let (rows, open) = (life.keeper.spans(), life.open());
    let none = Vec::new();
    open.iter()
        .map(|(host, open)| (*host, said(seed, *host, rows.get(host).unwrap_or(&none), open, life.now())))
        .collect()
}

fn said(seed: u64, host: HostNo, rows: &[SpanRow], open: &OpenSpan, now: i64) -> Vec<Said> {
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row.n, i64::try_from(place).unwrap() + 1, "seed {seed}: host {host}: entries miscounted");
    }
    let replaced: BTreeSet<i64> = rows.iter().filter_map(|row| row.replaces).collect();
    let standing = rows.iter().filter(|row| !replaced.contains(&row.n));
    let mut all: Vec<Said> = standing
        .map(|row| Said {
            from: row.from.ms(),
            until: row.to.ms(),
            state: row.state,
            cause: row.cause.clone(),
            evidence: row.evidence.clone(),
        })
        .collect();
    let (state, cause, evidence) = (open.state, open.cause.clone(), open.cause.evidence());
    all.push(Said { from: open.from.ms(), until: now, state, cause, evidence });
    all.sort_by_key(|said| (said.from, said.until));
    for pair in all.windows(2) {
        assert_eq!(pair[0].until, pair[1].from, "seed {seed}: host {host}: torn or told twice: {pair:#?}\n{rows:#?}");
    }
    let mut joined: Vec<Said> = Vec::new();
    for mut said in all {
        if said.state == Observed::Up {
            (said.cause, said.evidence) = (Cause::Reporting, Cause::Reporting.evidence());
        }
        if said.state == Observed::Down && (said.cause.is_silence() || said.cause == Cause::BootedAnew) {
            (said.cause, said.evidence) = (Cause::Silence, Cause::Silence.evidence());
        }
        match joined.last_mut() {
            Some(last) if (last.state, &last.cause, &last.evidence) == (said.state, &said.cause, &said.evidence) => {
                last.until = said.until;
            }
            _ => joined.push(said),
        }
    }
    joined
}

/// An entry as it was written.
fn raw(row: &SpanRow) -> String {
    let after = |at: Timestamp| (at.ms() - START_MS) as f64 / 1e3;
    let (from, to, learned) = (after(row.from), after(row.to), after(row.learned));
    format!(
        "  {} {from} to {to}: {:?}, {:?}, learned {learned}, replaces {:?}",
        row.n, row.state, row.cause, row.replaces
    )
}

/// The first instant of which two ledgers say different things, outside of what is in doubt.
fn first_difference(one: &[Said], other: &[Said], doubts: &[&Doubt]) -> Option<i64> {
    let edges: BTreeSet<i64> = one
        .iter()
        .chain(other)
        .flat_map(|said| [said.from, said.until])
        .chain(doubts.iter().flat_map(|doubt| [doubt.from, doubt.until]))
        .collect();
    let at = |all: &[Said], instant: i64| {
        let found = all.iter().find(|said| (said.from..said.until).contains(&instant));
        found.map(|said| (said.state, said.cause.clone(), said.evidence.clone()))
    };
    let doubted = |instant: &i64| doubts.iter().any(|doubt| (doubt.from..doubt.until).contains(instant));
    edges.into_iter().filter(|instant| !doubted(instant)).find(|instant| at(one, *instant) != at(other, *instant))
}

/// What the ledger says against what was so: the sums of time that contradict it, by how they do.
fn check_truth(seed: u64, host: HostNo, said: &[Said], script: &Script) {
    let index = usize::try_from(host.0 - 1).unwrap();
    let (mut down_while_running, mut up_while_off, mut changes) = (0, 0, 0);
    let mut before = None;
    for entry in said {
        let mut at = entry.from;
        while at < entry.until {
            let trouble = script.trouble(index, at);
            changes += i64::from(trouble != before);
            before = trouble;
            let step = STEP_MS.min(entry.until - at);
            match entry.state {
                Observed::Down if script.stays_on(index, at) => down_while_running += step,
                // Cut off alone is no proof either way.
                Observed::Up if trouble.is_some_and(What::is_off) => up_while_off += step,
                Observed::Unreachable if entry.cause == Cause::AliveLog && trouble.is_some_and(What::is_off) => {
                    up_while_off += step;
                }
                _ => {}
            }
            at += step;
        }
    }
    // Down begins at the last entry of an alive log (10 s apart), up ends when silence is noticed.
    let log_ms = 10_000 * (changes + 1);
    assert!(
        down_while_running <= log_ms,
        "seed {seed}: host {host}: {down_while_running} ms down in which it ran\n{}\n{}",
        lines(said),
        script.words(index)
    );
    let suspect_ms = if index == 7 { 75_000 } else { 8_000 };
    assert!(
        up_while_off <= suspect_ms * (changes + 1),
        "seed {seed}: host {host}: {up_while_off} ms up in which it was off\n{}\n{}",
        lines(said),
        script.words(index)
    );
}

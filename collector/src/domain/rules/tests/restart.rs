//! After a restart no finding opens earlier than without it, and at most one `for` later.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bench::{Bench, rows};
use crate::domain::{
    finding::{Judgement, Verdict},
    rules::Rule,
    severity::Severity,
};

const SERIES: [&str; 9] = [
    "node_pressure_io_stalled_seconds_total",
    "node_pressure_memory_stalled_seconds_total",
    "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes",
    "node_nf_conntrack_entries",
    "node_nf_conntrack_entries_limit",
    "node_timex_offset_seconds",
    "node_timex_sync_status",
    "node_systemd_unit_state{name=app.service,state=failed}",
];

/// How a machine does for longer than any window: well or ill, for what hovers between two limits may be judged by what
/// was before.
#[derive(Debug, Clone, Copy)]
struct Spell {
    minutes: u64,
    io: f64,
    memory: f64,
    available: f64,
    connections: f64,
    offset: f64,
    failed: bool,
}

fn spells() -> impl Strategy<Value = Vec<Spell>> {
    let connections = prop_oneof![Just(0.5), Just(0.85), Just(0.99)];
    let spell = (12..30_u64, any::<bool>(), any::<bool>(), connections, any::<bool>(), any::<bool>());
    let spell = spell.prop_map(|(minutes, io, memory, connections, offset, failed)| Spell {
        minutes,
        io: if io { 0.95 } else { 0.05 },
        memory: if memory { 0.4 } else { 0.0 },
        available: if memory { 0.02 } else { 0.3 },
        connections,
        offset: if offset { 0.2 } else { 0.001 },
        failed,
    });
    proptest::collection::vec(spell, 1..6)
}

/// What is open: rule and severity.
type Open = BTreeMap<String, (Severity, Judgement)>;

fn follow(open: &mut Open, told: Vec<Judgement>) -> Result<(), TestCaseError> {
    for judgement in told {
        let rule = judgement.rule.to_owned();
        match &judgement.verdict {
            Verdict::Holds { severity, .. } => {
                let severity = *severity;
                let before = open.insert(rule, (severity, judgement)).map(|(before, _)| before);
                prop_assert_ne!(before, Some(severity), "told twice");
            }
            Verdict::Cleared { .. } => prop_assert!(open.remove(&rule).is_some(), "cleared but not open"),
            Verdict::CannotTell(_) => {}
        }
    }
    Ok(())
}

/// The longest `for` of a rule, and a report more.
fn longest_ms(rule: &str) -> u64 {
    let rule = Rule::named(rule).unwrap();
    let seconds = rule.limit("for").map_or(0.0, |place| rule.limits[place].default);
    // A window is of whole minutes: the one in which the session began is none, nor is the present.
    seconds as u64 * 1_000 + 75_000
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn nothing_opens_earlier_for_it_and_at_most_one_for_later(spells in spells(), restart in 0..100_u64) {
        let (steady, mut restarted) = (Bench::new(&SERIES), Bench::new(&SERIES));
        let (mut open, mut open_after) = (Open::new(), Open::new());
        let mut missing: BTreeMap<String, u64> = BTreeMap::new();
        let (mut io, mut memory, mut step) = (0.0, 0.0, 0);
        for spell in spells {
            // What ends before its `for` is over again may never open anew; what is still open without a restart clears in its
            // own time.
            missing.clear();
            for _ in 0..spell.minutes * 4 {
                step += 1;
                io += spell.io * 15.0;
                memory += spell.memory * 15.0;
                let values = [
                    io, memory, 1e10, 1e10 * spell.available, 1_000.0 * spell.connections, 1_000.0, spell.offset, 1.0,
                    f64::from(u8::from(spell.failed)),
                ];
                let values: Vec<_> = SERIES.into_iter().zip(values).collect();
                if step == restart * 4 + 1 {
                    let fresh = Bench::new(&SERIES);
                    fresh.uptime_ms.set(restarted.uptime_ms.get());
                    fresh.now_ms.set(restarted.now_ms.get());
                    let told: Vec<Judgement> = open_after.values().map(|(_, told)| told.clone()).collect();
                    fresh.slot.adopt(&rows(&told));
                    restarted = fresh;
                }
                for bench in [&steady, &restarted] {
                    bench.wait(15);
                }
                follow(&mut open, steady.judge(&values))?;
                let before: Vec<String> = open_after.keys().cloned().collect();
                follow(&mut open_after, restarted.judge(&values))?;
                for rule in open_after.keys().filter(|rule| !before.contains(rule)) {
                    prop_assert!(open.contains_key(rule), "{rule} opened earlier");
                }
                for (rule, (severity, _)) in &open {
                    let there = open_after.get(rule).is_some_and(|(other, _)| other >= severity);
                    let since = *missing.entry(rule.clone()).or_insert(step);
                    if there {
                        missing.remove(rule);
                    } else {
                        prop_assert!((step - since) * 15_000 <= longest_ms(rule), "{rule} is late by {}", step - since);
                    }
                }
                missing.retain(|rule, _| open.contains_key(rule));
            }
        }
    }
}

//! The power fails while the collector works; `tests/long power` tries some hundred instants.

use std::sync::Arc;
use std::time::Duration;

use muster_tests::power::check::judge;
use muster_tests::power::cut::choose;
use muster_tests::power::promise::told_ns;
use muster_tests::power::scene::{Plan, record_of};

/// Printed with what was broken, and chosen once.
const SEED: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_power_cut_at_any_instant_the_collector_starts_by_itself_and_has_kept_its_word() {
    let plan = Plan { hosts: 1, lives: 1, work: Duration::from_secs(2) };
    let recording = Arc::new(record_of(plan).await.expect("strace notes all that the collector does"));
    let begins: Vec<u64> = recording.phases.iter().map(|(at_ns, _)| *at_ns).collect();
    let told_ns = told_ns(&recording.words);
    assert!(told_ns.len() >= 10, "little was promised: {:?}", recording.words);
    let cuts = choose(&recording.disk, &begins, &told_ns, 10, SEED);
    assert_eq!(cuts.len(), 10);
    for cut in &cuts {
        let verdict = judge(&recording, cut).await;
        let phase = &recording.phases[cut.what.0].1;
        assert!(
            verdict.has_started && verdict.broken.is_empty(),
            "seed {SEED}, {phase}, {cut:?}: {:#?}",
            verdict.broken
        );
    }
}

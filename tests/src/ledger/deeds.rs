//! What is done to each machine, as its seed says.

use std::time::Duration;

use muster_agent::clock::now;
use muster_tests::measure::random::Random;
use muster_tests::wait::pass;
use tokio::task::JoinSet;

use crate::fleet::Machine;

/// Troubles of every machine, until a moment of boot time. All end with their machine running and its network whole.
pub(crate) fn begin(machines: Vec<Machine>, seed: u64, until_ms: u64) -> JoinSet<Machine> {
    let mut deeds = JoinSet::new();
    for machine in machines {
        let random = Random::of(seed.wrapping_add(1_000 * (1 + machine.number as u64)));
        deeds.spawn_local(live(machine, random, until_ms));
    }
    deeds
}

async fn live(mut machine: Machine, mut random: Random, until_ms: u64) -> Machine {
    loop {
        wait(&mut random, 5_000, 45_000).await;
        if now().boottime_ms >= until_ms {
            return machine;
        }
        match random.below(6) {
            // A cut, shorter and longer than what is noticed.
            0 | 1 => {
                machine.network.cut().await;
                machine.cuts += 1;
                wait(&mut random, 1_000, 40_000).await;
                machine.network.heal().await;
            }
            // A crash: nobody says goodbye for a machine whose power is gone.
            2 | 3 => {
                machine.network.cut().await;
                machine.cuts += 1;
                if random.below(2) == 0 {
                    wait(&mut random, 500, 20_000).await;
                }
                machine.crash().await;
                wait(&mut random, 2_000, 30_000).await;
                machine.boot();
                if random.below(2) == 0 {
                    wait(&mut random, 500, 15_000).await;
                }
                machine.network.heal().await;
            }
            kind => {
                machine.lose_agent(kind == 4).await;
                wait(&mut random, 500, 20_000).await;
                machine.start();
            }
        }
    }
}

async fn wait(random: &mut Random, least_ms: u64, most_ms: u64) {
    pass(Duration::from_millis(least_ms + random.below(most_ms - least_ms))).await;
}

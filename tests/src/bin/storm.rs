//! Storms: 500 and 5 000 hosts cut off at once, and 1 000 incidents for a receiver that takes 120 messages a minute
//!
//! `storm [--few 500] [--many 5000] [--networks 10] [--incidents 1000]`
//!
//! The hosts are simulated, through the agent's real uplink, in processes of their own, each in a network namespace of
//! its own. Their cables end at one trunk, which is cut in silence (every packet dropped) and joined again after a minute.
//! Each fleet is cut once with hosts that say no site, and the larger one once more with a site for each network.
//! Whoever goes through the cut is unreachable, neither down nor without its agent: one page, one recovery, no warning.
//!
//! The receiver of the 1 000 incidents answers 429 with `Retry-After` beyond 120 in any minute; five critical ones are
//! raised while the others wait. Needs root.

#[path = "../storm/cut.rs"]
mod cut;
#[path = "../storm/toll.rs"]
mod toll;

use anyhow::{Result, ensure};
use muster_tests::measure::figures::{flag, say};
use muster_tests::measure::{fleet, ground, meter};

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(fleet::ROLE) {
        return fleet::serve();
    }
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let (few, many): (usize, usize) = (flag("--few", 500), flag("--many", 5_000));
    // The toll is waiting, nearly all of the time.
    let cuts = async {
        let mut cuts = Vec::new();
        for (hosts, sites) in [(few, false), (few, true), (many, false)] {
            if hosts > 0 {
                cuts.push(cut::run(hosts, sites).await?);
            }
        }
        anyhow::Ok(cuts)
    };
    let (cuts, toll) = tokio::join!(cuts, toll::run(flag("--incidents", 1_000)));
    let (cuts, toll) = (cuts?, toll?);
    say(&format!("load average at the end {}", meter::load_average()));
    say("");
    cut::report(&cuts);
    say("");
    toll.report();
    ensure!(cuts.iter().all(cut::Found::is_good), "a cut was not all unreachable, one page and one recovery");
    ensure!(toll.is_good(), "a page was lost, or a critical one was late");
    Ok(())
}

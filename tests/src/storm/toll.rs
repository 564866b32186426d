//! Many incidents for a receiver that takes few messages.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use muster_agent::clock::boottime_ns;
use muster_tests::Collector;
use muster_tests::measure::alerts::Alerts;
use muster_tests::measure::figures::{Table, progress, say, short};
use muster_tests::measure::toll::Toll;
use muster_tests::wait::{eventually, pass};

/// Messages that the receiver takes in any minute.
const LIMIT: usize = 120;
/// Incidents of one post, as Prometheus sends them.
const AT_ONCE: usize = 250;
/// Critical incidents that are raised while the others wait.
const CRITICAL: usize = 5;
/// A critical one is through within so many seconds.
const THROUGH_S: f64 = 60.0;

/// What came of it.
pub(crate) struct Found {
    incidents: usize,
    taken: usize,
    repeated: usize,
    refused: u64,
    seconds: f64,
    /// Seconds from each critical alert to its page taken, and how many warnings still waited.
    critical: Vec<(f64, usize)>,
}

/// Raises so many incidents at once.
pub(crate) async fn run(incidents: usize) -> Result<Found> {
    let toll = Toll::start(LIMIT);
    let receiver = format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n", toll.url());
    let collector = Collector::start(&receiver).await;
    let alerts = Alerts::to(&collector).await;
    let names: Vec<String> = (0..incidents).map(|number| format!("Storm{number}")).collect();
    let began_ns = boottime_ns();
    for some in names.chunks(AT_ONCE) {
        alerts.fire(some, "warning").await?;
    }
    let mut critical = Vec::new();
    for number in 0..CRITICAL {
        // Not in step with the receiver's minute.
        pass(Duration::from_millis(if number == 0 { 3_000 } else { 67_000 })).await;
        let name = format!("Worse{number}");
        let waiting = incidents - names.iter().filter(|name| toll.book().about.contains_key(name.as_str())).count();
        let from_ns = boottime_ns();
        alerts.fire(std::slice::from_ref(&name), "critical").await?;
        // Alerts end when they are not said again.
        for some in names.chunks(AT_ONCE) {
            alerts.fire(some, "warning").await?;
        }
        let told = || async { toll.book().about.get(&name).copied() };
        let at_ns = eventually("a critical page", Duration::from_secs(300), told).await;
        critical.push(((at_ns - from_ns) as f64 / 1e9, waiting));
        progress(&format!("a critical page among {waiting}: {} s", short((at_ns - from_ns) as f64 / 1e9)));
    }
    let wanted: BTreeSet<&String> = names.iter().collect();
    let minutes = (incidents + CRITICAL).div_ceil(LIMIT) as u64 + 2;
    let all_told = || wanted.iter().all(|name| toll.book().about.contains_key(name.as_str()));
    while !all_told() && boottime_ns() - began_ns < minutes * 60_000_000_000 {
        pass(Duration::from_secs(20)).await;
        for some in names.chunks(AT_ONCE) {
            alerts.fire(some, "warning").await?;
        }
    }
    let book = toll.book();
    let last = book.about.iter().filter(|(name, _)| wanted.contains(name)).map(|(_, at)| *at).max().unwrap_or(began_ns);
    Ok(Found {
        incidents,
        taken: wanted.iter().filter(|name| book.about.contains_key(name.as_str())).count(),
        repeated: book.taken.values().filter(|times| times.len() > 1).count(),
        refused: book.refused,
        seconds: (last - began_ns) as f64 / 1e9,
        critical,
    })
}

impl Found {
    fn slowest(&self) -> f64 {
        self.critical.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.taken == self.incidents && self.slowest() <= THROUGH_S
    }

    pub(crate) fn report(&self) {
        say(&format!("{} incidents at once; the receiver answers 429 beyond {LIMIT} in any minute", self.incidents));
        let mut table = Table::new(&["figure", "measured", "goal", "of the goal"]);
        table.against("lost", (self.incidents - self.taken) as f64, "", None);
        table.against("taken twice", self.repeated as f64, "", None);
        table.against("requests that were answered 429", self.refused as f64, "", None);
        table.against("until all are told", self.seconds, "s", None);
        table.against("slowest of the critical ones raised meanwhile", self.slowest(), "s", Some(THROUGH_S));
        table.print();
        for (seconds, waiting) in &self.critical {
            say(&format!("  a critical one while {waiting} warnings waited: {} s", short(*seconds)));
        }
    }
}

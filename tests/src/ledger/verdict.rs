//! Ledgers laid beside the script.

use anyhow::{Context as _, Result, ensure};
use muster_agent::clock::now;
use muster_tests::collector::Entry;
use muster_tests::measure::figures::{Table, progress, say};
use serde_json::Value;

use crate::fleet::{AGREEMENT, Fleet, Machine, Was};

/// One beat of an alive log while nobody listens, and what a start of the agent takes on a busy machine.
const BEAT_MS: i64 = 10_000;
const BUCKETS: [&str; 7] =
    ["outside_hours_ms", "up_ms", "down_ms", "maintenance_ms", "unreachable_ms", "collector_down_ms", "unknown_ms"];

/// How a ledger compares with what was so, in milliseconds.
#[derive(Debug, Default)]
struct Sums {
    /// Down, although the machine ran.
    wrongly_down: i64,
    /// Up or cut off, although it was off.
    wrongly_up: i64,
    /// Unknown, although it ran and its agent with it.
    wrongly_unknown: i64,
    /// Off by the script.
    off: i64,
    /// Without its agent, by the script.
    alone: i64,
    /// By the ledger.
    down: i64,
    /// Of this, while its agent alone was gone.
    down_alone: i64,
    unreachable: i64,
    collector_down: i64,
    unknown: i64,
    /// Holes and overlaps.
    torn: usize,
}

impl Sums {
    /// Whether it says nothing that was not so, but for a beat at each change.
    fn is_good(&self, host: &Machine) -> bool {
        let most = BEAT_MS * 2 * i64::try_from(host.past.len()).unwrap_or(0);
        self.wrongly_down <= most && self.wrongly_up <= most && self.wrongly_unknown <= most && self.torn == 0
    }
}

/// What the first acts promise.
pub(crate) struct Promise {
    /// So many of the first hosts were rebooted behind a cut.
    pub(crate) rebooted: usize,
    /// So many incidents about liveness until now, one for each cut.
    pub(crate) incidents: Option<usize>,
    /// How long the collector was away, in milliseconds: at least, and at most.
    pub(crate) away_ms: (i64, i64),
}

/// What an opening act came to, in one line; whether it was as promised.
pub(crate) async fn opened(fleet: &Fleet, what: &str, promise: &Promise) -> Result<bool> {
    let subjects = subjects(fleet).await?;
    let all: Vec<Sums> = fleet.hosts.iter().map(|host| sums(fleet, host)).collect();
    let mut good = true;
    for ((place, host), sums) in fleet.hosts.iter().enumerate().zip(&all) {
        let rebooted = place < promise.rebooted;
        let whole = rebooted || subject(&subjects, host)?["availability_ratio"] == 1.0;
        let (least, most) = promise.away_ms;
        let as_promised = sums.is_good(host)
            && whole
            && (sums.down > 0) == rebooted
            && sums.unknown == 0
            && sums.unreachable >= 100_000
            && (least..=most).contains(&sums.collector_down);
        if !as_promised {
            good = false;
            explain(fleet, host);
        }
    }
    let most = |of: &dyn Fn(&Sums) -> i64| all.iter().map(of).max().unwrap_or(0) as f64 / 1e3;
    let count = |fits: &dyn Fn(&Sums) -> bool| all.iter().filter(|one| fits(one)).count();
    let incidents = fleet.collector.incidents().await;
    let of_liveness = |incident: &&Value| incident["key"].as_str().is_some_and(|key| key.starts_with("liveness/"));
    let incidents = incidents.iter().filter(of_liveness).count();
    good &= promise.incidents.is_none_or(|promised| promised == incidents);
    say(&format!(
        "{what}: {} of {} hosts unreachable, {} down ({:.1} s; off for {:.1} s), {:.1} s of the collector's own, {:.1} s \
         unknown, {incidents} incidents of liveness so far: {}",
        count(&|one: &Sums| one.unreachable > 0),
        all.len(),
        count(&|one: &Sums| one.down > 0),
        most(&|one: &Sums| one.down),
        most(&|one: &Sums| one.off),
        most(&|one: &Sums| one.collector_down),
        most(&|one: &Sums| one.unknown),
        if good { "as promised" } else { "NOT as promised" },
    ));
    Ok(good)
}

/// Prints all ledgers beside the script; whether none contradicts it.
pub(crate) async fn report(fleet: &Fleet) -> Result<bool> {
    let heads = [
        "host",
        "own cuts",
        "boots",
        "agent lost",
        "off",
        "down",
        "down, yet it ran",
        "up, yet it was off",
        "unknown, yet it ran",
        "agent alone gone",
        "down meanwhile",
        "unreachable",
        "collector down",
        "unknown",
        "torn",
    ];
    let (mut table, mut good) = (Table::new(&heads), true);
    let seconds = |ms: i64| format!("{:.1} s", ms as f64 / 1e3);
    for host in &fleet.hosts {
        let sums = sums(fleet, host);
        let boots = host.past.iter().filter(|(was, ..)| *was == Was::Off).count();
        if !sums.is_good(host) {
            good = false;
            explain(fleet, host);
        }
        table.row([
            format!("{} {}", host.agent.name, host.watch),
            host.cuts.to_string(),
            boots.to_string(),
            (host.past.len() - boots).to_string(),
            seconds(sums.off),
            seconds(sums.down),
            seconds(sums.wrongly_down),
            seconds(sums.wrongly_up),
            seconds(sums.wrongly_unknown),
            seconds(sums.alone),
            seconds(sums.down_alone),
            seconds(sums.unreachable),
            seconds(sums.collector_down),
            seconds(sums.unknown),
            sums.torn.to_string(),
        ]);
    }
    table.print();
    add_up(fleet).await?;
    Ok(good)
}

/// What the agreement says of each host.
async fn subjects(fleet: &Fleet) -> Result<Vec<Value>> {
    let report = fleet.collector.cli(&["--json", "sla", "report", "--agreement", AGREEMENT]).await;
    let report: Value = serde_json::from_str(&report)?;
    let subjects = report["subjects"].as_array().context("subjects")?;
    ensure!(subjects.len() == fleet.hosts.len(), "{} subjects of {} hosts", subjects.len(), fleet.hosts.len());
    Ok(subjects.clone())
}

fn subject<'a>(subjects: &'a [Value], host: &Machine) -> Result<&'a Value> {
    let found = subjects.iter().find(|subject| subject["subject"] == host.agent.name.as_str());
    found.with_context(|| format!("{} is no subject", host.agent.name))
}

/// The buckets of each subject make up the window, and are those of its ledger.
async fn add_up(fleet: &Fleet) -> Result<()> {
    let subjects = subjects(fleet).await?;
    for host in &fleet.hosts {
        let subject = subject(&subjects, host)?;
        let ms = |bucket: &str| subject[bucket].as_i64().with_context(|| format!("{bucket} in {subject}"));
        let sum = BUCKETS.iter().map(|bucket| ms(bucket)).sum::<Result<i64>>()?;
        ensure!(sum == ms("window_ms")?, "buckets of {sum} ms in {subject}");
        let sums = sums(fleet, host);
        for (bucket, expected) in [
            ("down_ms", sums.down),
            ("unreachable_ms", sums.unreachable),
            ("collector_down_ms", sums.collector_down),
            ("unknown_ms", sums.unknown),
        ] {
            ensure!(ms(bucket)? == expected, "{bucket}: {expected} by the ledger in {subject}");
        }
    }
    say(&format!("the buckets of all {} reports add up to their window, and are those of the ledgers", subjects.len()));
    Ok(())
}

fn sums(fleet: &Fleet, host: &Machine) -> Sums {
    let ledger = with_open_end(fleet.collector.ledger(&host.agent.host));
    let mut sums = Sums { torn: torn(&ledger), ..Sums::default() };
    for (was, from, until) in &host.past {
        match was {
            Was::Off => sums.off += until - from,
            Was::WithoutAgent => sums.alone += until - from,
        }
    }
    for entry in &ledger {
        let length = entry.to_ms - entry.from_ms;
        let (off, alone) = (overlap(host, entry, Was::Off), overlap(host, entry, Was::WithoutAgent));
        match entry.state.as_str() {
            "down" => {
                sums.down += length;
                sums.down_alone += alone;
                sums.wrongly_down += length - off - alone;
            }
            "unreachable" => {
                sums.unreachable += length;
                sums.wrongly_up += off;
            }
            "up" => sums.wrongly_up += off,
            "collector_down" => sums.collector_down += length,
            _ => {
                sums.unknown += length;
                sums.wrongly_unknown += length - off - alone;
            }
        }
    }
    sums
}

/// How long a machine was so within an entry.
fn overlap(host: &Machine, entry: &Entry, wanted: Was) -> i64 {
    let spans = host.past.iter().filter(|(was, ..)| *was == wanted);
    spans.map(|(_, from, until)| ((*until).min(entry.to_ms) - (*from).max(entry.from_ms)).max(0)).sum()
}

/// All are up at the end: what follows the last entry is that.
fn with_open_end(mut ledger: Vec<Entry>) -> Vec<Entry> {
    let Some(last) = ledger.last() else { return ledger };
    let (from_ms, to_ms) = (last.to_ms, now().wall_ms);
    ledger.push(Entry { from_ms, to_ms, state: "up".into(), cause: String::new(), evidence: String::new() });
    // Enrolled, not heard of yet: not in service.
    ledger.retain(|entry| !entry.cause.contains("enrolled"));
    ledger
}

fn torn(ledger: &[Entry]) -> usize {
    ledger.windows(2).filter(|pair| pair[0].to_ms != pair[1].from_ms).count()
}

fn explain(fleet: &Fleet, host: &Machine) {
    progress(&format!("{}: by the script {:?}", host.agent.name, host.past));
    for entry in fleet.collector.ledger(&host.agent.host) {
        let Entry { from_ms, to_ms, state, cause, evidence } = entry;
        progress(&format!("  {from_ms} to {to_ms} ({} ms) {state} {cause}: {evidence}", to_ms - from_ms));
    }
}

//! What the records grow by: bytes for each host and month, by kind
//!
//! `growth [--hosts 40] [--months 4]`
//!
//! Simulated servers tell what a server tells with the shipped configuration, month after month, and all of it is written
//! by the store as in production: hours of 20 readings, minute by minute; the inventory of 900 packages, 120 services and
//! 30 users, of which 6 packages are updated each week; two drives whose evidence differs each hour; two outages, an
//! incident that is paged and taken, a finding, ten results of a check, ten lines of the kernel, half an hour of roll-ups.
//! Days are folded and forgotten as in production. What each kind takes is what `muster-collector store` shows.
//!
//! The last month is the growth: by then minutes, evidence and roll-ups are as many as they will ever be, since what is
//! new takes the place of what is forgotten. How much a fleet takes after years follows from that and from how long each
//! kind is kept.

#[path = "../growth/host.rs"]
mod host;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use host::Server;
use muster_collector::domain::ids::HostNo;
use muster_collector::domain::retention::Retention;
use muster_collector::domain::time::Timestamp;
use muster_collector::domain::trend::{phase_of, row_of};
use muster_collector::store::Store;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::signals::Signals;

/// 2026-11-01T00:00:00Z, in minutes.
const BEGIN: i64 = 29_691_360;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// Days of a month here.
const MONTH: i64 = 30 * DAY;
const QUOTA: u64 = 1 << 40;
/// Rows of one transaction, as the collector writes them.
const SLICE: usize = 50;
/// The fleet of the last column.
const FLEET: f64 = 500.0;
const YEARS: f64 = 3.0;
const DAYS_A_MONTH: f64 = 30.0;
const DAY_MS: f64 = 86_400_000.0;

/// Bytes by kind.
type Sizes = BTreeMap<&'static str, f64>;

fn main() -> Result<()> {
    let (hosts, months) = (flag("--hosts", 40_i64), flag("--months", 4_i64));
    ensure!(months >= 3, "--months {months}: growth is steady from the third month on");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let home = tempfile::tempdir()?;
    let store = Store::open(home.path(), at(BEGIN))?;
    let empty = runtime.block_on(sizes(&store))?;
    let mut fleet: Vec<Server> = (1..=hosts).map(|no| Server::new(no, at(BEGIN))).collect();
    let mut signals: Vec<Signals> = (1..=hosts).map(Signals::of).collect();
    let mut ends = vec![empty];
    for month in 0..months {
        let begin = BEGIN + month * MONTH;
        runtime.block_on(live(&store, &mut fleet, &mut signals, (month, begin)))?;
        ends.push(runtime.block_on(sizes(&store))?);
        progress(&format!("month {} of {months}", month + 1));
    }
    print(hosts as f64, &ends);
    Ok(())
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_ms(minute * 60_000)
}

/// A month of all hosts.
async fn live(store: &Store, fleet: &mut [Server], signals: &mut [Signals], (month, begin): (i64, i64)) -> Result<()> {
    for server in fleet.iter_mut() {
        if month == 0 {
            server.enrol(store, at(begin)).await?;
        }
        server.month(store, month, at(begin + DAY)).await?;
    }
    for minute in begin..begin + MONTH {
        let due = signals.iter_mut().filter(|host| row_of(minute, phase_of(host.host)) == minute);
        let rows: Vec<_> = due.map(|host| (HostNo(host.host), host.hour(minute - HOUR))).collect();
        for slice in rows.chunks(SLICE) {
            store.write_trends(slice.to_vec(), QUOTA, at(minute)).await?;
        }
        let passed = minute - BEGIN;
        for server in fleet.iter_mut() {
            if passed % WEEK == 3 * DAY {
                server.week(store, usize::try_from(passed / WEEK)?, at(minute)).await?;
            }
            if passed % HOUR == server.no.0 % HOUR {
                server.hour(store, passed / HOUR, at(minute)).await?;
            }
        }
        if passed % DAY == 0 {
            store.prune(at(minute)).await?;
            store.heartbeat(at(minute)).await?;
        }
    }
    Ok(())
}

/// What each kind takes, once what was forgotten is counted out.
async fn sizes(store: &Store) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for size in store.sizes().await?.into_iter().filter(|size| size.kind != "free") {
        *sizes.entry(size.kind).or_default() += size.bytes as f64;
    }
    Ok(sizes)
}

/// For how many months a kind grows; evidence of the hardware ends within days.
fn grows_for(kind: &str) -> f64 {
    let kept = Retention::default();
    let months = |ms: i64| ms as f64 / DAY_MS / DAYS_A_MONTH;
    let whole = YEARS * 365.25 / DAYS_A_MONTH;
    match kind {
        "trends" => months(kept.trends_ms).min(whole),
        "inventory" => months(kept.inventory_ms).min(whole),
        "hardware" => 0.0,
        _ => whole,
    }
}

fn print(hosts: f64, ends: &[Sizes]) {
    let (empty, first, last) = (&ends[0], &ends[1], &ends[ends.len() - 1]);
    let before = &ends[ends.len() - 2];
    let of = |sizes: &Sizes, kind: &str| sizes.get(kind).copied().unwrap_or(0.0);
    say(&format!(
        "{hosts} hosts, {} months of 30 days; bytes of a host, each kind with its indexes, as muster-collector store has them\n",
        ends.len() - 1
    ));
    let fleet = format!("MB of {FLEET} hosts after {YEARS} years");
    let mut table = Table::new(&["kind", "first month", "last month, growth", "kept", &fleet]);
    let (mut sum, mut all) = ([0.0; 2], 0.0);
    for kind in last.keys() {
        let began = (of(first, kind) - of(empty, kind)) / hosts;
        let growth = ((of(last, kind) - of(before, kind)) / hosts).max(0.0);
        let stands = (of(last, kind) - of(empty, kind)) / hosts;
        let months = (ends.len() - 1) as f64;
        let grows = grows_for(kind);
        let years = (stands + growth * (grows - months).max(0.0)) * FLEET;
        let kept = if grows > 0.0 { format!("{} months", short(grows)) } else { "as many as there are now".to_owned() };
        table.row([(*kind).to_owned(), short(began), short(growth), kept, short(years / 1e6)]);
        (sum[0], sum[1], all) = (sum[0] + began, sum[1] + growth, all + years);
    }
    table.row(["all".to_owned(), short(sum[0]), short(sum[1]), String::new(), short(all / 1e6)]);
    table.print();
}

//! What trends cost: bytes of a host in a year, CPU of a host in an hour
//!
//! `trends [--hosts 200] [--days 36]`
//!
//! Simulated hosts with 20 readings each write their hours to a real store, day after day, each at its own minute; the
//! days that are over are folded as in production, and after each hour the forecast is read off the last two days. The
//! file grows until minutes are as many as they will ever be, then only by hours: its growth from the twentieth day on, over
//! the sixteen days that hours are joined by, is what a year is reckoned with. Signals wander, jitter and stand still as those of servers do: see `Signals`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use muster_collector::domain::ids::HostNo;
use muster_collector::domain::time::Timestamp;
use muster_collector::domain::trend::{forecast, phase_of, row_of};
use muster_collector::store::Store;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::meter;
use muster_tests::measure::signals::Signals;

/// 2026-11-01T00:00:00Z, in minutes.
const BEGIN: i64 = 29_691_360;
/// From here on only hours grow.
const STEADY_DAY: i64 = 20;
const DAY: i64 = 24 * 60;
const QUOTA: u64 = 1 << 40;
/// Rows of one transaction, as the collector writes them.
const SLICE: usize = 50;
/// The goals: bytes of 10 000 hosts after a year, and the share of a core that they may keep busy.
const FLEET: f64 = 10_000.0;
const GOAL_GB: f64 = 1.5;
const GOAL_CORE: f64 = 2.0;

fn main() -> Result<()> {
    let (hosts, days) = (flag("--hosts", 200_i64), flag("--days", STEADY_DAY + 16).max(STEADY_DAY + 16));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let home = tempfile::tempdir()?;
    let store = Store::open(home.path(), at(BEGIN))?;
    let mut machines: Vec<_> = (0..hosts).map(Signals::of).collect();
    let mut sizes = BTreeMap::new();
    let mut spent = Spent::default();
    for day in 0..days {
        for minute in day * DAY..(day + 1) * DAY {
            runtime.block_on(hour_ends(&store, &mut machines, BEGIN + minute, &mut spent))?;
        }
        sizes.insert(day + 1, size_of(home.path())?);
        progress(&format!("day {}: {} MB", day + 1, short(sizes[&(day + 1)] / 1e6)));
    }
    print(hosts as f64, days, &sizes, &spent);
    Ok(())
}

/// What was used up, seconds of CPU.
#[derive(Debug, Default)]
struct Spent {
    rows: f64,
    bytes: f64,
    writing: f64,
    foretelling: f64,
}

/// Writes the hours of all machines whose hour ends with this minute.
async fn hour_ends(store: &Store, machines: &mut [Signals], minute: i64, spent: &mut Spent) -> Result<()> {
    let due = machines.iter_mut().filter(|machine| row_of(minute, phase_of(machine.host)) == minute);
    let rows: Vec<_> = due.map(|machine| (HostNo(machine.host), machine.hour(minute - 60))).collect();
    let me = i32::try_from(std::process::id()).context("a process id")?;
    for slice in rows.chunks(SLICE) {
        let before = meter::fine_cpu_seconds(me);
        store.write_trends(slice.to_vec(), QUOTA, at(minute)).await?;
        let written = meter::fine_cpu_seconds(me);
        let filling = slice.iter().filter(|(_, row)| forecast::may_fill(row));
        let hosts = filling.map(|(host, _)| *host).collect();
        let known = store.minutes_of(hosts, at(minute - 2 * DAY)).await?;
        let found: usize = known.values().map(|rows| forecast::filling(rows).len()).sum();
        anyhow::ensure!(found <= 8 * slice.len(), "more file systems than there are");
        spent.foretelling += meter::fine_cpu_seconds(me) - written;
        spent.writing += written - before;
        spent.rows += slice.len() as f64;
        spent.bytes += slice.iter().map(|(_, row)| row.pack().len() as f64).sum::<f64>();
    }
    Ok(())
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_ms(minute * 60_000)
}

/// The database with all that is in its log.
fn size_of(directory: &std::path::Path) -> Result<f64> {
    let file = directory.join("facts.db");
    rusqlite::Connection::open(&file)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(std::fs::metadata(file)?.len() as f64)
}

fn print(hosts: f64, days: i64, sizes: &BTreeMap<i64, f64>, spent: &Spent) {
    let (steady, end) = (sizes[&STEADY_DAY], sizes[&days]);
    let growth = (end - steady) / hosts / (days - STEADY_DAY) as f64;
    let minutes = steady / hosts - growth * STEADY_DAY as f64;
    let year = minutes + 365.0 * growth;
    let per_hour = (spent.writing + spent.foretelling) / spent.rows;
    say(&format!(
        "{hosts} hosts, 20 readings, {days} days; file {} MB on day {STEADY_DAY}, {} MB at the end",
        short(steady / 1e6),
        short(end / 1e6)
    ));
    say(&format!(
        "a host: {} B of hours a day (({} - {}) MB / {hosts} / {} days), {} KB of minutes; an hour of minutes is {} B packed, {} bit a value",
        short(growth),
        short(end / 1e6),
        short(steady / 1e6),
        days - STEADY_DAY,
        short(minutes / 1e3),
        short(spent.bytes / spent.rows),
        short(spent.bytes / spent.rows * 8.0 / 1200.0),
    ));
    say("");
    let mut table = Table::new(&["10 000 hosts", "measured", "goal", "of the goal"]);
    table.against(
        "on disk after a year: 10 000 x (minutes + 365 x hours of a day)",
        year * FLEET / 1e9,
        "GB",
        Some(GOAL_GB),
    );
    table.against("on disk after 13 months", (year + 31.0 * growth) * FLEET / 1e9, "GB", None);
    table.against("CPU: writing and folding, a host's hour", spent.writing / spent.rows * 1e3, "ms", None);
    table.against("CPU: forecast, a host's hour", spent.foretelling / spent.rows * 1e3, "ms", None);
    table.against(
        "share of a core: 10 000 hosts x that / 3 600 s",
        per_hour * FLEET / 3600.0 * 100.0,
        "%",
        Some(GOAL_CORE),
    );
    table.print();
}

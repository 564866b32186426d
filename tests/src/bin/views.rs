//! What a page of the Status view costs with a large fleet, the first time and again
//!
//! `views [--hosts 10000] [--rounds 30]`
//!
//! The state of a collector is prepared: so many hosts, every tenth with a finding, and two days of trends of those that
//! stand on the pages that are asked for. Then the released program serves it, and is asked over its socket. "first" is a
//! page whose sketches have not been read yet, "again" the same page later, as it is fetched every ten seconds.

use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use muster_collector::{
    domain::{
        finding::FindingRow,
        ids::{HostId, HostNo},
        labels::{Admission, Class, Facts, Profile},
        layers::{Layer, Layers},
        record::Row,
        severity::Severity,
        time::Timestamp,
        trend::{Minutes, READINGS, Series, phase_of, row_of},
        watch::Watch,
    },
    store::Store,
};
use muster_tests::measure::figures::{Table, flag, percentile, progress, say, short};
use muster_tests::{Collector, http};
use tokio::time::Instant;

/// Rows of a page of the Status view.
const PAGE: i64 = 100;
/// Pages that are asked for the first time.
const PAGES: i64 = 5;
const HOURS: i64 = 48;
const QUOTA: u64 = 1 << 40;
const GOAL_MS: f64 = 200.0;
/// Hosts recorded in one commit.
const SLICE: usize = 500;

fn main() -> Result<()> {
    let (hosts, rounds) = (flag("--hosts", 10_000_i64), flag("--rounds", 30_usize));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(hosts, rounds))
}

async fn measure(hosts: i64, rounds: usize) -> Result<()> {
    let mut collector = Collector::prepare("");
    let now = wall_clock()?;
    let drawn = hosts.min(PAGES * PAGE);
    prepare(&collector, hosts, drawn, now).await?;
    collector.run().await;
    let mut table = Table::new(&["view", "median", "longest", "page"]);
    let mut first = Vec::new();
    for page in 1..=drawn.div_euclid(PAGE).max(1) {
        first.push(ask(&collector, &format!("/?sort=name&page={page}")).await?);
    }
    table.row(row("a page, first", &first));
    for (name, path) in [
        ("the same page again", "/?sort=name&page=1"),
        ("worst first", "/"),
        ("a part of the name", "/?search=host-0000&sort=name"),
        ("a label", "/?label=owner%3Dann&sort=name"),
        ("unsorted", "/?site=unsorted&sort=name"),
    ] {
        ask(&collector, path).await?;
        let mut again = Vec::new();
        for _ in 0..rounds {
            again.push(ask(&collector, path).await?);
        }
        table.row(row(name, &again));
    }
    say(&format!(
        "{hosts} hosts, {PAGE} on a page, {HOURS} hours of {} readings each; goal {GOAL_MS} ms\n",
        series().len()
    ));
    table.print();
    Ok(())
}

fn row(name: &str, answers: &[(f64, usize)]) -> [String; 4] {
    let times: Vec<f64> = answers.iter().map(|(ms, _)| *ms).collect();
    let bytes = answers.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let ms = |share| format!("{} ms", short(percentile(&times, share)));
    [name.to_owned(), ms(0.5), ms(1.0), format!("{} KiB", bytes / 1024)]
}

/// Milliseconds and bytes of one answer.
async fn ask(collector: &Collector, path: &str) -> Result<(f64, usize)> {
    let begun = Instant::now();
    let answer = http::get(&collector.url(path)).await.context("the collector answers")?;
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(answer.status == 200, "{path}: {}", answer.status);
    Ok((ms, answer.body.len()))
}

async fn prepare(collector: &Collector, hosts: i64, drawn: i64, now: Timestamp) -> Result<()> {
    let store = Store::open(&collector.state(), now)?;
    let mut rows: Vec<Row> = (1..=hosts).map(host).collect::<Result<_>>()?;
    rows.extend((1..=hosts).filter(|no| no % 10 == 0).map(|no| finding(no, now)));
    for slice in rows.chunks(SLICE) {
        store.commit(slice.to_vec()).await?;
    }
    for no in 1..=drawn {
        store.write_trends(past(no, now), QUOTA, now).await?;
        if no % PAGE == 0 {
            progress(&format!("{no} hosts have a past"));
        }
    }
    Ok(())
}

fn host(no: i64) -> Result<Row> {
    let said = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let mut layers = Layers::default().with(Layer::Guess, &said("class", "server"));
    if no % 3 != 0 {
        layers = layers.with(Layer::Token, &said("site", ["berlin", "ulm"][usize::from(no % 3 == 1)]));
    }
    layers = layers.with(Layer::Asset, &said("owner", ["ann", "bob"][usize::from(no % 2 == 1)]));
    let mut profile = Profile {
        no: HostNo(no),
        id: HostId::from_str(&format!("00000000-0000-7000-8000-{no:012}"))?,
        name: format!("host-{no:06}"),
        class: Class::Server,
        site: None,
        watch: Watch::Normal,
        labels: Default::default(),
        layers: Layers::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    };
    profile.relabel(layers);
    Ok(Row::Host(Box::new(profile)))
}

fn finding(no: i64, now: Timestamp) -> Row {
    Row::Finding(FindingRow {
        host: HostNo(no),
        part: "/var".into(),
        rule: "filesystem_space".into(),
        open: true,
        severity: Severity::Info,
        since: now,
        evidence: "/var: 3.1 GiB of 100 GiB free (3 %), below 5 %".into(),
        cause: None,
    })
}

/// Two readings of each kind that may have parts, one of the others.
fn series() -> Vec<Series> {
    let parts = |label: &str| if label.is_empty() { vec![""] } else { vec!["a", "b", "c"] };
    let of = |reading: &'static muster_collector::domain::trend::Reading| {
        parts(reading.label).into_iter().filter_map(|part| Series::new(reading.name, part))
    };
    READINGS.iter().flat_map(of).collect()
}

/// Two days of minutes that wander a little, each host in its own way.
fn past(no: i64, now: Timestamp) -> Vec<(HostNo, Minutes)> {
    let present = row_of(now.ms() / 60_000, phase_of(no));
    let series = series();
    let hour = |ago: i64| {
        let mut row = Minutes::new(present - ago * 60);
        for minute in row.from..row.from + 60 {
            for (place, series) in series.iter().enumerate() {
                let phase = (minute * 13 + no * 7 + place as i64 * 31).rem_euclid(97) as f64 / 97.0;
                row.set(minute, series, 1e9 * (1.0 + phase + ((minute / 60 + no) % 24) as f64));
            }
        }
        (HostNo(no), row)
    };
    (1..HOURS).rev().map(hour).collect()
}

fn wall_clock() -> Result<Timestamp> {
    Ok(muster_collector::clock::Clock::start().now())
}

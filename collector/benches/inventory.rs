//! `cargo bench -p muster-collector --bench inventory`: the inventory of 10 000 hosts with 2 000 packages each: what it
//! takes on disk, how long the first inventory and one upgraded package take to be durable, which hosts had openssl 3.0.x
//! between two days, and what one host looked like then. The fleet is made anew for each run, which takes minutes.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use muster_collector::{
    domain::{
        ids::HostNo,
        inventory::{
            Head,
            delta::Part,
            hash::{self, Hash, Sum},
            pattern::Pattern,
        },
        time::Timestamp,
    },
    store::{Fact, Store, inventory::search::Search},
};

const HOSTS: i64 = 10_000;
const PACKAGES: usize = 2_000;
/// Packages that there are in the fleet, and versions of each.
const KNOWN: usize = 6_000;
const VERSIONS: usize = 12;
const START: i64 = 1_795_000_000_000;
const HOUR_MS: i64 = 3_600_000;

type Row = (String, Vec<String>, Vec<String>, String);

/// A package in a version; the first is openssl, which everybody has.
fn row(package: usize, version: usize) -> Row {
    let name = if package == 0 { "openssl".to_owned() } else { format!("package-{package}-lib") };
    let version = format!("3.{}.{version}-1~deb12u{version}", version / 6);
    let fields = ["architecture", "amd64", "manager", "dpkg", "name", &name, "source", &name, "version", &version];
    (format!("dpkg/{name}/amd64"), fields.map(str::to_owned).to_vec(), Vec::new(), String::new())
}

fn hash_of(row: &Row) -> Hash {
    let pairs: Vec<(String, String)> = row.1.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    hash::row(&row.0, &pairs)
}

/// The packages of a host: openssl, and each third of what there is from somewhere on.
fn packages(host: i64) -> Vec<Row> {
    let seed = usize::try_from(host).unwrap_or(0);
    let others = (1..PACKAGES).map(|n| 1 + (seed * 7 + n * 3 + n / 1_999) % (KNOWN - 1));
    std::iter::once(0).chain(others).map(|package| row(package, (seed + package) % VERSIONS)).collect()
}

fn part(rows: Vec<Row>, base: Option<Hash>, new: Hash) -> Part {
    Part {
        section: "packages".into(),
        base: base.unwrap_or_default(),
        new,
        full: base.is_none(),
        part: 1,
        parts: 1,
        head: Head::default(),
        collected_ms: 0,
        put: rows,
        gone: Vec::new(),
    }
}

fn total(rows: &[Row]) -> Hash {
    rows.iter().map(hash_of).fold(Sum::of(hash::head(&Head::default())), Sum::plus).hash()
}

fn fact(sequence: u64, part: &Part) -> Fact {
    let at = Timestamp::from_ms(START + i64::try_from(sequence).unwrap_or(0) * HOUR_MS);
    Fact { sequence, at, kind: "inventory", body: serde_json::to_string(part).unwrap_or_default() }
}

/// Commits; how long that takes.
async fn commit(store: &Store, host: i64, sequence: u64, part: Part) -> Duration {
    let fact = fact(sequence, &part);
    #[expect(clippy::disallowed_methods, reason = "it is measured")]
    let begun = Instant::now();
    let stored = store.commit_facts(HostNo(host), [1; 16], vec![fact]).await.expect("the store takes it");
    assert!(stored.inventory.iter().all(|taken| taken.refused.is_none()), "{stored:?}");
    begun.elapsed()
}

fn said(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    #[expect(clippy::print_stdout, reason = "the table is the product")]
    {
        println!("{what}: median {median:.1?}, 99 % {late:.1?}");
    }
}

fn main() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::open(home.path(), Timestamp::from_ms(START)).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut first = Vec::new();
    for host in 1..=HOSTS {
        let rows = packages(host);
        let new = total(&rows);
        first.push(runtime.block_on(commit(&store, host, 1, part(rows, None, new))));
    }
    said("a first inventory of 2 000 packages", first);
    let mut deltas = Vec::new();
    for host in 1..=HOSTS.min(1_000) {
        let rows = packages(host);
        let base = total(&rows);
        let newer = row(0, (usize::try_from(host).unwrap_or(0) + 1) % VERSIONS);
        let new = Sum::of(base).minus(hash_of(&rows[0])).plus(hash_of(&newer)).hash();
        deltas.push(runtime.block_on(commit(&store, host, 2, part(vec![newer], Some(base), new))));
    }
    said("one upgraded package", deltas);
    let bytes: u64 = ["facts.db", "facts.db-wal"]
        .iter()
        .filter_map(|name| std::fs::metadata(home.path().join(name)).ok())
        .map(|file| file.len())
        .sum();
    #[expect(clippy::print_stdout, reason = "the table is the product")]
    {
        println!("{HOSTS} hosts with {PACKAGES} packages: {bytes} bytes of facts.db");
    }

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let search = Search {
        section: "packages".into(),
        name: Some(Pattern::of("openssl")),
        fields: vec![("version".into(), Pattern::of("3.0.*"))],
        from: Some(Timestamp::from_ms(START)),
        to: Some(Timestamp::from_ms(START + 30 * HOUR_MS)),
        after: None,
        limit: usize::MAX,
    };
    criterion.bench_function("which hosts had openssl 3.0.x", |bench| {
        bench.iter(|| {
            let hits = runtime.block_on(store.inventory_search(search.clone())).expect("an answer");
            assert!(hits.next.is_none() && hits.rows.len() > 4_000, "{} rows", hits.rows.len());
            black_box(hits)
        });
    });
    criterion.bench_function("what a host looked like on a day", |bench| {
        let at = Some(Timestamp::from_ms(START + HOUR_MS));
        bench.iter(|| {
            let rows = runtime.block_on(store.inventory_rows(HostNo(77), "packages".into(), at)).expect("an answer");
            assert_eq!(rows.len(), PACKAGES);
            black_box(rows)
        });
    });
    criterion.final_summary();
}

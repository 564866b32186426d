//! `cargo bench -p muster-collector --bench inventory`: the inventory of 10 000 hosts with 2 000 packages each: what it
//! takes on disk, how long a first inventory and an upgraded package take to be durable, and a record of another host
//! while first inventories are told; which hosts had openssl 3.0.x between two days, all at once and as the view pages
//! through them, right after the file was read and after nothing of it was; and what one host looked like then.
//! The fleet is made anew for each run, which takes minutes and 3 GB of the temporary directory; `MUSTER_BENCH_HOSTS`
//! makes a smaller one.

use std::{
    hint::black_box,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
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

/// First inventories that are told one at a time, each measured.
const ALONE: i64 = 200;
/// First inventories that are told at once, as after a new version of the collector.
const AT_ONCE: usize = 16;
/// Hosts of a page of the view.
const PAGE: usize = 100;
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
    let longest = times[times.len() - 1];
    print(&format!("{what}: median {median:.1?}, 99 % {late:.1?}, longest {longest:.1?} of {}", times.len()));
}

fn print(line: &str) {
    #[expect(clippy::print_stdout, reason = "the table is the product")]
    {
        println!("{line}");
    }
}

#[expect(clippy::disallowed_methods, reason = "it is measured")]
fn now() -> Instant {
    Instant::now()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn hosts() -> i64 {
    std::env::var("MUSTER_BENCH_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000).max(ALONE + 1)
}

async fn first(store: &Store, host: i64) -> Duration {
    let rows = packages(host);
    let new = total(&rows);
    commit(store, host, 1, part(rows, None, new)).await
}

/// Makes the fleet.
fn fill(store: &Store, hosts: i64) {
    let runtime = runtime();
    said("a first inventory of 2 000 packages", (1..=ALONE).map(|host| runtime.block_on(first(store, host))).collect());
    let (next, done) = (AtomicI64::new(ALONE + 1), AtomicBool::new(false));
    let begun = now();
    let mut others = Vec::new();
    std::thread::scope(|scope| {
        let tellers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let tell = || {
                    let runtime = self::runtime();
                    loop {
                        let host = next.fetch_add(1, Ordering::Relaxed);
                        if host > hosts {
                            return;
                        }
                        runtime.block_on(first(store, host));
                    }
                };
                scope.spawn(tell)
            })
            .collect();
        let teller = scope.spawn(|| {
            let runtime = self::runtime();
            let mut times = Vec::new();
            for sequence in 1.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let at = Timestamp::from_ms(START);
                let fact = Fact { sequence, at, kind: "kernel", body: "{}".into() };
                let begun = now();
                runtime.block_on(store.commit_facts(HostNo(hosts + 1), [1; 16], vec![fact])).expect("it is taken");
                times.push(begun.elapsed());
                std::thread::sleep(Duration::from_millis(100));
            }
            times
        });
        tellers.into_iter().for_each(|teller| teller.join().expect("it told"));
        done.store(true, Ordering::Relaxed);
        others = teller.join().expect("it told");
    });
    print(&format!("{} first inventories, {AT_ONCE} at once: {:.1?}", hosts - ALONE, begun.elapsed()));
    said("a record of another host meanwhile", others);
}

fn upgrade(store: &Store, hosts: i64) {
    let runtime = runtime();
    let mut deltas = Vec::new();
    for host in 1..=hosts.min(1_000) {
        let rows = packages(host);
        let base = total(&rows);
        let newer = row(0, (usize::try_from(host).unwrap_or(0) + 1) % VERSIONS);
        let new = Sum::of(base).minus(hash_of(&rows[0])).plus(hash_of(&newer)).hash();
        deltas.push(runtime.block_on(commit(store, host, 2, part(vec![newer], Some(base), new))));
    }
    said("one upgraded package", deltas);
}

fn search(from: Option<i64>, to: Option<i64>) -> Search {
    Search {
        section: "packages".into(),
        name: Some(Pattern::of("openssl")),
        fields: vec![("version".into(), Pattern::of("3.0.*"))],
        from: from.map(Timestamp::from_ms),
        to: to.map(Timestamp::from_ms),
        after: None,
        limit: usize::MAX,
    }
}

/// Opens the store anew and takes its file out of memory.
fn cold(store: Store, home: &Path) -> Store {
    drop(store);
    let store = Store::open(home, Timestamp::from_ms(START)).expect("the store opens");
    let file = home.join("facts.db");
    let told = Command::new("dd").arg(format!("if={}", file.display())).args(["iflag=nocache", "count=0"]).output();
    assert!(told.is_ok_and(|told| told.status.success()), "dd of coreutils takes a file out of memory");
    store
}

/// Pages through all hosts that have something, as the view does; the time of each page, and the rows.
fn page_through(store: &Store, mut search: Search, limit: usize) -> (Vec<Duration>, usize) {
    let runtime = runtime();
    search.limit = limit;
    let (mut times, mut rows) = (Vec::new(), 0);
    loop {
        let begun = now();
        let hits = runtime.block_on(store.inventory_search(search.clone())).expect("an answer");
        times.push(begun.elapsed());
        rows += hits.rows.len();
        search.after = hits.next;
        if hits.next.is_none() {
            return (times, rows);
        }
    }
}

/// One look at what the searches take when nothing of the file is in memory.
fn cold_looks(mut store: Store, home: &Path) -> Store {
    let rare = Search { name: Some(Pattern::of("package-77-lib")), ..search(None, None) };
    let many = Search { name: Some(Pattern::of("package-7*")), ..search(None, None) };
    let asked = [
        ("openssl 3.0.x between two days", search(Some(START), Some(START + 30 * HOUR_MS))),
        ("openssl 3.0.x now", search(None, None)),
        ("a package that a third has", rare),
        ("111 packages in versions 3.0.x", many),
    ];
    for (what, search) in asked {
        store = cold(store, home);
        let (cold, found) = page_through(&store, search.clone(), usize::MAX);
        let (warm, _) = page_through(&store, search.clone(), usize::MAX);
        let [cold, warm] = [cold, warm].map(|times| times.iter().sum::<Duration>());
        print(&format!("{what}: {found} rows, from disk {cold:.1?}, again {warm:.1?}"));
        store = self::cold(store, home);
        let (pages, rows) = page_through(&store, search, PAGE);
        assert_eq!(rows, found);
        said(&format!("{what}, page by page from disk"), pages);
    }
    store
}

fn main() {
    let hosts = hosts();
    let home = tempfile::tempdir().expect("a directory");
    let store = Store::open(home.path(), Timestamp::from_ms(START)).expect("a store");
    fill(&store, hosts);
    upgrade(&store, hosts);
    drop(store);
    let store = Store::open(home.path(), Timestamp::from_ms(START)).expect("the store opens");
    let size = |name: &str| std::fs::metadata(home.path().join(name)).map_or(0, |file| file.len());
    let bytes = size("facts.db") + size("facts.db-wal");
    print(&format!("{hosts} hosts with {PACKAGES} packages: {bytes} bytes of facts.db"));
    let store = cold_looks(store, home.path());

    let runtime = runtime();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let search = search(Some(START), Some(START + 30 * HOUR_MS));
    let least = usize::try_from(hosts).unwrap_or(0) * 4 / 10;
    criterion.bench_function("which hosts had openssl 3.0.x", |bench| {
        bench.iter(|| {
            let hits = runtime.block_on(store.inventory_search(search.clone())).expect("an answer");
            assert!(hits.next.is_none() && hits.rows.len() > least, "{} rows", hits.rows.len());
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

//! A section of many rows is written in slices: it is seen whole or not at all, and a collector that dies in between is
//! told it again. The search looks at many hosts at once and finds what one at a time would.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::inventory::{HOUR, full, open, step, take, told, well};
use super::*;
use crate::{
    domain::inventory::{delta::Refusal, pattern::Pattern},
    store::inventory::search::Search,
};

/// Fails one commit to `facts.db`, the n-th from here.
#[derive(Debug, Default)]
struct FailsOne(AtomicUsize);

impl Faults for FailsOne {
    fn before_commit(&self, file: &'static str) -> Result<(), StoreError> {
        let left = match file {
            "facts.db" => self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)),
            _ => Err(0),
        };
        if left == Ok(1) { Err(StoreError::Busy("facts.db".into())) } else { Ok(()) }
    }
}

fn versions(of: &str) -> Vec<(String, String)> {
    (0..350).map(|n| (format!("p{n}"), format!("{of}.{n}"))).collect()
}

fn list(versions: &[(String, String)]) -> Vec<(&str, &str)> {
    versions.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect()
}

fn search(name: &str) -> Search {
    let (fields, from, to, after) = (Vec::new(), None, None, None);
    Search { section: "packages".into(), name: Some(Pattern::of(name)), fields, from, to, after, limit: 1_000 }
}

/// All that anybody can see of the packages of a host.
async fn seen(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for at in [None, Some(at(HOUR)), Some(at(100 * HOUR))] {
        let rows = store.inventory_rows(HostNo(1), "packages".into(), at).await.unwrap();
        all.extend(rows.iter().map(|row| format!("{at:?} {} {:?} {:?}", row.key, row.durable, row.first)));
    }
    for key in ["packages/p0", "packages/p349"] {
        all.push(format!("{:?}", store.inventory_history(HostNo(1), "packages".into(), key.into()).await.unwrap()));
    }
    let ever = Search { from: Some(at(0)), to: Some(at(100 * HOUR)), ..search("p*") };
    for search in [search("p*"), search("p7"), ever] {
        all.extend(store.inventory_search(search).await.unwrap().rows.iter().map(|hit| format!("{hit:?}")));
    }
    let mut rows = store.inventory_of_all("packages").await.unwrap().remove(&HostNo(1)).unwrap_or_default();
    rows.sort();
    all.push(format!("{rows:?}"));
    all
}

#[tokio::test]
async fn a_section_of_many_rows_is_seen_whole_or_not_at_all() {
    let (old, new) = (versions("1"), versions("2"));
    let mut failed = 0;
    for n in 1.. {
        let home = tempfile::tempdir().unwrap();
        let faults = Arc::new(FailsOne::default());
        let store = Store::open_with(home.path(), NOW, Arc::clone(&faults) as Arc<dyn Faults>, &NoWatcher).unwrap();
        take(&store, 1, 1, 0, &full("packages", &list(&old))).await;
        let before = seen(&store).await;
        faults.0.store(n, Ordering::Relaxed);
        let change = step("packages", &list(&old), &list(&new));
        let told = store.commit_facts(HostNo(1), [1; 16], vec![told(2, 5, &change)]).await;
        if told.is_ok() {
            break;
        }
        failed += 1;
        assert_eq!(seen(&store).await, before, "commit {n} failed");
        drop(store);
        let store = Store::open(home.path(), NOW).unwrap();
        assert_eq!(seen(&store).await, before, "commit {n} failed, after a restart");
        // Where rows were written already, the section is asked for.
        let again = take(&store, 1, 2, 6, &change).await;
        if n > 1 {
            assert_eq!(again[0].refused, Some(Refusal::OtherBase), "commit {n} failed");
            assert!(again[0].ask);
            assert_eq!(seen(&store).await, before, "what was begun is gone");
            take(&store, 1, 3, 6, &full("packages", &list(&new))).await;
        }
        let rows = store.inventory_rows(HostNo(1), "packages".into(), None).await.unwrap();
        assert_eq!(rows.len(), 350);
        assert!(rows.iter().all(|row| row.durable[1].1.starts_with("2.") && row.first == at(6 * HOUR)));
        let rows = store.inventory_rows(HostNo(1), "packages".into(), Some(at(5 * HOUR))).await.unwrap();
        assert!(rows.len() == 350 && rows.iter().all(|row| row.durable[1].1.starts_with("1.")));
        let found = store.inventory_search(search("p7")).await.unwrap().rows;
        assert_eq!(found.iter().map(|hit| hit.durable[1].1.as_str()).collect::<Vec<_>>(), ["2.7"]);
    }
    assert!(failed >= 8, "350 rows that end and 350 that begin are {failed} transactions");
}

#[tokio::test]
async fn what_comes_after_a_section_waits_for_it_and_is_stored() {
    let (home, store) = open();
    let (old, new) = (versions("1"), versions("2"));
    let other = |sequence| Fact { sequence, at: at(0), kind: "kernel", body: "{}".into() };
    let facts = vec![
        other(1),
        told(2, 0, &full("packages", &list(&old))),
        other(3),
        told(4, 1, &step("packages", &list(&old), &list(&new))),
        other(5),
    ];
    let stored = store.commit_facts(HostNo(1), [1; 16], facts.clone()).await.unwrap();
    assert_eq!((stored.through, stored.inventory.len()), (5, 2));
    assert_eq!(store.received(HostNo(1)).await.unwrap(), Some(([1; 16], 5)));
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let kept = "SELECT count(*) FROM fact WHERE kind = 'kernel'";
    assert_eq!(database.query_row(kept, [], |row| row.get(0)), Ok(3));
    let again = store.commit_facts(HostNo(1), [1; 16], facts).await.unwrap();
    assert_eq!((again.through, again.inventory), (5, vec![]), "all of it is known");
    assert_eq!(database.query_row(kept, [], |row| row.get(0)), Ok(3));
}

#[tokio::test]
async fn hosts_far_apart_are_found_page_by_page_in_the_order_of_their_numbers() {
    let (home, store) = open();
    let hosts = [1, 2, 31, 32, 33, 63, 64, 1_000, 4_095, 4_096];
    for host in hosts {
        let list = [("bash", "5.2"), ("openssl", if host % 2 == 0 { "3.0.9" } else { "3.1.0" })];
        assert_eq!(take(&store, host, 1, 0, &full("packages", &list)).await, well("packages", 0));
    }
    let pages = |search: Search| {
        let store = store.clone();
        async move {
            let (mut pages, mut next) = (Vec::new(), None);
            loop {
                let hits = store.inventory_search(Search { after: next, ..search.clone() }).await.unwrap();
                pages.push(hits.rows.iter().map(|hit| hit.host.0).collect::<Vec<_>>());
                next = hits.next;
                if next.is_none() {
                    return pages;
                }
            }
        }
    };
    let by = |limit: usize, version: &str| Search {
        fields: vec![("version".into(), Pattern::of(version))],
        limit,
        ..search("openssl")
    };
    assert_eq!(pages(by(100, "3.*")).await, [hosts.to_vec()]);
    assert_eq!(pages(by(3, "3.*")).await, [vec![1, 2, 31], vec![32, 33, 63], vec![64, 1_000, 4_095], vec![4_096]]);
    assert_eq!(pages(by(2, "3.0.*")).await, [vec![2, 32], vec![64, 1_000], vec![4_096]]);
    let both = pages(Search { limit: 3, ..search("*s*") }).await;
    assert_eq!(both[0], [1, 1, 2, 2], "rows of a host stay together");
    assert_eq!(both.concat().len(), 20);
    for after in [i64::MIN, -1, 0, i64::MAX] {
        let hits = store.inventory_search(Search { after: Some(HostNo(after)), ..by(9, "3.*") }).await.unwrap();
        assert_eq!(hits.rows.len(), if after > 0 { 0 } else { 9 }, "{after}");
    }
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let plan = "EXPLAIN QUERY PLAN SELECT host, thing, item, first_ms, removed_ms FROM holding
                WHERE host / 32 = ?1 AND section = ?2 AND thing = ?3";
    let plan: String = database.query_row(plan, [1, 1, 1], |row| row.get(3)).unwrap();
    assert!(plan.contains("COVERING INDEX holding_block (<expr>=? AND section=? AND thing=?)"), "{plan}");
}

#[tokio::test]
async fn an_inventory_of_the_schema_before_is_all_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("facts.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &super::super::migrations::FACTS[..5], &NoWatcher).unwrap();
    let rows = "
        INSERT INTO inventory_section VALUES (1, 'packages');
        INSERT INTO thing VALUES (1, 1, 'packages/openssl', 'openssl');
        INSERT INTO item VALUES (1, 1, x'01', '[\"name\",\"openssl\",\"version\",\"3.0.9\"]');
        INSERT INTO item VALUES (2, 1, x'02', '[\"name\",\"openssl\",\"version\",\"3.0.11\"]');
        INSERT INTO holding VALUES (40, 1, 1, 1795000000000, 1, 1795003600000, NULL, NULL);
        INSERT INTO holding VALUES (40, 1, 1, 1795003600000, 2, NULL, NULL, NULL);
        INSERT INTO latest VALUES (40, 1, x'00', 1, 0, '', '', 1795000000000, 1795003600000, x'');
        INSERT INTO inventory_change VALUES
            (40, 1795003600000, 1, 1795000000000, 'packages', 'package_upgraded', 't', 1, '[]', 1, '', '', '', NULL);";
    connection.execute_batch(rows).unwrap();
    drop(connection);
    let store = Store::open(directory.path(), NOW).unwrap();
    assert!(directory.path().join("facts.db.before-6").exists());
    let past = Search { from: Some(at(0)), to: Some(at(HOUR)), ..search("openssl") };
    for (search, version) in [(search("openssl"), "3.0.11"), (past, "3.0.9")] {
        let found = store.inventory_search(search).await.unwrap().rows;
        let found: Vec<_> = found.iter().map(|hit| (hit.host.0, hit.durable[1].1.as_str())).collect();
        assert_eq!(found, [(40, version)]);
    }
    let database = Connection::open(&path).unwrap();
    let counted = "SELECT ended, events, event_bytes FROM inventory_past WHERE host = 40";
    let counted = database.query_row(counted, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(counted, Ok((1, 1, 2)));
    // Old enough to be forgotten, with what nobody has any more; hosts that send facts are those that are looked through.
    assert_eq!(store.prune(at(HOUR + 762 * 24 * HOUR)).await.unwrap().facts, 2);
    assert_eq!(database.query_row("SELECT sum(no) FROM item", [], |row| row.get(0)), Ok(2));
    assert_eq!(store.inventory_search(search("openssl")).await.unwrap().rows.len(), 1);
}

//! What a host can make of the store: its past is cut at its oldest end and that is said, and states that nobody has any
//! more are forgotten. What others had is not touched.

use super::inventory::{HOUR, List, full, open, step, take, well};
use super::*;
use crate::domain::inventory::{
    Status,
    change::Class,
    delta::{Part, Refusal},
    hash,
};
use crate::store::inventory::changes::Of;

const DAY: i64 = 24 * HOUR;

fn count(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_host_that_changes_all_its_rows_each_time_stays_below_its_limit() {
    let (home, store) = open();
    let honest: [List<'_>; 2] = [&[("openssl", "3.0.9")], &[("openssl", "3.0.11")]];
    take(&store, 2, 1, 0, &full("packages", honest[0])).await;
    take(&store, 2, 2, 1, &step("packages", honest[0], honest[1])).await;
    let names: Vec<String> = (0..5_000).map(|n| format!("p{n}")).collect();
    let list = |round: i64| -> Vec<(String, String)> {
        names.iter().map(|name| (name.clone(), format!("{round}.{name}"))).collect()
    };
    let borrowed = |list: &[(String, String)]| -> Vec<(&'static str, &'static str)> {
        list.iter().map(|(name, version)| (&*name.clone().leak(), &*version.clone().leak())).collect()
    };
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let mut before = borrowed(&list(0));
    take(&store, 1, 1, 24, &full("packages", &before)).await;
    for round in 1..=22 {
        let after = borrowed(&list(round));
        let sequence = u64::try_from(round).unwrap() + 1;
        assert_eq!(
            take(&store, 1, sequence, 24 + round, &step("packages", &before, &after)).await,
            well("packages", 1)
        );
        before = after;
        let cut = store.inventory_known_since(HostNo(1)).await.unwrap();
        assert_eq!(cut.is_some(), round > 20, "100 000 rows are kept");
    }
    assert_eq!(count(&database, "SELECT count(*) FROM holding WHERE host = 1 AND removed_ms IS NOT NULL"), 100_000);
    assert_eq!(count(&database, "SELECT ended FROM inventory_past WHERE host = 1"), 100_000);
    assert_eq!(count(&database, "SELECT count(*) FROM holding WHERE host = 1 AND removed_ms IS NULL"), 5_000);
    assert_eq!(count(&database, "SELECT count(*) FROM item"), 105_002, "what only it had went with its rows");
    // Rounds 1 and 2 ended what came with the first inventory and with round 1.
    assert_eq!(store.inventory_known_since(HostNo(1)).await.unwrap(), Some(at(26 * HOUR)));
    let then = store.inventory_rows(HostNo(1), "packages".into(), Some(at(26 * HOUR))).await.unwrap();
    assert_eq!(then.len(), 5_000);
    // The others' past is kept for its 25 months.
    assert_eq!(store.inventory_known_since(HostNo(2)).await.unwrap(), None);
    store.prune(at(HOUR + 761 * DAY)).await.unwrap();
    let past = store.inventory_history(HostNo(2), "packages".into(), "packages/openssl".into()).await.unwrap();
    assert_eq!(past.len(), 2);
}

#[tokio::test]
async fn a_state_is_forgotten_when_the_last_host_that_had_it_has_it_no_more() {
    let (home, store) = open();
    let lists: [List<'_>; 3] = [&[("a", "1"), ("b", "1")], &[("a", "2")], &[("a", "1")]];
    for host in [1, 40] {
        take(&store, host, 1, 0, &full("packages", lists[0])).await;
        take(&store, host, 2, 1, &step("packages", lists[0], lists[1])).await;
    }
    take(&store, 80, 1, 0, &full("packages", lists[0])).await;
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let states = || count(&database, "SELECT count(*) FROM item");
    let loose = || count(&database, "SELECT count(*) FROM inventory_loose");
    assert_eq!((states(), loose()), (3, 0));
    // Two hosts forget version 1, the third has it.
    store.prune(at(HOUR + 762 * DAY)).await.unwrap();
    assert_eq!((states(), loose()), (3, 0));
    assert_eq!(count(&database, "SELECT count(*) FROM holding"), 4);
    take(&store, 80, 2, 763 * 24, &step("packages", lists[0], lists[1])).await;
    store.prune(at(763 * DAY + 762 * DAY)).await.unwrap();
    assert_eq!((states(), loose()), (1, 0));
    assert_eq!(count(&database, "SELECT count(*) FROM thing"), 1, "nothing is called b any more");
    // What is told again is there again.
    take(&store, 80, 3, 1_526 * 24, &step("packages", lists[1], lists[2])).await;
    assert_eq!(states(), 2);
    let rows = store.inventory_rows(HostNo(80), "packages".into(), None).await.unwrap();
    assert_eq!(rows[0].durable[1].1, "1");
}

#[tokio::test]
async fn what_is_told_again_before_it_is_forgotten_stays() {
    let (home, store) = open();
    let lists: [List<'_>; 2] = [&[("a", "1")], &[("a", "2")]];
    for host in [1, 2] {
        take(&store, host, 1, 0, &full("packages", lists[0])).await;
        take(&store, host, 2, 1, &step("packages", lists[0], lists[1])).await;
    }
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    database.execute_batch("DELETE FROM holding WHERE item = 1; INSERT INTO inventory_loose VALUES (1);").unwrap();
    take(&store, 3, 1, 2, &full("packages", lists[0])).await;
    assert_eq!(count(&database, "SELECT count(*) FROM inventory_loose"), 0);
    store.prune(at(3 * HOUR)).await.unwrap();
    let rows = store.inventory_rows(HostNo(3), "packages".into(), None).await.unwrap();
    assert_eq!(rows[0].durable[1].1, "1");
}

#[tokio::test]
async fn values_of_a_kilobyte_in_all_fields_are_refused_before_they_fill_the_disk() {
    let (_home, store) = open();
    // 300 rows a section, 60 fields of 1 KiB each: 18 MB.
    let row = |section: &str, n: usize| {
        let value = "x".repeat(1_024);
        let fields = (0..60).flat_map(|field| [format!("f{field:02}"), value.clone()]).collect();
        (format!("{section}/{n}"), fields, Vec::new(), String::new())
    };
    let big = |section: &str| {
        let put: Vec<_> = (0..300).map(|n| row(section, n)).collect();
        let hashed = |row: &(String, Vec<String>, Vec<String>, String)| {
            let pairs: Vec<_> = row.1.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            hash::row(&row.0, &pairs)
        };
        let head = hash::head(&Default::default());
        let new = put.iter().map(hashed).fold(hash::Sum::of(head), |sum, row| sum.plus(row));
        Part { new: new.hash(), put, ..full(section, &[]) }
    };
    assert_eq!(take(&store, 1, 1, 0, &big("one")).await, well("one", 0));
    let refused = take(&store, 1, 2, 0, &big("two")).await;
    // 2 x 300 rows of 60 names of 3 bytes, as many values and a key.
    let bytes = 2 * 300 * 60 * (1_024 + 3) + 2 * (10 * 5 + 90 * 6 + 200 * 7);
    let most = 32 * 1024 * 1024;
    assert_eq!(refused[0].refused, Some(Refusal::TooBig { what: "what the host tells", bytes, most }));
    let (sections, refused) = store.inventory_sections(HostNo(1)).await.unwrap();
    assert_eq!((sections.len(), sections[0].head.status), (1, Status::Complete));
    assert_eq!(refused[0].reason, format!("what the host tells takes {bytes} bytes, 33554432 are taken at most"));
    // One row in place of all: what it took is free again.
    assert_eq!(take(&store, 1, 3, 1, &full("one", &[("a", "1")])).await, well("one", 2));
    assert_eq!(take(&store, 1, 4, 1, &big("two")).await, well("two", 0));
    let events = store.inventory_changes(Of::default(), 10).await.unwrap().rows;
    let removed = events.iter().find(|event| event.change.class == Class::Removed).unwrap();
    assert_eq!(removed.change.count, 300);
    // Of rows of 61 KB four are listed.
    assert_eq!(removed.change.rows.len(), 4);
}

#[tokio::test]
async fn a_host_that_tells_a_million_packages_is_refused_with_the_first_of_them_and_that_is_said() {
    let (home, store) = open();
    take(&store, 1, 1, 0, &full("packages", &[("bash", "5.2")])).await;
    // A million rows of 150 bytes in messages of 48 KiB.
    let first = Part { parts: 3_052, ..full("packages", &[("a", "1")]) };
    let taken = take(&store, 1, 2, 1, &first).await;
    assert_eq!((taken[0].refused.as_ref().map(Refusal::kind), taken[0].ask), (Some("malformed"), false));
    let (sections, refused) = store.inventory_sections(HostNo(1)).await.unwrap();
    assert_eq!(sections[0].rows, 1, "what was known stands");
    assert_eq!(refused[0].reason, "a part must be in 1..=parts, and parts at most 1100");
    // In fewer, larger messages, the last of which completes them.
    let part = |part: u32| {
        let row = |n: u32| (format!("p{part}/{n}"), Vec::new(), Vec::new(), String::new());
        let put = (0..50_001).map(row).collect();
        Part { part, parts: 2, put, ..full("users", &[]) }
    };
    assert_eq!(take(&store, 1, 3, 2, &part(1)).await, []);
    let taken = take(&store, 1, 4, 2, &part(2)).await;
    let too_many = Refusal::TooMany { what: "a difference", found: 100_002, most: 100_000 };
    assert_eq!(taken[0].refused, Some(too_many));
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    assert_eq!(count(&database, "SELECT count(*) FROM inventory_part"), 0);
    let (_, refused) = store.inventory_sections(HostNo(1)).await.unwrap();
    let users = refused.iter().find(|refused| refused.section == "users").unwrap();
    assert_eq!(users.reason, "a difference has 100002, 100000 are taken at most");
}

//! The inventory in the store: parts wait, a difference is taken whole, the past stays, and a search finds it.

use super::*;
use crate::{
    domain::inventory::{
        Head,
        change::Class,
        delta::{Part, Refusal},
        hash::{self, Hash, Sum},
        pattern::Pattern,
    },
    store::inventory::{
        Taken,
        changes::{ChangeId, Noted, Of, Reason},
        search::Search,
    },
};

pub(super) const HOUR: i64 = 3_600_000;

pub(super) fn open() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path(), NOW).unwrap();
    (home, store)
}

/// Packages by name and version.
pub(super) type List<'a> = &'a [(&'a str, &'a str)];

pub(super) fn rows(section: &str, list: List<'_>) -> Vec<(String, Vec<String>, Vec<String>, String)> {
    let row = |(name, version): &(&str, &str)| {
        let durable = ["name", name, "version", version].map(str::to_owned).to_vec();
        (format!("{section}/{name}"), durable, vec!["seen".into(), format!("{name} was seen")], String::new())
    };
    list.iter().map(row).collect()
}

pub(super) fn sum(section: &str, list: List<'_>) -> Hash {
    let one = |(name, version): &(&str, &str)| {
        let durable = [("name".to_owned(), (*name).to_owned()), ("version".to_owned(), (*version).to_owned())];
        hash::row(&format!("{section}/{name}"), &durable)
    };
    list.iter().map(one).fold(Sum::of(hash::head(&Head::default())), Sum::plus).hash()
}

pub(super) fn full(section: &str, list: List<'_>) -> Part {
    Part {
        section: section.into(),
        base: Hash::default(),
        new: sum(section, list),
        full: true,
        part: 1,
        parts: 1,
        head: Head::default(),
        collected_ms: 0,
        put: rows(section, list),
        gone: Vec::new(),
    }
}

/// From one list to another.
pub(super) fn step(section: &str, from: List<'_>, to: List<'_>) -> Part {
    let changed: Vec<(&str, &str)> = to.iter().filter(|one| !from.contains(one)).copied().collect();
    let gone = from.iter().filter(|(name, _)| !to.iter().any(|(other, _)| other == name));
    Part {
        base: sum(section, from),
        new: sum(section, to),
        full: false,
        put: rows(section, &changed),
        gone: gone.map(|(name, _)| format!("{section}/{name}")).collect(),
        ..full(section, &[])
    }
}

pub(super) fn told(sequence: u64, hours: i64, part: &Part) -> Fact {
    let body = serde_json::to_string(part).unwrap();
    Fact { sequence, at: at(hours * HOUR), kind: "inventory", body }
}

pub(super) async fn take(store: &Store, host: i64, sequence: u64, hours: i64, part: &Part) -> Vec<Taken> {
    let stored = store.commit_facts(HostNo(host), [1; 16], vec![told(sequence, hours, part)]).await.unwrap();
    assert_eq!(stored.through, sequence, "it is received whatever becomes of it");
    stored.inventory
}

pub(super) fn well(section: &str, changes: usize) -> Vec<Taken> {
    vec![Taken { section: section.into(), refused: None, ask: false, changes }]
}

async fn versions(store: &Store, host: i64, at_hours: Option<i64>) -> Vec<String> {
    let at = at_hours.map(|hours| at(hours * HOUR));
    let rows = store.inventory_rows(HostNo(host), "packages".into(), at).await.unwrap();
    rows.iter().map(|row| format!("{} {}", row.durable[0].1, row.durable[1].1)).collect()
}

const FIRST: List<'static> = &[("bash", "5.2"), ("openssl", "3.0.9")];
const SECOND: List<'static> = &[("openssl", "3.0.11"), ("zsh", "5.9")];

#[tokio::test]
async fn a_host_is_as_it_was_on_a_date() {
    let (_dir, store) = open();
    assert_eq!(take(&store, 1, 1, 0, &full("packages", FIRST)).await, well("packages", 0));
    assert_eq!(take(&store, 1, 2, 5, &step("packages", FIRST, SECOND)).await, well("packages", 1));
    assert_eq!(versions(&store, 1, None).await, ["openssl 3.0.11", "zsh 5.9"]);
    assert_eq!(versions(&store, 1, Some(5)).await, ["openssl 3.0.11", "zsh 5.9"]);
    assert_eq!(versions(&store, 1, Some(4)).await, ["bash 5.2", "openssl 3.0.9"]);
    assert_eq!(versions(&store, 1, Some(-1)).await, [""; 0]);
    let past = store.inventory_history(HostNo(1), "packages".into(), "packages/openssl".into()).await.unwrap();
    let past: Vec<_> = past.iter().map(|past| (past.durable[1].1.as_str(), past.first, past.removed)).collect();
    assert_eq!(past, [("3.0.9", at(0), Some(at(5 * HOUR))), ("3.0.11", at(5 * HOUR), None)]);
    let rows = store.inventory_rows(HostNo(1), "packages".into(), None).await.unwrap();
    assert_eq!(rows[0].latest, [("seen".to_owned(), "openssl was seen".to_owned())]);
    assert_eq!(
        store.inventory_hashes(HostNo(1)).await.unwrap(),
        [("packages".to_owned(), sum("packages", SECOND))],
        "as the agent is told at its next session"
    );
    assert_eq!(store.inventory_hashes(HostNo(2)).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_told_twice_is_stored_once() {
    let (_dir, store) = open();
    take(&store, 1, 1, 0, &full("packages", FIRST)).await;
    assert_eq!(take(&store, 1, 2, 24, &full("packages", FIRST)).await, well("packages", 0));
    assert_eq!(take(&store, 1, 2, 24, &full("packages", SECOND)).await, [], "a record that is known already");
    assert_eq!(versions(&store, 1, None).await, ["bash 5.2", "openssl 3.0.9"]);
    let past = store.inventory_history(HostNo(1), "packages".into(), "packages/bash".into()).await.unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!(store.inventory_changes(Of::default(), 10).await.unwrap().rows, []);
}

#[tokio::test]
async fn parts_are_taken_when_all_are_there_and_dropped_for_another_difference() {
    let (_dir, store) = open();
    let part = |number: u32, list: List<'_>| Part {
        part: number,
        parts: 2,
        put: rows("packages", &list[number as usize - 1..number as usize]),
        ..full("packages", list)
    };
    assert_eq!(take(&store, 1, 1, 0, &part(2, FIRST)).await, []);
    assert_eq!(versions(&store, 1, None).await, [""; 0], "nothing is half there");
    // Another one begins: the first is dropped.
    assert_eq!(take(&store, 1, 2, 0, &part(1, SECOND)).await, []);
    assert_eq!(take(&store, 1, 3, 0, &part(1, FIRST)).await, []);
    assert_eq!(take(&store, 1, 4, 0, &part(2, FIRST)).await, well("packages", 0));
    assert_eq!(versions(&store, 1, None).await, ["bash 5.2", "openssl 3.0.9"]);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_and_what_is_wrong_in_itself_is_not() {
    let (_dir, store) = open();
    let asked = |refusal: Refusal, ask: bool| {
        vec![Taken { section: "packages".into(), refused: Some(refusal), ask, changes: 0 }]
    };
    let onto_nothing = step("packages", FIRST, SECOND);
    assert_eq!(take(&store, 1, 1, 0, &onto_nothing).await, asked(Refusal::OtherBase, true));
    take(&store, 1, 2, 0, &full("packages", FIRST)).await;
    let other_end = Part { new: [9; 16], ..step("packages", FIRST, SECOND) };
    assert_eq!(take(&store, 1, 3, 1, &other_end).await, asked(Refusal::OtherHash, true));
    assert_eq!(versions(&store, 1, None).await, ["bash 5.2", "openssl 3.0.9"]);
    let wrong = Part { new: [9; 16], ..full("packages", SECOND) };
    assert_eq!(take(&store, 1, 4, 2, &wrong).await, asked(Refusal::OtherHash, false));
    let (_, refused) = store.inventory_sections(HostNo(1)).await.unwrap();
    assert_eq!((refused[0].section.as_str(), refused[0].at), ("packages", at(2 * HOUR)));
    take(&store, 1, 5, 3, &full("packages", SECOND)).await;
    assert_eq!(store.inventory_sections(HostNo(1)).await.unwrap().1, [], "it was taken since");
}

#[tokio::test]
async fn all_states_of_many_hosts_are_searched_by_version_and_time() {
    let (_dir, store) = open();
    for host in 1..=3 {
        take(&store, host, 1, 0, &full("packages", FIRST)).await;
    }
    take(&store, 2, 2, 10, &step("packages", FIRST, SECOND)).await;
    take(&store, 3, 2, 20, &full("packages", &[("openssl", "3.1.0")])).await;
    let search = |version: &str, from: Option<i64>, to: Option<i64>| Search {
        section: "packages".into(),
        name: Some(Pattern::of("OpenSSL")),
        fields: vec![("version".into(), Pattern::of(version))],
        from: from.map(|hours| at(hours * HOUR)),
        to: to.map(|hours| at(hours * HOUR)),
        after: None,
        limit: 100,
    };
    let found = |search: Search| async {
        let hits = store.inventory_search(search).await.unwrap();
        assert_eq!(hits.next, None);
        hits.rows.iter().map(|hit| (hit.host.0, hit.durable[1].1.clone())).collect::<Vec<_>>()
    };
    let hits = |list: &[(i64, &str)]| list.iter().map(|(host, v)| (*host, (*v).to_owned())).collect::<Vec<_>>();
    assert_eq!(found(search("3.0.*", None, None)).await, hits(&[(1, "3.0.9"), (2, "3.0.11")]), "now");
    let between = found(search("3.0.*", Some(15), Some(19))).await;
    assert_eq!(between, hits(&[(1, "3.0.9"), (2, "3.0.11"), (3, "3.0.9")]));
    let all = found(search("3.0.*", Some(0), Some(100))).await;
    assert_eq!(all, hits(&[(1, "3.0.9"), (2, "3.0.9"), (2, "3.0.11"), (3, "3.0.9")]));
    assert_eq!(found(search("3.1*", Some(0), Some(20))).await, hits(&[]), "it came at the end of that time");
    let mut pages = Vec::new();
    let mut next = None;
    loop {
        let hits = store.inventory_search(Search { after: next, limit: 1, ..search("3.*", None, None) }).await.unwrap();
        pages.push(hits.rows.len());
        next = hits.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages, [1, 1, 1]);
    assert_eq!(found(Search { section: "nothing".into(), ..search("*", None, None) }).await, hits(&[]));
}

#[tokio::test]
async fn changes_are_judged_once_and_explained_by_people() {
    let (_dir, store) = open();
    take(&store, 1, 1, 0, &full("packages", FIRST)).await;
    take(&store, 1, 2, 1, &step("packages", FIRST, &[("bash", "5.3"), ("openssl", "3.0.9")])).await;
    take(&store, 2, 1, 0, &full("packages", FIRST)).await;
    take(&store, 2, 2, 90, &step("packages", FIRST, SECOND)).await;
    let unjudged = store.inventory_unjudged().await.unwrap();
    let seen: Vec<_> = unjudged.iter().map(|noted| (noted.id.host.0, noted.change.class, noted.since)).collect();
    // Of what a host tells after long silence the look before was at most two hours ago: it looks each hour.
    let expected = [(1, Class::PackageUpgraded, at(0)), (2, Class::PackagesChanged, at(88 * HOUR))];
    assert_eq!(seen, expected);
    let id = |host: i64, hours: i64| ChangeId { at: at(hours * HOUR), host: HostNo(host), n: 1 };
    assert_eq!([unjudged[0].id, unjudged[1].id], [id(1, 1), id(2, 90)]);
    assert_eq!(id(1, 1).to_string().parse(), Ok(id(1, 1)));
    store.judge_inventory(vec![(id(1, 1), Some("CHG7".into())), (id(2, 90), None)]).await.unwrap();
    assert_eq!(store.inventory_unjudged().await.unwrap(), []);
    let reason = Reason { text: "by hand".into(), by: "ann".into(), at: at(100 * HOUR) };
    assert!(store.explain_inventory(id(2, 90), reason.clone()).await.unwrap());
    assert!(!store.explain_inventory(id(2, 91), reason.clone()).await.unwrap());
    let found = |of: Of| async { store.inventory_changes(of, 10).await.unwrap().rows };
    let all = found(Of::default()).await;
    assert_eq!(all.iter().map(|noted| noted.id).collect::<Vec<_>>(), [id(2, 90), id(1, 1)], "the newest first");
    assert_eq!((all[0].reason.clone(), all[1].planned.as_deref()), (Some(reason), Some("CHG7")));
    let only = |found: Vec<Noted>| found.iter().map(|noted| noted.id.host.0).collect::<Vec<_>>();
    assert_eq!(only(found(Of { planned: Some(true), ..Of::default() }).await), [1]);
    assert_eq!(only(found(Of { planned: Some(false), ..Of::default() }).await), [2]);
    assert_eq!(only(found(Of { explained: Some(false), ..Of::default() }).await), [1]);
    assert_eq!(only(found(Of { class: Some(Class::PackageUpgraded), ..Of::default() }).await), [1]);
    assert_eq!(only(found(Of { hosts: Some(vec![HostNo(2)]), ..Of::default() }).await), [2]);
    assert_eq!(only(found(Of { from: Some(at(2 * HOUR)), ..Of::default() }).await), [2]);
    assert_eq!(only(found(Of { to: Some(at(90 * HOUR)), ..Of::default() }).await), [1], "up to the instant before");
    assert_eq!(only(found(Of { after: Some(id(2, 90)), ..Of::default() }).await), [1]);
    let first = store.inventory_changes(Of::default(), 1).await.unwrap();
    assert_eq!(first.next, Some(id(2, 90)));
}

#[tokio::test]
async fn what_stays_away_is_gone_once_and_what_is_old_is_forgotten() {
    let (_dir, store) = open();
    take(&store, 1, 1, 0, &full("usb", &[("mouse", "1")])).await;
    assert_eq!(take(&store, 1, 2, 1, &step("usb", &[("mouse", "1")], &[])).await, well("usb", 0), "it may be back");
    let rows = store.inventory_rows(HostNo(1), "usb".into(), None).await.unwrap();
    assert_eq!(rows[0].away, Some(at(HOUR)));
    assert_eq!(store.inventory_away(at(HOUR)).await.unwrap(), []);
    assert_eq!(store.inventory_away(at(HOUR + 1)).await.unwrap(), [HostNo(1)]);
    assert_eq!(store.settle_inventory(HostNo(1), at(3 * HOUR)).await.unwrap(), 0);
    assert_eq!(store.settle_inventory(HostNo(1), at(4 * HOUR)).await.unwrap(), 1);
    assert_eq!(store.settle_inventory(HostNo(1), at(5 * HOUR)).await.unwrap(), 0);
    assert_eq!(store.inventory_rows(HostNo(1), "usb".into(), None).await.unwrap(), []);
    let day = 24 * HOUR;
    let pruned = |days: i64| {
        let store = store.clone();
        async move { store.prune(at(4 * HOUR + days * day)).await.unwrap().facts }
    };
    assert_eq!(pruned(761).await, 0);
    assert_eq!(store.inventory_changes(Of::default(), 9).await.unwrap().rows.len(), 1);
    assert_eq!(pruned(762).await, 2, "the row and what was said of it");
    assert_eq!(store.inventory_changes(Of::default(), 9).await.unwrap().rows, []);
}

#[tokio::test]
async fn of_a_host_that_changes_all_day_the_latest_events_are_kept() {
    let (home, store) = open();
    take(&store, 1, 1, 0, &full("packages", FIRST)).await;
    take(&store, 1, 2, 1, &step("packages", FIRST, SECOND)).await;
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let copy = "INSERT INTO inventory_change SELECT host, at_ms + ?1, n, since_ms, section, class, title, parts, body,
                judged, planned, reason, reason_by, reason_ms FROM inventory_change WHERE at_ms = ?2";
    let transaction = database.unchecked_transaction().unwrap();
    for n in 1..=20_600 {
        transaction.execute(copy, [n, at(HOUR).ms()]).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(store.prune(at(2 * HOUR)).await.unwrap().facts, 601);
    let kept = "SELECT count(*), min(at_ms) FROM inventory_change";
    let kept: (i64, i64) = database.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, (20_000, at(HOUR).ms() + 601));
}

#[tokio::test]
async fn a_host_that_begins_differences_and_never_ends_them_does_not_fill_the_disk() {
    let (home, store) = open();
    let begun = |n: u64| {
        let name: String = format!("{n:04}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        told(n, 0, &Part { parts: 2, ..full(&name, FIRST) })
    };
    store.commit_facts(HostNo(1), [1; 16], (1..=1_101).map(begun).collect()).await.unwrap();
    let database = Connection::open(home.path().join("facts.db")).unwrap();
    let staged = || database.query_row("SELECT count(*) FROM inventory_part", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(staged(), 0, "all of them went");
    store.commit_facts(HostNo(1), [1; 16], vec![begun(1_102)]).await.unwrap();
    assert_eq!(staged(), 1);
}

//! Ledgers of checks: numbered and chained for each, written once, and read as far as a window reaches.

use super::*;
use crate::domain::{calendar::Span, host::check_ledger::Counted};

fn entry(check: &str, from: i64, to: i64, status: Status, gone: bool) -> Row {
    let said = "connection refused".to_owned();
    let (host, check, learned) = (HostNo(1), check.to_owned(), at(to));
    Row::CheckSpan(CheckSpanRow { host, check, from: at(from), to: at(to), status, said, gone, learned })
}

fn rows() -> Vec<Row> {
    vec![
        entry("web", 0, 10, Status::Ok, false),
        entry("web", 10, 20, Status::Critical, false),
        entry("db", 5, 15, Status::Ok, true),
        entry("web", 20, 30, Status::Ok, false),
    ]
}

#[tokio::test]
async fn each_check_has_a_chain_of_its_own_and_a_commit_tried_again_adds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    for _ in 0..2 {
        store.commit(rows()).await.unwrap();
    }
    let path = directory.path().join("state.db");
    let numbers = |connection: &Connection| -> Vec<(String, i64)> {
        let mut statement = connection.prepare("SELECT name, n FROM check_span ORDER BY name, n").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let other = Connection::open(&path).unwrap();
    let numbered = |name: &str, n| (name.to_owned(), n);
    assert_eq!(numbers(&other), [numbered("db", 1), numbered("web", 1), numbered("web", 2), numbered("web", 3)]);
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    other.execute("UPDATE check_span SET to_ms = to_ms + 1 WHERE name = 'web' AND n = 1", []).unwrap();
    let broken = store.verify_chains().await.unwrap();
    assert_eq!(broken, ["ledger entry 1 of check \"web\" of host 1 does not follow from the one before"]);
    other.execute("DELETE FROM check_span WHERE name = 'web' AND n <= 2", []).unwrap();
    let broken = store.verify_chains().await.unwrap();
    assert_eq!(broken, ["ledger entry 3 of check \"web\" of host 1 does not follow from the one before"]);
}

#[tokio::test]
async fn a_window_is_read_with_the_entry_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(rows()).await.unwrap();
    let read = |from: i64, until: i64| {
        let window = Span { from: at(from), until: at(until) };
        let (store, host) = (&store, HostNo(1));
        async move { store.check_ledgers(vec![host], window).await.unwrap().remove(&host).unwrap() }
    };
    let spans = |entries: &crate::store::check_ledger::CheckEntries| {
        let rows = entries.rows.iter().map(|row| Row::CheckSpan(row.clone())).collect::<Vec<_>>();
        (entries.from_its_beginning, rows)
    };
    let all = rows();
    let whole = read(0, 100).await;
    assert_eq!(spans(&whole["web"]), (true, vec![all[0].clone(), all[1].clone(), all[3].clone()]));
    assert_eq!(spans(&whole["db"]), (true, vec![all[2].clone()]), "also one that is not defined any more");
    let late = read(20, 25).await;
    assert_eq!(spans(&late["web"]), (false, vec![all[1].clone(), all[3].clone()]));
    let early = read(0, 10).await;
    assert_eq!(spans(&early["web"]), (true, vec![all[0].clone()]));
}

#[tokio::test]
async fn a_ledger_is_read_up_to_an_entry_with_the_one_after_it_and_what_does_not_follow() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(rows()).await.unwrap();
    let named = || (HostNo(1), "web".to_owned());
    let until = |n, from, until| store.check_ledger_until(named(), n, Span { from: at(from), until: at(until) });
    let begin = |row: &CheckSpanRow| row.from;
    let late = until(3, 25, 28).await.unwrap();
    assert_eq!(late.rows.iter().map(begin).collect::<Vec<_>>(), [at(10), at(20)], "with the one before the window");
    assert!(!late.from_its_beginning);
    let kept = until(2, 12, 18).await.unwrap();
    assert_eq!((kept.rows.len(), kept.from_its_beginning), (2, true));
    assert_eq!((kept.first, kept.broken, kept.next.as_ref().map(begin)), (Some((1, at(0))), None, Some(at(20))));
    let links = store.check_positions(vec![(HostNo(1), "web".to_owned(), 2)]).await.unwrap();
    assert_eq!(kept.hash.as_ref(), links.get(&named()));
    let whole = until(3, 0, 30).await.unwrap();
    assert_eq!((whole.rows.len(), whole.from_its_beginning, whole.next), (3, true, None));
    assert_eq!(until(4, 0, 30).await.unwrap().hash, None, "there is no such entry");
    let other = Connection::open(directory.path().join("state.db")).unwrap();
    other.execute("UPDATE check_span SET said = 'x' WHERE n = 2 AND name = 'web'", []).unwrap();
    assert_eq!(until(3, 0, 30).await.unwrap().broken, Some(2));
    other.execute("DELETE FROM check_span WHERE n = 2 AND name = 'web'", []).unwrap();
    assert_eq!(until(3, 0, 30).await.unwrap().broken, Some(3), "an entry was taken out");
}

#[tokio::test]
async fn what_is_written_after_a_snapshot_was_taken_is_not_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(rows()).await.unwrap();
    let mut ledgers = store.check_ledgers(vec![HostNo(1)], Span { from: at(0), until: at(12) }).await.unwrap();
    let web = ledgers.get_mut(&HostNo(1)).unwrap().remove("web").unwrap();
    assert_eq!((web.rows.len(), web.last()), (2, 3), "the last entry lies behind the window");
    let open = Counted { status: Status::Critical, from: at(10), said: "connection refused".into() };
    let then = web.clone().until(Some(&open));
    assert_eq!((then.rows.len(), then.last()), (1, 1));
    assert_eq!(web.clone().until(None), web);
}

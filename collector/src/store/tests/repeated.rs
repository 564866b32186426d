//! Commits whose answer was lost and entries that went missing stop nothing.

use super::*;

#[tokio::test]
async fn rows_committed_twice_are_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let rows = || {
        vec![
            span(1, 1),
            span(1, 2),
            incident_event(1, 1),
            Row::Attempt(AttemptRow {
                page: PageId(1),
                n: 1,
                at: at(2),
                outcome: "accepted".into(),
                detail: String::new(),
            }),
            Row::Audit(audit("host.label")),
        ]
    };
    for _ in 0..2 {
        store.commit(rows()).await.unwrap();
    }
    store.commit(vec![span(1, 3)]).await.unwrap();
    assert_eq!(store.audit(9).await.unwrap(), [audit("host.label")]);
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_gap_in_the_ledger_begins_a_new_chain_and_an_entry_taken_out_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(vec![host(1), span(1, 1), span(1, 4), span(1, 5), span(2, 7)]).await.unwrap();
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    let other = Connection::open(directory.path().join("state.db")).unwrap();
    other.execute("DELETE FROM span WHERE host = 1 AND n = 4", []).unwrap();
    let broken = store.verify_chains().await.unwrap();
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].contains("ledger entry 5"), "{broken:?}");
}

//! Ledgers up to an entry, and what of their chains does not hold.

use super::*;
use crate::domain::calendar::Span;

fn row(n: i64, from: i64, to: i64, state: Observed) -> Row {
    let (cause, evidence) = (Cause::Silence, "nothing was heard".to_owned());
    let (from, to, learned) = (at(from), at(to), at(to));
    Row::Span(SpanRow { host: HostNo(1), n, from, to, state, cause, evidence, learned, replaces: None })
}

async fn ledger(directory: &Path) -> Store {
    let store = Store::open(directory, NOW).unwrap();
    let rows = [
        row(1, 0, 10, Observed::Up),
        row(2, 10, 20, Observed::Down),
        row(3, 20, 30, Observed::Up),
        row(4, 30, 40, Observed::Down),
    ];
    store.commit([vec![host(1)], rows.to_vec()].concat()).await.unwrap();
    store
}

#[tokio::test]
async fn a_ledger_is_read_up_to_an_entry_with_the_one_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = ledger(directory.path()).await;
    let known = store.positions(vec![(HostNo(1), 3), (HostNo(2), 0)]).await.unwrap();
    let kept = store.ledger_until(HostNo(1), 3, Span { from: at(10), until: at(25) }).await.unwrap();
    assert_eq!(kept.rows.iter().map(|row| row.n).collect::<Vec<_>>(), [2, 3], "what touches the window");
    assert_eq!((kept.first, kept.broken), (Some((1, at(0))), None));
    assert_eq!(kept.last, Some((at(30), known[&HostNo(1)].hash.clone())));
    assert_eq!((known[&HostNo(1)].begun, known[&HostNo(1)].hash.len()), (Some(at(0)), 64));
    assert_eq!(known[&HostNo(2)], crate::store::positions::Known::default());
    assert_eq!(kept.next.map(|row| (row.n, row.state)), Some((4, Observed::Down)));
    let all = store.ledger_until(HostNo(1), 4, Span { from: at(0), until: at(40) }).await.unwrap();
    assert_eq!((all.rows.len(), all.next), (4, None));
    let none = store.ledger_until(HostNo(2), 0, Span { from: at(0), until: at(40) }).await.unwrap();
    assert_eq!(none, crate::domain::sla::verification::Kept::default());
}

#[tokio::test]
async fn what_comes_after_an_entry_is_not_what_corrects_one_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = ledger(directory.path()).await;
    let Row::Span(span) = row(5, 10, 20, Observed::Unreachable) else { panic!() };
    let correction = Row::Span(SpanRow { replaces: Some(2), ..span });
    store.commit(vec![correction, row(6, 40, 50, Observed::Up)]).await.unwrap();
    let whole = Span { from: at(0), until: at(60) };
    let kept = store.ledger_until(HostNo(1), 4, whole).await.unwrap();
    assert_eq!((kept.last.map(|(end, _)| end), kept.next.map(|row| row.n)), (Some(at(40)), Some(6)));
    let corrected = store.ledger_until(HostNo(1), 5, whole).await.unwrap();
    assert_eq!(corrected.last.map(|(end, _)| end), Some(at(40)), "the open end begins where all of them end");
}

#[tokio::test]
async fn what_was_changed_or_taken_out_breaks_the_chain_where_it_was() {
    for (change, broken) in [
        ("UPDATE span SET from_ms = from_ms + 1 WHERE n = 1", Some(1)),
        ("UPDATE span SET state = 'up' WHERE n = 2", Some(2)),
        ("UPDATE span SET evidence = 'x' WHERE n = 3", Some(3)),
        ("DELETE FROM span WHERE n = 2", Some(3)),
        ("DELETE FROM span WHERE n = 1", None),
        ("UPDATE span SET to_ms = to_ms + 1 WHERE n = 4", Some(4)),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = ledger(directory.path()).await;
        let by_hand = Connection::open(directory.path().join("state.db")).unwrap();
        assert_eq!(by_hand.execute(change, []).unwrap(), 1);
        let kept = store.ledger_until(HostNo(1), 3, Span { from: at(0), until: at(40) }).await.unwrap();
        assert_eq!(kept.broken, broken, "{change}");
        // A beginning that is forgotten is no break, but it is seen.
        assert_eq!(kept.first.unwrap().0, if broken.is_none() { 2 } else { 1 }, "{change}");
    }
}

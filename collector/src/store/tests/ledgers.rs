//! What of the ledgers a collector goes on from.

use super::*;
use crate::domain::event::{Ending, Look};

#[tokio::test]
async fn of_each_ledger_all_since_its_last_proof_of_being_up_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let entry = |no: i64, n: i64, state: Observed, replaces: Option<i64>| match span(no, n) {
        Row::Span(row) => Row::Span(SpanRow { state, replaces, ..row }),
        other => other,
    };
    let (up, down, away) = (Observed::Up, Observed::Down, Observed::CollectorDown);
    // A correction says of an earlier time that it was up; the second host never was, the third without its agent only.
    let first = [(1, up, None), (2, up, None), (3, down, None), (4, away, None), (5, up, Some(3)), (6, down, Some(3))];
    let second = [(1, down, None), (2, away, None)];
    let rows = first.iter().map(|(n, state, replaces)| entry(1, *n, *state, *replaces));
    let rows = rows.chain(second.iter().map(|(n, state, replaces)| entry(2, *n, *state, *replaces)));
    let lost = [(1, Cause::Reporting), (2, Cause::Stream(Ending::Fin)), (3, Cause::Looked(Look::Answers))];
    let rows = rows.chain(lost.into_iter().map(|(n, cause)| match entry(3, n, up, None) {
        Row::Span(row) => Row::Span(SpanRow { cause, ..row }),
        other => other,
    }));
    store.commit([host(1), host(2), host(3)].into_iter().chain(rows).collect()).await.unwrap();
    let given: Vec<(i64, i64)> = store.load().await.unwrap().last_spans.iter().map(|row| (row.host.0, row.n)).collect();
    assert_eq!(given, [(1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)]);
}

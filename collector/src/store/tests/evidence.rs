//! Evidence: the first and last of its kind, of this host, taken between two instants.

use super::*;
use crate::store::evidence::Which;

fn read(at: Timestamp, body: &str) -> Option<(Timestamp, String)> {
    (!body.contains("other")).then(|| (at, body.to_owned()))
}

#[tokio::test]
async fn the_first_and_last_evidence_of_a_host_within_a_time_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let fact =
        |sequence, ms, kind, body: &str| Fact { sequence, at: at(ms), kind, body: format!("{{\"is\":\"{body}\"}}") };
    let facts = vec![
        fact(1, 1_000, "evidence", "first"),
        fact(2, 2_000, "evidence", "second"),
        fact(3, 3_000, "evidence", "other"),
        fact(4, 4_000, "gap", "gap"),
    ];
    store.commit_facts(HostNo(1), [1; 16], facts).await.unwrap();
    store.commit_facts(HostNo(2), [1; 16], vec![fact(1, 2_500, "evidence", "neighbour")]).await.unwrap();
    let found = async |from: i64, to: i64| {
        let span = (at(from), at(to));
        let first = store.evidence(HostNo(1), span, Which::First, read).await.unwrap();
        (first, store.evidence(HostNo(1), span, Which::Last, read).await.unwrap())
    };
    let first = Some((at(1_000), "{\"is\":\"first\"}".to_owned()));
    let second = Some((at(2_000), "{\"is\":\"second\"}".to_owned()));
    assert_eq!(found(0, 9_000).await, (first.clone(), second.clone()));
    assert_eq!(found(2_000, 2_000).await, (second.clone(), second));
    assert_eq!(found(1_000, 1_999).await, (first.clone(), first));
    assert_eq!((found(2_001, 9_000).await, found(0, 999).await), ((None, None), (None, None)));
}

//! What was said to be no problem, and what is read of past incidents for looking at a choice beforehand.

use super::*;
use crate::domain::{
    dismissal::{Choice, Dismissal, past::Tally},
    ids::DismissalNo,
};

fn dismissal(version: i64, withdrawn: Option<(Timestamp, String)>) -> Dismissal {
    Dismissal {
        no: DismissalNo(3),
        version,
        incident: IncidentNo(1),
        key: "liveness/web-1/host".into(),
        host: Some(HostNo(1)),
        from: at(0),
        until: at(60_000),
        choice: Choice::FalseAlarm,
        reason: "the cable was out".into(),
        by: "ada".into(),
        via: "web".into(),
        made: at(70_000),
        tally: Tally { pages: 2, missed_numbers: vec![IncidentNo(9)], ..Tally::default() },
        withdrawn,
    }
}

#[tokio::test]
async fn the_last_version_of_what_was_said_is_given_back_and_none_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let row = |dismissal: &Dismissal| Row::Dismissal(Box::new(dismissal.clone()));
    let (first, second) = (dismissal(1, None), dismissal(2, Some((at(80_000), "bob".into()))));
    store.commit(vec![row(&first)]).await.unwrap();
    assert_eq!(store.load().await.unwrap().dismissals, std::slice::from_ref(&first));
    store.commit(vec![row(&second), row(&first)]).await.unwrap();
    assert_eq!(store.load().await.unwrap().dismissals, [second]);
    let other = Dismissal { reason: "changed".into(), ..first };
    assert!(store.commit(vec![row(&other)]).await.is_err(), "a version is written once");
}

#[tokio::test]
async fn past_incidents_are_read_with_their_calls_and_whether_somebody_handled_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let resolved = IncidentState::Resolved;
    let kind = |row: Row, kind: PageKind| {
        let Row::Page(page) = row else { panic!("a page") };
        Row::Page(Box::new(Page { kind, ..*page }))
    };
    let event = |no, n, kind: &str, by: Option<&str>| {
        let Row::IncidentEvent(event) = incident_event(no, n) else { panic!("an event") };
        Row::IncidentEvent(IncidentEventRow { kind: kind.into(), by: by.map(str::to_owned), ..event })
    };
    let rows = vec![
        incident(1, resolved, Some(5)),
        incident(2, resolved, Some(5)),
        incident(3, IncidentState::Open, None),
        incident(4, resolved, Some(5)),
        page(1, 1, Delivery::Accepted),
        kind(page(2, 1, Delivery::Failed), PageKind::Updated),
        kind(page(3, 1, Delivery::Accepted), PageKind::Acknowledged),
        kind(page(4, 1, Delivery::Accepted), PageKind::Resolved),
        event(1, 1, "acknowledged", Some("ada")),
        event(2, 1, "resolved", None),
        event(2, 2, "not a problem", Some("ada")),
        event(3, 1, "resolved", Some("ada")),
    ];
    store.commit(rows).await.unwrap();
    let found = store.past(at(1), |row| row.no != IncidentNo(4)).await.unwrap();
    let shown: Vec<_> = found.iter().map(|past| (past.row.no.0, past.handled, past.calls.len())).collect();
    assert_eq!(shown, [(3, true, 0), (2, false, 0), (1, true, 2)], "who pages is told of an end is not called");
    assert!(store.past(at(2), |_| true).await.unwrap().is_empty(), "opened before");
}

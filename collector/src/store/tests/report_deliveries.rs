//! Reports are issued once for a period, and kept until all of them is delivered.

use super::*;
use crate::domain::sla::delivery::{Delivery, Destination, Document, Format, Issue, Made, Outcome, State as How, Way};

/// A report over a period, due that many milliseconds after the present.
pub(super) fn issue(period: &str, due: i64, asked_by: Option<&str>) -> Issue {
    let (version, digest, verdict) = (3, "d".to_owned(), "met".to_owned());
    let made = Made { version, digest, verdict, title: "t".into(), text: "x".into(), stem: "s".into() };
    let mail = |to: &str| Destination { way: Way::Mail, to: to.into() };
    Issue {
        no: 0,
        report: "monthly".into(),
        agreement: "web".into(),
        period: period.into(),
        due: at(due),
        asked_by: asked_by.map(Into::into),
        at: at(due + 1),
        made: Some(made),
        why: String::new(),
        deliveries: Vec::new(),
    }
    .to(vec![mail("it@example.org"), mail("cfo@example.org")])
}

fn documents() -> Vec<Document> {
    [(Format::Html, "<p>"), (Format::Json, "{}")].map(|(format, body)| Document { format, body: body.into() }).to_vec()
}

#[tokio::test]
async fn the_schedule_issues_a_period_once_and_people_as_often_as_they_ask() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let put = async |issue: Issue| store.put_issue(issue, documents(), None).await.unwrap().map(|issue| issue.no);
    assert_eq!(put(issue("2026-09", 10, None)).await, Some(1));
    assert_eq!(put(issue("2026-10", 20, None)).await, Some(2));
    assert_eq!(put(issue("2026-10", 25, None)).await, None, "due at another hour, and issued all the same");
    assert_eq!(put(issue("2026-10", 20, Some("ann"))).await, Some(3));
    assert_eq!(put(issue("2026-10", 99, Some("ann"))).await, Some(4));
    let other = Issue { agreement: "mail".into(), ..issue("2026-10", 20, None) };
    assert_eq!(put(other).await, Some(5));
    let mut last = store.last_due().await.unwrap();
    last.sort();
    let expected = [("monthly", "mail", at(20)), ("monthly", "web", at(20))];
    assert_eq!(last, expected.map(|(report, agreement, due)| (report.to_owned(), agreement.to_owned(), due)));
    let numbers = |issues: Vec<Issue>| issues.iter().map(|issue| issue.no).collect::<Vec<_>>();
    assert_eq!(numbers(store.issues_before(5, 2).await.unwrap()), [4, 3]);
    assert_eq!(numbers(store.newest_issues().await.unwrap()), [5, 4]);
}

#[tokio::test]
async fn what_is_under_way_is_there_after_a_crash_and_documents_go_with_the_last_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let issued = store.put_issue(issue("2026-10", 1, None), documents(), None).await.unwrap().unwrap();
    let [mut first, mut second] = <[Delivery; 2]>::try_from(issued.deliveries).unwrap();
    first.begin(at(5));
    store.put_delivery(1, first.clone()).await.unwrap();
    drop(store);

    let store = Store::open(directory.path(), NOW).unwrap();
    let open = store.open_issues().await.unwrap();
    assert_eq!((open[0].no, &open[0].deliveries), (1, &vec![first.clone(), second.clone()]));
    first.resume(at(6));
    assert_eq!(first.state, How::Unclear);
    store.put_delivery(1, first).await.unwrap();
    assert_eq!(store.documents(1).await.unwrap(), documents(), "one is still to be sent");
    second.begin(at(7));
    second.end(Outcome::Taken("250 OK".into()), at(2), at(8));
    store.put_delivery(1, second.clone()).await.unwrap();
    assert!(store.documents(1).await.unwrap().is_empty() && store.open_issues().await.unwrap().is_empty());
    assert_eq!(store.issues_numbered(vec![1, 9]).await.unwrap()[0].deliveries[1], second);
}

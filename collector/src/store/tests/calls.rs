//! Who was called, as it is read back.

use super::*;
use crate::domain::{
    calendar::Span,
    oncall::figures::{Called, Course},
};

#[tokio::test]
async fn calls_are_read_by_time_and_an_incident_belongs_to_where_its_first_page_went() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Timestamp::from_ms(1)).unwrap();
    let page = |id: i64, no: i64, at: i64, kind: PageKind, person: Option<&str>| {
        let Row::Page(like) = page(id, no, Delivery::Accepted) else { panic!("a page") };
        let decided = Timestamp::from_ms(at);
        Row::Page(Box::new(Page { kind, person: person.map(str::to_owned), decided, ..*like }))
    };
    let event = |no: i64, n: i64, at: i64, kind: &str| {
        let (incident, at) = (IncidentNo(no), Timestamp::from_ms(at));
        Row::IncidentEvent(IncidentEventRow { incident, n, at, kind: kind.into(), text: String::new(), by: None })
    };
    let rows = vec![
        // The first began to page before the time, the second within it, the third was told to a receiver only.
        page(1, 1, 90, PageKind::Opened, Some("ann")),
        page(2, 1, 100, PageKind::Updated, Some("bob")),
        page(3, 2, 120, PageKind::Opened, Some("ann")),
        page(4, 2, 120, PageKind::Opened, Some("ann")),
        page(5, 2, 150, PageKind::Acknowledged, Some("ann")),
        page(6, 3, 199, PageKind::Opened, None),
        page(7, 3, 200, PageKind::Updated, Some("ann")),
        event(2, 1, 120, "opened"),
        event(2, 2, 150, "acknowledged"),
        event(2, 3, 160, "acknowledged"),
    ];
    store.commit(rows).await.unwrap();
    let at = Timestamp::from_ms;
    let found = store.calls(Span { from: at(100), until: at(200) }).await.unwrap();
    let called = |person: &str, ms| Called { person: person.into(), at: at(ms) };
    assert_eq!(found.called, [called("bob", 100), called("ann", 120)], "two ways at once wake once");
    let course = |paged, acknowledged: Option<i64>| Course {
        paged: at(paged),
        acknowledged: acknowledged.map(at),
        resolved: None,
    };
    assert_eq!(found.courses, [course(120, Some(150)), course(199, None)]);
}

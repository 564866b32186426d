//! What of people and of the past is kept, and for how long.

use super::*;
use crate::store::{AuditOf, Pruned};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn links_work_once_and_people_are_signed_out_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let session = |hash: u8, link| WebSessionRow {
        hash: vec![hash; 32],
        name: "ada".into(),
        role: Role::Admin,
        expires: at(1_000),
        link,
    };
    let person = Person { name: "ada".into(), role: Role::Admin, password_hash: "x".into(), enabled: true };
    store.put_person(person, audit("person.add")).await.unwrap();
    store.put_web_session(session(1, true)).await.unwrap();
    store.put_web_session(session(2, false)).await.unwrap();
    assert!(store.take_link(&[1; 32], at(1_000)).await.unwrap().is_none(), "expired");
    assert!(store.take_link(&[1; 32], at(999)).await.unwrap().is_some());
    assert!(store.take_link(&[1; 32], at(999)).await.unwrap().is_none());
    assert!(store.find_web_session(&[2; 32], at(0)).await.unwrap().is_some());
    let person = Person { name: "ada".into(), role: Role::Viewer, password_hash: "x".into(), enabled: false };
    store.put_person(person, audit("person.disable")).await.unwrap();
    assert!(store.find_web_session(&[2; 32], at(0)).await.unwrap().is_none());
    assert!(!store.people().await.unwrap()[0].enabled);

    let token =
        ApiTokenRow { id: "t1".into(), hash: vec![3; 32], role: Role::Scrape, note: "p".into(), expires: at(9) };
    store.put_api_token(token, audit("api_token.create")).await.unwrap();
    assert_eq!(store.find_api_token(&[3; 32], at(8)).await.unwrap().unwrap().role, Role::Scrape);
    assert!(store.find_api_token(&[3; 32], at(9)).await.unwrap().is_none());
    assert!(store.end_api_token("t1", audit("api_token.end")).await.unwrap());
    assert!(!store.end_api_token("t1", audit("api_token.end")).await.unwrap());
    let actions: Vec<_> = store.audit(9).await.unwrap().into_iter().map(|row| row.action).collect();
    assert_eq!(actions, ["api_token.end", "api_token.create", "person.disable", "person.add"]);
    let of = |who: Option<&str>, action: Option<&str>, subject: Option<&str>| {
        let [who, action, subject] = [who, action, subject].map(|text| text.map(str::to_owned));
        store.audit_of(AuditOf { who, action, subject }, 9)
    };
    let counts = [
        of(Some("ada"), None, Some("web")).await.unwrap().len(),
        of(Some("bob"), None, None).await.unwrap().len(),
        of(Some("ada"), Some("person.add"), None).await.unwrap().len(),
        of(None, None, Some("db")).await.unwrap().len(),
    ];
    assert_eq!(counts, [4, 0, 1, 0]);
}

#[tokio::test]
async fn a_session_follows_its_person_and_nobodys_session_stands_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let person = |role, enabled| Person { name: "ada".into(), role, password_hash: "x".into(), enabled };
    let session = |hash: u8, name: &str| WebSessionRow {
        hash: vec![hash; 32],
        name: name.into(),
        role: Role::Admin,
        expires: at(1_000),
        link: false,
    };
    let role_of = async |hash: u8| store.find_web_session(&[hash; 32], at(0)).await.unwrap().map(|row| row.role);
    store.put_person(person(Role::Viewer, true), audit("person.add")).await.unwrap();
    store.put_web_session(session(1, "ada")).await.unwrap();
    assert_eq!(role_of(1).await, Some(Role::Viewer), "the present role counts");
    store.put_person(person(Role::Admin, false), audit("person.disable")).await.unwrap();
    // A sign-in that was under way when she was disabled.
    store.put_web_session(session(2, "ada")).await.unwrap();
    assert_eq!(role_of(2).await, None);
    store.put_web_session(session(3, "gone")).await.unwrap();
    assert_eq!(role_of(3).await, None, "nobody has this name any more");
    store.put_web_session(session(4, "uid:0")).await.unwrap();
    assert_eq!(role_of(4).await, Some(Role::Admin), "from a link that belongs to no person");
}

#[tokio::test]
async fn old_facts_are_forgotten_by_kind_and_their_position_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let fact = |sequence, at, kind| Fact { sequence, at, kind, body: "{}".into() };
    let old = NOW.plus_ms(-35 * DAY_MS - 1);
    let mut facts: Vec<_> = (1..=1_100).map(|sequence| fact(sequence, old, "rollup")).collect();
    facts.push(fact(1_101, old, "gap"));
    facts.push(fact(1_102, old, "evidence"));
    facts.push(fact(1_103, NOW.plus_ms(-35 * DAY_MS), "rollup"));
    store.commit_facts(HostNo(1), [1; 16], facts).await.unwrap();
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned { facts: 1_101, ..Pruned::default() });
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned::default());
    assert_eq!(store.received(HostNo(1)).await.unwrap(), Some(([1; 16], 1_103)));
}

#[tokio::test]
async fn of_too_many_facts_the_oldest_are_forgotten_whatever_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let kinds = ["evidence", "rollup"];
    let facts = (1..=200_007_u64)
        .map(|n| Fact {
            sequence: n,
            at: at(i64::try_from(n).unwrap() / 4),
            kind: kinds[usize::from(n % 2 == 0)],
            body: String::new(),
        })
        .collect();
    store.commit_facts(HostNo(1), [1; 16], facts).await.unwrap();
    store
        .commit_facts(HostNo(2), [1; 16], vec![Fact { sequence: 1, at: at(0), kind: "gap", body: "".into() }])
        .await
        .unwrap();
    assert_eq!(store.prune(NOW).await.unwrap().facts, 7);
    let file = Connection::open(directory.path().join("facts.db")).unwrap();
    let oldest: i64 = file.query_row("SELECT min(sequence) FROM fact WHERE host = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(oldest, 8);
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned::default());
}

/// Three years with a leap day.
const YEARS_MS: i64 = 1_096 * DAY_MS;

#[tokio::test]
async fn incidents_are_forgotten_after_three_years_and_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let mut rows = vec![
        incident(1, IncidentState::Resolved, Some(-YEARS_MS - 1)),
        incident(2, IncidentState::Resolved, Some(-YEARS_MS)),
        incident(3, IncidentState::Open, None),
        // Old ones that the newest page belongs to.
        incident(4, IncidentState::Resolved, Some(-YEARS_MS - 1)),
    ];
    for no in 1..=4 {
        rows.extend([incident_event(no, 1), page(no, no, Delivery::Accepted)]);
    }
    rows.push(page(9, 4, Delivery::Accepted));
    rows.push(Row::Attempt(AttemptRow {
        page: PageId(1),
        n: 1,
        at: at(2),
        outcome: "accepted".into(),
        detail: String::new(),
    }));
    store.commit(rows).await.unwrap();
    // Attempt, entry, page and itself of 1; entry and a page of 4, whose page 9 is the newest and keeps the count.
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned { details: 6, ..Pruned::default() });
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned::default());
    let back = store.load().await.unwrap();
    assert_eq!((back.last_page, back.last_incident), (9, 4));
    let left = |table: &str| count(&directory, table);
    assert_eq!((left("incident"), left("incident_event"), left("page"), left("attempt")), (3, 2, 3, 0));
}

/// Rows of a table of `state.db`.
pub(super) fn count(directory: &tempfile::TempDir, table: &str) -> i64 {
    let file = Connection::open(directory.path().join("state.db")).unwrap();
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_newest_of_each_report_and_what_is_still_to_be_sent_stay_however_old() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let file = Connection::open(directory.path().join("state.db")).unwrap();
    for (no, report, state) in [(1, "a", "waiting"), (2, "a", "done"), (3, "a", "done"), (4, "b", "done")] {
        let sql = "INSERT INTO report_issue (no, report, agreement, period, due_ms, scheduled, body)
                   VALUES (?1, ?2, 'web', 'p' || ?1, ?3, 1, '{}')";
        file.execute(sql, rusqlite::params![no, report, NOW.ms() - 2 * YEARS_MS]).unwrap();
        let sql = "INSERT INTO report_delivery (issue, n, state, body) VALUES (?1, 1, ?2, '{}')";
        file.execute(sql, rusqlite::params![no, state]).unwrap();
    }
    store.prune(NOW).await.unwrap();
    let mut statement = file.prepare("SELECT no FROM report_issue ORDER BY no").unwrap();
    let left: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!((left, count(&directory, "report_delivery")), (vec![1, 3, 4], 3));
}

#[tokio::test]
async fn the_audit_log_loses_its_oldest_days_and_its_chain_still_holds() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let entry =
        |days_ago: i64, action: &str| Row::Audit(AuditRow { at: NOW.plus_ms(-days_ago * DAY_MS), ..audit(action) });
    store.commit(vec![entry(1_098, "a"), entry(1_097, "b"), entry(1_097, "c"), entry(10, "d")]).await.unwrap();
    assert_eq!(store.prune(NOW).await.unwrap(), Pruned { audit: 3, ..Pruned::default() });
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    store.commit(vec![entry(0, "e")]).await.unwrap();
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    // All of it gone: the next entry still follows the last that was.
    let later = NOW.plus_ms(2 * YEARS_MS);
    assert_eq!(store.prune(later).await.unwrap().audit, 2);
    store.commit(vec![Row::Audit(AuditRow { at: later, ..audit("f") })]).await.unwrap();
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    // What is taken out by hand is seen as before.
    store.commit(vec![Row::Audit(AuditRow { at: later, ..audit("g") })]).await.unwrap();
    let file = Connection::open(directory.path().join("state.db")).unwrap();
    file.execute("DELETE FROM audit WHERE action = 'f'", []).unwrap();
    assert_eq!(store.verify_chains().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_configured_is_kept_and_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.keep(crate::domain::retention::Retention { incidents_ms: 100 * DAY_MS, ..Default::default() });
    let over = |no: i64, days: i64| incident(no, IncidentState::Resolved, Some(-days * DAY_MS));
    store.commit(vec![over(1, 101), over(2, 99), over(3, 0)]).await.unwrap();
    assert_eq!(store.prune(NOW).await.unwrap().details, 1);
    assert_eq!(count(&directory, "incident"), 2);
}

#[tokio::test]
async fn what_each_kind_takes_adds_up_to_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let facts = (1..=2_000).map(|sequence| Fact { sequence, at: NOW, kind: "gap", body: "x".repeat(200) });
    store.commit_facts(HostNo(1), [1; 16], facts.collect()).await.unwrap();
    let sizes = store.sizes().await.unwrap();
    assert_eq!((sizes[0].kind, sizes[0].file), ("records", "facts.db"));
    assert!(sizes[0].bytes > 400_000, "{sizes:?}");
    for file in ["state.db", "facts.db"] {
        let connection = Connection::open(directory.path().join(file)).unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let all: u64 = sizes.iter().filter(|size| size.file == file).map(|size| size.bytes).sum();
        assert_eq!(i64::try_from(all).unwrap(), pages * 4_096, "{file}: {sizes:?}");
    }
    // A table that is new belongs to a kind.
    let other: u64 = sizes.iter().filter(|size| size.kind == "other").map(|size| size.bytes).sum();
    assert!(other < 400_000, "{sizes:?}");
}

#[tokio::test]
async fn of_incidents_that_are_over_the_latest_thousand_of_a_day_are_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    // The later the number the longer it is over; the first 1 200 within 20 min.
    let over = |no: i64| incident(no, IncidentState::Resolved, Some(-no * 1_000));
    let given_back = async |store: &Store| store.load().await.unwrap().incidents.len();
    store.commit((600..=1_900).map(over).collect()).await.unwrap();
    assert_eq!(given_back(&store).await, 1_000);
    store.commit((1..600).map(over).collect()).await.unwrap();
    assert_eq!(given_back(&store).await, 1_200, "all of the last 20 min");
    store.commit(vec![incident(2_000, IncidentState::Open, None)]).await.unwrap();
    assert_eq!(given_back(&store).await, 1_201);
}

#[tokio::test]
async fn incidents_that_are_over_are_remembered_for_thirteen_months_the_latest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let over = |no: i64, days_ago: i64| incident(no, IncidentState::Resolved, Some(-days_ago * DAY_MS));
    let rows = vec![over(1, 397), over(2, 395), over(3, 30), over(4, 0), incident(5, IncidentState::Open, None)];
    store.commit(rows).await.unwrap();
    let past: Vec<i64> = store.load().await.unwrap().past.iter().map(|row| row.no.0).collect();
    assert_eq!(past, [4, 3, 2]);
}

//! The store as its users see it: what is committed is there again, what is not is not, and nothing is deleted.

mod agreements;
mod calls;
mod check_ledger;
mod cited;
mod dismissals;
mod evidence;
mod hardware;
mod inventory;
mod inventory_bounds;
mod inventory_slices;
mod kept;
mod labels;
mod ledgers;
mod lives;
mod opening;
mod positions;
mod repeated;
mod report_deliveries;
mod rows;
mod trends;

use std::sync::{Arc, Mutex};
use std::{collections::BTreeMap, fs, path::Path};

use rusqlite::Connection;

use self::rows::{incident, incident_event};
use super::{
    DiskState, Fact, Store, StoreError,
    faults::Faults,
    migrations::{Migration, migrate},
    opening::NoWatcher,
    people::{ApiTokenRow, Person, Role, WebSessionRow},
};
use crate::domain::{
    finding::FindingRow,
    host::{
        Cause, State,
        check_ledger::{CheckLedger, CheckSpanRow},
        checks::{CheckRow, Status},
    },
    ids::{HostId, HostNo, IncidentNo, PageId},
    labels::{Admission, Class, Facts, Profile},
    layers::Layer,
    record::{
        AttemptRow, AuditRow, Delivery, IncidentEventRow, IncidentRow, IncidentState, LivenessRow, Loaded, Observed,
        Page, PageKind, ProblemRow, Row, SpanRow,
    },
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
fn at(ms: i64) -> Timestamp {
    NOW.plus_ms(ms)
}

pub(super) fn host(no: i64) -> Row {
    Row::Host(Box::new(Profile {
        no: HostNo(no),
        id: HostId(uuid::Uuid::from_u128(u128::from(no.unsigned_abs()))),
        name: format!("web-{no}"),
        class: Class::Server,
        site: Some("berlin".into()),
        watch: Watch::Normal,
        labels: BTreeMap::from([("team".into(), "a \"b\"".into())]),
        layers: BTreeMap::from([(Layer::Token, BTreeMap::from([("team".into(), "a \"b\"".into())]))]).into(),
        admission: Admission::Active,
        facts: Facts { name: format!("web-{no}"), ..Facts::default() },
    }))
}

fn liveness(no: i64, since: i64) -> Row {
    Row::Liveness(LivenessRow {
        host: HostNo(no),
        state: State::Down,
        since: at(since),
        cause: Cause::Cut("berlin".into()),
        boot_id: Some([7; 16]),
        proof: at(since - 1),
        peer: Some("10.0.0.7".into()),
        answered: None,
    })
}

fn span(no: i64, n: i64) -> Row {
    Row::Span(SpanRow {
        host: HostNo(no),
        n,
        from: at(n),
        to: at(n + 1),
        state: Observed::Up,
        cause: Cause::Reporting,
        evidence: "beats".into(),
        learned: at(n + 1),
        replaces: (n > 1).then_some(n - 1),
    })
}

fn finding(no: i64, open: bool) -> Row {
    Row::Finding(FindingRow {
        host: HostNo(no),
        part: "/var".into(),
        rule: "filesystem_space".into(),
        open,
        severity: Severity::Warning,
        since: at(0),
        evidence: "3 % free".into(),
        cause: None,
    })
}

fn check(no: i64, check: &str, attempt: u32) -> Row {
    let (host, check, output) = (HostNo(no), check.to_owned(), "line\nline".to_owned());
    Row::Check(CheckRow {
        host,
        check,
        status: Status::Critical,
        hard: false,
        attempt,
        attempts: 3,
        since: at(0),
        output,
        ledger: CheckLedger::default(),
    })
}

fn problem(no: i64) -> Row {
    Row::Problem(ProblemRow {
        key: format!("liveness/web-{no}/down"),
        host: Some(HostNo(no)),
        hosts: Vec::new(),
        kind: "liveness".into(),
        severity: Severity::Critical,
        since: at(0),
        summary: "web is down".into(),
        evidence: "silent".into(),
        cause: None,
        part_of: None,
        incident: Some(IncidentNo(no)),
        fold_until: at(2_000),
        alert: None,
    })
}

fn page(id: i64, incident: i64, delivery: Delivery) -> Row {
    Row::Page(Box::new(Page {
        id: PageId(id),
        message_id: format!("m-{id}"),
        receiver: "hook".into(),
        to: None,
        person: None,
        incident: Some(IncidentNo(incident)),
        n: 1,
        kind: PageKind::Opened,
        key: "k".into(),
        state: IncidentState::Open,
        severity: Severity::Critical,
        title: "web is down".into(),
        host: "web".into(),
        component: String::new(),
        since: at(0),
        decided: at(1),
        details: "a\nb".into(),
        path: "/incidents/1".into(),
        act: None,
        delivery,
        facts: Default::default(),
        proof: Default::default(),
    }))
}

fn audit(what: &str) -> AuditRow {
    AuditRow {
        at: at(0),
        who: "ada".into(),
        from: "socket".into(),
        action: what.into(),
        subject: "web".into(),
        detail: String::new(),
    }
}

async fn loaded(store: &Store) -> String {
    format!("{:?}", Loaded { last_ran: None, ..store.load().await.unwrap() })
}

/// Fails the next commits of a file with the errors in its list.
#[derive(Debug, Default)]
struct Failing(Mutex<Vec<(&'static str, StoreError)>>);

impl Faults for Failing {
    fn before_commit(&self, file: &'static str) -> Result<(), StoreError> {
        let mut planned = self.0.lock().unwrap();
        match planned.iter().position(|(of, _)| *of == file) {
            Some(place) => Err(planned.remove(place).1),
            None => Ok(()),
        }
    }
}

impl Failing {
    fn plan(&self, file: &'static str, error: &StoreError, times: usize) {
        self.0.lock().unwrap().extend(std::iter::repeat_n((file, error.clone()), times));
    }
}

#[tokio::test]
async fn everything_that_the_engine_goes_on_from_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let rows = vec![
        host(1),
        host(2),
        liveness(1, 5),
        span(1, 1),
        span(1, 2),
        finding(1, true),
        finding(2, false),
        check(1, "web", 1),
        check(1, "web", 2),
        check(2, "gone", 1),
        Row::CheckGone(HostNo(2), "gone".into()),
        problem(1),
        incident(1, IncidentState::Open, None),
        incident(2, IncidentState::Resolved, Some(-86_400_001)),
        incident(3, IncidentState::Resolved, Some(-86_400_000)),
        incident_event(1, 1),
        page(1, 1, Delivery::Accepted),
        page(2, 2, Delivery::Queued),
        page(3, 2, Delivery::Failed),
        Row::Attempt(AttemptRow {
            page: PageId(1),
            n: 1,
            at: at(2),
            outcome: "accepted".into(),
            detail: String::new(),
        }),
        Row::Audit(audit("host.label")),
    ];
    store.commit(rows).await.unwrap();
    store.heartbeat(at(5_000)).await.unwrap();
    assert_eq!(store.load().await.unwrap().last_ran, None);
    drop(store);

    let store = Store::open(directory.path(), at(60_000)).unwrap();
    let back = store.load().await.unwrap();
    assert_eq!(back.hosts.len(), 2);
    assert_eq!(Row::Liveness(back.liveness[0].clone()), liveness(1, 5));
    assert_eq!(back.last_spans.iter().map(|span| span.n).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(back.findings.len(), 1);
    assert_eq!(back.checks.into_iter().map(Row::Check).collect::<Vec<_>>(), [check(1, "web", 2)]);
    assert_eq!(Row::Problem(back.problems[0].clone()), problem(1));
    // Incident 3 ended 24 h before the first start; a minute later it is history.
    // Incident 2 has a page to send still.
    assert_eq!(back.incidents.iter().map(|(row, _)| row.no.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(back.incidents[0].1.len(), 1);
    assert_eq!(back.pages.iter().map(|page| page.id.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((back.last_incident, back.last_page), (3, 3));
    assert_eq!(back.last_ran, Some(at(5_000)));
    assert_eq!(store.audit(10).await.unwrap(), [audit("host.label")]);
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(vec![span(1, 1)]).await.unwrap();
    let mut other = span(1, 1);
    if let Row::Span(entry) = &mut other {
        entry.evidence = "nothing".into();
    }
    let refused = store.commit(vec![host(1), other]).await;
    assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
    assert!(store.load().await.unwrap().hosts.is_empty());
    assert!(store.profile(HostNo(1)).is_none());
    store.commit(vec![host(1), span(1, 1)]).await.unwrap();
    assert_eq!(store.profile(HostNo(1)).unwrap().name, "web-1");
}

#[test]
fn reopening_after_every_commit_gives_the_same_as_before() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config {
        cases: 6,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    });
    let commits = proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 1..6), 1..5);
    runner
        .run(&commits, |commits| {
            let directory = tempfile::tempdir().unwrap();
            let (mut spans, mut events) = ([0_i64; 4], 0);
            for commit in commits {
                let rows = commit.iter().map(|&seed| generated(seed, &mut spans, &mut events)).collect();
                let store = Store::open(directory.path(), NOW).unwrap();
                runtime.block_on(store.commit(rows)).unwrap();
                let before = runtime.block_on(loaded(&store));
                drop(store);
                let store = Store::open(directory.path(), NOW).unwrap();
                assert_eq!(runtime.block_on(loaded(&store)), before);
                assert!(runtime.block_on(store.verify_chains()).unwrap().is_empty());
            }
            Ok(())
        })
        .unwrap();
}

fn generated(seed: u8, spans: &mut [i64; 4], events: &mut i64) -> Row {
    let no = i64::from(seed % 4) + 1;
    match seed / 4 % 11 {
        0 => host(no),
        1 => liveness(no, i64::from(seed)),
        2 | 3 => {
            let n = &mut spans[usize::from(seed % 4)];
            *n += 1;
            span(no, *n)
        }
        4 => finding(no, seed > 127),
        5 => problem(no),
        6 => Row::ProblemCleared(format!("liveness/web-{no}/down")),
        7 => incident(
            no,
            if seed > 127 { IncidentState::Resolved } else { IncidentState::Open },
            (seed > 127).then_some(9),
        ),
        8 => {
            *events += 1;
            incident_event(no, *events)
        }
        9 => page(no, no, if seed > 127 { Delivery::Accepted } else { Delivery::Queued }),
        _ => Row::Audit(audit("test")),
    }
}

#[tokio::test]
async fn facts_are_stored_once_per_epoch_and_sequence() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let fact = |sequence| Fact { sequence, at: at(0), kind: "gap", body: "{}".into() };
    assert_eq!(store.received(HostNo(1)).await.unwrap(), None);
    assert_eq!(store.commit_facts(HostNo(1), [1; 16], vec![fact(1), fact(2)]).await.unwrap().through, 2);
    assert_eq!(store.commit_facts(HostNo(1), [1; 16], vec![fact(2), fact(5)]).await.unwrap().through, 5);
    assert_eq!(store.commit_facts(HostNo(1), [1; 16], vec![fact(1)]).await.unwrap().through, 5);
    assert_eq!(store.commit_facts(HostNo(1), [2; 16], vec![fact(1)]).await.unwrap().through, 1);
    assert_eq!(store.received(HostNo(1)).await.unwrap(), Some(([2; 16], 1)));
    let beyond = store.commit_facts(HostNo(1), [2; 16], vec![fact(u64::MAX)]).await;
    assert!(matches!(beyond, Err(StoreError::Broken(_))), "{beyond:?}");
    drop(store);
    let count: i64 = Connection::open(directory.path().join("facts.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM fact", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 4);
}

#[tokio::test]
async fn a_full_disk_gets_the_reserve_once_and_then_the_caller_hears_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let faults = Arc::new(Failing::default());
    let store = Store::open_with(directory.path(), NOW, Arc::clone(&faults) as Arc<dyn Faults>, &NoWatcher).unwrap();
    let full = StoreError::Full("state.db".into());
    assert!(directory.path().join("reserve").exists());
    faults.plan("state.db", &full, 1);
    store.commit(vec![host(1)]).await.unwrap();
    assert!(!directory.path().join("reserve").exists());
    faults.plan("state.db", &full, 1);
    assert!(matches!(store.commit(vec![host(2)]).await, Err(StoreError::Full(_))));
    assert_eq!(store.load().await.unwrap().hosts.len(), 1);
    faults.plan("state.db", &StoreError::Busy("state.db".into()), 1);
    assert!(matches!(store.commit(vec![host(2)]).await, Err(StoreError::Busy(_))));
    store.commit(vec![host(2)]).await.unwrap();
    assert!(store.disk_state().unwrap().reserve_held, "taken again as there is room");
}

#[test]
fn a_filling_disk_is_told_at_ten_and_at_five_percent() {
    let trouble = |free_bytes, reserve_held| {
        DiskState { free_bytes, total_bytes: 1_000, reserve_held }.trouble().map(|(severity, _)| severity)
    };
    assert_eq!(trouble(101, true), None);
    assert_eq!(trouble(100, true), Some(Severity::Warning));
    assert_eq!(trouble(51, true), Some(Severity::Warning));
    assert_eq!(trouble(50, true), Some(Severity::Critical));
    assert_eq!(trouble(100, false), Some(Severity::Critical));
}

#[test]
fn a_second_collector_is_refused_and_named_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = Store::open(directory.path(), NOW).unwrap();
    let second = Store::open(directory.path(), NOW).unwrap_err().to_string();
    assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
    let term = first.lease().term;
    drop(first);
    assert_eq!(Store::open(directory.path(), NOW).unwrap().lease().term, term + 1);
}

#[tokio::test]
async fn a_collector_whose_lease_was_taken_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let other = Connection::open(directory.path().join("state.db")).unwrap();
    other.execute("UPDATE lease SET term = term + 1", []).unwrap();
    assert!(matches!(store.commit(vec![host(1)]).await, Err(StoreError::Fenced)));
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_reported_and_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(vec![host(1)]).await.unwrap();
    let fact = Fact { sequence: 1, at: at(0), kind: "gap", body: "{}".into() };
    store.commit_facts(HostNo(41), [1; 16], vec![fact]).await.unwrap();
    drop(store);
    let path = directory.path().join("state.db");
    fs::write(&path, b"not a database at all, but some kilobytes of it".repeat(200)).unwrap();

    let store = Store::open(directory.path(), at(1)).unwrap();
    assert!(store.reports()[0].contains("state.db.corrupt-"), "{:?}", store.reports());
    assert!(directory.path().join(format!("state.db.corrupt-{}", at(1).ms())).exists());
    assert!(store.load().await.unwrap().hosts.is_empty());
    // Host numbers go on above those that the facts know.
    let next = store.read(super::identity_rows::next_host_no).await.unwrap();
    assert_eq!(next, HostNo(42));
}

#[test]
fn a_newer_store_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(directory.path(), NOW).unwrap());
    let path = directory.path().join("state.db");
    let newest = super::migrations::STATE.last().unwrap().version;
    let newer = format!("UPDATE meta SET value = '{}' WHERE key = 'schema_version'", newest + 1);
    Connection::open(&path).unwrap().execute(&newer, []).unwrap();
    let refused = Store::open(directory.path(), NOW).unwrap_err().to_string();
    let (has, knows) = (format!("has schema {}", newest + 1), format!("knows up to {newest}"));
    assert!(refused.contains(&has) && refused.contains(&knows), "{refused}");
    assert!(path.exists());
}

#[test]
fn an_older_store_is_copied_before_it_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let steps = [
        Migration::new(1, "CREATE TABLE one (a BIGINT); INSERT INTO one VALUES (7)"),
        Migration::new(2, "ALTER TABLE one ADD COLUMN b TEXT"),
    ];
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &steps[..1], &NoWatcher).unwrap();
    assert!(!directory.path().join("state.db.before-1").exists());
    migrate(&mut connection, &path, &steps, &NoWatcher).unwrap();
    let count = |path: &Path, sql: &str| -> rusqlite::Result<i64> {
        Connection::open(path)?.query_row(sql, [], |row| row.get(0))
    };
    assert_eq!(count(&path, "SELECT count(*) FROM one WHERE b IS NULL"), Ok(1));
    assert_eq!(count(&directory.path().join("state.db.before-2"), "SELECT a FROM one"), Ok(7));
}

#[tokio::test]
async fn a_changed_or_missing_entry_breaks_its_chain() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    store.commit(vec![span(1, 1), span(1, 2), span(2, 1)]).await.unwrap();
    store.commit(vec![Row::Audit(audit("a")), Row::Audit(audit("b")), Row::Audit(audit("c"))]).await.unwrap();
    assert_eq!(store.verify_chains().await.unwrap(), Vec::<String>::new());
    let other = Connection::open(directory.path().join("state.db")).unwrap();
    other.execute("UPDATE span SET evidence = 'none' WHERE host = 1 AND n = 1", []).unwrap();
    other.execute("DELETE FROM audit WHERE action = 'b'", []).unwrap();
    assert_eq!(store.verify_chains().await.unwrap().len(), 2);
}

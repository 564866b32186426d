//! Asking PagerDuty, against a server that holds to its REST API as the reference states it.

use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    domain::{
        event::{Answer, Event},
        record::{IncidentEventRow, Page},
    },
    links::Links,
    mailbox::Mailbox,
    notify::{
        alertmanager::tests::incident,
        outbox::tests::page,
        sink::{Do, Sink},
    },
};

/// 2026-11-21T09:14:03.000Z
const OPENED: Timestamp = Timestamp::from_ms(1_795_252_443_000);

fn ours() -> Open {
    Open { key: "liveness/web-1/down".into(), opened: OPENED, from: OPENED }
}

/// An incident as the API shows it, acknowledged by these (type, name, time).
fn theirs(status: &str, acknowledgers: &[(&str, &str, &str)]) -> Value {
    let acknowledgements: Vec<Value> = acknowledgers
        .iter()
        .map(|(kind, name, at)| json!({ "at": at, "acknowledger": { "id": "P1", "type": kind, "summary": name } }))
        .collect();
    json!({
        "id": "Q1", "type": "incident", "incident_number": 7, "created_at": "2026-11-21T09:14:05Z", "status": status,
        "incident_key": null, "acknowledgements": acknowledgements,
        "last_status_change_at": "2026-11-21T09:20:00Z",
        "last_status_change_by": { "id": "P2", "type": "user_reference", "summary": "Bob" },
    })
}

fn who(theirs: &Value) -> Option<String> {
    taken(theirs, &ours()).map(|taken| format!("{}{}", taken.who, taken.note))
}

#[test]
fn only_what_a_person_did_since_it_began_counts() {
    let ana = ("user_reference", "Ana", "2026-11-21T09:15:00Z");
    let bob = ("user_reference", "Bob", "2026-11-21T09:16:00+00:00");
    assert_eq!(who(&theirs("acknowledged", &[bob, ana])).as_deref(), Some("Bob"), "who did last");
    assert_eq!(who(&theirs("triggered", &[ana])), None, "their time-out has taken it back");
    let service = ("service_reference", "Muster", "2026-11-21T09:15:00Z");
    assert_eq!(who(&theirs("acknowledged", &[service])), None, "our own event");
    let before = ("user_reference", "Ana", "2026-11-21T09:13:02Z");
    assert_eq!(who(&theirs("acknowledged", &[before])), None, "more than a minute before it began here");
    let in_time = ("user_reference", "Ana", "2026-11-21T09:13:03Z");
    assert_eq!(who(&theirs("acknowledged", &[in_time])).as_deref(), Some("Ana"), "clocks differ");

    let closed = theirs("resolved", &[]);
    assert_eq!(who(&closed).as_deref(), Some("Bobclosed there"));
    let mut by_rule = closed.clone();
    by_rule["last_status_change_by"]["type"] = "service_reference".into();
    assert_eq!(who(&by_rule), None);
    let mut last_week = closed;
    last_week["created_at"] = "2026-11-14T09:14:05Z".into();
    assert_eq!(who(&last_week), None, "the same trouble a week ago");
    for broken in [json!({}), json!(null), json!({ "status": "acknowledged", "created_at": "soon" })] {
        assert_eq!(who(&broken), None);
    }
}

/// Pages of ours to these receivers, with what became of them.
fn view(state: IncidentState, pages: &[(&str, Delivery)], events: Vec<IncidentEventRow>) -> Snapshot {
    let known = incident(1, state, OPENED, None);
    let pages = pages.iter().map(|(receiver, delivery)| Page {
        receiver: (*receiver).into(),
        delivery: *delivery,
        ..page(1, 1, 1)
    });
    let view = IncidentView { events, pages: pages.collect(), ..(*known).clone() };
    Snapshot { incidents: Arc::new([(view.row.no, Arc::new(view))].into()), ..Snapshot::default() }
}

#[test]
fn asked_about_is_what_nobody_has_and_this_receiver_was_told_of() {
    let count = |state, pages: &[(&str, Delivery)]| open(&view(state, pages, Vec::new()), "pd").len();
    assert_eq!(count(IncidentState::Open, &[("pd", Delivery::Accepted)]), 1);
    assert_eq!(count(IncidentState::Acknowledged, &[("pd", Delivery::Accepted)]), 0);
    assert_eq!(count(IncidentState::Resolved, &[("pd", Delivery::Accepted)]), 0);
    assert_eq!(count(IncidentState::Open, &[("pd", Delivery::Queued), ("mail", Delivery::Accepted)]), 0);
    let event = |n: i64, kind: &str| IncidentEventRow {
        incident: IncidentNo(1),
        n,
        at: OPENED.plus_ms(n * 1_000),
        kind: kind.into(),
        text: String::new(),
        by: None,
    };
    let events = vec![event(1, "reopened"), event(2, "reopened"), event(3, "paged")];
    let again = open(&view(IncidentState::Open, &[("pd", Delivery::Accepted)], events), "pd");
    let from: Vec<Timestamp> = again.values().map(|open| open.from).collect();
    assert_eq!(from, [OPENED.plus_ms(2_000)], "who had it before has it no more");
}

#[tokio::test]
async fn it_is_asked_as_the_reference_says_and_trouble_is_no_answer() {
    let taken = r#"{"incidents":[{"id":"Q1","status":"acknowledged","created_at":"2026-11-21T09:14:05Z","acknowledgements":[
        {"at":"2026-11-21T09:15:00Z","acknowledger":{"id":"P1","type":"user_reference","summary":"Ana\nLopez"}}]}],"limit":5,"offset":0,"more":false,"total":null}"#;
    let script = [
        Do::Answer(200, r#"{"incidents":[],"limit":5,"offset":0,"more":false,"total":null}"#),
        Do::Answer(401, r#"{"error":{"message":"Unauthorized","code":2006}}"#),
        Do::Later(7),
        Do::Answer(503, ""),
        Do::Answer(200, "<html>"),
        Do::Reset,
        Do::Hang,
    ];
    let sink = Sink::start(&script, Do::Answer(200, taken)).await;
    let (mailbox, _events) = Mailbox::new();
    let ((_stop, stopped), (_published, snapshots)) =
        (watch::channel(false), watch::channel(Arc::new(Snapshot::default())));
    let links = Links::open(tempfile::tempdir().unwrap().path()).unwrap();
    let ear = Ear { receiver: "pd".into(), mailbox, clock: Clock::start(), links, stopped };
    let asking = Asking { url: sink.url("/"), token: Secret::new("u+hunter2") };
    let asker = Asker::new(asking, None, &Guard::default(), ear, snapshots).unwrap();
    assert_eq!(asker.ask(&ours()).await, Ok(None));
    let expected = ["it answered 401", "it answered 429", "it answered 503", "it answered no list of incidents"];
    for expected in expected {
        let (error, after) = asker.ask(&ours()).await.unwrap_err();
        assert_eq!((error.as_str(), after), (expected, expected.ends_with("429").then_some(Duration::from_secs(7))));
    }
    for _ in 0..2 {
        asker.ask(&ours()).await.unwrap_err();
    }
    let ana = Taken { who: "Ana Lopez".into(), note: "" };
    assert_eq!(asker.ask(&ours()).await, Ok(Some(ana)));
    for request in sink.heard() {
        let query = "incident_key=liveness%2Fweb-1%2Fdown&date_range=all&sort_by=created_at%3Adesc&limit=5";
        assert_eq!(request.line, format!("GET /incidents?{query}"));
        assert_eq!(request.header("authorization"), "Token token=u+hunter2");
        assert_eq!(request.header("accept"), "application/vnd.pagerduty+json;version=2");
        assert_eq!(request.body, "");
    }
}

#[tokio::test]
async fn who_has_it_there_has_it_here() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let taken = r#"{"incidents":[{"id":"Q1","status":"acknowledged","created_at":"2026-11-21T09:14:05Z","acknowledgements":[
        {"at":"2026-11-21T09:15:00Z","acknowledger":{"id":"P1","type":"user_reference","summary":"Ana"}}]}]}"#;
    let sink = Sink::start(&[], Do::Answer(200, taken)).await;
    let (mailbox, mut events) = Mailbox::new();
    let (_stop, stopped) = watch::channel(false);
    let (published, snapshots) = watch::channel(Arc::new(Snapshot::default()));
    let links = Links::open(tempfile::tempdir().unwrap().path()).unwrap();
    let ear = Ear { receiver: "pd".into(), mailbox: mailbox.clone(), clock: Clock::start(), links, stopped };
    let config = PagerdutyConfig {
        url: sink.url("/v2/enqueue"),
        routing_key: Secret::new("k"),
        asking: Some(Asking { url: sink.url("/"), token: Secret::new("u") }),
        ca: None,
        guard: Guard::default(),
    };
    let mut tasks = JoinSet::new();
    Asker::start(&config, ear, snapshots, &mut tasks).unwrap();
    published.send_replace(Arc::new(view(IncidentState::Open, &[("pd", Delivery::Accepted)], Vec::new())));
    loop {
        let Event::Operator { by, command, reply } = events.recv().await.unwrap() else { continue };
        assert_eq!((by.name.as_str(), by.via.as_str()), ("Ana", "PagerDuty"));
        let Command::Acknowledge { note, for_ms: None, .. } = command else { panic!("{command:?}") };
        assert_eq!(note, "");
        mailbox.answer(reply, Answer::Done);
        break;
    }
}

//! Receipts, against a server that holds to Twilio's references of messages and calls.

use base64::Engine as _;
use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    domain::{proof::Proof, record::PageKind, snapshot::IncidentView},
    links::Links,
    mailbox::Mailbox,
    notify::{
        alertmanager::tests::incident,
        guard::Guard,
        outbox::tests::page,
        secret::Secret,
        sink::{Do, Sink},
        twilio::Way,
    },
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const MESSAGE: &str = "SM0123456789abcdef0123456789abcdef";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp::from_ms(1_795_252_443_000);

fn taken(id: i64, sid: &str, ago_ms: i64) -> Page {
    let (accepted, provider_id) = (Some(NOW.plus_ms(-ago_ms)), Some(sid.to_owned()));
    let proof = Proof { accepted, provider_id, ..Proof::default() };
    Page { receiver: "sms".into(), delivery: Delivery::Accepted, proof, ..page(id, 1, id) }
}

fn snapshot(state: IncidentState, pages: Vec<Page>) -> Snapshot {
    let view = IncidentView { pages, ..(*incident(1, state, NOW, None)).clone() };
    Snapshot { incidents: Arc::new([(view.row.no, Arc::new(view))].into()), ..Snapshot::default() }
}

#[test]
fn every_status_says_what_became_of_it() {
    let said = |status: &str, code: Option<u64>| outcome(&json!({ "status": status, "error_code": code }));
    for status in ["delivered", "read", "completed"] {
        assert_eq!(said(status, None), Some(Outcome::Delivered { receipt: status.into() }), "{status}");
    }
    // Message resource: sent says that the next carrier took it, not that it arrived.
    for status in ["accepted", "scheduled", "queued", "sending", "sent", "ringing", "in-progress"] {
        assert_eq!(said(status, None), Some(Outcome::Awaited), "{status}");
    }
    for status in ["failed", "canceled", "busy", "no-answer"] {
        assert_eq!(said(status, None), Some(Outcome::Lost { error: status.into() }));
    }
    let error = "undelivered, Twilio's error 30005".to_owned();
    assert_eq!(said("undelivered", Some(30_005)), Some(Outcome::Lost { error }));
    for nothing in [json!({}), json!(null), json!({ "status": "teleported" })] {
        assert_eq!(outcome(&nothing), None);
    }
}

#[test]
fn asked_about_is_what_was_taken_for_one_recipient_and_whose_end_is_not_known() {
    let asked = |state, page: Page, single| !sent(&snapshot(state, vec![page]), "sms", single, NOW).is_empty();
    let open = IncidentState::Open;
    assert!(asked(open, taken(1, MESSAGE, 0), true) && asked(IncidentState::Acknowledged, taken(1, CALL, 0), true));
    assert!(!asked(IncidentState::Resolved, taken(1, MESSAGE, 0), true));
    assert!(asked(open, taken(1, MESSAGE, UNTIL_MS - 1), true) && !asked(open, taken(1, MESSAGE, UNTIL_MS), true));
    assert!(!asked(open, taken(1, MESSAGE, 0), false), "one of several says nothing of the others");
    assert!(asked(open, Page { to: Some("+4930111".into()), ..taken(1, MESSAGE, 0) }, false));
    assert!(!asked(open, taken(1, "not taken for +4930111", 0), true));
    assert!(!asked(open, Page { receiver: "other".into(), ..taken(1, MESSAGE, 0) }, true));
    assert!(!asked(open, Page { delivery: Delivery::Failed, ..taken(1, MESSAGE, 0) }, true));
    let known = taken(1, MESSAGE, 0);
    let proof = Proof { delivered: Some(NOW), ..known.proof.clone() };
    assert!(!asked(open, Page { proof, kind: PageKind::Updated, ..known }, true));
    assert_eq!([59_999, 60_000, 600_000].map(every_ms), [3_000, 15_000, 60_000]);
}

#[tokio::test]
async fn it_is_asked_as_the_references_say_and_each_end_is_told_once() {
    let script = [
        Do::Answer(200, r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"sent","error_code":null}"#),
        Do::Later(1),
        Do::Answer(500, ""),
        Do::Reset,
    ];
    let last = Do::Answer(200, r#"{"status":"undelivered","error_code":30003}"#);
    let sink = Sink::start(&script, last).await;
    let config = TwilioConfig {
        url: sink.url("/"),
        account: ACCOUNT.into(),
        token: Secret::new("hunter2"),
        way: Way::Sms,
        from: "+4930111".into(),
        to: vec!["+4915112345678".into()],
        ca: None,
        guard: Guard::default(),
    };
    let ((mailbox, mut events), (_stop, stopped)) = (Mailbox::new(), watch::channel(false));
    let links = Links::open(tempfile::tempdir().unwrap().path()).unwrap();
    let ear = Ear { receiver: "sms".into(), mailbox, clock: Clock::start(), links, stopped };
    let (_published, snapshots) = watch::channel(Arc::new(Snapshot::default()));
    let mut asker = Asker::new(&config, ear, snapshots).unwrap();
    let fresh = Sent { sid: MESSAGE.into(), at: NOW, known: false };
    assert!(asker.ask_about(PageId(7), &fresh).await);
    let mut told = async || loop {
        if let Event::Delivered { page, outcome } = events.recv().await.unwrap() {
            break (page.0, outcome);
        }
    };
    assert_eq!(told().await, (7, Outcome::Awaited));
    assert_eq!(asker.ask(MESSAGE).await, Err(("it answered 429".into(), Some(Duration::from_secs(1)))));
    assert_eq!(asker.ask(MESSAGE).await, Err(("it answered 500".into(), None)));
    assert!(asker.ask(MESSAGE).await.is_err(), "the connection broke");
    assert!(asker.ask_about(PageId(8), &Sent { sid: CALL.into(), ..fresh }).await);
    let error = "undelivered, Twilio's error 30003".to_owned();
    assert_eq!(told().await, (8, Outcome::Lost { error }));
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:hunter2"));
    let heard = sink.heard();
    for request in &heard {
        assert_eq!(request.header("authorization"), format!("Basic {basic}"));
    }
    let line = |kind: &str, sid: &str| format!("GET /2010-04-01/Accounts/{ACCOUNT}/{kind}/{sid}.json");
    let first_and_last = [&heard[0].line, &heard[heard.len() - 1].line];
    assert_eq!(first_and_last, [&line("Messages", MESSAGE), &line("Calls", CALL)]);
}

#[tokio::test]
async fn that_it_is_on_its_way_is_not_told_again() {
    let sink = Sink::start(&[], Do::Answer(200, r#"{"status":"sent"}"#)).await;
    let config = TwilioConfig {
        url: sink.url("/"),
        account: ACCOUNT.into(),
        token: Secret::new("hunter2"),
        way: Way::Sms,
        from: "+4930111".into(),
        to: vec!["+4915112345678".into()],
        ca: None,
        guard: Guard::default(),
    };
    let ((mailbox, mut events), (_stop, stopped)) = (Mailbox::new(), watch::channel(false));
    let links = Links::open(tempfile::tempdir().unwrap().path()).unwrap();
    let ear = Ear { receiver: "sms".into(), mailbox, clock: Clock::start(), links, stopped };
    let (_published, snapshots) = watch::channel(Arc::new(Snapshot::default()));
    let mut asker = Asker::new(&config, ear, snapshots).unwrap();
    assert!(asker.ask_about(PageId(7), &Sent { sid: MESSAGE.into(), at: NOW, known: true }).await);
    drop(asker);
    let first = events.recv().await;
    assert!(matches!(&first, Some(Event::SelfCheck { what, trouble: None }) if what == "answers/sms"), "{first:?}");
    assert!(events.recv().await.is_none());
}

//! The next version: fields, values and messages that this one does not know.

use muster_proto::v1::{self, agent_message, ask, collector_message, record};
use muster_tests::Collector;
use muster_tests::wire::{Door, Side};
use prost::Message as _;

use super::{acknowledged, agent_of, answer, answered, applied, greeting, is_shown, records, said_again};
use super::{recorded, standing};

/// Numbers of fields that the wire contract is far from.
const NUMBER: u64 = 1_000;
const TEXT: u64 = 1_001;
/// No enumeration of the wire has so many values.
const VALUE: u32 = 77;
/// This version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field that holds bytes, as it stands on the wire.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 2, &mut out);
    varint(bytes.len() as u64, &mut out);
    [&out[..], bytes].concat()
}

/// Takes a number from the front.
fn take(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return number;
        }
    }
}

/// The message with two more fields at its end, and so each message within whose number `inner` gives; what is within these
/// is asked for likewise.
fn grown(mut bytes: &[u8], depth: u8, inner: &dyn Fn(u8, u64) -> Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = take(&mut bytes);
        let length = match key & 7 {
            0 => {
                varint(key, &mut out);
                varint(take(&mut bytes), &mut out);
                continue;
            }
            1 => 8,
            2 => usize::try_from(take(&mut bytes)).expect("a length"),
            5 => 4,
            other => panic!("a field of type {other}"),
        };
        let (content, rest) = bytes.split_at(length);
        bytes = rest;
        match (key & 7, inner(depth, key >> 3)) {
            (2, Some(below)) => out.extend(field(key >> 3, &grown(content, below, inner))),
            (2, None) => out.extend(field(key >> 3, content)),
            _ => {
                varint(key, &mut out);
                out.extend(content);
            }
        }
    }
    varint(NUMBER << 3, &mut out);
    varint(7, &mut out);
    out.extend(field(TEXT, b"said by a later version"));
    out
}

/// An agent's message as a later agent might say it: 0 envelope, 1 Hello, 5 Record, 9 all others.
fn of_later_agent(bytes: &[u8]) -> Vec<u8> {
    grown(bytes, 0, &|within, number| match (within, number) {
        (0, 1) => Some(1),
        (0, 5) => Some(5),
        // Clock, fingerprint, facts, spans; clock and body.
        (0, _) | (1, 9..=12) | (5, 3 | 10..=16) => Some(9),
        _ => None,
    })
}

/// The same of a collector: 0 envelope, 1 Welcome, 9 all others.
fn of_later_collector(bytes: &[u8]) -> Vec<u8> {
    grown(bytes, 0, &|within, number| match (within, number) {
        (0, 1) => Some(1),
        // Settings, sections.
        (0, _) | (1, 2 | 8) => Some(9),
        _ => None,
    })
}

fn said(body: agent_message::Body) -> Vec<u8> {
    v1::AgentMessage { body: Some(body) }.encode_to_vec()
}

fn told(body: collector_message::Body) -> Vec<u8> {
    v1::CollectorMessage { body: Some(body) }.encode_to_vec()
}

fn record_of(sequence: u64, body: Option<record::Body>) -> v1::Record {
    v1::Record { sequence, boot_id: vec![1; 16], clock: Some(v1::Clock::default()), body }
}

/// What a later agent might say after record `last`.
fn news(last: u64) -> Vec<Vec<u8>> {
    use agent_message::Body;
    let record = |sequence, body| said(Body::Record(record_of(sequence, Some(body))));
    let unknown = [record_of(last + 1, None).encode_to_vec(), field(99, b"a record of a later kind")].concat();
    let family =
        |id, name: &str, kind, unit| v1::Family { id, name: name.into(), r#type: kind, unit, ..Default::default() };
    let series = |id| v1::Series { id, family: id, ..Default::default() };
    let result =
        v1::CheckResult { check: "later".into(), status: VALUE, attempt: 1, attempts: 1, ..Default::default() };
    let evidence = v1::Evidence { source: "later".into(), outcome: VALUE, ..Default::default() };
    let section = v1::InventoryDelta {
        section: "packages".into(),
        new_hash: vec![7; 16],
        full: true,
        part: 1,
        parts: 1,
        status: VALUE,
        ..Default::default()
    };
    vec![
        field(99, b"a message of a later kind"),
        field(5, &unknown),
        record(last + 2, record::Body::Checks(v1::CheckResults { results: vec![result] })),
        record(last + 3, record::Body::Evidence(evidence)),
        record(last + 4, record::Body::Inventory(section)),
        said(Body::Dictionary(v1::Dictionary {
            families: vec![family(60_001, "later_kind", VALUE, 0), family(60_002, "later_unit", 2, VALUE)],
            series: vec![series(60_001), series(60_002)],
            retired: Vec::new(),
        })),
        said(Body::Readings(v1::Readings {
            whole_gaps: vec![60_001, 1],
            whole_diffs: vec![5, 6],
            sources: vec![v1::SourceState { source: "later".into(), state: VALUE, reason: String::new() }],
            ..v1::Readings::default()
        })),
        said(Body::SettingsApplied(v1::SettingsApplied { version: 999, ..Default::default() })),
        said(Body::Answer(v1::Answer { id: 999, error: "no".into() })),
    ]
}

#[tokio::test]
async fn what_an_agent_of_the_next_version_says_is_passed_over_where_it_is_not_known_and_the_session_goes_on() {
    let collector = Collector::start("").await;
    let messages = recorded(VERSION).of(Side::Agent);
    let (_, rest) = messages.split_last().expect("messages");
    let (kinds, last) = records(rest);
    let grown: Vec<Vec<u8>> = rest.iter().map(|bytes| of_later_agent(bytes)).collect();
    assert!(grown.iter().zip(rest).all(|(grown, plain)| grown.len() > plain.len()));
    let (raw, mut line) = said_again(&collector, &grown, last).await;
    is_shown(&collector, &raw, VERSION, &kinds).await;

    for message in news(last) {
        line.say.send(message).await.expect("the session lives");
    }
    assert_eq!(acknowledged(&mut line, last + 4).await, [last + 1, last + 3, last + 4], "what cannot be kept");
    let page = || async {
        let page = collector.get(&format!("/hosts/{}/metrics", raw.host)).await.body;
        page.contains("\nlater_kind 5\n").then_some(page)
    };
    let page = muster_tests::eventually("the rest is shown", crate::s(10), page).await;
    assert!(!page.contains("later_unit"), "numbers of a unit that is not known are not shown");
    assert_eq!(collector.metric("muster_reports_refused_total{reason=\"record_put_aside\"}").await, Some(3.0));
    collector.host_is(&raw.host, "up", crate::s(5)).await;
    line.say.send(said(agent_message::Body::Goodbye(v1::Goodbye { why: VALUE }))).await.expect("the session lives");
    while line.next().await.expect("it ends in order").is_some() {}
}

#[tokio::test]
async fn what_a_collector_of_the_next_version_answers_is_passed_over_where_it_is_not_known_and_the_session_goes_on() {
    use collector_message::Body;
    let recording = recorded(VERSION);
    let mut door = Door::open().await;
    let agent = agent_of(&door);
    let mut line = door.call().await;
    let hello = greeting(&mut line).await;
    let answers: Vec<Vec<u8>> = answered(&recording, &hello).iter().map(|bytes| of_later_collector(bytes)).collect();
    let (generation, settings) = standing(&answers);
    let (drain, rest) = answers.split_last().expect("answers");
    let later = |version, document: &str| {
        told(Body::Settings(v1::Settings { version, document: document.as_bytes().to_vec() }))
    };
    let unknown = [v1::Ask { id: 9, what: None }.encode_to_vec(), field(99, b"later")].concat();
    let source = ask::What::EvidenceSource("later".into());
    let news = [
        field(99, b"a message of a later kind"),
        field(4, &unknown),
        told(Body::Ask(v1::Ask { id: 10, what: Some(source) })),
        later(settings + 1, "later = 1\nwatch = \"normal\"\n[later_table]\nx = 1\n"),
        later(settings + 2, "watch = \"turbo\"\n"),
    ];
    for bytes in rest.iter().chain(&news) {
        line.say.send(bytes.clone()).await.expect("the session lives");
    }
    assert_eq!(applied(&mut line, settings).await, "");
    assert_eq!(answer(&mut line, 9).await, "not known to this agent");
    assert!(answer(&mut line, 10).await.contains("no source of evidence known to this agent"));
    assert_eq!(applied(&mut line, settings + 1).await, "");
    assert!(applied(&mut line, settings + 2).await.contains("turbo"));
    line.say.send(drain.clone()).await.expect("the session lives");
    let again = greeting(&mut door.call().await).await;
    assert_eq!((again.generation, again.settings_version), (generation, settings + 1));
    assert!(!agent.log().contains("the session is lost"), "{}", agent.log());
}

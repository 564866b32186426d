use muster_proto::v1::{self, agent_message::Body, record};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::domain::inventory::{Status, delta::Part};

fn envelope(body: Body) -> v1::AgentMessage {
    v1::AgentMessage { body: Some(body) }
}

fn record(sequence: u64, body: Option<record::Body>) -> v1::AgentMessage {
    envelope(Body::Record(v1::Record { sequence, boot_id: vec![1; 16], clock: None, body }))
}

fn gap(reason: &str) -> record::Body {
    record::Body::Gap(v1::Gap { what: "readings".into(), lost: 3, reason: reason.into(), ..v1::Gap::default() })
}

#[test]
fn a_beat_is_heard_and_what_only_newer_agents_say_is_passed_over() {
    assert!(matches!(message(envelope(Body::Beat(v1::Beat {}))), Ok(Heard::Beat)));
    assert!(matches!(message(v1::AgentMessage { body: None }), Ok(Heard::Unknown)));
}

#[test]
fn a_family_of_a_unit_that_is_not_known_has_no_name_and_the_others_keep_theirs() {
    let family = |unit| v1::Family { id: unit, name: format!("unit_{unit}"), unit, ..v1::Family::default() };
    let dictionary = v1::Dictionary { families: vec![family(6), family(7)], ..v1::Dictionary::default() };
    let Heard::Dictionary(update) = message(envelope(Body::Dictionary(dictionary))).unwrap() else { panic!() };
    let names: Vec<&str> = update.families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, ["unit_6", ""]);
}

#[test]
fn readings_keep_their_lists_and_need_equal_lengths() {
    let readings = v1::Readings {
        clock: Some(v1::Clock { wall_ms: 7, boottime_ms: 1 }),
        full: true,
        whole_gaps: vec![1, 2],
        whole_diffs: vec![10, -3],
        real_gaps: vec![4],
        reals: vec![0.5],
        sources: vec![v1::SourceState { source: "cpu".into(), state: 3, reason: "gone".into() }],
    };
    let Heard::Readings(update) = message(envelope(Body::Readings(readings.clone()))).unwrap() else { panic!() };
    assert_eq!((update.agent_wall_ms, update.full), (7, true));
    assert_eq!((&update.whole_gaps[..], &update.whole_diffs[..]), (&[1, 2][..], &[10, -3][..]));
    assert_eq!(update.sources, [("cpu".to_owned(), 3, "gone".to_owned())]);
    let unequal = v1::Readings { whole_diffs: vec![1], ..readings };
    assert!(matches!(message(envelope(Body::Readings(unequal))), Err(DecodeError::Malformed(_))));
}

#[test]
fn more_values_than_the_cap_are_refused_with_the_limit() {
    let gaps = vec![1; VALUES + 1];
    let readings = v1::Readings { whole_diffs: vec![0; gaps.len()], whole_gaps: gaps, ..v1::Readings::default() };
    let error = message(envelope(Body::Readings(readings))).unwrap_err();
    assert_eq!(error, DecodeError::TooLong { what: "readings", size: VALUES + 1, limit: VALUES });
}

#[test]
fn a_record_becomes_json_that_names_what_it_says() {
    let Heard::Record(recorded) = message(record(5, Some(gap("full \"disk\"\n")))).unwrap() else { panic!() };
    let content = recorded.content.unwrap();
    let body: serde_json::Value = serde_json::from_str(&content.body).unwrap();
    assert_eq!((recorded.sequence, content.kind), (5, "gap"));
    assert_eq!((body["lost"].as_u64(), body["reason"].as_str()), (Some(3), Some("full \"disk\"\n")));
}

#[test]
fn a_record_of_64_kib_is_read_and_a_larger_one_is_put_aside_with_its_place_known() {
    let room = records::BODY_BYTES - 256;
    let Heard::Record(fits) = message(record(1, Some(gap(&"x".repeat(room))))).unwrap() else { panic!() };
    assert!(fits.content.is_ok());
    let Heard::Record(large) = message(record(2, Some(gap(&"x".repeat(records::BODY_BYTES + 1))))).unwrap() else {
        panic!()
    };
    assert_eq!((large.sequence, large.content.unwrap_err().kind()), (2, "over_limit"));
    let Heard::Record(newer) = message(record(3, None)).unwrap() else { panic!() };
    assert_eq!(newer.content.unwrap_err(), DecodeError::Empty);
}

#[test]
fn absurd_sequences_are_refused() {
    for sequence in [0, SEQUENCE_MAX + 1, u64::MAX] {
        assert!(message(record(sequence, Some(gap("")))).is_err());
    }
    assert!(message(record(SEQUENCE_MAX, Some(gap("")))).is_ok());
}

#[test]
fn binary_evidence_is_kept_as_base64_and_text_as_text() {
    let evidence = |payload: &[u8]| {
        let evidence = v1::Evidence { payload: payload.to_vec(), ..v1::Evidence::default() };
        let Heard::Record(recorded) = message(record(1, Some(record::Body::Evidence(evidence)))).unwrap() else {
            panic!()
        };
        serde_json::from_str::<serde_json::Value>(&recorded.content.unwrap().body).unwrap()
    };
    assert_eq!(evidence(b"{}")["payload"], "{}");
    assert_eq!(evidence(&[0xff, 0xfe])["payload_base64"], "//4=");
}

#[test]
fn compressed_evidence_is_kept_with_its_size_and_none_that_swells_or_is_broken() {
    use std::io::Write as _;
    let gzip = |bytes: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'x'; bytes]).unwrap();
        encoder.finish().unwrap()
    };
    let content = |payload: Vec<u8>| {
        let evidence = v1::Evidence { payload, format: 2, ..v1::Evidence::default() };
        let Heard::Record(recorded) = message(record(1, Some(record::Body::Evidence(evidence)))).unwrap() else {
            panic!()
        };
        recorded
            .content
            .map(|content| serde_json::from_str::<serde_json::Value>(&content.body).unwrap()["size"].clone())
    };
    assert_eq!(content(gzip(records::PAYLOAD_BYTES)).unwrap(), records::PAYLOAD_BYTES);
    assert!(content(gzip(records::PAYLOAD_BYTES + 1)).is_err());
    assert!(content(gzip(50_000_000)).is_err());
    let mut cut = gzip(5_000);
    cut.truncate(cut.len() / 2);
    assert!(content(cut).is_err());
    assert!(content(b"{}".to_vec()).is_err());
}

#[test]
fn a_hello_needs_its_sixteen_bytes() {
    let hello = v1::Hello { protocol: 1, boot_id: vec![1; 16], epoch: vec![2; 16], ..v1::Hello::default() };
    let Heard::Greeting(greeting) = message(envelope(Body::Hello(hello.clone()))).unwrap() else { panic!() };
    assert_eq!((greeting.boot_id, greeting.epoch), ([1; 16], [2; 16]));
    let own = |bytes: &[u8]| {
        let hello = v1::Hello { own_address: bytes.to_vec(), ..hello.clone() };
        let Ok(Heard::Greeting(greeting)) = message(envelope(Body::Hello(hello))) else { panic!() };
        greeting.facts.own_address.map(|address| address.to_string())
    };
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
    assert_eq!([own(&[192, 0, 2, 7]), own(&mapped)], ["192.0.2.7", "192.0.2.7"].map(|text| Some(text.to_owned())));
    assert_eq!([own(&[]), own(&[1; 5])], [None, None]);
    let short = v1::Hello { boot_id: vec![1; 15], ..hello.clone() };
    assert!(message(envelope(Body::Hello(short))).is_err());
    let ahead = v1::Hello { last_record: u64::MAX, ..hello };
    assert!(message(envelope(Body::Hello(ahead))).is_err());
}

#[test]
fn an_enrolment_keeps_its_limits() {
    let peer = IpAddr::from([192, 0, 2, 1]);
    let request =
        v1::EnrolRequest { token: "mu1_x".into(), csr: vec![0; 4_096], nonce: vec![1; 16], ..Default::default() };
    assert!(enrolment(request.clone(), peer).is_ok());
    for broken in [
        v1::EnrolRequest { csr: vec![0; 4_097], ..request.clone() },
        v1::EnrolRequest { nonce: vec![1; 15], ..request.clone() },
        v1::EnrolRequest { token: "x".repeat(257), ..request.clone() },
        v1::EnrolRequest {
            facts: Some(v1::HostFacts { labels: vec!["odd".into()], ..v1::HostFacts::default() }),
            ..request
        },
    ] {
        assert!(enrolment(broken, peer).is_err());
    }
}

#[test]
fn texts_are_cut_at_a_character() {
    assert_eq!(cut("a\u{e4}\u{e4}".into(), 4), "a\u{e4}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let decoded = v1::AgentMessage::decode(&bytes[..]).ok().map(message);
        prop_assert!(decoded.is_none_or(|heard| heard.is_ok() || heard.is_err()));
    }
}

/// Packages as an agent tells them, of at least so many bytes.
fn packages(bytes: usize) -> v1::InventoryDelta {
    let row = |n: usize| {
        let name = format!("lib{n}");
        v1::Row {
            key: format!("dpkg/{name}/amd64"),
            durable: ["architecture", "amd64", "manager", "dpkg", "name", &name, "version", "1.2-3+b1"]
                .map(str::to_owned)
                .to_vec(),
            ..v1::Row::default()
        }
    };
    let mut delta = v1::InventoryDelta {
        section: "packages".into(),
        new_hash: vec![7; 16],
        full: true,
        status: 1,
        reason: "cut".into(),
        ..v1::InventoryDelta::default()
    };
    for n in 0.. {
        if delta.encoded_len() >= bytes {
            break;
        }
        delta.put.push(row(n));
    }
    delta
}

#[test]
fn a_part_of_48_kib_fits_as_it_is_kept_and_says_what_was_said() {
    let delta = packages(48 * 1024 - 64);
    let rows = delta.put.len();
    let sent = message(record(1, Some(record::Body::Inventory(delta)))).unwrap();
    let Heard::Record(recorded) = sent else { panic!() };
    let content = recorded.content.unwrap();
    let part: Part = serde_json::from_str(&content.body).unwrap();
    assert_eq!((content.kind, part.put.len(), part.new, part.full), ("inventory", rows, [7; 16], true));
    assert_eq!((part.head.status, part.head.reason.as_str(), part.check()), (Status::Partial, "cut", Ok(())));
    assert_eq!(part.put[0].0, "dpkg/lib0/amd64");
}

#[test]
fn a_difference_without_hashes_or_with_another_status_is_not_read() {
    let content = |change: &dyn Fn(&mut v1::InventoryDelta)| {
        let mut delta = packages(100);
        change(&mut delta);
        let Heard::Record(recorded) = message(record(1, Some(record::Body::Inventory(delta)))).unwrap() else {
            panic!()
        };
        recorded.content.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(content(&|_| {}), Ok(()));
    assert_eq!(content(&|delta| delta.new_hash.truncate(8)), Err("malformed"));
    assert_eq!(content(&|delta| delta.full = false), Err("malformed"), "a difference to nothing");
    assert_eq!(content(&|delta| delta.status = 5), Err("malformed"));
}

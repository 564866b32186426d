use std::os::unix::net::UnixListener;

use super::super::fake_bus::{Body, message, serve};
use super::*;

const PATIENT_MS: u64 = 60_000;

fn get<'a>(path: &'a str, arguments: &'a [&'a str]) -> Call<'a> {
    Call { path, interface: "org.freedesktop.DBus.Properties", member: "Get", arguments }
}

#[test]
#[cfg(target_endian = "little")]
fn a_call_is_written_as_the_specification_says() {
    let call = Call { path: "/a", interface: "b.c", member: "D", arguments: &["x"] };
    let expected: &[u8] = b"l\x01\0\x01\x06\0\0\0\x07\0\0\0\x47\0\0\0\
        \x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0\
        \x02\x01s\0\x03\0\0\0b.c\0\0\0\0\0\
        \x03\x01s\0\x01\0\0\0D\0\0\0\0\0\0\0\
        \x06\x01s\0\x03\0\0\0e.f\0\0\0\0\0\
        \x08\x01g\0\x01s\0\0\
        \x01\0\0\0x\0";
    assert_eq!(encode(&call, 7, Some("e.f")), expected);
}

#[test]
fn answers_come_to_their_questions_however_many_there_are() {
    let root = tempfile::tempdir().unwrap();
    serve(root.path(), |call| match &*call[0] {
        "/none" => None,
        path => Some(Body::variant_text(&[path, &*call[1], &*call[2], &*call[3], &*call[4]].join(" "))),
    });
    let host = Host::captured(root.path().into(), None);
    let paths: Vec<String> = (0..300).map(|number| format!("/unit/{number}")).collect();
    let mut calls: Vec<Call<'_>> = paths.iter().map(|path| get(path, &["Service", "Type"])).collect();
    calls[100] = get("/none", &["Service", "Type"]);
    let replies = host.systemd(PATIENT_MS).unwrap().ask(&calls).unwrap();
    assert_eq!((replies.len(), &replies[100]), (300, &None));
    for (path, reply) in paths.iter().zip(&replies).filter(|(_, reply)| reply.is_some()) {
        let expected = format!("{path} org.freedesktop.DBus.Properties Get Service Type");
        assert_eq!(reply.as_ref().unwrap().values().variant_text(), Some(&*expected));
    }
}

#[test]
fn values_are_read_in_order_and_never_beyond_the_end() {
    let text = Reply(b"\x01s\0\0\x03\0\0\0abc\0".to_vec());
    assert_eq!((text.values().variant_text(), text.values().variant_number()), (Some("abc"), None));
    let mut number = b"\x01t\0\0\0\0\0\0".to_vec();
    number.extend(7_u64.to_ne_bytes());
    assert_eq!(Reply(number.clone()).values().variant_number(), Some(7));
    for end in 0..number.len() {
        assert_eq!(Reply(number[..end].to_vec()).values().variant_number(), None);
    }
    let endless = Reply([&u32::MAX.to_ne_bytes()[..], &[0; 8]].concat());
    assert_eq!((endless.values().array(), endless.values().text()), (None, None));
}

#[test]
fn a_message_that_is_none_is_an_error_and_not_waited_for() {
    let whole = message(2, 1, Some(9), &Body::variant_text("x"));
    assert_eq!(length_of(&whole).unwrap(), Some(whole.len()));
    assert_eq!(decode(&whole).map(|(kind, answers, _)| (kind, answers)), Some((2, Some(9))));
    for end in 0..whole.len() {
        assert!(length_of(&whole[..end]).unwrap().is_none_or(|length| length > end));
        let _ = decode(&whole[..end]);
    }
    let mut other_order = whole.clone();
    other_order[0] = b'X';
    assert!(length_of(&other_order).is_err());
    let mut huge = whole;
    huge[4..8].fill(0x7f);
    assert!(length_of(&huge).is_err());
}

#[test]
fn an_announced_length_takes_no_memory_until_its_bytes_come() {
    let (mut theirs, stream) = Stream::pair().unwrap();
    let until_ns = clock::boottime_ns() + PATIENT_MS * 1_000_000;
    let mut bus = Bus { stream, bytes: Vec::new(), serial: 0, shared: true, until_ns };
    let mut announced = message(2, 1, Some(9), &Body::variant_text("x"));
    announced[4..8].copy_from_slice(&u32::try_from(MESSAGE_MAX).unwrap().to_ne_bytes());
    theirs.write_all(&announced).unwrap();
    drop(theirs);
    assert_eq!(bus.message().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(bus.bytes.capacity() < 64 * 1024, "{} bytes are kept for {}", bus.bytes.capacity(), announced.len());
}

#[test]
fn who_does_not_answer_is_given_up_at_the_deadline_and_who_is_not_there_is_absent() {
    let root = tempfile::tempdir().unwrap();
    let host = Host::captured(root.path().into(), None);
    assert!(matches!(host.systemd(PATIENT_MS), Err(HostError::NotPresent(_))));
    std::fs::create_dir_all(root.path().join("run/dbus")).unwrap();
    let listener = UnixListener::bind(root.path().join("run/dbus/system_bus_socket")).unwrap();
    let error = host.systemd(20).unwrap_err();
    assert_eq!(error.to_string(), "/run/dbus/system_bus_socket could not be read: no answer in time");
    drop(listener);
    assert!(matches!(host.systemd(PATIENT_MS), Err(HostError::NotPresent(_))), "nobody listens any more");
}

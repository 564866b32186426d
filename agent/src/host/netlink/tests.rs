use std::net::{TcpListener, TcpStream};

use super::*;
use crate::clock;

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(HEADER_BYTES + body.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An interface number 7 with these attributes.
fn link(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(1_u16.to_ne_bytes());
    body.extend(7_u32.to_ne_bytes());
    body.extend(0x1_1043_u32.to_ne_bytes());
    body.extend([0; 4]);
    attributes.iter().for_each(|(kind, value)| body.extend(attribute(*kind, value)));
    body
}

#[test]
fn an_interface_is_read_from_its_attributes() {
    let counters: Vec<u8> = (1..=24_u64).flat_map(u64::to_ne_bytes).collect();
    let mtu = 1500_u32.to_ne_bytes();
    let body = link(&[
        (3, b"wan0\0"),
        (20, b"to the world\0"),
        (1, &[2, 0, 0, 0, 0, 1]),
        (4, &mtu),
        (16, &[6]),
        (33, &[1]),
        // Nested attributes carry a flag in their type.
        (0x8000 | 18, b"ignored"),
        (23, &counters),
    ]);
    let link = Link::parse(&body).unwrap();
    assert_eq!((link.index, link.kind, link.flags), (7, 1, 0x1_1043));
    assert_eq!((&*link.name(), &*link.alias(), link.address.len()), ("wan0", "to the world", 6));
    assert_eq!((link.mtu, link.operational, link.carrier, link.group), (Some(1500), 6, Some(1), None));
    assert_eq!((link.counter(Counter::RxPackets), link.counter(Counter::RxNohandler)), (Some(1), Some(24)));
}

#[test]
fn an_interface_of_an_old_kernel_lacks_some_counters() {
    let counters: Vec<u8> = (1..=23_u64).flat_map(u64::to_ne_bytes).collect();
    let body = link(&[(23, &counters)]);
    let link = Link::parse(&body).unwrap();
    assert_eq!((link.counter(Counter::TxCompressed), link.counter(Counter::RxNohandler)), (Some(23), None));
}

#[test]
fn what_is_cut_off_is_an_error_and_never_fatal() {
    let whole = [message(RTM_NEWLINK, 0, &link(&[(3, b"wan0\0")])), message(NLMSG_DONE, 0, &[0; 4])].concat();
    assert_eq!(Messages(&whole).filter(Result::is_ok).count(), 2);
    for end in 1..whole.len() {
        let messages: Vec<_> = Messages(&whole[..end]).collect();
        assert!(messages.iter().all(|message| message.as_ref().map_or(true, |message| message.body.len() <= end)));
        assert!(Link::parse(&whole[..end]).is_none_or(|link| link.name.len() <= end));
    }
    assert!(Messages(&[3, 0, 0, 0, 0, 0, 0, 0]).any(|message| message.is_err()), "shorter than its header");
    assert_eq!(Attributes(&[0, 0, 1, 0, 9, 9]).count(), 0);
}

#[test]
fn an_error_of_the_kernel_is_told_as_such() {
    let refused = message(NLMSG_ERROR, 0, &(-13_i32).to_ne_bytes());
    let told = Messages(&refused).next().unwrap().unwrap().ended();
    assert_eq!(told, Err(Errno::ACCESS));
    for code in [0, 13, -4096, i32::MIN] {
        let strange = message(NLMSG_ERROR, 0, &code.to_ne_bytes());
        assert_eq!(Messages(&strange).next().unwrap().unwrap().ended(), Err(Errno::BADMSG), "{code}");
    }
}

#[test]
fn the_live_machine_has_a_loopback_and_is_asked_once_per_collection() {
    let host = Host::live();
    let names = |now: Moment| {
        let mut names = Vec::new();
        host.links(now, |link| names.push((link.index, link.name().into_owned(), link.counter(Counter::RxBytes))))
            .unwrap();
        names
    };
    let now = clock::now();
    let first = names(now);
    assert!(first.iter().any(|(_, name, bytes)| name == "lo" && bytes.is_some()), "{first:?}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(names(now), first, "a connection over loopback counts only in the next collection");
    assert_ne!(names(Moment { boottime_ms: now.boottime_ms + 1, ..now }), first);
}

#[test]
fn sockets_of_the_live_machine_are_seen_with_state_and_queues() {
    let host = Host::live();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    std::io::Write::write_all(&mut stream, &[7; 12_345]).unwrap();
    let mut found = Vec::new();
    host.tcp_sockets(|socket| found.push(socket)).unwrap();
    // The accepting end has not been accepted, let alone read; others' sockets are there too.
    assert!(found.iter().any(|socket| socket.state == 1 && socket.receive_queue == 12_345), "{found:?}");
    assert!(found.iter().any(|socket| socket.state == 10 && socket.receive_queue == 1), "{found:?}");
}

#[test]
fn a_capture_has_no_netlink() {
    let host = Host::captured("/nonexistent".into(), None);
    assert!(matches!(host.links(Moment::default(), |_| ()), Err(HostError::NotPresent(_))));
    assert!(matches!(host.tcp_sockets(|_| ()), Err(HostError::NotPresent(_))));
}

use proptest::prelude::*;

use super::*;

const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n";

#[test]
fn a_head_that_comes_byte_by_byte_is_whole_with_its_last_one() {
    for end in 0..OPEN.len() {
        assert_eq!(read(&OPEN[..end]), Ok(None), "{end} bytes");
    }
    assert_eq!(read(OPEN), Ok(Some(Answer::Open { end: OPEN.len() })));
}

#[test]
fn bytes_of_the_other_end_are_no_part_of_the_head() {
    let all = [OPEN, b"\x16\x03\x03\0\x01."].concat();
    assert_eq!(read(&all), Ok(Some(Answer::Open { end: OPEN.len() })));
}

#[test]
fn each_2xx_opens_with_any_version_and_without_a_reason_and_with_bare_line_feeds() {
    for head in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 \r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 204 No Content\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\nX: y\r\n\r\n",
    ] {
        assert_eq!(read(head.as_bytes()), Ok(Some(Answer::Open { end: head.len() })), "{head:?}");
    }
}

#[test]
fn interim_answers_are_passed_over_and_a_switch_of_protocols_is_a_refusal() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
    assert_eq!(read(interim), Ok(None));
    let all = [&interim[..], OPEN].concat();
    assert_eq!(read(&all), Ok(Some(Answer::Open { end: all.len() })));
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    assert!(matches!(read(switch), Ok(Some(Answer::Refused(Refusal { code: 101, .. })))));
}

#[test]
fn a_refusal_tells_its_code_words_schemes_and_where_it_sends_one() {
    let refused = |head: &str| match read(head.as_bytes()) {
        Ok(Some(Answer::Refused(refusal))) => refusal,
        other => panic!("{head:?}: {other:?}"),
    };
    let asks = refused(
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Negotiate\r\n\
         Proxy-Authenticate: NTLM, Basic realm=\"a, b\", charset=\"UTF-8\"\r\n\r\n<html>",
    );
    assert_eq!((asks.code, asks.reason.as_str()), (407, "Proxy Authentication Required"));
    // A comma in a realm makes one word too many, which is harmless: nothing but Basic is looked for.
    assert_eq!(asks.schemes[..3], ["Negotiate", "NTLM", "Basic"]);
    let portal = refused("HTTP/1.1 302 Found\r\nLocation: http://portal.example/in\r\n\r\n");
    assert_eq!((portal.code, portal.schemes.len(), portal.elsewhere.as_str()), (302, 0, "http://portal.example/in"));
    let bare = Refusal { code: 999, reason: String::new(), schemes: vec![], elsewhere: String::new() };
    assert_eq!(refused("HTTP/1.1 999\r\n\r\n"), bare);
}

#[test]
fn what_is_no_http_is_told_by_how_it_begins() {
    for (bytes, begins) in [
        (&b"<html><body>Sign in</body></html>"[..], "<html>"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"220 mail.example.org ESMTP\r\n", "220 mail"),
        (b"\x15\x03\x01\0\x02\x02\x46", ""),
        (b"HTTP/2.0 200 OK\r\n\r\n", "HTTP/2.0"),
    ] {
        let Err(Strange::NotHttp(shown)) = read(bytes) else { panic!("{bytes:?}: {:?}", read(bytes)) };
        assert!(shown.contains(begins) && !shown.contains(char::is_control), "{shown:?}");
    }
}

#[test]
fn a_head_without_end_and_one_of_too_many_lines_are_too_long() {
    let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; HEAD_BYTES_MAX]].concat();
    assert_eq!(read(&long[..HEAD_BYTES_MAX - 1]), Ok(None));
    assert_eq!(read(&long), Err(Strange::TooLong));
    let whole = [&long[..], b"\r\n\r\n"].concat();
    assert_eq!(read(&whole), Err(Strange::TooLong));
    let lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    assert_eq!(read(lines.as_bytes()), Err(Strange::TooLong));
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(HEAD_BYTES_MAX / 25 + 1);
    assert_eq!(read(&interim), Err(Strange::TooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_judged_and_more_of_them_do_not_change_the_judgement(bytes: Vec<u8>, more: Vec<u8>, after_http: bool) {
        let begin = if after_http { b"HTTP/1.1 20".to_vec() } else { Vec::new() };
        let bytes = [begin, bytes].concat();
        if let Ok(Some(answer)) = read(&bytes) {
            if let Answer::Open { end } = answer {
                prop_assert!(end <= bytes.len());
            }
            prop_assert_eq!(read(&[bytes, more].concat()), Ok(Some(answer)));
        }
    }
}

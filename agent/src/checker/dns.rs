//! Does a name server answer? One question over UDP, and over TCP where the answer does not fit (RFC 1035).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

use crate::check::query::{self, Record};
use crate::check::{Dns, Outcome, Status, spell};
use crate::host::Host;

/// Bytes of a message's header (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// Longest message over UDP without extensions.
const UDP_MAX: usize = 512;
/// The bits of the header's third byte: an answer, cut off; and in it "recursion desired".
const IS_ANSWER: u8 = 0x80;
const IS_CUT: u8 = 0x02;
const RECURSE: u8 = 0x01;
/// A name has at most 255 bytes: no honest one has more labels or pointers.
const STEPS_MAX: usize = 128;
/// Answers taken.
const ANSWERS_MAX: usize = 256;
/// The class "Internet".
const INTERNET: u16 = 1;

pub(super) async fn run(check: &Dns, host: &Host, id: u16) -> Outcome {
    let Some(server) = check.server.or_else(|| own_server(host)) else {
        return Outcome::new(Status::Unknown, "/etc/resolv.conf names no server: state `server`");
    };
    let begun = Instant::now();
    let question = encode(&check.query, check.record, id);
    let asked = format!("{} {} at {server}", check.query, check.record.word());
    let answer = match ask(server, &question).await {
        Ok(answer) => answer,
        Err(error) => return Outcome::new(Status::Critical, format!("{asked}: {error}")),
    };
    let took = begun.elapsed();
    let outcome = match decode(&answer, check.record) {
        Some((0, answers)) => judge(check, &asked, &answers, &spell(took)),
        Some((code, _)) => Outcome::new(Status::Critical, format!("{asked}: {}", refusal(code))),
        None => Outcome::new(Status::Critical, format!("{asked}: the answer cannot be read")),
    };
    outcome.with("time", took.as_secs_f64(), "s")
}

fn judge(check: &Dns, asked: &str, answers: &[String], took: &str) -> Outcome {
    let same =
        |wanted: &&String| answers.iter().any(|answer| answer.eq_ignore_ascii_case(wanted.trim_end_matches('.')));
    let missing: Vec<&str> = check.expect.iter().filter(|wanted| !same(wanted)).map(String::as_str).collect();
    let said = answers.join(", ");
    if answers.is_empty() {
        Outcome::new(Status::Critical, format!("{asked}: no such record"))
    } else if missing.is_empty() {
        Outcome::new(Status::Ok, format!("{asked}: {said}, {took}"))
    } else {
        Outcome::new(Status::Critical, format!("{asked}: {said}, without {}", missing.join(", ")))
    }
}

/// The first server of resolv.conf(5).
fn own_server(host: &Host) -> Option<SocketAddr> {
    let text = host.read_text("/etc/resolv.conf").ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        if words.next() == Some("nameserver") { query::server(words.next()?) } else { None }
    })
}

/// The code's words (RFC 1035, 4.1.1).
fn refusal(code: u8) -> String {
    match code {
        1 => "the server does not understand the question".to_owned(),
        2 => "the server has failed".to_owned(),
        3 => "there is no such name".to_owned(),
        5 => "the server refuses to answer".to_owned(),
        other => format!("the server answers with error {other}"),
    }
}

async fn ask(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Only this server's packets are taken.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; UDP_MAX];
    loop {
        let count = socket.recv(&mut answer).await?;
        let said = &answer[..count];
        if count >= HEADER && said[..2] == question[..2] && said[2] & IS_ANSWER != 0 {
            return if said[2] & IS_CUT == 0 { Ok(said.to_vec()) } else { ask_over_tcp(server, question).await };
        }
    }
}

/// Each message is preceded by its length (RFC 1035, 4.2.2).
async fn ask_over_tcp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut framed = u16::try_from(question.len()).unwrap_or(0).to_be_bytes().to_vec();
    framed.extend(question);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn encode(name: &str, record: Record, id: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    // One question, no answers.
    bytes.extend([RECURSE, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(record.number().to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    bytes
}

/// The code of an answer, and the answers of the type asked for.
fn decode(message: &[u8], record: Record) -> Option<(u8, Vec<String>)> {
    let code = message.get(3)? & 0x0f;
    let (questions, count) = (number(message, 4)?, number(message, 6)?);
    let mut at = HEADER;
    for _ in 0..questions {
        at = name(message, at)?.1 + 4;
    }
    let mut answers = Vec::new();
    for _ in 0..usize::from(count).min(ANSWERS_MAX) {
        at = name(message, at)?.1;
        let (kind, length) = (number(message, at)?, usize::from(number(message, at + 8)?));
        let from = at + 10;
        at = from.checked_add(length)?;
        message.get(from..at)?;
        if kind == record.number() {
            answers.push(value(message, from, at, record)?);
        }
    }
    Some((code, answers))
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// What a record says, as people write it.
fn value(message: &[u8], from: usize, to: usize, record: Record) -> Option<String> {
    let data = message.get(from..to)?;
    Some(match record {
        Record::A => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        Record::Aaaa => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        Record::Ns | Record::Cname | Record::Ptr => name(message, from)?.0,
        Record::Mx => format!("{} {}", number(message, from)?, name(message, from + 2)?.0),
        Record::Txt => {
            let (mut text, mut left) = (Vec::new(), data);
            while let Some((length, rest)) = left.split_first() {
                let (part, after) = rest.split_at_checked(usize::from(*length))?;
                text.extend_from_slice(part);
                left = after;
            }
            String::from_utf8_lossy(&text).replace(char::is_control, " ")
        }
    })
}

/// A name that may end in a pointer to another place, and where it ends here.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut end = None;
    for _ in 0..STEPS_MAX {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some((labels.join("."), end.unwrap_or(at + 1))),
            1..=63 => {
                let label = message.get(at + 1..at + 1 + length)?;
                labels.push(String::from_utf8_lossy(label).replace(|c: char| c.is_control(), " "));
                at += 1 + length;
            }
            192.. => {
                end = end.or(Some(at + 2));
                at = usize::from(number(message, at)? & 0x3fff);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer with one question for `a.example`, then these records, each naming it by a pointer.
    fn answer(flags: [u8; 2], records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, flags[0], flags[1], 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0];
        bytes.extend(b"\x01a\x07example\x00\x00\x01\x00\x01");
        for (kind, data) in records {
            bytes.extend([0xc0, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn a_question_is_written_as_rfc_1035_has_it() {
        assert_eq!(
            encode("a.example.", Record::Mx, 0x1234),
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x0f\x00\x01"
        );
    }

    #[test]
    fn answers_of_the_type_asked_for_are_read() {
        let of = |record, kind, data: &[u8]| {
            let message = answer([0x81, 0x80], &[(5, b"\x01b\xc0\x0e"), (kind, data)]);
            decode(&message, record).unwrap().1.pop().unwrap()
        };
        assert_eq!(of(Record::A, 1, &[192, 0, 2, 7]), "192.0.2.7");
        assert_eq!(of(Record::Aaaa, 28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "2001:db8::1");
        assert_eq!(of(Record::Cname, 5, b"\x01c\xc0\x0e"), "c.example");
        assert_eq!(of(Record::Mx, 15, b"\x00\x0a\x04mail\xc0\x0c"), "10 mail.a.example");
        assert_eq!(of(Record::Txt, 16, b"\x03v=1\x04 two"), "v=1 two");
        assert_eq!(decode(&answer([0x81, 0x83], &[]), Record::A), Some((3, vec![])));
    }

    #[test]
    fn a_name_ends_where_its_first_pointer_does() {
        // At 12 a name, at 15 a pointer to it, at 17 a label and a pointer to the pointer.
        let message = [&[0; 12][..], b"\x01a\x00", b"\xc0\x0c", b"\x01b\xc0\x0f"].concat();
        assert_eq!(name(&message, 17), Some(("b.a".to_owned(), 21)));
    }

    #[test]
    fn loops_and_cuts_are_no_answers() {
        let mut looped = answer([0x81, 0x80], &[(5, b"\xc0\x00")]);
        let at = looped.len() - 2;
        looped[at + 1] = u8::try_from(at).unwrap();
        assert_eq!(decode(&looped, Record::Cname), None);
        let whole = answer([0x81, 0x80], &[(1, &[192, 0, 2, 7])]);
        assert!((0..whole.len()).all(|cut| decode(&whole[..cut], Record::A).is_none()));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for record in Record::ALL {
                prop_assert!(decode(&bytes, record.1).is_none_or(|(code, _)| code < 16));
            }
            let mut message = answer([0x81, 0x80], &[(16, &bytes)]);
            prop_assert!(decode(&message, Record::Txt).is_none_or(|(_, answers)| answers.len() == 1));
            message.append(&mut bytes);
            prop_assert!(decode(&message, Record::Cname).is_none_or(|(_, answers)| answers.is_empty()));
        }
    }
}

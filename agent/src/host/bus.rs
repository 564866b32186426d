//! systemd over D-Bus: questions are sent together and answers taken as they come. No tool is started for it.
//!
//! As much of the D-Bus specification as that takes: EXTERNAL authentication, method calls with texts as arguments,
//! replies of the types below. Byte order is this machine's; what is cut off or longer than it may be is an error.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use super::os::local::{self, Stream};
use super::{Host, HostError};
use crate::clock;

/// The system's bus, and systemd's own socket for root where no bus runs.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
const PRIVATE: &str = "/run/systemd/private";
const SYSTEMD: &str = "org.freedesktop.systemd1";
/// Calls sent before answers are taken: all of them fit into the sockets' buffers.
const TOGETHER: usize = 64;
/// Longest message taken: the list of some 40 000 units.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// Longest line of the authentication.
const LINE_MAX: usize = 4096;

/// Message types and header fields of the specification.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// Bytes of a header up to and with the length of its fields.
const FIXED: usize = 16;

/// A method call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The object.
    pub path: &'a str,
    /// The interface that has the method.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
    /// Its arguments.
    pub arguments: &'a [&'a str],
}

/// What a method returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(Vec<u8>);

impl Reply {
    /// Its values, one after the other.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        Values { bytes: &self.0, at: 0 }
    }
}

/// Reads values in the order in which they stand; `None` where there is no such value.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Values<'a> {
    fn take(&mut self, count: usize, alignment: usize) -> Option<&'a [u8]> {
        let from = self.at.checked_next_multiple_of(alignment)?;
        let taken = self.bytes.get(from..from.checked_add(count)?)?;
        self.at = from + count;
        Some(taken)
    }

    /// A number of 32 bits.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.take(4, 4)?.try_into().ok()?))
    }

    /// A number of 64 bits.
    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.take(8, 8)?.try_into().ok()?))
    }

    /// A text or the path of an object.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        let text = self.take(length, 1)?;
        self.take(1, 1)?;
        std::str::from_utf8(text).ok()
    }

    fn signature(&mut self) -> Option<&'a str> {
        let length = self.take(1, 1)?[0];
        let text = self.take(length.into(), 1)?;
        self.take(1, 1)?;
        std::str::from_utf8(text).ok()
    }

    /// A variant that holds a text.
    pub fn variant_text(&mut self) -> Option<&'a str> {
        if self.signature()? == "s" { self.text() } else { None }
    }

    /// A variant that holds a number without sign.
    pub fn variant_number(&mut self) -> Option<u64> {
        match self.signature()? {
            "u" => self.u32().map(u64::from),
            "t" => self.u64(),
            _ => None,
        }
    }

    /// Whether another structure begins before `end`; moves to it.
    pub fn structure(&mut self, end: usize) -> bool {
        self.at < end && self.take(0, 8).is_some()
    }

    /// Enters an array of structures and says where it ends.
    pub fn array(&mut self) -> Option<usize> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(0, 8)?;
        self.at.checked_add(length).filter(|end| *end <= self.bytes.len())
    }
}

/// A connection over which systemd answers.
#[derive(Debug)]
pub struct Bus {
    stream: Stream,
    /// Read and not taken yet.
    bytes: Vec<u8>,
    serial: u32,
    /// Whether a bus is between us, which has to be told whom we mean.
    shared: bool,
    until_ns: u64,
}

impl Host {
    /// A connection to systemd, all answers by a deadline.
    ///
    /// # Errors
    /// When there is none, it may not be used, or does not answer.
    pub fn systemd(&self, deadline_ms: u64) -> Result<Bus, HostError> {
        let until_ns = clock::boottime_ns() + deadline_ms * 1_000_000;
        let connect = |path: &str, shared| {
            Bus::connect(&self.resolve(path), shared, until_ns).map_err(|error| HostError::from_io(path, &error))
        };
        connect(SYSTEM_BUS, true).or_else(|bus| connect(PRIVATE, false).map_err(|private| best(bus, private)))
    }
}

/// Of two reasons the one that tells more than absence.
fn best(first: HostError, second: HostError) -> HostError {
    if matches!(first, HostError::NotPresent(_)) { second } else { first }
}

impl Bus {
    fn connect(path: &Path, shared: bool, until_ns: u64) -> std::io::Result<Self> {
        let stream = local::connect(path)?;
        let mut bus = Self { stream, bytes: Vec::new(), serial: 0, shared, until_ns };
        let user = local::own_user().to_string();
        let hexadecimal: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
        bus.send(format!("\0AUTH EXTERNAL {hexadecimal}\r\n").as_bytes())?;
        let line = bus.line()?;
        if !line.starts_with(b"OK ") {
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "the bus does not let us in"));
        }
        bus.send(b"BEGIN\r\n")?;
        if shared {
            let own = "org.freedesktop.DBus";
            let hello = Call { path: "/org/freedesktop/DBus", interface: own, member: "Hello", arguments: &[] };
            bus.ask_of(own, &[hello])?.pop().flatten().ok_or_else(|| strange("the bus does not greet"))?;
        }
        Ok(bus)
    }

    /// The replies to these calls, in their order; `None` where the answer is an error.
    ///
    /// # Errors
    /// When systemd does not answer in time or not in D-Bus.
    pub fn ask(&mut self, calls: &[Call<'_>]) -> Result<Vec<Option<Reply>>, HostError> {
        self.ask_of(SYSTEMD, calls).map_err(|error| HostError::from_io("systemd's bus", &error))
    }

    fn ask_of(&mut self, whom: &str, calls: &[Call<'_>]) -> std::io::Result<Vec<Option<Reply>>> {
        let mut replies = Vec::with_capacity(calls.len());
        for calls in calls.chunks(TOGETHER) {
            let first = self.serial + 1;
            let mut bytes = Vec::new();
            for call in calls {
                self.serial += 1;
                bytes.extend(encode(call, self.serial, self.shared.then_some(whom)));
            }
            self.send(&bytes)?;
            let place = replies.len();
            replies.resize_with(place + calls.len(), || None);
            let mut open = calls.len();
            while open > 0 {
                let message = self.message()?;
                let Some((kind, to, body)) = decode(&message) else { return Err(strange("not a D-Bus message")) };
                let at = to.and_then(|to| usize::try_from(to.checked_sub(first)?).ok()).filter(|at| *at < calls.len());
                // Signals, and answers to nothing that was asked here, are passed over.
                let Some(at) = at.filter(|_| matches!(kind, METHOD_RETURN | ERROR)) else { continue };
                if kind == METHOD_RETURN {
                    replies[place + at] = Some(Reply(body.to_vec()));
                }
                open -= 1;
            }
        }
        Ok(replies)
    }

    /// What is left until the deadline.
    fn left(&self) -> std::io::Result<Duration> {
        match self.until_ns.checked_sub(clock::boottime_ns()) {
            Some(left) if left > 0 => Ok(Duration::from_nanos(left)),
            _ => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes)
    }

    fn receive(&mut self) -> std::io::Result<()> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        let mut chunk = [0; 4096];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(&chunk[..count]);
        Ok(())
    }

    fn line(&mut self) -> std::io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.bytes.drain(..end + 2).take(end).collect();
                return Ok(line);
            }
            if self.bytes.len() > LINE_MAX {
                return Err(strange("an endless line"));
            }
            self.receive()?;
        }
    }

    fn message(&mut self) -> std::io::Result<Vec<u8>> {
        loop {
            // What is announced takes no memory before it comes.
            if let Some(length) = length_of(&self.bytes)?
                && self.bytes.len() >= length
            {
                return Ok(self.bytes.drain(..length).collect());
            }
            self.receive()?;
        }
    }
}

impl HostError {
    fn from_io(path: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            // A socket without a listener is as good as none.
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => {
                Self::NotPresent(path.to_owned())
            }
            ErrorKind::PermissionDenied => Self::Unreadable { path: path.to_owned(), reason: error.to_string() },
            // A socket's timeout reads as "resource temporarily unavailable".
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                Self::Failed { path: path.to_owned(), reason: "no answer in time".to_owned() }
            }
            _ => Self::Failed { path: path.to_owned(), reason: error.to_string() },
        }
    }
}

fn strange(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

/// The letter that stands for this machine's byte order.
const ORDER: u8 = if cfg!(target_endian = "big") { b'B' } else { b'l' };

fn encode(call: &Call<'_>, serial: u32, whom: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    call.arguments.iter().for_each(|argument| put_text(&mut body, argument));
    let mut fields = Vec::new();
    put_field(&mut fields, PATH, "o", call.path);
    put_field(&mut fields, INTERFACE, "s", call.interface);
    put_field(&mut fields, MEMBER, "s", call.member);
    if let Some(whom) = whom {
        put_field(&mut fields, DESTINATION, "s", whom);
    }
    if !call.arguments.is_empty() {
        put_field(&mut fields, SIGNATURE, "g", &"s".repeat(call.arguments.len()));
    }
    let mut bytes = vec![ORDER, METHOD_CALL, 0, 1];
    for number in [length(&body), serial, length(&fields)] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(fields);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(body);
    bytes
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    into.resize(into.len().next_multiple_of(4), 0);
    into.extend(length(text.as_bytes()).to_ne_bytes());
    into.extend(text.as_bytes());
    into.push(0);
}

/// A header field; the fields begin at a multiple of 8, as each of them does.
fn put_field(into: &mut Vec<u8>, field: u8, kind: &str, text: &str) {
    into.resize(into.len().next_multiple_of(8), 0);
    into.push(field);
    into.push(1);
    into.extend(kind.as_bytes());
    into.push(0);
    if kind == "g" {
        into.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        into.extend(text.as_bytes());
        into.push(0);
    } else {
        put_text(into, text);
    }
}

/// How long the message at the start of `bytes` is; `None` while that is not known.
fn length_of(bytes: &[u8]) -> std::io::Result<Option<usize>> {
    let Some(header) = bytes.get(..FIXED) else { return Ok(None) };
    if header[0] != ORDER {
        return Err(strange("a message in another byte order"));
    }
    let mut numbers = Values { bytes: header, at: 4 };
    let sizes = (numbers.u32(), numbers.u32(), numbers.u32());
    let (Some(body), _, Some(fields)) = sizes else { return Ok(None) };
    let (Ok(body), Ok(fields)) = (usize::try_from(body), usize::try_from(fields)) else {
        return Err(strange("a message that is too long"));
    };
    if body > MESSAGE_MAX || fields > MESSAGE_MAX {
        return Err(strange("a message that is too long"));
    }
    Ok(Some((FIXED + fields).next_multiple_of(8) + body))
}

/// Type, which call it answers, and body.
fn decode(message: &[u8]) -> Option<(u8, Option<u32>, &[u8])> {
    let mut values = Values { bytes: message, at: FIXED - 4 };
    let end = FIXED + usize::try_from(values.u32()?).ok()?;
    let mut answers = None;
    while values.structure(end) {
        let field = values.take(1, 1)?[0];
        match (field, values.signature()?) {
            (REPLY_SERIAL, "u") => answers = Some(values.u32()?),
            (_, "u") => drop(values.u32()?),
            (_, "s" | "o") => drop(values.text()?),
            (_, "g") => drop(values.signature()?),
            _ => return None,
        }
    }
    Some((message[1], answers, message.get(end.next_multiple_of(8)..)?))
}

#[cfg(test)]
mod tests;

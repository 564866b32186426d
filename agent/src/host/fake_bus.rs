//! For tests: a bus with a systemd behind it, at its place below a root.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// A reply in the making.
#[derive(Debug, Default, Clone)]
pub(crate) struct Body {
    signature: String,
    bytes: Vec<u8>,
}

impl Body {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn put_text(&mut self, text: &str) {
        self.align(4);
        self.bytes.extend(u32::try_from(text.len()).unwrap().to_ne_bytes());
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    pub(crate) fn variant_text(text: &str) -> Self {
        let mut body = Self { signature: "v".to_owned(), bytes: b"\x01s\0".to_vec() };
        body.put_text(text);
        body
    }

    pub(crate) fn variant_u32(number: u32) -> Self {
        let mut bytes = b"\x01u\0\0".to_vec();
        bytes.extend(number.to_ne_bytes());
        Self { signature: "v".to_owned(), bytes }
    }

    pub(crate) fn variant_u64(number: u64) -> Self {
        let mut bytes = b"\x01t\0\0\0\0\0\0".to_vec();
        bytes.extend(number.to_ne_bytes());
        Self { signature: "v".to_owned(), bytes }
    }

    /// Name, load state, active state, object.
    pub(crate) fn units(units: &[[&str; 4]]) -> Self {
        let mut body = Self { signature: "a(ssssssouso)".to_owned(), bytes: vec![0; 8] };
        for [name, load, active, object] in units {
            body.align(8);
            for text in [name, "A unit", load, active, "running", "", object] {
                body.put_text(text);
            }
            body.align(4);
            body.bytes.extend(0_u32.to_ne_bytes());
            body.put_text("");
            body.put_text("/");
        }
        let length = u32::try_from(body.bytes.len() - 8).unwrap();
        body.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        body
    }
}

/// Answers one connection after the other; `answer` is given object, interface, method and arguments.
pub(crate) fn serve(root: &Path, answer: impl Fn(&[String]) -> Option<Body> + Send + 'static) {
    let socket = root.join("run/dbus/system_bus_socket");
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    // It ends with the test's process; a connection that breaks is the test's own doing.
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(converse(stream, &answer))));
}

fn converse(mut stream: UnixStream, answer: &impl Fn(&[String]) -> Option<Body>) -> std::io::Result<()> {
    let mut line = || -> std::io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    };
    let told = line()?;
    let user: String = rustix::process::geteuid().as_raw().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    assert_eq!(told, format!("\0AUTH EXTERNAL {user}"));
    stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n")?;
    let mut begin = [0; 7];
    stream.read_exact(&mut begin)?;
    assert_eq!(&begin, b"BEGIN\r\n");
    let mut own = 0;
    loop {
        let (serial, call) = receive(&mut stream)?;
        let hello = call[2] == "Hello";
        let body = if hello { Some(Body::default()) } else { answer(&call) };
        own += 1;
        // Something that was not asked for comes first, as on a real bus.
        stream.write_all(&message(4, own, None, &Body::default()))?;
        own += 1;
        match body {
            Some(body) => stream.write_all(&message(2, own, Some(serial), &body))?,
            None => stream.write_all(&message(3, own, Some(serial), &Body::default()))?,
        }
    }
}

/// The serial of a call, and its texts.
fn receive(stream: &mut UnixStream) -> std::io::Result<(u32, Vec<String>)> {
    let mut header = [0; 16];
    stream.read_exact(&mut header)?;
    let number = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap());
    let (body, serial, fields) = (number(4) as usize, number(8), number(12) as usize);
    let mut rest = vec![0; fields.next_multiple_of(8) + body];
    stream.read_exact(&mut rest)?;
    let text_at = |at: usize| {
        let length = u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        (String::from_utf8(rest[at + 4..at + 4 + length].to_vec()).unwrap(), at + 5 + length)
    };
    let mut named = std::collections::BTreeMap::new();
    let mut at = 0;
    while at < fields {
        let field = rest[at];
        if rest[at + 2] == b'g' {
            at = (at + 4 + 1 + usize::from(rest[at + 4]) + 1).next_multiple_of(8);
            continue;
        }
        let (text, end) = text_at(at + 4);
        named.insert(field, text);
        at = end.next_multiple_of(8);
    }
    assert!(named.contains_key(&6), "a shared bus has to be told whom we mean");
    let mut texts: Vec<String> = [1, 2, 3].map(|field| named[&field].clone()).to_vec();
    let mut at = fields.next_multiple_of(8);
    while at < rest.len() {
        let (text, end) = text_at(at);
        texts.push(text);
        at = end.next_multiple_of(4);
    }
    Ok((serial, texts))
}

pub(crate) fn message(kind: u8, serial: u32, answers: Option<u32>, body: &Body) -> Vec<u8> {
    let mut fields = Body::default();
    if let Some(answers) = answers {
        fields.bytes.extend([5, 1, b'u', 0]);
        fields.bytes.extend(answers.to_ne_bytes());
    }
    fields.align(8);
    fields.bytes.extend([8, 1, b'g', 0, u8::try_from(body.signature.len()).unwrap()]);
    fields.bytes.extend(body.signature.as_bytes());
    fields.bytes.push(0);
    let order = if cfg!(target_endian = "big") { b'B' } else { b'l' };
    let mut bytes = vec![order, kind, 0, 1];
    for number in [body.bytes.len(), serial as usize, fields.bytes.len()] {
        bytes.extend(u32::try_from(number).unwrap().to_ne_bytes());
    }
    bytes.extend(fields.bytes);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(&body.bytes);
    bytes
}

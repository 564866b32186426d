//! The source `systemd` over a bus whose answers are damaged, in their bytes or within well-formed messages.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use muster_agent::clock::Moment;
use muster_agent::host::Host;
use muster_agent::probe::{SOURCES, Scratch, Section, Sink, Source, say_systemctl_list};
use tempfile::TempDir;

use super::damage::{Rng, damaged, damaged_text};
use super::{Parser, Read, Row, page, promise};

/// Units of each kind whose properties are asked for, and one of a kind that is not.
const UNITS: [[&str; 4]; 5] = [
    ["web.service", "loaded", "active", "/unit/web"],
    ["mail.service", "loaded", "failed", "/unit/mail"],
    ["shell.socket", "loaded", "active", "/unit/shell"],
    ["backup.timer", "loaded", "inactive", "/unit/backup"],
    ["home.mount", "loaded", "active", "/unit/home"],
];
/// Calls before units' properties: the greeting, three properties, the list.
const FIRST_CALLS: u32 = 5;
/// Answers to properties that lie ready; damage makes a unit more sometimes.
const PROPERTIES: u32 = 24;
/// What `systemctl list-units` prints.
const LIST: &str = "web.service loaded active running A web server\nmail.service loaded failed failed Mail\n\
                    home.mount loaded active mounted /home\ngone.service not-found inactive dead gone.service\n";

pub(crate) fn rows() -> Vec<Row> {
    vec![Row::new("systemd", OverBus::new), Row::new("systemctl", Listed::new)]
}

struct OverBus {
    source: &'static Source,
    _root: TempDir,
    host: Host,
    /// What the bus says to whoever comes next.
    answers: Sender<Vec<u8>>,
    section: Section,
}

impl OverBus {
    fn new() -> Self {
        let root = tempfile::Builder::new().prefix("muster-fuzz").tempdir_in("/dev/shm").expect("memory for files");
        for directory in ["run/dbus", "run/systemd/system"] {
            std::fs::create_dir_all(root.path().join(directory)).expect("memory for files");
        }
        let listener = UnixListener::bind(root.path().join("run/dbus/system_bus_socket")).expect("a socket of our own");
        let (answers, next) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            for bytes in next {
                let Ok((mut stream, _)) = listener.accept() else { return };
                // Whoever understands nothing hangs up.
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let source = SOURCES.iter().find(|source| source.name == "systemd").expect("a source of this name");
        let host = Host::captured(root.path().to_path_buf(), None);
        Self { source, _root: root, host, answers, section: Section::new("systemd", Arc::default()) }
    }
}

impl Parser for OverBus {
    fn begin(&mut self) {
        self.section = Section::new("systemd", Arc::default());
    }

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let answers = conversation(rng);
        let bytes = answers.len();
        self.answers.send(answers).map_err(|_| "the bus is gone".to_owned())?;
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut self.section, &mut scratch, Moment::default());
        let outcome = (self.source.read)(&self.host, &mut sink);
        let (_, outcome) = sink.finish(outcome);
        promise(outcome.is_ok() || self.section.samples().next().is_none(), || {
            "it failed and says something".to_owned()
        })?;
        page::check(&self.section, rng.once_in(8))?;
        Ok(Read::of(bytes))
    }
}

/// All that the bus says, one thing of it damaged.
fn conversation(rng: &mut Rng) -> Vec<u8> {
    let mut bodies: Vec<(&str, Vec<u8>)> = vec![("", Vec::new())];
    bodies.extend(["252.36-1~deb12u1", "kvm", "degraded"].map(|text| ("v", variant_text(text))));
    bodies.push(("a(ssssssouso)", units()));
    for n in 0..PROPERTIES {
        bodies.push((
            "v",
            [variant_text("notify"), variant(b"u", 7, 4), variant(b"t", 1_700_000_000, 8)][n as usize % 3].clone(),
        ));
    }
    let within = rng.once_in(2);
    if within {
        // The list of units is most of what there is to understand.
        let at = if rng.once_in(2) { FIRST_CALLS as usize - 1 } else { rng.below(bodies.len()) };
        let body = damaged(&bodies[at].1, &bodies[rng.below(FIRST_CALLS as usize)].1, rng);
        bodies[at].1 = body;
    }
    let mut bytes = Vec::new();
    for (serial, (signature, body)) in (1_u32..).zip(&bodies) {
        bytes.extend(message(serial, signature, body));
    }
    if !within {
        bytes = damaged(&bytes, &units(), rng);
    }
    let greeting = b"OK 0123456789abcdef0123456789abcdef\r\n";
    let greeting = if rng.once_in(16) { damaged(greeting, greeting, rng) } else { greeting.to_vec() };
    [greeting, bytes].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    (bytes.len() as u32).to_ne_bytes()
}

/// The answer to a call (message format of the D-Bus specification).
fn message(serial: u32, signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = vec![5, 1, b'u', 0];
    fields.extend(serial.to_ne_bytes());
    fields.extend([8, 1, b'g', 0, signature.len() as u8]);
    fields.extend(signature.as_bytes());
    fields.push(0);
    let order = if cfg!(target_endian = "big") { b'B' } else { b'l' };
    let mut bytes = vec![order, 2, 0, 1];
    bytes.extend(length(body));
    bytes.extend(serial.to_ne_bytes());
    bytes.extend(length(&fields));
    bytes.extend(fields);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(body);
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(length(text.as_bytes()));
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn variant_text(text: &str) -> Vec<u8> {
    let mut bytes = b"\x01s\0".to_vec();
    put_text(&mut bytes, text);
    bytes
}

fn variant(kind: &[u8], number: u64, width: usize) -> Vec<u8> {
    let mut bytes = [b"\x01", kind, b"\0"].concat();
    bytes.resize(bytes.len().next_multiple_of(width), 0);
    let raw = number.to_le_bytes();
    bytes.extend(&raw[..width]);
    bytes
}

fn units() -> Vec<u8> {
    let mut bytes = vec![0; 8];
    for [name, load, active, object] in UNITS {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        [name, "A unit", load, active, "running", "", object].iter().for_each(|text| put_text(&mut bytes, text));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend([0; 4]);
        put_text(&mut bytes, "");
        put_text(&mut bytes, "/");
    }
    let length = length(&bytes[8..]);
    bytes[..4].copy_from_slice(&length);
    bytes
}

/// What the tool prints where there is no bus.
struct Listed(Section);

impl Listed {
    fn new() -> Self {
        Self(Section::new("systemd", Arc::default()))
    }
}

impl Parser for Listed {
    fn begin(&mut self) {
        *self = Self::new();
    }

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let list = damaged_text(LIST, LIST, rng);
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut self.0, &mut scratch, Moment::default());
        say_systemctl_list(&mut sink, &list);
        drop(sink.finish(Ok(())));
        page::check(&self.0, rng.once_in(8)).map(|()| Read::of(list.len()))
    }
}

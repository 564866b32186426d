//! A webhook that stamps each message when its head has been read.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use muster_agent::clock::boottime_ns;
use serde_json::Value;
use tokio::sync::mpsc;

/// Messages not looked at yet; a measurement looks at each.
const WAITING: usize = 1_024;

/// A page as it arrived.
#[derive(Debug)]
pub struct Page {
    /// When its head was read, nanoseconds of boot time.
    pub at_ns: u64,
    /// Its body.
    pub body: Value,
}

impl Page {
    /// Whether it says `kind` (such as `incident.opened`) of `host`.
    #[must_use]
    pub fn says(&self, kind: &str, host: &str) -> bool {
        self.body["type"] == kind && self.body["data"]["host"] == host
    }
}

/// Starts a sink on a port of its own; its threads end with the process.
///
/// # Panics
/// When no port can be bound.
#[must_use]
pub fn start() -> (String, mpsc::Receiver<Page>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (pages, taken) = mpsc::channel(WAITING);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pages = pages.clone();
            thread::spawn(move || serve(stream, &pages));
        }
    });
    (format!("http://{address}/"), taken)
}

/// Answers the messages of one connection until it is closed.
fn serve(stream: TcpStream, pages: &mpsc::Sender<Page>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let at_ns = boottime_ns();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        pages.try_send(Page { at_ns, body }).ok()?;
    }
}

//! A webhook that takes so many messages in any minute and answers 429 to the others, with the wait that it asks for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use muster_agent::clock::boottime_ns;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

/// The window of the limit.
const WINDOW_NS: u64 = 60_000_000_000;

/// What it was told.
#[derive(Debug, Default)]
pub struct Book {
    window: VecDeque<u64>,
    /// When each message was taken, nanoseconds of boot time, by `webhook-id`; several times for a repeat.
    pub taken: BTreeMap<String, Vec<u64>>,
    /// When the message about each component was taken first.
    pub about: BTreeMap<String, u64>,
    /// Messages that were turned away.
    pub refused: u64,
}

/// The webhook; its threads end with the process.
#[derive(Debug)]
pub struct Toll {
    port: u16,
    book: Arc<Mutex<Book>>,
}

impl Toll {
    /// Starts one that takes `limit` messages in any minute.
    ///
    /// # Panics
    /// When no port can be bound.
    #[must_use]
    pub fn start(limit: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                thread::spawn(move || serve(stream, limit, &book));
            }
        });
        Self { port, book }
    }

    /// Where it takes messages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it was told so far.
    ///
    /// # Panics
    /// Never.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Takes a message, or says how many seconds to wait.
    fn take(&mut self, id: String, body: &[u8], limit: usize, now: u64) -> Result<(), u64> {
        while self.window.front().is_some_and(|at| now - at >= WINDOW_NS) {
            self.window.pop_front();
        }
        if let Some(first) = self.window.front().filter(|_| self.window.len() >= limit) {
            self.refused += 1;
            return Err((first + WINDOW_NS - now).div_ceil(1_000_000_000));
        }
        self.window.push_back(now);
        self.taken.entry(id).or_default().push(now);
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let component = said["data"]["component"].as_str().unwrap_or_default().to_owned();
        self.about.entry(component).or_insert(now);
        Ok(())
    }
}

/// Answers the messages of one connection until it is closed.
fn serve(stream: TcpStream, limit: usize, book: &Mutex<Book>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut id) = (0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "webhook-id" => id = value.to_owned(),
                _ if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let taken = book.lock().unwrap_or_else(PoisonError::into_inner).take(id, &body, limit, boottime_ns());
        let answer = match taken {
            Ok(()) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Err(wait) => format!("HTTP/1.1 429 Too Many Requests\r\nretry-after: {wait}\r\ncontent-length: 0\r\n\r\n"),
        };
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}

//! A receiver that behaves as its seed says, and that kills the collector while it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::case::{Case, Sink, Step};
use crate::knife::{Knife, unread, within};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) body: String,
    /// Whether it was answered with 204.
    pub(crate) taken: bool,
}

/// What the knife did.
#[derive(Debug, Clone)]
pub(crate) struct Struck {
    /// Whether the collector knew how the try went.
    pub(crate) read: bool,
    /// What went wrong with the knife itself.
    pub(crate) trouble: Option<String>,
}

#[derive(Default)]
struct Book {
    heard: Vec<Heard>,
    plan: Option<(Case, Knife)>,
    /// Tries of the page that is struck.
    tries: usize,
    struck: Option<Struck>,
    /// The collector was killed: nobody strikes any more, and nobody is deaf.
    is_over: bool,
}

/// A webhook on a port of its own; its threads end with the program.
pub(crate) struct Hook {
    port: u16,
    book: Arc<Mutex<Book>>,
}

/// What is to be done with a request.
struct Order {
    at: usize,
    page: i64,
    sink: Sink,
    strike: Option<(Case, Knife)>,
}

impl Hook {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, book) = (listener.local_addr()?.port(), Arc::new(Mutex::new(Book::default())));
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                thread::spawn(move || serve(stream, port, &book));
            }
        });
        Ok(Self { port, book })
    }

    /// The receiver for `collector.toml`.
    pub(crate) fn receiver(&self, name: &str) -> String {
        format!("[[receiver]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n", self.port)
    }

    /// Behaves so from now on; what came before is forgotten.
    pub(crate) fn plan(&self, plan: Option<(Case, Knife)>) {
        *lock(&self.book) = Book { plan, ..Book::default() };
    }

    /// The collector was killed: nobody strikes any more, and nobody is deaf.
    pub(crate) fn rest(&self) {
        lock(&self.book).is_over = true;
    }

    pub(crate) fn struck(&self) -> Option<Struck> {
        lock(&self.book).struck.clone()
    }

    /// Tries so far of the page that is struck.
    pub(crate) fn tries(&self) -> usize {
        lock(&self.book).tries
    }

    /// What it was told about this alert.
    pub(crate) fn heard(&self, name: &str) -> Vec<Heard> {
        lock(&self.book).heard.iter().filter(|heard| heard.name == name).cloned().collect()
    }

    pub(crate) fn has_taken(&self, name: &str, kind: &str) -> bool {
        self.heard(name).iter().any(|heard| heard.taken && heard.kind == kind)
    }
}

impl Book {
    /// What is to be done with a request; nothing when it is not heard at all.
    fn hear(&mut self, id: String, body: String) -> Option<Order> {
        let said: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&said["type"]), text(&said["data"]["component"]));
        let page = said["data"]["page"].as_i64().unwrap_or_default();
        let plan = self.plan.as_ref().filter(|(case, _)| case.name() == name && case.kind() == kind);
        if plan.is_some_and(|(case, _)| case.step == Step::Recorded) && !self.is_over {
            return None;
        }
        let mut order = Order { at: self.heard.len(), page, sink: Sink::Takes, strike: None };
        if let Some((case, _)) = plan {
            self.tries += 1;
            order.sink = case.behaves(self.tries);
            order.strike = self.plan.clone().filter(|_| case.strikes(self.tries) && !self.is_over);
        }
        self.heard.push(Heard { id, kind, name, key: text(&said["data"]["key"]), body, taken: false });
        Some(order)
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, with what it takes to answer on it.
struct Line<'a> {
    /// Nothing once we have ended it.
    stream: Option<BufReader<TcpStream>>,
    /// The collector's port.
    own: u16,
    book: &'a Mutex<Book>,
    port: u16,
}

fn serve(stream: TcpStream, port: u16, book: &Mutex<Book>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let own = stream.peer_addr().ok()?.port();
    let mut line = Line { stream: Some(BufReader::new(stream)), own, book, port };
    loop {
        let (id, body) = line.request()?;
        let Some(order) = lock(book).hear(id, body) else {
            // What a deaf receiver is sent reaches nobody, and is not answered.
            let _ = line.stream.take()?.read_to_end(&mut Vec::new());
            return None;
        };
        let Some((case, knife)) = order.strike.clone() else {
            line.answer(&order)?;
            continue;
        };
        let struck = line.strike(&order, &case, &knife);
        knife.kill();
        let (read, trouble) = match struck {
            Ok(read) => (read, None),
            Err(error) => (false, Some(format!("{error:#}"))),
        };
        let mut book = lock(book);
        (book.struck, book.is_over) = (Some(Struck { read, trouble }), true);
        return None;
    }
}

impl Line<'_> {
    fn request(&mut self) -> Option<(String, String)> {
        let (mut length, mut id) = (0, String::new());
        let stream = self.stream.as_mut()?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let (name, value) = line.trim_end().split_once(": ").unwrap_or((line.trim_end(), ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "webhook-id" => id = value.to_owned(),
                "" => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some((id, String::from_utf8(body).ok()?))
    }

    /// Does with a request what the seed says; nothing when the connection is over then.
    fn answer(&mut self, order: &Order) -> Option<()> {
        let text = match order.sink {
            Sink::Takes => {
                lock(self.book).heard[order.at].taken = true;
                "HTTP/1.1 204 No Content\r\n\r\n"
            }
            Sink::Fails => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            Sink::Hangs => {
                let mut stream = self.stream.take()?;
                let _ = stream.read_to_end(&mut Vec::new());
                return None;
            }
            Sink::Resets => {
                let stream = self.stream.take()?.into_inner();
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).ok()?;
                return None;
            }
        };
        self.stream.as_mut()?.get_mut().write_all(text.as_bytes()).ok()
    }

    /// Brings the collector to the step at which it is to be killed; whether it knows then how this try went.
    fn strike(&mut self, order: &Order, case: &Case, knife: &Knife) -> Result<bool> {
        let records = knife.records()?;
        let before = records.tries(order.page)?;
        match case.step {
            Step::Sent if order.sink == Sink::Hangs || !case.unread => {
                thread::sleep(Duration::from_micros(case.later_us));
                return Ok(false);
            }
            Step::Sent => {
                knife.stop()?;
                self.answer(order);
                return Ok(false);
            }
            Step::Answered => {
                // A collector that hangs on us gives up by itself; until then its record is left alone.
                let early = if order.sink == Sink::Hangs { None } else { Some(knife.lock()?) };
                self.answer(order);
                let lock = early.map_or_else(|| knife.lock(), Ok)?;
                let (own, other) = (self.own, self.port);
                let has_read = || unread(own, other).is_none_or(|bytes| bytes == 0);
                within(|| has_read() && knife.waits_to_record().unwrap_or(false), "it wants to record the try")?;
                knife.kill();
                drop(lock);
            }
            Step::Marked => {
                self.answer(order);
                within(|| records.tries(order.page).is_ok_and(|tries| tries > before), "the try is recorded")?;
            }
            Step::Opened | Step::Recorded => {}
        }
        Ok(true)
    }
}

//! For tests: a server on a port of its own that keeps what it is sent and answers as scripted, or not at all.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    guard::{Guard, Url},
    receiver::{Messenger, Sent},
};
use crate::domain::record::{IncidentState, Page, PageKind};

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Do {
    /// Answers with a status and a body.
    Answer(u16, &'static str),
    /// Answers 429 and asks for so many seconds of patience.
    Later(u16),
    /// Never answers.
    Hang,
    /// Breaks the connection off (RST).
    Reset,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `POST /path?query`
    pub(super) line: String,
    /// By name in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The server.
pub(super) struct Sink {
    address: std::net::SocketAddr,
    script: Arc<Mutex<VecDeque<Do>>>,
    heard: Arc<Mutex<Vec<Request>>>,
    _server: JoinSet<()>,
}

impl Sink {
    /// One that answers each request with the next of `script`, and with `then` when that is over.
    pub(super) async fn start(script: &[Do], then: Do) -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (next, kept) = (Arc::clone(&script), Arc::clone(&heard));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&next), then, Arc::clone(&kept)));
            }
        });
        Self { address, script, heard, _server: server }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Guard::default().url(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// All requests so far.
    pub(super) fn heard(&self) -> Vec<Request> {
        self.heard.lock().unwrap().clone()
    }

    /// What is left of the script.
    pub(super) fn left(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<VecDeque<Do>>>, then: Do, heard: Arc<Mutex<Vec<Request>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        heard.lock().unwrap().push(request);
        let step = script.lock().unwrap().pop_front().unwrap_or(then);
        let (status, more, body) = match step {
            Do::Answer(status, body) => (status, String::new(), body),
            Do::Later(seconds) => (429, format!("retry-after: {seconds}\r\n"), ""),
            Do::Hang => std::future::pending().await,
            Do::Reset => {
                rustix::net::sockopt::set_socket_linger(stream.get_ref(), Some(std::time::Duration::ZERO)).unwrap();
                return;
            }
        };
        let head = format!("HTTP/1.1 {status} x\r\n{more}content-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).await.unwrap();
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
    let line = line.trim().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line, headers, body: String::from_utf8(body).unwrap() })
}

/// The pages of an incident's life: opened, updated, acknowledged, resolved, and a test.
pub(super) fn life() -> [Page; 5] {
    let page = |id: i64, kind: PageKind, state: IncidentState| Page {
        kind,
        state,
        decided: crate::domain::time::Timestamp::from_ms(1_795_252_800_000),
        facts: crate::domain::record::PageFacts {
            site: "berlin".into(),
            hosts: 1,
            redundancy: String::new(),
            priority: None,
            acknowledged_by: (state == IncidentState::Acknowledged).then(|| "Ana".into()),
            paged: vec!["hook".into(), "mail".into()],
            ..Default::default()
        },
        ..super::outbox::tests::page(id, 1_042, id)
    };
    [
        page(1, PageKind::Opened, IncidentState::Open),
        page(2, PageKind::Updated, IncidentState::Open),
        page(3, PageKind::Acknowledged, IncidentState::Acknowledged),
        page(4, PageKind::Resolved, IncidentState::Resolved),
        Page { incident: None, key: "test/collector/page".into(), ..page(5, PageKind::Test, IncidentState::Open) },
    ]
}

/// What a try came to, in a word.
pub(super) fn word(sent: &Sent) -> &'static str {
    match sent {
        Sent::Accepted { .. } => "accepted",
        Sent::Retry { .. } => "retry",
        Sent::Refused { .. } => "refused",
        Sent::Rejected { .. } => "rejected",
        Sent::Gone { .. } => "gone",
    }
}

/// Whatever goes wrong on the way is tried again: overload with the patience asked for, no answer, a broken connection,
/// nobody there. `messenger` makes the receiver that posts to a sink.
pub(super) async fn check_trouble_is_tried_again<M: Messenger>(messenger: impl Fn(&Sink) -> M) {
    let script = [Do::Later(7), Do::Answer(500, "down"), Do::Answer(503, ""), Do::Answer(408, ""), Do::Reset, Do::Hang];
    let sink = Sink::start(&script, Do::Answer(500, "")).await;
    let (messenger, [page, ..]) = (messenger(&sink), life());
    let first = messenger.send(&page).await;
    let after = Some(std::time::Duration::from_secs(7));
    assert!(matches!(&first, Sent::Retry { after: asked, .. } if *asked == after), "{first:?}");
    for _ in 1..script.len() {
        let sent = messenger.send(&page).await;
        assert_eq!(word(&sent), "retry", "{sent:?}");
    }
    assert_eq!(sink.left(), 0);
    let bodies: std::collections::BTreeSet<String> = sink.heard().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), 1, "each try says the same");
    drop(sink);
    assert_eq!(word(&messenger.send(&page).await), "retry");
}

//! A receiver of pages that remembers what it was told, and answers as the story wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::{Router, body::Bytes, extract::State, routing::post};
use muster_agent::clock::boottime_ns;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::wait::eventually;

/// One message as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-signature`, if signed.
    pub signature: Option<String>,
    /// What was answered.
    pub answered: u16,
    /// When it was read, nanoseconds of boot time.
    pub at_ns: u64,
    /// The body.
    pub body: Value,
}

impl Message {
    /// `type`, such as `incident.opened`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    /// `data.key`, the dedup key.
    #[must_use]
    pub fn key(&self) -> &str {
        self.body["data"]["key"].as_str().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Book {
    messages: Vec<Message>,
    /// Status codes, and seconds of `Retry-After`.
    answers: VecDeque<(u16, Option<u64>)>,
}

type Shared = Arc<Mutex<Book>>;

/// A webhook on a port of its own.
#[derive(Debug)]
pub struct Webhook {
    book: Shared,
    port: u16,
    server: JoinHandle<()>,
}

impl Webhook {
    /// Starts it; it answers 204 to everything.
    ///
    /// # Panics
    /// When no port can be bound.
    #[expect(clippy::disallowed_methods, reason = "joined by drop")]
    pub async fn start() -> Self {
        let book = Shared::default();
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&book));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { book, port, server }
    }

    /// Where it takes messages.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The receiver for `collector.toml`.
    #[must_use]
    pub fn receiver(&self) -> String {
        format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n", self.url())
    }

    /// The next messages are answered so; then 204 again.
    pub fn answer(&self, codes: &[u16]) {
        self.book().answers.extend(codes.iter().map(|code| (*code, None)));
    }

    /// The next message is answered with 429 and asked to come again after so many seconds.
    pub fn answer_later(&self, seconds: u64) {
        self.book().answers.push_back((429, Some(seconds)));
    }

    /// All messages so far, refused ones too; but none about findings, which tell of the machine that the tests run on (a
    /// disk nearly full) and not of the story.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.book().messages.iter().filter(|message| !message.key().starts_with("finding/")).cloned().collect()
    }

    /// The messages of this type, repeats of one id left out, as a receiver would.
    #[must_use]
    pub fn of(&self, kind: &str) -> Vec<Message> {
        let mut seen = std::collections::BTreeSet::new();
        let taken = |message: &Message| (200..300).contains(&message.answered);
        self.messages()
            .into_iter()
            .filter(|message| message.kind() == kind && taken(message) && seen.insert(message.id.clone()))
            .collect()
    }

    /// The messages of this type about a finding of this component, repeats of one id left out.
    #[must_use]
    pub fn about(&self, kind: &str, component: &str) -> Vec<Message> {
        let mut seen = std::collections::BTreeSet::new();
        let fits = |message: &&Message| message.kind() == kind && message.body["data"]["component"] == component;
        self.book().messages.iter().filter(fits).filter(|message| seen.insert(message.id.clone())).cloned().collect()
    }

    /// Waits for a message of this type.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn wait(&self, kind: &str, within: Duration) -> Message {
        let what = format!("a message {kind} at the webhook");
        eventually(&what, within, || async { self.of(kind).into_iter().next() }).await
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(book): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    let (answered, later) = book.answers.pop_front().unwrap_or((204, None));
    book.messages.push(Message {
        id: header("webhook-id").unwrap_or_default(),
        signature: header("webhook-signature"),
        answered,
        at_ns: boottime_ns(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    let later = later.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds)));
    (StatusCode::from_u16(answered).unwrap_or(StatusCode::NO_CONTENT), later.into_iter().collect())
}

//! A server that speaks ntfy as it is documented (<https://docs.ntfy.sh/publish/>, <https://docs.ntfy.sh/subscribe/api/>):
//! it takes messages as JSON or as they stand, refuses fields that ntfy does not know, keeps what it was sent, and streams
//! topics from a message or an instant on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// The time of the first message, in seconds; each next one comes a second later, so that order does not hang on a clock.
#[expect(clippy::disallowed_methods, reason = "the service has a clock of its own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[derive(Debug, Default)]
struct Book {
    messages: Vec<Value>,
    listeners: Vec<(String, UnboundedSender<Result<Bytes, Infallible>>)>,
    asked: Vec<String>,
    token: String,
}

type Shared = Arc<Mutex<Book>>;

/// The server, on a port of its own.
#[derive(Debug)]
pub struct Ntfy {
    book: Shared,
    port: u16,
    server: JoinHandle<()>,
}

impl Ntfy {
    /// Starts it; whoever publishes or listens needs this token.
    ///
    /// # Panics
    /// When no port can be bound.
    #[expect(clippy::disallowed_methods, reason = "joined by drop")]
    pub async fn start(token: &str) -> Self {
        let book = Arc::new(Mutex::new(Book { token: token.to_owned(), ..Book::default() }));
        let router = Router::new()
            .route("/", post(publish_json))
            .route("/{topic}", post(publish))
            .route("/{topic}/json", get(stream))
            .with_state(Arc::clone(&book));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { book, port, server }
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All messages of a topic.
    #[must_use]
    pub fn messages(&self, topic: &str) -> Vec<Value> {
        self.book().messages.iter().filter(|message| message["topic"] == topic).cloned().collect()
    }

    /// The `since` of each stream that was asked for.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.book().asked.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }
}

impl Drop for Ntfy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What ntfy says of a request that it does not take.
fn refuse(http: u16, code: u32, error: &str) -> Response {
    let status = StatusCode::from_u16(http).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "code": code, "http": http, "error": error }))).into_response()
}

fn may(book: &Shared, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    given == format!("Bearer {}", lock(book).token)
}

/// What is wrong with a message, field by field.
fn trouble(message: &Value) -> Option<String> {
    let known = ["topic", "message", "title", "tags", "priority", "actions", "click", "markdown", "icon", "delay"];
    let fields = message.as_object()?;
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Some(format!("unknown field {name}"));
    }
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if !text(&message["topic"]) || !text(&message["message"]) || !(1..=5).contains(&message["priority"].as_i64()?) {
        return Some("topic, message and a priority from 1 to 5".into());
    }
    let actions = message["actions"].as_array().cloned().unwrap_or_default();
    if actions.len() > 3 {
        return Some("at most three actions".into());
    }
    actions.iter().find_map(action_trouble)
}

fn action_trouble(action: &Value) -> Option<String> {
    let known: &[&str] = match action["action"].as_str()? {
        "view" => &["action", "label", "url", "clear"],
        "http" => &["action", "label", "url", "method", "headers", "body", "clear"],
        other => return Some(format!("unknown action {other}")),
    };
    let fields = action.as_object()?;
    let unknown = fields.keys().find(|name| !known.contains(&name.as_str()));
    let text = |name: &str| action[name].as_str().is_some_and(|text| !text.is_empty());
    match unknown {
        Some(name) => Some(format!("unknown field {name} of an action")),
        None => (!text("label") || !text("url")).then(|| "an action has label and url".to_owned()),
    }
}

fn keep(book: &Shared, mut message: Value) -> Response {
    let mut book = lock(book);
    message["id"] = json!(format!("m{}", book.messages.len() + 1));
    message["time"] = json!(now());
    message["event"] = json!("message");
    let topic = message["topic"].as_str().unwrap_or_default().to_owned();
    for (_, listener) in book.listeners.iter().filter(|(of, _)| *of == topic) {
        let _ = listener.send(Ok(line(&message)));
    }
    book.messages.push(message.clone());
    Json(message).into_response()
}

fn line(message: &Value) -> Bytes {
    format!("{message}\n").into()
}

async fn publish_json(State(book): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !may(&book, &headers) {
        return refuse(403, 40_301, "forbidden");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else { return refuse(400, 40_024, "invalid JSON") };
    match trouble(&message) {
        Some(error) => refuse(400, 40_018, &error),
        None => keep(&book, message),
    }
}

async fn publish(State(book): State<Shared>, Path(topic): Path<String>, headers: HeaderMap, body: String) -> Response {
    if !may(&book, &headers) {
        return refuse(403, 40_301, "forbidden");
    }
    keep(&book, json!({ "topic": topic, "message": body.trim() }))
}

async fn stream(
    State(book): State<Shared>,
    Path(topic): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if !may(&book, &headers) {
        return refuse(403, 40_301, "forbidden");
    }
    let (sender, receiver) = unbounded_channel();
    let mut book = lock(&book);
    let since = query.get("since").cloned().unwrap_or_default();
    let _ = sender.send(Ok(line(&json!({ "id": "open", "time": now(), "event": "open", "topic": topic }))));
    let kept = book.messages.iter().filter(|message| message["topic"] == topic.as_str());
    let after: Vec<Value> = match since.parse::<i64>() {
        Ok(instant) => kept.filter(|message| message["time"].as_i64() >= Some(instant)).cloned().collect(),
        Err(_) => kept.skip_while(|message| message["id"] != since.as_str()).skip(1).cloned().collect(),
    };
    for message in after {
        let _ = sender.send(Ok(line(&message)));
    }
    book.asked.push(since);
    book.listeners.push((topic, sender));
    Body::from_stream(UnboundedReceiverStream::new(receiver)).into_response()
}

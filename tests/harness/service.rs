//! Somebody else's service: keeps what it is sent and answers as that service would.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, http::Uri};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::wait::eventually;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Path and query.
    pub path: String,
    /// `Authorization`, if given.
    pub authorization: Option<String>,
    /// What was answered.
    pub answered: u16,
    /// The body.
    pub body: String,
}

impl Heard {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Book {
    heard: Vec<Heard>,
    first: VecDeque<u16>,
    then: (u16, &'static str),
}

type Shared = Arc<Mutex<Book>>;

/// A service on a port of its own.
#[derive(Debug)]
pub struct Service {
    book: Shared,
    port: u16,
    server: JoinHandle<()>,
}

impl Service {
    /// Starts it: the first requests are answered with the codes in `first`, all others with `then`, status and body.
    ///
    /// # Panics
    /// When no port can be bound.
    #[expect(clippy::disallowed_methods, reason = "joined by drop")]
    pub async fn start(first: &[u16], then: (u16, &'static str)) -> Self {
        let book = Arc::new(Mutex::new(Book { heard: Vec::new(), first: first.iter().copied().collect(), then }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&book));
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

    /// All requests so far that were taken and that `fits`, oldest first.
    #[must_use]
    pub fn taken(&self, fits: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let book = self.book();
        book.heard.iter().filter(|heard| (200..300).contains(&heard.answered) && fits(heard)).cloned().collect()
    }

    /// Waits until `count` requests that `fits` were taken.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait(
        &self,
        what: &str,
        count: usize,
        within: Duration,
        fits: impl Fn(&Heard) -> bool + Copy,
    ) -> Vec<Heard> {
        eventually(what, within, || async { Some(self.taken(fits)).filter(|taken| taken.len() >= count) }).await
    }

    /// How many requests were refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.book().heard.iter().filter(|heard| !(200..300).contains(&heard.answered)).count()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(book): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    let (answered, answer) = book.first.pop_front().map_or(book.then, |code| (code, ""));
    book.heard.push(Heard {
        path: uri.path_and_query().map_or_else(String::new, ToString::to_string),
        authorization: headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned),
        answered,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    (StatusCode::from_u16(answered).unwrap_or(StatusCode::OK), answer)
}

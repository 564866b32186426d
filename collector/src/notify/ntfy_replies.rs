//! Acknowledgement through ntfy without being reachable from outside: the button of a page posts the page's signed link to
//! a reply topic, and the collector listens to that topic (<https://docs.ntfy.sh/subscribe/api/#subscribe-as-json-stream>).
//!
//! Whoever can write to the topic can repeat what stands in a page, but make up nothing: each link is signed, for one
//! person and one incident, and ends. What was posted while nobody listened is fetched with the next stream, all that the
//! server still has of the time in which a link works; what was taken before is known by the page's own record.

use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;

use super::{
    client,
    guard::Url,
    hearing::{Ear, Hearing},
    ntfy::{NtfyConfig, Replies},
    outbox::until_stopped,
};
use crate::{
    domain::{
        event::{Answer, Command, Principal},
        time::Timestamp,
    },
    links::WORKS_MS,
};

/// A server says each 45 s that it is still there (`keepalive-interval`); one that says nothing for this long is not.
const SILENT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 120 });
/// Longest line that is read, in bytes: a message has at most 4 096, and JSON around it.
const LINE_BYTES: usize = 32 * 1024;
/// A stream has no end; it is begun anew after this all the same.
const STREAM: Duration = Duration::from_secs(24 * 3_600);

/// One line of the stream.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: String,
    #[serde(default)]
    time: i64,
    event: String,
    #[serde(default)]
    message: String,
}

/// Why a stream ended.
struct Ended {
    error: String,
    after: Option<Duration>,
}

/// Listens to one reply topic.
pub(super) struct Listener {
    server: Url,
    replies: Replies,
    token: Option<super::secret::Secret>,
    client: reqwest::Client,
    ear: Ear,
    hearing: Hearing,
    /// The last message that was heard.
    last: Option<String>,
}

impl Listener {
    /// Starts listening, where there is a reply topic.
    pub(super) fn start(config: &NtfyConfig, ear: Ear, tasks: &mut JoinSet<()>) -> Result<(), client::ClientError> {
        let Some(replies) = config.replies.clone() else { return Ok(()) };
        let urls = std::slice::from_ref(&config.server);
        let listener = Self {
            server: config.server.clone(),
            replies,
            token: config.token.clone(),
            client: client::build(&ear.receiver, urls, config.ca.as_deref(), &config.guard)?,
            hearing: Hearing::new(&ear.receiver, "acknowledgements"),
            ear,
            last: None,
        };
        tasks.spawn(listener.run());
        Ok(())
    }

    async fn run(mut self) {
        let mut stopped = self.ear.stopped.clone();
        loop {
            let ended = tokio::select! {
                ended = self.listen() => ended,
                () = until_stopped(&mut stopped) => return,
            };
            let news = self.hearing.failed(&ended.error, self.ear.clock.now());
            if !self.ear.tell(news).await || !self.ear.wait(self.hearing.failures, ended.after).await {
                return;
            }
        }
    }

    /// Listens until the stream ends.
    async fn listen(&mut self) -> Ended {
        let mut request = self.client.get(self.stream_url()).timeout(STREAM);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let mut response = match tokio::time::timeout(SILENT, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ended { error: client::in_words(&error), after: None },
            Err(_) => return Ended { error: "no answer".into(), after: None },
        };
        let status = response.status().as_u16();
        if status != 200 {
            let after = client::retry_after_of(response.headers());
            return Ended { error: format!("it answered {status}"), after };
        }
        let mut lines = Lines::default();
        loop {
            let chunk = match tokio::time::timeout(SILENT, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ended { error: "the stream was ended by the server".into(), after: None },
                Ok(Err(error)) => return Ended { error: client::in_words(&error), after: None },
                Err(_) => return Ended { error: "nothing, not even a sign of life, was heard".into(), after: None },
            };
            for line in lines.of(&chunk) {
                let news = self.hearing.heard();
                if !self.ear.tell(news).await || !self.hear(&line).await {
                    return Ended { error: "the collector ends".into(), after: None };
                }
            }
        }
    }

    /// Where the stream is, from the last message on or from the oldest that may still count.
    fn stream_url(&self) -> Url {
        let mut url = topic_url(&self.server, &format!("{}/json", self.replies.topic));
        let oldest = self.ear.clock.now().plus_ms(-WORKS_MS).ms().div_euclid(1_000);
        let since = self.last.clone().unwrap_or_else(|| oldest.to_string());
        url.query_pairs_mut().append_pair("since", &since);
        url
    }

    /// Takes one line; false when nobody is left to tell.
    async fn hear(&mut self, line: &[u8]) -> bool {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { return true };
        if line.event != "message" {
            return true;
        }
        let at = Timestamp::from_ms(line.time.saturating_mul(1_000));
        let link = self.ear.links.read(line.message.trim()).filter(|link| self.ear.clock.now() < link.ends);
        let Some(link) = link else {
            tracing::debug!("receiver {}: what was posted to its reply topic is no link that works", self.ear.receiver);
            return true;
        };
        let by = Principal { name: link.who, via: "ntfy".into(), address: None };
        let command = Command::Answer { incident: link.incident, page: link.page, at };
        match self.ear.mailbox.command(by, command).await {
            Ok(Answer::Refused(why) | Answer::NotFound(why)) => {
                tracing::debug!("receiver {}: an answer changes nothing: {why}", self.ear.receiver);
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        self.last = Some(line.id).filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        true
    }
}

/// A topic's address on a server.
pub(super) fn topic_url(server: &Url, topic: &str) -> Url {
    let mut url = server.clone();
    url.set_path(&format!("{}{topic}", server.path()));
    url
}

/// The lines of a stream that comes in pieces; one that is too long is passed over.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn of(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() + piece.len() > LINE_BYTES {
                (self.too_long, self.begun) = (true, Vec::new());
            }
            if !self.too_long {
                self.begun.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                whole.extend((!std::mem::take(&mut self.too_long)).then_some(line));
            }
        }
        whole
    }
}

#[cfg(test)]
#[path = "ntfy_replies_tests.rs"]
mod tests;

//! A program on this machine, for whatever no other kind reaches.
//!
//! Its arguments are fixed and no shell reads them; the page is JSON on its standard input, so that nothing of what hosts
//! say ever stands on a command line. It runs in a process group of its own with a bare environment, and is killed with
//! its children at the deadline. Exit code 0 means that the page was taken; anything else is tried again, so the program
//! should drop what has an `id` that it knows.

use std::{path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::{
    client,
    receiver::{Messenger, Sent, plain_id},
    template::Words,
    text::clean,
    webhook::Body,
};
use crate::domain::record::Page;

/// How long the program may take unless `timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Most of its output that is kept, in bytes; the rest is read and dropped.
const OUTPUT_BYTES: usize = 4 * 1024;
/// What it said last is waited for this long after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Longest line of its output that is shown, in characters.
const LINE_CHARS: usize = 200;
/// Where programs that it starts are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Settings of `kind = "script"`.
#[derive(Debug, Clone)]
pub struct ScriptConfig {
    /// The program's absolute path: first of `command`.
    pub program: PathBuf,
    /// Its arguments: the rest of `command`.
    pub arguments: Vec<String>,
    /// It is killed after this: `timeout`; default [`TIMEOUT`].
    pub timeout: Duration,
}

/// What it reads: the webhook's body, and the words that people are to see.
#[derive(Serialize)]
struct Input<'a> {
    /// The same over retries and restarts.
    id: String,
    receiver: &'a str,
    subject: String,
    text: String,
    short: String,
    #[serde(flatten)]
    body: Body<'a>,
}

/// A program that pages are given to.
#[derive(Debug)]
pub struct Script {
    config: ScriptConfig,
    words: Words,
}

impl Script {
    /// A program ready to be started.
    #[must_use]
    pub const fn new(config: ScriptConfig, words: Words) -> Self {
        Self { config, words }
    }

    fn input(&self, page: &Page) -> Vec<u8> {
        client::json(&Input {
            id: plain_id(&page.message_id),
            receiver: &page.receiver,
            subject: self.words.title(page),
            text: self.words.body(page),
            short: self.words.short(page),
            body: Body::of(page, &self.words),
        })
    }

    fn start(&self) -> std::io::Result<Running> {
        let child = Command::new(&self.config.program)
            .args(&self.config.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Running { child, group })
    }
}

impl Messenger for Script {
    async fn send(&self, page: &Page) -> Sent {
        let mut running = match self.start() {
            Ok(running) => running,
            Err(error) => {
                return Sent::Refused {
                    error: format!("{} cannot be started: {error}", self.config.program.display()),
                };
            }
        };
        let input = self.input(page);
        match tokio::time::timeout(self.config.timeout, running.give(&input)).await {
            Ok(ended) => ended.unwrap_or_else(|error| Sent::Retry { error: error.to_string(), after: None }),
            Err(_) => {
                let error = format!("it was killed after {} s without an end", self.config.timeout.as_secs_f64());
                Sent::Retry { error, after: None }
            }
        }
    }
}

/// The program at work; it and its children are killed when this is dropped before its end.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    /// Gives it the page, waits for its end and judges that.
    async fn give(&mut self, input: &[u8]) -> std::io::Result<Sent> {
        let (stdin, out, errors) = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read all of it may still have done its work: its exit code says so.
                let _ = stdin.write_all(input).await;
            }
        };
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        let status = {
            let talk = async { tokio::join!(write, keep(out, &mut said), keep(errors, &mut complained)) };
            let mut talk = std::pin::pin!(talk);
            tokio::select! {
                status = self.child.wait() => {
                    // A child of it may hold the pipes open for ever.
                    let _ = tokio::time::timeout(LAST_WORDS, &mut talk).await;
                    status?
                }
                _ = &mut talk => self.child.wait().await?,
            }
        };
        // It has been waited for: its id may be another's from now on.
        self.group = None;
        let line = |bytes: &[u8]| clean(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default(), LINE_CHARS);
        if status.success() {
            return Ok(Sent::Accepted { provider_id: Some(line(&said)).filter(|said| !said.is_empty()) });
        }
        let why = status.code().map_or_else(|| "a signal ended it".into(), |code| format!("it ended with code {code}"));
        let complaint = line(&complained);
        let error = if complaint.is_empty() { why } else { format!("{why}: {complaint}") };
        Ok(Sent::Retry { error, after: None })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end and keeps the beginning.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut piece = [0_u8; 1_024];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = OUTPUT_BYTES - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;

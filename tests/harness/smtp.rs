//! A real mail server (python3-aiosmtpd) that keeps what it is sent.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, free_port, installed};
use crate::wait::eventually;

/// Python starts slowly on a busy machine.
const START: Duration = Duration::from_secs(30);
/// Keeps each mail, unless it is to refuse them, and answers when it is allowed to.
const HANDLER: &str = "import asyncio, os
from aiosmtpd.handlers import Mailbox

class Story(Mailbox):
    async def handle_DATA(self, server, session, envelope):
        beside = lambda name: os.path.join(os.path.dirname(self.mail_dir), name)
        if os.path.exists(beside('refuse')):
            return open(beside('refuse')).read()
        answer = await super().handle_DATA(server, session, envelope)
        while os.path.exists(beside('hold')):
            await asyncio.sleep(0.02)
        return answer
";

/// A mail server with one mailbox.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    mailbox: PathBuf,
    _process: Process,
    _home: TempDir,
}

impl MailServer {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start() -> Self {
        let (home, port) = (TempDir::new().expect("a directory"), free_port());
        let mailbox = home.path().join("mail");
        std::fs::write(home.path().join("story.py"), HANDLER).expect("a file in a directory of our own");
        let mut command = Command::new(installed("python3", "python3-aiosmtpd"));
        command
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}"), "-c", "story.Story"])
            .arg(&mailbox)
            .env("PYTHONPATH", home.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = Process::start("aiosmtpd", &mut command, &home.path().join("log"));
        process.ready(START, || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        Self { port, mailbox, _process: process, _home: home }
    }

    /// The receiver for `collector.toml`.
    #[must_use]
    pub fn receiver(&self) -> String {
        let port = self.port;
        format!(
            "[[receiver]]\nname = \"mail\"\nkind = \"email\"\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
             from = \"Muster <muster@example.org>\"\nto = [\"On call <oncall@example.org>\"]\n"
        )
    }

    /// From now on each mail is refused with this answer, such as `451 later`.
    ///
    /// # Panics
    /// When that cannot be written down.
    pub fn refuse(&self, answer: &str) {
        std::fs::write(self.beside("refuse"), answer).expect("a file in a directory of our own");
    }

    /// From now on each mail is taken, and nobody hears that it was.
    ///
    /// # Panics
    /// When that cannot be written down.
    pub fn hold(&self) {
        std::fs::write(self.beside("hold"), "").expect("a file in a directory of our own");
    }

    /// All is taken and answered again.
    pub fn accept(&self) {
        for name in ["refuse", "hold"] {
            // It may not have been there.
            let _ = std::fs::remove_file(self.beside(name));
        }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.mailbox.with_file_name(name)
    }

    /// The messages so far, as they were sent.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.mailbox.join("new")).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        files.sort();
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
    }

    /// Waits for `count` messages.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait(&self, count: usize, within: Duration) -> Vec<String> {
        let what = format!("{count} mails");
        eventually(&what, within, || async { Some(self.messages()).filter(|mails| mails.len() >= count) }).await
    }
}

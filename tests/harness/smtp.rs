//! A real mail server (python3-aiosmtpd) that keeps what it is sent.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, free_port, installed};
use crate::wait::eventually;

/// Python starts slowly on a busy machine.
const START: Duration = Duration::from_secs(30);

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
        let mut command = Command::new(installed("python3", "python3-aiosmtpd"));
        command
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Mailbox"])
            .arg(&mailbox);
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

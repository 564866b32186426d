//! Service checks: is what this machine offers, or needs, at its service? Built-in kinds, and Nagios plugins unchanged.
//!
//! [`define`] reads the definitions of `agent.toml`, [`remote`] those that the collector sends; [`turn`] counts attempts and says when a check is due again;
//! [`crate::checker`] runs what is due; [`board`] holds the last outcomes, for readings and for the collector. What an outcome means is the collector's to
//! decide. Where no check is defined and none may be sent nothing of this exists while the agent runs.

pub mod board;
pub mod define;
mod keys;
pub mod perfdata;
pub mod query;
pub mod remote;
pub mod turn;
pub mod url;

use std::path::PathBuf;
use std::time::Duration;

use perfdata::Datum;

/// Checks of one machine; the collector takes no more.
pub const CHECKS_MAX: usize = 256;
/// Output kept of one outcome, in bytes: what Nagios keeps of a plugin's.
pub const OUTPUT_MAX: usize = 8 * 1024;

/// How a check turned out; the numbers are a plugin's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok = 0,
    /// Not as it should be.
    Warning = 1,
    /// Out of service.
    Critical = 2,
    /// It could not be told.
    Unknown = 3,
}

impl Status {
    /// The status's word, as plugins write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One check as it is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name, unique on this machine.
    pub name: String,
    /// What is checked, and how.
    pub kind: Kind,
    /// Between runs.
    pub interval: Duration,
    /// One run may take so long.
    pub timeout: Duration,
    /// So often in a row it must not be ok for that to count.
    pub attempts: u32,
    /// Between runs while it is not ok and does not count yet.
    pub retry_interval: Duration,
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A TCP port takes connections: `host:port`.
    Tcp(String),
    /// A URL answers as it should.
    Http(Http),
    /// A TLS server's certificate has enough days left.
    Certificate(Certificate),
    /// A name server answers.
    Dns(Dns),
    /// A machine answers echo requests.
    Icmp(Icmp),
    /// A systemd unit is active.
    Unit(String),
    /// Processes are there.
    Process(Process),
    /// A file is there and young enough.
    FileAge(FileAge),
    /// A Nagios plugin.
    Plugin(Plugin),
}

impl Kind {
    /// The kind's word, as configured.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
            Self::Certificate(_) => "certificate",
            Self::Dns(_) => "dns",
            Self::Icmp(_) => "icmp",
            Self::Unit(_) => "unit",
            Self::Process(_) => "process",
            Self::FileAge(_) => "file_age",
            Self::Plugin(_) => "plugin",
        }
    }
}

/// Two limits, each of which may be missing; a value at the limit is still fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Beyond this it is a warning.
    pub warning: Option<Duration>,
    /// Beyond this it is critical.
    pub critical: Option<Duration>,
}

impl Limits {
    /// How a duration stands.
    #[must_use]
    pub fn judge(&self, took: Duration) -> Status {
        if self.critical.is_some_and(|limit| took > limit) {
            Status::Critical
        } else if self.warning.is_some_and(|limit| took > limit) {
            Status::Warning
        } else {
            Status::Ok
        }
    }
}

/// A URL and what it shall answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to begin.
    pub url: url::Url,
    /// `HEAD` instead of `GET`.
    pub head: bool,
    /// Codes that are right, as ranges with both ends.
    pub status: Vec<(u16, u16)>,
    /// A text that the body shall have.
    pub body_contains: Option<String>,
    /// How many redirects are followed.
    pub redirects: u32,
    /// How long all of it may take.
    pub latency: Limits,
    /// Certificates to believe instead of this machine's.
    pub ca: Option<PathBuf>,
}

/// A TLS server and how many days its certificate shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// `host:port`.
    pub address: String,
    /// The name it shall be for.
    pub server_name: String,
    /// With fewer days left it is a warning.
    pub warning_days: u32,
    /// With fewer days left it is critical.
    pub critical_days: u32,
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The name asked for.
    pub query: String,
    /// What is asked of it.
    pub record: query::Record,
    /// Who is asked; else the first server of `/etc/resolv.conf`.
    pub server: Option<std::net::SocketAddr>,
    /// Answers that shall be among those given.
    pub expect: Vec<String>,
}

/// Echo requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// A name or an address.
    pub address: String,
    /// How many.
    pub count: u32,
    /// How long the mean round trip may take.
    pub latency: Limits,
}

/// Processes that shall be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The name of the program, as `ps -o comm` shows it.
    pub name: Option<String>,
    /// A text in the command line.
    pub cmdline: Option<String>,
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: Option<u32>,
}

/// A file that shall be written now and then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAge {
    /// Which file.
    pub path: String,
    /// How old it may be.
    pub age: Limits,
}

/// A Nagios plugin of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The program and all its arguments.
    pub command: Vec<String>,
    /// As whom it runs, if not as the agent.
    pub user: Option<String>,
}

/// What one run brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it turned out.
    pub status: Status,
    /// What it said, lines separated by `\n`.
    pub output: String,
    /// What it measured.
    pub perfdata: Vec<Datum>,
    /// Until when a certificate is valid, in seconds since the epoch.
    pub expires_s: Option<i64>,
}

impl Outcome {
    /// An outcome without figures.
    #[must_use]
    pub fn new(status: Status, output: impl Into<String>) -> Self {
        let mut output = output.into();
        output.truncate(output.floor_char_boundary(OUTPUT_MAX));
        Self { status, output, perfdata: Vec::new(), expires_s: None }
    }

    /// The same with one more figure.
    #[must_use]
    pub(crate) fn with(mut self, label: &str, value: f64, unit: &str) -> Self {
        self.perfdata.push(Datum { label: label.to_owned(), value, unit: unit.to_owned(), counter: false });
        self
    }
}

/// A duration in words: `0.42 ms`, `1.250 s`.
pub(crate) fn spell(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 1.0 { format!("{:.2} ms", seconds * 1e3) } else { format!("{seconds:.3} s") }
}

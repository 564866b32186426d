//! What the administrator may set: `collector.toml`, documented key by key in `deploy/collector.example.toml`.
//!
//! [`load`] reports every mistake at once. What is not set has a default that is right for most; a missing default file
//! is a configuration without any setting. Secrets are never in the file, only the paths of the files that hold them.

mod agreement_terms;
mod agreement_text;
mod agreements;
mod backup;
mod checks;
mod devices;
mod heartbeats;
mod host_rules;
mod incidents;
mod inventory;
mod oncall;
mod read;
mod receiver_services;
mod receivers;
mod redundancy;
mod reports;
mod retention;
mod rules;
mod runbooks;
mod section;
mod services;
mod settings;
#[cfg(test)]
mod tests;
mod watchdogs;

pub use self::{
    agreement_text::{agreement_text, parse_agreements},
    agreements::{MOST as MOST_AGREEMENTS, parse_agreement, parse_declaration},
    backup::{Backup, backup_trouble},
    reports::directory_trouble,
    rules::{parse_override, toml_key, toml_text, with_overrides},
    settings::parse_settings,
};

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::domain::device::declared::{Declared, Fleet};

/// Where the configuration is read from when nobody names a file.
pub const DEFAULT_PATH: &str = "/etc/muster/collector.toml";
/// Largest configuration file, in bytes; real ones have some kilobytes.
const FILE_BYTES: u64 = 1 << 20;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it stands; there may be no such file.
    pub file: PathBuf,
    /// Every file that it names by a key that ends with `_file`: secrets, certificates.
    pub named: Vec<PathBuf>,
    /// Where copies of the records go, and when; default: nowhere.
    pub backup: Option<Backup>,
    /// Where everything lives; default `/var/lib/muster/collector`.
    pub state: PathBuf,
    /// The door for agents.
    pub grpc: Grpc,
    /// The door for people and Prometheus.
    pub http: Http,
    /// Who is told.
    pub receivers: Vec<crate::notify::receiver::ReceiverConfig>,
    /// Who pages.
    pub paging: Paging,
    /// Who is told, and who after them.
    pub roster: crate::domain::oncall::Roster,
    /// What is promised of uptime.
    pub agreements: Vec<crate::domain::sla::report::Declared>,
    /// Which reports of that are delivered, when and where.
    pub reports: Vec<crate::domain::sla::delivery::Plan>,
    /// Other people's jobs that say when they have run.
    pub heartbeats: Vec<crate::domain::heartbeat::Heartbeat>,
    /// What misses this collector when it falls silent.
    pub watchdogs: Vec<crate::notify::watchdog::WatchdogConfig>,
    /// Labels by rule, in order; later wins.
    pub host_rules: Vec<crate::domain::label_rule::HostRule>,
    /// Things without an agent.
    pub devices: Vec<Declared>,
    /// Limits of the everyday rules, for all hosts and for some.
    pub rules: crate::domain::rules::Settings,
    /// What agents are told, for all hosts and for some.
    pub settings: Vec<crate::domain::settings::Part>,
    /// How long what is over is kept.
    pub retention: crate::domain::retention::Retention,
    /// What trends may take on disk, in bytes: 13 months of 10 000 hosts with 20 readings are some 1.5 GB. Default 2 GiB.
    pub trends_quota: u64,
    /// How long within 24 hours a machine may be in maintenance by its own word, in milliseconds; 0: never. Default 4 h.
    pub own_maintenance_ms: i64,
    /// Until when operating systems are supported; default: the program's own table.
    pub os_table: crate::domain::os_support::Table,
    /// Log level: `error`, `warn`, `info`, `debug`, `trace`.
    pub log_level: String,
    /// What works and should not be, one line each with file, line, key and remedy.
    pub warnings: Vec<String>,
}

/// `[paging]`: the one who pages, so that nobody is woken twice for one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paging {
    /// The default: our messengers are sent each incident.
    #[default]
    Muster,
    /// Alertmanager, from a mirror or from `muster-paging.rules.yml`; our messengers are sent test pages only.
    Alertmanager,
}

impl Config {
    /// What a backup copies besides the state: the file itself, if there is one, and those that it names.
    #[must_use]
    pub fn besides(&self) -> (Option<PathBuf>, Vec<PathBuf>) {
        let configuration = Some(self.file.clone()).filter(|file| file.exists());
        (configuration, self.named.clone())
    }

    /// Who pages, in words.
    #[must_use]
    pub fn pager(&self) -> String {
        let messengers = self.receivers.iter().filter(|receiver| receiver.is_messenger());
        let messengers: Vec<&str> = messengers.map(|receiver| receiver.name.as_str()).collect();
        match (self.paging, messengers.as_slice()) {
            (Paging::Muster, []) => "Muster pages, and no messenger is configured".to_owned(),
            (Paging::Muster, names) => format!("Muster pages: {}", names.join(", ")),
            (Paging::Alertmanager, []) => "Alertmanager pages; Muster itself does not".to_owned(),
            (Paging::Alertmanager, names) => {
                format!("Alertmanager pages; Muster sends only test pages to {}", names.join(", "))
            }
        }
    }
}

/// `[grpc]`
#[derive(Debug, Clone)]
pub struct Grpc {
    /// Default `0.0.0.0:7460`.
    pub listen: SocketAddr,
    /// `HOST:PORT`s that agents are told to dial; default: this machine's host name with the port.
    pub addresses: Vec<String>,
}

impl Grpc {
    /// The addresses for agents once the port is known: an address with port 0 gets that of `bound`.
    #[must_use]
    pub fn addresses_when_bound(&self, bound: SocketAddr) -> Vec<String> {
        self.addresses.iter().map(|address| with_port(address, bound.port())).collect()
    }
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Default `127.0.0.1:7461`. Anything but loopback serves HTTPS and asks for sign-in.
    pub listen: SocketAddr,
    /// Host names besides loopback under which it may be asked (`Host` header), without port.
    pub names: Vec<String>,
    /// Ask for sign-in on loopback too; default false.
    pub require_authentication: bool,
    /// Own certificate and key (PEM files); default: issued by our CA.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The address people reach the views under, for links in pages, without a slash at its end; default: `http://` and
    /// the listen address on loopback, else `https://` and the first name (or this machine's) with the port.
    pub url: String,
}

impl Http {
    /// The views' address once the port is known: port 0 becomes that of `bound`.
    #[must_use]
    pub fn url_when_bound(&self, bound: SocketAddr) -> String {
        with_port(&self.url, bound.port())
    }
}

/// `address` with its port replaced by `port` where it says 0.
fn with_port(address: &str, port: u16) -> String {
    address.strip_suffix(":0").map_or_else(|| address.to_owned(), |host| format!("{host}:{port}"))
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// In which file.
    pub file: PathBuf,
    /// On which line, from 1.
    pub line: Option<usize>,
    /// Which key, such as `http.listen`; empty where the file itself is wrong.
    pub key: String,
    /// What it says, shortened; `(hidden)` for secrets; `None` where it is missing.
    pub value: Option<String>,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        let expected = if self.key.is_empty() { "" } else { "expected " };
        write!(f, ": {expected}{}", self.expected)
    }
}

/// Everything that is wrong with the configuration, in the order of the file. One line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

/// Reads and checks the configuration in `path`, or in [`DEFAULT_PATH`] if that exists, or takes all defaults.
///
/// # Errors
/// Every mistake in the file, or that it cannot be read.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigErrors> {
    load_among(path, |_| None)
}

/// The same, and `fleet` answers with what is known of the fleet whose state lies in a directory: what contradicts it is
/// a mistake too.
///
/// # Errors
/// As [`load`].
pub fn load_among(path: Option<&Path>, fleet: impl FnOnce(&Path) -> Option<Fleet>) -> Result<Config, ConfigErrors> {
    let file = path.unwrap_or_else(|| Path::new(DEFAULT_PATH));
    match read_file(file) {
        Ok(text) => read::document(&text, file, fleet),
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => read::document("", file, fleet),
        Err(error) => Err(ConfigErrors {
            mistakes: vec![Mistake {
                file: file.to_owned(),
                line: None,
                key: String::new(),
                value: None,
                expected: format!("cannot be read as a configuration: {error}"),
            }],
        }),
    }
}

fn read_file(file: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(std::io::Error::other("larger than 1 MiB"));
    }
    Ok(text)
}

/// Checks `text` as the configuration that stands in `file`, which is only named in messages.
///
/// # Errors
/// Every mistake in the text.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    read::document(text, file, |_| None)
}

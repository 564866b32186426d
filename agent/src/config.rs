//! `agent.toml`: what the file says ([`RawConfig`]) and what the agent may rely on ([`Config`]).
//!
//! Every mistake is reported at once, with file, line, key, value and what was expected. What is written here wins over
//! what the collector sends.

mod collect;
mod collector;
mod files;
mod inventory;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use collector::DIRECT;
use serde::Deserialize;
use toml::Spanned;

use crate::check::Definition;
use crate::check::define::{self, Plugins, Table};
use crate::check::remote::{Local, RemoteChecks};
use crate::dial::Proxy;
use crate::hardware;
use crate::host::Crowding;
use crate::inspection::{Inspection, Mistake, parse_duration};
use crate::inventory::tell::Wanted;
use crate::platform::{self, is_absolute};
use crate::withheld::Withheld;

/// Where the file is looked for.
pub const DEFAULT_PATH: &str = platform::DEFAULT_CONFIG;
/// Where the agent keeps its state.
pub const DEFAULT_STATE: &str = platform::DEFAULT_STATE;
/// Labels of one host.
const LABELS_MAX: usize = 30;
/// Bytes of a label's value; the wire's limit for strings.
const VALUE_BYTES_MAX: usize = 256;
/// The configuration file is at most this long.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// Fewer series than this say nothing of a machine.
const SERIES_MIN: i64 = 100;
/// The collector takes no more series of one host.
const SERIES_MAX: i64 = 20_000;
/// Interfaces or mounts that are said one by one.
const MEMBERS_MAX: i64 = 10_000;
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(300);

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Directory for identity, spool and settings. Default "/var/lib/muster/agent".
    state: Option<Spanned<String>>,
    /// How often readings are reported, as "15s" or "1m"; 1 s to 5 min. Default: what the collector says, else 15 s.
    interval: Option<Spanned<String>>,
    /// Where the collector is.
    #[serde(default)]
    collector: collector::RawCollector,
    /// What this host is, for views and rules: name = "value". At most 30.
    #[serde(default)]
    labels: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    /// Which checks the collector may ask for: "none", "built_in" or "named_plugins". Default "built_in".
    remote_checks: Option<Spanned<String>>,
    /// Service checks; at most 256.
    #[serde(default)]
    check: Vec<Spanned<Table>>,
    /// Nagios plugins that checks may name; each may have a file of its own in `plugins.d` beside this one instead.
    #[serde(default)]
    plugins: BTreeMap<Spanned<String>, Table>,
    /// What is logged.
    #[serde(default)]
    log: RawLog,
    /// What scripts leave behind.
    #[serde(default)]
    textfile: RawTextfile,
    /// This machine's figures for a Prometheus that scrapes it itself.
    #[serde(default)]
    exporter: RawExporter,
    /// How much is said of a crowded machine.
    #[serde(default)]
    limits: RawLimits,
    /// What is looked at besides readings.
    #[serde(default)]
    collect: collect::RawCollect,
    /// Tests that are begun by night. Default: none.
    #[serde(default)]
    prove: collect::RawProve,
    /// What the machine is made of, runs and lets in.
    #[serde(default)]
    inventory: inventory::RawInventory,
}

/// `[textfile]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTextfile {
    /// Directories whose `*.prom` files are reported, in Prometheus' text format. Default: none.
    #[serde(default)]
    directories: Vec<Spanned<String>>,
}

/// `[exporter]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExporter {
    /// "address:port" on which `/metrics` is answered as node_exporter does, in plain HTTP. Default: nowhere.
    listen: Option<Spanned<String>>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    /// Series of this host, 100 to 20000. Beyond it whole families are left out, the largest first. Default 20000.
    series: Option<Spanned<i64>>,
    /// Network interfaces of one virtual kind (veth, bridge, ...) beyond which they are one. Default 256.
    interfaces_per_kind: Option<Spanned<i64>>,
    /// Mounts of one type of file system beyond which they are one. Default 256.
    mounts_per_type: Option<Spanned<i64>>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    /// "error", "warn", "info", "debug" or "trace". Default "info".
    level: Option<Spanned<String>>,
}

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The state directory.
    pub state: PathBuf,
    /// How often readings are reported, when this machine insists.
    pub interval: Option<Duration>,
    /// Where the collector is, `host:port`; empty: as learnt at enrolment.
    pub addresses: Vec<String>,
    /// The way there, where it is not direct.
    pub proxy: Option<Proxy>,
    /// The host's own labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Which checks the collector may ask for.
    pub remote_checks: RemoteChecks,
    /// The log level.
    pub log_level: String,
    /// Directories in which scripts leave readings.
    pub textfiles: Vec<String>,
    /// Where this machine is its own exporter.
    pub exporter: Option<SocketAddr>,
    /// How much is said of a crowded machine.
    pub limits: Crowding,
    /// How often drives, optics, GPUs, RAID controllers and the BMC are asked; `None`: the hardware is not looked at.
    pub hardware: Option<Duration>,
    /// Tests of the hardware that are begun by night.
    pub prove: Option<hardware::prove::Plan>,
    /// How often the inventory is taken; `None`: it is not sent.
    pub inventory: Option<Duration>,
    /// What is looked at for it.
    pub wanted: Wanted,
    /// What is kept back of all that is said of this machine.
    pub withheld: Withheld,
    /// Service checks.
    pub checks: Vec<Definition>,
    /// Plugins that checks may name.
    pub plugins: Plugins,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: DEFAULT_STATE.into(),
            interval: None,
            addresses: Vec::new(),
            proxy: None,
            labels: Vec::new(),
            remote_checks: RemoteChecks::BuiltIn,
            log_level: "info".into(),
            textfiles: Vec::new(),
            exporter: None,
            limits: Crowding::default(),
            hardware: Some(hardware::INTERVAL),
            prove: None,
            inventory: Some(crate::inventory::INTERVAL),
            wanted: Wanted::default(),
            withheld: Withheld::default(),
            checks: Vec::new(),
            plugins: Plugins::new(),
        }
    }
}

/// All mistakes of a configuration file, one per line.
#[derive(Debug, thiserror::Error)]
#[error("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// In the order of their lines.
    pub mistakes: Vec<Mistake>,
}

impl Config {
    /// What the collector may set on this machine, and what it may not.
    #[must_use]
    pub fn local(&self) -> Local {
        let (checks, plugins) = (self.checks.clone(), self.plugins.clone());
        Local { remote_checks: self.remote_checks, checks, plugins, interval: self.interval }
    }

    /// Reads the file at `path`; without a path the default one, which may be absent.
    ///
    /// # Errors
    /// All mistakes at once, or that the file cannot be read.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        match std::fs::read(file) {
            Ok(bytes) if bytes.len() <= FILE_BYTES_MAX => match String::from_utf8(bytes) {
                Ok(text) => Self::parse_beside(file, &text),
                Err(_) => Err(Self::unreadable(file, "is not UTF-8 text")),
            },
            Ok(_) => Err(Self::unreadable(file, &format!("is longer than {FILE_BYTES_MAX} bytes"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_none() => Ok(Self::default()),
            Err(error) => Err(Self::unreadable(file, &format!("cannot be read: {error}"))),
        }
    }

    /// Reads a configuration from text; `file` is only named in mistakes, and no plugin has a file of its own.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(file, text, (Plugins::new(), Vec::new()))
    }

    fn parse_with(file: &Path, text: &str, plugins: (Plugins, Vec<Mistake>)) -> Result<Self, ConfigError> {
        let (plugins, elsewhere) = plugins;
        let mut inspection = Inspection::of(file, text);
        if let Err(error) = text.parse::<toml::Table>() {
            inspection.mistake(error.span().map_or(0, |span| span.start), error.message().to_owned());
            inspection.mistakes.extend(elsewhere);
            return Err(ConfigError { mistakes: inspection.mistakes });
        }
        // serde stops at its first mistake: take the wrong lines away one by one, so that all are told.
        let mut source = text.to_owned();
        let raw = loop {
            match toml::from_str::<RawConfig>(&source) {
                Ok(raw) => break raw,
                Err(error) => {
                    let at = error.span().map_or(0, |span| span.start);
                    inspection.mistake(at, error.message().lines().collect::<Vec<_>>().join(" "));
                    let Some(without) = blank_statement(&source, at) else { break RawConfig::default() };
                    if inspection.mistakes.len() > LABELS_MAX {
                        break RawConfig::default();
                    }
                    source = without;
                }
            }
        };
        let config = inspection.config(raw, plugins);
        inspection.mistakes.sort_by_key(|mistake| mistake.line);
        inspection.mistakes.extend(elsewhere);
        if inspection.mistakes.is_empty() { Ok(config) } else { Err(ConfigError { mistakes: inspection.mistakes }) }
    }

    fn unreadable(file: &Path, text: &str) -> ConfigError {
        ConfigError { mistakes: vec![Mistake { file: file.to_path_buf(), line: 1, text: text.to_owned() }] }
    }
}

/// The statement that covers byte `at`, replaced by spaces so that lines keep their numbers.
fn blank_statement(text: &str, at: usize) -> Option<String> {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    if text[start..end].trim().is_empty() {
        return None;
    }
    Some(format!("{}{}{}", &text[..start], " ".repeat(end - start), &text[end..]))
}

impl Inspection<'_> {
    fn config(&mut self, mut raw: RawConfig, plugins: Plugins) -> Config {
        let mut config = Config::default();
        let known = define::plugins(raw.plugins, plugins, self);
        config.checks = define::checks(raw.check, &known, self);
        config.plugins = known;
        if let Some(state) = raw.state {
            if is_absolute(state.get_ref()) {
                config.state = state.into_inner().into();
            } else {
                self.expected("state", &state, "an absolute path");
            }
        }
        if let Some(interval) = raw.interval {
            config.interval =
                parse_duration(interval.get_ref()).filter(|value| (INTERVAL_MIN..=INTERVAL_MAX).contains(value));
            if config.interval.is_none() {
                self.expected("interval", &interval, "a time from \"1s\" to \"5m\"");
            }
        }
        self.collector(raw.collector, &mut config);
        config.labels = self.labels(raw.labels);
        if let Some(checks) = raw.remote_checks {
            match checks.get_ref().as_str() {
                "none" => config.remote_checks = RemoteChecks::None,
                "built_in" => config.remote_checks = RemoteChecks::BuiltIn,
                "named_plugins" => config.remote_checks = RemoteChecks::NamedPlugins,
                _ => self.expected("remote_checks", &checks, "\"none\", \"built_in\" or \"named_plugins\""),
            }
        }
        if let Some(level) = raw.log.level {
            if ["error", "warn", "info", "debug", "trace"].contains(&level.get_ref().as_str()) {
                config.log_level = level.into_inner();
            } else {
                self.expected("log.level", &level, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"");
            }
        }
        for directory in raw.textfile.directories {
            if is_absolute(directory.get_ref()) {
                config.textfiles.push(directory.into_inner());
            } else {
                self.expected("textfile.directories", &directory, "absolute paths");
            }
        }
        if let Some(listen) = raw.exporter.listen {
            config.exporter = listen.get_ref().parse().ok().filter(|address: &SocketAddr| address.port() > 0);
            if config.exporter.is_none() {
                let expectation =
                    "an address and a port, such as \"127.0.0.1:9100\", or \"[::]:9100\" for all addresses";
                self.expected("exporter.listen", &listen, expectation);
            }
        }
        config.limits = self.limits(&raw.limits);
        config.hardware = raw.collect.interval(self);
        config.prove = raw.prove.plan(self);
        (config.inventory, config.wanted) = self.inventory(raw.inventory);
        config.withheld = raw.collect.withheld(self, &mut config.wanted);
        config
    }

    fn limits(&mut self, raw: &RawLimits) -> Crowding {
        let default = Crowding::default();
        let mut number = |key: &str, value: &Option<Spanned<i64>>, range: RangeInclusive<i64>, default: usize| {
            let Some(value) = value else { return default };
            if !range.contains(value.get_ref()) {
                let (wrong, from, to) = (value.get_ref(), range.start(), range.end());
                self.mistake(
                    value.span().start,
                    format!("limits.{key} = {wrong}: expected a number from {from} to {to}"),
                );
            }
            usize::try_from(*value.get_ref()).unwrap_or(default)
        };
        Crowding {
            series: number("series", &raw.series, SERIES_MIN..=SERIES_MAX, default.series),
            interfaces_per_kind: number(
                "interfaces_per_kind",
                &raw.interfaces_per_kind,
                1..=MEMBERS_MAX,
                default.interfaces_per_kind,
            ),
            mounts_per_type: number("mounts_per_type", &raw.mounts_per_type, 1..=MEMBERS_MAX, default.mounts_per_type),
        }
    }

    fn labels(&mut self, raw: BTreeMap<Spanned<String>, Spanned<toml::Value>>) -> Vec<(String, String)> {
        if raw.len() > LABELS_MAX {
            self.mistake(0, format!("labels: {} are given, expected at most {LABELS_MAX}", raw.len()));
        }
        let mut labels = Vec::new();
        for (name, value) in raw {
            let at = name.span().start;
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.get_ref().is_empty() || name.get_ref().len() > 63 || !name.get_ref().bytes().all(fits) {
                let wrong = name.get_ref();
                self.mistake(
                    at,
                    format!("labels: the name {wrong:?} is not valid, expected small letters, digits and _"),
                );
            }
            match value.get_ref().as_str() {
                Some(text) if text.len() <= VALUE_BYTES_MAX && !text.chars().any(char::is_control) => {
                    labels.push((name.into_inner(), text.to_owned()));
                }
                _ => {
                    let (key, wrong) = (name.get_ref(), value.get_ref());
                    self.mistake(
                        at,
                        format!("labels.{key} = {wrong}: expected a text of at most {VALUE_BYTES_MAX} bytes"),
                    );
                }
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests;

//! Definitions of checks and plugins as `agent.toml` and `plugins.d` have them, checked: every mistake is told, with its
//! line, key, value and what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::keys::{Keys, text, texts};
use super::query::{self, Record};
use super::url::Url;
use super::{CHECKS_MAX, Certificate, Definition, Dns, FileAge, Http, Icmp, Kind, Limits, Plugin, Process};
use crate::inspection::{Inspection, is_address};
use crate::platform::is_absolute;

pub(crate) use super::keys::Table;

const SECOND: Duration = Duration::from_secs(1);
/// Between runs.
const INTERVAL: RangeInclusive<Duration> = SECOND..=Duration::from_secs(24 * 3600);
/// One run.
const TIMEOUT: RangeInclusive<Duration> = SECOND..=Duration::from_secs(300);
/// Limits of a latency.
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);
/// Limits of a file's age.
const AGE: RangeInclusive<Duration> = SECOND..=Duration::from_secs(10_000 * 24 * 3600);
const ATTEMPTS: RangeInclusive<u32> = 1..=100;
const DAYS: RangeInclusive<u32> = 0..=3650;
/// Longest name of a check, in bytes.
const NAME_MAX: usize = 64;
/// Where what is not said stands.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_ATTEMPTS: u32 = 3;
const DEFAULT_RETRY: Duration = Duration::from_secs(15);
const DEFAULT_REDIRECTS: u32 = 5;

const KINDS: &str =
    "\"tcp\", \"http\", \"certificate\", \"dns\", \"icmp\", \"unit\", \"process\", \"file_age\" or \"plugin\"";
const ADDRESS: &str = "\"host:port\", for example \"127.0.0.1:5432\"";

/// Plugins of this machine, by the name that checks call them.
pub type Plugins = BTreeMap<String, Plugin>;

/// Reads `[plugins.NAME]`. What has a file of its own already (`plugins`) is told.
pub(crate) fn plugins(
    raw: BTreeMap<Spanned<String>, Table>,
    mut plugins: Plugins,
    inspection: &mut Inspection<'_>,
) -> Plugins {
    for (name, table) in raw {
        let at = name.span().start;
        if !is_name(name.get_ref()) {
            inspection.mistake(at, format!("plugins: the name {:?} is not valid, expected {NAME}", name.get_ref()));
        }
        if plugins.contains_key(name.get_ref()) {
            let name = name.get_ref();
            inspection.mistake(at, format!("plugins.{name} is defined here and in plugins.d, expected one of both"));
        }
        if let Some(plugin) = plugin(table, format!("plugins.{}", name.get_ref()), at, inspection) {
            plugins.insert(name.into_inner(), plugin);
        }
    }
    plugins
}

/// Reads one file of `plugins.d`, which has the keys of one plugin.
pub(crate) fn plugin_file(table: Table, inspection: &mut Inspection<'_>) -> Option<Plugin> {
    plugin(table, "plugin".to_owned(), 0, inspection)
}

fn plugin(table: Table, prefix: String, at: usize, inspection: &mut Inspection<'_>) -> Option<Plugin> {
    let mut keys = Keys::new(table, prefix, at, inspection);
    let expectation = "a list of texts: the program's absolute path and its arguments";
    let command = keys.required("command", expectation, |value| {
        texts(value).filter(|command| command.first().is_some_and(|program| is_absolute(program)))
    });
    let user = keys.text("user", "the name of a user of this machine");
    keys.finish();
    Some(Plugin { command: command?, user })
}

const NAME: &str = "at most 64 letters, digits, spaces and . _ -";

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || " ._-".contains(c);
    !name.is_empty() && name.len() <= NAME_MAX && name.trim() == name && name.chars().all(fits)
}

/// Reads `[[check]]`.
pub(crate) fn checks(raw: Vec<Spanned<Table>>, plugins: &Plugins, inspection: &mut Inspection<'_>) -> Vec<Definition> {
    if let Some(first_over) = raw.get(CHECKS_MAX) {
        let at = first_over.span().start;
        inspection.mistake(at, format!("check: {} are defined, expected at most {CHECKS_MAX}", raw.len()));
    }
    let mut names = BTreeSet::new();
    let mut definitions = Vec::new();
    for table in raw {
        let at = table.span().start;
        let keys = Keys::new(table.into_inner(), "check".to_owned(), at, inspection);
        definitions.extend(check(keys, &mut names, plugins));
    }
    definitions
}

/// Reads one check, whose name is to be none of `names`.
pub(super) fn check(mut keys: Keys<'_, '_>, names: &mut BTreeSet<String>, plugins: &Plugins) -> Option<Definition> {
    let expectation = format!("a name that no other check has, {NAME}");
    let name = keys
        .required("name", &expectation, |value| text(value).filter(|name| is_name(name) && names.insert(name.clone())));
    let definition = definition(name, &mut keys, plugins);
    keys.finish();
    definition
}

fn definition(name: Option<String>, keys: &mut Keys<'_, '_>, plugins: &Plugins) -> Option<Definition> {
    let interval = keys.duration("interval", &INTERVAL).unwrap_or(DEFAULT_INTERVAL);
    let timeout = keys.duration("timeout", &TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
    let attempts = keys.number("attempts", &ATTEMPTS).unwrap_or(DEFAULT_ATTEMPTS);
    let retry_interval = keys.duration("retry_interval", &INTERVAL).unwrap_or(DEFAULT_RETRY.min(interval));
    let word = keys.required("kind", KINDS, |value| {
        let known = ["tcp", "http", "certificate", "dns", "icmp", "unit", "process", "file_age", "plugin"];
        text(value).filter(|word| known.contains(&word.as_str()))
    });
    let Some(word) = word else {
        // Which keys it may have is not known: only what is common is looked at.
        keys.forget();
        return None;
    };
    let kind = kind(&word, keys, plugins);
    Some(Definition { name: name?, kind: kind?, interval, timeout, attempts, retry_interval })
}

fn kind(word: &str, keys: &mut Keys<'_, '_>, plugins: &Plugins) -> Option<Kind> {
    match word {
        "tcp" => keys.required("address", ADDRESS, address).map(Kind::Tcp),
        "http" => http(keys),
        "certificate" => certificate(keys),
        "dns" => dns_question(keys),
        "icmp" => {
            let address = keys.required("address", "a name or an address", text);
            let count = keys.number("count", &(1..=20)).unwrap_or(3);
            let latency = latency(keys);
            Some(Kind::Icmp(Icmp { address: address?, count, latency }))
        }
        "unit" => keys.required("unit", "a unit of systemd, for example \"nginx.service\"", unit).map(Kind::Unit),
        "process" => process(keys),
        "file_age" => {
            let path = keys.required("path", "an absolute path", |value| text(value).filter(|path| is_absolute(path)));
            let age =
                Limits { warning: keys.duration("warning_age", &AGE), critical: keys.duration("critical_age", &AGE) };
            Some(Kind::FileAge(FileAge { path: path?, age }))
        }
        _ => named_plugin(keys, plugins),
    }
}

fn address(value: &toml::Value) -> Option<String> {
    text(value).filter(|address| is_address(address))
}

fn unit(value: &toml::Value) -> Option<String> {
    text(value).filter(|unit| unit.contains('.') && !unit.contains('/'))
}

fn latency(keys: &mut Keys<'_, '_>) -> Limits {
    Limits {
        warning: keys.duration("warning_latency", &LATENCY),
        critical: keys.duration("critical_latency", &LATENCY),
    }
}

fn http(keys: &mut Keys<'_, '_>) -> Option<Kind> {
    let url = keys.required("url", "a URL that begins with http:// or https://", |value| Url::parse(&text(value)?));
    let method = keys.optional("method", "\"GET\" or \"HEAD\"", |value| match value.as_str()? {
        "GET" => Some(false),
        "HEAD" => Some(true),
        _ => None,
    });
    let status =
        keys.optional("status", "codes and ranges, as \"200-399\" or \"200,401\"", |value| codes(&text(value)?));
    let body_contains = keys.text("body_contains", "a text of one line");
    let redirects = keys.number("redirects", &(0..=20)).unwrap_or(DEFAULT_REDIRECTS);
    let latency = latency(keys);
    let ca = keys.optional("ca", "the absolute path of a PEM file", |value| {
        text(value).filter(|path| is_absolute(path)).map(PathBuf::from)
    });
    let head = method.unwrap_or(false);
    if head && let Some(text) = &body_contains {
        keys.wrong_here("body_contains", &format!("{text:?}"), "none, for an answer to HEAD has no body");
    }
    let status = status.unwrap_or_else(|| vec![(200, 399)]);
    Some(Kind::Http(Http { url: url?, head, status, body_contains, redirects, latency, ca }))
}

/// `200-399`, `200,401`.
fn codes(text: &str) -> Option<Vec<(u16, u16)>> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let range = |part: &str| match part.split_once('-') {
        Some((from, to)) => Some((code(from)?, code(to)?)).filter(|(from, to)| from <= to),
        None => code(part).map(|code| (code, code)),
    };
    text.split(',').map(range).collect()
}

fn certificate(keys: &mut Keys<'_, '_>) -> Option<Kind> {
    let address = keys.required("address", ADDRESS, address);
    let server_name = keys.optional("server_name", "a name or an address", |value| {
        text(value).filter(|name| rustls::pki_types::ServerName::try_from(name.as_str()).is_ok())
    });
    let warning_days = keys.number("warning_days", &DAYS).unwrap_or(30);
    let critical_days = keys.number("critical_days", &DAYS).unwrap_or(7);
    let address = address?;
    let host = address.rsplit_once(':').map_or("", |(host, _)| host);
    let server_name = server_name.unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
    Some(Kind::Certificate(Certificate { address, server_name, warning_days, critical_days }))
}

fn dns_question(keys: &mut Keys<'_, '_>) -> Option<Kind> {
    let query = keys.required("query", "a name of at most 253 letters, digits, dots, - and _", |value| {
        text(value).filter(|name| query::is_name(name))
    });
    let record = keys.optional("type", Record::EXPECTED, |value| Record::of(value.as_str()?));
    let server =
        keys.optional("server", "an address, with a port if it is not 53", |value| query::server(value.as_str()?));
    let expect = keys.optional("expect", "a list of texts", texts).unwrap_or_default();
    Some(Kind::Dns(Dns { query: query?, record: record.unwrap_or(Record::A), server, expect }))
}

fn process(keys: &mut Keys<'_, '_>) -> Option<Kind> {
    let name = keys.text("process", "the name of a program, for example \"sshd\"");
    let cmdline = keys.text("cmdline", "a part of a command line");
    let min = keys.number("min", &(0..=100_000)).unwrap_or(1);
    let max = keys.number("max", &(0..=100_000));
    if name.is_none() && cmdline.is_none() {
        keys.missing("process", "it or check.cmdline: which processes are meant");
        return None;
    }
    if let Some(max) = max.filter(|max| *max < min) {
        keys.wrong_here("max", &max.to_string(), &format!("at least min, which is {min}"));
        return None;
    }
    Some(Kind::Process(Process { name, cmdline, min, max }))
}

fn named_plugin(keys: &mut Keys<'_, '_>, plugins: &Plugins) -> Option<Kind> {
    let known = if plugins.is_empty() {
        "none is".to_owned()
    } else {
        let names: Vec<String> = plugins.keys().map(|name| format!("{name:?}")).collect();
        format!("{} are", names.join(", "))
    };
    let expectation =
        format!("a plugin that this host defines in [plugins.NAME] or plugins.d/NAME.toml: {known} defined");
    let plugin = keys.required("plugin", &expectation, |value| plugins.get(value.as_str()?).cloned());
    let arguments = keys.optional("arguments", "a list of texts", texts).unwrap_or_default();
    let mut plugin = plugin?;
    plugin.command.extend(arguments);
    Some(Kind::Plugin(plugin))
}

/// The directory beside a configuration file in which each plugin may have a file of its own.
#[must_use]
pub fn plugins_beside(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).join("plugins.d")
}

#[cfg(test)]
mod tests;

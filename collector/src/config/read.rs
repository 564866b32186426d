//! The tables of `collector.toml` except the receivers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigErrors, Grpc, Http, Paging, agreements, backup, devices, heartbeats, host_rules, incidents,
    inventory, oncall, receivers, redundancy, reports, retention, rules, runbooks,
    section::{Section, Source},
    services, settings, watchdogs,
};
use crate::{
    domain::{device::declared::Fleet, hold::own, oncall::Messenger, rules::Unit},
    notify::receiver::ReceiverConfig,
};

/// Most names or addresses in a list.
const NAMES: usize = 64;
/// Longest label value, site or pattern, in bytes.
const TEXT_BYTES: usize = 256;

/// Reads the whole document.
pub(super) fn document(
    text: &str,
    file: &Path,
    fleet: impl FnOnce(&Path) -> Option<Fleet>,
) -> Result<Config, ConfigErrors> {
    let source = Source::new(file.to_owned(), text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        source.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let table = table.into_inner();
    let mut named = Vec::new();
    named_files(&table, &mut named);
    let config = top(Section::new(&source, String::new(), 0, table), fleet);
    source.finish().map(|warnings| Config { file: file.to_owned(), named, warnings, ..config })
}

/// What every key names that ends with `_file`, in every table.
fn named_files(table: &DeTable<'_>, named: &mut Vec<PathBuf>) {
    let mut values: Vec<&DeValue<'_>> = Vec::new();
    for (key, value) in table {
        match value.get_ref() {
            DeValue::String(path) if key.get_ref().ends_with("_file") => named.push(PathBuf::from(path.as_ref())),
            value => values.push(value),
        }
    }
    while let Some(value) = values.pop() {
        match value {
            DeValue::Table(table) => named_files(table, named),
            DeValue::Array(items) => values.extend(items.iter().map(|item| item.get_ref())),
            _ => {}
        }
    }
    named.sort();
    named.dedup();
}

fn top(mut all: Section<'_, '_>, fleet: impl FnOnce(&Path) -> Option<Fleet>) -> Config {
    let state = all.text("state", "the path of a directory", path);
    let state = state.unwrap_or_else(|| PathBuf::from("/var/lib/muster/collector"));
    // Asked only where there is something to compare.
    let fleet = if ["device", "redundancy", "service"].iter().any(|key| all.has(key)) { fleet(&state) } else { None };
    let (grpc, http) = (grpc(all.table("grpc")), http(all.table("http")));
    let receivers = receivers::read(all.tables("receiver", receivers::RECEIVERS));
    let paging = paging(all.table("paging"));
    let tables = oncall::Tables {
        people: all.tables("person", oncall::MOST),
        rotations: all.tables("rotation", oncall::MOST),
        policies: all.tables("policy", oncall::MOST),
        routes: all.tables("route", oncall::MOST),
    };
    let mut roster = oncall::read(&receivers, messengers(&receivers, paging), tables);
    incidents::read(all.table("incidents"), &mut roster);
    let devices = devices::read(all.tables("device", devices::MOST), fleet.as_ref());
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    roster.groups = redundancy::read(all.tables("redundancy", redundancy::MOST), fleet.as_ref(), &names);
    if paging == Paging::Alertmanager {
        roster.routes.clear();
        roster.people.values_mut().for_each(|person| person.notices = None);
    }
    roster.runbooks = runbooks::read(all.tables("runbook", runbooks::MOST));
    let services = services::read(all.tables("service", services::MOST), fleet.as_ref(), &names);
    let agreements = agreements::read_all(all.tables("agreement", agreements::MOST), &services);
    let reports = reports::read(all.tables("report", reports::MOST), &agreements, &receivers);
    let has_backup = all.has("backup");
    let config = Config {
        file: PathBuf::new(),
        named: Vec::new(),
        backup: backup::read(all.table("backup"), has_backup, &state),
        state,
        grpc,
        http,
        receivers,
        paging,
        roster,
        agreements,
        reports,
        heartbeats: heartbeats::read(all.tables("heartbeat", heartbeats::MOST)),
        watchdogs: watchdogs::read(all.tables("watchdog", watchdogs::MOST)),
        host_rules: host_rules::read(all.tables("host_rule", host_rules::MOST)),
        devices,
        rules: rules::read(all.table("rules"), all.table("overrides")),
        settings: settings::read(all.tables("settings", settings::SCOPES)),
        retention: retention::read(all.table("retention")),
        trends_quota: trends_quota(all.table("trends")),
        own_maintenance_ms: own_maintenance(all.table("agents")),
        os_table: inventory::read(all.table("inventory")),
        log_level: log_level(all.table("log")),
        warnings: Vec::new(),
    };
    all.finish();
    config
}

/// Messengers that pages go to; mirrors follow the snapshot instead. Where Alertmanager pages, messengers are only tested.
fn messengers(receivers: &[ReceiverConfig], paging: Paging) -> Vec<Messenger> {
    let messengers = receivers.iter().filter(|receiver| receiver.is_messenger());
    let least = |receiver: &ReceiverConfig| (paging == Paging::Muster).then_some(receiver.severity);
    messengers.map(|receiver| Messenger { receiver: receiver.name.clone(), least: least(receiver) }).collect()
}

fn grpc(mut section: Section<'_, '_>) -> Grpc {
    let listen = section.text("listen", LISTEN, listen).unwrap_or(SocketAddr::from(([0, 0, 0, 0], 7460)));
    let addresses = section.texts("addresses", HOST_PORT, NAMES, host_port);
    let addresses = addresses.filter(|given| !given.is_empty());
    section.finish();
    Grpc { listen, addresses: addresses.unwrap_or_else(|| vec![format!("{}:{}", machine_name(), listen.port())]) }
}

fn http(mut section: Section<'_, '_>) -> Http {
    let listen = section.text("listen", LISTEN, listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7461)));
    let names = section.texts("names", HOST_NAME, NAMES, host_name).unwrap_or_default();
    let require_authentication = section.switch("require_authentication").unwrap_or(false);
    if section.has("certificate_file") != section.has("key_file") {
        section.wrong("certificate_file", "certificate_file and key_file together, or neither");
    }
    let certificate = section.text("certificate_file", "the path of a PEM file", pem);
    let key = section.text("key_file", "the path of a PEM file", pem);
    let url = section.text("url", URL, views_url).unwrap_or_else(|| default_url(listen, &names));
    section.finish();
    Http { listen, names, require_authentication, certificate: certificate.zip(key), url }
}

fn paging(mut section: Section<'_, '_>) -> Paging {
    const BY: &str = "one of muster, alertmanager";
    let by = section.text("by", BY, |word| match word {
        "muster" => Ok(Paging::Muster),
        "alertmanager" => Ok(Paging::Alertmanager),
        _ => Err(BY.into()),
    });
    section.finish();
    by.unwrap_or_default()
}

/// Less than the least is no history at all, and more than the most is a slip.
fn trends_quota(mut section: Section<'_, '_>) -> u64 {
    const QUOTA: &str = "an amount such as \"2 GiB\", from 64 MiB to 1024 TiB";
    let read = |text: &str| {
        let bytes = Unit::Bytes.read(text).filter(|bytes| (67_108_864.0..=1_125_899_906_842_624.0).contains(bytes));
        bytes.ok_or_else(|| QUOTA.to_owned())
    };
    let quota = section.amount("quota", QUOTA, read);
    section.finish();
    quota.map_or(2 << 30, |bytes| bytes as u64)
}

/// What a machine may do by itself; a day is the whole of what is counted over.
fn own_maintenance(mut section: Section<'_, '_>) -> i64 {
    const TIME: &str = "a time such as \"4 h\", from 1 min to 24 h, or \"off\"";
    let read = |text: &str| match text {
        "off" => Ok(0),
        text => {
            let ms = Unit::Time.read(text).map(|seconds| seconds * 1_000.0);
            #[expect(clippy::cast_possible_truncation, reason = "at most the milliseconds of a day")]
            let whole = ms.filter(|ms| (60_000.0..=86_400_000.0).contains(ms)).map(|ms| ms as i64);
            whole.ok_or_else(|| TIME.to_owned())
        }
    };
    let given = section.text("own_maintenance", TIME, read);
    section.finish();
    given.unwrap_or(own::USUAL_MS)
}

fn log_level(mut section: Section<'_, '_>) -> String {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let expected = "one of error, warn, info, debug, trace";
    let level = section.text("level", expected, |word| {
        LEVELS.iter().find(|level| **level == word).map(|level| (*level).to_owned()).ok_or_else(|| expected.into())
    });
    section.finish();
    level.unwrap_or_else(|| "info".into())
}

const LISTEN: &str = "ADDRESS:PORT such as 0.0.0.0:7460 or [::]:7460";
const HOST_PORT: &str = "HOST:PORT such as collector.example.org:7460";
const HOST_NAME: &str = "a host name without port, such as muster.example.org";
const URL: &str = "the address of the views, such as https://muster.example.org:7461";
pub(super) const CLASS: &str = "one of server, workstation, device";
pub(super) const WATCH: &str = "one of fast, normal, relaxed, none";
const LABEL: &str = "label names of a-z, 0-9 and _ that begin with a letter, and values of at most 256 bytes";

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| LISTEN.into())
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') { Err("the path of a directory".into()) } else { Ok(text.into()) }
}

fn pem(text: &str) -> Result<PathBuf, String> {
    match std::fs::File::open(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(format!("a PEM file that the collector can read: {error}")),
    }
}

fn host_name(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.len() <= 253;
    let good = good && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let address = text.parse::<std::net::IpAddr>().is_ok();
    if good || address { Ok(text.to_lowercase()) } else { Err(HOST_NAME.into()) }
}

pub(super) fn host_port(text: &str) -> Result<String, String> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let (host, port) = text.rsplit_once(':').ok_or(HOST_PORT)?;
    host_name(host).map_err(|_| HOST_PORT)?;
    port.parse::<u16>().map_err(|_| HOST_PORT)?;
    if host.contains(':') { Err(HOST_PORT.into()) } else { Ok(text.to_owned()) }
}

fn views_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|_| URL)?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !plain {
        return Err(URL.into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub(super) fn short_text(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
        return Err("a text of 1 to 256 bytes without control characters".into());
    }
    Ok(text.to_owned())
}

/// The rule for label names and values; also that of Prometheus, so that every label can be exposed.
pub(super) fn label(name: &str, value: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.len() <= 64
        && value.len() <= TEXT_BYTES
        && !value.chars().any(char::is_control);
    if good { Ok(()) } else { Err(LABEL.into()) }
}

fn default_url(listen: SocketAddr, names: &[String]) -> String {
    if listen.ip().is_loopback() {
        return format!("http://{listen}");
    }
    if let Some(name) = names.first() {
        return format!("https://{name}:{}", listen.port());
    }
    if listen.ip().is_unspecified() {
        return format!("https://{}:{}", machine_name(), listen.port());
    }
    format!("https://{listen}")
}

/// This machine's host name, or `localhost` where it has none that could be dialled.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    host_name(&name).unwrap_or_else(|_| "localhost".into())
}

//! Definitions of service checks as they are sent to agents: the keys of `agent.toml`, as far as they may be sent.
//!
//! The agent has the last word: it refuses what its machine does not allow. What no agent would take is told here, where
//! it was written.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use super::{read::host_port, rules::toml_text, section::Section};
use crate::domain::{device, settings::Check};

/// Checks of one scope; an agent runs at most as many in all.
pub(super) const CHECKS: usize = 256;

const NAME: &str = "a name that no other check here has, of at most 64 letters, digits, spaces and . _ -";
const KINDS: &str = "one of tcp, http, certificate, dns, icmp, unit, plugin";
const SECOND_MS: u64 = 1_000;
const DAY_MS: u64 = 86_400_000;

/// What a key's value may be.
#[derive(Clone, Copy)]
enum Value {
    /// `host:port`
    Address,
    Url,
    /// A text of one line.
    Text,
    Texts,
    Words(&'static [&'static str]),
    Whole(u32, u32),
    /// A time between these, in milliseconds.
    Time(u64, u64),
    Codes,
    Unit,
    DomainName,
    Server,
}

/// A key, whether it must be there, and what it may be.
type Key = (&'static str, bool, Value);

const COMMON: [Key; 4] = [
    ("interval", false, Value::Time(SECOND_MS, DAY_MS)),
    ("timeout", false, Value::Time(SECOND_MS, 300_000)),
    ("attempts", false, Value::Whole(1, 100)),
    ("retry_interval", false, Value::Time(SECOND_MS, DAY_MS)),
];
const LATENCY: [Key; 2] =
    [("warning_latency", false, Value::Time(1, 300_000)), ("critical_latency", false, Value::Time(1, 300_000))];

fn keys_of(kind: &str) -> Option<&'static [Key]> {
    const TCP: &[Key] = &[("address", true, Value::Address)];
    const HTTP: &[Key] = &[
        ("url", true, Value::Url),
        ("method", false, Value::Words(&["GET", "HEAD"])),
        ("status", false, Value::Codes),
        ("body_contains", false, Value::Text),
        ("redirects", false, Value::Whole(0, 20)),
        LATENCY[0],
        LATENCY[1],
    ];
    const CERTIFICATE: &[Key] = &[
        ("address", true, Value::Address),
        ("server_name", false, Value::Text),
        ("warning_days", false, Value::Whole(0, 3650)),
        ("critical_days", false, Value::Whole(0, 3650)),
    ];
    const DNS: &[Key] = &[
        ("query", true, Value::DomainName),
        ("type", false, Value::Words(&["A", "AAAA", "CNAME", "MX", "NS", "PTR", "TXT"])),
        ("server", false, Value::Server),
        ("expect", false, Value::Texts),
    ];
    const ICMP: &[Key] =
        &[("address", true, Value::Text), ("count", false, Value::Whole(1, 20)), LATENCY[0], LATENCY[1]];
    const UNIT: &[Key] = &[("unit", true, Value::Unit)];
    const PLUGIN: &[Key] = &[("plugin", true, Value::Text)];
    Some(match kind {
        "tcp" => TCP,
        "http" => HTTP,
        "certificate" => CERTIFICATE,
        "dns" => DNS,
        "icmp" => ICMP,
        "unit" => UNIT,
        "plugin" => PLUGIN,
        _ => return None,
    })
}

/// Reads `[[check]]` tables, whose names are to differ.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<Check> {
    let mut names = BTreeSet::new();
    sections.into_iter().filter_map(|section| check(section, &mut names)).collect()
}

fn check(mut section: Section<'_, '_>, names: &mut BTreeSet<String>) -> Option<Check> {
    let name = section.required("name", NAME, |name| match is_name(name) {
        true if !names.insert(name.to_owned()) => Err("a name that no other check here has".into()),
        true if name.starts_with(device::PREFIX) => {
            Err(format!("another name: those that begin with {:?} are the checks of devices", device::PREFIX))
        }
        true => Ok(name.to_owned()),
        false => Err(NAME.to_owned()),
    });
    if section.switch("enabled") == Some(false) {
        section.finish();
        return Some(Check { name: name?, lines: None });
    }
    let lines = definition(&mut section);
    section.finish();
    let name = name?;
    let lines = format!("name = {}\n{}", toml_text(&name), lines?);
    Some(Check { name, lines: Some(lines) })
}

/// Kind and keys of one check, as lines of TOML; everything wrong is noted.
pub(super) fn definition(section: &mut Section<'_, '_>) -> Option<String> {
    let kind = section.required("kind", KINDS, |kind| match kind {
        "process" | "file_age" => {
            Err(format!("{KINDS}: {kind} looks into the machine, which only its own agent.toml may ask for"))
        }
        _ => keys_of(kind).map(|_| kind.to_owned()).ok_or_else(|| KINDS.to_owned()),
    });
    let Some(kind) = kind else {
        // Which keys it may have is not known: only what is common is looked at.
        COMMON.iter().for_each(|key| drop(line(section, key)));
        section.forget();
        return None;
    };
    for own in ["ca", "arguments"] {
        section.refuse(own, "no such key here: it is taken from the machine's own agent.toml only");
    }
    let mut lines = format!("kind = \"{kind}\"\n");
    let mut complete = true;
    for key in keys_of(&kind).into_iter().flatten().chain(&COMMON) {
        let given = section.has(key.0);
        match line(section, key) {
            Some(line) => lines.push_str(&line),
            None => complete &= !given && !key.1,
        }
    }
    complete.then_some(lines)
}

/// One key's line, if it is there and right.
fn line(section: &mut Section<'_, '_>, (key, required, value): &Key) -> Option<String> {
    let value = match value {
        Value::Whole(least, most) => {
            let number = section.number(key, f64::from(*least)..=f64::from(*most))?;
            if number.fract() != 0.0 {
                section.wrong(key, "a whole number");
                return None;
            }
            number.to_string()
        }
        Value::Texts => {
            let texts = section.texts(key, "a text of one line", 64, |text| one_line(text).map(toml_text))?;
            format!("[{}]", texts.join(", "))
        }
        value => {
            let expected = expected(*value);
            let read = |text: &str| match fits(*value, text) {
                true => Ok(toml_text(text)),
                false => Err(expected.clone()),
            };
            if *required { section.required(key, &expected, read)? } else { section.text(key, &expected, read)? }
        }
    };
    Some(format!("{key} = {value}\n"))
}

fn expected(value: Value) -> String {
    match value {
        Value::Address => "\"host:port\", for example \"127.0.0.1:5432\"".into(),
        Value::Url => "a URL that begins with http:// or https://".into(),
        Value::Words(words) => format!("one of {}", words.join(", ")),
        Value::Time(least, most) => {
            format!("a time from {} to {}, as \"15s\", \"5m\" or \"2h\"", spell(least), spell(most))
        }
        Value::Codes => "codes and ranges, as \"200-399\" or \"200,401\"".into(),
        Value::Unit => "a unit of systemd, for example \"nginx.service\"".into(),
        Value::DomainName => "a name of at most 253 letters, digits, dots, - and _".into(),
        Value::Server => "an address, with a port if it is not 53".into(),
        Value::Text | Value::Texts | Value::Whole(..) => "a text of one line".into(),
    }
}

fn fits(value: Value, text: &str) -> bool {
    if one_line(text).is_err() {
        return false;
    }
    match value {
        Value::Address => host_port(text).is_ok() && !text.ends_with(":0"),
        Value::Url => is_url(text),
        Value::Words(words) => words.contains(&text),
        Value::Time(least, most) => duration_ms(text).is_some_and(|ms| (least..=most).contains(&ms)),
        Value::Codes => text.split(',').all(is_codes),
        Value::Unit => text.contains('.') && !text.contains('/'),
        Value::DomainName => is_domain_name(text),
        Value::Server => text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok(),
        Value::Text | Value::Texts | Value::Whole(..) => true,
    }
}

fn one_line(text: &str) -> Result<&str, String> {
    let good = !text.is_empty() && text.len() <= 1024 && !text.contains(char::is_control);
    if good { Ok(text) } else { Err("a text of one line, of at most 1024 bytes".into()) }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || " ._-".contains(c);
    !name.is_empty() && name.len() <= 64 && name.trim() == name && name.chars().all(fits)
}

fn is_url(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.username().is_empty()
}

fn is_codes(part: &str) -> bool {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match part.split_once('-') {
        Some((from, to)) => code(from).zip(code(to)).is_some_and(|(from, to)| from <= to),
        None => code(part).is_some(),
    }
}

fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// `15s`, `500ms`, `5m`, `1h`, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

fn spell(ms: u64) -> String {
    match () {
        () if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        () if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        () if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        () => format!("{ms}ms"),
    }
}

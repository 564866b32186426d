//! Alerts from elsewhere: what Prometheus, Alertmanager or Grafana say is wrong, with the key that tells one from another.
//!
//! An alert is its label set, as for Alertmanager. What it says goes into views, mails and headers, so all of it becomes
//! bounded words of one line. It decides nothing about incidents: that is the desk's.

mod words;

use std::collections::BTreeMap;

use self::words::words;
use super::{record::AlertRow, severity::Severity, time::Timestamp};

/// An alert that does not say when it ends is over after this unless it is said again, as for Alertmanager
/// (`resolve_timeout`).
pub const RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;
/// What was forwarded says when it is over; until then it is repeated at the forwarder's leisure (`repeat_interval`, 4 h
/// unless configured). Alertmanager itself forgets after 120 h (`--data.retention`) that it told us.
pub const FORWARDED_LIVES_MS: i64 = 120 * 3_600_000;

/// Most labels, and most annotations, of one alert.
pub const LABELS: usize = 128;
/// Longest name of a label, in bytes.
pub const NAME_BYTES: usize = 256;
/// Longest value of a label, in bytes. Annotations are cut instead: they identify nothing.
pub const VALUE_BYTES: usize = 4_096;

/// The annotation with which our own mirror marks what it says: the incident's id.
pub const OWN_ANNOTATION: &str = "muster_incident";

const SUMMARY_CHARS: usize = 200;
const LABEL_CHARS: usize = 120;
const LABELS_SHOWN: usize = 24;
const DESCRIPTION_CHARS: usize = 600;
const LINK_BYTES: usize = 2_048;

/// Who speaks. A part of the key, as each of them ends what it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A Prometheus, or what else posts to an Alertmanager.
    Prometheus,
    /// An Alertmanager that forwards.
    Alertmanager,
    /// Grafana's unified alerting.
    Grafana,
}

impl Source {
    /// The source's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
        }
    }
}

/// An alert as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// What it is.
    pub labels: BTreeMap<String, String>,
    /// What it tells.
    pub annotations: BTreeMap<String, String>,
    /// Since when, if that was said.
    pub starts: Option<Timestamp>,
    /// Until when, if that was said.
    pub ends: Option<Timestamp>,
    /// Where it comes from.
    pub url: String,
}

/// An alert that can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Who says it.
    pub source: Source,
    /// What it is: never empty.
    pub labels: BTreeMap<String, String>,
    /// What it tells.
    pub annotations: BTreeMap<String, String>,
    /// Since when.
    pub starts: Timestamp,
    /// Until when; in the past: it is over.
    pub until: Timestamp,
    /// Where it comes from.
    pub url: String,
}

/// Why an alert is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing tells it from another.
    #[error("it has no labels: at least one with a value is needed")]
    NoLabels,
    /// A name that no label has.
    #[error("{0:?} is no name of a label: letters, digits, _ and . are, and no digit first")]
    Name(String),
    /// It ends before it begins.
    #[error("endsAt {ends} is before startsAt {starts}")]
    Ends {
        /// Its beginning.
        starts: Timestamp,
        /// Its end.
        ends: Timestamp,
    },
    /// More labels than anybody reads.
    #[error("it has {0} labels or annotations, at most {LABELS} are taken")]
    Labels(usize),
    /// A long label.
    #[error("label {0:?} is too long: names have at most {NAME_BYTES} bytes, values {VALUE_BYTES}")]
    Long(String),
}

/// What became of alerts, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// It fires.
    pub firing: usize,
    /// It is over.
    pub resolved: usize,
    /// It is our own incident that came back.
    pub own: usize,
    /// Too many are open already.
    pub full: usize,
}

impl Alert {
    /// As Alertmanager takes what is posted to it: without a beginning it begins now, without an end it ends when it is
    /// not said again.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be taken.
    pub fn posted(said: Said, now: Timestamp) -> Result<Self, Fault> {
        if let Some(name) = said.labels.keys().chain(said.annotations.keys()).find(|name| !is_name(name)) {
            return Err(Fault::Name(words(name, LABEL_CHARS)));
        }
        let starts = said.starts.or(said.ends).unwrap_or(now);
        let until = said.ends.unwrap_or_else(|| now.plus_ms(RESOLVE_TIMEOUT_MS));
        if until < starts {
            return Err(Fault::Ends { starts, ends: until });
        }
        Self::checked(Source::Prometheus, said, starts, until)
    }

    /// As a webhook forwards it: it says itself whether it is over.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be taken.
    pub fn forwarded(source: Source, said: Said, is_over: bool, now: Timestamp) -> Result<Self, Fault> {
        let starts = said.starts.unwrap_or(now);
        let until = if is_over { said.ends.unwrap_or(now).min(now) } else { now.plus_ms(FORWARDED_LIVES_MS) };
        Self::checked(source, said, starts, until)
    }

    fn checked(source: Source, said: Said, starts: Timestamp, until: Timestamp) -> Result<Self, Fault> {
        let Said { mut labels, annotations, url, .. } = said;
        // An empty label is none (Prometheus' data model).
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() {
            return Err(Fault::NoLabels);
        }
        if labels.len().max(annotations.len()) > LABELS {
            return Err(Fault::Labels(labels.len().max(annotations.len())));
        }
        let long = |(name, value): &(&String, &String)| name.len() > NAME_BYTES || value.len() > VALUE_BYTES;
        if let Some((name, _)) = labels.iter().find(long) {
            return Err(Fault::Long(words(name, LABEL_CHARS)));
        }
        Ok(Self { source, labels, annotations, starts, until, url })
    }

    /// Its name in words; `alert` where it has none.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.labels.get("alertname").map(|name| words(name, 60)).unwrap_or_default();
        if name.is_empty() { "alert".into() } else { name }
    }

    /// `alert/<source>/<name>:<fingerprint>`
    #[must_use]
    pub fn key(&self) -> String {
        format!("alert/{}/{}:{:016x}", self.source.word(), self.name(), fingerprint(&self.labels))
    }

    /// How bad its label `severity` (or `priority`) says it is. Words that nobody knows are warnings: they are seen and
    /// wake nobody.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let word = self.labels.get("severity").or_else(|| self.labels.get("priority"));
        match word.map(|word| word.trim().to_ascii_lowercase()).as_deref() {
            Some("critical" | "crit" | "page" | "emergency" | "emerg" | "fatal" | "disaster" | "p1") => {
                Severity::Critical
            }
            Some("info" | "informational" | "information" | "none" | "notice" | "debug" | "ok" | "p5") => {
                Severity::Info
            }
            _ => Severity::Warning,
        }
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let told = ["summary", "title", "message", "description"].into_iter();
        let told = told.filter_map(|name| self.annotations.get(name));
        let told = told.map(|text| words(text, SUMMARY_CHARS)).find(|text| !text.is_empty());
        told.unwrap_or_else(|| match self.labels.get("instance") {
            Some(instance) => format!("{} on {}", self.name(), words(instance, LABEL_CHARS)),
            None => self.name(),
        })
    }

    /// What shows it: what it tells besides, then its labels.
    #[must_use]
    pub fn evidence(&self) -> String {
        let summary = self.summary();
        let told = self.annotations.get("description").or_else(|| self.annotations.get("message"));
        let told = told.map(|text| words(text, DESCRIPTION_CHARS)).filter(|text| !text.is_empty() && *text != summary);
        let mut labels: Vec<String> =
            self.shown_labels().map(|(name, value)| format!("{name}={value}")).take(LABELS_SHOWN).collect();
        if self.labels.len() > LABELS_SHOWN {
            labels.push(format!("and {} more", self.labels.len() - LABELS_SHOWN));
        }
        let said = format!("{} says: {}", self.source.word(), labels.join(", "));
        told.map_or_else(|| said.clone(), |told| format!("{told}; {said}"))
    }

    /// What is kept of it.
    #[must_use]
    pub fn row(&self) -> AlertRow {
        let annotation = |name: &str| self.annotations.get(name).map(String::as_str);
        let links = [
            ("source", Some(self.url.as_str())),
            ("runbook", annotation("runbook_url").or_else(|| annotation("runbook"))),
            ("dashboard", annotation("dashboard_url").or_else(|| annotation("dashboard"))),
        ];
        let links = links.into_iter().filter_map(|(name, url)| Some((name.to_owned(), link(url?)?)));
        let labels = self.shown_labels().take(LABELS_SHOWN).collect();
        AlertRow { until: self.until, name: self.name(), labels, links: links.collect() }
    }

    /// Names under which the host that it is about may be known, the best first.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        let label = |name: &str| self.labels.get(name).map(String::as_str);
        let instance = label("instance");
        [label("host"), instance, instance.map(without_port), label("hostname"), label("node"), label("nodename")]
            .into_iter()
            .flatten()
    }

    /// The incident of ours that it tells of, if our own mirror said it.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        self.annotations.get(OWN_ANNOTATION).map(String::as_str)
    }

    fn shown_labels(&self) -> impl Iterator<Item = (String, String)> {
        self.labels.iter().map(|(name, value)| (words(name, LABEL_CHARS), words(value, LABEL_CHARS)))
    }
}

/// `web-1:9100` is `web-1`, `[fe80::1]:9100` is `fe80::1`.
fn without_port(instance: &str) -> &str {
    if let Some(rest) = instance.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match instance.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => instance,
    }
}

/// What may become a link: http and https only, in printable ASCII.
#[must_use]
pub fn link(url: &str) -> Option<String> {
    let scheme = url.get(..8).or(Some(url))?.to_ascii_lowercase();
    let fits = scheme.starts_with("http://") || scheme.starts_with("https://");
    let plain = url.len() <= LINK_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (fits && plain).then(|| url.to_owned())
}

/// As Prometheus names labels, and with dots, as OpenTelemetry does.
fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
}

/// Alertmanager's own: FNV-1a over names and values in the order of names, each ended by 0xff
/// (prometheus/common, model/signature.go).
fn fingerprint(labels: &BTreeMap<String, String>) -> u64 {
    let texts = labels.iter().flat_map(|(name, value)| [name.as_bytes(), &[0xff], value.as_bytes(), &[0xff]]);
    texts
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;

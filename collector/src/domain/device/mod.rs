//! Something without an agent: what is known of it, how it is asked whether it is there, and what its watchers say.
//!
//! A device is a host whose liveness comes from checks that one or two agents run, its watchers. It is up when any of
//! them that is heard says so, down when all that can be heard say hard that it does not answer, and unknown when none
//! can be heard or can tell: never down for want of watchers.

pub mod declared;
pub mod kin;
pub mod obstacle;
pub mod plan;
pub mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    host::{
        Cause,
        checks::{Outcome, Status},
    },
    ids::{HostId, HostNo},
    settings::{Check, Part, Scope},
    time::Timestamp,
    watch::Watch,
};

/// Checks with names that begin so are those of devices.
pub const PREFIX: &str = "device.";
/// From a run to its outcome here: the agent's report and the way.
const TELLING_MS: i64 = 2_000;

/// A device as stored, besides its profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which host it is.
    pub host: HostNo,
    /// A name or an address; an address needs no name server.
    pub address: String,
    /// How it is asked.
    pub probe: Probe,
    /// Agents that are to ask it; without any, some of its site are chosen.
    pub watchers: Vec<HostId>,
    /// Where it stands in the configuration, such as `collector.toml:12`; people may not change it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// How a device is asked whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An echo request.
    Icmp,
    /// A port that takes connections.
    Tcp(u16),
    /// A URL that answers.
    Http(String),
}

impl Probe {
    /// What it is called: `icmp`, `tcp:22`, `https://printer/`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Icmp => "icmp".into(),
            Self::Tcp(port) => format!("tcp:{port}"),
            Self::Http(url) => url.clone(),
        }
    }

    /// The probe with this name, if it is one.
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        if words == "icmp" {
            return Some(Self::Icmp);
        }
        if let Some(port) = words.strip_prefix("tcp:") {
            return port.parse().ok().filter(|port| *port > 0).map(Self::Tcp);
        }
        let rest = words.strip_prefix("http://").or_else(|| words.strip_prefix("https://"))?;
        let good = !rest.is_empty() && !rest.contains('@') && words.len() <= 1_024 && is_word(words);
        good.then(|| Self::Http(words.to_owned()))
    }
}

/// Whether a text is one word of printable characters.
#[must_use]
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_control() && !c.is_whitespace())
}

/// Longest name of a host.
const NAME_CHARS: usize = 128;

/// Whether a device may be called so: as an agent's machine is called, so that it can be shown anywhere.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_safe = text.len() <= NAME_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_safe && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether a device may have this address: an address, or a name that could be one's.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let is_name = text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    text.parse::<std::net::IpAddr>().is_ok() || (is_name && text.bytes().any(|byte| byte.is_ascii_alphanumeric()))
}

/// How often a watcher asks, and when that counts.
struct Pace {
    interval_ms: i64,
    timeout_ms: i64,
    attempts: u32,
    retry_ms: i64,
}

const fn pace(watch: Watch) -> Pace {
    match watch {
        Watch::Fast => Pace { interval_ms: 2_000, timeout_ms: 1_000, attempts: 2, retry_ms: 1_000 },
        Watch::Normal => Pace { interval_ms: 10_000, timeout_ms: 3_000, attempts: 2, retry_ms: 3_000 },
        Watch::Relaxed | Watch::None => Pace { interval_ms: 60_000, timeout_ms: 10_000, attempts: 3, retry_ms: 15_000 },
    }
}

/// How long after its death a device watched at this level is known to be down, if a watcher is heard.
#[must_use]
pub const fn detect_ms(watch: Watch) -> i64 {
    let pace = pace(watch);
    let attempts = pace.attempts as i64;
    pace.interval_ms + attempts * pace.timeout_ms + (attempts - 1) * pace.retry_ms + TELLING_MS
}

impl Device {
    /// The name of its check.
    #[must_use]
    pub fn check_name(&self) -> String {
        format!("{PREFIX}{}", self.host)
    }

    /// What a watcher is told of it: its check.
    #[must_use]
    pub fn part(&self, name: &str, watch: Watch) -> Part {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let bracketed = if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        let kind = match &self.probe {
            Probe::Icmp => format!("kind = \"icmp\"\naddress = {}\ncount = 2\n", text(&self.address)),
            Probe::Tcp(port) => format!("kind = \"tcp\"\naddress = {}\n", text(&format!("{bracketed}:{port}"))),
            Probe::Http(url) => format!("kind = \"http\"\nurl = {}\n", text(url)),
        };
        let Pace { interval_ms, timeout_ms, attempts, retry_ms } = pace(watch);
        let lines = format!(
            "name = {}\n{kind}interval = \"{interval_ms}ms\"\ntimeout = \"{timeout_ms}ms\"\nattempts = {attempts}\n\
             retry_interval = \"{retry_ms}ms\"\n",
            text(&self.check_name()),
        );
        let check = Check { name: self.check_name(), lines: Some(lines) };
        Part {
            scope: Scope::All,
            origin: format!("device {name}, which it watches"),
            report_ms: None,
            checks: vec![check],
        }
    }
}

/// The device that a check of this name is about.
#[must_use]
pub fn of_check(name: &str) -> Option<HostNo> {
    name.strip_prefix(PREFIX)?.parse().ok().map(HostNo)
}

/// What one watcher said of a device last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How its check turned out.
    pub status: Status,
    /// How often in a row it was not ok, and how often is often enough.
    pub attempt: (u32, u32),
    /// Since when it has not answered, or answers.
    pub since: Timestamp,
    /// What the check said.
    pub output: String,
    /// When.
    pub at: Timestamp,
    /// Whether the device is there, as far as that counts yet; `None` where it cannot tell.
    pub there: Option<bool>,
}

impl Said {
    /// What an outcome makes of what was said before.
    #[must_use]
    pub fn after(before: Option<&Self>, outcome: Outcome, status: Status) -> Self {
        let answers = matches!(status, Status::Ok | Status::Warning);
        let hard = answers || outcome.attempt >= outcome.attempts;
        let known = before.and_then(|before| before.there);
        let there = match status {
            Status::Ok | Status::Warning => Some(true),
            Status::Critical if hard => Some(false),
            // What is soft changes nothing yet; an agent that was restarted counts anew.
            Status::Critical => known,
            Status::Unknown if hard => None,
            Status::Unknown => known,
        };
        let same = |before: &&Self| matches!(before.status, Status::Ok | Status::Warning) == answers;
        let since = before.filter(same).map_or(outcome.at, |before| before.since);
        let (attempt, output, at) = ((outcome.attempt, outcome.attempts), outcome.output, outcome.at);
        Self { status, attempt, since, output, at, there }
    }

    /// The first line of what it said.
    #[must_use]
    pub fn headline(&self) -> &str {
        self.output.lines().next().unwrap_or_default()
    }
}

/// What all watchers together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is there.
    Answers,
    /// It is not, since then, and in these words.
    Silent(Timestamp, String),
    /// Nobody can tell, and why.
    Unheard(Cause),
}

/// What these watchers come to: each with its name, whether it is heard, and what it said last.
#[must_use]
pub fn word<'a>(watchers: impl Iterator<Item = (&'a str, bool, Option<&'a Said>)>) -> Word {
    let (mut any, mut silent): (bool, Option<(Timestamp, String)>) = (false, None);
    for (name, heard, said) in watchers {
        any = true;
        let Some(said) = said.filter(|_| heard) else { continue };
        match said.there {
            Some(true) => return Word::Answers,
            Some(false) if silent.as_ref().is_none_or(|(since, _)| said.since < *since) => {
                silent = Some((said.since, format!("{name} says: {}", said.headline())));
            }
            Some(false) | None => {}
        }
    }
    match silent {
        Some((since, words)) => Word::Silent(since, words),
        None if any => Word::Unheard(Cause::WatchersSilent),
        None => Word::Unheard(Cause::Unwatched),
    }
}

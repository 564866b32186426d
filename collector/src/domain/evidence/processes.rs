//! The processes that take most of a host, as it has told them.
//!
//! What a host tells is its own word: everything is bounded, and names are cleaned, before it is shown.

use serde::Deserialize;

use crate::domain::{readings::dictionary::text::clean, rules::PROCESSES, time::Timestamp};

/// The only way of writing them that is known.
const FORMAT: u32 = 1;
/// Processes taken from one record: three times ten are told.
const MOST: usize = 30;
/// Longest name taken, in characters.
const NAME_CHARS: usize = 64;

/// What came of asking.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// When, in collector time.
    pub at: Timestamp,
    /// What was found, or why nothing was.
    pub found: Result<Processes, String>,
}

/// The processes of a host at one moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Processes {
    /// How long they were watched.
    #[serde(default)]
    pub interval_seconds: f64,
    /// How many processors the machine has.
    #[serde(default)]
    pub processors: u32,
    /// All its memory.
    #[serde(default)]
    pub memory_total_bytes: u64,
    /// Those that take most of it.
    pub processes: Vec<Process>,
    /// How many more there were.
    #[serde(default)]
    pub left_out: u64,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Deserialize)]
#[serde(from = "Told")]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, without arguments.
    pub command: String,
    /// Its state, a letter as in proc_pid_stat(5).
    pub state: char,
    /// Who runs it: a name, else a number.
    pub user: String,
    /// Memory that it has in place.
    pub resident_bytes: u64,
    /// Memory that was taken from it to swap.
    pub swap_bytes: u64,
    /// Its share of the time of all processors, in ten-thousandths.
    pub cpu_myriads: u32,
}

/// One process as told.
#[derive(Deserialize)]
struct Told {
    pid: u32,
    command: String,
    state: char,
    uid: u32,
    user: Option<String>,
    #[serde(default)]
    resident_bytes: u64,
    #[serde(default)]
    swap_bytes: u64,
    #[serde(default)]
    cpu_ratio: f64,
}

impl From<Told> for Process {
    fn from(told: Told) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 10 000")]
        let cpu_myriads = (told.cpu_ratio.clamp(0.0, 1.0) * 10_000.0).round() as u32;
        Self {
            pid: told.pid,
            command: name(&told.command),
            state: if told.state.is_ascii_alphabetic() { told.state } else { '?' },
            user: told.user.map_or_else(|| told.uid.to_string(), |user| name(&user)),
            resident_bytes: told.resident_bytes,
            swap_bytes: told.swap_bytes,
            cpu_myriads,
        }
    }
}

fn name(text: &str) -> String {
    clean(&text.chars().take(NAME_CHARS).collect::<String>()).replace('\n', "\u{fffd}")
}

impl Process {
    /// All memory that is its own, wherever that is.
    #[must_use]
    pub const fn memory_bytes(&self) -> u64 {
        self.resident_bytes.saturating_add(self.swap_bytes)
    }

    /// Its share of the time of all processors.
    #[must_use]
    pub fn cpu_ratio(&self) -> f64 {
        f64::from(self.cpu_myriads) / 10_000.0
    }

    /// Whether it waits for a device and cannot be interrupted.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.state == 'D'
    }
}

/// What makes a process come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Its use of processors.
    Processors,
    /// Its memory.
    Memory,
    /// That it waits for a device, then its use of processors.
    Waiting,
}

impl Order {
    /// What matters for a finding of this rule.
    #[must_use]
    pub fn of(rule: &str) -> Self {
        match rule {
            "cpu_pressure" => Self::Processors,
            "io_pressure" => Self::Waiting,
            _ => Self::Memory,
        }
    }
}

impl Processes {
    /// Those that take most, first; processes that take nothing are not among them.
    #[must_use]
    pub fn ordered(&self, order: Order) -> Vec<&Process> {
        let weight = |process: &Process| match order {
            Order::Processors => u64::from(process.cpu_myriads),
            Order::Memory => process.memory_bytes(),
            Order::Waiting => u64::from(process.waits()) * 20_000 + u64::from(process.cpu_myriads),
        };
        let mut all: Vec<&Process> = self.processes.iter().filter(|process| weight(process) > 0).collect();
        all.sort_by_key(|process| (std::cmp::Reverse(weight(process)), process.pid));
        all
    }
}

/// A record of kind `evidence`, as it is kept.
#[derive(Deserialize)]
struct Kept {
    source: String,
    outcome: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    format: u32,
    #[serde(default)]
    payload: String,
}

impl Taken {
    /// Reads a record of kind `evidence`; nothing where it is about something else.
    #[must_use]
    pub fn of(at: Timestamp, body: &str) -> Option<Self> {
        let kept: Kept = serde_json::from_str(body).ok().filter(|kept: &Kept| kept.source == PROCESSES)?;
        let reason = clean(&kept.reason);
        let found = match (kept.outcome.as_str(), kept.format) {
            ("read", FORMAT) => processes(&kept.payload),
            ("read", newer) => {
                Err(format!("it is written in a way ({newer}) that this collector does not know: update it"))
            }
            (outcome, _) if reason.is_empty() => Err(outcome.replace('_', " ")),
            (outcome, _) => Err(format!("{}: {reason}", outcome.replace('_', " "))),
        };
        Some(Self { at, found })
    }
}

fn processes(payload: &str) -> Result<Processes, String> {
    let mut processes: Processes =
        serde_json::from_str(payload).map_err(|_| "what the host told cannot be read".to_owned())?;
    let more = processes.processes.len().saturating_sub(MOST);
    processes.processes.truncate(MOST);
    processes.left_out = processes.left_out.saturating_add(more as u64);
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(outcome: &str, format: u32, payload: &str) -> String {
        json!({ "source": "processes", "part": "", "outcome": outcome, "reason": "no\u{1b}", "format": format,
                "payload": payload })
        .to_string()
    }

    fn process(pid: u32, state: &str, resident: u64, swap: u64, cpu: f64) -> serde_json::Value {
        json!({ "pid": pid, "command": "a", "state": state, "uid": 7, "resident_bytes": resident, "swap_bytes": swap,
                "cpu_ratio": cpu })
    }

    fn taken(payload: &serde_json::Value) -> Processes {
        Taken::of(Timestamp::from_ms(5), &record("read", 1, &payload.to_string())).unwrap().found.unwrap()
    }

    #[test]
    fn what_matters_for_a_rule_comes_first() {
        let told = [process(1, "R", 10, 0, 0.5), process(2, "D", 0, 0, 0.0), process(3, "S", 4, 9, 0.1)];
        let all = taken(&json!({ "processes": told, "left_out": 7, "something_new": 1 }));
        let pids = |rule: &str| all.ordered(Order::of(rule)).iter().map(|process| process.pid).collect::<Vec<_>>();
        assert_eq!(pids("cpu_pressure"), [1, 3]);
        assert_eq!(pids("memory_exhausted"), [3, 1]);
        assert_eq!(pids("io_pressure"), [2, 1, 3]);
        assert_eq!((all.left_out, &*all.processes[0].user), (7, "7"));
    }

    #[test]
    fn a_hosts_word_is_bounded_and_its_names_are_cleaned() {
        let mut told = vec![process(1, "\u{1b}", u64::MAX, u64::MAX, 1e300); 500];
        told[0]["command"] = format!("<b>\n\u{202e}{}", "x".repeat(9_000)).into();
        let all = taken(&json!({ "processes": told, "left_out": 1 }));
        assert_eq!((all.processes.len(), all.left_out), (30, 471));
        let first = &all.processes[0];
        assert!(first.command.starts_with("<b>\u{fffd}\u{fffd}xx") && first.command.chars().count() == 64);
        assert_eq!((first.state, first.cpu_ratio(), first.memory_bytes()), ('?', 1.0, u64::MAX));
    }

    #[test]
    fn what_could_not_be_read_says_why() {
        let why = |body: &str| Taken::of(Timestamp::from_ms(5), body).unwrap().found.unwrap_err();
        assert_eq!(why(&record("unreadable", 1, "")), "unreadable: no\u{fffd}");
        assert!(why(&record("read", 2, "{}")).contains("(2)"));
        for broken in ["", "[]", "{\"processes\": [{\"pid\": -1}]}", "{\"processes\": 7}"] {
            assert_eq!(why(&record("read", 1, broken)), "what the host told cannot be read", "{broken}");
        }
        assert_eq!(Taken::of(Timestamp::from_ms(5), &record("read", 1, "").replace("processes", "smart")), None);
        assert_eq!(Taken::of(Timestamp::from_ms(5), "no JSON"), None);
    }
}

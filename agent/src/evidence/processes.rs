//! The processes that take most of the machine: two looks at `/proc`, a second apart.
//!
//! Names only, as the kernel keeps them: a command line may hold secrets. `stat` and `status` are answered without the
//! lock of a process's memory (fs/proc/array.c), which `cmdline` and `smaps` take, so that they can be read on a machine
//! that stands still for want of memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::Outcome;
use crate::host::{Host, HostError};
use crate::withheld::Family;

/// Between the two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Of each kind (by processors, by memory, waiting for a device) so many are told.
const MOST: usize = 10;
/// What is told is never longer, in bytes.
const PAYLOAD_MAX: usize = 8 * 1024;
/// Longest name told, in characters: programs have 15, kernel workers up to 63 (fs/proc/array.c, proc_task_name).
const NAME_CHARS: usize = 40;
/// Kernel ticks of a second, USER_HZ (include/asm-generic/param.h).
const TICKS: f64 = 100.0;

/// Columns of `/proc/PID/stat` after the name's closing parenthesis, proc_pid_stat(5), counted from 0.
const STATE: usize = 0;
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const STARTED: usize = 19;

/// The number of whoever is nobody here (DEFAULT_OVERFLOWUID, include/linux/highuid.h).
const NOBODY: u32 = 65_534;

/// Why hardly anything is seen, and what to do.
const HIDDEN: &str = "/proc hides other users' processes (hidepid): mount it with gid= a group of the agent's user";

/// What is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    /// Time between the two looks.
    interval_seconds: f64,
    processors: usize,
    memory_total_bytes: u64,
    /// By use of processors, then of memory.
    processes: Vec<&'a Process>,
    /// How many more there are.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    command: String,
    /// A letter (`task_state_array`, fs/proc/array.c).
    state: char,
    uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    resident_bytes: u64,
    swap_bytes: u64,
    /// Its share of the time of all processors.
    cpu_ratio: f64,
}

impl Process {
    fn memory(&self) -> u64 {
        self.resident_bytes.saturating_add(self.swap_bytes)
    }
}

pub(super) fn look(host: &Host) -> Outcome {
    look_twice(host, || std::thread::sleep(INTERVAL))
}

fn look_twice(host: &Host, pause: impl FnOnce()) -> Outcome {
    match told(host, pause) {
        Ok(Some(json)) => Outcome::Read(json),
        Ok(None) => Outcome::Unreadable(HIDDEN.to_owned()),
        Err(error) => error.into(),
    }
}

/// What is to be told, as JSON; nothing where processes are hidden.
fn told(host: &Host, pause: impl FnOnce()) -> Result<Option<String>, HostError> {
    let (began, before) = (Clocks::read(host)?, times(host)?);
    pause();
    let (ended, after) = (Clocks::read(host)?, times(host)?);
    // The first process is always there, whoever may look.
    if !after.contains_key(&1) {
        return Ok(None);
    }
    let passed = ended.total.saturating_sub(began.total);
    let mut all: Vec<Process> = after
        .iter()
        .filter_map(|(pid, times)| {
            // One that was not there before has used all its time since.
            let already = before.get(pid).filter(|known| known.started == times.started).map_or(0, |known| known.used);
            read_process(host, *pid, share(times.used.saturating_sub(already), passed))
        })
        .collect();
    all.sort_by(|a, b| b.cpu_ratio.total_cmp(&a.cpu_ratio).then(b.memory().cmp(&a.memory())).then(a.pid.cmp(&b.pid)));
    let mut chosen = chosen(&all);
    name_owners(host, &mut all, &chosen);
    loop {
        let told = Told {
            interval_seconds: (passed as f64 / TICKS / ended.processors.max(1) as f64 * 100.0).round() / 100.0,
            processors: ended.processors,
            memory_total_bytes: memory_total(host)?,
            processes: chosen.iter().map(|at| &all[*at]).collect(),
            left_out: all.len() - chosen.len(),
        };
        let json = serde_json::to_string(&told).expect("numbers and texts: nothing in it can fail to serialise");
        if json.len() <= PAYLOAD_MAX || chosen.pop_last().is_none() {
            return Ok(Some(json));
        }
    }
}

/// Places of those told: the first of each kind.
fn chosen(all: &[Process]) -> BTreeSet<usize> {
    let mut by_memory: Vec<usize> = (0..all.len()).collect();
    by_memory.sort_by_key(|at| std::cmp::Reverse(all[*at].memory()));
    let by_processors = (0..all.len()).filter(|at| all[*at].cpu_ratio > 0.0).take(MOST);
    let by_memory = by_memory.into_iter().filter(|at| all[*at].memory() > 0).take(MOST);
    let waiting = (0..all.len()).filter(|at| all[*at].state == 'D').take(MOST);
    by_processors.chain(by_memory).chain(waiting).collect()
}

/// A share with four decimals; 0 where no time has passed.
fn share(used: u64, passed: u64) -> f64 {
    if passed == 0 { 0.0 } else { (used as f64 / passed as f64 * 10_000.0).round().min(10_000.0) / 10_000.0 }
}

/// The time of all processors together, in ticks, and how many there are.
struct Clocks {
    total: u64,
    processors: usize,
}

impl Clocks {
    fn read(host: &Host) -> Result<Self, HostError> {
        let text = host.read_text("/proc/stat")?;
        let mut processors = text.lines().take_while(|line| line.starts_with("cpu"));
        // user to steal: the guests' time is in user's already (proc_stat(5)).
        let ticks =
            |line: &str| line.split_ascii_whitespace().skip(1).take(8).filter_map(|n| n.parse::<u64>().ok()).sum();
        Ok(Self { total: processors.next().map_or(0, ticks), processors: processors.count() })
    }
}

/// When a process began, since boot, and the time that it has used, in ticks.
struct Times {
    started: u64,
    used: u64,
}

fn times(host: &Host) -> Result<BTreeMap<u32, Times>, HostError> {
    let mut found = Vec::new();
    host.visit("/proc", |name| found.extend(name.parse::<u32>().ok()))?;
    let times = |pid: u32| {
        let (_, fields) = stat(host, pid)?;
        let mut fields = fields.split_ascii_whitespace().skip(USER_TIME).map(str::parse::<u64>);
        let mut next = |skip: usize| fields.nth(skip)?.ok();
        let (user, system) = (next(0)?, next(SYSTEM_TIME - USER_TIME - 1)?);
        Some((pid, Times { started: next(STARTED - SYSTEM_TIME - 1)?, used: user.saturating_add(system) }))
    };
    Ok(found.into_iter().filter_map(times).collect())
}

/// Name and the columns after it; nothing of a process that has ended or may not be looked at.
fn stat(host: &Host, pid: u32) -> Option<(String, String)> {
    let text = host.read_text(&format!("/proc/{pid}/stat")).ok()?;
    // The name may itself hold parentheses.
    let (before, fields) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1;
    Some((clean(name), fields.to_owned()))
}

fn read_process(host: &Host, pid: u32, cpu_ratio: f64) -> Option<Process> {
    let (command, fields) = stat(host, pid)?;
    let state = fields.split_ascii_whitespace().nth(STATE)?.chars().next()?;
    // A kernel thread's has no lines of memory.
    let status = host.read_text(&format!("/proc/{pid}/status")).ok()?;
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = |key: &str| line(key).and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    let bytes = |key: &str| kib(key).unwrap_or(0).saturating_mul(1024);
    // Real, effective, saved, of the file system.
    let uid = line("Uid").and_then(|rest| rest.split_ascii_whitespace().nth(1)?.parse().ok())?;
    let (resident_bytes, swap_bytes) = (bytes("VmRSS"), bytes("VmSwap"));
    Some(Process { pid, command, state, uid, user: None, resident_bytes, swap_bytes, cpu_ratio })
}

/// Puts names to the owners of those told, as far as this machine's own list has them.
fn name_owners(host: &Host, all: &mut [Process], chosen: &BTreeSet<usize>) {
    if host.withheld().holds(Family::UserNames) {
        chosen.iter().for_each(|at| (all[*at].uid, all[*at].user) = (NOBODY, Some("switched off".to_owned())));
        return;
    }
    let users = host.read_text("/etc/passwd").unwrap_or_default();
    let named = |uid: u32| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| clean(name))
        })
    };
    chosen.iter().for_each(|at| all[*at].user = named(all[*at].uid));
}

fn memory_total(host: &Host) -> Result<u64, HostError> {
    let text = host.read_text("/proc/meminfo")?;
    let kib =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_ascii_whitespace().next()?.parse().ok());
    Ok(kib.map_or(0, |kib: u64| kib.saturating_mul(1024)))
}

/// A name of bounded length without control characters.
fn clean(name: &str) -> String {
    name.chars().take(NAME_CHARS).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests;

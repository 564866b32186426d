//! What a process costs, read from /proc.

use std::collections::BTreeMap;
use std::fs;

use tokio::process::Command;

use crate::process::run;

/// Clock ticks per second in /proc/PID/stat: USER_HZ, 100 on every Linux that Debian ships.
const TICKS_PER_SECOND: f64 = 100.0;
/// Fields of /proc/PID/stat after the name: utime, stime, cutime, cstime (proc(5) counts from 1 with the pid).
const UTIME: usize = 11;

/// Memory of a process, KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident.
    pub rss: f64,
    /// Resident, what is shared divided among its users.
    pub pss: f64,
    /// Resident and of no file: heap and stacks.
    pub anonymous: f64,
}

/// Bytes that TCP carried for us, handshakes of TLS included, heads of TCP and IP not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carried {
    /// Connections open.
    pub connections: usize,
    /// Towards the collector.
    pub up: f64,
    /// From it.
    pub down: f64,
}

/// CPU seconds of a process and of its children that have ended, kernel included; a hundredth is the grain.
#[must_use]
pub fn cpu_seconds(pid: i32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let ticks: f64 = fields.skip(UTIME).take(4).filter_map(|text| text.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// CPU seconds of the threads that a process has now, to the nanosecond, and of its children that have ended.
#[must_use]
pub fn fine_cpu_seconds(pid: i32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    let own: f64 = spent.sum::<f64>() / 1e9;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let children: f64 = fields.skip(UTIME + 2).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
    own + children / TICKS_PER_SECOND
}

/// Memory of a process now; zeros when it is gone.
#[must_use]
pub fn memory(pid: i32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let sizes: BTreeMap<&str, f64> = text.lines().filter_map(size).collect();
    let of = |name| sizes.get(name).copied().unwrap_or(0.0);
    Memory { rss: of("Rss"), pss: of("Pss"), anonymous: of("Anonymous") }
}

fn size(line: &str) -> Option<(&str, f64)> {
    let (name, rest) = line.split_once(':')?;
    Some((name, rest.split_ascii_whitespace().next()?.parse().ok()?))
}

/// Threads that a process has.
#[must_use]
pub fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// Processes that a process has started and that live.
#[must_use]
pub fn children(pid: i32) -> usize {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().count()
}

/// Bytes that a process has had written to disks since it started (proc_pid_io(5)).
#[must_use]
pub fn written(pid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0.0)
}

/// System calls of a process with all its threads and new children within `window`, and how many of them made a
/// process. Counted by strace, which slows the process down: nothing else is measured meanwhile.
pub async fn system_calls(pid: i32, window: std::time::Duration) -> Option<(f64, f64)> {
    let seconds = window.as_secs().to_string();
    let mut strace = Command::new("timeout");
    strace.args(["-s", "INT", &seconds, "strace", "-f", "-c", "-U", "calls,name", "-p", &pid.to_string()]);
    // The window may be longer than what the harness gives a command.
    let said = strace.stdin(std::process::Stdio::null()).kill_on_drop(true).output().await.ok()?;
    let text = String::from_utf8_lossy(&said.stderr);
    let rows = text.lines().filter_map(|line| {
        let (calls, name) = line.trim().split_once(' ')?;
        Some((calls.parse::<f64>().ok()?, name.trim()))
    });
    let rows: Vec<_> = rows.collect();
    let all = rows.iter().find(|(_, name)| *name == "total")?.0;
    let forks = rows.iter().filter(|(_, name)| matches!(*name, "fork" | "vfork" | "execve")).map(|(calls, _)| calls);
    // An empty sum of floats is -0.
    Some((all, forks.sum::<f64>() + 0.0))
}

/// What open connections to `port` have carried so far, as the kernel counts it at the dialling end (`ss -ti`); with
/// `pid` only that process's.
pub async fn carried(port: u16, pid: Option<i32>) -> Carried {
    carried_in(None, port, pid).await
}

/// The same in another network namespace.
pub async fn carried_in(namespace: Option<&str>, port: u16, pid: Option<i32>) -> Carried {
    let port = format!(":{port}");
    let mut command = Command::new(if namespace.is_some() { "ip" } else { "ss" });
    if let Some(namespace) = namespace {
        command.args(["netns", "exec", namespace, "ss"]);
    }
    let said = run(command.args(["-tinpOH", "state", "established", "dport", "=", &port])).await;
    let mine = pid.map(|pid| format!("pid={pid},"));
    let mut carried = Carried::default();
    for line in said.out.lines().filter(|line| mine.as_ref().is_none_or(|mine| line.contains(mine))) {
        let counter = |name: &str| {
            let word = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name));
            word.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
        };
        carried.connections += 1;
        carried.up += counter("bytes_sent:") - counter("bytes_retrans:");
        carried.down += counter("bytes_received:");
    }
    carried
}

/// How busy the machine is with everything: the load average of the last minute.
#[must_use]
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

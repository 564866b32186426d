//! How many processes and threads there are, and in which state, from `/proc/PID`.
//!
//! Dear: some 13 microseconds per process, and once more per thread of those that have several.

use std::fmt::Write;

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::{Host, HostError};

/// Columns of `/proc/PID/stat` after the command's closing parenthesis, proc_pid_stat(5), counted from 0.
const STATE: usize = 0;
const THREADS: usize = 17;

/// States that are said even where nobody is in them, so that series do not come and go: `node_exporter` would say
/// nothing of them.
const COMMON: [u8; 6] = *b"DIRSTZ";

/// Counts by state, a letter (`task_state_array`, fs/proc/array.c).
struct States([u32; 128]);

impl States {
    fn add(&mut self, state: u8) {
        if let Some(count) = self.0.get_mut(usize::from(state)) {
            *count += 1;
        }
    }

    fn say(&self, sink: &mut Sink<'_>, name: &str, label: &str, help: &str) {
        sink.family(name, Kind::Gauge, help);
        for (state, count) in (0_u8..).zip(self.0).filter(|(state, count)| *count > 0 || COMMON.contains(state)) {
            sink.sample(&[(label, char::from(state).encode_utf8(&mut [0; 4]))], f64::from(count));
        }
    }
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut tally = Tally {
        processes: 0,
        threads: 0.0,
        states: States([0; 128]),
        threads_states: States([0; 128]),
        bytes: Vec::new(),
    };
    let mut path = String::with_capacity(64);
    let mut found = Vec::new();
    host.visit("/proc", |name| {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(name.to_owned());
        }
    })?;
    if found.is_empty() {
        return Err(ProbeError::Absent("there is no process in /proc".to_owned()));
    }
    for process in &found {
        tally.add_process(host, &mut path, process)?;
    }
    let mut gauge = |name: &str, help: &str, value: f64| sink.single(name, Kind::Gauge, help, value);
    gauge("node_processes_threads", "Allocated threads in system", tally.threads);
    gauge("node_processes_max_threads", "Limit of threads in the system", limit(host, "/proc/sys/kernel/threads-max")?);
    gauge("node_processes_pids", "Number of PIDs", f64::from(tally.processes));
    gauge("node_processes_max_processes", "Number of max PIDs limit", limit(host, "/proc/sys/kernel/pid_max")?);
    tally.states.say(sink, "node_processes_state", "state", "Number of processes in each state.");
    let help = "Number of threads in each state.";
    tally.threads_states.say(sink, "node_processes_threads_state", "thread_state", help);
    Ok(())
}

fn limit(host: &Host, path: &str) -> Result<f64, ProbeError> {
    parse_number(&host.read_text(path)?).ok_or_else(|| strange(path, "not a number"))
}

struct Tally {
    processes: u32,
    threads: f64,
    states: States,
    threads_states: States,
    bytes: Vec<u8>,
}

impl Tally {
    fn add_process(&mut self, host: &Host, path: &mut String, process: &str) -> Result<(), ProbeError> {
        path.clear();
        // Writing to a String cannot fail.
        let _ = write!(path, "/proc/{process}/stat");
        let Some((state, threads)) = self.stat(host, path)? else { return Ok(()) };
        self.processes += 1;
        self.threads += threads;
        self.states.add(state);
        // The state of a process is that of its first thread: most have no other.
        if threads <= 1.0 {
            self.threads_states.add(state);
            return Ok(());
        }
        path.clear();
        let _ = write!(path, "/proc/{process}/task");
        let mut found = Vec::new();
        match host.visit(path, |thread| found.push(thread.to_owned())) {
            Ok(()) | Err(HostError::NotPresent(_)) => {}
            Err(error) => return Err(error.into()),
        }
        for thread in found {
            path.clear();
            let _ = write!(path, "/proc/{process}/task/{thread}/stat");
            if let Some((state, _)) = self.stat(host, path)? {
                self.threads_states.add(state);
            }
        }
        Ok(())
    }

    /// State and number of threads; `None` of one that has ended meanwhile.
    fn stat(&mut self, host: &Host, path: &str) -> Result<Option<(u8, f64)>, ProbeError> {
        match host.read(path, &mut self.bytes) {
            Ok(()) => {}
            Err(HostError::NotPresent(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let text = String::from_utf8_lossy(&self.bytes);
        // The command may itself hold parentheses.
        let parsed = text.rsplit_once(')').and_then(|(_, fields)| {
            let mut fields = fields.split_ascii_whitespace();
            let state = fields.nth(STATE)?.bytes().next()?;
            Some((state, fields.nth(THREADS - STATE - 1).and_then(parse_number)?))
        });
        parsed.map(Some).ok_or_else(|| strange(path, "not the line of a process"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    fn stat(command: &str, state: &str, threads: u32) -> String {
        format!("7 ({command}) {state} 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 100 0 0\n")
    }

    #[test]
    fn processes_and_threads_are_counted_by_state() {
        let (one, two, three) = (stat("init", "S", 1), stat("a) R (b", "R", 2), stat("traced", "t", 1));
        let (first, second) = (stat("b", "R", 2), stat("b", "D", 2));
        let files = [
            ("proc/1/stat", &*one),
            ("proc/20/stat", &*two),
            ("proc/20/task/20/stat", &*first),
            ("proc/20/task/21/stat", &*second),
            ("proc/300/stat", &*three),
            ("proc/400/cmdline", "ended meanwhile"),
            ("proc/self/stat", &*one),
            ("proc/sys/kernel/threads-max", "1000\n"),
            ("proc/sys/kernel/pid_max", "32768\n"),
        ];
        assert_eq!(
            said(read, &files),
            [
                "node_processes_threads 4",
                "node_processes_max_threads 1000",
                "node_processes_pids 3",
                "node_processes_max_processes 32768",
                "node_processes_state{state=\"D\"} 0",
                "node_processes_state{state=\"I\"} 0",
                "node_processes_state{state=\"R\"} 1",
                "node_processes_state{state=\"S\"} 1",
                "node_processes_state{state=\"T\"} 0",
                "node_processes_state{state=\"Z\"} 0",
                "node_processes_state{state=\"t\"} 1",
                "node_processes_threads_state{thread_state=\"D\"} 1",
                "node_processes_threads_state{thread_state=\"I\"} 0",
                "node_processes_threads_state{thread_state=\"R\"} 1",
                "node_processes_threads_state{thread_state=\"S\"} 1",
                "node_processes_threads_state{thread_state=\"T\"} 0",
                "node_processes_threads_state{thread_state=\"Z\"} 0",
                "node_processes_threads_state{thread_state=\"t\"} 1",
            ]
        );
    }

    #[test]
    fn what_is_no_process_fails_the_source_and_none_at_all_is_absence() {
        for broken in ["7 init S", "7 (init) S 1 1\n", ""] {
            assert_eq!(failure(read, &[("proc/7/stat", broken)]), "/proc/7/stat: not the line of a process");
        }
        assert!(is_absent(read, &[("proc/stat", "")]));
    }
}
